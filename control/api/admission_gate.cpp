#include "control/api/admission_gate.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/patch.h"

namespace minik::control {

namespace {

// Nobody sees it: the request is handled again.
Error still_waiting() { return Error(ErrorCode::kServiceUnavailable, "waiting for an admission webhook"); }

bool writes(Verb verb) {
  return verb == Verb::kCreate || verb == Verb::kUpdate || verb == Verb::kPatch || verb == Verb::kDelete ||
         verb == Verb::kDeleteCollection || verb == Verb::kConnect;
}

Value with_identity_of(const Value& first, const Value& object) {
  const Value &before = first[keys::kMetadata], &metadata = object[keys::kMetadata];
  if (metadata[keys::kUid] == before[keys::kUid] && metadata[keys::kCreationTimestamp] == before[keys::kCreationTimestamp])
    return object;
  return object.with(keys::kMetadata, metadata.with(keys::kUid, before[keys::kUid])
                                          .with(keys::kCreationTimestamp, before[keys::kCreationTimestamp]));
}

// What the audit log says of a webhook that has answered with a patch.
std::string mutation_note(const MatchedWebhook& webhook, bool mutated) {
  return to_json(Value::map({{"configuration", webhook.key.substr(0, webhook.key.find('/'))},
                             {"webhook", webhook.name()},
                             {"mutated", mutated}}));
}

}  // namespace

// Questions that were asked together.
struct AdmissionGate::Round {
  size_t open = 0;
  std::function<void()> resume;
};

AdmissionGate::AdmissionGate(Executor& executor, Parties parties, Rng rng)
    : executor_(executor), parties_(parties), rng_(rng), alive_(std::make_shared<bool>(true)) {}

AdmissionGate::~AdmissionGate() { *alive_ = false; }

void AdmissionGate::begin() {
  questions_.clear();
  remarks_ = {};
}

Value AdmissionGate::first_seen(const WriteAttributes& request) {
  const std::string place = cat(request.namespace_, "/", request.operation == Operation::kCreate ? "" : request.name);
  for (const auto& first : firsts_) {
    if (first.place == place && first.old_object == request.old_object) return first.object;
  }
  firsts_.push_back({place, request.old_object, request.object});
  return request.object;
}

const AdmissionGate::Answer* AdmissionGate::answer_to(const MatchedWebhook& webhook, const WriteAttributes& request) {
  Value asked = review_request(request, *webhook.as);
  for (const auto& answer : answers_) {
    if (answer.webhook == webhook.key && answer.request == asked) return &answer;
  }
  questions_.push_back({webhook, std::move(asked)});
  return nullptr;
}

Status AdmissionGate::judge(const MatchedWebhook& webhook, const Answer& answer) {
  if (!answer.result) return webhook.fails_open() ? Status() : Status(answer.result.error());
  remarks_.warnings.insert(remarks_.warnings.end(), answer.result->warnings.begin(), answer.result->warnings.end());
  for (const auto& [key, value] : answer.result->audit_annotations) {
    remarks_.annotations.try_emplace(cat(webhook.name(), "/", key), value);
  }
  if (answer.result->allowed) return {};
  return denial(webhook.name(), answer.result->status);
}

Result<Value> AdmissionGate::mutate(const WriteAttributes& request, const Redecode& redecode) {
  WriteAttributes now = request;
  now.object = first_seen(request);
  if (now.object.has_value()) now.name = now.object[keys::kMetadata][keys::kName].string();
  const Value first = now.object;
  // What the server gave it nobody changes.
  const Redecode read = [&](const Value& document) -> Result<Value> {
    MINIK_ASSIGN(const Value next, redecode(document));
    return with_identity_of(first, next);
  };
  MutationRounds rounds;
  std::vector<AskedWebhook> webhooks;
  MINIK_ASSIGN(now.object, parties_.mutating.mutate(now, rounds, read));
  for (auto& known : parties_.webhooks.configured(WebhookStage::kMutating, now)) webhooks.push_back({std::move(known), {}});
  MINIK_TRY(ask_in_turn(now, webhooks, 0, read));
  if (now.object == first) return now.object;
  // A second time for those who want to see what others have changed since.
  rounds.second = true;
  MINIK_ASSIGN(now.object, parties_.mutating.mutate(now, rounds, read));
  MINIK_TRY(ask_in_turn(now, webhooks, 1, read));
  return now.object;
}

Status AdmissionGate::ask_in_turn(WriteAttributes& now, std::vector<AskedWebhook>& webhooks, int round,
                                  const Redecode& redecode) {
  for (size_t i = 0; i < webhooks.size(); ++i) {
    auto& [known, left] = webhooks[i];
    const bool again = left && known.webhook.get("reinvocationPolicy").as_string() == "IfNeeded" && !(*left == now.object);
    if (round > 0 && !again) continue;
    MINIK_ASSIGN(const auto matched, parties_.webhooks.match(known, now));
    if (!matched) continue;
    const MatchedWebhook& webhook = *matched;
    const Answer* answer = answer_to(webhook, now);
    if (!answer) return still_waiting();
    MINIK_TRY(judge(webhook, *answer));
    if (answer->result && answer->result->patch.has_value() && now.object.has_value()) {
      const Value document = named_object(*now.resource, now.object);
      auto patched = apply_json_patch(document, answer->result->patch);
      // The call went well, so this is no failure that a failurePolicy is about.
      if (!patched) return Error(ErrorCode::kInternalError, cat("Internal error occurred: ", patched.error().message));
      const Value before = now.object;
      MINIK_ASSIGN(now.object, redecode(patched->with(keys::kApiVersion, document[keys::kApiVersion])));
      remarks_.annotations.try_emplace(cat("mutation.webhook.admission.k8s.io/round_", round, "_index_", i),
                                       mutation_note(webhook, !(before == now.object)));
    }
    left = now.object;
  }
  return {};
}

Status AdmissionGate::validate(const WriteAttributes& request) {
  MINIK_TRY(parties_.policies.check(request, remarks_));
  std::vector<MatchedWebhook> matched;
  for (const auto& known : parties_.webhooks.configured(WebhookStage::kValidating, request)) {
    MINIK_ASSIGN(auto webhook, parties_.webhooks.match(known, request));
    if (webhook) matched.push_back(*std::move(webhook));
  }
  bool missing = false;
  // All at once: they change nothing.
  for (const auto& webhook : matched) missing |= answer_to(webhook, request) == nullptr;
  if (missing) return still_waiting();
  for (const auto& webhook : matched) MINIK_TRY(judge(webhook, *answer_to(webhook, request)));
  return {};
}

void AdmissionGate::ask(std::function<void()> resume) {
  auto round = std::make_shared<Round>();
  round->resume = std::move(resume);
  const auto questions = std::exchange(questions_, {});
  round->open = questions.size();
  for (const auto& question : questions) ask_one(question, round);
}

void AdmissionGate::ask_one(const Question& question, const std::shared_ptr<Round>& round) {
  const std::string uid = rng_.uuid();
  const auto closed = std::make_shared<bool>(false);
  const auto close = [this, alive = alive_, closed, round, question](Result<ReviewAnswer> result) {
    if (!*alive || std::exchange(*closed, true)) return;
    answers_.push_back({question.webhook.key, question.request, std::move(result)});
    if (--round->open == 0) round->resume();
  };
  const std::string name = question.webhook.name();
  const auto later = [&](Error error) {
    executor_.post([close, error = std::move(error)] { close(error); });
  };
  auto call = parties_.webhooks.call_of(question.webhook);
  if (!call) return later(webhook_failure(name, call.error().message));
  if (!parties_.caller) return later(webhook_failure(name, cat("Post ", quoted(call->url), ": no network leads there")));
  call->body = review_body(question.request, uid);
  const std::string url = call->url;
  executor_.after(call->timeout, [close, name, url] {
    close(webhook_failure(name, cat("Post ", quoted(url), ": context deadline exceeded")));
  });
  parties_.caller->call(*std::move(call), [close, name, url, uid](Result<std::string> body) {
    if (!body) return close(webhook_failure(name, cat("Post ", quoted(url), ": ", body.error().message)));
    auto answer = read_review(*body, uid);
    if (answer) return close(std::move(answer));
    close(Error(ErrorCode::kInternalError,
                cat("Internal error occurred: failed calling webhook ", quoted(name), ": ", answer.error().message)));
  });
}

GatePool::GatePool(Executor& executor, const Store& store, const Schema& schema, WebhookCaller* caller, Rng rng)
    : executor_(executor),
      policies_(store, schema),
      mutating_(store, schema),
      webhooks_(store, schema),
      caller_(caller),
      rng_(rng) {}

GatePool::~GatePool() = default;

std::shared_ptr<AdmissionGate> GatePool::gate_for(const ApiRequest& request) {
  if (!writes(request.verb)) return nullptr;
  if (policies_.empty() && mutating_.empty() && webhooks_.empty(WebhookStage::kMutating) && webhooks_.empty(WebhookStage::kValidating)) {
    return nullptr;
  }
  return std::make_shared<AdmissionGate>(executor_, AdmissionGate::Parties{policies_, mutating_, webhooks_, caller_},
                                         rng_.fork(rng_.uuid()));
}

}  // namespace minik::control
