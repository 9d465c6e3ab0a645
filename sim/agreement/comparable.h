// What of a scenario a real cluster can be made to go through as well, so that both worlds can be compared.
//
// The real cluster is one machine whose node agent, API server, controllers and scheduler are one process: a fault of one
// of them is the end of that process, and so it is in the simulator when it is compared. Whatever is drawn (how long an
// image takes, when and how often something strikes at random, how long it lasts) is drawn here, once for both. Moments that
// wait for a state of objects come when each world has it. Everything else is refused with its line: machines that a laptop
// does not have, moments between two writes, behaviour that the demo server cannot show.
//
// Plain values and a pure function.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario.h"

namespace minik::sim {

struct Comparable {
  Scenario scenario;          // as the simulator runs it, later by the five seconds in which its machine boots
  // For the real cluster, in the order of their moments, those that wait for a state among the first; faults are InjectActions.
  std::vector<Action> deeds;
  Duration duration;          // of the real one's story
};

// `speed`: moments and lengths of the scenario come so many times as fast, in both worlds. What Kubernetes itself waits
// for (probes, back-offs, graces) takes its time.
// `text` and `file` are where the scenario was read from.
Result<Comparable> comparable(Scenario scenario, std::string_view text, std::string_view file, int64_t speed);

// Every image that its deeds speak of.
std::set<std::string> images_of(const std::vector<Action>& deeds);
// An image of the scenario, as `comparable` gives it back: the first whose pattern matches.
const ImageBehaviour& behaviour_of(const Scenario& scenario, std::string_view image);

}  // namespace minik::sim
