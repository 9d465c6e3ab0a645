// The garbage collector: nothing owned outlives its owner.
//
// Watches every kind that can be deleted, also those that are defined while it runs. An object whose owners are all gone is deleted; an owner
// that is being deleted in the foreground waits for the dependents that block it; an owner deleted
// with "orphan" leaves its dependents without it. An owner that no cache knows is asked for at the
// API before anything is deleted: a cache may be behind, the API is not.
//
// Does not: reach owners in other namespaces (they count as absent, as in Kubernetes). Control
// thread only.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/client/controller.h"
#include "control/schema/schema.h"

namespace minik::control {

class GarbageCollector {
 public:
  GarbageCollector(const Schema& schema, Executor& executor, Client& client, InformerSet& informers,
                   EventRecorder& events);
  ~GarbageCollector();
  GarbageCollector(const GarbageCollector&) = delete;
  GarbageCollector& operator=(const GarbageCollector&) = delete;

  void start();
  // The kinds it watches: all that can be listed, watched and deleted, but Events, which own nothing, are owned by
  // nothing and are many.
  static std::vector<KindId> kinds_of(const Schema& schema);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minik::control
