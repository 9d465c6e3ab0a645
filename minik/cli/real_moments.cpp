#include "minik/cli/real_moments.h"

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/store/memory_log.h"
#include "control/store/store.h"
#include "minik/cli/api_connection.h"

namespace minik::cli {

namespace keys = control::keys;

std::string api_path(const control::ResourceInfo& resource, std::string_view namespace_, std::string_view name) {
  std::string path = resource.group.empty() ? cat("/api/", resource.version) : cat("/apis/", resource.group, "/", resource.version);
  if (resource.namespaced && !namespace_.empty()) path += cat("/namespaces/", namespace_);
  path += cat("/", resource.plural);
  return name.empty() ? path : cat(path, "/", name);
}

bool holds_now(const Profile& profile, const sim::Predicate& predicate) {
  const auto kind = predicate.object ? predicate.object->id : predicate.selection->kind;
  auto connection = ApiConnection::open(profile);
  if (!connection) return false;
  const auto list = connection->call({"GET", api_path(control::Schema::builtin().resource(kind), "", ""), "", ""});
  if (!list) return false;
  control::RecoveredState state;
  for (const auto& object : (*list)[keys::kItems].items()) {
    control::LogRecord& record = state.objects.emplace_back();
    record.kind = kind;
    record.revision = control::object_revision(object);
    record.object = object.without(keys::kApiVersion).without(keys::kKind);
    state.last = std::max(state.last, record.revision);
  }
  control::MemoryLog log;
  control::Store store(log, [](const Error&) {});
  store.load(std::move(state));
  MetricRegistry nothing;
  return sim::judge(predicate, store, nothing).holds;
}

}  // namespace minik::cli
