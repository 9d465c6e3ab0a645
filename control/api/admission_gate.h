// AdmissionGate: the part of admission that users define, for one request: webhooks and policies.
//
// The server handles a request in one turn and stores nothing before its end; a webhook answers later. So
// a request is simply handled again:
//
//   dispatch: read, decode, admit, gate.mutate(), validate, gate.validate(), store
//                                       | a question without an answer
//                                       v
//             everything is dropped; the questions are asked; when all are answered: dispatch from the start
//
// Answers are remembered with the exact question (the object and what it was before), so an answer is used
// only for what was asked. If the object was changed meanwhile, the questions are new ones and are asked
// again, and a client's resourceVersion meets the version of today: optimistic concurrency holds after the
// wait as it did before it. What is drawn by chance (uid, addresses) is kept from the first time.
//
// One for each request that somebody wants to see, on the control thread. GatePool makes them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/admission/mutating_policies.h"
#include "control/admission/policies.h"
#include "control/admission/review.h"
#include "control/admission/webhooks.h"
#include "control/base/executor.h"
#include "control/base/rng.h"

namespace minik::control {

class AdmissionGate {
 public:
  // Who may want to see a request, and how the webhooks among them are asked (null: not at all). All outlive the gate.
  struct Parties {
    AdmissionPolicies& policies;
    MutatingPolicies& mutating;
    AdmissionWebhooks& webhooks;
    WebhookCaller* caller;
  };
  AdmissionGate(Executor& executor, Parties parties, Rng rng);
  ~AdmissionGate();
  AdmissionGate(const AdmissionGate&) = delete;
  AdmissionGate& operator=(const AdmissionGate&) = delete;

  // --- within one handling of the request ---
  void begin();
  // The object as the mutating policies and webhooks want it. While waiting() an error that nobody sees.
  Result<Value> mutate(const WriteAttributes& request, const Redecode& redecode);
  Status validate(const WriteAttributes& request);

  // A collection is deleted object by object: a later handling goes on where an earlier one has asked a question.
  struct Collection {
    std::vector<Value> objects;  // as they were listed
    size_t gone = 0;             // of them, from the first on
    bool listed = false;
  };
  Collection& collection() { return collection_; }

  // --- between two ---
  bool waiting() const { return !questions_.empty(); }
  // Asks what is to be asked; `resume` runs when all is answered, in a later turn.
  void ask(std::function<void()> resume);
  const std::vector<std::string>& warnings() const { return remarks_.warnings; }
  // For the audit log.
  const std::map<std::string, std::string>& annotations() const { return remarks_.annotations; }

 private:
  struct Answer {
    std::string webhook;  // KnownWebhook::key
    Value request;
    Result<ReviewAnswer> result;
  };
  struct Question {
    MatchedWebhook webhook;
    Value request;
  };
  struct First {
    std::string place;
    Value old_object, object;
  };
  struct AskedWebhook {
    KnownWebhook known;
    std::optional<Value> left;  // the object as it left it, once it was asked
  };
  struct Round;

  // Null: it has been noted as a question.
  const Answer* answer_to(const MatchedWebhook& webhook, const WriteAttributes& request);
  Status judge(const MatchedWebhook& webhook, const Answer& answer);
  Value first_seen(const WriteAttributes& request);
  void ask_one(const Question& question, const std::shared_ptr<Round>& round);

  // One after the other, each about what those before it have left, if it wants to see that.
  Status ask_in_turn(WriteAttributes& now, std::vector<AskedWebhook>& webhooks, int round, const Redecode& redecode);

  Executor& executor_;
  Parties parties_;
  Rng rng_;
  std::vector<Answer> answers_;
  std::vector<Question> questions_;
  std::vector<First> firsts_;
  AdmissionRemarks remarks_;
  Collection collection_;
  std::shared_ptr<bool> alive_;
};

// What the gates of a server share.
class GatePool {
 public:
  GatePool(Executor& executor, const Store& store, const Schema& schema, WebhookCaller* caller, Rng rng);
  ~GatePool();

  // Null when nobody could want to see this request: the usual case, which costs four look-ups.
  std::shared_ptr<AdmissionGate> gate_for(const ApiRequest& request);

 private:
  Executor& executor_;
  AdmissionPolicies policies_;
  MutatingPolicies mutating_;
  AdmissionWebhooks webhooks_;
  WebhookCaller* caller_;
  Rng rng_;
};

}  // namespace minik::control
