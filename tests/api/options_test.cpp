#include "control/api/options.h"
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

class Options : public HttpWorld {};

TEST_F(Options, RefuseAMistypedDryRunInsteadOfWriting) {
  const auto answer = create_config_map("a", "?dryRun=al");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.reason(), "Invalid");
  EXPECT_EQ(answer.cause(), "dryRun FieldValueNotSupported");
  EXPECT_EQ(call("GET", path("a")).status, 404);
}

TEST_F(Options, RefuseAMistypedPropagationPolicyInsteadOfDeleting) {
  create_config_map("a");
  EXPECT_EQ(call("DELETE", cat(path("a"), "?propagationPolicy=orphan")).cause(),
            "propagationPolicy FieldValueNotSupported");
  EXPECT_EQ(call("DELETE", path("a"), R"({"propagationPolicy":"orphan"})").status, 422);
  EXPECT_EQ(call("DELETE", path("a"), R"({"propagationPolicy":"Orphan","orphanDependents":true})")
                .cause(),
            "propagationPolicy FieldValueInvalid");
  EXPECT_EQ(call("GET", path("a")).status, 200);
}

TEST_F(Options, RefuseAnUnknownFieldValidation) {
  EXPECT_EQ(create_config_map("a", "?fieldValidation=strict").cause(),
            "fieldValidation FieldValueNotSupported");
}

TEST_F(Options, AreTrueUnlessTheySayFalseOrZero) {
  for (const auto* yes : {"true", "True", "1", "yes", ""}) EXPECT_TRUE(query_truth(yes)) << yes;
  for (const auto* no : {"false", "False", "FALSE", "0"}) EXPECT_FALSE(query_truth(no)) << no;
  EXPECT_FALSE(query_flag({}, "watch"));
  EXPECT_FALSE(query_flag({{"watch", "0"}, {"watch", "1"}}, "watch")) << "the first one counts";
  const auto verb = [&](const std::string& target) {
    const auto parsed = parse_call(Schema::builtin(), http_call("GET", target, "", "", ""));
    return parsed ? std::get<ResourceCall>(*parsed).request.verb : Verb::kCreate;
  };
  EXPECT_EQ(verb(cat(kConfigMaps, "?watch=True")), Verb::kWatch) << "as Python writes it";
  EXPECT_EQ(verb(cat(kConfigMaps, "?watch")), Verb::kWatch);
  EXPECT_EQ(verb(cat(kConfigMaps, "?watch=False")), Verb::kList);
  EXPECT_EQ(verb("/api/v1/watch/namespaces/default/configmaps?watch=false"), Verb::kWatch);
  create_config_map("a");
  const std::string forced = cat(path("a"), "?fieldManager=x&force=True");
  EXPECT_EQ(call("PATCH", forced, R"({"apiVersion":"v1","kind":"ConfigMap","data":{"a":"2"}})", "application/apply-patch+yaml").status, 200);
}

TEST_F(Options, NameTheKindOfOptionsInTheMessage) {
  EXPECT_TRUE(
      create_config_map("a", "?dryRun=x").message().starts_with("CreateOptions.meta.k8s.io"));
  EXPECT_TRUE(call("PUT", cat(path("a"), "?dryRun=x"), "{}")
                  .message()
                  .starts_with("UpdateOptions.meta.k8s.io"));
}

TEST_F(Options, RefuseContradictoryStartsOfAList) {
  const std::string list(kConfigMaps);
  EXPECT_EQ(call("GET", list + "?resourceVersionMatch=Exact").cause(),
            "resourceVersionMatch FieldValueForbidden");
  EXPECT_EQ(call("GET", list + "?resourceVersionMatch=Exact&resourceVersion=0").status, 422);
  EXPECT_EQ(call("GET", list + "?resourceVersionMatch=Newest&resourceVersion=1").cause(),
            "resourceVersionMatch FieldValueNotSupported");
  EXPECT_EQ(call("GET", list + "?sendInitialEvents=true").cause(),
            "sendInitialEvents FieldValueForbidden");
}

TEST_F(Options, RefuseContradictoryStartsOfAWatch) {
  const std::string watch = cat(kConfigMaps, "?watch=true");
  EXPECT_EQ(call("GET", watch + "&sendInitialEvents=true").cause(),
            "resourceVersionMatch FieldValueForbidden");
  EXPECT_EQ(call("GET", watch + "&resourceVersionMatch=NotOlderThan&resourceVersion=1").status,
            422);
}

TEST_F(Options, PageThroughOneSnapshot) {
  for (const auto* name : {"a", "b", "c"}) create_config_map(name);
  const auto first = call("GET", cat(kConfigMaps, "?limit=2&labelSelector="));
  ASSERT_EQ(first.body[keys::kItems].items().size(), 2u);
  const auto next = first.body[keys::kMetadata][keys::kContinue].string();
  create_config_map("d");
  const auto second = call("GET", cat(kConfigMaps, "?limit=2&continue=", next));
  EXPECT_EQ(second.body[keys::kItems].items().size(), 1u);
  EXPECT_EQ(second.version(), first.version());
  EXPECT_EQ(call("GET", cat(kConfigMaps, "?resourceVersion=5&continue=", next)).status, 400);
}

TEST_F(Options, ListExactlyTheVersionThatWasAskedForOrSayThatItIsGone) {
  create_config_map("a");
  const auto old = call("GET", std::string(kConfigMaps)).version();
  EXPECT_EQ(
      call("GET", cat(kConfigMaps, "?resourceVersionMatch=Exact&resourceVersion=", old)).version(),
      old);
  create_config_map("b");
  EXPECT_EQ(call("GET", cat(kConfigMaps, "?resourceVersionMatch=Exact&resourceVersion=", old)).body[keys::kItems].size(), 1U);
  store.forget_windows();
  const auto gone =
      call("GET", cat(kConfigMaps, "?resourceVersionMatch=Exact&resourceVersion=", old));
  EXPECT_EQ(gone.status, 410);
  EXPECT_EQ(gone.reason(), "Expired");
}

TEST_F(Options, AskToRetryForAVersionFromTheFuture) {
  const auto answer = call("GET", cat(kConfigMaps, "?resourceVersion=999999"));
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.reason(), "Timeout");
  EXPECT_EQ(answer.cause(), " ResourceVersionTooLarge");
  EXPECT_EQ(answer.body[keys::kDetails][keys::kRetryAfterSeconds].as_int(), 1);
}

}  // namespace
}  // namespace minik::control
