#include "control/api/flow_control.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"
#include "control/schema/views/flowcontrol.h"

namespace minik::control {

namespace {

constexpr std::string_view kAll = "*";
// Kubernetes' defaults where a Limited level leaves them out.
constexpr int64_t kDefaultShares = 30, kDefaultHandSize = 8, kDefaultQueueLength = 50;

bool names(const StringList& list, std::string_view text) {
  return std::ranges::any_of(list, [&](std::string_view item) { return item == kAll || item == text; });
}

bool has_group(const UserInfo& user, std::string_view group) {
  return group == kAll || std::ranges::find(user.groups, group) != user.groups.end();
}

bool is_subject(const SubjectView& subject, const UserInfo& user) {
  if (subject.kind() == "User") return subject.user().name() == kAll || subject.user().name() == user.name;
  if (subject.kind() == "Group") return has_group(user, subject.group().name());
  const auto account = subject.serviceAccount();
  const std::string prefix = cat("system:serviceaccount:", account.namespace_(), ":");
  return user.name.starts_with(prefix) &&
         (account.name() == kAll || std::string_view(user.name).substr(prefix.size()) == account.name());
}

bool rule_matches(const ResourcePolicyRuleView& rule, const Attributes& asked) {
  if (!names(rule.verbs(), asked.verb) || !names(rule.apiGroups(), asked.group)) return false;
  const std::string subresource =
      asked.subresource.empty() ? std::string(asked.resource) : cat(asked.resource, "/", asked.subresource);
  if (!names(rule.resources(), subresource)) return false;
  return asked.namespace_.empty() ? rule.clusterScope() : names(rule.namespaces(), asked.namespace_);
}

bool rule_matches(const NonResourcePolicyRuleView& rule, const Attributes& asked) {
  const auto leads_to = [&](std::string_view url) {
    return url.ends_with('*') ? asked.path.starts_with(url.substr(0, url.size() - 1)) : asked.path == url;
  };
  return names(rule.verbs(), asked.verb) && std::ranges::any_of(rule.nonResourceURLs(), leads_to);
}

bool matches(const FlowSchemaView& schema, const UserInfo& user, const Attributes& asked) {
  for (const auto& rule : schema.spec().rules()) {
    const bool subject =
        std::ranges::any_of(rule.subjects(), [&](const SubjectView& one) { return is_subject(one, user); });
    if (!subject) continue;
    if (!asked.path.empty()) {
      for (const auto& target : rule.nonResourceRules()) {
        if (rule_matches(target, asked)) return true;
      }
      continue;
    }
    for (const auto& target : rule.resourceRules()) {
      if (rule_matches(target, asked)) return true;
    }
  }
  return false;
}

std::shared_ptr<const PriorityLevel> level_of(const PriorityLevelConfigurationView& view) {
  auto level = std::make_shared<PriorityLevel>();
  level->name = view.metadata().name();
  level->uid = view.metadata().uid();
  level->exempt = view.spec().type() == "Exempt";
  const auto limited = view.spec().limited();
  level->shares = level->exempt ? 0 : limited.has_nominalConcurrencyShares() ? limited.nominalConcurrencyShares()
                                                                             : kDefaultShares;
  level->lendable_percent = limited.lendablePercent();
  level->borrowing_limit_percent.reset();
  if (limited.has_borrowingLimitPercent()) level->borrowing_limit_percent = limited.borrowingLimitPercent();
  if (limited.limitResponse().type() == "Queue") {
    // Kubernetes deals a flow a hand of queues: together they are as long as a flow's line can grow.
    const auto queuing = limited.limitResponse().queuing();
    const int64_t hand = queuing.handSize() > 0 ? queuing.handSize() : kDefaultHandSize;
    const int64_t length = queuing.queueLengthLimit() > 0 ? queuing.queueLengthLimit() : kDefaultQueueLength;
    level->flow_queue_max = hand * std::min<int64_t>(length, INT32_MAX);
  }
  return level;
}

}  // namespace

struct FlowClassifier::Entry {
  Value schema;
  std::shared_ptr<const PriorityLevel> level;
};

FlowClassifier::FlowClassifier(Store& store, const Schema& schema) : store_(store), schema_(schema) {
  for (const KindId kind : {kinds::kFlowschemas, kinds::kPrioritylevelconfigurations}) {
    auto watch = store_.watch(kind, store_.durable_revision(), {}, [this](const StoreEvent&) { loaded_ = false; });
    CHECK(watch.ok()) << watch.error().message;
    watches_.push_back(*watch);
  }
}

FlowClassifier::~FlowClassifier() {
  for (const StoreWatchId id : watches_) store_.unwatch(id);
}

void FlowClassifier::load() {
  loaded_ = true;
  schemas_.clear();
  total_shares_ = 0;
  std::vector<std::shared_ptr<const PriorityLevel>> levels;
  const auto configurations = store_.list(kinds::kPrioritylevelconfigurations, "");
  for (const auto& object : configurations->objects) {
    levels.push_back(level_of(PriorityLevelConfigurationView(object)));
    total_shares_ += levels.back()->shares;
  }
  const auto schemas = store_.list(kinds::kFlowschemas, "");
  for (const auto& object : schemas->objects) {
    const FlowSchemaView view(object);
    const auto wanted = view.spec().priorityLevelConfiguration().name();
    const auto level = std::ranges::find(levels, wanted, [](const auto& l) -> std::string_view { return l->name; });
    // A schema whose level is missing dangles: it counts as not being there.
    if (level != levels.end()) schemas_.push_back({object, *level});
  }
  std::ranges::stable_sort(schemas_, {}, [](const Entry& entry) {
    return FlowSchemaView(entry.schema).spec().matchingPrecedence();
  });
  // Even with all objects deleted nobody goes unlimited, and nobody is locked out.
  last_resort_ = std::make_shared<const PriorityLevel>(PriorityLevel{"catch-all", "", false, 5, 0});
}

int64_t FlowClassifier::total_shares() {
  if (!loaded_) load();
  return std::max<int64_t>(total_shares_, 1);
}

FlowClass FlowClassifier::classify(const ApiRequest& request) {
  const ResourceInfo& resource = schema_.resource(request.kind);
  return classify(request.user, {verb_name(request.verb), resource.group, resource.plural, request.subresource,
                                 request.namespace_, request.name});
}

FlowClass FlowClassifier::classify(const UserInfo& user, const Attributes& asked) {
  if (!loaded_) load();
  for (const auto& [object, level] : schemas_) {
    const FlowSchemaView schema(object);
    if (!matches(schema, user, asked)) continue;
    FlowClass found{level, std::string(schema.metadata().name()), std::string(schema.metadata().uid()), {}};
    const auto method = schema.spec().distinguisherMethod().type();
    // Exempt requests are not held back, but even among them each user has his turn.
    const bool by_user = method == "ByUser" || level->exempt;
    found.flow = cat(schema.metadata().name(), "/", by_user ? std::string_view(user.name)
                     : method == "ByNamespace" ? asked.namespace_ : std::string_view());
    return found;
  }
  return {last_resort_, "catch-all", {}, user.name};
}

namespace {

// name: precedence, level, flows by, subjects; what they may reach is everything where a line says nothing else.
constexpr std::string_view kLevels = R"(
exempt: {type: Exempt, exempt: {nominalConcurrencyShares: 0, lendablePercent: 0}}
catch-all: {type: Limited, limited: {nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: {type: Reject}}}
leader-election: {type: Limited, limited: {nominalConcurrencyShares: 10, lendablePercent: 0, limitResponse: &small {type: Queue, queuing: {queues: 16, handSize: 4, queueLengthLimit: 50}}}}
node-high: {type: Limited, limited: {nominalConcurrencyShares: 40, lendablePercent: 25, limitResponse: &medium {type: Queue, queuing: {queues: 64, handSize: 6, queueLengthLimit: 50}}}}
system: {type: Limited, limited: {nominalConcurrencyShares: 30, lendablePercent: 33, limitResponse: *medium}}
workload-high: {type: Limited, limited: {nominalConcurrencyShares: 40, lendablePercent: 50, limitResponse: &large {type: Queue, queuing: {queues: 128, handSize: 6, queueLengthLimit: 50}}}}
workload-low: {type: Limited, limited: {nominalConcurrencyShares: 100, lendablePercent: 90, limitResponse: *large}}
global-default: {type: Limited, limited: {nominalConcurrencyShares: 20, lendablePercent: 50, limitResponse: *large}}
)";
constexpr std::string_view kSchemas = R"(
- {name: exempt, precedence: 1, level: exempt, groups: [system:masters]}
- {name: probes, precedence: 2, level: exempt, groups: [system:unauthenticated, system:authenticated], urls: [/healthz, /readyz, /livez], verbs: [get]}
- {name: system-leader-election, precedence: 100, level: leader-election, by: ByUser, users: [system:kube-controller-manager, system:kube-scheduler], accounts: ["*"], verbs: [get, create, update], group: coordination.k8s.io, resources: [leases]}
- {name: endpoint-controller, precedence: 150, level: workload-high, by: ByUser, users: [system:kube-controller-manager], accounts: [endpoint-controller, endpointslicemirroring-controller], verbs: [get, create, update], group: "", resources: [endpoints]}
- {name: workload-leader-election, precedence: 200, level: leader-election, by: ByUser, accounts: ["*"], verbs: [get, create, update], group: coordination.k8s.io, resources: [leases]}
- {name: system-node-high, precedence: 400, level: node-high, by: ByUser, groups: [system:nodes], verbs: ["*"], group: coordination.k8s.io, resources: [leases]}
- {name: system-nodes, precedence: 500, level: system, by: ByUser, groups: [system:nodes]}
- {name: kube-controller-manager, precedence: 800, level: workload-high, by: ByNamespace, users: [system:kube-controller-manager]}
- {name: kube-scheduler, precedence: 800, level: workload-high, by: ByNamespace, users: [system:kube-scheduler]}
- {name: kube-system-service-accounts, precedence: 900, level: workload-high, by: ByNamespace, accounts: ["*"]}
- {name: service-accounts, precedence: 9000, level: workload-low, by: ByUser, groups: [system:serviceaccounts]}
- {name: global-default, precedence: 9900, level: global-default, by: ByUser, groups: [system:unauthenticated, system:authenticated]}
- {name: catch-all, precedence: 10000, level: catch-all, by: ByUser, groups: [system:unauthenticated, system:authenticated]}
)";

Value one_document(std::string_view text) {
  auto documents = parse_yaml(text, "built in");
  CHECK(documents.ok()) << documents.error().message;
  return documents->at(0).value;
}

Value object_named(std::string_view name, Value spec) {
  return Value::map({{keys::kMetadata, Value::map({{keys::kName, name}})}, {keys::kSpec, std::move(spec)}});
}

Value subjects_of(const Value& line) {
  std::vector<Value> subjects;
  const auto add = [&](std::string_view kind, const Key& member, Value who) {
    subjects.push_back(Value::map({{keys::kKind, kind}, {member, std::move(who)}}));
  };
  for (const Value& name : line.get("groups").items()) add("Group", keys::kGroup, Value::map({{keys::kName, name}}));
  for (const Value& name : line.get("users").items()) add("User", keys::kUser, Value::map({{keys::kName, name}}));
  for (const Value& name : line.get("accounts").items()) {
    add("ServiceAccount", keys::kServiceAccount,
        Value::map({{keys::kName, name}, {keys::kNamespace, "kube-system"}}));
  }
  return Value::array(std::move(subjects));
}

Value rules_of(const Value& line) {
  const Value all = Value::array({Value(kAll)});
  const auto given = [&](std::string_view field) { return line.contains(field) ? line.get(field) : all; };
  MapBuilder rule;
  rule.set(keys::kSubjects, subjects_of(line));
  if (!line.contains("urls")) {
    const bool narrow = line.contains("resources");
    rule.set(keys::kResourceRules,
             Value::array({Value::map({{keys::kVerbs, given("verbs")},
                                       {keys::kApiGroups, narrow ? Value::array({line.get("group")}) : all},
                                       {keys::kResources, given("resources")},
                                       {keys::kClusterScope, narrow ? Value() : Value(true)},
                                       {keys::kNamespaces, all}})}));
  }
  if (line.contains("urls") || !line.contains("resources")) {
    rule.set(keys::kNonResourceRules,
             Value::array({Value::map({{keys::kVerbs, given("verbs")}, {keys::kNonResourceURLs, given("urls")}})}));
  }
  return Value::array({std::move(rule).build()});
}

}  // namespace

std::vector<std::pair<KindId, Value>> default_flow_control() {
  std::vector<std::pair<KindId, Value>> objects;
  // A sweep bootstraps a hundred clusters a second.
  static const Value levels = one_document(kLevels), schemas = one_document(kSchemas);
  for (const auto& [name, spec] : levels.entries()) {
    objects.emplace_back(kinds::kPrioritylevelconfigurations, object_named(name.text(), spec));
  }
  for (const Value& line : schemas.items()) {
    MapBuilder spec;
    spec.set(keys::kMatchingPrecedence, line.get("precedence"));
    spec.set(keys::kPriorityLevelConfiguration, Value::map({{keys::kName, line.get("level")}}));
    if (line.contains("by")) {
      spec.set(keys::kDistinguisherMethod, Value::map({{keys::kType, line.get("by")}}));
    }
    spec.set(keys::kRules, rules_of(line));
    objects.emplace_back(kinds::kFlowschemas, object_named(line.get("name").as_string(), std::move(spec).build()));
  }
  return objects;
}

}  // namespace minik::control
