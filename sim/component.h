// Component: a process of the control plane by its name: all controllers, the scheduler, or a single controller, which
// then runs beside the others as a process of its own, with its own link, caches and lease. Which controllers
// do so is known before a run begins, from what its scenario names; whatever does not name one runs as it always did.
//
// A single controller is called as its Events are signed ("deployment-controller"); "-controller" may be left out.
// Plain values.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace minik::sim {

struct Component {
  std::string name;

  static const Component kControllers, kScheduler;

  bool is_scheduler() const { return *this == kScheduler; }
  // Neither all of them nor the scheduler.
  bool is_single_controller() const { return !is_scheduler() && *this != kControllers; }
  // All controllers stand for each of them.
  bool includes(const Component& other) const { return *this == other || (*this == kControllers && !other.is_scheduler()); }
  // What the API server and the trace call it.
  std::string user() const;
  auto operator<=>(const Component&) const = default;
};

inline const Component Component::kControllers{"controllers"};
inline const Component Component::kScheduler{"scheduler"};

// Nothing for a name that no component has.
std::optional<Component> component_named(std::string_view name);
// "controllers, scheduler or one of …", for messages.
std::string known_components();

struct Scenario;
// The single controllers that the scenario's faults, actions and triggers name.
std::set<Component> controllers_apart(const Scenario& scenario);

}  // namespace minik::sim
