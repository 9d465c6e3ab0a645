#include "control/controllers/service_account_tokens.h"

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kType = "kubernetes.io/service-account-token";
constexpr std::string_view kAccountName = "kubernetes.io/service-account.name", kAccountUid = "kubernetes.io/service-account.uid";
constexpr std::string_view kByAccount = "service-account";
constexpr Duration kTokenAgain = minutes(1);

std::string_view note_of(const Value& secret, std::string_view annotation) {
  return secret[keys::kMetadata][keys::kAnnotations].get(annotation).as_string();
}

std::string account_index_value(std::string_view namespace_, std::string_view account) { return cat(namespace_, "/", account); }

IndexFunction secrets_by_account() {
  return [](const Value& secret, std::vector<Key>& out) {
    if (secret[keys::kType].as_string() == kType)
      out.emplace_back(account_index_value(object_namespace(secret), note_of(secret, kAccountName)));
  };
}

KeysForChange secrets_of_account() {
  return [](const Snapshot& snapshot, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
    const Value& account = after.has_value() ? after : before;
    const auto place = account_index_value(object_namespace(account), object_name(account));
    for (const auto& secret : snapshot.indexed(kinds::kSecrets, kByAccount, place)) keys.push_back(key_of(secret));
  };
}

// A cache may be behind, and a deleted Secret does not come back: the plan goes on only when the server, too, has no such
// account, or has this other one in its place.
void confirm_gone(Plan& plan, const ObjectKey& account, const Value& other) {
  if (other.has_value()) {
    plan.update(kinds::kServiceaccounts, other);  // which changes nothing, if that is the newest version
    return;
  }
  PlannedWrite question;
  question.request.verb = Verb::kList;
  question.request.kind = kinds::kServiceaccounts;
  question.request.namespace_ = account.namespace_;
  question.request.options.field_selector = cat("metadata.name=", account.name);
  question.expect_empty = true;
  plan.writes.push_back(std::move(question));
}

Plan reconcile_token(const SecretTokenSigner& sign, const std::string& ca, const Snapshot& snapshot,
                     const ObjectKey& key) {
  Plan plan;
  const Value& secret = snapshot.find(kinds::kSecrets, key.namespace_, key.name);
  if (!secret.has_value() || is_deleting(secret) || secret[keys::kType].as_string() != kType) return plan;
  const ObjectKey wanted{key.namespace_, std::string(note_of(secret, kAccountName))};
  if (wanted.name.empty()) return plan;
  const Value& account = snapshot.find(kinds::kServiceaccounts, wanted.namespace_, wanted.name);
  const std::string_view uid = note_of(secret, kAccountUid);
  if (!account.has_value() || (!uid.empty() && uid != object_uid(account))) {
    confirm_gone(plan, wanted, account);
    plan.remove(kinds::kSecrets, secret);
    return plan;
  }
  if (is_deleting(account)) return plan;
  MapBuilder data(secret[keys::kData]);
  if (data.get(keys::kToken).as_string().empty()) {
    const auto token = sign({key.namespace_, wanted.name, std::string(object_uid(account)), key.name});
    if (!token) {
      plan.note(typed(secret, "v1", "Secret"), "Warning", "FailedToken", token.error().message);
      plan.look_again_after(kTokenAgain);
      return plan;
    }
    data.set(keys::kToken, to_base64(*token));
  }
  if (data.get(keys::kNamespace).as_string().empty()) data.set(keys::kNamespace, to_base64(key.namespace_));
  if (!ca.empty()) data.set("ca.crt", to_base64(ca));
  const Value next = secret.with(keys::kData, std::move(data).build())
                         .with_at({keys::kMetadata, keys::kAnnotations, Key(kAccountUid)}, object_uid(account));
  if (!(next == secret)) plan.update(kinds::kSecrets, next);
  return plan;
}

}  // namespace

ControllerSpec service_account_token_controller(SecretTokenSigner sign, std::string ca_pem) {
  ControllerSpec spec;
  spec.name = "serviceaccount-token-controller";
  spec.kind = kinds::kSecrets;
  spec.watches = {{kinds::kSecrets, own_key(), {{std::string(kByAccount), secrets_by_account()}}},
                  {kinds::kServiceaccounts, secrets_of_account(), {}}};
  spec.decide = [sign = std::move(sign), ca = std::move(ca_pem)](const Snapshot& snapshot, const ObjectKey& key, Env&) {
    return reconcile_token(sign, ca, snapshot, key);
  };
  return spec;
}

}  // namespace minik::control
