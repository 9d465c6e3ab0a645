// SimulatedWebhooks: what stands behind admission webhooks in the simulator. Every webhook allows
// everything, after a delay, until something else is said: of one by its name, or of all.
//
//   webhooks.set("validate.example.com", {.answer = Answer::kDeny, .message = "not on a Friday"});
//   webhooks.set("", {.delay = seconds(20)});          // slowness, of all
//   webhooks.set("", {.answer = Answer::kOutage});     // connection refused
//
// Handed to the API server as its WebhookCaller (ApiServerOptions::webhook_caller).
#pragma once

#include <map>
#include <string>

#include "control/admission/webhook_caller.h"
#include "control/base/executor.h"

namespace minik::sim {

struct WebhookBehaviour {
  enum class Answer : uint8_t {
    kAllow,
    kDeny,
    kPatch,   // allow, with `patch`
    kOutage,  // nobody answers: the connection is refused
    kSilent,  // it is taken and never answered
    kNonsense
  };
  Answer answer = Answer::kAllow;
  Duration delay = milliseconds(2);
  std::string message = {};  // of a denial
  std::string patch = {};    // a JSON patch, as text
};

class SimulatedWebhooks final : public control::WebhookCaller {
 public:
  explicit SimulatedWebhooks(Executor& executor) : executor_(executor) {}

  // From now on; the empty name stands for all that have no behaviour of their own.
  void set(const std::string& webhook, WebhookBehaviour behaviour) { behaviours_[webhook] = std::move(behaviour); }
  void reset() { behaviours_.clear(); }
  // How often a webhook was called, whatever came of it.
  uint64_t calls(const std::string& webhook) const;

  void call(control::WebhookCall call, std::function<void(Result<std::string>)> done) override;

 private:
  Executor& executor_;
  std::map<std::string, WebhookBehaviour> behaviours_;
  std::map<std::string, uint64_t> calls_;
};

}  // namespace minik::sim
