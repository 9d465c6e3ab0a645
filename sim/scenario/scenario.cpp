#include "sim/scenario.h"

#include <algorithm>
#include <set>

#include "control/base/typo.h"
#include "control/object/keys.h"
#include "sim/scenario/manifest_fields.h"
#include "sim/scenario/parts.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

constexpr Duration kDurationMax = hours(24 * 3660);

// Of a file that cannot be read nothing is known; whoever reads its manifests complains.
void find_in_manifests(const Value& manifests, const ScenarioFiles& files, std::vector<CustomDefinition>& into) {
  if (manifests.is_array()) {
    for (const auto& item : manifests.items()) find_in_manifests(item, files, into);
    return;
  }
  if (!manifests.contains("file") || !files.read) return find_definitions(manifests, into);
  const auto text = files.read(manifests.get("file").string());
  const auto documents = text ? control::parse_yaml(*text, "") : Result<std::vector<control::YamlDocument>>(text.error());
  if (!documents) return;
  for (const auto& document : *documents) find_definitions(document.value, into);
}

// All that is applied at some time: kinds may be named before the definition that a later entry brings.
std::vector<CustomDefinition> definitions_in(const Value& spec, const ScenarioFiles& files) {
  std::vector<CustomDefinition> found;
  find_in_manifests(spec.get("workloads"), files, found);
  for (const auto& entry : spec.get("timeline").items()) find_in_manifests(entry.get("apply"), files, found);
  return found;
}

// A setImage of a container that its object has not would give it one more.
Status check_containers(const Scenario& s) {
  for (const auto& action : s.timeline) {
    const auto* patch = action.text == "setImage" ? std::get_if<PatchAction>(&action.what) : nullptr;
    if (!patch) continue;
    std::set<std::string> known;
    for (const auto& other : s.timeline) {
      const auto* apply = std::get_if<ApplyAction>(&other.what);
      if (!apply) continue;
      for (const auto& object : apply->objects) {
        if (object[keys::kKind].as_string() != patch->target.kind || control::object_name(object) != patch->target.name) continue;
        if (object[keys::kMetadata][keys::kNamespace].as_string("default") != patch->target.namespace_) continue;
        for (const auto& container : object[keys::kSpec][keys::kTemplate][keys::kSpec][keys::kContainers].items()) {
          known.insert(container[keys::kName].string());
        }
      }
    }
    const Value& changed = patch->patch[keys::kSpec][keys::kTemplate][keys::kSpec][keys::kContainers].items()[0];
    const std::string name = changed[keys::kName].string();
    if (known.empty() || known.contains(name)) continue;
    return Error(ErrorCode::kBadRequest, cat(action.place, ": setImage: ", patch->target.text(), " has no container ", quoted(name),
                                             perhaps(name, known), "; it has ", join({known.begin(), known.end()}, ", ")));
  }
  return {};
}

// What has its moment after the end never happens, and what is never looked at always holds.
Status check_moments(const Scenario& s) {
  const auto too_late = [&](const std::string& place, std::string_view what, Duration at) -> Status {
    if (at < s.duration) return {};
    return Error(ErrorCode::kBadRequest, cat(place, ": ", what, " is not before the end at spec.duration, ", format_duration(s.duration),
                                             ": make that longer, or this earlier"));
  };
  for (const auto& action : s.timeline) MINIK_TRY(too_late(action.place, cat(action.text, " at ", format_duration(action.trigger.at)), action.trigger.at));
  for (const auto& rule : s.faults) MINIK_TRY(too_late(rule.place, cat(rule.fault.text, " from ", format_duration(rule.trigger.at)), rule.trigger.at));
  const Duration end = s.duration + (s.convergence ? s.convergence->within : Duration{});
  for (const auto& expectation : s.expectations) {
    if (expectation.after < end) continue;
    MINIK_TRY(too_late(expectation.place, cat("after ", format_duration(expectation.after)), expectation.after));
  }
  return {};
}

std::vector<std::string> patterns_of(const std::vector<ImageBehaviour>& images) {
  std::vector<std::string> patterns;
  for (const auto& image : images) patterns.push_back(image.match);
  return patterns;
}

// Seeds are 64 bits; a number in YAML is one less.
Result<uint64_t> read_seed(const Reader& r, const Value& spec) {
  const Value& value = spec.get("seed");
  if (!value.has_value()) return uint64_t{0};
  const auto seed = value.is_int() && value.as_int() >= 0 ? std::optional(static_cast<uint64_t>(value.as_int())) : parse_uint64(value.as_string());
  if (!seed) return r.error("spec.seed", "must be a whole number from 0 to 18446744073709551615; from 9223372036854775808 on write it in quotes");
  return *seed;
}

// Where in this file an object stands that is applied; the action's place where it comes from another file.
std::string place_of(const Reader& r, const Value& spec, const Value& object, const Action& action) {
  const auto find_in = [&](const Value& manifests, const std::string& at) -> std::string {
    if (manifests == object) return r.place(at);
    const auto items = manifests.items();
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i] == object) return r.place(cat(at, "[", i, "]"));
    }
    return "";
  };
  if (auto place = find_in(spec.get("workloads"), "spec.workloads"); !place.empty()) return place;
  const auto entries = spec.get("timeline").items();
  for (size_t i = 0; i < entries.size(); ++i) {
    if (auto place = find_in(entries[i].get("apply"), cat("spec.timeline[", i, "].apply")); !place.empty()) return place;
  }
  return action.place;
}

// What the API server will refuse for what it says alone. What is applied again may leave out what is there already.
Status check_objects(const Reader& r, const Value& spec, const Scenario& s) {
  const auto& builtin = control::Schema::builtin();
  std::set<std::string> seen;
  for (const auto& action : s.timeline) {
    const auto* apply = std::get_if<ApplyAction>(&action.what);
    if (!apply) continue;
    for (const auto& object : apply->objects) {
      const auto* resource = builtin.find_kind(object[keys::kApiVersion].as_string(), object[keys::kKind].as_string());
      if (!resource) continue;
      const std::string space(resource->namespaced ? object[keys::kMetadata][keys::kNamespace].as_string("default") : "");
      if (!seen.insert(cat(resource->kind, " ", space, "/", control::object_name(object))).second) continue;
      if (const auto refusal = refusal_of(*resource, object)) {
        return Error(ErrorCode::kBadRequest, cat(place_of(r, spec, object, action), ": ", *refusal));
      }
    }
  }
  return {};
}

Status read_spec(Reader& r, const Value& spec, const ScenarioFiles& files, Scenario& s) {
  MINIK_TRY(r.only(spec, "spec", {"seed", "duration", "nodes", "images", "workloads", "timeline", "faults", "convergence",
                                  "expect", "nodeMonitorGracePeriod", "chance", "apiServer", "dns"}));
  MINIK_ASSIGN(s.seed, read_seed(r, spec));
  MINIK_ASSIGN(s.duration, r.duration(spec, "spec", "duration", s.duration));
  if (s.duration > kDurationMax) return r.error("spec.duration", "is more than ten years");
  MINIK_ASSIGN(s.node_grace, r.duration(spec, "spec", "nodeMonitorGracePeriod", s.node_grace));
  if (spec.contains("apiServer")) {
    MINIK_TRY(r.only(spec.get("apiServer"), "spec.apiServer", {"objectsPerSecond"}));
    MINIK_ASSIGN(s.api_objects_per_second, r.number(spec.get("apiServer"), "spec.apiServer", "objectsPerSecond", 0, 1, 1'000'000'000));
  }
  if (spec.contains("dns")) {
    MINIK_TRY(r.only(spec.get("dns"), "spec.dns", {"cachedFor"}));
    MINIK_ASSIGN(s.names_cached, r.duration(spec.get("dns"), "spec.dns", "cachedFor", seconds(30)));
  }
  if (spec.contains("chance")) {
    MINIK_TRY(r.only(spec.get("chance"), "spec.chance", {"from", "until"}));
    MINIK_ASSIGN(const auto from, r.duration(spec.get("chance"), "spec.chance", "from", {}));
    MINIK_ASSIGN(const auto until, r.duration(spec.get("chance"), "spec.chance", "until", Duration{s.chance.until.ns}));
    s.chance = {Instant{from.ns}, Instant{until.ns}};
  }
  MINIK_TRY(read_list(r, spec.get("nodes"), "spec.nodes", s.pools,
                      [&](const Value& v, const std::string& at) { return read_pool(r, v, at); }));
  r.know_pools(s.pools);
  s.definitions = definitions_in(spec, files);
  r.know_definitions(s.definitions);
  MINIK_TRY(read_list(r, spec.get("images"), "spec.images", s.images,
                      [&](const Value& v, const std::string& at) { return read_image(r, v, at); }));
  r.know_images(patterns_of(s.images));
  if (spec.contains("workloads")) {
    Action workloads;
    workloads.text = "apply";
    workloads.place = r.place("spec.workloads");
    workloads.trigger.at = seconds(5);  // the machines have booted by then
    ApplyAction apply;
    MINIK_ASSIGN(apply.objects, read_manifests(r, spec.get("workloads"), "spec.workloads", files));
    workloads.what = std::move(apply);
    s.timeline.push_back(std::move(workloads));
  }
  MINIK_TRY(read_list(r, spec.get("timeline"), "spec.timeline", s.timeline,
                      [&](const Value& v, const std::string& at) -> Result<Action> {
                        MINIK_ASSIGN(auto action, read_action(r, v, at, files));
                        if (!v.contains("at") && !v.contains("when")) return r.error(at, "needs `at: 2m` or `when`: the moment at which it happens");
                        return action;
                      }));
  MINIK_TRY(check_containers(s));
  MINIK_TRY(check_objects(r, spec, s));
  MINIK_TRY(read_list(r, spec.get("faults"), "spec.faults", s.faults,
                      [&](const Value& v, const std::string& at) -> Result<FaultRule> {
                        MINIK_ASSIGN(auto rule, read_fault_rule(r, v, at));
                        if (!v.contains("at") && !v.contains("when") && !v.contains("random")) {
                          return r.error(at, "needs `at: 2m`, `when` or `random`: the moments at which it strikes");
                        }
                        return rule;
                      }));
  MINIK_TRY(read_list(r, spec.get("expect"), "spec.expect", s.expectations,
                      [&](const Value& v, const std::string& at) { return read_expectation(r, v, at); }));
  const bool none = spec.get("convergence").as_string() == "none";
  if (spec.contains("convergence") && !none) {
    MINIK_ASSIGN(s.convergence, read_convergence(r, spec.get("convergence"), "spec.convergence"));
  } else if (!s.faults.empty() && !none) {
    s.convergence.emplace();
  }
  return check_moments(s);
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, std::string_view file_name, const ScenarioFiles& files) {
  MINIK_ASSIGN(const auto documents, control::parse_yaml(text, file_name));
  if (documents.size() != 1) {
    return Error(ErrorCode::kBadRequest, cat(file_name, ": a scenario file holds one document, this one ", documents.size()));
  }
  Reader r(documents[0], std::string(file_name));
  const Value& root = documents[0].value;
  MINIK_TRY(r.only(root, "", {"apiVersion", "kind", "metadata", "spec"}));
  if (root.get("apiVersion").as_string() != "minik.dev/v1alpha1" || root.get("kind").as_string() != "Scenario") {
    return r.error("apiVersion", "must be minik.dev/v1alpha1 with kind Scenario");
  }
  Scenario s;
  MINIK_TRY(r.only(root.get("metadata"), "metadata", {"name", "description", "source"}));
  MINIK_ASSIGN(s.name, r.text(root.get("metadata"), "metadata", "name", ""));
  MINIK_ASSIGN(s.description, r.text(root.get("metadata"), "metadata", "description", ""));
  MINIK_ASSIGN(s.source, r.text(root.get("metadata"), "metadata", "source", ""));
  if (s.name.empty()) return r.error("metadata", "needs a name");
  MINIK_TRY(read_spec(r, root.get("spec"), files, s));
  if (s.pools.empty()) return r.error("spec", "needs nodes");
  return s;
}

namespace {

// A fault may say how long it lasts.
Result<Action> read_action_of_now(const Reader& r, const Value& v, const std::string& at) {
  if (!v.is_map()) return r.error(at, "must be an action or a fault such as crashNodes: {count: 3}");
  for (const auto name : {"at", "when", "random"}) {
    if (v.contains(name)) return r.error(Reader::child(at, name), cat("it happens now: leave `", name, "` out"));
  }
  const bool is_fault = std::ranges::any_of(v.entries(), [](const control::MapEntry& entry) {
    return std::ranges::find(fault_names(), entry.key.text()) != fault_names().end();
  });
  if (!is_fault) {
    auto action = read_action(r, v.without("for"), at, {});
    if (action && v.contains("for")) return r.error(Reader::child(at, "for"), "stands beside a fault; an action does not last");
    return action;
  }
  MINIK_ASSIGN(auto rule, read_fault_rule(r, v, at));
  Action action;
  action.text = rule.fault.text;
  action.place = rule.place;
  action.what = InjectAction{std::move(rule.fault)};
  return action;
}

}  // namespace

Result<std::vector<Action>> parse_actions(std::string_view text, std::string_view file_name, const Scenario* running) {
  MINIK_ASSIGN(const auto documents, control::parse_yaml(text, file_name));
  std::vector<Action> actions;
  for (const auto& document : documents) {
    Reader r(document, std::string(file_name));
    if (running) {
      r.know_pools(running->pools);
      r.know_definitions(running->definitions);
      r.know_images(patterns_of(running->images));
    }
    const auto read = [&](const Value& v, const std::string& at) { return read_action_of_now(r, v, at); };
    if (document.value.is_array()) {
      MINIK_TRY(read_list(r, document.value, "", actions, read));
    } else {
      MINIK_ASSIGN(auto action, read(document.value, ""));
      actions.push_back(std::move(action));
    }
  }
  if (actions.empty()) return Error(ErrorCode::kBadRequest, cat(file_name, ": there is no action"));
  return actions;
}

}  // namespace minik::sim
