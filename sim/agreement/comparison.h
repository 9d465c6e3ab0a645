// Do two worlds agree? Field by field, and in the order of what happened.
//
// For each object, or group of objects with drawn names, and each path: the values that stood there one after the
// other must be the same; for a group, of as many members each. And where one world says that a change came in an
// earlier state than another one, the other must not say the reverse; changes that one world made at once have no
// order. Of containers that restart again and again, the shorter history must be the beginning of the longer,
// and what their last end left behind is there in both or in neither; but one that never ended is not the beginning of
// one that did.
#pragma once

#include <string>
#include <vector>

#include "sim/agreement/history.h"

namespace minik::sim {

struct Disagreement {
  std::string object, path;
  std::string real, simulated;
};

std::vector<Disagreement> disagreements(const WorldHistory& real, const WorldHistory& simulated);

}  // namespace minik::sim
