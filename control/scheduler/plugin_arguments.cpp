#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/scheduler/configuration_reader.h"
#include "control/schema/decode.h"
#include "control/schema/names.h"
#include "control/schema/validation.h"

namespace minik::control {

namespace {

// A point's score counts from 0 to 10 in the configuration, a node's from 0 to 100.
constexpr int64_t kShapeScoreMax = 10;

struct WeightedResource {
  std::string name;
  int64_t weight = 1;
};

std::vector<WeightedResource> read_resources(ConfigurationReader& reader, const Value& arguments, const FieldPath& at) {
  std::vector<WeightedResource> resources;
  const FieldPath list = at.field("resources");
  for (const auto& entry : reader.list(arguments, "resources", at)) {
    const FieldPath item = list.index(resources.size());
    reader.expect_only(entry, {"name", "weight"}, item);
    WeightedResource resource{reader.text(entry, "name", "", item), reader.integer(entry, "weight", 1, item)};
    // Kubernetes' defaulting: a weight of 0 is none at all.
    if (resource.weight == 0) resource.weight = 1;
    resources.push_back(std::move(resource));
  }
  return resources;
}

void read_shape(ConfigurationReader& reader, const Value& ratio, const FieldPath& at, Profile& profile) {
  reader.expect_only(ratio, {"shape"}, at);
  const FieldPath list = at.field("shape");
  const auto points = reader.list(ratio, "shape", at);
  if (points.empty()) reader.errors.required(list, "at least one point must be specified");
  for (size_t i = 0; i < points.size(); ++i) {
    const FieldPath item = list.index(i);
    reader.expect_only(points[i], {"utilization", "score"}, item);
    const FieldPath utilization_at = item.field("utilization"), score_at = item.field("score");
    const int64_t utilization = reader.integer(points[i], "utilization", 0, item);
    const int64_t score = reader.integer(points[i], "score", 0, item);
    if (i > 0 && profile.shape.back().utilization_percent >= utilization) {
      reader.errors.invalid(utilization_at, utilization, "values must be sorted in increasing order");
    }
    if (utilization < 0 || utilization > 100) reader.complain_of_range(utilization_at, utilization, "[0, 100]");
    if (score < 0 || score > kShapeScoreMax) reader.complain_of_range(score_at, score, "[0, 10]");
    profile.shape.push_back({utilization, std::clamp<int64_t>(score, 0, kShapeScoreMax) * 100 / kShapeScoreMax});
  }
}

void read_strategy(ConfigurationReader& reader, const Value& strategy, const FieldPath& at, Profile& profile) {
  reader.expect_only(strategy, {"type", "resources", "requestedToCapacityRatio"}, at);
  const std::string type = reader.text(strategy, "type", "LeastAllocated", at);
  const FieldPath type_at = at.field("type"), ratio_at = at.field("requestedToCapacityRatio");
  const Value& ratio = strategy.get("requestedToCapacityRatio");
  if (type == "LeastAllocated") {
    profile.strategy = AllocationStrategy::kLeast;
  } else if (type == "MostAllocated") {
    profile.strategy = AllocationStrategy::kMost;
  } else if (type == "RequestedToCapacityRatio") {
    profile.strategy = AllocationStrategy::kRequestedToCapacity;
  } else {
    constexpr std::string_view kTypes[] = {"LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"};
    reader.errors.not_supported(type_at, Value(type), kTypes);
  }
  const auto resources = read_resources(reader, strategy, at);
  const FieldPath list = at.field("resources");
  if (!resources.empty()) profile.cpu_weight = profile.memory_weight = 0;
  for (size_t i = 0; i < resources.size(); ++i) {
    const auto& [name, weight] = resources[i];
    if (weight <= 0 || weight > 100) {
      const FieldPath item = list.index(i);
      reader.errors.invalid(item.field("weight"), weight,
                            cat("resource weight of ", name, " not in valid range (0, 100]"));
    }
    if (name == "cpu") {
      profile.cpu_weight = weight;
    } else if (name == "memory") {
      profile.memory_weight = weight;
    } else {
      profile.other_weights.emplace_back(Key(name), weight);
    }
  }
  if (profile.strategy != AllocationStrategy::kRequestedToCapacity) {
    if (ratio.has_value()) {
      reader.errors.forbidden(ratio_at, "must be nil when type is not RequestedToCapacityRatio");
    }
  } else if (!ratio.has_value()) {
    reader.errors.required(ratio_at, "must be specified when type is RequestedToCapacityRatio");
  } else {
    read_shape(reader, ratio, ratio_at, profile);
  }
}

void read_ignored(ConfigurationReader& reader, const Value& arguments, std::string_view field, const FieldPath& at,
                  std::vector<std::string>& ignored) {
  const FieldPath list = at.field(field);
  for (const auto& name : reader.list(arguments, field, at)) {
    const FieldPath item = list.index(ignored.size());
    if (field == "ignoredResourceGroups" && name.as_string().find('/') != std::string_view::npos) {
      reader.errors.invalid(item, name, "resource group name can't contain '/'");
    }
    reader.errors.invalid_each(item, name, check_qualified_name(name.as_string()));
    ignored.push_back(name.string());
  }
}

void read_fit(ConfigurationReader& reader, const Value& arguments, const FieldPath& at, Profile& profile) {
  reader.expect_only(arguments, {"ignoredResources", "ignoredResourceGroups", "scoringStrategy"}, at);
  read_ignored(reader, arguments, "ignoredResources", at, profile.ignored_resources);
  read_ignored(reader, arguments, "ignoredResourceGroups", at, profile.ignored_resource_groups);
  const FieldPath strategy = at.field("scoringStrategy");
  read_strategy(reader, arguments.get("scoringStrategy"), strategy, profile);
}

void read_balance(ConfigurationReader& reader, const Value& arguments, const FieldPath& at, Profile& profile) {
  reader.expect_only(arguments, {"resources"}, at);
  const auto resources = read_resources(reader, arguments, at);
  if (resources.empty()) return;
  profile.balances_cpu = profile.balances_memory = false;
  const FieldPath list = at.field("resources");
  for (size_t i = 0; i < resources.size(); ++i) {
    const auto& [name, weight] = resources[i];
    const FieldPath item = list.index(i);
    const auto end = resources.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(resources.begin(), end, [&](const auto& other) { return other.name == resources[i].name; })) {
      reader.errors.duplicate(item.field("name"), Value(name));
    }
    if (weight != 1) reader.errors.invalid(item.field("weight"), weight, "must be 1");
    if (name == "cpu") {
      profile.balances_cpu = true;
    } else if (name == "memory") {
      profile.balances_memory = true;
    } else {
      profile.balances_others.emplace_back(name);
    }
  }
}

void read_preemption(ConfigurationReader& reader, const Value& arguments, const FieldPath& at, Profile& profile) {
  reader.expect_only(arguments, {"minCandidateNodesPercentage", "minCandidateNodesAbsolute"}, at);
  const FieldPath percent_at = at.field("minCandidateNodesPercentage");
  const FieldPath least_at = at.field("minCandidateNodesAbsolute");
  const int64_t percent = reader.integer(arguments, "minCandidateNodesPercentage", 10, at);
  const int64_t least = reader.integer(arguments, "minCandidateNodesAbsolute", 100, at);
  if (percent < 0 || percent > 100) reader.complain_of_range(percent_at, percent, "[0, 100]");
  if (least < 0) reader.complain_of_range(least_at, least, "[0, inf)");
  if (percent == 0 && least == 0) {
    reader.errors.invalid(percent_at, percent, "cannot be zero at the same time as minCandidateNodesAbsolute");
    reader.errors.invalid(least_at, least, "cannot be zero at the same time as minCandidateNodesPercentage");
  }
  profile.preemption_nodes_percent = percent;
  profile.preemption_nodes_min = least;
}

void read_pod_affinity(ConfigurationReader& reader, const Value& arguments, const FieldPath& at, Profile& profile) {
  reader.expect_only(arguments, {"hardPodAffinityWeight", "ignorePreferredTermsOfExistingPods"}, at);
  profile.hard_affinity_weight = reader.integer(arguments, "hardPodAffinityWeight", 1, at);
  if (profile.hard_affinity_weight < 0 || profile.hard_affinity_weight > 100) {
    reader.complain_of_range(at.field("hardPodAffinityWeight"), profile.hard_affinity_weight, "[0, 100]");
  }
  profile.ignores_preferences_of_placed = reader.boolean(arguments, "ignorePreferredTermsOfExistingPods", false, at);
}

void read_node_affinity(ConfigurationReader& reader, const Value& arguments, const FieldPath& at, Profile& profile) {
  reader.expect_only(arguments, {"addedAffinity"}, at);
  const Value& added = arguments.get("addedAffinity");
  if (!added.has_value()) return;
  const FieldPath added_at = at.field("addedAffinity");
  const TypeInfo* type = Schema::builtin().find_type("core", "NodeAffinity");
  const auto decoded = decode(*type, added);
  if (!decoded) return reader.errors.type_invalid(added_at, added, decoded.error().message);
  if (!decoded->unknown_fields.empty()) {
    return reader.errors.forbidden(added_at, join(decoded->unknown_fields, ", "));
  }
  check_part(*type, decoded->object, Value::absent(), added_at, reader.errors);
  profile.added_affinity = decoded->object;
}

void read_spread(ConfigurationReader& reader, const Value& arguments, const FieldPath& at, Profile& profile) {
  reader.expect_only(arguments, {"defaultConstraints", "defaultingType"}, at);
  const FieldPath type_at = at.field("defaultingType"), list_at = at.field("defaultConstraints");
  const std::string type = reader.text(arguments, "defaultingType", "System", at);
  const auto constraints = reader.list(arguments, "defaultConstraints", at);
  if (type != "System" && type != "List") {
    constexpr std::string_view kTypes[] = {"System", "List"};
    reader.errors.not_supported(type_at, Value(type), kTypes);
  } else if (type == "System" && !constraints.empty()) {
    reader.errors.invalid(type_at, Value(type), "when .defaultConstraints are not empty");
  }
  profile.spreads_by_system_defaults = type == "System";
  for (size_t i = 0; i < constraints.size(); ++i) {
    const Value& constraint = constraints[i];
    const FieldPath item = list_at.index(i);
    // What Kubernetes reads of a constraint that the profile brings; the rest is the pods' own matter.
    reader.expect_only(constraint, {"maxSkew", "topologyKey", "whenUnsatisfiable", "labelSelector"}, item);
    const FieldPath key_at = item.field("topologyKey"), when_at = item.field("whenUnsatisfiable");
    const int64_t skew = reader.integer(constraint, "maxSkew", 0, item);
    const std::string key = reader.text(constraint, "topologyKey", "", item);
    const std::string when = reader.text(constraint, "whenUnsatisfiable", "", item);
    if (skew <= 0) reader.complain_of_range(item.field("maxSkew"), skew, "(0, inf)");
    if (key.empty()) {
      reader.errors.required(key_at, "can not be empty");
    } else {
      reader.errors.invalid_each(key_at, Value(key), check_qualified_name(key));
    }
    if (when.empty()) {
      reader.errors.required(when_at, "can not be empty");
    } else if (when != "DoNotSchedule" && when != "ScheduleAnyway") {
      constexpr std::string_view kActions[] = {"DoNotSchedule", "ScheduleAnyway"};
      reader.errors.not_supported(when_at, Value(when), kActions);
    }
    if (constraint[keys::kLabelSelector].has_value()) {
      reader.errors.forbidden(item.field("labelSelector"),
                              "constraint must not define a selector, as they deduced for each pod");
    }
    const DefaultSpread spread{Key(key), skew, when == "DoNotSchedule"};
    const bool repeated = std::ranges::any_of(profile.default_spread, [&](const DefaultSpread& other) {
      return other.topology_key == spread.topology_key && other.hard == spread.hard;
    });
    if (repeated) reader.errors.duplicate(item, Value(cat("{", key, ", ", when, "}")));
    profile.default_spread.push_back(spread);
  }
}

void read_volume_binding(ConfigurationReader& reader, const Value& arguments, const FieldPath& at, Profile& profile) {
  reader.expect_only(arguments, {"bindTimeoutSeconds", "shape"}, at);
  const int64_t timeout = reader.integer(arguments, "bindTimeoutSeconds", 600, at);
  const FieldPath timeout_at = at.field("bindTimeoutSeconds");
  constexpr int64_t kSecondsMax = INT32_MAX;  // of the longest Kubernetes takes, and of what a Duration can hold
  if (timeout < 0) {
    reader.errors.invalid(timeout_at, timeout, "invalid BindTimeoutSeconds, should not be a negative value");
  } else if (timeout > kSecondsMax) {
    reader.complain_of_range(timeout_at, timeout, cat("[0, ", kSecondsMax, "]"));
  } else {
    profile.bind_timeout = seconds(timeout);
  }
  if (arguments.get("shape").has_value()) {
    reader.errors.invalid(at.field("shape"), arguments.get("shape"),
                          "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring");
  }
}

struct PluginArguments {
  std::string_view plugin;
  void (*read)(ConfigurationReader&, const Value&, const FieldPath&, Profile&);
};
constexpr PluginArguments kPlugins[] = {
    {"DefaultPreemption", read_preemption},
    {"InterPodAffinity", read_pod_affinity},
    {"NodeAffinity", read_node_affinity},
    {"NodeResourcesBalancedAllocation", read_balance},
    {"NodeResourcesFit", read_fit},
    {"PodTopologySpread", read_spread},
    {"VolumeBinding", read_volume_binding},
};

}  // namespace

void read_plugin_arguments(ConfigurationReader& reader, std::string_view plugin, const Value& arguments,
                           const FieldPath& at, Profile& profile) {
  const auto found = std::ranges::find(kPlugins, plugin, &PluginArguments::plugin);
  if (found == std::end(kPlugins)) {
    return reader.errors.invalid(at.field("name"), Value(plugin), "there are no arguments of a plugin of this name");
  }
  const FieldPath args = at.field("args");
  // They may say what they are.
  const auto kind = arguments[keys::kKind].as_string();
  const std::string own_kind = cat(plugin, "Args");
  if (!kind.empty() && kind != own_kind) {
    return reader.errors.invalid(args, Value(kind), cat("args for plugin ", plugin, " were not of type ", own_kind));
  }
  found->read(reader, arguments.without(keys::kKind).without(keys::kApiVersion), args, profile);
}

}  // namespace minik::control
