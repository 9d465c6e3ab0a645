#include "control/kubelet/environment.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/kubelet/pod_state.h"
#include "control/object/container_aggregate.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"
#include "control/quota/amounts.h"

namespace minik::control {

namespace {

void add_once(std::vector<std::string>& names, std::string_view name) {
  if (!name.empty() && std::ranges::find(names, name) == names.end()) names.emplace_back(name);
}

std::string variable_name(std::string_view service) {
  std::string name;
  for (const char c : service) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

void add_service_variables(std::vector<KeyValue>& env, const Value& service) {
  const auto ip = service[keys::kSpec][keys::kClusterIP].as_string();
  const auto& ports = service[keys::kSpec][keys::kPorts];
  if (ip.empty() || ip == "None" || ports.empty()) return;
  const std::string name = variable_name(object_name(service));
  const Value& first = ports.items()[0];
  env.push_back({cat(name, "_SERVICE_HOST"), std::string(ip)});
  env.push_back({cat(name, "_SERVICE_PORT"), cat(first[keys::kPort].as_int())});
  for (const auto& port : ports.items()) {
    const auto port_name = port[keys::kName].as_string();
    if (port_name.empty()) continue;
    env.push_back({cat(name, "_SERVICE_PORT_", variable_name(port_name)), cat(port[keys::kPort].as_int())});
  }
  const auto url = [&](const Value& port) {
    return cat(to_lower(port[keys::kProtocol].as_string("TCP")), "://", ip, ":", port[keys::kPort].as_int());
  };
  env.push_back({cat(name, "_PORT"), url(first)});
  for (const auto& port : ports.items()) {
    const std::string protocol(port[keys::kProtocol].as_string("TCP"));
    const std::string base = cat(name, "_PORT_", port[keys::kPort].as_int(), "_", protocol);
    env.push_back({base, url(port)});
    env.push_back({cat(base, "_PROTO"), to_lower(protocol)});
    env.push_back({cat(base, "_PORT"), cat(port[keys::kPort].as_int())});
    env.push_back({cat(base, "_ADDR"), std::string(ip)});
  }
}

void put(std::vector<KeyValue>& env, std::string key, std::string value) {
  for (auto& entry : env) {
    if (entry.key == key) {
      entry.value = std::move(value);
      return;
    }
  }
  env.push_back({std::move(key), std::move(value)});
}

Error missing(std::string_view kind, std::string_view name) {
  return Error(ErrorCode::kNotFound, cat(kind, " ", quoted(name), " not found"));
}

Status add_env_from(std::vector<KeyValue>& env, const Value& source, const PodSurroundings& around) {
  const bool secret = source[keys::kSecretRef].has_value();
  const Value& ref = secret ? source[keys::kSecretRef] : source[keys::kConfigMapRef];
  const auto& objects = secret ? around.secrets : around.config_maps;
  const auto found = objects.find(ref[keys::kName].string());
  if (found == objects.end() || !found->second.has_value()) {
    if (ref[keys::kOptional].as_bool()) return {};
    return missing(secret ? "secret" : "configmap", ref[keys::kName].as_string());
  }
  for (const auto& [key, value] : found->second[keys::kData].entries()) {
    const std::string text = secret ? from_base64(value.as_string()).value_or("") : value.string();
    put(env, cat(source[keys::kPrefix].as_string(), key.text()), text);
  }
  return {};
}

Result<std::string> value_from(const Value& pod, const Value& container, const Value& source,
                               const PodSurroundings& around, const std::vector<std::string>& pod_ips,
                               bool& left_out) {
  if (const Value& field = source[keys::kFieldRef]; field.has_value()) {
    return field_of_pod(pod, field[keys::kFieldPath].as_string(), around, pod_ips);
  }
  if (const Value& resource = source[keys::kResourceFieldRef]; resource.has_value()) {
    return resource_of_container(pod[keys::kSpec], resource, container[keys::kName].as_string(),
                                 around.node_allocatable);
  }
  if (source[keys::kFileKeyRef].has_value()) {
    return Error(ErrorCode::kBadRequest, "env.valueFrom.fileKeyRef is not there yet: take the value from a ConfigMap or a Secret");
  }
  const bool secret = source[keys::kSecretKeyRef].has_value();
  const Value& ref = secret ? source[keys::kSecretKeyRef] : source[keys::kConfigMapKeyRef];
  const auto& objects = secret ? around.secrets : around.config_maps;
  const auto found = objects.find(ref[keys::kName].string());
  const Value& data = found == objects.end() ? Value::absent() : found->second[keys::kData];
  const Value& value = data.get(ref[keys::kKey].as_string());
  if (value.is_string()) return secret ? from_base64(value.as_string()).value_or("") : value.string();
  if (ref[keys::kOptional].as_bool()) {
    left_out = true;
    return std::string();
  }
  const std::string_view kind = secret ? "secret" : "configmap";
  if (found == objects.end() || !found->second.has_value()) return missing(kind, ref[keys::kName].as_string());
  return Error(ErrorCode::kNotFound,
               cat("couldn't find key ", ref[keys::kKey].as_string(), " in ", secret ? "Secret " : "ConfigMap ",
                   object_namespace(pod), "/", ref[keys::kName].as_string()));
}

}  // namespace

PodReferences references_of(const Value& spec) {
  PodReferences found;
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& container : spec[list].items()) {
      for (const auto& source : container[keys::kEnvFrom].items()) {
        add_once(found.config_maps, source[keys::kConfigMapRef][keys::kName].as_string());
        add_once(found.secrets, source[keys::kSecretRef][keys::kName].as_string());
      }
      for (const auto& variable : container[keys::kEnv].items()) {
        const Value& from = variable[keys::kValueFrom];
        add_once(found.config_maps, from[keys::kConfigMapKeyRef][keys::kName].as_string());
        add_once(found.secrets, from[keys::kSecretKeyRef][keys::kName].as_string());
      }
    }
  }
  for (const auto& volume : spec[keys::kVolumes].items()) {
    add_once(found.config_maps, volume[keys::kConfigMap][keys::kName].as_string());
    add_once(found.secrets, volume[keys::kSecret][keys::kSecretName].as_string());
    for (const auto& source : volume[keys::kProjected][keys::kSources].items()) {
      add_once(found.config_maps, source[keys::kConfigMap][keys::kName].as_string());
      add_once(found.secrets, source[keys::kSecret][keys::kName].as_string());
    }
  }
  return found;
}

namespace {

constexpr int64_t kCpuPeriodUs = 100'000;

int64_t shares_of(int64_t milli_cpu) { return std::max<int64_t>(2, milli_cpu * 1024 / 1000); }
int64_t quota_of(int64_t milli_cpu) { return std::max<int64_t>(1'000, milli_cpu * kCpuPeriodUs / 1000); }

// Every pod has a share of the processors by what it asks for: one without would have the kernel's, which is that of a whole
// one. Limits are those of a pod that says as a whole what it may have; of others the containers' say it.
void set_pod_limits(PodSandboxConfig& config, const Value& spec) {
  const Value& limits = spec[keys::kResources][keys::kLimits];
  const Amounts requests = pod_amounts(spec, keys::kRequests);
  const auto cpu_request = requests.find("cpu");
  config.cpu_shares = shares_of(cpu_request == requests.end() ? 0 : cpu_request->second.milli());
  if (const int64_t cpu = Quantity::of_value(limits[keys::kCpu]).milli(); cpu > 0) config.cpu_quota_us = quota_of(cpu);
  config.memory_limit_bytes = Quantity::of_value(limits[keys::kMemory]).units();
}

}  // namespace

PodSandboxConfig make_sandbox_config(const Value& pod, const PodSurroundings& around, uint32_t attempt) {
  const Value& spec = pod[keys::kSpec];
  PodSandboxConfig config;
  config.namespace_ = object_namespace(pod);
  config.name = object_name(pod);
  config.uid = object_uid(pod);
  config.attempt = attempt;
  config.host_network = spec[keys::kHostNetwork].as_bool();
  config.host_pid = spec[keys::kHostPID].as_bool();
  config.host_ipc = spec[keys::kHostIPC].as_bool();
  config.share_process_namespace = spec[keys::kShareProcessNamespace].as_bool();
  const auto hostname = spec[keys::kHostname].as_string();
  config.hostname = config.host_network && hostname.empty() ? around.node_name
                    : hostname.empty()                      ? config.name
                                                            : std::string(hostname);
  config.hostname = config.hostname.substr(0, 63);
  // Whoever gives the whole name has it as it is, and no other.
  if (const Value& whole = spec[keys::kHostnameOverride]; whole.has_value()) {
    config.hostname = whole.string();
  } else if (const auto subdomain = spec[keys::kSubdomain].as_string(); !subdomain.empty()) {
    config.full_name = cat(config.hostname, ".", subdomain, ".", config.namespace_, ".svc.", around.cluster_domain);
    config.goes_by_full_name = spec[keys::kSetHostnameAsFQDN].as_bool() && !config.host_network;
  }
  for (const auto& sysctl : spec[keys::kSecurityContext][keys::kSysctls].items()) {
    config.sysctls[sysctl[keys::kName].string()] = sysctl[keys::kValue].string();
  }
  const auto policy = spec[keys::kDnsPolicy].as_string("ClusterFirst");
  const bool cluster = policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && !config.host_network);
  if (cluster) {
    config.dns_servers = {around.dns_address};
    config.dns_searches = {cat(config.namespace_, ".svc.", around.cluster_domain),
                           cat("svc.", around.cluster_domain), around.cluster_domain};
    config.dns_options = {"ndots:5"};
    config.dns_searches.insert(config.dns_searches.end(), around.host_dns_searches.begin(),
                               around.host_dns_searches.end());
  } else if (policy != "None") {
    config.dns_servers = around.host_dns_servers;
    config.dns_searches = around.host_dns_searches;
  }
  const Value& dns = spec[keys::kDnsConfig];
  for (const auto& server : dns[keys::kNameservers].items()) add_once(config.dns_servers, server.as_string());
  for (const auto& search : dns[keys::kSearches].items()) add_once(config.dns_searches, search.as_string());
  for (const auto& option : dns[keys::kOptions].items()) {
    const auto value = option[keys::kValue].as_string();
    const auto name = option[keys::kName].as_string();
    std::erase_if(config.dns_options, [&](const std::string& old) {
      return old == name || old.starts_with(cat(name, ":"));
    });
    config.dns_options.push_back(value.empty() ? std::string(name) : cat(name, ":", value));
  }
  for (const auto& alias : spec[keys::kHostAliases].items()) {
    std::vector<std::string> names;
    for (const auto& name : alias[keys::kHostnames].items()) names.push_back(name.string());
    config.host_aliases.emplace_back(alias[keys::kIp].string(), std::move(names));
  }
  for (const auto& container : spec[keys::kContainers].items()) {
    for (const auto& port : container[keys::kPorts].items()) {
      if (port[keys::kHostPort].as_int() == 0) continue;
      config.ports.push_back({static_cast<int>(port[keys::kContainerPort].as_int()),
                              static_cast<int>(port[keys::kHostPort].as_int()),
                              port[keys::kProtocol].string(), port[keys::kHostIP].string()});
    }
  }
  set_pod_limits(config, spec);
  config.labels = {{"io.kubernetes.pod.namespace", config.namespace_},
                   {"io.kubernetes.pod.name", config.name},
                   {"io.kubernetes.pod.uid", config.uid}};
  return config;
}

std::string expand_variables(std::string_view text, const std::vector<KeyValue>& variables) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    const size_t close = text[i + 1] == '(' ? text.find(')', i) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += text[i];
      continue;
    }
    const auto name = text.substr(i + 2, close - i - 2);
    const auto found = std::ranges::find(variables, name, &KeyValue::key);
    if (found == variables.end()) {
      out += text.substr(i, close - i + 1);
    } else {
      out += found->value;
    }
    i = close;
  }
  return out;
}

Result<std::vector<KeyValue>> make_environment(const Value& pod, const Value& container,
                                               const PodSurroundings& around,
                                               const std::vector<std::string>& pod_ips) {
  std::vector<KeyValue> services;
  const bool links = pod[keys::kSpec][keys::kEnableServiceLinks].as_bool(true);
  for (const auto& service : around.services) {
    const bool api = object_name(service) == "kubernetes" && object_namespace(service) == "default";
    if (links || api) add_service_variables(services, service);
  }
  std::vector<KeyValue> env;
  for (const auto& source : container[keys::kEnvFrom].items()) MINIK_TRY(add_env_from(env, source, around));
  for (const auto& variable : container[keys::kEnv].items()) {
    const std::string name = variable[keys::kName].string();
    if (variable[keys::kValueFrom].has_value()) {
      bool left_out = false;
      MINIK_ASSIGN(std::string value,
                   value_from(pod, container, variable[keys::kValueFrom], around, pod_ips, left_out));
      if (!left_out) put(env, name, std::move(value));
      continue;
    }
    // Earlier variables and service links may be referred to.
    std::vector<KeyValue> known = services;
    known.insert(known.end(), env.begin(), env.end());
    put(env, name, expand_variables(variable[keys::kValue].as_string(), known));
  }
  for (auto& entry : services) {
    if (std::ranges::find(env, entry.key, &KeyValue::key) == env.end()) env.push_back(std::move(entry));
  }
  return env;
}

Result<std::string> field_of_pod(const Value& pod, std::string_view path, const PodSurroundings& around,
                                 const std::vector<std::string>& pod_ips) {
  const Value& metadata = pod[keys::kMetadata];
  const Value& spec = pod[keys::kSpec];
  if (path == "metadata.name") return metadata[keys::kName].string();
  if (path == "metadata.namespace") return metadata[keys::kNamespace].string();
  if (path == "metadata.uid") return metadata[keys::kUid].string();
  if (path == "spec.nodeName") return around.node_name;
  if (path == "spec.serviceAccountName") return spec[keys::kServiceAccountName].string();
  if (path == "status.podIP") return pod_ips.empty() ? std::string() : pod_ips[0];
  if (path == "status.podIPs") return join(pod_ips, ",");
  if (path == "status.hostIP") return around.host_ips.empty() ? std::string() : around.host_ips[0];
  if (path == "status.hostIPs") return join(around.host_ips, ",");
  for (const auto& [prefix, key] : {std::pair{std::string_view("metadata.labels"), keys::kLabels},
                                    std::pair{std::string_view("metadata.annotations"), keys::kAnnotations}}) {
    if (!path.starts_with(prefix)) continue;
    auto rest = path.substr(prefix.size());
    if (rest.empty()) {
      std::vector<std::string> lines;
      for (const auto& [name, value] : metadata[key].entries()) {
        lines.push_back(cat(name.text(), "=", quoted(value.as_string())));
      }
      return join(lines, "\n");
    }
    if (rest.starts_with("['") && rest.ends_with("']")) {
      return metadata[key].get(rest.substr(2, rest.size() - 4)).string();
    }
  }
  return Error(ErrorCode::kBadRequest, cat("unsupported fieldPath: ", path));
}

Result<std::string> resource_of_container(const Value& spec, const Value& field,
                                          std::string_view container_name, const Value& node_allocatable) {
  const auto named = field[keys::kContainerName].as_string(container_name);
  const Value* container = nullptr;
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& c : spec[list].items()) {
      if (c[keys::kName].as_string() == named) container = &c;
    }
  }
  if (!container) return Error(ErrorCode::kNotFound, cat("container ", named, " not found"));
  const auto parts = split(field[keys::kResource].as_string(), '.');
  if (parts.size() != 2) return Error(ErrorCode::kBadRequest, "unsupported container resource");
  const Value& resources = (*container)[keys::kResources];
  Quantity amount = Quantity::of_value(resources.get(parts[0]).get(parts[1]));
  if (amount.zero() && parts[0] == "limits") amount = Quantity::of_value(node_allocatable.get(parts[1]));
  Quantity divisor = Quantity::of_value(field[keys::kDivisor]);
  if (divisor.zero()) divisor = Quantity::of(1);
  const int64_t unit = divisor.milli();
  return cat((amount.milli() + unit - 1) / unit);
}

// What the pod has been promised and its containers have not, they may use alike: each is spared that much longer.
int64_t common_memory(const Value& spec) {
  int64_t left = Quantity::of_value(spec[keys::kResources][keys::kRequests][keys::kMemory]).units();
  left -= container_aggregate(spec, keys::kRequests, keys::kMemory).value_or(Quantity()).units();
  const size_t all = spec[keys::kContainers].size() + spec[keys::kInitContainers].size();
  return std::max<int64_t>(left, 0) / std::max<int64_t>(static_cast<int64_t>(all), 1);
}

ContainerResources make_resources(const Value& spec, const Value& container, int64_t node_memory) {
  const Value& limits = container[keys::kResources][keys::kLimits];
  const Value& requests = container[keys::kResources][keys::kRequests];
  ContainerResources result;
  const int64_t cpu = Quantity::of_value(requests[keys::kCpu]).milli();
  result.cpu_shares = shares_of(cpu);
  // A container without a limit of its own has the pod's.
  const auto limit_of = [&](const Key& name) {
    return Quantity::of_value(limits[name].has_value() ? limits[name] : spec[keys::kResources][keys::kLimits][name]);
  };
  if (const int64_t limit = limit_of(keys::kCpu).milli(); limit > 0) {
    result.cpu_quota_us = quota_of(limit);
  }
  result.cpu_period_us = kCpuPeriodUs;
  result.memory_limit_bytes = limit_of(keys::kMemory).units();
  const auto qos = qos_class(spec);
  if (qos == "Guaranteed") {
    result.oom_score_adj = -997;
  } else if (qos == "BestEffort" || node_memory <= 0) {
    result.oom_score_adj = 1000;
  } else {
    const int64_t request = Quantity::of_value(requests[keys::kMemory]).units() + common_memory(spec);
    result.oom_score_adj = std::clamp<int64_t>(1000 - 1000 * request / node_memory, 3, 999);
  }
  return result;
}

Status check_not_root(const Value& pod, const Value& container, const ContainerSecurity& security, std::string_view image_user) {
  if (!security.run_as_non_root) return {};
  const auto refuse = [&](std::string_view why) -> Status {
    return Error(ErrorCode::kBadRequest, cat(why, " (pod: ", quoted(pod_text(pod)), ", container: ", container[keys::kName].as_string(), ")"));
  };
  if (security.run_as_user) return *security.run_as_user == 0 ? refuse("container's runAsUser breaks non-root policy") : Status();
  const auto name = image_user.substr(0, image_user.find(':'));
  const auto uid = name.empty() ? std::optional<int64_t>(0) : parse_int64(name);
  if (uid) return *uid == 0 ? refuse("container has runAsNonRoot and image will run as root") : Status();
  return refuse(cat("container has runAsNonRoot and image has non-numeric user (", name, "), cannot verify user is non-root"));
}

ContainerSecurity make_security(const Value& spec, const Value& container) {
  const Value& pod = spec[keys::kSecurityContext];
  const Value& own = container[keys::kSecurityContext];
  const auto either = [&](const Key& key) -> const Value& {
    return own[key].has_value() ? own[key] : pod[key];
  };
  ContainerSecurity security;
  security.privileged = own[keys::kPrivileged].as_bool();
  security.read_only_root = own[keys::kReadOnlyRootFilesystem].as_bool();
  security.own_users = !spec[keys::kHostUsers].as_bool(true);
  security.no_new_privileges = !own[keys::kAllowPrivilegeEscalation].as_bool(true);
  if (const auto& user = either(keys::kRunAsUser); user.is_int()) security.run_as_user = user.as_int();
  if (const auto& group = either(keys::kRunAsGroup); group.is_int()) security.run_as_group = group.as_int();
  if (pod[keys::kFsGroup].is_int()) security.fs_group = pod[keys::kFsGroup].as_int();
  security.run_as_non_root = either(keys::kRunAsNonRoot).as_bool();
  for (const auto& group : pod[keys::kSupplementalGroups].items()) {
    security.supplemental_groups.push_back(group.as_int());
  }
  security.image_groups = pod[keys::kSupplementalGroupsPolicy].as_string() != "Strict";
  for (const auto& name : own[keys::kCapabilities][keys::kAdd].items()) {
    security.add_capabilities.push_back(name.string());
  }
  for (const auto& name : own[keys::kCapabilities][keys::kDrop].items()) {
    security.drop_capabilities.push_back(name.string());
  }
  const Value& profile = either(keys::kSeccompProfile);
  security.seccomp = profile[keys::kType].string();
  if (security.seccomp == "Localhost") {
    security.seccomp = cat("Localhost/", profile[keys::kLocalhostProfile].as_string());
  }
  return security;
}

}  // namespace minik::control
