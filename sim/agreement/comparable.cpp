#include "sim/agreement/comparable.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/schema.h"
#include "sim/scenario/reader.h"

namespace minik::sim {

namespace {

constexpr std::string_view kActions = "apply, setImage, scale, patch, delete, cordon, uncordon, drain, restart";
constexpr std::string_view kFaults = "crashContainers, stopApi, registryOutage";

void find_images(const control::Value& value, std::set<std::string>& into) {
  for (const auto& item : value.items()) find_images(item, into);
  for (const auto& [key, item] : value.entries()) {
    if (key.text() == "image" && item.is_string()) into.insert(item.string());
    find_images(item, into);
  }
}

Error refusal(const std::string& place, std::string_view what) { return Error(ErrorCode::kBadRequest, cat(place, ": ", what)); }

class Translation {
 public:
  Translation(const Reader& reader, Scenario scenario, int64_t speed)
      : reader_(reader), scenario_(std::move(scenario)), speed_(speed), rng_(Rng(scenario_.seed).fork("agreement")) {}

  Result<Comparable> both() {
    MINIK_TRY(machines());
    MINIK_TRY(images());
    const Duration duration = faster(scenario_.duration);
    scenario_.duration = duration;
    for (auto& action : scenario_.timeline) {
      MINIK_TRY(moment(action.trigger, action.place));
      const bool is_workload = &action == scenario_.timeline.data() && action.place == reader_.place("spec.workloads");
      if (!is_workload) action.trigger.at = faster(action.trigger.at);
      MINIK_TRY(std::visit([&](auto& what) { return check(action, what); }, action.what));
      deeds_.push_back(action);
      if (is_workload) deeds_.back().trigger.at = action.trigger.at = {};
    }
    for (auto& rule : scenario_.faults) {
      MINIK_TRY(moment(rule.trigger, rule.place));
      rule.trigger.at = faster(rule.trigger.at);
      MINIK_TRY(check_fault(rule.fault, rule.place));
      Action deed;
      deed.trigger = rule.trigger;
      deed.text = rule.fault.text;
      deed.place = rule.place;
      deed.what = InjectAction{rule.fault};
      deeds_.push_back(std::move(deed));
    }
    MINIK_TRY(registries());
    boot_first();
    whole_process();
    std::ranges::stable_sort(deeds_, {}, [](const Action& deed) { return deed.trigger.at; });
    return Comparable{std::move(scenario_), std::move(deeds_), duration};
  }

 private:
  Duration faster(Duration length) const { return Duration{length.ns / speed_}; }

  Status machines() const {
    int64_t count = 0;
    for (const auto& pool : scenario_.pools) count += pool.count;
    if (count == 1) return {};
    return reader_.error("spec.nodes", cat("a real cluster of minik has one node, this scenario ", count, "; compare it with `count: 1`"));
  }

  // Of the demo server, under the images' names.
  Status images() {
    for (size_t i = 0; i < scenario_.images.size(); ++i) {
      ImageBehaviour& image = scenario_.images[i];
      const std::pair<bool, std::string_view> unknown[] = {
          {!image.start_error.empty(), "startError"},
          {image.ignores_sigterm, "ignoresSigterm"},
          {image.crash_at_start > 0 || image.crash_after.has_value(), "crash"},
          {image.memory_growth_bytes > 0 || image.memory_per_request_bytes > 0, "uses"},
          {image.load_milli_cpu > 0 || image.load_requests > 0, "load"},
          {image.capacity_requests > 0, "capacity"},
          {!image.lists.empty(), "asks"},
          {image.needs_dns || !image.needs_service.empty(), "needs"}};
      for (const auto& [is_set, field] : unknown) {
        if (!is_set) continue;
        return reader_.error(cat("spec.images[", i, "].", field),
                             "no real image behaves so; ready, neverReady, missing, exitAfter and exitCode can be compared");
      }
      image.ready = Distribution::fixed(faster(image.ready.draw(rng_)));
      if (image.exit_after) image.exit_after = Distribution::fixed(faster(image.exit_after->draw(rng_)));
    }
    return {};
  }

  static Status moment(const Trigger& trigger, const std::string& place) {
    if (trigger.when == Trigger::When::kRandom) return refusal(place, "`random` strikes at other moments in each world; give it `at`");
    if (trigger.when != Trigger::When::kAt) return refusal(place, "`when` comes at a moment of its own in each world; give it `at`");
    if (trigger.in_runs != 1'000'000) return refusal(place, "`inRuns` draws whether it happens at all; leave it out");
    return {};
  }

  // The real node agent asks the real registry for what it does not have.
  Status registries() const {
    const auto images = images_of(deeds_);
    const auto refuse = [&](const std::string& place, std::string_view image) {
      return refusal(place, cat("image ", quoted(image), " would be asked of a real registry; name one on this machine, such as 127.0.0.1:1/", image));
    };
    const auto is_here = [](std::string_view image) { return image.starts_with("127.0.0.1:") || image.starts_with("localhost:"); };
    for (const auto& image : images) {
      if (is_here(image)) continue;
      if (behaviour_of(scenario_, image).missing) return refuse(reader_.place("spec.images"), image);
      for (const auto& deed : deeds_) {
        const auto* inject = std::get_if<InjectAction>(&deed.what);
        const auto* registry = inject ? std::get_if<RegistryFault>(&inject->fault.kind) : nullptr;
        if (registry && matches_pattern(registry->match, image)) return refuse(deed.place, image);
      }
    }
    return {};
  }

  // With one machine it is what they all mean, but for pods that run on it at that moment.
  static Status all_nodes(const NodeChoice& nodes, const Action& action) {
    if (!nodes.runs) return {};
    return refusal(action.place, cat("`runs` chooses machines, and there is one; write `", action.text, ": all`"));
  }

  static Status check(const Action& action, const ApplyAction& what) {
    for (const auto& object : what.objects) {
      const auto kind = object[control::keys::kKind].as_string();
      if (control::Schema::builtin().find_kind(object[control::keys::kApiVersion].as_string(), kind)) continue;
      return refusal(action.place, cat("kinds that a scenario defines, as ", kind, ", cannot be compared"));
    }
    return {};
  }
  static Status check(const Action&, const PatchAction&) { return {}; }
  static Status check(const Action&, const DeleteAction&) { return {}; }
  static Status check(const Action& action, const CordonAction& what) { return all_nodes(what.nodes, action); }
  Status check(const Action& action, DrainAction& what) const {
    if (what.timeout) what.timeout = faster(*what.timeout);
    return all_nodes(what.nodes, action);
  }
  static Status check(const Action&, const RestartAction&) { return {}; }
  Status check(const Action& action, InjectAction& what) { return check_fault(what.fault, action.place); }
  template <typename Other>
  static Status check(const Action& action, const Other&) {
    return refusal(action.place, cat(action.text, " cannot be done to a real cluster; what can be compared is ", kActions,
                                     " and the faults ", kFaults));
  }

  Status check_fault(Fault& fault, const std::string& place) {
    if (fault.lasts) fault.lasts = Distribution::fixed(faster(fault.lasts->draw(rng_)));
    if (const auto* pods = std::get_if<PodFault>(&fault.kind); pods && pods->what == PodFault::What::kCrash) {
      if (pods->pods.count == 0 && pods->pods.node.empty() && pods->pods.container.empty()) return {};
      return refusal(place, "crashContainers can be compared of all containers of a namespace and labelSelector: count, node "
                            "and container draw or name what is different in both");
    }
    const auto* api = std::get_if<ApiFault>(&fault.kind);
    const bool is_known = (api && api->what == ApiFault::What::kStop) ||
                          (std::holds_alternative<RegistryFault>(fault.kind) && std::get<RegistryFault>(fault.kind).pulls_per_minute == 0);
    if (is_known) {
      if (fault.lasts) return {};
      return refusal(place, cat(fault.text, " needs `for` to be compared: how long it lasts; in the timeline faults have none, in `faults` they do"));
    }
    return refusal(place, cat(fault.text, " cannot be done to a real cluster, which is one machine and one process; faults that can be compared are ", kFaults));
  }

  // The real machine runs when its story begins; the simulated one boots before it.
  void boot_first() {
    constexpr Duration kBoot = seconds(5);
    scenario_.duration = scenario_.duration + kBoot;
    for (auto& action : scenario_.timeline) action.trigger.at = action.trigger.at + kBoot;
    for (auto& rule : scenario_.faults) rule.trigger.at = rule.trigger.at + kBoot;
  }

  // What takes the API server or a component takes all that is in its process.
  void whole_process() {
    std::vector<FaultRule> more;
    const auto take_with_it = [&](const Trigger& trigger, const std::optional<Distribution>& lasts, const std::string& place) {
      const auto add = [&](FaultKind kind, std::string_view text) {
        more.push_back({"", trigger, {std::move(kind), std::string(text), lasts}, place});
      };
      NodeFault agents;
      agents.what = NodeFault::What::kStopKubelet;
      add(agents, "stopKubelets");
      for (const auto& component : {Component::kControllers, Component::kScheduler}) {
        ComponentFault away;
        away.component = component;
        add(away, "crashComponent");
      }
    };
    for (const auto& rule : scenario_.faults) {
      if (std::holds_alternative<ApiFault>(rule.fault.kind)) take_with_it(rule.trigger, rule.fault.lasts, rule.place);
    }
    constexpr Duration kRestart = seconds(1);
    std::erase_if(scenario_.timeline, [&](const Action& action) {
      if (!std::holds_alternative<RestartAction>(action.what)) return false;
      take_with_it(action.trigger, Distribution::fixed(kRestart), action.place);
      more.push_back({"", action.trigger, {ApiFault{}, "stopApi", Distribution::fixed(kRestart)}, action.place});
      return true;
    });
    scenario_.faults.insert(scenario_.faults.end(), more.begin(), more.end());
  }

  const Reader& reader_;
  Scenario scenario_;
  const int64_t speed_;
  Rng rng_;
  std::vector<Action> deeds_;
};

}  // namespace

Result<Comparable> comparable(Scenario scenario, std::string_view text, std::string_view file, int64_t speed) {
  MINIK_ASSIGN(const auto documents, control::parse_yaml(text, file));
  const Reader reader(documents[0], std::string(file));
  return Translation(reader, std::move(scenario), speed).both();
}

std::set<std::string> images_of(const std::vector<Action>& deeds) {
  std::set<std::string> images;
  for (const auto& deed : deeds) {
    if (const auto* apply = std::get_if<ApplyAction>(&deed.what)) {
      for (const auto& object : apply->objects) find_images(object, images);
    }
    if (const auto* patch = std::get_if<PatchAction>(&deed.what)) find_images(patch->patch, images);
  }
  return images;
}

const ImageBehaviour& behaviour_of(const Scenario& scenario, std::string_view image) {
  static const ImageBehaviour usual;
  const auto found = std::ranges::find_if(scenario.images, [&](const ImageBehaviour& one) { return matches_pattern(one.match, image); });
  return found == scenario.images.end() ? usual : *found;
}

}  // namespace minik::sim
