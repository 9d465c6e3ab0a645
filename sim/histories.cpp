#include "sim/histories.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/diff.h"
#include "control/object/json.h"
#include "control/schema/kinds.h"

namespace minik::sim {

using control::LogRecord;
namespace kinds = control::kinds;

namespace {

// What says nothing to people and is written all the time.
bool is_noise(control::KindId kind) { return kind == kinds::kLeases || kind == kinds::kEvents || kind == kinds::kEndpointslices; }

}  // namespace

Histories::Histories(HistoryOptions options) : options_(std::move(options)) {}

void Histories::on_write(Instant now, const LogRecord& record) {
  if (is_noise(record.kind)) return;
  const std::string key = control::key_of(record.object).text();
  const bool put = record.what == LogRecord::Kind::kPut;
  auto found = entries_.find({record.kind, key});
  if (found == entries_.end()) {
    const auto& resource = schema_->resource(record.kind);
    const bool wanted = options_.wanted.contains({std::string(resource.kind), key});
    if (!put || (!wanted && bytes_ > options_.bytes_max)) {
      left_out_ += put && record.previous.value == 0 ? 1 : 0;
      return;
    }
    found = entries_.emplace(std::pair(record.kind, key), Entry{}).first;
    found->second.history.resource = resource.group_resource();
    found->second.history.kind = resource.kind;
    found->second.history.key = key;
    found->second.history.wanted = wanted;
  }
  Entry& entry = found->second;
  if (entry.history.cut) return;
  // What the scenario speaks of has as much again for itself.
  size_t& bytes = entry.history.wanted ? wanted_bytes_ : bytes_;
  if (bytes > options_.bytes_max) {
    entry.history.cut = true;
    entry.last = {};
    return;
  }
  ObjectVersion version{Duration{now.ns}, record.revision.value, {}};
  if (put) version.change = entry.last.is_absent() ? record.object : control::make_json_patch(entry.last, record.object);
  entry.last = put ? record.object : control::Value();
  bytes += control::to_json(version.change).size() + 32;
  entry.history.versions.push_back(std::move(version));
}

std::vector<const ObjectHistory*> Histories::all() const {
  std::vector<std::pair<bool, const ObjectHistory*>> sorted;
  for (const auto& [key, entry] : entries_) sorted.emplace_back(!entry.history.wanted, &entry.history);
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second->kind, a.second->key) < std::tie(b.first, b.second->kind, b.second->key);
  });
  std::vector<const ObjectHistory*> histories;
  for (const auto& [later, history] : sorted) histories.push_back(history);
  return histories;
}

}  // namespace minik::sim
