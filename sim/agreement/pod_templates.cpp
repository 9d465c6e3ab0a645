#include "sim/agreement/pod_templates.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

constexpr std::string_view kPortVariable = "PORT";
constexpr int64_t kFirstPort = 8080;
constexpr std::string_view kProbes[] = {"readinessProbe", "livenessProbe", "startupProbe"};

// Where the pod stands in it: a pod, or what has a template.
const Value& pod_of(const Value& object) {
  const Value& spec = object[keys::kSpec];
  if (object[keys::kKind].as_string() == "Pod") return object;
  if (spec.contains("jobTemplate")) return spec.get("jobTemplate")[keys::kSpec][keys::kTemplate];
  return spec[keys::kTemplate];
}

Value with_pod_spec(const Value& object, Value pod_spec) {
  if (object[keys::kKind].as_string() == "Pod") return object.with(keys::kSpec, std::move(pod_spec));
  if (object[keys::kSpec].contains("jobTemplate")) {
    return object.with_at({keys::kSpec, "jobTemplate", keys::kSpec, keys::kTemplate, keys::kSpec}, std::move(pod_spec));
  }
  return object.with_at({keys::kSpec, keys::kTemplate, keys::kSpec}, std::move(pod_spec));
}

bool has_port(const Value& container) {
  return std::ranges::any_of(container[keys::kEnv].items(), [](const Value& variable) { return variable[keys::kName].as_string() == kPortVariable; });
}

// A number, or the name of one of its own ports.
int64_t number_of(const Value& port, const Value& container) {
  if (port.is_int()) return port.as_int();
  for (const auto& own : container[keys::kPorts].items()) {
    if (own[keys::kName] == port) return own[keys::kContainerPort].as_int();
  }
  return parse_int64(port.as_string()).value_or(0);
}

}  // namespace

std::vector<PodTemplate> pod_templates(const std::vector<Action>& deeds) {
  std::vector<PodTemplate> all;
  for (const auto& deed : deeds) {
    const auto* apply = std::get_if<ApplyAction>(&deed.what);
    if (!apply) continue;
    for (const auto& object : apply->objects) {
      const Value& pod = pod_of(object);
      if (!pod[keys::kSpec][keys::kContainers].is_array()) continue;
      const std::string namespace_(object[keys::kMetadata][keys::kNamespace].as_string("default"));
      all.push_back({cat(object[keys::kKind].as_string(), " ", namespace_, "/", control::object_name(object)), namespace_,
                     pod[keys::kMetadata][keys::kLabels], pod[keys::kSpec]});
    }
  }
  return all;
}

std::vector<PodTemplate> chosen_by(const PodChoice& choice, std::vector<PodTemplate> templates) {
  std::erase_if(templates, [&](const PodTemplate& one) {
    return (!choice.namespace_.empty() && choice.namespace_ != one.namespace_) || !choice.labels.matches(one.labels);
  });
  return templates;
}

std::vector<std::string> without_memory_limit(const Value& pod_spec) {
  std::vector<std::string> names;
  for (const auto& container : pod_spec[keys::kContainers].items()) {
    if (!container[keys::kResources][keys::kLimits].get("memory").has_value()) names.push_back(container[keys::kName].string());
  }
  return names;
}

Value with_own_ports(const Value& object) {
  Value spec = pod_of(object)[keys::kSpec];
  int64_t next = kFirstPort;
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    if (!spec[list].is_array()) continue;
    std::vector<Value> containers;
    for (const auto& container : spec[list].items()) {
      const int64_t port = next++;
      if (port == kFirstPort || has_port(container)) {
        containers.push_back(container);
        continue;
      }
      const auto own = container[keys::kEnv].items();
      std::vector<Value> env(own.begin(), own.end());
      env.push_back(Value::map({{keys::kName, kPortVariable}, {keys::kValue, cat(port)}}));
      containers.push_back(container.with(keys::kEnv, Value::array(std::move(env))));
    }
    spec = spec.with(list, Value::array(std::move(containers)));
  }
  return next > kFirstPort + 1 ? with_pod_spec(object, std::move(spec)) : object;
}

int64_t port_of(const Value& container) {
  for (const auto& variable : container[keys::kEnv].items()) {
    if (variable[keys::kName].as_string() == kPortVariable) return parse_int64(variable[keys::kValue].as_string()).value_or(kFirstPort);
  }
  return kFirstPort;
}

std::string probe_of_another(const Value& pod_spec) {
  std::map<int64_t, std::string> listener_of;
  for (const auto& container : pod_spec[keys::kContainers].items()) listener_of.try_emplace(port_of(container), container[keys::kName].string());
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& container : pod_spec[list].items()) {
      const std::string name = container[keys::kName].string();
      for (const auto kind : kProbes) {
        for (const auto how : {"httpGet", "tcpSocket"}) {
          const auto found = listener_of.find(number_of(container.get(kind).get(how).get("port"), container));
          if (found == listener_of.end() || found->second == name) continue;
          return cat("the ", kind, " of container ", name, " asks port ", found->first, ", where ", found->second, " listens; ", name,
                     " listens on ", port_of(container), ", or on what its variable ", kPortVariable, " says");
        }
      }
    }
  }
  return "";
}

bool has_probe(const Value& pod_spec, std::string_view kind) {
  return std::ranges::any_of(pod_spec[keys::kContainers].items(), [&](const Value& container) { return container.contains(kind); });
}

bool probes_over_tls_or_grpc(const Value& pod_spec) {
  const auto asks_so = [](const Value& container) {
    return std::ranges::any_of(kProbes, [&](std::string_view kind) {
      const Value& probe = container.get(kind);
      return probe.contains("grpc") || probe.get("httpGet").get("scheme").as_string() == "HTTPS";
    });
  };
  return std::ranges::any_of(pod_spec[keys::kContainers].items(), asks_so) ||
         std::ranges::any_of(pod_spec[keys::kInitContainers].items(), asks_so);
}

bool probes_only_by_http(const Value& pod_spec) {
  return std::ranges::all_of(pod_spec[keys::kContainers].items(), [](const Value& container) {
    return std::ranges::all_of(kProbes, [&](std::string_view kind) {
      return !container.contains(kind) || container.get(kind).contains("httpGet");
    });
  });
}

}  // namespace minik::sim
