// Trace: what happened in a run, as one hash. Listeners are told of each entry (run_listener.h), such as the
// one that writes the trace file (trace_file.h).
//
// Covers every committed write (virtual time, revision, kind, key, content hash) and every delivered
// watch event (time, component, key, revision). Two runs with one seed give the same hash on any
// machine: nothing in it depends on addresses, threads or the order of hash tables.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/base/time.h"
#include "control/client/request.h"
#include "control/schema/schema.h"
#include "control/store/log.h"
#include "sim/run_listener.h"

namespace minik::sim {

class Trace {
 public:
  explicit Trace(const control::Schema& schema);
  ~Trace();

  // From now on; it outlives the trace.
  void listen(RunListener* listener) { listeners_.push_back(listener); }

  void on_write(Instant now, const control::LogRecord& record);
  void on_delivery(Instant now, const std::string& component, const control::WatchEvent& event);

  // Lower-case hexadecimal SHA-256 over everything so far.
  std::string hash() const;
  uint64_t entries() const { return entries_; }

 private:
  void add(char what, Instant now, std::string_view who, const control::Value& object, uint64_t number);

  struct Digest;
  const control::Schema& schema_;
  std::unique_ptr<Digest> digest_;
  std::vector<RunListener*> listeners_;
  std::string buffer_;  // entries that are not hashed yet
  uint64_t entries_ = 0;
};

}  // namespace minik::sim
