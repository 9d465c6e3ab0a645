// SimulatedWebhooks: what stands behind admission webhooks in the simulator. Every webhook allows
// everything, after a delay, until something else is said: of one by its name, or of all.
//
//   webhooks.set("validate.example.com", {.answer = Answer::kDeny, .message = "not on a Friday"});
//   webhooks.set("", {.delay = seconds(20)});          // slowness, of all
//   webhooks.set("", {.answer = Answer::kOutage});     // connection refused
//
// A scenario's faults come on top of it, and a webhook that is a Service of the cluster is away with the machine of the
// pod that was asked. Which endpoint that is, and that there is none, the API server decides.
//
// Handed to the API server as its WebhookCaller (ApiServerOptions::webhook_caller).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/admission/webhook_caller.h"
#include "control/base/executor.h"
#include "control/base/rng.h"
#include "sim/distribution.h"

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
  std::string status = {};   // instead of a message: the Status of a denial, as JSON
  std::string patch = {};    // a JSON patch, as text
};

struct WebhookTrouble {
  enum class What : uint8_t {
    kSlow,         // each answer takes `latency` longer
    kRefused,      // nobody answers: the connection is refused
    kSilent,       // it is taken and never answered
    kNonsense,     // what comes is no answer
    kCertificate,  // its certificate has expired
  };
  What what = What::kRefused;
  std::string match = "*";  // names; * stands for any text
  Distribution latency;
};

class SimulatedWebhooks final : public control::WebhookCaller {
 public:
  // `reaches` says whether anybody is at an address of the cluster.
  SimulatedWebhooks(Executor& executor, Rng rng, std::function<bool(const std::string& address)> reaches)
      : executor_(executor), rng_(rng), reaches_(std::move(reaches)) {}

  // From now on; the empty name stands for all that have no behaviour of their own.
  void set(const std::string& webhook, WebhookBehaviour behaviour) { behaviours_[webhook] = std::move(behaviour); }
  void reset() { behaviours_.clear(); }
  // All faults that are under way.
  void set_trouble(std::vector<WebhookTrouble> trouble) { trouble_ = std::move(trouble); }
  // How often a webhook was called, whatever came of it.
  uint64_t calls(const std::string& webhook) const;

  void call(control::WebhookCall call, std::function<void(Result<std::string>)> done) override;

 private:
  Executor& executor_;
  Rng rng_;
  std::function<bool(const std::string&)> reaches_;
  std::vector<WebhookTrouble> trouble_;
  std::map<std::string, WebhookBehaviour> behaviours_;
  std::map<std::string, uint64_t> calls_;
};

}  // namespace minik::sim
