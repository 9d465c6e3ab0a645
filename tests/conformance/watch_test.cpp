// Watches: where they begin, what they tell, how they end.
#include <deque>

#include "control/schema/kinds.h"
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

// What is written becomes durable after a while.
class WatchesOnASlowDisk : public ::testing::Test {
 protected:
  WatchesOnASlowDisk() { api.bootstrap(); }
  void write(Verb verb, const std::string& name, const std::string& data = "1") {
    ApiRequest request;
    request.verb = verb;
    request.kind = kinds::kConfigmaps;
    request.namespace_ = "default";
    request.name = verb == Verb::kCreate ? "" : name;
    if (verb != Verb::kDelete)
      request.body = Value::map({{"metadata", Value::map({{"name", name}})}, {"data", Value::map({{"a", data}})}});
    client.send(std::move(request), [](const Result<ApiResponse>& done) { EXPECT_TRUE(done) << done.error().message; });
  }
  void pass(Duration time) { executor.run_until(executor.now() + time, [] { return false; }); }
  // "ADDED a@5": what a watch with this selector is told, in order.
  std::unique_ptr<WatchHandle> watch(std::string& told, const std::string& fields = "") {
    ApiRequest request;
    request.verb = Verb::kWatch;
    request.kind = kinds::kConfigmaps;
    request.namespace_ = "default";
    request.options.field_selector = fields;
    request.options.send_initial_events = true;
    request.options.resource_version_match = "NotOlderThan";
    auto begun = client.watch(request, {.on_event =
                                            [&](const WatchEvent& event) {
                                              constexpr std::string_view kTypes[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
                                              const int64_t revision = static_cast<int64_t>(object_revision(event.object).value) - start;
                                              told += cat(kTypes[static_cast<size_t>(event.type)], " ", object_name(event.object), "@", revision, " ");
                                            },
                                        .on_end = [](const Status&) {}});
    pass({});
    return begun;
  }

  int64_t start = 0;
  sim::VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  std::deque<std::function<void(Status)>> flushes;  // in the order of the batches
  MemoryLog log{MemoryLog::Keep::kNothing, [this](size_t, std::function<void(Status)> flush) {
                  flushes.push_back(std::move(flush));
                  executor.after(milliseconds(20), [this] {
                    const auto next = std::move(flushes.front());
                    flushes.pop_front();
                    next({});
                  });
                }};
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  ApiServer api{executor, store, Schema::builtin(), metrics, Rng(1), {}};
  LocalClient client{executor, api, component_user("tester")};
};

TEST_F(WatchesOnASlowDisk, BeginAtOneMomentAndNeverGoBack) {
  for (const auto* name : {"a", "b", "c"}) write(Verb::kCreate, name);
  pass(seconds(1));
  start = static_cast<int64_t>(store.durable_revision().value);
  write(Verb::kUpdate, "a", "2");
  write(Verb::kCreate, "d");
  write(Verb::kDelete, "b");
  pass(milliseconds(1));
  ASSERT_GT(store.revision(), store.durable_revision()) << "they are on their way";
  std::string all, one, none;
  const auto whole = watch(all), named = watch(one, "metadata.name=b"), unborn = watch(none, "metadata.name=d");
  EXPECT_EQ(all, "ADDED a@-2 ADDED b@-1 ADDED c@0 BOOKMARK @0 ");
  EXPECT_EQ(one, "ADDED b@-1 BOOKMARK @0 ");
  EXPECT_EQ(none, "BOOKMARK @0 ");
  for (auto* told : {&all, &one, &none}) told->clear();
  pass(seconds(1));
  EXPECT_EQ(all, "MODIFIED a@1 ADDED d@2 DELETED b@3 ");
  EXPECT_EQ(one, "DELETED b@3 ");
  EXPECT_EQ(none, "ADDED d@2 ");
}

}  // namespace
}  // namespace minik::control
