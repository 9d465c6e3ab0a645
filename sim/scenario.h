// Scenario: what a simulated run is made of, as a file says it: machines, images' behaviour, a timeline of
// actions and what must hold.
//
//   apiVersion: minik.dev/v1alpha1
//   kind: Scenario
//
// Strict: an unknown or missing field, a wrong type or a bad value is an error with file:line. The format
// is described in scenarios/README.md. Plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/cel/program.h"
#include "control/object/value.h"
#include "sim/cluster.h"

namespace minik::sim {

struct ObjectReference {
  std::string kind, namespace_ = "default", name;
  control::KindId id;
};

struct Action {
  enum class What : uint8_t { kApply, kSetImage, kScale, kDelete, kCrashNodes, kStartNodes, kPartitionNodes,
                              kHealNodes, kRestartControllers, kRestartScheduler };
  Duration at;
  What what = What::kApply;
  std::vector<control::Value> objects;  // kApply
  ObjectReference target;               // kSetImage, kScale, kDelete
  std::string container, image;
  int64_t replicas = 0;
  // Nodes by name, or so many drawn by the seed among those that run; for kStartNodes and kHealNodes an
  // empty choice means all.
  std::vector<std::string> nodes;
  int64_t count = 0;
  std::string text;  // as the report names it
};

struct Expectation {
  std::string name;
  // At some moment between `after` and `after + within`; without a bound: at every moment from `after` on.
  Duration after;
  std::optional<Duration> within;
  // An object that has this part…
  std::optional<ObjectReference> object;
  control::Value matches;
  // …or a number of objects…
  std::optional<control::KindId> selected_kind;
  std::string namespace_, label_selector, field_selector, condition;
  std::optional<int64_t> equals, at_least, at_most;
  // …or an expression over the variable `object` (null when it is not there) or, over all selected ones,
  // `objects`.
  std::optional<control::cel::Program> expression;
  std::string place;  // file:line
};

struct Scenario {
  std::string name, description;
  uint64_t seed = 0;
  Duration duration = minutes(10);
  std::vector<NodePool> pools;
  std::vector<ImageBehaviour> images;
  std::vector<Action> timeline;
  std::vector<Expectation> expectations;
  Duration node_grace = seconds(50);
};

Result<Scenario> parse_scenario(std::string_view text, std::string_view file_name);

// What a timeline does, written without `at`: one action or a list of them, with the same strictness.
Result<std::vector<Action>> parse_actions(std::string_view text, std::string_view file_name);

// Every field of `part` is there and equal; lists match item by item as far as the part's list goes.
bool contains_part(const control::Value& whole, const control::Value& part);

}  // namespace minik::sim
