#include "control/scheduler/profile.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/scheduler/configuration_reader.h"
#include "control/schema/decode.h"

namespace minik::control {

namespace {

constexpr int64_t kBackOffSecondsMax = 86'400 * 365;  // so that doubling stays far from overflow

struct WeightName {
  std::string_view plugin;
  int64_t ScoreWeights::*weight;
};
constexpr WeightName kWeights[] = {
    {"TaintToleration", &ScoreWeights::taints},
    {"NodeAffinity", &ScoreWeights::node_affinity},
    {"PodTopologySpread", &ScoreWeights::spread},
    {"InterPodAffinity", &ScoreWeights::pod_affinity},
    {"NodeResourcesFit", &ScoreWeights::allocation},
    {"NodeResourcesBalancedAllocation", &ScoreWeights::balance},
    {"ImageLocality", &ScoreWeights::image},
};

int64_t ScoreWeights::*weight_of(std::string_view plugin) {
  for (const auto& known : kWeights) {
    if (known.plugin == plugin) return known.weight;
  }
  return nullptr;
}

void disable(ConfigurationReader& reader, std::string_view point, std::string_view plugin, const FieldPath& at,
             Profile& profile) {
  if (plugin == "*" && point == "score") {
    for (const auto& known : kWeights) profile.weights.*known.weight = 0;
  } else if (auto weight = weight_of(plugin); weight && point == "score") {
    profile.weights.*weight = 0;
  } else if (plugin == "DefaultPreemption" || (plugin == "*" && point == "postFilter")) {
    profile.preempts = false;
  } else {
    reader.errors.forbidden(at, cat("the plugin ", quoted(plugin), " cannot be turned off"));
  }
}

void enable(ConfigurationReader& reader, const Value& entry, std::string_view plugin, const FieldPath& at,
            Profile& profile) {
  if (plugin == "DefaultPreemption") {
    profile.preempts = true;
    return;
  }
  const auto weight = weight_of(plugin);
  if (!weight) {
    return reader.errors.invalid(at.field("name"), Value(plugin), "there is no plugin of this name with a weight");
  }
  const int64_t wanted = reader.integer(entry, "weight", 0, at);
  if (wanted < 0 || wanted > 100) reader.complain_of_range(at.field("weight"), wanted, "[0, 100]");
  // A weight of 0 means the plugin's own default, as in the configuration's conversion.
  profile.weights.*weight = wanted > 0 ? wanted : ScoreWeights().*weight;
}

// The sets that may change a score: multiPoint and score, each with enabled and disabled.
void read_plugins(ConfigurationReader& reader, const Value& plugins, const FieldPath& at, Profile& profile) {
  reader.expect_only(plugins,
                     {"preEnqueue", "queueSort", "preFilter", "filter", "postFilter", "preScore", "score", "reserve",
                      "permit", "preBind", "bind", "postBind", "multiPoint"},
                     at);
  for (const auto& [point, set] : plugins.entries()) {
    const FieldPath point_at = at.field(point.text());
    reader.expect_only(set, {"enabled", "disabled"}, point_at);
    const FieldPath disabled_at = point_at.field("disabled"), enabled_at = point_at.field("enabled");
    size_t index = 0;
    for (const auto& plugin : reader.list(set, "disabled", point_at)) {
      const FieldPath item = disabled_at.index(index++);
      reader.expect_only(plugin, {"name", "weight"}, item);
      disable(reader, point.text(), plugin[keys::kName].as_string(), item, profile);
    }
    index = 0;
    for (const auto& plugin : reader.list(set, "enabled", point_at)) {
      const FieldPath item = enabled_at.index(index++);
      reader.expect_only(plugin, {"name", "weight"}, item);
      enable(reader, plugin, plugin[keys::kName].as_string(), item, profile);
    }
  }
}

int64_t read_percentage(ConfigurationReader& reader, const Value& object, int64_t fallback, const FieldPath& at) {
  const int64_t percentage = reader.integer(object, "percentageOfNodesToScore", fallback, at);
  if (percentage < 0 || percentage > 100) {
    reader.complain_of_range(at.field("percentageOfNodesToScore"), percentage, "[0-100]");
  }
  return percentage;
}

void read_plugin_config(ConfigurationReader& reader, const Value& entry, const FieldPath& at, Profile& profile) {
  std::vector<std::string_view> seen;
  const FieldPath list = at.field("pluginConfig");
  for (const auto& config : reader.list(entry, "pluginConfig", at)) {
    const FieldPath item = list.index(seen.size());
    reader.expect_only(config, {"name", "args"}, item);
    const auto name = config[keys::kName].as_string();
    if (std::ranges::count(seen, name) > 0) {
      reader.errors.duplicate(item, Value(name));
    } else {
      read_plugin_arguments(reader, name, config.get("args"), item, profile);
    }
    seen.push_back(name);
  }
}

void read_profiles(ConfigurationReader& reader, const Value& configuration, const FieldPath& root,
                   std::vector<Profile>& profiles) {
  const auto entries = reader.list(configuration, "profiles", root);
  const FieldPath list("profiles");
  const int64_t percentage = read_percentage(reader, configuration, 0, root);
  for (const auto& entry : entries) {
    const FieldPath at = list.index(profiles.size());
    reader.expect_only(entry, {"schedulerName", "percentageOfNodesToScore", "plugins", "pluginConfig"}, at);
    Profile profile;
    // Only one alone needs no name.
    profile.name = reader.text(entry, "schedulerName", entries.size() == 1 ? "default-scheduler" : "", at);
    const FieldPath name_at = at.field("schedulerName");
    if (profile.name.empty()) reader.errors.required(name_at);
    profile.percentage_of_nodes = read_percentage(reader, entry, percentage, at);
    const FieldPath plugins_at = at.field("plugins");
    read_plugins(reader, entry.get("plugins"), plugins_at, profile);
    read_plugin_config(reader, entry, at, profile);
    for (size_t i = 0; i < profiles.size(); ++i) {
      if (profiles[i].name != profile.name || profile.name.empty()) continue;
      reader.errors.duplicate(name_at, Value(cat("profiles[", i, "].schedulerName")));
    }
    profiles.push_back(std::move(profile));
  }
  if (profiles.empty()) profiles.emplace_back().percentage_of_nodes = percentage;
}

BackOff read_back_off(ConfigurationReader& reader, const Value& configuration, const FieldPath& root) {
  const FieldPath first_at("podInitialBackoffSeconds"), last_at("podMaxBackoffSeconds");
  const int64_t first = reader.integer(configuration, "podInitialBackoffSeconds", 1, root);
  const int64_t last = reader.integer(configuration, "podMaxBackoffSeconds", 10, root);
  if (first <= 0) reader.errors.invalid(first_at, first, "must be greater than 0");
  if (last < first) {
    reader.errors.invalid(last_at, last, "must be greater than or equal to PodInitialBackoffSeconds");
  }
  if (last > kBackOffSecondsMax) reader.complain_of_range(last_at, last, cat("[1, ", kBackOffSecondsMax, "]"));
  return {seconds(std::clamp<int64_t>(first, 1, kBackOffSecondsMax)),
          seconds(std::clamp<int64_t>(last, 1, kBackOffSecondsMax))};
}

}  // namespace

void ConfigurationReader::expect_only(const Value& object, std::initializer_list<std::string_view> known,
                                      const FieldPath& at) {
  if (object.has_value() && !object.is_map()) return errors.type_invalid(at, object, "must be an object");
  for (const auto& [key, value] : object.entries()) {
    if (std::ranges::count(known, key.text()) == 0) {
      unknown_fields_.push_back(cat("unknown field ", quoted(at.field(key.text()).text())));
    }
  }
}

int64_t ConfigurationReader::integer(const Value& object, std::string_view name, int64_t fallback,
                                     const FieldPath& at) {
  const Value& value = object.get(name);
  if (value.has_value() && !value.is_int()) errors.type_invalid(at.field(name), value, "must be an integer");
  return value.as_int(fallback);
}

bool ConfigurationReader::boolean(const Value& object, std::string_view name, bool fallback, const FieldPath& at) {
  const Value& value = object.get(name);
  if (value.has_value() && !value.is_bool()) errors.type_invalid(at.field(name), value, "must be true or false");
  return value.as_bool(fallback);
}

std::string ConfigurationReader::text(const Value& object, std::string_view name, std::string_view fallback,
                                      const FieldPath& at) {
  const Value& value = object.get(name);
  if (value.has_value() && !value.is_string()) errors.type_invalid(at.field(name), value, "must be a string");
  const auto found = value.as_string();
  return std::string(found.empty() ? fallback : found);
}

std::span<const Value> ConfigurationReader::list(const Value& object, std::string_view name, const FieldPath& at) {
  const Value& value = object.get(name);
  if (value.has_value() && !value.is_array()) errors.type_invalid(at.field(name), value, "must be a list");
  return value.items();
}

void ConfigurationReader::complain_of_range(const FieldPath& at, int64_t value, std::string_view range) {
  errors.invalid(at, Value(value), cat("not in valid range ", range));
}

Status ConfigurationReader::verdict() const {
  if (!unknown_fields_.empty()) return Error(ErrorCode::kInvalid, strict_decoding_sentence(unknown_fields_));
  if (!errors.empty()) return Error(ErrorCode::kInvalid, errors.text());
  return {};
}

Result<SchedulerConfiguration> configuration_from(const Value& configuration) {
  if (configuration[keys::kKind].as_string() != "KubeSchedulerConfiguration" ||
      configuration[keys::kApiVersion].as_string() != "kubescheduler.config.k8s.io/v1") {
    return Error(ErrorCode::kInvalid,
                 "expected kind KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1");
  }
  ConfigurationReader reader;
  const FieldPath root;
  reader.expect_only(configuration,
                     {"apiVersion", "kind", "profiles", "percentageOfNodesToScore", "parallelism",
                      "podInitialBackoffSeconds", "podMaxBackoffSeconds", "extenders", "leaderElection",
                      "clientConnection", "enableProfiling", "enableContentionProfiling", "delayCacheUntilActive"},
                     root);
  if (reader.integer(configuration, "parallelism", 16, root) <= 0) {
    reader.errors.invalid(root.field("parallelism"), configuration.get("parallelism"),
                          "should be an integer value greater than zero");
  }
  if (!reader.list(configuration, "extenders", root).empty()) {
    reader.errors.forbidden(root.field("extenders"), "minik's scheduler asks nobody outside");
  }
  SchedulerConfiguration read;
  read.profiles.clear();
  read_profiles(reader, configuration, root, read.profiles);
  read.back_off = read_back_off(reader, configuration, root);
  MINIK_TRY(reader.verdict());
  return read;
}

}  // namespace minik::control
