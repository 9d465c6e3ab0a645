// Watches: where they begin, what they tell, how they end.
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

class Watches : public Conformance {
 protected:
  std::string from_now() { return cat(kConfigMaps, "?watch=true&resourceVersion=", get(std::string(kConfigMaps)).version()); }
};

TEST_F(Watches, BeginWithWhatThereIsOrAfterAVersion) {
  create_config_map("a");
  auto from_here = watch(from_now());
  auto all = watch(cat(kConfigMaps, "?watch=true"));
  auto any = watch(cat(kConfigMaps, "?watch=1&resourceVersion=0"));
  create_config_map("b");
  EXPECT_EQ(take(*from_here), "ADDED b");
  EXPECT_EQ(take(*all), "ADDED a, ADDED b");
  EXPECT_EQ(take(*any), "ADDED a, ADDED b");
}

TEST_F(Watches, FillInWhatWasMissed) {
  const auto start = from_now();
  create_config_map("a");
  patch(path("a"), R"({"data":{"b":"2"}})");
  call("DELETE", path("a"));
  auto late = watch(start);
  EXPECT_EQ(take(*late), "ADDED a, MODIFIED a, DELETED a");
}

TEST_F(Watches, TellObjectsThatCarryKindAndVersion) {
  auto watching = watch(from_now());
  const auto made = create_config_map("a");
  settle();
  ASSERT_EQ(watching->frames.size(), 1U);
  EXPECT_EQ(watching->frames[0][keys::kObject], made.body);
}

TEST_F(Watches, TellADeletionWithTheRevisionOfTheDeletion) {
  const auto made = create_config_map("a");
  auto watching = watch(from_now());
  call("DELETE", path("a"));
  settle();
  ASSERT_EQ(watching->frames.size(), 1U);
  const auto revision = parse_int64(watching->frames[0].at({keys::kObject, keys::kMetadata, keys::kResourceVersion}).as_string());
  EXPECT_GT(*revision, *parse_int64(made.version()));
}

TEST_F(Watches, SeeObjectsEnterAndLeaveTheirSelection) {
  create_config_map("a");
  auto watching = watch(cat(from_now(), "&labelSelector=on%3Dyes"));
  patch(path("a"), R"({"metadata":{"labels":{"on":"yes"}}})");
  patch(path("a"), R"({"data":{"x":"y"}})");
  patch(path("a"), R"({"metadata":{"labels":{"on":"no"}}})");
  EXPECT_EQ(take(*watching), "ADDED a, MODIFIED a, DELETED a");
}

TEST_F(Watches, OfOneObjectTellNothingOfOthers) {
  auto by_name = watch(cat(path("a"), "?watch=true&resourceVersion=", get(std::string(kConfigMaps)).version()));
  auto old_form = watch(cat("/api/v1/watch/namespaces/default/configmaps/a?resourceVersion=",
                            get(std::string(kConfigMaps)).version()));
  create_config_map("b");
  create_config_map("a");
  EXPECT_EQ(take(*by_name), "ADDED a");
  EXPECT_EQ(take(*old_form), "ADDED a");
}

TEST_F(Watches, SendABookmarkEveryMinuteToWhoAllowsThem) {
  auto watching = watch(cat(from_now(), "&allowWatchBookmarks=true"));
  auto without = watch(from_now());
  create("/api/v1/namespaces/default/secrets", "{metadata: {name: elsewhere}}");
  executor.run_until(executor.now() + minutes(1) + seconds(5), [] { return false; });
  ASSERT_FALSE(watching->frames.empty());
  const Value& bookmark = watching->frames[0];
  EXPECT_EQ(bookmark[keys::kType].as_string(), "BOOKMARK");
  EXPECT_EQ(bookmark[keys::kObject][keys::kKind].as_string(), "ConfigMap");
  EXPECT_EQ(bookmark.at({keys::kObject, keys::kMetadata, keys::kResourceVersion}).string(),
            get(std::string(kConfigMaps)).version());
  EXPECT_EQ(take(*without), "");
}

TEST_F(Watches, StreamAListAndSayWhereItEnds) {
  create_config_map("a");
  auto watching = watch(cat(kConfigMaps, "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                                         "&allowWatchBookmarks=true"));
  ASSERT_EQ(watching->frames.size(), 2U);
  EXPECT_EQ(watching->frames[0][keys::kType].as_string(), "ADDED");
  EXPECT_EQ(watching->frames[1][keys::kType].as_string(), "BOOKMARK");
  EXPECT_EQ(watching->frames[1].at({keys::kObject, keys::kMetadata, keys::kAnnotations})["k8s.io/initial-events-end"].string(),
            "true");
  auto without = watch(cat(kConfigMaps, "?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"));
  EXPECT_EQ(take(*without), "");
}

TEST_F(Watches, EndWhenTheirTimeIsOver) {
  auto watching = watch(cat(from_now(), "&timeoutSeconds=3"));
  executor.run_until(executor.now() + seconds(2), [] { return false; });
  EXPECT_FALSE(watching->over);
  executor.run_until(executor.now() + seconds(2), [] { return false; });
  EXPECT_TRUE(watching->over);
  EXPECT_TRUE(watching->ended.ok());
}

TEST_F(Watches, FromAVersionThatIsForgottenAreGone) {
  const auto start = from_now();
  create_config_map("a");
  store.forget_windows();
  auto watching = watch(start);
  settle();
  EXPECT_TRUE(watching->over);
  ASSERT_FALSE(watching->ended.ok());
  EXPECT_EQ(watching->ended.error().code, ErrorCode::kExpired);
  EXPECT_EQ(code_http(watching->ended.error().code), 410);
}

TEST_F(Watches, ComeAsTablesAndAsBareMetadata) {
  auto table = watch(from_now(), kAsTable);
  auto metadata = watch(from_now(), kAsMetadata);
  create_config_map("a");
  settle();
  ASSERT_EQ(table->frames.size(), 1U);
  EXPECT_EQ(table->frames[0][keys::kObject][keys::kKind].as_string(), "Table");
  EXPECT_EQ(table->frames[0][keys::kObject]["rows"].size(), 1U);
  EXPECT_EQ(metadata->frames[0][keys::kObject][keys::kKind].as_string(), "PartialObjectMetadata");
  EXPECT_TRUE(metadata->frames[0][keys::kObject]["data"].is_absent());
}

TEST_F(Watches, SendBookmarksInTheFormThatWasAskedFor) {
  const auto query = cat(kConfigMaps, "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                                      "&allowWatchBookmarks=true");
  auto table = watch(query, kAsTable);
  ASSERT_EQ(table->frames.size(), 1U);
  EXPECT_EQ(table->frames[0][keys::kObject][keys::kKind].as_string(), "Table");
  auto metadata = watch(query, kAsMetadata);
  ASSERT_EQ(metadata->frames.size(), 1U);
  const Value& bare = metadata->frames[0][keys::kObject];
  EXPECT_EQ(bare[keys::kKind].as_string(), "PartialObjectMetadata");
  EXPECT_EQ(bare.at({keys::kMetadata, keys::kAnnotations})["k8s.io/initial-events-end"].string(), "true");
}

TEST_F(Watches, ReplayToExactlyTheNextList) {
  for (const auto* name : {"a", "b", "c"}) create_config_map(name);
  auto watching = watch(from_now());
  patch(path("a"), R"({"data":{"x":"1"}})");
  call("DELETE", path("b"));
  create_config_map("d");
  EXPECT_EQ(take(*watching), "MODIFIED a, DELETED b, ADDED d");
}

}  // namespace
}  // namespace minik::control
