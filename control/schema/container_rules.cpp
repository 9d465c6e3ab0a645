// Validation of containers and what stands inside them: ports, environment, probes, resources.
#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"
#include "control/schema/views/core_pod.h"

namespace minik::control {

namespace {

void check_ports(ContainerView container, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> names;
  const FieldPath ports = at.field("ports");
  for (size_t i = 0; i < container.ports().size(); ++i) {
    const auto port = container.ports()[i];
    const FieldPath here = ports.index(i);
    if (port.has_name()) {
      const auto problems = check_port_name(port.name());
      errors.invalid_each(here.field("name"), port.name_value(), problems);
      if (problems.empty() && !names.insert(port.name()).second) {
        errors.duplicate(here.field("name"), port.name_value());
      }
    }
    if (port.containerPort() == 0) errors.required(here.field("containerPort"));
    if (port.hostPort() != 0) {
      errors.invalid_each(here.field("hostPort"), port.hostPort_value(),
                          check_port_number(port.hostPort()));
    }
  }
}

constexpr std::string_view kFieldPaths[] = {"metadata.name",
                                            "metadata.namespace",
                                            "metadata.uid",
                                            "spec.nodeName",
                                            "spec.serviceAccountName",
                                            "status.hostIP",
                                            "status.hostIPs",
                                            "status.podIP",
                                            "status.podIPs"};

void check_field_reference(std::string_view path, const Value& bad, const FieldPath& at,
                           FieldErrors& errors) {
  if (path.empty()) return;  // required, and the schema says so
  const auto bracket = path.find("['");
  if (bracket != std::string_view::npos && path.ends_with("']")) {
    const std::string_view base = path.substr(0, bracket);
    const std::string_view key = path.substr(bracket + 2, path.size() - bracket - 4);
    if (base == "metadata.labels" || base == "metadata.annotations") {
      errors.invalid_each(at, Value(key), check_qualified_name(to_lower(key)));
      return;
    }
    errors.invalid(at, bad, "does not support subscript");
    return;
  }
  if (std::ranges::find(kFieldPaths, path) != std::end(kFieldPaths)) return;
  // These mean something elsewhere, and others nothing at all.
  constexpr std::string_view kElsewhere[] = {"metadata.annotations", "metadata.labels", "spec.restartPolicy",
                                             "spec.schedulerName", "status.phase"};
  if (std::ranges::find(kElsewhere, path) != std::end(kElsewhere)) return errors.not_supported(at, bad, kFieldPaths);
  errors.invalid(at, bad, cat("error converting fieldPath: field label not supported: ", path));
}

void check_env_source(EnvVarSourceView source, EnvVarView variable, const FieldPath& at,
                      FieldErrors& errors) {
  size_t sources = 0;
  if (source.has_fieldRef()) {
    ++sources;
    const FieldPath path = at.field("fieldRef.fieldPath");
    const auto reference = source.fieldRef();
    check_field_reference(reference.fieldPath(), reference.fieldPath_value(), path, errors);
  }
  if (source.has_resourceFieldRef()) check_resource_reference(source.resourceFieldRef_value(), at.field("resourceFieldRef"), errors);
  sources += source.has_resourceFieldRef() + source.has_configMapKeyRef() +
             source.has_secretKeyRef() + source.has_fileKeyRef();
  if (sources == 0) {
    errors.invalid(at, Value(""),
                   "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                   "`secretKeyRef` or `fileKeyRef`");
  } else if (!variable.value().empty()) {
    errors.invalid(at, Value(""), "may not be specified when `value` is not empty");
  } else if (sources > 1) {
    errors.invalid(at, Value(""), "may not have more than one field specified at a time");
  }
}

void check_env(ContainerView container, const FieldPath& at, FieldErrors& errors) {
  const FieldPath list = at.field("env");
  for (size_t i = 0; i < container.env().size(); ++i) {
    const auto variable = container.env()[i];
    const FieldPath here = list.index(i);
    if (!variable.name().empty()) {
      errors.invalid_each(here.field("name"), variable.name_value(),
                          check_env_name(variable.name()));
    }
    if (variable.has_valueFrom()) {
      const FieldPath from = here.field("valueFrom");
      check_env_source(variable.valueFrom(), variable, from, errors);
    }
  }
  const FieldPath sources = at.field("envFrom");
  for (size_t i = 0; i < container.envFrom().size(); ++i) {
    const auto source = container.envFrom()[i];
    const FieldPath here = sources.index(i);
    if (!source.prefix().empty()) {
      errors.invalid_each(here.field("prefix"), source.prefix_value(),
                          check_env_name(source.prefix()));
    }
    const int count = source.has_configMapRef() + source.has_secretRef();
    if (count == 0) {
      errors.invalid(here, Value(""), "must specify one of: `configMapRef` or `secretRef`");
    } else if (count > 1) {
      errors.invalid(here, Value(""), "may not have more than one field specified at a time");
    }
    for (const auto& [key, name] : {std::pair{"configMapRef", source.configMapRef().name()},
                                    std::pair{"secretRef", source.secretRef().name()}}) {
      if (!source.raw()[key].has_value()) continue;
      const FieldPath reference = here.field(key);
      if (name.empty()) errors.required(reference.field("name"));
    }
  }
}

// `at` is the list: these complaints name no index.
void check_mount_modes(ContainerView container, VolumeMountView mount, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kPropagations[] = {"Bidirectional", "HostToContainer", "None"};
  static constexpr std::string_view kRecursive[] = {"Disabled", "Enabled", "IfPossible"};
  const FieldPath propagation_at = at.field("mountPropagation"), recursive_at = at.field("recursiveReadOnly");
  const std::string_view propagation = mount.mountPropagation(), recursive = mount.recursiveReadOnly();
  if (mount.has_mountPropagation() && std::ranges::find(kPropagations, propagation) == std::end(kPropagations))
    errors.not_supported(propagation_at, mount.mountPropagation_value(), kPropagations);
  if (propagation == "Bidirectional" && !container.securityContext().privileged())
    errors.forbidden(propagation_at, "Bidirectional mount propagation is available only to privileged containers");
  if (!mount.has_recursiveReadOnly() || recursive == "Disabled") return;
  if (recursive != "Enabled" && recursive != "IfPossible")
    return errors.not_supported(recursive_at, mount.recursiveReadOnly_value(), kRecursive);
  if (!mount.readOnly()) errors.forbidden(recursive_at, "may only be specified when readOnly is true");
  if (mount.has_mountPropagation() && propagation != "None")
    errors.forbidden(recursive_at, "may only be specified when mountPropagation is None or not specified");
}

void check_mounts(ContainerView container, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> paths;
  const FieldPath list = at.field("volumeMounts");
  for (size_t i = 0; i < container.volumeMounts().size(); ++i) {
    const auto mount = container.volumeMounts()[i];
    const FieldPath here = list.index(i);
    if (!mount.mountPath().empty() && !paths.insert(mount.mountPath()).second) {
      errors.invalid(here.field("mountPath"), mount.mountPath_value(), "must be unique");
    }
    if (mount.has_subPath() && mount.has_subPathExpr()) {
      errors.invalid(here.field("subPathExpr"), mount.subPathExpr_value(),
                     "subPathExpr and subPath are mutually exclusive");
    }
    check_mount_modes(container, mount, list, errors);
    const std::pair<std::string_view, const Value&> relative[] = {
        {"subPath", mount.subPath_value()}, {"subPathExpr", mount.subPathExpr_value()}};
    for (const auto& [name, path] : relative) {
      if (path.as_string().starts_with('/')) {
        errors.invalid(here.field(name), path, "must be a relative path");
      }
      for (const auto part : split(path.as_string(), '/')) {
        if (part == "..") errors.invalid(here.field(name), path, "must not contain '..'");
      }
    }
  }
}

// ---- handlers and probes ----

void check_http_get(const Value& action, const FieldPath& at, FieldErrors& errors) {
  const HTTPGetActionView get(action);
  if (get.path_value().as_string().empty()) errors.required(at.field("path"));
  const FieldPath port = at.field("port");
  if (get.has_port()) check_port_or_name(get.port(), port, errors);
  for (const auto header : get.httpHeaders()) {
    const std::string_view name = header.name();
    if (name.find_first_not_of("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == std::string_view::npos) continue;
    errors.invalid(at.field("httpHeaders"), header.name_value(),
                   "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
                   "validation is '[-A-Za-z0-9]+')");
  }
}

void check_tcp_socket(const Value& action, const FieldPath& at, FieldErrors& errors) {
  const FieldPath port = at.field("port");
  const Value& value = action[keys::kPort];
  if (value.has_value()) check_port_or_name(value, port, errors);
}

void check_grpc(const Value& action, const FieldPath& at, FieldErrors& errors) {
  errors.invalid_each(at.field("port"), action[keys::kPort],
                      check_port_number(action[keys::kPort].as_int()));
}

void check_exec(const Value& action, const FieldPath& at, FieldErrors& errors) {
  if (action[keys::kCommand].empty()) errors.required(at.field("command"));
}

void check_handler(const Value& handler, const FieldPath& at, FieldErrors& errors) {
  int count = 0;
  for (const auto& key :
       {keys::kExec, keys::kHttpGet, keys::kTcpSocket, keys::kGrpc, keys::kSleep}) {
    if (!handler[key].has_value()) continue;
    if (++count > 1) {
      errors.forbidden(at.field(key.text()), "may not specify more than 1 handler type");
    }
  }
  if (count == 0) errors.required(at, "must specify a handler type");
}

void check_probe(const Value& probe, const FieldPath& at, FieldErrors& errors) {
  check_handler(probe, at, errors);
  const Value& grace = probe[keys::kTerminationGracePeriodSeconds];
  if (grace.has_value() && grace.as_int() <= 0) {
    errors.invalid(at.field("terminationGracePeriodSeconds"), grace, "must be greater than 0");
  }
}

void check_probes(ContainerView container, const FieldPath& at, FieldErrors& errors) {
  // Liveness and startup have nothing to gain from several successes in a row.
  for (const auto& [name, probe] : {std::pair{"livenessProbe", container.livenessProbe()},
                                    std::pair{"startupProbe", container.startupProbe()}}) {
    const FieldPath here = at.field(name);
    if (probe && probe.successThreshold() != 1) {
      errors.invalid(here.field("successThreshold"), probe.successThreshold_value(), "must be 1");
    }
  }
  const auto readiness = container.readinessProbe();
  const FieldPath here = at.field("readinessProbe");
  if (readiness.has_terminationGracePeriodSeconds()) {
    errors.invalid(here.field("terminationGracePeriodSeconds"),
                   readiness.terminationGracePeriodSeconds_value(),
                   "must not be set for readinessProbes");
  }
}

// ---- resources ----

bool is_standard_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" ||
         name.starts_with("hugepages-");
}

// Of a node's own resources a pod may ask for less than it may use.
bool may_overcommit(std::string_view name) {
  const bool native = name.find('/') == std::string_view::npos || name.find("kubernetes.io/") != std::string_view::npos;
  return native && !name.starts_with("hugepages-");
}

void check_container_amounts(const Value& amounts, const FieldPath& at, FieldErrors& errors) {
  for (const auto& [key, amount] : amounts.entries()) {
    const std::string_view name = key.text();
    const FieldPath here = at.key(name);
    check_container_resource(name, here, errors);
    if (Quantity::of_value(amount).negative()) {
      errors.invalid(here, amount, "must be greater than or equal to 0");
    } else if (!may_overcommit(name) && Quantity::of_value(amount).milli() % 1000 != 0) {
      errors.invalid(here, amount, "must be an integer");
    }
  }
}

void check_security_context(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const SecurityContextView context(value);
  check_id(context.runAsUser_value(), at.field("runAsUser"), errors);
  check_id(context.runAsGroup_value(), at.field("runAsGroup"), errors);
  if (!context.has_allowPrivilegeEscalation() || context.allowPrivilegeEscalation()) return;
  if (context.privileged()) {
    errors.invalid(at, value,
                   "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  }
  for (const auto capability : context.capabilities().add()) {
    if (capability == "CAP_SYS_ADMIN") {
      errors.invalid(at, value,
                     "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
                     "CAP_SYS_ADMIN");
    }
  }
}

void check_restarts(const Value& container, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kPolicies[] = {"Always", "Never", "OnFailure"};
  static constexpr std::string_view kResized[] = {"cpu", "memory"}, kOnResize[] = {"NotRequired", "RestartContainer"};
  const auto supported = [&errors](const FieldPath& here, const Value& value, std::span<const std::string_view> list) {
    if (value.has_value() && std::ranges::find(list, value.as_string()) == list.end()) errors.not_supported(here, value, list);
  };
  supported(at.field("restartPolicy"), container[keys::kRestartPolicy], kPolicies);
  // Whose other action is behind a gate that is closed.
  static constexpr std::string_view kActions[] = {"Restart"};
  const FieldPath rules_at = at.field("restartPolicyRules");
  const auto rules = container.get("restartPolicyRules").items();
  for (size_t i = 0; i < rules.size(); ++i) {
    const FieldPath rule = rules_at.index(i);
    supported(rule.field("action"), rules[i][keys::kAction], kActions);
  }
  const FieldPath resize = at.field("resizePolicy");
  const auto policies = container[keys::kResizePolicy].items();
  std::set<std::string_view> resources;
  for (size_t i = 0; i < policies.size(); ++i) {
    const Value& resource = policies[i][keys::kResourceName];
    if (!resources.insert(resource.as_string()).second) errors.duplicate(resize.index(i), resource);
    supported(resize, resource, kResized);
    supported(resize, policies[i][keys::kRestartPolicy], kOnResize);
  }
}

constexpr NamedCheckRule kContainerRules[] = {
    {"core", "HTTPGetAction", check_http_get},
    {"core", "TCPSocketAction", check_tcp_socket},
    {"core", "GRPCAction", check_grpc},
    {"core", "ExecAction", check_exec},
    {"core", "LifecycleHandler", check_handler},
    {"core", "Probe", check_probe},
    {"core", "ResourceRequirements", check_resources},
    {"core", "SecurityContext", check_security_context},
};

}  // namespace

std::span<const NamedCheckRule> container_rules() {
  return kContainerRules;
}

void check_container_resource(std::string_view name, const FieldPath& at, FieldErrors& errors) {
  errors.invalid_each(at, Value(name), check_qualified_name(name));
  if (name.find('/') != std::string_view::npos || is_standard_resource(name)) return;
  errors.invalid(at, Value(name), "must be a standard resource type or fully qualified");
  errors.invalid(at, Value(name), "must be a standard resource for containers");
}

void check_resources(const Value& resources, const FieldPath& at, FieldErrors& errors) {
  const Value& limits = resources[keys::kLimits];
  const Value& requests = resources[keys::kRequests];
  const FieldPath limits_at = at.field("limits");
  const FieldPath requests_at = at.field("requests");
  check_container_amounts(limits, limits_at, errors);
  check_container_amounts(requests, requests_at, errors);
  for (const auto& [name, amount] : requests.entries()) {
    const Value& limit = limits[name];
    const bool exact = !may_overcommit(name.text());
    if (!limit.has_value()) {
      if (exact) errors.required(limits_at, "Limit must be set for non overcommitable resources");
    } else if (exact && !(Quantity::of_value(amount) == Quantity::of_value(limit))) {
      errors.invalid(requests_at, amount, cat("must be equal to ", name.text(), " limit of ", limit.as_string()));
    } else if (Quantity::of_value(amount) > Quantity::of_value(limit)) {
      errors.invalid(
          requests_at, amount,
          cat("must be less than or equal to ", name.text(), " limit of ", limit.as_string()));
    }
  }
  bool huge = false, usual = false;
  for (const auto& amounts : {limits, requests}) {
    for (const auto& [name, amount] : amounts.entries()) {
      huge |= name.text().starts_with("hugepages-");
      usual |= name.text() == "cpu" || name.text() == "memory";
    }
  }
  if (huge && !usual) errors.forbidden(at, "HugePages require cpu or memory");
}

void check_resource_reference(const Value& value, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kResources[] = {"limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
                                                    "requests.cpu", "requests.ephemeral-storage", "requests.memory"};
  const ResourceFieldSelectorView reference(value);
  const std::string_view name = reference.resource();
  if (name.empty() || name.starts_with("limits.hugepages-") || name.starts_with("requests.hugepages-")) return;
  if (std::ranges::find(kResources, name) == std::end(kResources))
    errors.not_supported(at.field("resource"), reference.resource_value(), kResources);
}

void check_container(const Value& value, bool init, const FieldPath& at, FieldErrors& errors) {
  const ContainerView container(value);
  if (!container.name().empty()) {
    errors.invalid_each(at.field("name"), container.name_value(),
                        check_dns_label(container.name()));
  }
  const std::string_view image = container.image();
  if (image.empty()) {
    errors.required(at.field("image"));
  } else if (trim(image) != image) {
    errors.invalid(at.field("image"), container.image_value(),
                   "must not have leading or trailing whitespace");
  }
  check_ports(container, at, errors);
  check_env(container, at, errors);
  check_mounts(container, at, errors);
  check_probes(container, at, errors);
  check_restarts(value, at, errors);
  if (!init || container.restartPolicy() == "Always") return;
  for (const auto* name : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}) {
    if (value[name].has_value()) {
      errors.forbidden(at.field(name),
                       "may not be set for init containers without restartPolicy=Always");
    }
  }
}

}  // namespace minik::control
