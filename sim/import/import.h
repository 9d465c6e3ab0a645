// From production: what a real cluster exports becomes a scenario, so that a rollout can be rehearsed before it
// happens.
//
//   nodes                  --> pools               (pools.h)
//   workloads              --> manifests           (manifests.h)
//   pods, Events, metrics  --> images' behaviour   (images.h)
//   audit log, node Events --> timeline            (history.h)
//
// The scenario begins with the manifests; what happened follows, at its offsets, when the workloads have had time to
// come up. It expects that what was whole becomes whole again. What cannot be carried over is said in words. Bytes
// from outside: errors name file and line. Pure functions, values only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik::sim {

struct ImportText {
  std::string name;  // as errors call it
  std::string text;
};

struct ImportSources {
  ImportText objects;
  std::optional<ImportText> audit, events;
  std::string scenario_name = "imported";
};

struct ImportedScenario {
  std::string yaml;                // a file, with the notes at its head
  std::vector<std::string> notes;  // what is not carried over
  size_t pools = 0, machines = 0, manifests = 0, images = 0, actions = 0;
};

Result<ImportedScenario> import_scenario(const ImportSources& sources);

}  // namespace minik::sim
