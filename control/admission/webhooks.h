// AdmissionWebhooks: which webhooks want to see a request, as it is when their turn comes, and what their calls look like.
//
// Reads the configurations in the store, in the order of their names; match conditions are compiled once
// for each version of a configuration. On the control thread; asks nobody itself (admission_gate.h does).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/admission/expressions.h"
#include "control/admission/matching.h"
#include "control/admission/webhook_caller.h"
#include "control/schema/field_error.h"
#include "control/store/store.h"

namespace minik::control {

enum class WebhookStage : uint8_t { kMutating, kValidating };

struct KnownWebhook {
  std::string key;  // "configuration/webhook"
  Value webhook;    // as it stands in its configuration

  std::string name() const { return webhook.get("name").string(); }
  bool fails_open() const { return webhook.get("failurePolicy").as_string() == "Ignore"; }
};

// One webhook that matches a request, and as which kind it does.
struct MatchedWebhook : KnownWebhook {
  MatchedWebhook(KnownWebhook known, const ResourceInfo* kind) : KnownWebhook(std::move(known)), as(kind) {}
  const ResourceInfo* as;
};

class AdmissionWebhooks {
 public:
  AdmissionWebhooks(const Store& store, const Schema& schema);

  bool empty(WebhookStage stage) const;
  // All of a stage in the order in which they are asked; none for what nobody may stop.
  std::vector<KnownWebhook> configured(WebhookStage stage, const WriteAttributes& request) const;
  // Nothing where it does not want to see the request. An error where a match condition fails and the webhook's policy
  // is to fail, or a dry run meets side effects.
  Result<std::optional<MatchedWebhook>> match(const KnownWebhook& known, const WriteAttributes& request);
  // Where to and for how long; the body is the caller's. An error where the service is not there.
  Result<WebhookCall> call_of(const MatchedWebhook& webhook) const;

 private:
  struct Conditions {
    Value source;
    Result<std::vector<CompiledCondition>> compiled = std::vector<CompiledCondition>();
  };
  Result<bool> wants(const MatchedWebhook& webhook, const WriteAttributes& request);

  const Store& store_;
  const Schema& schema_;
  const Authorizer access_;  // for conditions that ask who may do what
  std::map<std::string, Conditions> conditions_;  // by KnownWebhook::key
};

// `failed calling webhook "x": failed to call webhook: …`.
Error webhook_failure(std::string_view webhook, std::string_view why);
// Validation of a configuration: names, rules, where to ask, side effects, conditions.
void check_webhooks(const Value& configuration, FieldErrors& errors);

}  // namespace minik::control
