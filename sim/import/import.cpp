#include "sim/import/import.h"

#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/yaml.h"
#include "sim/import/history.h"
#include "sim/import/images.h"
#include "sim/import/manifests.h"
#include "sim/import/pools.h"
#include "sim/scenario/manifest_fields.h"

namespace minik::sim {

namespace keys = control::keys;
using control::MapBuilder;
using control::Value;

namespace {

constexpr Duration kPrepared = seconds(5);   // machines have booted: namespaces and what bounds them
constexpr Duration kApplied = seconds(6);    // all else
constexpr Duration kSettled = minutes(5);    // workloads have come up: from here on, what happened
constexpr Duration kAfterwards = minutes(10);
constexpr Duration kSpanMax = hours(24 * 31);
constexpr Duration kGrace = seconds(50);

std::string offset(Duration duration) { return format_duration(milliseconds(duration.milliseconds())); }

struct Sorted {
  std::vector<Value> nodes, manifests, whole;
  Observations seen;
};

Sorted sorted(std::vector<Value> objects, Notes& notes) {
  Sorted result;
  for (auto& object : objects) {
    const std::string kind = object[keys::kKind].string();
    if (kind == "Node") result.nodes.push_back(object);
    if (kind == "Pod") result.seen.pods.push_back(object);
    if (kind == "Event") result.seen.events.push_back(object);
    if (kind == "PodMetrics") result.seen.pod_metrics.push_back(object);
    if (makes_itself(object)) continue;
    auto manifest = manifest_of(object, notes);
    if (!manifest) continue;
    result.manifests.push_back(*std::move(manifest));
    if (kind == "Deployment" || kind == "StatefulSet") result.whole.push_back(object);
  }
  sort_for_creation(result.manifests);
  return result;
}

// When the objects were exported: the latest moment that any of them speaks of.
WallTime time_of_export(const Sorted& objects) {
  WallTime latest{};
  const auto see = [&](const Value& text) {
    if (const auto time = text.is_string() ? parse_time(text.as_string()) : std::nullopt) latest = std::max(latest, *time);
  };
  for (const auto& node : objects.nodes) {
    for (const auto& condition : node[keys::kStatus][keys::kConditions].items()) see(condition[keys::kLastHeartbeatTime]);
  }
  for (const auto& pod : objects.seen.pods) {
    see(pod[keys::kMetadata][keys::kCreationTimestamp]);
    for (const auto& condition : pod[keys::kStatus][keys::kConditions].items()) see(condition[keys::kLastTransitionTime]);
  }
  for (const auto& event : objects.seen.events) {
    if (const auto time = time_of_event(event)) latest = std::max(latest, *time);
  }
  return latest;
}

Value timed(Duration at, const Value& action) {
  MapBuilder builder(action);
  builder.set("at", offset(at));
  return std::move(builder).build();
}

// What had all its replicas has them again.
Value expectation(const Value& object) {
  const Value& replicas = object[keys::kSpec][keys::kReplicas];
  if (!replicas.is_int() || replicas.as_int() == 0 || object[keys::kStatus][keys::kReadyReplicas] != replicas) return {};
  return Value::map({{"name", cat(title_of(object), " is whole")},
                     {"within", offset(kSettled)},
                     {"object", Value::map({{"kind", object[keys::kKind]},
                                            {"namespace", Value(control::object_namespace(object))},
                                            {"name", object[keys::kMetadata][keys::kName]}})},
                     {"matches", Value::map({{"status", Value::map({{"readyReplicas", replicas}})}})}});
}

Status add_history(const ImportSources& sources, const Sorted& objects, const ImportedPools& pools, Notes& notes,
                   std::vector<PastAction>& history) {
  if (sources.audit) {
    MINIK_ASSIGN(history, user_writes(sources.audit->text, sources.audit->name, pools.machine_of, notes));
  }
  auto losses = node_losses(objects.seen.events, objects.nodes, pools.machine_of, kGrace, notes);
  history.insert(history.end(), losses.begin(), losses.end());
  std::ranges::stable_sort(history, {}, &PastAction::at);
  for (auto& past : history) past.action = with_machine_names(past.action, pools, notes);
  return {};
}

// What is not there before the history makes it. A Namespace is: its objects may have other makers.
std::set<std::string> made_by(const std::vector<PastAction>& history) {
  std::set<std::string> seen, made;
  for (const auto& past : history) {
    if (seen.insert(past.object).second && past.creates && !past.object.starts_with("Namespace ")) made.insert(past.object);
  }
  return made;
}

// What a scenario may apply. Another API server took these objects, of another version and with other plugins.
class Applied {
 public:
  explicit Applied(Notes& notes) : notes_(notes) {}

  bool has(const Value& object) const { return titles_.contains(title(object)); }
  // What is there already may be applied in part.
  bool take(const Value& object) {
    const auto* resource = resource_of(object);
    const auto refusal = resource && !has(object) ? refusal_of(*resource, object) : std::nullopt;
    if (refusal) {
      notes_.add(cat("what the simulated API server does not take is left out (", *refusal, ")"), title_of(object));
    } else {
      titles_.insert(title(object));
    }
    return !refusal;
  }

 private:
  static std::string title(const Value& object) {
    const auto* resource = resource_of(object);
    const bool namespaced = resource && resource->namespaced;
    return cat(object[keys::kKind].as_string(), " ", namespaced ? object[keys::kMetadata][keys::kNamespace].as_string("default") : "", "/",
               control::object_name(object));
  }

  Notes& notes_;
  std::set<std::string> titles_;
};

}  // namespace

Result<ImportedScenario> import_scenario(const ImportSources& sources) {
  Notes notes;
  MINIK_ASSIGN(auto read, read_objects(sources.objects.text, sources.objects.name));
  if (sources.events) {
    MINIK_ASSIGN(const auto events, read_objects(sources.events->text, sources.events->name));
    std::ranges::copy_if(events, std::back_inserter(read), [](const Value& object) { return object[keys::kKind].as_string() == "Event"; });
  }
  const Sorted objects = sorted(std::move(read), notes);
  if (objects.nodes.empty()) {
    return Error(ErrorCode::kBadRequest, cat(sources.objects.name, ": there is no Node among the objects: export them too, as "
                                             "with kubectl get nodes,pods,deployments,… -A -o yaml"));
  }
  const ImportedPools pools = pools_of(objects.nodes, notes);
  const auto images = image_behaviours(objects.seen, time_of_export(objects), notes);
  std::vector<PastAction> history;
  MINIK_TRY(add_history(sources, objects, pools, notes, history));

  std::vector<Value> timeline;
  const auto add_nodes = [&](std::string_view what, const std::vector<std::string>& machines) {
    if (machines.empty()) return;
    const std::vector<Value> names(machines.begin(), machines.end());
    timeline.push_back(Value::map({{"at", offset(kApplied)}, {control::Key(what), Value::map({{"names", Value::array(names)}})}}));
  };
  add_nodes("cordon", pools.cordoned);
  const std::set<std::string> made_later = made_by(history);
  Applied applied(notes);
  size_t manifests = 0;
  // What is applied together is sent together, and must not overtake the namespace that it is in.
  std::vector<Value> before, after;
  for (const auto& manifest : objects.manifests) {
    if (made_later.contains(title_of(manifest)) || !applied.take(manifest)) continue;
    (is_created_first(manifest) ? before : after).push_back(with_machine_names(manifest, pools, notes));
    ++manifests;
  }
  if (!before.empty()) timeline.push_back(timed(kPrepared, Value::map({{"apply", Value::array(std::move(before))}})));
  if (!after.empty()) timeline.push_back(timed(kApplied, Value::map({{"apply", Value::array(std::move(after))}})));
  Duration end = kSettled;
  for (const auto& past : history) {
    const Duration since = past.at - history.front().at;
    if (since < Duration{} || since > kSpanMax) {
      notes.add(cat("what happened more than ", offset(kSpanMax), " after the first action is left out"));
      continue;
    }
    if (const Value& object = past.action.get("apply"); object.is_map() && !applied.take(object)) continue;
    end = kSettled + since;
    timeline.push_back(timed(end, past.action));
  }
  std::vector<Value> expectations;
  for (const auto& object : objects.whole) {
    if (made_later.contains(title_of(object)) || !applied.has(object)) continue;
    if (Value e = expectation(object); e.has_value()) expectations.push_back(std::move(e));
  }
  ImportedScenario result;
  result.notes = notes.lines();
  result.pools = pools.pools.size();
  result.machines = pools.machine_of.size();
  result.manifests = manifests;
  result.images = images.size();
  result.actions = history.size();
  const Value scenario =
      Value::map({{"apiVersion", "minik.dev/v1alpha1"},
                  {"kind", "Scenario"},
                  {"metadata", Value::map({{"name", sources.scenario_name},
                                           {"description", cat("Imported from ", sources.objects.name)}})},
                  {"spec", Value::map({{"duration", offset(end + kAfterwards)},
                                       {"nodes", Value::array(pools.pools)},
                                       {"images", images.empty() ? Value() : Value::array(images)},
                                       {"timeline", timeline.empty() ? Value() : Value::array(std::move(timeline))},
                                       {"expect", expectations.empty() ? Value() : Value::array(std::move(expectations))}})}});
  if (!result.notes.empty()) result.yaml = "# What is not as it was:\n";
  for (const auto& note : result.notes) {
    std::string line = note;
    // A name from outside must not end the comment.
    std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    result.yaml += cat("#   ", line, "\n");
  }
  result.yaml += control::to_yaml(scenario);
  return result;
}

}  // namespace minik::sim
