#include "sim/webhooks.h"

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "sim/image_behaviour.h"

namespace minik::sim {

namespace {

using control::Value;
namespace keys = control::keys;

std::string reviewed(const WebhookBehaviour& behaviour, const std::string& body) {
  if (behaviour.answer == WebhookBehaviour::Answer::kNonsense) return "<html>";
  const auto question = control::parse_json(body);
  const Value uid = question ? question->get("request")[keys::kUid] : Value();
  control::MapBuilder response;
  response.set(keys::kUid, uid);
  response.set("allowed", behaviour.answer != WebhookBehaviour::Answer::kDeny);
  if (const auto status = control::parse_json(behaviour.status); status && !behaviour.status.empty()) {
    response.set(keys::kStatus, *status);
  } else if (!behaviour.message.empty()) {
    response.set(keys::kStatus, Value::map({{keys::kMessage, behaviour.message}, {keys::kCode, 403}}));
  }
  if (behaviour.answer == WebhookBehaviour::Answer::kPatch) {
    response.set("patchType", "JSONPatch").set("patch", to_base64(behaviour.patch));
  }
  return control::to_json(Value::map({{keys::kApiVersion, "admission.k8s.io/v1"},
                                      {keys::kKind, "AdmissionReview"},
                                      {"response", std::move(response).build()}}));
}

}  // namespace

uint64_t SimulatedWebhooks::calls(const std::string& webhook) const {
  const auto found = calls_.find(webhook);
  return found == calls_.end() ? 0 : found->second;
}

void SimulatedWebhooks::call(control::WebhookCall call, std::function<void(Result<std::string>)> done) {
  ++calls_[call.webhook];
  auto found = behaviours_.find(call.webhook);
  if (found == behaviours_.end()) found = behaviours_.find("");
  WebhookBehaviour behaviour = found == behaviours_.end() ? WebhookBehaviour{} : found->second;
  std::string failure = "dial tcp: connect: connection refused";
  using Answer = WebhookBehaviour::Answer;
  for (const auto& trouble : trouble_) {
    if (!matches_pattern(trouble.match, call.webhook)) continue;
    switch (trouble.what) {
      case WebhookTrouble::What::kSlow: behaviour.delay = behaviour.delay + trouble.latency.draw(rng_); break;
      case WebhookTrouble::What::kRefused: behaviour.answer = Answer::kOutage; break;
      case WebhookTrouble::What::kSilent: behaviour.answer = Answer::kSilent; break;
      case WebhookTrouble::What::kNonsense: behaviour.answer = Answer::kNonsense; break;
      case WebhookTrouble::What::kCertificate:
        behaviour.answer = Answer::kOutage;
        failure = "tls: failed to verify certificate: x509: certificate has expired or is not yet valid";
        break;
    }
  }
  if (behaviour.answer == Answer::kSilent || (!call.address.empty() && !reaches_(call.address))) return;
  executor_.after(behaviour.delay, [behaviour, failure, body = std::move(call.body), done = std::move(done)] {
    if (behaviour.answer == Answer::kOutage) {
      done(Error(ErrorCode::kServiceUnavailable, failure));
    } else {
      done(reviewed(behaviour, body));
    }
  });
}

}  // namespace minik::sim
