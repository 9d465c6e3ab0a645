#include "sim/component.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/controller_manager.h"
#include "sim/scenario.h"

namespace minik::sim {

std::string Component::user() const {
  return is_single_controller() ? cat("system:controller:", name) : cat("system:", name);
}

std::optional<Component> component_named(std::string_view name) {
  for (const auto& component : {Component::kControllers, Component::kScheduler}) {
    if (component.name == name) return component;
  }
  for (const auto& controller : control::controller_names()) {
    if (controller == name || controller == cat(name, "-controller")) return Component{controller};
  }
  return {};
}

std::string known_components() {
  return cat("controllers, scheduler or one controller: ", join(control::controller_names(), ", "));
}

namespace {

void add(std::string_view name, std::set<Component>& into) {
  const auto component = component_named(name);
  if (component && component->is_single_controller()) into.insert(*component);
}

void add(const Trigger& trigger, std::set<Component>& into) {
  add(trigger.write.component, into);
  add(trigger.before.component, into);
}

void add(const Fault& fault, std::set<Component>& into) {
  if (const auto* component = std::get_if<ComponentFault>(&fault.kind)) add(component->component.name, into);
  if (const auto* link = std::get_if<LinkFault>(&fault.kind)) {
    for (const auto& name : link->components) add(name, into);
  }
}

}  // namespace

std::set<Component> controllers_apart(const Scenario& scenario) {
  std::set<Component> apart;
  for (const auto& action : scenario.timeline) {
    add(action.trigger, apart);
    if (const auto* restart = std::get_if<RestartAction>(&action.what)) add(restart->component.name, apart);
    if (const auto* inject = std::get_if<InjectAction>(&action.what)) add(inject->fault, apart);
  }
  for (const auto& rule : scenario.faults) {
    add(rule.trigger, apart);
    add(rule.fault, apart);
  }
  return apart;
}

}  // namespace minik::sim
