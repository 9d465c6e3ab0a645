// Controller and ControllerRunner: the loop around a pure decision.
//
//   informers --changes--> keys_for() --> WorkQueue --> decide(snapshot, key, env) --> Plan -->
//   Client
//                                            ^                                                    |
//                                            +------- back-off, Conflict, requeue_after ----------+
//
// A controller is a value: its name, what it watches, which keys a change concerns, and its
// decision. The runner owns the queue, sends the plan's writes one after another (independent ones
// together, with a slow start), and decides what an error means: Conflict, NotFound of the object
// itself and transport errors retry with back-off; Invalid and Forbidden also become a Warning
// event; a plan without error forgets the key's failures. A plan that waits for answers (Plan::then)
// goes on with the plan that they lead to, as the same reconcile.
//
// One reconcile of a key runs at a time; up to `concurrency` keys wait for their writes at once,
// which is what Kubernetes' workers are. After a plan has written, the key is not decided again
// before the caches have seen those writes (the runner waits for the written revisions of the kinds
// that it watches), so a decision never acts twice on one lack; where the cache is slower than 30 s
// the runner goes on and the controllers' deterministic names and expectations of their own must
// hold.
//
// Control thread only. May be destroyed at any moment, as a crash does.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/metrics.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/client/event_recorder.h"
#include "control/client/informer.h"
#include "control/client/plan.h"
#include "control/client/snapshot.h"
#include "control/client/work_queue.h"

namespace minik::control {

// Values and streams that a decision may use; no services.
struct Env {
  WallTime now;
  Rng& rng;
};

// Appends the keys to look at because of this change. Old and new are as in ChangeHandler; the
// snapshot already has the new one.
using KeysForChange = std::function<void(const Snapshot& snapshot, const Value& before,
                                         const Value& after, std::vector<ObjectKey>& keys)>;

struct WatchedKind {
  KindId kind;
  KeysForChange keys_for;  // none: read only, changes wake nobody
  // Indexes that the decision needs, beside kByController which every kind has.
  std::vector<std::pair<std::string, IndexFunction>> indexes;
  std::vector<std::pair<std::string, TallyFunction>> tallies = {};
  bool by_labels = false;  // the decision selects by labels
  // Views that the decision keeps beside the cache.
  std::vector<std::pair<std::string_view, std::function<std::unique_ptr<CacheView>()>>> views = {};

  void declare_in(ObjectCache& cache) const;
};

struct ControllerSpec {
  std::string name;  // "replicaset-controller": the source of its events, the label of its metrics
  KindId kind;       // the kind whose keys are reconciled
  std::vector<WatchedKind> watches;
  std::function<Plan(const Snapshot&, const ObjectKey&, Env&)> decide;
  int concurrency = 5;
};

// The key of the changed object itself.
KeysForChange own_key();
// The key of the owner that controls the changed object, when the owner is of this kind name.
KeysForChange owner_key(std::string owner_kind);

class ControllerRunner {
 public:
  ControllerRunner(ControllerSpec spec, Executor& executor, Client& client, InformerSet& informers,
                   EventRecorder& events, MetricRegistry& metrics, Rng rng);
  ~ControllerRunner();
  ControllerRunner(const ControllerRunner&) = delete;
  ControllerRunner& operator=(const ControllerRunner&) = delete;

  // Begins when the informers have synced.
  void start();
  void enqueue(const ObjectKey& key);
  bool idle() const;
  const std::string& name() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minik::control
