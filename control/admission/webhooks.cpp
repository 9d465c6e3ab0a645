#include "control/admission/webhooks.h"

#include <algorithm>
#include <set>

#include "control/admission/match_validation.h"
#include "control/admission/webhook_address.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"
#include "control/schema/names.h"
#include "control/schema/webhook_client_rules.h"

namespace minik::control {

namespace {

// What match conditions of webhooks may name: neither parameters nor variables, which policies have.
const cel::Environment& webhook_environment() {
  static const cel::Environment environment = [] {
    std::vector<cel::Variable> known;
    for (const auto& variable : admission_environment().variables()) {
      const bool of_policies = variable.name == "params" || variable.name == "variables" || variable.name == "namespaceObject";
      if (!of_policies) known.push_back(variable);
    }
    return cel::Environment(std::move(known));
  }();
  return environment;
}

KindId kind_of(WebhookStage stage) {
  return stage == WebhookStage::kMutating ? kinds::kMutatingwebhookconfigurations : kinds::kValidatingwebhookconfigurations;
}

}  // namespace

AdmissionWebhooks::AdmissionWebhooks(const Store& store, const Schema& schema)
    : store_(store), schema_(schema), access_(store) {}

bool AdmissionWebhooks::empty(WebhookStage stage) const { return store_.count(kind_of(stage)) == 0; }

std::vector<KnownWebhook> AdmissionWebhooks::configured(WebhookStage stage, const WriteAttributes& request) const {
  std::vector<KnownWebhook> found;
  if (empty(stage) || is_beyond_admission(*request.resource)) return found;
  const auto configurations = store_.list(kind_of(stage), "");
  for (const auto& configuration : configurations->objects) {
    for (const auto& webhook : configuration.get("webhooks").items()) {
      found.push_back({cat(object_name(configuration), "/", webhook[keys::kName].as_string()), webhook});
    }
  }
  return found;
}

Result<std::optional<MatchedWebhook>> AdmissionWebhooks::match(const KnownWebhook& known, const WriteAttributes& request) {
  const FindNamespace find_namespace = [this](std::string_view name) -> const Value& {
    return store_.find(kinds::kNamespaces, "", name);
  };
  const Value& webhook = known.webhook;
  const ResourceInfo* as = matching_kind(schema_, webhook.get("rules"),
                                         webhook.get("matchPolicy").as_string("Equivalent"), request);
  if (!as || !selectors_match(webhook.get("namespaceSelector"), webhook.get("objectSelector"), request, find_namespace)) {
    return std::optional<MatchedWebhook>();
  }
  MatchedWebhook matched{known, as};
  auto wanted = wants(matched, request);
  if (!wanted && !matched.fails_open()) return std::move(wanted).error();
  if (!wanted || !*wanted) return std::optional<MatchedWebhook>();
  const std::string_view effects = webhook.get("sideEffects").as_string();
  if (request.dry_run && effects != "None" && effects != "NoneOnDryRun") {
    return Error(ErrorCode::kBadRequest, cat("admission webhook ", quoted(matched.name()), " does not support dry run"));
  }
  return std::optional(std::move(matched));
}

Result<bool> AdmissionWebhooks::wants(const MatchedWebhook& webhook, const WriteAttributes& request) {
  const Value& given = webhook.webhook.get("matchConditions");
  if (given.empty()) return true;
  Conditions& known = conditions_[webhook.key];
  if (!known.source.same_node(given)) known = {given, compile_conditions(given)};
  if (!known.compiled) return known.compiled.error();
  cel::Budget budget{cel::kCostBudget, 0};
  AdmissionBindings bindings(request, *webhook.as, Value());
  bindings.set_authorizer(access_, request, *webhook.as);
  auto holds = conditions_hold(*known.compiled, bindings, budget);
  if (!holds) {
    return Error(ErrorCode::kInternalError, cat("failed to evaluate match conditions of webhook ", quoted(webhook.name()), ": ",
                                                holds.error().message));
  }
  return holds;
}

Result<WebhookCall> AdmissionWebhooks::call_of(const MatchedWebhook& webhook) const {
  const Duration timeout = seconds(webhook.webhook.get("timeoutSeconds").as_int(10));
  MINIK_ASSIGN(auto call, webhook_call(store_, webhook.webhook.get("clientConfig"), timeout));
  call.webhook = webhook.name();
  return call;
}

Error webhook_failure(std::string_view webhook, std::string_view why) {
  return Error(ErrorCode::kInternalError, cat("Internal error occurred: failed calling webhook ", quoted(webhook),
                                              ": failed to call webhook: ", why));
}

void check_webhooks(const Value& configuration, FieldErrors& errors) {
  const FieldPath list("webhooks");
  std::set<std::string> names;
  for (size_t i = 0; i < configuration.get("webhooks").items().size(); ++i) {
    const Value& webhook = configuration.get("webhooks").items()[i];
    const FieldPath at = list.index(i);
    const FieldPath name_at = at.field("name"), client = at.field("clientConfig"), effects_at = at.field("sideEffects"),
                    timeout_at = at.field("timeoutSeconds"), versions_at = at.field("admissionReviewVersions"),
                    conditions_at = at.field("matchConditions");
    const Value& name = webhook[keys::kName];
    const auto problems = check_dns_subdomain(name.as_string());
    if (!name.as_string().empty() && !problems.empty()) {
      errors.invalid_each(name_at, name, problems);
    } else if (std::ranges::count(name.as_string(), '.') < 2) {
      errors.invalid(name_at, name, "should be a domain with at least three segments separated by dots");
    }
    if (!names.insert(name.string()).second) errors.duplicate(name_at, name);
    check_webhook_client(webhook.get("clientConfig"), client, errors);
    const std::string_view effects = webhook.get("sideEffects").as_string();
    constexpr std::string_view kEffects[] = {"None", "NoneOnDryRun"};
    if (!effects.empty() && std::ranges::find(kEffects, effects) == std::end(kEffects)) {
      errors.not_supported(effects_at, Value(effects), kEffects);
    }
    const int64_t timeout = webhook.get("timeoutSeconds").as_int(10);
    if (timeout < 1 || timeout > 30) {
      errors.invalid(timeout_at, Value(timeout), "the timeout value must be between 1 and 30 seconds");
    }
    const auto versions = webhook.get("admissionReviewVersions").items();
    if (!versions.empty() && std::ranges::none_of(versions, [](const Value& v) { return v.as_string() == "v1"; })) {
      errors.invalid(versions_at, webhook.get("admissionReviewVersions"), "must include at least one of v1, v1beta1");
    }
    const FieldPath rules_at = at.field("rules");
    for (size_t r = 0; r < webhook.get("rules").items().size(); ++r) {
      const FieldPath here = rules_at.index(r);
      check_request_rule(webhook.get("rules").items()[r], RuleOperations::kAll, here, errors);
    }
    check_match_conditions(webhook.get("matchConditions"), webhook_environment(), conditions_at, errors);
  }
}

}  // namespace minik::control
