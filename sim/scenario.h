// Scenario: what a simulated run is made of, as a file says it: machines, workloads, images' behaviour, a timeline
// of actions, faults, and what must hold.
//
//   apiVersion: minik.dev/v1alpha1
//   kind: Scenario
//
// Strict: an unknown or missing field, a wrong type or a bad value is an error with file:line. The format
// is described in scenarios/README.md, and as JSON Schema in scenario_schema.h. Plain values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"
#include "sim/action.h"
#include "sim/chance_window.h"
#include "sim/custom_kinds.h"
#include "sim/fault.h"
#include "sim/image_behaviour.h"
#include "sim/node_pool.h"
#include "sim/predicate.h"

namespace minik::sim {

struct Expectation {
  enum class Must : uint8_t {
    kWithin,  // hold at some moment between `after` and `after + time`
    kAlways,  // hold at every moment from `after` on
    kNever,   // hold at no moment from `after` on
    kStable,  // come to hold, and then hold without a break for `time`
  };
  std::string name;
  Must must = Must::kWithin;
  Duration after, time;
  std::optional<Duration> deadline;  // of kStable, after `after`: by when the time has passed
  Predicate predicate;
  std::string place;  // file:line

  std::string text() const { return name.empty() ? "expectation at " + place : name; }
};

// After the timeline everything is healed, and all must come to rest.
struct Convergence {
  Duration within = minutes(15);
  // What may stay as it is, by kind and name ("Deployment default/batch").
  std::vector<ObjectReference> except;
};

struct Scenario {
  std::string name, description, source;
  uint64_t seed = 0;
  Duration duration = minutes(10);
  std::vector<NodePool> pools;
  std::vector<ImageBehaviour> images;
  std::vector<Action> timeline;  // workloads are the first of it
  std::vector<FaultRule> faults;
  std::vector<Expectation> expectations;
  std::optional<Convergence> convergence;
  Duration node_grace = seconds(50);
  int64_t api_objects_per_second = 0;      // see ClusterOptions
  std::optional<Duration> names_cached;
  std::vector<CustomDefinition> definitions;  // of custom kinds, in the order of the file
  ChanceWindow chance;
};

struct ScenarioFiles {
  // The text of a file that a scenario names, relative to it; "-" is standard input. Without it such names are
  // refused.
  std::function<Result<std::string>(const std::string& path)> read;
};

Result<Scenario> parse_scenario(std::string_view text, std::string_view file_name, const ScenarioFiles& files = {});
// What a timeline or a list of faults has, written without a moment: one or a list of them, with the same strictness.
// With the scenario that runs, its machines, images and custom kinds are known, and others are refused.
Result<std::vector<Action>> parse_actions(std::string_view text, std::string_view file_name, const Scenario* running = nullptr);

}  // namespace minik::sim
