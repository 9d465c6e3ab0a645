// The trace file: a run as lines of JSON, from which the run can be made again and the state of every
// object at every moment be read.
//
//   header     {"apiVersion":"minik.dev/v1alpha1","kind":"Trace","scenario":…,"file":…,"seed":"7","begin":…,
//               "sha256":<of text>,"text":<the scenario file>}
//   write      {"at":"5.2s","put":"deployments.apps","key":"default/web","revision":12,"object":{…}}
//              {"at":"6s","put":"deployments.apps","key":"default/web","revision":15,"patch":[…]}
//              {"at":"9s","delete":"deployments.apps","key":"default/web","revision":40}
//   delivery   {"at":"6.1s","event":"MODIFIED","to":"system:scheduler","key":"default/web","revision":15}
//   others     {"at":"2m","action":"crashNodes node-3"}   {"at":"9m","finding":"…","held":false,"detail":"…"}
//   end        {"at":"20m","entries":5120,"trace":<hash>}
//
// An object stands whole in its first write and as a JSON patch (RFC 6902) against its last version in all
// others. `entries` counts the writes and deliveries, which are what the hash covers. One run writes the
// same file each time. Readers are given lines: they open no files, and believe nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/object/value.h"
#include "control/schema/schema.h"
#include "sim/run_listener.h"

namespace minik::sim {

struct TraceHeader {
  std::string scenario;  // its name
  std::string file;      // as it was given on the command line
  std::string text;      // the whole scenario file
  uint64_t seed = 0;
  WallTime begin;        // the cluster's clock at virtual time 0
  bool managed_fields = false;  // of what components write, too
};

std::string write_trace_header(const TraceHeader& header);
// Refuses what is no header, a version that is not ours, and a text that is not the one of its hash.
Result<TraceHeader> read_trace_header(std::string_view line);

struct TraceEntry {
  enum class What : uint8_t { kPut, kDelete, kDelivery, kAction, kFinding, kEnd };
  What what = What::kAction;
  Duration at;
  std::string resource;  // "deployments.apps": of writes
  std::string key;       // "default/web": of writes and deliveries
  uint64_t revision = 0;
  control::Value object, patch;   // of kPut: exactly one
  std::string event, to;          // of kDelivery
  std::string text, detail;       // the action, the finding, or at the end the hash
  bool held = false;
  uint64_t entries = 0;  // of kEnd
};

Result<TraceEntry> read_trace_entry(std::string_view line);

// Writes a run's lines, each without its end.
class TraceWriter : public RunListener {
 public:
  using Line = std::function<void(std::string_view)>;
  explicit TraceWriter(Line line);

  void begin(const TraceHeader& header);
  void on_schema(const control::Schema& schema) override { schema_ = &schema; }
  void on_write(Instant now, const control::LogRecord& record) override;
  void on_delivery(Instant now, const std::string& component, const control::WatchEvent& event) override;
  void on_action(Duration now, const std::string& text) override;
  void on_finding(Duration now, const Finding& finding) override;
  void end(Duration now, std::string_view hash);

 private:
  void finish();

  Line line_;
  const control::Schema* schema_ = &control::Schema::builtin();
  // The last version of every object, by resource and key.
  std::map<std::pair<control::KindId, std::string>, control::Value> last_;
  std::string text_;
  uint64_t entries_ = 0;
};

// Which object of a trace: its resource ("pods", "deployments.apps") and key.
struct TracedKey {
  std::string resource, key;
  auto operator<=>(const TracedKey&) const = default;
};

// The objects as they are after the entries applied so far.
class TraceState {
 public:
  // Entries that are no writes change nothing. A patch without its object, or one that does not apply, is
  // an error.
  Status apply(const TraceEntry& entry);
  // Absent when there is none.
  const control::Value& find(const TracedKey& key) const;
  // For whoever has the versions themselves; an absent one is a deletion.
  void set(const TracedKey& key, const control::Value& object);
  const std::map<TracedKey, control::Value>& objects() const { return objects_; }

 private:
  std::map<TracedKey, control::Value> objects_;
};

}  // namespace minik::sim
