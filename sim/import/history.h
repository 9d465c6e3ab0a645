// From what happened in a real cluster to a scenario's timeline: the writes of its users, by the audit log
// (audit.k8s.io/v1, a line of JSON each), and the nodes that were lost, by Events.
//
// Users are people and their tools; what the control plane and node agents write, simulated ones will write
// themselves. Each action has the wall time at which it was; who puts them into a scenario makes offsets of it.
// Pure functions; what cannot be carried over is said in the notes.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"
#include "control/object/value.h"
#include "sim/import/notes.h"

namespace minik::sim {

struct PastAction {
  WallTime at;
  control::Value action;  // {setImage: …}, without `at`
  std::string object;     // "Deployment shop/web"; empty: it is about machines
  bool creates = false;   // the object was not there before
};

// `machine_of` as in ImportedPools. Errors name the line.
Result<std::vector<PastAction>> user_writes(std::string_view audit_log, std::string_view name,
                                            const std::map<std::string, std::string>& machine_of, Notes& notes);

// A lost node is cut off, one that rebooted crashes; what was still lost when `nodes` were exported stays so.
std::vector<PastAction> node_losses(const std::vector<control::Value>& events, const std::vector<control::Value>& nodes,
                                    const std::map<std::string, std::string>& machine_of, Duration grace, Notes& notes);

// When an Event was last seen.
std::optional<WallTime> time_of_event(const control::Value& event);

}  // namespace minik::sim
