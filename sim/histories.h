// Histories: the versions that objects went through in a run, within a budget of bytes.
//
// The budget goes to whoever is asked for first: objects on `wanted` (what the scenario speaks of, what
// failed), then those of kinds that people look at, in the order of their birth. An object that is kept is kept
// from its first version to its last, or marked as cut where the budget ended; how many were left out is
// counted. Versions are JSON patches against the one before, as in the trace file.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/base/time.h"
#include "control/schema/schema.h"
#include "control/store/log.h"

namespace minik::sim {

struct ObjectVersion {
  Duration at;
  uint64_t revision = 0;
  // The first version is an object, the others are patches; absent: it was deleted.
  control::Value change;
};

struct ObjectHistory {
  std::string resource, kind, key;  // "deployments.apps", "Deployment", "default/web"
  std::vector<ObjectVersion> versions;
  bool wanted = false, cut = false;
};

struct HistoryOptions {
  size_t bytes_max = 3 << 20;
  std::set<std::pair<std::string, std::string>> wanted;  // (kind, key)
};

class Histories {
 public:
  explicit Histories(HistoryOptions options);
  void on_schema(const control::Schema& schema) { schema_ = &schema; }
  void on_write(Instant now, const control::LogRecord& record);

  // Wanted ones first, then by kind and key.
  std::vector<const ObjectHistory*> all() const;
  size_t left_out() const { return left_out_; }

 private:
  struct Entry {
    ObjectHistory history;
    control::Value last;
  };
  HistoryOptions options_;
  const control::Schema* schema_ = &control::Schema::builtin();
  size_t bytes_ = 0, wanted_bytes_ = 0, left_out_ = 0;
  std::map<std::pair<control::KindId, std::string>, Entry> entries_;
};

}  // namespace minik::sim
