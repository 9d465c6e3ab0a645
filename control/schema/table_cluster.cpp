// Rows of nodes, namespaces, events, configuration, access rules and what extends the API.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"
#include "control/schema/table_rows.h"
#include "control/schema/views/core_config.h"
#include "control/schema/views/core_event.h"
#include "control/schema/views/core_node.h"
#include "control/schema/views/flowcontrol.h"
#include "control/schema/views/rbac.h"

namespace minik::control {

namespace {

// ---- Node ----

constexpr TableColumn kNode[] = {{"Name", "string"},
                                 {"Status", "string"},
                                 {"Roles", "string"},
                                 {"Age", "string"},
                                 {"Version", "string"},
                                 {"Internal-IP", "string", 1},
                                 {"External-IP", "string", 1},
                                 {"OS-Image", "string", 1},
                                 {"Kernel-Version", "string", 1},
                                 {"Container-Runtime", "string", 1}};

std::string node_status(NodeView node) {
  std::string text = "Unknown";
  for (const auto condition : node.status().conditions()) {
    if (condition.type() != "Ready") continue;
    text = condition.status() == "True" ? "Ready" : "NotReady";
  }
  if (node.spec().unschedulable()) text += ",SchedulingDisabled";
  return text;
}

std::string node_roles(const Value& labels) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::vector<std::string> roles;
  for (const auto& [key, value] : labels.entries()) {
    if (key.text().starts_with(kPrefix) && key.text().size() > kPrefix.size()) {
      roles.emplace_back(key.text().substr(kPrefix.size()));
    } else if (key.text() == "kubernetes.io/role" && !value.as_string().empty()) {
      roles.push_back(value.string());
    }
  }
  std::ranges::sort(roles);
  roles.erase(std::unique(roles.begin(), roles.end()), roles.end());
  return or_none(join(roles, ","));
}

std::string node_address(NodeView node, std::string_view type) {
  for (const auto address : node.status().addresses()) {
    if (address.type() == type) return std::string(address.address());
  }
  return "<none>";
}

void node_cells(const Value& object, WallTime now, Cells& cells) {
  const NodeView node(object);
  const auto info = node.status().nodeInfo();
  const auto or_unknown = [](std::string_view text) {
    return std::string(text.empty() ? "<unknown>" : text);
  };
  cells.emplace_back(node_status(node));
  cells.emplace_back(node_roles(node.metadata().labels()));
  cells.emplace_back(object_age(object, now));
  cells.emplace_back(info.kubeletVersion());
  cells.emplace_back(node_address(node, "InternalIP"));
  cells.emplace_back(node_address(node, "ExternalIP"));
  cells.emplace_back(or_unknown(info.osImage()));
  cells.emplace_back(or_unknown(info.kernelVersion()));
  cells.emplace_back(or_unknown(info.containerRuntimeVersion()));
}

// ---- Event ----

constexpr TableColumn kEvent[] = {{"Last Seen", "string"},    {"Type", "string"},
                                  {"Reason", "string"},       {"Object", "string"},
                                  {"Subobject", "string", 1}, {"Source", "string", 1},
                                  {"Message", "string"},      {"First Seen", "string", 1},
                                  {"Count", "string", 1},     {"Name", "string", 1}};

void event_cells(const Value& object, WallTime now, Cells& cells) {
  const EventView event(object);
  std::string first = age_of(
      event.has_firstTimestamp() ? event.firstTimestamp_value() : event.eventTime_value(), now);
  std::string last = event.has_lastTimestamp() ? age_of(event.lastTimestamp_value(), now) : first;
  int64_t count = std::max<int64_t>(event.count(), 1);
  if (event.has_series()) {
    last = age_of(event.series().lastObservedTime_value(), now);
    count = event.series().count();
  }
  const auto involved = event.involvedObject();
  std::string target = to_lower(involved.kind());
  if (!involved.name().empty()) target += cat("/", involved.name());
  const auto from = event.source();
  std::string source(from.component().empty() ? event.reportingComponent() : from.component());
  const std::string_view host = from.host().empty() ? event.reportingInstance() : from.host();
  if (!host.empty()) source += cat(", ", host);
  cells.emplace_back(last);
  cells.emplace_back(event.type());
  cells.emplace_back(event.reason());
  cells.emplace_back(target);
  cells.emplace_back(involved.fieldPath());
  cells.emplace_back(source);
  cells.emplace_back(trim(event.message()));
  cells.emplace_back(first);
  cells.emplace_back(count);
  cells.emplace_back(event.metadata().name());
}

// ---- Small kinds ----

constexpr TableColumn kNamespace[] = {{"Name", "string"}, {"Status", "string"}, {"Age", "string"}};

void namespace_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(NamespaceView(object).status().phase());
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kConfigMap[] = {{"Name", "string"}, {"Data", "string"}, {"Age", "string"}};

void config_map_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(
      static_cast<int64_t>(object[keys::kData].size() + object[keys::kBinaryData].size()));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kSecret[] = {
    {"Name", "string"}, {"Type", "string"}, {"Data", "string"}, {"Age", "string"}};

void secret_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(SecretView(object).type());
  cells.emplace_back(static_cast<int64_t>(object[keys::kData].size()));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kServiceAccount[] = {
    {"Name", "string"}, {"Secrets", "string"}, {"Age", "string"}};

void service_account_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(static_cast<int64_t>(ServiceAccountView(object).secrets().size()));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kLease[] = {{"Name", "string"}, {"Holder", "string"}, {"Age", "string"}};

void lease_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(object.at({keys::kSpec, keys::kHolderIdentity}).as_string());
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kComponentStatus[] = {
    {"Name", "string"}, {"Status", "string"}, {"Message", "string"}, {"Error", "string"}};

void component_status_cells(const Value& object, WallTime, Cells& cells) {
  for (const auto& condition : object[keys::kConditions].items()) {
    if (condition[keys::kType].as_string() != "Healthy") continue;
    cells.emplace_back(condition[keys::kStatus].as_string() == "True" ? "Healthy" : "Unhealthy");
    cells.emplace_back(condition[keys::kMessage].as_string());
    cells.emplace_back(condition[keys::kError].as_string());
    return;
  }
  for (const auto* unknown : {"Unknown", "", ""}) cells.emplace_back(unknown);
}

constexpr TableColumn kQuota[] = {
    {"Name", "string"}, {"Request", "string"}, {"Limit", "string"}, {"Age", "string"}};

void quota_cells(const Value& object, WallTime now, Cells& cells) {
  const auto status = ResourceQuotaView(object).status();
  std::vector<std::string> requests, limits;
  for (const auto& [name, hard] : status.hard().entries()) {
    const std::string used = status.used()[name].string();
    auto& list = name.text().starts_with("limits.") ? limits : requests;
    list.push_back(cat(name.text(), ": ", used.empty() ? "0" : used, "/", hard.as_string()));
  }
  cells.emplace_back(join(requests, ", "));
  cells.emplace_back(join(limits, ", "));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kPriorityClass[] = {{"Name", "string"},
                                          {"Value", "integer"},
                                          {"Global-Default", "boolean"},
                                          {"Age", "string"},
                                          {"PreemptionPolicy", "string"}};

void priority_class_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(object[keys::kValue].as_int());
  cells.emplace_back(object[keys::kGlobalDefault].as_bool());
  cells.emplace_back(object_age(object, now));
  cells.emplace_back(object[keys::kPreemptionPolicy].as_string());
}

constexpr TableColumn kRuntimeClass[] = {
    {"Name", "string"}, {"Handler", "string"}, {"Age", "string"}};

void runtime_class_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(object[keys::kHandler].as_string());
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kWebhooks[] = {
    {"Name", "string"}, {"Webhooks", "integer"}, {"Age", "string"}};

void webhook_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(static_cast<int64_t>(object[keys::kWebhooks].size()));
  cells.emplace_back(object_age(object, now));
}

// ---- Access rules ----

constexpr TableColumn kBinding[] = {{"Name", "string"},      {"Role", "string"},
                                    {"Age", "string"},       {"Users", "string", 1},
                                    {"Groups", "string", 1}, {"ServiceAccounts", "string", 1}};

void binding_cells(const Value& object, WallTime now, Cells& cells) {
  const RoleBindingView binding(object);
  std::vector<std::string> users, groups, accounts;
  for (const auto subject : binding.subjects()) {
    if (subject.kind() == "User") users.emplace_back(subject.name());
    if (subject.kind() == "Group") groups.emplace_back(subject.name());
    if (subject.kind() == "ServiceAccount") {
      accounts.push_back(cat(subject.namespace_(), "/", subject.name()));
    }
  }
  cells.emplace_back(cat(binding.roleRef().kind(), "/", binding.roleRef().name()));
  cells.emplace_back(object_age(object, now));
  cells.emplace_back(join(users, ", "));
  cells.emplace_back(join(groups, ", "));
  cells.emplace_back(join(accounts, ", "));
}

// ---- Requests and extensions ----

constexpr TableColumn kCertificateRequest[] = {
    {"Name", "string"},      {"Age", "string"},
    {"SignerName", "string"}, {"Requestor", "string"},
    {"RequestedDuration", "string"}, {"Condition", "string"}};

void certificate_request_cells(const Value& object, WallTime now, Cells& cells) {
  const Value& spec = object[keys::kSpec];
  const Value& status = object[keys::kStatus];
  const auto has = [&](std::string_view type) {
    const auto conditions = status[keys::kConditions].items();
    return std::ranges::any_of(conditions, [&](const Value& c) { return c[keys::kType].as_string() == type; });
  };
  std::string told = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending";
  if (has("Failed")) told += ",Failed";
  if (!status[keys::kCertificate].as_string().empty()) told += ",Issued";
  const Value& wanted = spec[keys::kExpirationSeconds];
  cells.emplace_back(object_age(object, now));
  cells.emplace_back(spec[keys::kSignerName].as_string());
  cells.emplace_back(spec[keys::kUsername].as_string());
  cells.emplace_back(wanted.is_int() ? age_of(Value(format_time(now - seconds(wanted.as_int()))), now) : "<none>");
  cells.emplace_back(told);
}

constexpr TableColumn kApiService[] = {
    {"Name", "string"}, {"Service", "string"}, {"Available", "string"}, {"Age", "string"}};

void api_service_cells(const Value& object, WallTime now, Cells& cells) {
  const Value& service = object[keys::kSpec].get("service");
  cells.emplace_back(service.is_map() ? cat(service[keys::kNamespace].as_string(), "/", service[keys::kName].as_string())
                                      : std::string("Local"));
  std::string available = "Unknown";
  for (const auto& condition : object[keys::kStatus][keys::kConditions].items()) {
    if (condition[keys::kType].as_string() != "Available") continue;
    const bool good = condition[keys::kStatus].as_string() == "True";
    available = good ? "True" : cat(condition[keys::kStatus].as_string(), " (", condition[keys::kReason].as_string(), ")");
  }
  cells.emplace_back(available);
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kValidatingPolicy[] = {
    {"Name", "string"}, {"Validations", "integer"}, {"ParamKind", "string"}, {"Age", "string"}};
constexpr TableColumn kMutatingPolicy[] = {
    {"Name", "string"}, {"Mutations", "integer"}, {"ParamKind", "string"}, {"Age", "string"}};
constexpr TableColumn kPolicyBinding[] = {
    {"Name", "string"}, {"PolicyName", "string"}, {"ParamRef", "string"}, {"Age", "string"}};

void policy_cells(const Value& object, WallTime now, Cells& cells) {
  const Value& spec = object[keys::kSpec];
  const Value& rules = spec.get("mutations").is_array() ? spec.get("mutations") : spec.get("validations");
  const Value& params = spec.get("paramKind");
  cells.emplace_back(static_cast<int64_t>(rules.size()));
  cells.emplace_back(params.is_map() ? cat(params[keys::kApiVersion].as_string(), "/", params[keys::kKind].as_string())
                                     : std::string("<unset>"));
  cells.emplace_back(object_age(object, now));
}

// As Kubernetes prints a selector of parameters, which is how Go shows the object.
std::string selector_in_go(const Value& selector) {
  std::string labels, expressions;
  for (const auto& [key, value] : selector[keys::kMatchLabels].entries()) labels += cat(key.text(), ": ", value.as_string(), ",");
  for (const auto& expression : selector[keys::kMatchExpressions].items()) {
    std::vector<std::string> values;
    for (const auto& value : expression[keys::kValues].items()) values.push_back(value.string());
    expressions += cat("LabelSelectorRequirement{Key:", expression[keys::kKey].as_string(), ",Operator:",
                       expression[keys::kOperator].as_string(), ",Values:[", join(values, " "), "],},");
  }
  return cat("&LabelSelector{MatchLabels:map[string]string{", labels, "},MatchExpressions:[]LabelSelectorRequirement{",
             expressions, "},}");
}

void policy_binding_cells(const Value& object, WallTime now, Cells& cells) {
  const Value& params = object[keys::kSpec].get("paramRef");
  std::string named = "<unset>";
  if (!params[keys::kName].as_string().empty()) {
    const std::string_view home = params[keys::kNamespace].as_string();
    named = cat(home.empty() ? "*" : home, "/", params[keys::kName].as_string());
  } else if (params[keys::kSelector].is_map()) {
    named = selector_in_go(params[keys::kSelector]);
  }
  cells.emplace_back(object[keys::kSpec].get("policyName").as_string());
  cells.emplace_back(named);
  cells.emplace_back(object_age(object, now));
}

// ---- Priority and fairness ----

constexpr TableColumn kFlowSchema[] = {{"Name", "string"},
                                       {"PriorityLevel", "string"},
                                       {"MatchingPrecedence", "string"},
                                       {"DistinguisherMethod", "string"},
                                       {"Age", "string"},
                                       {"MissingPL", "string"}};

void flow_schema_cells(const Value& object, WallTime now, Cells& cells) {
  const auto spec = FlowSchemaView(object).spec();
  std::string_view dangling = "?";
  for (const auto& condition : object[keys::kStatus][keys::kConditions].items()) {
    if (condition[keys::kType].as_string() == "Dangling") dangling = condition[keys::kStatus].as_string();
  }
  cells.emplace_back(spec.priorityLevelConfiguration().name());
  cells.emplace_back(spec.matchingPrecedence());
  cells.emplace_back(or_none(spec.distinguisherMethod().type()));
  cells.emplace_back(object_age(object, now));
  cells.emplace_back(dangling);
}

constexpr TableColumn kPriorityLevel[] = {{"Name", "string"},
                                          {"Type", "string"},
                                          {"NominalConcurrencyShares", "string"},
                                          {"Queues", "string"},
                                          {"HandSize", "string"},
                                          {"QueueLengthLimit", "string"},
                                          {"Age", "string"}};

void priority_level_cells(const Value& object, WallTime now, Cells& cells) {
  const auto spec = PriorityLevelConfigurationView(object).spec();
  const auto limited = spec.limited();
  const auto queuing = limited.limitResponse().queuing();
  const auto count = [&](bool there, int64_t number) { cells.push_back(there ? Value(number) : Value("<none>")); };
  cells.emplace_back(spec.type());
  count(spec.has_limited(), limited.nominalConcurrencyShares());
  count(queuing.raw().is_map(), queuing.queues());
  count(queuing.raw().is_map(), queuing.handSize());
  count(queuing.raw().is_map(), queuing.queueLengthLimit());
  cells.emplace_back(object_age(object, now));
}

constexpr TableLayout kClusterLayouts[] = {
    {kinds::kFlowschemas, kFlowSchema, flow_schema_cells},
    {kinds::kPrioritylevelconfigurations, kPriorityLevel, priority_level_cells},
    {kinds::kApiservices, kApiService, api_service_cells},
    {kinds::kNodes, kNode, node_cells},
    {kinds::kEvents, kEvent, event_cells, false},
    {kinds::kNamespaces, kNamespace, namespace_cells},
    {kinds::kConfigmaps, kConfigMap, config_map_cells},
    {kinds::kSecrets, kSecret, secret_cells},
    {kinds::kServiceaccounts, kServiceAccount, service_account_cells},
    {kinds::kLeases, kLease, lease_cells},
    {kinds::kComponentstatuses, kComponentStatus, component_status_cells},
    {kinds::kResourcequotas, kQuota, quota_cells},
    {kinds::kPriorityclasses, kPriorityClass, priority_class_cells},
    {kinds::kRuntimeclasses, kRuntimeClass, runtime_class_cells},
    {kinds::kMutatingwebhookconfigurations, kWebhooks, webhook_cells},
    {kinds::kValidatingwebhookconfigurations, kWebhooks, webhook_cells},
    {kinds::kValidatingadmissionpolicies, kValidatingPolicy, policy_cells},
    {kinds::kMutatingadmissionpolicies, kMutatingPolicy, policy_cells},
    {kinds::kValidatingadmissionpolicybindings, kPolicyBinding, policy_binding_cells},
    {kinds::kMutatingadmissionpolicybindings, kPolicyBinding, policy_binding_cells},
    {kinds::kRolebindings, kBinding, binding_cells},
    {kinds::kClusterrolebindings, kBinding, binding_cells},
    {kinds::kCertificatesigningrequests, kCertificateRequest, certificate_request_cells},
};

}  // namespace

std::span<const TableLayout> cluster_layouts() {
  return kClusterLayouts;
}

}  // namespace minik::control
