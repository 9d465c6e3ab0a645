// Fault: what can go wrong in a simulated cluster, as data. A scenario's file, `inject` and a shrunk scenario
// speak of the same values; FaultInjector (fault_injector.h) brings them about and takes them back.
//
// Each fault lasts until it is ended: after its `for`, or when the faults' phase is over and everything heals.
// Those that are over in an instant (a container's crash, a clock's jump) end by themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "sim/component.h"
#include "sim/selection.h"
#include "sim/transport.h"
#include "sim/trigger.h"
#include "sim/webhooks.h"

namespace minik::sim {

struct NodeFault {
  enum class What : uint8_t {
    kCrash,        // power off; when it ends the machine boots
    kFreeze,       // nothing on the machine moves; when it ends it goes on where it was
    kSlow,         // everything takes `factor` times as long
    kClockJump,    // its clock jumps by `by`, at once and for good
    kStopKubelet,  // containers go on without the agent
    kPartition,    // its link to the API is cut
    kFillDisk,     // DiskPressure; nothing can be pulled or made
    kSlowDisk,     // pulls and starts take `factor` times as long
  };
  enum class Cut : uint8_t { kBoth, kRequests, kAnswers };  // of a partition: which way nothing passes
  What what = What::kCrash;
  NodeChoice nodes;
  int64_t factor = 10;
  Duration by;
  Cut cut = Cut::kBoth;
};

struct PodFault {
  enum class What : uint8_t {
    kCrash,       // one of its containers ends with `exit_code`
    kOom,         // it is killed for its memory
    kHang,        // it answers no request and no signal until it is killed; its port takes connections
    kFailProbes,  // its probes fail; it works on
  };
  What what = What::kCrash;
  PodChoice pods;
  int exit_code = 1;
};

// Trouble on the links of components, credentials that have expired among it: a component by its name, "nodes", or a
// node's name.
struct LinkFault {
  std::vector<std::string> components;
  LinkFaults trouble;
};

struct ApiFault {
  enum class What : uint8_t {
    kStop,               // it does not run; when it ends it starts anew
    kSlow,               // each request waits
    kErrors,             // so many of a million requests fail with `code`
    kThrottle,           // more requests a second than `rate` get 429
    kExpireWatches,      // watches end, and their revisions are forgotten
    kExpireCertificate,  // its own certificate has expired: nobody new connects
  };
  What what = What::kStop;
  Distribution latency;
  uint32_t chance = 0;
  int code = 500;
  int64_t rate = 0;
  int retry_after_seconds = 1;
};

struct StoreFault {
  enum class What : uint8_t {
    kPowerLoss,  // what has not reached the disk is gone, and the control plane with it
    kFull,       // nothing more can be written
    kSlow,       // each commit takes so long
  };
  What what = What::kPowerLoss;
  Distribution latency;
};

struct ComponentFault {
  enum class What : uint8_t {
    kCrash,       // it is away until the fault ends
    kCrashOften,  // it dies around so many of a million writes, and is back after `down`
    kLoseLeader,  // the leader dies, and another takes over when the lease has run out
    kTwoLeaders,  // another takes over while the old one still believes; what the old one writes arrives at the end
  };
  What what = What::kCrash;
  Component component = Component::kControllers;
  uint32_t chance = 0;
  Distribution down{Duration{}, seconds(5)};
};

struct RegistryFault {
  std::string match = "*";
  // Pulls that may begin a minute, over all nodes; 0: the registry does not answer.
  int64_t pulls_per_minute = 0;
};

struct DnsFault {};

// Admission webhooks whose names match.
struct WebhookFault {
  WebhookTrouble trouble;
};

// A namespace's quota is used up, as by others who take at once whatever comes free: a ResourceQuota that leaves nothing
// of `resources` is there until the fault ends.
struct QuotaFault {
  std::string namespace_ = "default";
  std::set<std::string> resources{"pods"};
};

using FaultKind = std::variant<NodeFault, PodFault, LinkFault, ApiFault, StoreFault, ComponentFault, RegistryFault,
                               DnsFault, WebhookFault, QuotaFault>;

struct Fault {
  FaultKind kind;
  std::string text;  // as the file names it: "crashNodes"
  // Ends after this long; without, when everything heals.
  std::optional<Distribution> lasts;
};

// One that a scenario has waiting.
struct FaultRule {
  std::string name;
  Trigger trigger;
  Fault fault;
  std::string place;  // file:line
};

}  // namespace minik::sim
