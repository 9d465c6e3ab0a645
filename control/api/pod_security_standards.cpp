#include "control/api/pod_security_standards.h"

#include <algorithm>
#include <functional>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

using Texts = std::vector<std::string>;
using TextSet = std::set<std::string>;
using Finding = std::optional<PodSecurityViolation>;

struct Pod {
  const Value& metadata;
  const Value& spec;
  int minor;  // of the version that is asked for

  const Value& security() const { return spec[keys::kSecurityContext]; }
  // Root in a user namespace of its own is nobody outside, which the standards take into account from 1.35 on.
  bool is_in_user_namespace() const {
    const Value& shared = spec.get("hostUsers");
    return minor >= 35 && shared.is_bool() && !shared.as_bool();
  }
  bool is_windows() const { return spec[keys::kOs][keys::kName].as_string() == "windows"; }
  void each_container(const std::function<void(const Value&)>& visit) const {
    for (const auto& list : {keys::kInitContainers, keys::kContainers, keys::kEphemeralContainers}) {
      for (const auto& container : spec[list].items()) visit(container);
    }
  }
  // The names of those that `bad` says yes to.
  Texts containers_where(const std::function<bool(const Value&)>& bad) const {
    Texts names;
    each_container([&](const Value& container) {
      if (bad(container)) names.push_back(container[keys::kName].string());
    });
    return names;
  }
};

std::string_view counted(size_t n, std::string_view one, std::string_view more) { return n == 1 ? one : more; }

template <typename List>
std::string joined_quoted(const List& texts) {
  Texts all;
  for (const auto& text : texts) all.push_back(quoted(text));
  return join(all, ", ");
}

std::string containers(const Texts& names) {
  return cat(counted(names.size(), "container ", "containers "), joined_quoted(names));
}

// "pod and containers "a", "b"": who sets a field that both pods and containers have.
std::string setters(bool pod, const Texts& names) {
  Texts all;
  if (pod) all.emplace_back("pod");
  if (!names.empty()) all.push_back(containers(names));
  return join(all, " and ");
}

// --- baseline ---

Finding apparmor_profile(const Pod& pod) {
  TextSet values;
  const auto is_bad = [&](const Value& security) {
    const auto type = security[keys::kAppArmorProfile][keys::kType].as_string();
    if (!security[keys::kAppArmorProfile].is_map() || type == "RuntimeDefault" || type == "Localhost") return false;
    values.emplace(type);
    return true;
  };
  const bool by_pod = is_bad(pod.security());
  const auto names = pod.containers_where([&](const Value& c) { return is_bad(c[keys::kSecurityContext]); });
  Texts bad(values.begin(), values.end()), annotations;
  for (const auto& [key, value] : pod.metadata[keys::kAnnotations].entries()) {
    const auto profile = value.as_string();
    if (!key.text().starts_with("container.apparmor.security.beta.kubernetes.io/") || profile.empty() ||
        profile == "runtime/default" || profile.starts_with("localhost/")) {
      continue;
    }
    annotations.push_back(cat(key.text(), "=", quoted(profile)));
  }
  std::ranges::sort(annotations);
  bad.insert(bad.end(), annotations.begin(), annotations.end());
  if (bad.empty()) return {};
  Texts who;
  if (auto fields = setters(by_pod, names); !fields.empty()) who.push_back(std::move(fields));
  if (!annotations.empty()) who.emplace_back(counted(annotations.size(), "annotation", "annotations"));
  return PodSecurityViolation{std::string(counted(bad.size(), "forbidden AppArmor profile", "forbidden AppArmor profiles")),
                              cat(join(who, " and "), " must not set AppArmor profile type to ", joined_quoted(bad))};
}

Finding capabilities_baseline(const Pod& pod) {
  static const TextSet kDefault = {"AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE", "FOWNER", "FSETID",  "KILL",    "MKNOD",
                                   "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"};
  TextSet added;
  const auto names = pod.containers_where([&](const Value& c) {
    bool bad = false;
    for (const auto& capability : c[keys::kSecurityContext][keys::kCapabilities][keys::kAdd].items()) {
      if (kDefault.contains(capability.string())) continue;
      added.insert(capability.string());
      bad = true;
    }
    return bad;
  });
  if (names.empty()) return {};
  return PodSecurityViolation{
      "non-default capabilities",
      cat(containers(names), " must not include ", joined_quoted(added), " in securityContext.capabilities.add")};
}

Finding host_namespaces(const Pod& pod) {
  Texts shared;
  if (pod.spec[keys::kHostNetwork].as_bool()) shared.emplace_back("hostNetwork=true");
  if (pod.spec[keys::kHostPID].as_bool()) shared.emplace_back("hostPID=true");
  if (pod.spec[keys::kHostIPC].as_bool()) shared.emplace_back("hostIPC=true");
  if (shared.empty()) return {};
  return PodSecurityViolation{"host namespaces", join(shared, ", ")};
}

Finding host_path_volumes(const Pod& pod) {
  Texts names;
  for (const auto& volume : pod.spec[keys::kVolumes].items()) {
    if (volume[keys::kHostPath].is_map()) names.push_back(volume[keys::kName].string());
  }
  if (names.empty()) return {};
  return PodSecurityViolation{"hostPath volumes",
                              cat(counted(names.size(), "volume ", "volumes "), joined_quoted(names))};
}

Finding host_ports(const Pod& pod) {
  TextSet ports;
  const auto names = pod.containers_where([&](const Value& c) {
    bool bad = false;
    for (const auto& port : c[keys::kPorts].items()) {
      if (port[keys::kHostPort].as_int() == 0) continue;
      ports.insert(cat(port[keys::kHostPort].as_int()));
      bad = true;
    }
    return bad;
  });
  if (names.empty()) return {};
  return PodSecurityViolation{"hostPort", cat(containers(names), counted(names.size(), " uses ", " use "),
                                              counted(ports.size(), "hostPort ", "hostPorts "),
                                              join(Texts(ports.begin(), ports.end()), ", "))};
}

Finding probe_hosts(const Pod& pod) {
  TextSet hosts;
  const auto look = [&](const Value& handler) {
    bool bad = false;
    for (const auto& way : {keys::kHttpGet, keys::kTcpSocket}) {
      const auto host = handler[way][keys::kHost].as_string();
      if (host.empty()) continue;
      hosts.emplace(host);
      bad = true;
    }
    return bad;
  };
  auto names = pod.containers_where([&](const Value& c) {
    bool bad = false;
    for (const auto& probe : {keys::kLivenessProbe, keys::kReadinessProbe, keys::kStartupProbe}) bad |= look(c[probe]);
    for (const auto& hook : {keys::kPostStart, keys::kPreStop}) bad |= look(c[keys::kLifecycle][hook]);
    return bad;
  });
  if (names.empty()) return {};
  std::ranges::sort(names);
  return PodSecurityViolation{
      "probe or lifecycle host",
      cat(containers(names), counted(names.size(), " uses ", " use "),
          counted(hosts.size(), "probe or lifecycle host ", "probe or lifecycle hosts "), joined_quoted(hosts))};
}

Finding privileged(const Pod& pod) {
  const auto names =
      pod.containers_where([](const Value& c) { return c[keys::kSecurityContext][keys::kPrivileged].as_bool(); });
  if (names.empty()) return {};
  return PodSecurityViolation{"privileged", cat(containers(names), " must not set securityContext.privileged=true")};
}

Finding proc_mount_restricted(const Pod& pod) {
  TextSet kinds;
  const auto names = pod.containers_where([&](const Value& c) {
    const auto kind = c[keys::kSecurityContext][keys::kProcMount].as_string();
    if (kind.empty() || kind == "Default") return false;
    kinds.emplace(kind);
    return true;
  });
  if (names.empty()) return {};
  return PodSecurityViolation{
      "procMount", cat(containers(names), " must not set securityContext.procMount to ", joined_quoted(kinds))};
}

Finding proc_mount(const Pod& pod) { return pod.is_in_user_namespace() ? Finding() : proc_mount_restricted(pod); }

Finding selinux_options(const Pod& pod) {
  TextSet types;
  bool user = false, role = false;
  const auto is_bad = [&](const Value& security) {
    const Value& options = security[keys::kSeLinuxOptions];
    const auto type = options[keys::kType].as_string();
    const bool allowed = type.empty() || type == "container_t" || type == "container_init_t" ||
                         type == "container_kvm_t" || (type == "container_engine_t" && pod.minor >= 31);
    if (!allowed) types.emplace(type);
    const bool sets_user = !options[keys::kUser].as_string().empty(), sets_role = !options[keys::kRole].as_string().empty();
    user |= sets_user;
    role |= sets_role;
    return !allowed || sets_user || sets_role;
  };
  const bool by_pod = is_bad(pod.security());
  const auto names = pod.containers_where([&](const Value& c) { return is_bad(c[keys::kSecurityContext]); });
  if (!by_pod && names.empty()) return {};
  Texts what;
  if (!types.empty()) what.push_back(cat(counted(types.size(), "type ", "types "), joined_quoted(types)));
  if (user) what.emplace_back("user may not be set");
  if (role) what.emplace_back("role may not be set");
  return PodSecurityViolation{"seLinuxOptions", cat(setters(by_pod, names), " set forbidden securityContext.seLinuxOptions: ",
                                                    join(what, "; "))};
}

bool is_seccomp_type(std::string_view type) { return type == "RuntimeDefault" || type == "Localhost"; }

// Who sets a seccomp profile that is none of the runtime's or the node's own.
struct SeccompSetters {
  bool by_pod = false, pod_is_good = false;
  Texts names, silent;  // containers that set a bad one; that set none while the pod sets no good one
  TextSet values;
};

SeccompSetters seccomp_setters(const Pod& pod) {
  SeccompSetters found;
  const Value& own = pod.security()[keys::kSeccompProfile];
  if (own.is_map()) {
    found.pod_is_good = is_seccomp_type(own[keys::kType].as_string());
    found.by_pod = !found.pod_is_good;
    if (found.by_pod) found.values.insert(own[keys::kType].string());
  }
  pod.each_container([&](const Value& c) {
    const Value& profile = c[keys::kSecurityContext][keys::kSeccompProfile];
    if (!profile.is_map()) {
      if (!found.pod_is_good) found.silent.push_back(c[keys::kName].string());
    } else if (!is_seccomp_type(profile[keys::kType].as_string())) {
      found.names.push_back(c[keys::kName].string());
      found.values.insert(profile[keys::kType].string());
    }
  });
  return found;
}

Finding bad_seccomp(const SeccompSetters& found) {
  if (!found.by_pod && found.names.empty()) return {};
  return PodSecurityViolation{"seccompProfile",
                              cat(setters(found.by_pod, found.names), " must not set securityContext.seccompProfile.type to ",
                                  joined_quoted(found.values))};
}

Finding seccomp_baseline(const Pod& pod) { return bad_seccomp(seccomp_setters(pod)); }

Finding sysctls(const Pod& pod) {
  static const std::vector<std::pair<std::string_view, int>> kSafeSince = {
      {"kernel.shm_rmid_forced", 0},          {"net.ipv4.ip_local_port_range", 0},
      {"net.ipv4.tcp_syncookies", 0},         {"net.ipv4.ping_group_range", 0},
      {"net.ipv4.ip_unprivileged_port_start", 0}, {"net.ipv4.ip_local_reserved_ports", 27},
      {"net.ipv4.tcp_keepalive_time", 29},    {"net.ipv4.tcp_fin_timeout", 29},
      {"net.ipv4.tcp_keepalive_intvl", 29},   {"net.ipv4.tcp_keepalive_probes", 29},
      {"net.ipv4.tcp_rmem", 32},              {"net.ipv4.tcp_wmem", 32}};
  Texts names;
  for (const auto& sysctl : pod.security()[keys::kSysctls].items()) {
    const auto name = sysctl[keys::kName].as_string();
    const bool safe = std::ranges::any_of(
        kSafeSince, [&](const auto& known) { return known.first == name && pod.minor >= known.second; });
    if (!safe) names.emplace_back(name);
  }
  if (names.empty()) return {};
  return PodSecurityViolation{std::string(counted(names.size(), "forbidden sysctl", "forbidden sysctls")), join(names, ", ")};
}

Finding windows_host_process(const Pod& pod) {
  const auto is_bad = [](const Value& security) { return security[keys::kWindowsOptions][keys::kHostProcess].as_bool(); };
  const bool by_pod = is_bad(pod.security());
  const auto names = pod.containers_where([&](const Value& c) { return is_bad(c[keys::kSecurityContext]); });
  if (!by_pod && names.empty()) return {};
  return PodSecurityViolation{
      "hostProcess", cat(setters(by_pod, names), " must not set securityContext.windowsOptions.hostProcess=true")};
}

// --- restricted ---

Finding privilege_escalation(const Pod& pod) {
  if (pod.minor >= 25 && pod.is_windows()) return {};
  const auto names = pod.containers_where(
      [](const Value& c) { return c[keys::kSecurityContext][keys::kAllowPrivilegeEscalation].as_bool(true); });
  if (names.empty()) return {};
  return PodSecurityViolation{"allowPrivilegeEscalation != false",
                              cat(containers(names), " must set securityContext.allowPrivilegeEscalation=false")};
}

Finding capabilities_restricted(const Pod& pod) {
  if (pod.minor >= 25 && pod.is_windows()) return {};
  TextSet added;
  const auto keeping = pod.containers_where([](const Value& c) {
    const auto dropped = c[keys::kSecurityContext][keys::kCapabilities][keys::kDrop].items();
    return std::ranges::none_of(dropped, [](const Value& v) { return v.as_string() == "ALL"; });
  });
  const auto adding = pod.containers_where([&](const Value& c) {
    bool bad = false;
    for (const auto& capability : c[keys::kSecurityContext][keys::kCapabilities][keys::kAdd].items()) {
      if (capability.as_string() == "NET_BIND_SERVICE") continue;
      added.insert(capability.string());
      bad = true;
    }
    return bad;
  });
  Texts details;
  if (!keeping.empty()) details.push_back(cat(containers(keeping), R"( must set securityContext.capabilities.drop=["ALL"])"));
  if (!adding.empty()) {
    details.push_back(cat(containers(adding), " must not include ", joined_quoted(added), " in securityContext.capabilities.add"));
  }
  if (details.empty()) return {};
  return PodSecurityViolation{"unrestricted capabilities", join(details, "; ")};
}

Finding restricted_volumes(const Pod& pod) {
  static const TextSet kAllowed = {"configMap", "csi",       "downwardAPI",           "emptyDir",
                                   "ephemeral", "projected", "persistentVolumeClaim", "secret"};
  Texts names;
  TextSet types;
  for (const auto& volume : pod.spec[keys::kVolumes].items()) {
    std::string type = "unknown";
    bool allowed = false;
    for (const auto& [key, value] : volume.entries()) {
      if (!value.is_map()) continue;
      type = key.text();
      allowed = allowed || kAllowed.contains(type);
    }
    if (allowed) continue;
    names.push_back(volume[keys::kName].string());
    types.insert(std::move(type));
  }
  if (names.empty()) return {};
  return PodSecurityViolation{
      "restricted volume types",
      cat(counted(names.size(), "volume ", "volumes "), joined_quoted(names), counted(names.size(), " uses ", " use "),
          counted(types.size(), "restricted volume type ", "restricted volume types "), joined_quoted(types))};
}

Finding run_as_non_root(const Pod& pod) {
  if (pod.is_in_user_namespace()) return {};
  const Value& own = pod.security()[keys::kRunAsNonRoot];
  Texts names, silent;
  pod.each_container([&](const Value& c) {
    const Value& says = c[keys::kSecurityContext][keys::kRunAsNonRoot];
    if (says.is_bool() && !says.as_bool()) names.push_back(c[keys::kName].string());
    if (!says.is_bool() && !own.as_bool()) silent.push_back(c[keys::kName].string());
  });
  const bool by_pod = own.is_bool() && !own.as_bool();
  if (by_pod || !names.empty()) {
    return PodSecurityViolation{"runAsNonRoot != true",
                                cat(setters(by_pod, names), " must not set securityContext.runAsNonRoot=false")};
  }
  if (silent.empty()) return {};
  return PodSecurityViolation{"runAsNonRoot != true",
                              cat("pod or ", containers(silent), " must set securityContext.runAsNonRoot=true")};
}

Finding run_as_user(const Pod& pod) {
  if (pod.is_in_user_namespace()) return {};
  const auto is_bad = [](const Value& security) {
    return security[keys::kRunAsUser].is_int() && security[keys::kRunAsUser].as_int() == 0;
  };
  const bool by_pod = is_bad(pod.security());
  const auto names = pod.containers_where([&](const Value& c) { return is_bad(c[keys::kSecurityContext]); });
  if (!by_pod && names.empty()) return {};
  return PodSecurityViolation{"runAsUser=0", cat(setters(by_pod, names), " must not set runAsUser=0")};
}

Finding seccomp_restricted(const Pod& pod) {
  if (pod.minor >= 25 && pod.is_windows()) return {};
  const auto found = seccomp_setters(pod);
  if (auto bad = bad_seccomp(found)) return bad;
  if (found.silent.empty()) return {};
  return PodSecurityViolation{"seccompProfile",
                              cat("pod or ", containers(found.silent),
                                  R"( must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")")};
}

struct Check {
  Finding (*look)(const Pod&);
  int since;       // minor version
  int until = -1;  // replaced at the level restricted by a stricter check from this version on; -1: never
};

// In the order in which Kubernetes tells them.
constexpr Check kBaseline[] = {{apparmor_profile, 0},  {capabilities_baseline, 0, 22}, {host_namespaces, 0},
                               {host_path_volumes, 0, 0}, {host_ports, 0},             {probe_hosts, 34},
                               {privileged, 0},        {proc_mount, 0, 35},             {selinux_options, 0},
                               {seccomp_baseline, 19, 19}, {sysctls, 0},               {windows_host_process, 0}};
constexpr Check kRestricted[] = {{privilege_escalation, 8}, {capabilities_restricted, 22}, {proc_mount_restricted, 35},
                                 {restricted_volumes, 0},   {run_as_non_root, 0},          {run_as_user, 23},
                                 {seccomp_restricted, 19}};

}  // namespace

std::string PodSecurityStandard::text() const {
  constexpr std::string_view kNames[] = {"privileged", "baseline", "restricted"};
  const auto name = kNames[static_cast<size_t>(level)];
  return minor == kLatestMinor ? cat(name, ":latest") : cat(name, ":v1.", minor);
}

std::optional<PodSecurityLevel> parse_pod_security_level(std::string_view text) {
  if (text == "privileged") return PodSecurityLevel::kPrivileged;
  if (text == "baseline") return PodSecurityLevel::kBaseline;
  if (text == "restricted") return PodSecurityLevel::kRestricted;
  return {};
}

std::optional<int> parse_pod_security_version(std::string_view text) {
  if (text == "latest") return kLatestMinor;
  constexpr std::string_view kPrefix = "v1.";
  if (!text.starts_with(kPrefix)) return {};
  const auto digits = text.substr(kPrefix.size());
  const auto minor = parse_uint64(digits);
  if (!minor || *minor >= 1000 || (digits.size() > 1 && digits[0] == '0')) return {};
  return static_cast<int>(*minor);
}

std::vector<PodSecurityViolation> pod_security_violations(const PodSecurityStandard& standard, const Value& metadata,
                                                          const Value& spec) {
  std::vector<PodSecurityViolation> violations;
  if (standard.level == PodSecurityLevel::kPrivileged) return violations;
  const bool restricted = standard.level == PodSecurityLevel::kRestricted;
  const Pod pod{metadata, spec, standard.minor};
  const auto run = [&](const Check& check) {
    if (pod.minor < check.since || (restricted && check.until >= 0 && pod.minor >= check.until)) return;
    if (auto found = check.look(pod)) violations.push_back(*std::move(found));
  };
  for (const auto& check : kBaseline) run(check);
  if (!restricted) return violations;
  for (const auto& check : kRestricted) run(check);
  return violations;
}

std::string violation_details(const std::vector<PodSecurityViolation>& violations) {
  Texts all;
  for (const auto& one : violations) all.push_back(one.detail.empty() ? one.reason : cat(one.reason, " (", one.detail, ")"));
  return join(all, ", ");
}

std::string violation_reasons(const std::vector<PodSecurityViolation>& violations) {
  Texts all;
  for (const auto& one : violations) all.push_back(one.reason);
  return join(all, ", ");
}

}  // namespace minik::control
