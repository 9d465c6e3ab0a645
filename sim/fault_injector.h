// FaultInjector: brings faults (fault.h) about in a cluster, and takes them back.
//
// Faults may overlap: what a machine, a link or a server suffers is the sum of all faults under way, and is put right
// only when the last of them ends. Which nodes and pods are struck is drawn once, when the fault begins.
//
//   begin(fault) --for--> end
//                `------- end_all(), startNodes, healNodes
//
// Owned by a run; control thread only. A fault that cannot strike (no such node, nothing running) is told as such.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cluster.h"
#include "sim/fault.h"
#include "sim/leader_leases.h"

namespace minik::sim {

inline constexpr std::string_view kExhaustedQuota = "exhausted";
// The ResourceQuota that leaves nothing of these resources.
control::Value exhausted_quota(const std::string& namespace_, const std::set<std::string>& resources);

// The nodes that a choice means at this moment, sorted by name; an error names what is not there.
Result<std::vector<std::string>> choose_nodes(const SimulatedCluster& cluster, const NodeChoice& choice, Rng& rng,
                                              const std::function<bool(const std::string&)>& candidate);

class FaultInjector {
 public:
  struct Listener {
    std::function<void(const std::string& what)> note;     // "crashNodes node-3"
    std::function<void(const std::string& what, const std::string& why)> failed;
  };
  FaultInjector(SimulatedCluster& cluster, Rng rng, Listener listener)
      : cluster_(cluster),
        rng_(rng),
        listener_(std::move(listener)),
        leases_(cluster.executor(), rng.fork("leases"), [this](const Component& component) { leader_changed(component); }) {}

  using Id = uint64_t;
  // It ends after its time, if it has one. 0: it could not begin, or was over at once.
  Id begin(const Fault& fault);
  void end(Id id);
  void end_all();
  // Takes these nodes out of every crash (partition) that is under way.
  void start_nodes(const std::vector<std::string>& names);
  void heal_nodes(const std::vector<std::string>& names);

  struct Active {
    Fault fault;
    std::vector<std::string> nodes;                         // struck ones
    std::vector<std::pair<std::string, std::string>> pods;  // node and uid
    Instant since;
  };
  const std::map<Id, Active>& active() const { return active_; }

 private:
  bool strike(const NodeFault& fault, Active& active);
  bool strike(const PodFault& fault, Active& active);
  bool strike(const LinkFault& fault, Active& active);
  bool strike(const ApiFault& fault, Active& active);
  bool strike(const StoreFault& fault, Active& active);
  bool strike(const ComponentFault& fault, Active& active);
  bool strike(const RegistryFault& fault, Active& active);
  bool strike(const DnsFault& fault, Active& active);
  bool strike(const WebhookFault& fault, Active& active);
  bool strike(const QuotaFault& fault, Active& active);
  void refuse(const Active& active, const std::string& why);

  // Puts what this fault touches into the state that all active faults together ask for.
  void settle(const Active& changed);
  void settle_node(const std::string& name);
  void settle_links();
  void settle_server();
  void settle_components();
  void leader_changed(const Component& component);
  void settle_surroundings();
  // Level by level: what is stored is compared with what should be, again and again until both agree.
  void settle_quotas();
  template <typename Kind, typename Visit>
  void each(Visit visit) const;

  SimulatedCluster& cluster_;
  Rng rng_;
  Listener listener_;
  std::map<Id, Active> active_;
  Id next_ = 1;
  bool api_stopped_ = false, store_full_ = false, quotas_unsettled_ = false;
  bool server_renews_ = true;  // whose lease it may be
  LeaderLeases leases_;
  std::set<Component> crashed_;  // by faults under way
  std::vector<std::string> troubled_nodes_;  // by link faults
};

}  // namespace minik::sim
