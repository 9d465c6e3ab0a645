#include "sim/agreement/comparable.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/schema.h"
#include "sim/agreement/pod_templates.h"
#include "sim/scenario/reader.h"

namespace minik::sim {

namespace {

constexpr std::string_view kActions = "apply, setImage, scale, patch, delete, cordon, uncordon, drain, restart";
constexpr std::string_view kFaults =
    "crashContainers, oomContainers, hangContainers, failProbes, stopApi, stopKubelets, crashComponent, registryOutage, exhaustQuota";
// Of a crash right after the start.
constexpr Duration kAtStart = milliseconds(100);
constexpr uint32_t kAlways = 1'000'000;  // of a million
constexpr size_t kStrikesMax = 100;
constexpr int64_t kTakenMax = 1LL << 30;  // of the real machine, by one container

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
    MINIK_TRY(actions());
    MINIK_TRY(faults());
    const Duration duration = faster(scenario_.duration);
    scenario_.duration = duration;
    MINIK_TRY(probes());
    MINIK_TRY(struck_pods());
    MINIK_TRY(growth());
    MINIK_TRY(registries());
    boot_first();
    whole_process();
    std::ranges::stable_sort(deeds_, {}, [](const Action& deed) { return deed.trigger.at; });
    return Comparable{std::move(scenario_), std::move(deeds_), duration};
  }

 private:
  Status actions() {
    std::vector<Action> all;
    for (auto& action : std::exchange(scenario_.timeline, {})) {
      if (!happens(action.trigger)) continue;
      MINIK_TRY(moment(action.trigger, action.place));
      const bool is_workload = all.empty() && action.place == reader_.place("spec.workloads");
      if (!is_workload) faster(action.trigger);
      MINIK_TRY(std::visit([&](auto& what) { return check(action, what); }, action.what));
      deeds_.push_back(action);
      if (is_workload) deeds_.back().trigger.at = action.trigger.at = {};
      all.push_back(std::move(action));
    }
    scenario_.timeline = std::move(all);
    return {};
  }

  Status faults() {
    std::vector<FaultRule> all;
    for (const auto& rule : std::exchange(scenario_.faults, {})) {
      if (!happens(rule.trigger)) continue;
      MINIK_ASSIGN(auto strikes, strikes_of(rule));
      for (auto& strike : strikes) {
        MINIK_TRY(moment(strike.trigger, strike.place));
        faster(strike.trigger);
        MINIK_TRY(check_fault(strike.fault, strike.place));
        Action deed;
        deed.trigger = strike.trigger;
        deed.text = strike.fault.text;
        deed.place = strike.place;
        deed.what = InjectAction{strike.fault};
        deeds_.push_back(std::move(deed));
        all.push_back(std::move(strike));
      }
    }
    scenario_.faults = std::move(all);
    return {};
  }

  // What `inRuns` says is drawn once for both worlds.
  bool happens(const Trigger& trigger) { return trigger.in_runs == kAlways || rng_.chance_ppm(trigger.in_runs); }

  // So are the moments of what strikes at random.
  Result<std::vector<FaultRule>> strikes_of(const FaultRule& rule) {
    if (rule.trigger.when != Trigger::When::kRandom) return std::vector<FaultRule>{rule};
    std::vector<FaultRule> strikes;
    const auto next = [&](Duration from) { return from + rule.trigger.interval.draw(rng_); };
    for (Duration at = next(rule.trigger.at); at < scenario_.duration; at = next(at)) {
      if (strikes.size() == kStrikesMax) {
        return refusal(rule.place, cat("strikes more than ", kStrikesMax, " times; make `every` longer"));
      }
      FaultRule& strike = strikes.emplace_back(rule);
      strike.trigger = {};
      strike.trigger.at = at;
    }
    return strikes;
  }

  void faster(Trigger& trigger) const {
    trigger.in_runs = kAlways;
    trigger.at = faster(trigger.at);
    trigger.delay = faster(trigger.delay);
  }
  Duration faster(Duration length) const { return Duration{length.ns / speed_}; }

  Status machines() {
    int64_t count = 0;
    for (auto& pool : scenario_.pools) {
      count += pool.count;
      pool.eviction_hard.clear();  // a laptop's memory and disk evict nobody
    }
    if (count == 1) return {};
    return reader_.error("spec.nodes", cat("a real cluster of minik has one node, this scenario ", count, "; compare it with `count: 1`"));
  }

  // Of the demo server, under the images' names.
  Status images() {
    for (size_t i = 0; i < scenario_.images.size(); ++i) {
      ImageBehaviour& image = scenario_.images[i];
      const std::string at = cat("spec.images[", i, "].");
      const std::pair<bool, std::string_view> unknown[] = {
          {image.load_milli_cpu > 0 || image.load_requests > 0, "load"},
          {image.capacity_requests > 0, "capacity"},
          {!image.lists.empty(), "asks"},
          {image.needs_dns || !image.needs_service.empty(), "needs"}};
      for (const auto& [is_set, field] : unknown) {
        if (!is_set) continue;
        return reader_.error(at + std::string(field),
                             "no real image behaves so; ready, neverReady, stop, ignoresSigterm, missing, startError, exitAfter, "
                             "exitCode, crash and uses of memory and disk can be compared");
      }
      const bool uses_more = image.milli_cpu > 0 || image.cpu_per_request > Duration{} || image.memory_per_request_bytes > 0 ||
                             image.log_growth_bytes.max > 0 || image.volume_growth_bytes.max > 0;
      if (uses_more) {
        return reader_.error(at + "uses", "memory, memoryGrowthPerSecond, disk and diskGrowthPerSecond can be compared, all else is not used up "
                                          "for real");
      }
      if (image.memory_bytes > kTakenMax) {
        return reader_.error(at + "uses.memory", "would be taken for real; it can be compared up to 1Gi");
      }
      if (image.disk_bytes.max > kTakenMax) {
        return reader_.error(at + "uses.disk", "would be written for real; it can be compared up to 1Gi");
      }
      for (auto* const spread : {&image.disk_bytes, &image.disk_growth_bytes}) spread->min = spread->max = spread->draw(rng_);
      if (image.crash_at_start > 0 && image.crash_at_start < kAlways) {
        return reader_.error(at + "crash.atStart", "a share of the starts is other starts in each world; 100% can be compared");
      }
      if (image.exit_after && (image.crash_after || image.crash_at_start > 0)) {
        return reader_.error(at + "crash", "beside exitAfter cannot be compared: which of them comes first is drawn for each container");
      }
      image.ready = Distribution::fixed(faster(image.ready.draw(rng_)));
      image.stop = Distribution::fixed(faster(image.stop.draw(rng_)));
      if (image.exit_after) image.exit_after = Distribution::fixed(faster(image.exit_after->draw(rng_)));
      if (image.crash_after) image.crash_after = Distribution::fixed(faster(image.crash_after->draw(rng_)));
      if (std::exchange(image.crash_at_start, 0) > 0) image.crash_after = Distribution::fixed(kAtStart);
    }
    return {};
  }

  Status moment(const Trigger& trigger, const std::string& place) const {
    using When = Trigger::When;
    if (trigger.when == When::kWrite || trigger.when == When::kBetween) {
      return refusal(place, "a single write is seen in the simulator only; wait for what comes of it, with `when: {object: …}`, "
                            "`count` or `list`, or give it `at`");
    }
    if (trigger.when != When::kBecomes) return {};
    const Predicate& awaited = *trigger.predicate;
    if (awaited.metric) {
      return refusal(place, "a metric counts other things in each world; wait for an `object`, a `count` or a `list`");
    }
    if (is_custom(awaited.selection ? awaited.selection->kind : awaited.object->id)) {
      return refusal(place, "kinds that a scenario defines cannot be compared");
    }
    return {};
  }
  static bool is_custom(control::KindId kind) { return control::Schema::builtin().resources().size() <= kind.value; }

  // The demo server stands for every image in the real world, and it speaks HTTP alone.
  Status probes() const {
    for (const auto& deed : deeds_) {
      for (const auto& pods : pod_templates({deed})) {
        if (const auto mistaken = probe_of_another(pods.spec); !mistaken.empty()) {
          return refusal(deed.place, cat(pods.owner, ": ", mistaken));
        }
        if (!probes_over_tls_or_grpc(pods.spec)) continue;
        return refusal(deed.place, cat(pods.owner, " has probes over HTTPS or gRPC, which the demo server does not answer; "
                                                   "ask it by httpGet with scheme HTTP"));
      }
    }
    return {};
  }

  // Of pods that a fault chooses.
  Status struck_pods() const {
    for (const auto& deed : deeds_) {
      const auto* inject = std::get_if<InjectAction>(&deed.what);
      const auto* fault = inject ? std::get_if<PodFault>(&inject->fault.kind) : nullptr;
      if (!fault) continue;
      const auto chosen = chosen_by(fault->pods, pod_templates(deeds_));
      if (fault->pods.count > 0 && chosen.size() != 1) {
        return refusal(deed.place, cat(deed.text, " draws `count` pods, which are others in each world unless one object makes them all; "
                                                  "namespace and labelSelector choose those of ", chosen.size()));
      }
      for (const auto& pods : chosen) {
        if (fault->what == PodFault::What::kOom && !without_memory_limit(pods.spec).empty()) {
          return refusal(deed.place, cat("oomContainers takes memory for real, until the limit of the container: ", pods.owner,
                                         " has none for ", join(without_memory_limit(pods.spec), ", ")));
        }
        if (fault->what != PodFault::What::kFailProbes) continue;
        if (!probes_only_by_http(pods.spec)) {
          return refusal(deed.place, cat("failProbes has the demo server answer 503, which only httpGet notices; ", pods.owner,
                                         " has other probes"));
        }
        if (has_probe(pods.spec, "livenessProbe") || has_probe(pods.spec, "startupProbe")) {
          return refusal(deed.place, cat("failProbes holds in the container that is struck and not in the next one, which the "
                                         "livenessProbe or startupProbe of ", pods.owner, " would bring; `hangContainers` can be compared"));
        }
      }
    }
    return {};
  }

  // What grows needs an end.
  Status growth() const {
    for (size_t i = 0; i < scenario_.images.size(); ++i) {
      const ImageBehaviour& image = scenario_.images[i];
      if (image.memory_growth_bytes > 0) MINIK_TRY(is_limited(image, "memory", cat("spec.images[", i, "].uses.memoryGrowthPerSecond")));
      if (image.disk_growth_bytes.max > 0) MINIK_TRY(is_limited(image, "ephemeral-storage", cat("spec.images[", i, "].uses.diskGrowthPerSecond")));
    }
    return {};
  }

  Status is_limited(const ImageBehaviour& image, std::string_view resource, const std::string& at) const {
    for (const auto& pods : pod_templates(deeds_)) {
      for (const auto& container : pods.spec[control::keys::kContainers].items()) {
        if (&behaviour_of(scenario_, container[control::keys::kImage].as_string()) != &image) continue;
        const auto limit = control::Quantity::of_value(container[control::keys::kResources][control::keys::kLimits].get(resource)).units();
        if (limit > 0 && limit <= kTakenMax) continue;
        return reader_.error(at, cat("is taken for real, until the container's limit of ", resource, ", which may be 1Gi: ", pods.owner, " has ",
                                     limit > 0 ? "more" : "none", " for ", container[control::keys::kName].as_string()));
      }
    }
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

  static Status check(const Action& action, ApplyAction& what) {
    for (auto& object : what.objects) {
      const auto kind = object[control::keys::kKind].as_string();
      if (kind.ends_with("WebhookConfiguration") || kind == "APIService") {
        return refusal(action.place, cat("a server of the real cluster would have to answer for this ", kind, ", and the simulator asks none: compare without it"));
      }
      if (control::Schema::builtin().find_kind(object[control::keys::kApiVersion].as_string(), kind)) {
        object = with_own_ports(object);
        continue;
      }
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
    if (const auto* pods = std::get_if<PodFault>(&fault.kind)) {
      if (pods->pods.node.empty() && pods->pods.container.empty()) return {};
      return refusal(place, cat(fault.text, " can be compared of all containers of the pods that namespace and labelSelector choose: the "
                                            "node has another name in each world, and a request to a pod reaches whichever of its containers "
                                            "listens"));
    }
    if (const auto* agents = std::get_if<NodeFault>(&fault.kind); agents && ends_the_process(fault) && agents->nodes.runs) {
      return refusal(place, "`runs` chooses machines, and there is one; write `stopKubelets: all`");
    }
    const auto* registry = std::get_if<RegistryFault>(&fault.kind);
    const bool is_quota = std::holds_alternative<QuotaFault>(fault.kind);
    if (is_quota || ends_the_process(fault) || (registry && registry->pulls_per_minute == 0)) {
      if (fault.lasts) return {};
      return refusal(place, cat(fault.text, " needs `for` to be compared: how long it lasts; in the timeline faults have none, in `faults` they do"));
    }
    return refusal(place, cat(fault.text, " cannot be done to a real cluster, which is one machine and one process; faults that can be compared are ", kFaults));
  }

  static bool ends_the_process(const Fault& fault) {
    if (const auto* api = std::get_if<ApiFault>(&fault.kind)) return api->what == ApiFault::What::kStop;
    if (const auto* agents = std::get_if<NodeFault>(&fault.kind)) return agents->what == NodeFault::What::kStopKubelet;
    const auto* component = std::get_if<ComponentFault>(&fault.kind);
    return component && component->what == ComponentFault::What::kCrash;
  }

  // The real machine runs when its story begins; the simulated one boots before it.
  void boot_first() {
    constexpr Duration kBoot = seconds(5);
    scenario_.duration = scenario_.duration + kBoot;
    for (auto& action : scenario_.timeline) action.trigger.at = action.trigger.at + kBoot;
    for (auto& rule : scenario_.faults) rule.trigger.at = rule.trigger.at + kBoot;
  }

  // What takes the API server, the node agent or a component takes all that is in its process.
  void whole_process() {
    std::vector<FaultRule> all;
    const auto end = [&](const Trigger& trigger, const std::optional<Distribution>& lasts, const std::string& place) {
      const auto add = [&](FaultKind kind, std::string_view text) {
        all.push_back({"", trigger, {std::move(kind), std::string(text), lasts}, place});
      };
      add(ApiFault{}, "stopApi");
      NodeFault agents;
      agents.what = NodeFault::What::kStopKubelet;
      add(agents, "stopKubelets");
      for (const auto& component : {Component::kControllers, Component::kScheduler}) {
        ComponentFault away;
        away.component = component;
        add(away, "crashComponent");
      }
    };
    for (auto& rule : scenario_.faults) {
      if (ends_the_process(rule.fault)) {
        end(rule.trigger, rule.fault.lasts, rule.place);
      } else {
        all.push_back(std::move(rule));
      }
    }
    constexpr Duration kRestart = seconds(1);
    std::erase_if(scenario_.timeline, [&](const Action& action) {
      if (!std::holds_alternative<RestartAction>(action.what)) return false;
      end(action.trigger, Distribution::fixed(kRestart), action.place);
      return true;
    });
    scenario_.faults = std::move(all);
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
