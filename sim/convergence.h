// Convergence: what in a cluster has not come to rest, in words. After the faults of a run everything is healed, and
// by a deadline this must be nothing.
//
// At rest are: nodes that are Ready; workloads whose controller has seen their last change and whose pods are all
// updated and available; Jobs that have ended or run with all that they may; claims that are bound or wait for their
// first pod; namespaces and other objects that are not on their way out; pods that are Ready, or have ended. A container
// that has been restarted may end again: it is at rest when it has run for longer than it did before, or for a minute;
// after its second restart while somebody looks for ten minutes, as long as a kubelet remembers its back-off.
// Not looked at: custom resources, Services without endpoints, and whether what runs is what somebody meant.
//
// Owned by a run, which looks every virtual second and takes nothing for rest that does not last.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/base/time.h"
#include "control/store/store.h"
#include "sim/selection.h"

namespace minik::sim {

class ConvergenceJudge {
 public:
  explicit ConvergenceJudge(std::vector<ObjectReference> except) : except_(std::move(except)) {}

  // One sentence for each object that is not at rest, workloads first: "Deployment default/web: 7 of 10 replicas are
  // available". Pods whose owner is named already are not named again, up to a few that say why.
  std::vector<std::string> pending(const control::Store& store, Instant now);

 private:
  class Look;
  struct Restarts {
    int64_t count = 0;
    Instant last;
    int64_t seen = 0;  // of them since the first look
  };

  std::vector<ObjectReference> except_;
  std::map<std::string, Restarts> restarts_;  // by pod uid and container, of those that have any
  bool has_looked_ = false;
};

}  // namespace minik::sim
