#include "control/api/storage_migration.h"

#include <map>
#include <utility>

#include "control/api/metadata.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr size_t kObjectsPerQuestion = 100;  // well below the 3 MiB that a webhook's answer may have

}  // namespace

struct StorageMigration::Job {
  const ResourceInfo &from, &to;
  std::function<void(Status)> done;
  using Place = std::pair<std::string, std::string>;
  struct Converted {
    Value seen, converted;
  };
  std::map<Place, Converted> objects = {};
};

void StorageMigration::run(const ResourceInfo& from, const ResourceInfo& to, std::function<void(Status)> done) {
  next(std::make_shared<Job>(Job{from, to, std::move(done)}));
}

void StorageMigration::next(const std::shared_ptr<Job>& job) {
  const auto all = store_.list(job->from.stored_as(), "");
  std::vector<Value> asked;
  for (const Value& object : all->objects) {
    const auto known = job->objects.find({std::string(object_namespace(object)), std::string(object_name(object))});
    if (known != job->objects.end() && known->second.seen.same_node(object)) continue;
    asked.push_back(object);
    if (asked.size() == kObjectsPerQuestion) break;
  }
  if (asked.empty()) return finish(job);
  conversion_.convert(job->from, job->to, asked, [this, job, asked](Result<std::vector<Value>> converted) {
    if (!converted) return job->done(Status(std::move(converted).error()));
    for (size_t i = 0; i < asked.size(); ++i) {
      job->objects[{std::string(object_namespace(asked[i])), std::string(object_name(asked[i]))}] = {asked[i], (*converted)[i]};
    }
    next(job);
  });
}

void StorageMigration::finish(const std::shared_ptr<Job>& job) {
  const KindId kind = job->from.stored_as();
  const auto all = store_.list(kind, "");
  for (const Value& object : all->objects) {
    const auto& entry = job->objects.at({std::string(object_namespace(object)), std::string(object_name(object))});
    MapBuilder bare(entry.converted);
    bare.erase(keys::kApiVersion).erase(keys::kKind);  // as objects are stored
    store_.put(kind, with_revision(std::move(bare).build(), store_.next_revision()));
  }
  job->done({});
}

}  // namespace minik::control
