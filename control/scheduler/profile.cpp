#include "control/scheduler/profile.h"

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

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

Error wrong(std::string_view path, std::string_view why) {
  return Error(ErrorCode::kInvalid, cat(path, ": ", why));
}

int64_t ScoreWeights::*weight_of(std::string_view plugin) {
  for (const auto& known : kWeights) {
    if (known.plugin == plugin) return known.weight;
  }
  return nullptr;
}

// The sets that may change a score: multiPoint and score, each with enabled and disabled.
Status read_plugins(const Value& plugins, const std::string& at, Profile& profile) {
  for (const auto& [point, set] : plugins.entries()) {
    const std::string path = cat(at, ".", point.text());
    for (const auto& plugin : set.get("disabled").items()) {
      const auto name = plugin[keys::kName].as_string();
      if (name == "*" && point.text() == "score") {
        for (const auto& known : kWeights) profile.weights.*known.weight = 0;
      } else if (auto weight = weight_of(name); weight && point.text() == "score") {
        profile.weights.*weight = 0;
      } else if (name == "DefaultPreemption" || (name == "*" && point.text() == "postFilter")) {
        profile.preempts = false;
      } else {
        return wrong(cat(path, ".disabled"),
                     cat("the plugin ", quoted(name), " cannot be turned off"));
      }
    }
    for (const auto& plugin : set.get("enabled").items()) {
      const auto name = plugin[keys::kName].as_string();
      const auto weight = weight_of(name);
      if (!weight) {
        if (name == "DefaultPreemption") {
          profile.preempts = true;
          continue;
        }
        return wrong(cat(path, ".enabled"),
                     cat("there is no plugin ", quoted(name), " with a weight"));
      }
      const Value& wanted = plugin[keys::kWeight];
      if (wanted.is_int() && (wanted.as_int() < 0 || wanted.as_int() > 100)) {
        return wrong(cat(path, ".enabled"), cat("the weight of ", name, " must be from 0 to 100"));
      }
      // A weight of 0 means the plugin's own default, as in the configuration's conversion.
      profile.weights.*weight = wanted.as_int() > 0 ? wanted.as_int() : ScoreWeights().*weight;
    }
  }
  return {};
}

Status read_fit(const Value& arguments, const std::string& at, Profile& profile) {
  const Value& strategy = arguments.get("scoringStrategy");
  const auto type = strategy[keys::kType].as_string("LeastAllocated");
  if (type == "MostAllocated") {
    profile.strategy = AllocationStrategy::kMost;
  } else if (type != "LeastAllocated") {
    return wrong(cat(at, ".scoringStrategy.type"),
                 cat(quoted(type), " is not there; use LeastAllocated or MostAllocated"));
  }
  if (strategy[keys::kResources].empty()) return {};
  profile.cpu_weight = profile.memory_weight = 0;
  for (const auto& resource : strategy[keys::kResources].items()) {
    const auto name = resource[keys::kName].as_string();
    const int64_t weight = resource[keys::kWeight].as_int(1);
    if (name == "cpu") {
      profile.cpu_weight = weight;
    } else if (name == "memory") {
      profile.memory_weight = weight;
    } else {
      return wrong(cat(at, ".scoringStrategy.resources"),
                   cat("placement is scored by cpu and memory, not by ", quoted(name)));
    }
    if (weight < 1 || weight > 100) {
      return wrong(cat(at, ".scoringStrategy.resources"), "a weight must be from 1 to 100");
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Profile>> profiles_from(const Value& configuration) {
  if (configuration[keys::kKind].as_string() != "KubeSchedulerConfiguration" ||
      configuration[keys::kApiVersion].as_string() != "kubescheduler.config.k8s.io/v1") {
    return Error(ErrorCode::kInvalid,
                 "expected kind KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1");
  }
  std::vector<Profile> profiles;
  int64_t index = 0;
  for (const auto& entry : configuration.get("profiles").items()) {
    const std::string at = cat("profiles[", index++, "]");
    Profile profile;
    profile.name = std::string(entry[keys::kSchedulerName].as_string("default-scheduler"));
    for (const auto& other : profiles) {
      if (other.name == profile.name) return wrong(cat(at, ".schedulerName"), "is used twice");
    }
    MINIK_TRY(read_plugins(entry.get("plugins"), cat(at, ".plugins"), profile));
    for (const auto& config : entry.get("pluginConfig").items()) {
      const auto name = config[keys::kName].as_string();
      if (name != "NodeResourcesFit") {
        return wrong(cat(at, ".pluginConfig"),
                     cat("arguments of ", quoted(name), " are not there"));
      }
      MINIK_TRY(
          read_fit(config.get("args"), cat(at, ".pluginConfig[NodeResourcesFit].args"), profile));
    }
    profiles.push_back(std::move(profile));
  }
  if (profiles.empty()) profiles.emplace_back();
  return profiles;
}

}  // namespace minik::control
