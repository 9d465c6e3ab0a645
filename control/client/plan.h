// Plan: what a decision wants done, as data. A list of writes for the runner to send in order
// (those marked independent side by side), and when to look again. Controllers, the scheduler and
// the node agent return plans; nothing else writes.
//
// Writes name their precondition by carrying the object that was read: an update sends the
// resourceVersion inside its body, so that a decision on stale data ends in Conflict and a new
// look, never in a lost write. The runner stops a plan at the first error that is not tolerated,
// and may be killed between any two writes. What the server alone knows a decision asks for by reads
// among the writes, and goes on by `then`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/base/metrics.h"
#include "control/base/time.h"
#include "control/client/request.h"

namespace minik::control {

// An Event (core/v1) to be recorded about an object; the recorder adds time, source and counts.
struct EventNote {
  Value regarding;     // the object, or an object reference
  std::string type;    // "Normal" or "Warning"
  std::string reason;  // "ScalingReplicaSet"
  std::string message;
};

// What a controller counts beside its reconciles: some more of a counter, or a duration of a histogram. The
// family's name and help are literals; labels only of what is bounded.
struct MetricNote {
  const char* name;
  const char* help;
  MetricLabels labels = {};
  uint64_t more = 1;
  std::optional<Duration> duration = {};
};

// What to make of an error of one write.
enum class OnError : uint8_t {
  kStop,              // end the plan here, back off and reconcile again
  kTolerateNotFound,  // somebody else has deleted it: go on
  kTolerateExists,    // a deterministic child name that is there already: go on
};

struct PlannedWrite {
  ApiRequest request;
  OnError on_error = OnError::kStop;
  // May be on its way together with the independent writes beside it: the creations of one
  // ReplicaSet. Writes without it wait for all before them, and all after them wait for it.
  bool independent = false;
  // Of a list: the plan goes on only when nothing is there, by the server's word and not by a cache's.
  bool expect_empty = false;
  // Recorded when the write succeeds; %name% in its message stands for the created object's name.
  std::optional<EventNote> event;
  // Counted when the write succeeds, or fails.
  std::vector<MetricNote> counts, failure_counts;
  // Recorded when it fails; %error% in its message stands for the error.
  std::optional<EventNote> failure_event;
  // Sent once after the plan has stopped at this write: how its object tells of the failure. A pure
  // function; what becomes of the request changes nothing.
  std::function<ApiRequest(const Error&)> amends;
};

struct Env;
class Snapshot;

struct Plan {
  // What the server said to each write, in their order.
  using Answers = std::vector<Result<ApiResponse>>;

  std::vector<PlannedWrite> writes;
  std::vector<EventNote> events;  // recorded after all writes succeeded
  std::optional<Duration> requeue_after;
  // The plan that follows from the answers. With it no error ends this plan: each write is sent, and what an error means
  // is for the next plan to say, as it is when to look again.
  std::function<Plan(const Snapshot& snapshot, Env& env, const Answers& answers)> then;

  static Plan done() { return {}; }
  bool empty() const { return writes.empty() && events.empty() && !requeue_after && !then; }

  PlannedWrite& create(KindId kind, Value object);
  // The object as read, changed; its resourceVersion is the precondition.
  PlannedWrite& update(KindId kind, Value object);
  PlannedWrite& update_status(KindId kind, Value object);
  PlannedWrite& patch(KindId kind, const ObjectKey& key, PatchType type, Value patch,
                      std::string subresource = {});
  // Deletes this very object (uid precondition), tolerating that it is gone.
  PlannedWrite& remove(KindId kind, const Value& object,
                       PropagationPolicy propagation = PropagationPolicy::kUnset);
  PlannedWrite& create_subresource(KindId kind, const ObjectKey& key, std::string subresource,
                                   Value body);
  void note(const Value& regarding, std::string type, std::string reason, std::string message);
  // Look again no later than this.
  void look_again_after(Duration delay);
};

}  // namespace minik::control
