#include "control/cel/authorizer.h"
#include "control/cel/overloads.h"

namespace minik::control::cel {

namespace {

// The authorizer itself and the questions that grow from it.
struct QuestionBox : Extension {
  std::shared_ptr<const AskAccess> ask;
  AccessQuestion question;
  std::shared_ptr<const AccessQuestion> about;
};

struct DecisionBox : Extension {
  AccessAnswer answer;
};

template <Kind kind>
Datum grown(const Datum& from, void (*change)(AccessQuestion&, std::string_view), const Datum& text) {
  auto box = std::make_shared<QuestionBox>(from.as<QuestionBox>());
  change(box->question, text.as_text());
  return Datum::extension(kind, std::move(box));
}

template <Kind kind, std::string AccessQuestion::* field>
Datum with(const Call& c) {
  return grown<kind>(c[0], [](AccessQuestion& question, std::string_view text) { question.*field = text; }, c[1]);
}

Datum path(const Call& c) {
  if (c[1].as_text().empty()) return Datum::error("path must not be empty");
  return with<Kind::kPathCheck, &AccessQuestion::path>(c);
}

Datum service_account(const Call& c) {
  auto box = std::make_shared<QuestionBox>(c[0].as<QuestionBox>());
  box->question.account_namespace = c[1].as_text();
  box->question.account = c[2].as_text();
  return Datum::extension(Kind::kAuthorizer, std::move(box));
}

// RBAC looks at no selectors, so they widen and narrow nothing.
Datum unchanged(const Call& c) { return c[0]; }

Datum check(const Call& c) {
  const auto& box = c[0].as<QuestionBox>();
  AccessQuestion question = box.question;
  question.verb = c[1].as_text();
  auto decision = std::make_shared<DecisionBox>();
  decision->answer = (*box.ask)(question);
  return Datum::extension(Kind::kDecision, std::move(decision));
}

Datum allowed(const Call& c) { return Datum::boolean(c[0].as<DecisionBox>().answer.allowed); }
Datum reason(const Call& c) { return Datum::text(c[0].as<DecisionBox>().answer.reason); }
// The authorizers here always have an answer.
Datum errored(const Call&) { return Datum::boolean(false); }
Datum no_error(const Call&) { return Datum::text(""); }

constexpr OverloadText kAuthorizerFunctions[] = {
    {"Authorizer.path(string) -> PathCheck", path},
    {"Authorizer.serviceAccount(string, string) -> Authorizer", service_account},
    {"Authorizer.group(string) -> GroupCheck", with<Kind::kGroupCheck, &AccessQuestion::group>},
    {"GroupCheck.resource(string) -> ResourceCheck", with<Kind::kResourceCheck, &AccessQuestion::resource>},
    {"ResourceCheck.subresource(string) -> ResourceCheck", with<Kind::kResourceCheck, &AccessQuestion::subresource>},
    {"ResourceCheck.namespace(string) -> ResourceCheck", with<Kind::kResourceCheck, &AccessQuestion::namespace_>},
    {"ResourceCheck.name(string) -> ResourceCheck", with<Kind::kResourceCheck, &AccessQuestion::name>},
    {"ResourceCheck.fieldSelector(string) -> ResourceCheck", unchanged},
    {"ResourceCheck.labelSelector(string) -> ResourceCheck", unchanged},
    {"ResourceCheck.check(string) -> Decision", check, Cost::kAccess},
    {"PathCheck.check(string) -> Decision", check, Cost::kAccess},
    {"Decision.allowed() -> bool", allowed},
    {"Decision.reason() -> string", reason},
    {"Decision.errored() -> bool", errored},
    {"Decision.error() -> string", no_error},
};

}  // namespace

Datum authorizer(AskAccess ask, AccessQuestion about) {
  auto box = std::make_shared<QuestionBox>();
  box->ask = std::make_shared<const AskAccess>(std::move(ask));
  box->about = std::make_shared<const AccessQuestion>(std::move(about));
  return Datum::extension(Kind::kAuthorizer, std::move(box));
}

Datum request_resource(const Datum& authorizer) {
  auto box = std::make_shared<QuestionBox>(authorizer.as<QuestionBox>());
  box->question = *box->about;
  return Datum::extension(Kind::kResourceCheck, std::move(box));
}

std::span<const OverloadText> authorizer_functions() {
  return kAuthorizerFunctions;
}

}  // namespace minik::control::cel
