// The parts of a scenario file, each read by one function from the mapping at this path.
#pragma once

#include "sim/scenario.h"
#include "sim/scenario/reader.h"

namespace minik::sim {

Result<NodePool> read_pool(const Reader& r, const control::Value& v, const std::string& at);
Result<ImageBehaviour> read_image(const Reader& r, const control::Value& v, const std::string& at);

Result<Action> read_action(const Reader& r, const control::Value& v, const std::string& at, const ScenarioFiles& files);
// Manifests that a scenario brings along: an object, a list of them, or {file: path}.
Result<std::vector<control::Value>> read_manifests(const Reader& r, const control::Value& v, const std::string& at,
                                                   const ScenarioFiles& files);

// The names of all faults, as fields of an item of spec.faults.
const std::vector<std::string_view>& fault_names();
// Whether it lasts until it is ended; else it is over in an instant.
bool fault_lasts(std::string_view name);
struct DrawnWorld;
// What stands under the name of a fault that is drawn; see fault_draws.h.
control::Value draw_fault(std::string_view name, DrawnWorld& world);
Result<Fault> read_fault(const Reader& r, const control::Value& v, const std::string& at, std::string_view name);
Result<FaultRule> read_fault_rule(const Reader& r, const control::Value& v, const std::string& at);

// `at`, `when` and `after`, `random`, `inRuns` of an action or fault.
inline constexpr std::string_view kTriggerFields[] = {"at", "when", "after"};
Result<Trigger> read_trigger(const Reader& r, const control::Value& v, const std::string& at);

// `object`, `count`, `list` or `metric` with `matches` or `cel`.
Result<Predicate> read_predicate(const Reader& r, const control::Value& v, const std::string& at);
Result<Expectation> read_expectation(const Reader& r, const control::Value& v, const std::string& at);
Result<Convergence> read_convergence(const Reader& r, const control::Value& v, const std::string& at);

}  // namespace minik::sim
