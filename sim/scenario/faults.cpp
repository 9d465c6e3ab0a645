// What goes wrong and when: spec.faults, and the triggers that actions share.
#include <algorithm>

#include "control/schema/schema.h"
#include "sim/scenario/fault_draws.h"
#include "sim/scenario/parts.h"

namespace minik::sim {

using control::Value;

namespace {

constexpr std::string_view kLinkFields[] = {"components", "loseRequests", "loseAnswers", "delayAnswers", "holdWatches",
                                            "endWatches", "delayMax"};

template <NodeFault::What kWhat>
Result<FaultKind> node_fault(const Reader& r, const Value& v, const std::string& at) {
  NodeFault fault;
  fault.what = kWhat;
  using What = NodeFault::What;
  const bool scaled = kWhat == What::kSlow || kWhat == What::kSlowDisk;
  if (scaled) {
    MINIK_ASSIGN(fault.nodes, r.nodes(v, at, {"factor"}));
    MINIK_ASSIGN(fault.factor, r.number(v, at, "factor", fault.factor, 1, 100'000));
  } else if (kWhat == What::kClockJump) {
    MINIK_ASSIGN(fault.nodes, r.nodes(v, at, {"by"}));
    MINIK_ASSIGN(fault.by, r.signed_duration(v, at, "by", {}));
    if (fault.by == Duration{}) return r.error(at, "needs `by: <duration>`, which may be negative");
  } else if (kWhat == What::kPartition) {
    MINIK_ASSIGN(fault.nodes, r.nodes(v, at, {"cut"}));
    MINIK_ASSIGN(const auto cut, r.word(v, at, "cut", {"both", "requests", "answers"}, 0));
    fault.cut = static_cast<NodeFault::Cut>(cut);
  } else {
    MINIK_ASSIGN(fault.nodes, r.nodes(v, at));
  }
  return FaultKind(fault);
}

template <PodFault::What kWhat>
Result<FaultKind> pod_fault(const Reader& r, const Value& v, const std::string& at) {
  PodFault fault;
  fault.what = kWhat;
  std::vector<std::string_view> known{"namespace", "labelSelector", "node", "container", "count"};
  if (kWhat == PodFault::What::kCrash) known.push_back("exitCode");
  MINIK_TRY(r.only(v, at, known));
  MINIK_ASSIGN(fault.pods.namespace_, r.text(v, at, "namespace", ""));
  MINIK_ASSIGN(fault.pods.labels, r.labels(v, at));
  MINIK_ASSIGN(fault.pods.node, r.text(v, at, "node", ""));
  MINIK_ASSIGN(fault.pods.container, r.text(v, at, "container", ""));
  MINIK_ASSIGN(fault.pods.count, r.number(v, at, "count", 0));
  MINIK_ASSIGN(const auto code, r.number(v, at, "exitCode", 1, 0, 255));
  fault.exit_code = static_cast<int>(code);
  return FaultKind(fault);
}

Status read_components(const Reader& r, const Value& v, const std::string& at, std::vector<std::string>& into) {
  MINIK_ASSIGN(into, r.texts(v, at, "components"));
  if (into.empty()) return r.error(at, "needs components: a list of controllers, scheduler, nodes, names of nodes and of single controllers");
  for (auto& name : into) {
    MINIK_ASSIGN(name, r.component_or_node(at + ".components", name));
  }
  return {};
}

Result<FaultKind> link_fault(const Reader& r, const Value& v, const std::string& at) {
  LinkFault fault;
  MINIK_TRY(r.only(v, at, {std::begin(kLinkFields), std::end(kLinkFields)}));
  MINIK_TRY(read_components(r, v, at, fault.components));
  MINIK_ASSIGN(fault.trouble.lose_request, r.chance(v, at, "loseRequests", 0));
  MINIK_ASSIGN(fault.trouble.lose_answer, r.chance(v, at, "loseAnswers", 0));
  MINIK_ASSIGN(fault.trouble.delay_answer, r.chance(v, at, "delayAnswers", 0));
  MINIK_ASSIGN(fault.trouble.hold_watch, r.chance(v, at, "holdWatches", 0));
  MINIK_ASSIGN(fault.trouble.end_watch, r.chance(v, at, "endWatches", 0));
  MINIK_ASSIGN(fault.trouble.delay_max, r.duration(v, at, "delayMax", fault.trouble.delay_max));
  if (!fault.trouble.any()) return r.error(at, "needs the share of what is lost, delayed, held or ended");
  return FaultKind(fault);
}

template <bool kRequests, bool kWatches>
Result<FaultKind> hold_messages(const Reader& r, const Value& v, const std::string& at) {
  LinkFault fault;
  MINIK_TRY(r.only(v, at, {"components"}));
  MINIK_TRY(read_components(r, v, at, fault.components));
  fault.trouble.hold_all_requests = kRequests;
  fault.trouble.hold_all_watches = kWatches;
  return FaultKind(fault);
}

// Who has a token, and who a certificate: single controllers may have either, the API server's own is another matter.
Result<FaultKind> expire_tokens(const Reader& r, const Value& v, const std::string& at) {
  LinkFault fault;
  MINIK_TRY(r.only(v, at, {"components"}));
  MINIK_TRY(read_components(r, v, at, fault.components));
  for (const auto& name : fault.components) {
    if (!component_named(name)) return r.error(at + ".components", "node agents have certificates: expireCertificates");
  }
  fault.trouble.unauthorized = true;
  return FaultKind(fault);
}

Result<FaultKind> expire_certificates(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"components"}));
  if (v.get("components") == Value::array({"api"})) {
    ApiFault of_the_server;
    of_the_server.what = ApiFault::What::kExpireCertificate;
    return FaultKind(of_the_server);
  }
  LinkFault fault;
  MINIK_TRY(read_components(r, v, at, fault.components));
  fault.trouble.unauthorized = true;
  return FaultKind(fault);
}

template <ApiFault::What kWhat>
Result<FaultKind> api_fault(const Reader& r, const Value& v, const std::string& at) {
  using What = ApiFault::What;
  ApiFault fault;
  fault.what = kWhat;
  if (kWhat == What::kStop || kWhat == What::kExpireWatches) {
    MINIK_TRY(r.only(v, at, {}));
  } else if (kWhat == What::kSlow) {
    MINIK_TRY(r.only(v, at, {"latency"}));
    if (!v.contains("latency")) return r.error(at, "needs a latency");
    MINIK_ASSIGN(fault.latency, r.distribution(v, at, "latency", {}));
  } else if (kWhat == What::kErrors) {
    MINIK_TRY(r.only(v, at, {"share", "code"}));
    MINIK_ASSIGN(fault.chance, r.chance(v, at, "share", 1'000'000));
    MINIK_ASSIGN(const auto code, r.number(v, at, "code", 500));
    if (code != 500 && code != 503 && code != 504) return r.error(at + ".code", "must be 500, 503 or 504");
    fault.code = static_cast<int>(code);
  } else {
    MINIK_TRY(r.only(v, at, {"requestsPerSecond", "retryAfterSeconds"}));
    MINIK_ASSIGN(fault.rate, r.number(v, at, "requestsPerSecond", 1, 1, 1'000'000'000));
    MINIK_ASSIGN(const auto after, r.number(v, at, "retryAfterSeconds", 1, 0, 3600));
    fault.retry_after_seconds = static_cast<int>(after);
  }
  return FaultKind(fault);
}

template <StoreFault::What kWhat>
Result<FaultKind> store_fault(const Reader& r, const Value& v, const std::string& at) {
  StoreFault fault;
  fault.what = kWhat;
  if (kWhat == StoreFault::What::kSlow) {
    MINIK_TRY(r.only(v, at, {"latency"}));
    if (!v.contains("latency")) return r.error(at, "needs a latency");
    MINIK_ASSIGN(fault.latency, r.distribution(v, at, "latency", {}));
  } else {
    MINIK_TRY(r.only(v, at, {}));
  }
  return FaultKind(fault);
}

template <ComponentFault::What kWhat>
Result<FaultKind> component_fault(const Reader& r, const Value& v, const std::string& at) {
  ComponentFault fault;
  fault.what = kWhat;
  const bool often = kWhat == ComponentFault::What::kCrashOften;
  MINIK_TRY(r.only(v, at, often ? std::vector<std::string_view>{"component", "share", "down"}
                                : std::vector<std::string_view>{"component"}));
  MINIK_ASSIGN(const auto component, r.text(v, at, "component", ""));
  MINIK_ASSIGN(fault.component.name, r.component(at + ".component", component));
  if (often) {
    MINIK_ASSIGN(fault.chance, r.chance(v, at, "share", 10'000));
    MINIK_ASSIGN(fault.down, r.distribution(v, at, "down", fault.down));
  }
  return FaultKind(fault);
}

Result<FaultKind> registry_outage(const Reader& r, const Value& v, const std::string& at) {
  RegistryFault fault;
  MINIK_TRY(r.only(v, at, {"match"}));
  MINIK_ASSIGN(fault.match, r.text(v, at, "match", "*"));
  return FaultKind(fault);
}

Result<FaultKind> registry_throttle(const Reader& r, const Value& v, const std::string& at) {
  RegistryFault fault;
  MINIK_TRY(r.only(v, at, {"match", "pullsPerMinute"}));
  MINIK_ASSIGN(fault.match, r.text(v, at, "match", "*"));
  MINIK_ASSIGN(fault.pulls_per_minute, r.number(v, at, "pullsPerMinute", 10, 1, 1'000'000));
  return FaultKind(fault);
}

Result<FaultKind> dns_outage(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {}));
  return FaultKind(DnsFault{});
}

Result<FaultKind> webhook_outage(const Reader& r, const Value& v, const std::string& at) {
  WebhookFault fault;
  MINIK_TRY(r.only(v, at, {"match", "how"}));
  MINIK_ASSIGN(fault.trouble.match, r.text(v, at, "match", "*"));
  using What = WebhookTrouble::What;
  static constexpr What kHow[] = {What::kRefused, What::kSilent, What::kNonsense, What::kCertificate};
  MINIK_ASSIGN(const auto how, r.word(v, at, "how", {"refused", "silent", "nonsense", "certificateExpired"}, 0));
  fault.trouble.what = kHow[how];
  return FaultKind(fault);
}

Result<FaultKind> slow_webhooks(const Reader& r, const Value& v, const std::string& at) {
  WebhookFault fault;
  fault.trouble.what = WebhookTrouble::What::kSlow;
  MINIK_TRY(r.only(v, at, {"match", "latency"}));
  MINIK_ASSIGN(fault.trouble.match, r.text(v, at, "match", "*"));
  if (!v.contains("latency")) return r.error(at, "needs a latency");
  MINIK_ASSIGN(fault.trouble.latency, r.distribution(v, at, "latency", {}));
  return FaultKind(fault);
}

// What a quota of the cluster's own kinds may count.
bool is_quota_resource(std::string_view name) {
  constexpr std::string_view kCounted[] = {"pods", "services", "secrets", "configmaps", "persistentvolumeclaims",
                                           "replicationcontrollers", "requests.cpu", "requests.memory", "limits.cpu",
                                           "limits.memory", "requests.storage"};
  return std::ranges::find(kCounted, name) != std::end(kCounted) || (name.starts_with("count/") && name.size() > 6);
}

Result<FaultKind> exhaust_quota(const Reader& r, const Value& v, const std::string& at) {
  QuotaFault fault;
  MINIK_TRY(r.only(v, at, {"namespace", "resources"}));
  MINIK_ASSIGN(fault.namespace_, r.text(v, at, "namespace", fault.namespace_));
  MINIK_ASSIGN(const auto resources, r.texts(v, at, "resources"));
  if (!resources.empty()) fault.resources = {resources.begin(), resources.end()};
  for (const auto& resource : fault.resources) {
    if (!is_quota_resource(resource)) return r.error(at + ".resources", cat("no quota counts ", quoted(resource), "; pods or requests.cpu are such"));
  }
  return FaultKind(fault);
}

// Whether it takes a `for`; those that are over in an instant end by themselves.
enum class Lasts : uint8_t { kNo, kYes };

// All that can go wrong. What is here a scenario may name (scenario_schema.cpp says the same to editors), a swarm draws,
// and the tests run twice.
struct FaultEntry {
  std::string_view name;
  Lasts lasts = Lasts::kYes;
  Result<FaultKind> (*read)(const Reader&, const Value&, const std::string&) = nullptr;
  DrawFault draw = nullptr;
};

constexpr FaultEntry kFaults[] = {
    {"crashNodes", Lasts::kYes, node_fault<NodeFault::What::kCrash>, draw_nodes},
    {"freezeNodes", Lasts::kYes, node_fault<NodeFault::What::kFreeze>, draw_nodes},
    {"slowNodes", Lasts::kYes, node_fault<NodeFault::What::kSlow>, draw_slow_nodes},
    {"jumpClocks", Lasts::kNo, node_fault<NodeFault::What::kClockJump>, draw_clocks},
    {"stopKubelets", Lasts::kYes, node_fault<NodeFault::What::kStopKubelet>, draw_nodes},
    {"partitionNodes", Lasts::kYes, node_fault<NodeFault::What::kPartition>, draw_partition},
    {"fillDisks", Lasts::kYes, node_fault<NodeFault::What::kFillDisk>, draw_nodes},
    {"slowDisks", Lasts::kYes, node_fault<NodeFault::What::kSlowDisk>, draw_slow_nodes},
    {"crashContainers", Lasts::kNo, pod_fault<PodFault::What::kCrash>, draw_pods},
    {"oomContainers", Lasts::kNo, pod_fault<PodFault::What::kOom>, draw_pods},
    {"hangContainers", Lasts::kYes, pod_fault<PodFault::What::kHang>, draw_pods},
    {"failProbes", Lasts::kYes, pod_fault<PodFault::What::kFailProbes>, draw_pods},
    {"troubleLinks", Lasts::kYes, link_fault, draw_link_trouble},
    {"holdMessages", Lasts::kYes, hold_messages<true, true>, draw_links},
    {"holdWatches", Lasts::kYes, hold_messages<false, true>, draw_links},
    {"expireTokens", Lasts::kYes, expire_tokens, draw_token_holder},
    {"expireCertificates", Lasts::kYes, expire_certificates, draw_certificate_holder},
    {"stopApi", Lasts::kYes, api_fault<ApiFault::What::kStop>, draw_nothing},
    {"slowApi", Lasts::kYes, api_fault<ApiFault::What::kSlow>, draw_latency},
    {"failApi", Lasts::kYes, api_fault<ApiFault::What::kErrors>, draw_api_errors},
    {"throttleApi", Lasts::kYes, api_fault<ApiFault::What::kThrottle>, draw_api_rate},
    {"expireWatches", Lasts::kNo, api_fault<ApiFault::What::kExpireWatches>, draw_nothing},
    {"cutStorePower", Lasts::kYes, store_fault<StoreFault::What::kPowerLoss>, draw_nothing},
    {"fillStoreDisk", Lasts::kYes, store_fault<StoreFault::What::kFull>, draw_nothing},
    {"slowStoreDisk", Lasts::kYes, store_fault<StoreFault::What::kSlow>, draw_latency},
    {"crashComponent", Lasts::kYes, component_fault<ComponentFault::What::kCrash>, draw_component},
    {"crashAtWrites", Lasts::kYes, component_fault<ComponentFault::What::kCrashOften>, draw_component_with_share},
    {"loseLeader", Lasts::kYes, component_fault<ComponentFault::What::kLoseLeader>, draw_component},
    {"twoLeaders", Lasts::kYes, component_fault<ComponentFault::What::kTwoLeaders>, draw_component},
    {"registryOutage", Lasts::kYes, registry_outage, draw_nothing},
    {"throttleRegistry", Lasts::kYes, registry_throttle, draw_pull_rate},
    {"dnsOutage", Lasts::kYes, dns_outage, draw_names},
    {"webhookOutage", Lasts::kYes, webhook_outage, draw_webhook_outage},
    {"slowWebhooks", Lasts::kYes, slow_webhooks, draw_webhook_latency},
    {"exhaustQuota", Lasts::kYes, exhaust_quota, draw_quota},
};
static_assert(std::ranges::all_of(kFaults, [](const FaultEntry& fault) { return fault.read && fault.draw; }));

Result<WriteMatch> read_write(const Reader& r, const Value& v, const std::string& at, bool counted) {
  std::vector<std::string_view> known{"verb", "kind", "namespace", "name", "subresource", "component"};
  if (counted) known.push_back("count");
  MINIK_TRY(r.only(v, at, known));
  WriteMatch write;
  if (v.contains("verb")) {
    static constexpr control::Verb kVerbs[] = {control::Verb::kCreate, control::Verb::kUpdate, control::Verb::kPatch,
                                               control::Verb::kDelete, control::Verb::kDeleteCollection};
    MINIK_ASSIGN(const auto verb, r.word(v, at, "verb", {"create", "update", "patch", "delete", "deletecollection"}, 0));
    write.verb = kVerbs[verb];
  }
  if (v.contains("kind")) {
    MINIK_ASSIGN(const auto kind, r.text(v, at, "kind", ""));
    MINIK_ASSIGN(write.kind, r.kind(at, kind));
  }
  MINIK_ASSIGN(write.namespace_, r.text(v, at, "namespace", ""));
  MINIK_ASSIGN(write.name, r.text(v, at, "name", ""));
  MINIK_ASSIGN(write.subresource, r.text(v, at, "subresource", ""));
  MINIK_ASSIGN(write.component, r.text(v, at, "component", ""));
  if (!write.component.empty() && write.component != "admin") {
    MINIK_ASSIGN(write.component, r.component_or_node(at + ".component", write.component));
  }
  return write;
}

Status read_when(const Reader& r, const Value& v, const std::string& at, Trigger& trigger) {
  MINIK_TRY(r.only(v, at, {"write", "between", "object", "matches", "count", "list", "metric", "cel"}));
  if (v.contains("write")) {
    trigger.when = Trigger::When::kWrite;
    if (v.size() != 1) return r.error(at, "needs one thing to wait for");
    MINIK_ASSIGN(trigger.write, read_write(r, v.get("write"), at + ".write", true));
    MINIK_ASSIGN(trigger.count, r.number(v.get("write"), at + ".write", "count", 1, 1));
    return {};
  }
  if (v.contains("between")) {
    trigger.when = Trigger::When::kBetween;
    if (v.size() != 1) return r.error(at, "needs one thing to wait for");
    const Value& between = v.get("between");
    const std::string between_at = at + ".between";
    MINIK_TRY(r.only(between, between_at, {"first", "then"}));
    if (between.size() != 2) return r.error(between_at, "needs `first`, the write that is done, and `then`, the one that gets lost");
    MINIK_ASSIGN(trigger.write, read_write(r, between.get("first"), between_at + ".first", false));
    MINIK_ASSIGN(trigger.before, read_write(r, between.get("then"), between_at + ".then", false));
    return {};
  }
  trigger.when = Trigger::When::kBecomes;
  MINIK_ASSIGN(trigger.predicate, read_predicate(r, v, at));
  return {};
}

}  // namespace

Result<Trigger> read_trigger(const Reader& r, const Value& v, const std::string& at) {
  Trigger trigger;
  if (v.contains("at") + v.contains("when") + v.contains("random") > 1) return r.error(at, "needs one of `at`, `when` and `random`");
  MINIK_ASSIGN(trigger.at, r.duration(v, at, "at", {}));
  MINIK_ASSIGN(trigger.delay, r.duration(v, at, "after", {}));
  if (v.contains("after") && !v.contains("when")) return r.error(at + ".after", "stands beside `when`");
  if (v.contains("when")) MINIK_TRY(read_when(r, v.get("when"), at + ".when", trigger));
  if (v.contains("random")) {
    trigger.when = Trigger::When::kRandom;
    const Value& random = v.get("random");
    const std::string random_at = at + ".random";
    MINIK_TRY(r.only(random, random_at, {"every", "from"}));
    if (!random.contains("every")) return r.error(random_at, "needs `every`, the time between two");
    MINIK_ASSIGN(trigger.interval, r.distribution(random, random_at, "every", {}));
    if (trigger.interval.is_zero()) return r.error(random_at + ".every", "must be more than 0s");
    MINIK_ASSIGN(trigger.at, r.duration(random, random_at, "from", {}));
  }
  MINIK_ASSIGN(trigger.in_runs, r.chance(v, at, "inRuns", 1'000'000));
  return trigger;
}

const std::vector<std::string_view>& fault_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const auto& fault : kFaults) all.push_back(fault.name);
    return all;
  }();
  return names;
}

bool fault_lasts(std::string_view name) {
  return std::ranges::any_of(kFaults, [&](const FaultEntry& fault) { return fault.name == name && fault.lasts == Lasts::kYes; });
}

Value draw_fault(std::string_view name, DrawnWorld& world) {
  const auto* found = std::ranges::find(kFaults, name, &FaultEntry::name);
  CHECK(found != std::end(kFaults)) << "no fault " << name;
  return found->draw(world);
}

Result<Fault> read_fault(const Reader& r, const Value& v, const std::string& at, std::string_view name) {
  for (const auto& entry : kFaults) {
    if (entry.name != name) continue;
    Fault fault;
    fault.text = name;
    MINIK_ASSIGN(fault.kind, entry.read(r, v, at));
    return fault;
  }
  return r.error(at, "is no fault");
}

Result<FaultRule> read_fault_rule(const Reader& r, const Value& v, const std::string& at) {
  constexpr std::string_view kFields[] = {"name", "at", "when", "after", "random", "inRuns", "for"};
  std::vector<std::string_view> known(std::begin(kFields), std::end(kFields));
  known.insert(known.end(), fault_names().begin(), fault_names().end());
  MINIK_TRY(r.only(v, at, known));
  FaultRule rule;
  rule.place = r.place(at);
  MINIK_ASSIGN(rule.name, r.text(v, at, "name", ""));
  MINIK_ASSIGN(rule.trigger, read_trigger(r, v, at));
  std::string name;
  size_t faults = 0;
  for (const auto& [key, value] : v.entries()) {
    if (std::ranges::find(kFields, key.text()) != std::end(kFields)) continue;
    name = key.text();
    ++faults;
  }
  if (faults != 1) return r.error(at, "needs exactly one fault");
  MINIK_ASSIGN(rule.fault, read_fault(r, v.get(name), Reader::child(at, name), name));
  if (v.contains("for")) {
    MINIK_ASSIGN(rule.fault.lasts, r.distribution(v, at, "for", {}));
  } else if (rule.trigger.when == Trigger::When::kRandom) {
    return r.error(at, "needs `for` beside `random`: how long each lasts");
  }
  return rule;
}

}  // namespace minik::sim
