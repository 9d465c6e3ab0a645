#include "control/store/store.h"

#include <gtest/gtest.h>

#include <map>

#include "control/base/rng.h"
#include "control/store/memory_log.h"

namespace minik::control {
namespace {

constexpr KindId kPods{3};

Value pod(std::string_view namespace_, std::string_view name, Revision revision,
          std::string_view node = {}) {
  return Value::map({{"metadata", Value::map({{"namespace", namespace_},
                                              {"name", name},
                                              {"resourceVersion", cat(revision.value)}})},
                     {"spec", Value::map({{"nodeName", node.empty() ? Value() : Value(node)}})}});
}

std::string_view node_of(const Value& object) {
  return object.get("spec").get("nodeName").as_string();
}

void no_failure(const Error& error) {
  FAIL() << error.message;
}

TEST(Store, ShowsStagedWritesToReadsButTellsWatchersOnlyWhatIsDurable) {
  std::vector<std::function<void(Status)>> flushes;
  MemoryLog log(MemoryLog::Keep::kNothing,
                [&](size_t, std::function<void(Status)> f) { flushes.push_back(std::move(f)); });
  Store store(log, no_failure);
  std::vector<std::string> told;
  ASSERT_TRUE(store.watch(kPods, {}, {},
                          [&](const StoreEvent& e) { told.emplace_back(object_name(e.object)); }));
  bool replied = false;
  store.put(kPods, pod("a", "x", store.next_revision()));
  store.when_durable([&] { replied = true; });
  store.commit();
  store.put(kPods, pod("a", "y", store.next_revision()));
  store.commit();
  EXPECT_FALSE(store.find(kPods, "a", "x").is_absent());
  EXPECT_TRUE(told.empty());
  flushes[0]({});
  EXPECT_TRUE(replied);
  EXPECT_EQ(told, std::vector<std::string>{"x"});
  flushes[1]({});
  EXPECT_EQ(told.size(), 2U);
}

TEST(Store, ListsWhatIsDurableApartFromWhatIsNewest) {
  std::vector<std::function<void(Status)>> flushes;
  MemoryLog log(MemoryLog::Keep::kNothing,
                [&](size_t, std::function<void(Status)> f) { flushes.push_back(std::move(f)); });
  Store store(log, no_failure);
  const auto put = [&](std::string_view namespace_, std::string_view name, std::string_view node = {}) {
    store.put(kPods, pod(namespace_, name, store.next_revision(), node));
  };
  const auto durable = [&](std::string_view namespace_ = "") {
    std::string text;
    const auto list = store.list_durable(kPods, namespace_);
    for (const auto& object : list->objects) {
      text += cat(object_namespace(object), "/", object_name(object), "@", object_revision(object).value, " ");
      EXPECT_EQ(store.find_durable(kPods, object_namespace(object), object_name(object)), object);
    }
    return cat(text, "as of ", list->revision.value);
  };
  for (const auto* name : {"changed", "gone", "kept", "reborn"}) put("a", name);
  store.commit();
  EXPECT_EQ(durable(), "as of 0");
  flushes[0]({});
  const std::string first = "a/changed@1 a/gone@2 a/kept@3 a/reborn@4 as of 4";
  EXPECT_EQ(durable(), first);
  put("a", "changed", "n1");
  put("a", "changed", "n2");
  store.erase(kPods, pod("a", "gone", store.next_revision()));
  store.erase(kPods, pod("a", "reborn", store.next_revision()));
  store.commit();
  put("a", "reborn");
  put("a", "first");
  put("b", "new");
  store.erase(kPods, pod("b", "new", store.next_revision()));
  EXPECT_EQ(durable(), first);
  EXPECT_EQ(durable("b"), "as of 4");
  for (const auto* unseen : {"first", "new"}) EXPECT_FALSE(store.find_durable(kPods, "a", unseen).has_value()) << unseen;
  store.commit();
  flushes[1]({});
  EXPECT_EQ(durable(), "a/changed@6 a/kept@3 as of 8");
  flushes[2]({});
  EXPECT_EQ(durable(), "a/changed@6 a/first@10 a/kept@3 a/reborn@9 as of 12");
}

TEST(Store, TellsAWatchThatBeginsAmidABatchNothingThatItKnows) {
  MemoryLog log;
  Store store(log, no_failure);
  std::vector<std::string> late;
  bool begun = false;
  ASSERT_TRUE(store.watch(kPods, {}, {}, [&](const StoreEvent&) {
    if (std::exchange(begun, true)) return;
    ASSERT_TRUE(store.watch(kPods, store.durable_revision(), {},
                            [&](const StoreEvent& e) { late.emplace_back(object_name(e.object)); }));
  }));
  for (const auto* name : {"x", "y"}) store.put(kPods, pod("a", name, store.next_revision()));
  store.commit();
  EXPECT_TRUE(late.empty()) << "both were durable when it began";
  store.put(kPods, pod("a", "z", store.next_revision()));
  store.commit();
  EXPECT_EQ(late, std::vector<std::string>{"z"});
}

TEST(Store, AFailedCommitIsFatalAndReleasesNothing) {
  MemoryLog log(MemoryLog::Keep::kNothing, [](size_t, const std::function<void(Status)>& f) {
    f(Error(ErrorCode::kServiceUnavailable, "disk full"));
  });
  std::string fatal;
  Store store(log, [&](const Error& error) { fatal = error.message; });
  bool replied = false;
  store.put(kPods, pod("a", "x", store.next_revision()));
  store.when_durable([&] { replied = true; });
  store.commit();
  EXPECT_EQ(fatal, "disk full");
  EXPECT_FALSE(replied);
}

TEST(Store, WakesIndexedWatchersOnlyForTheirValue) {
  MemoryLog log;
  Store store(log, no_failure);
  store.add_index(kPods, "node", node_of);
  int events = 0;
  ASSERT_TRUE(store.watch(kPods, {}, {"node", "n1"}, [&](const StoreEvent&) { ++events; }));
  store.put(kPods, pod("a", "x", store.next_revision(), "n2"));
  store.put(kPods, pod("a", "y", store.next_revision()));
  store.commit();
  EXPECT_EQ(events, 0);
  store.put(kPods, pod("a", "y", store.next_revision(), "n1"));  // enters
  store.put(kPods, pod("a", "y", store.next_revision(), "n2"));  // leaves
  store.commit();
  EXPECT_EQ(events, 2);
}

TEST(Store, ExpiresWatchesOlderThanTheWindow) {
  MemoryLog log;
  Store store(log, no_failure, {.window_events_max = 2});
  for (int i = 0; i < 4; ++i) store.put(kPods, pod("a", cat("p", i), store.next_revision()));
  store.commit();
  const auto ignore = [](const StoreEvent&) {};
  EXPECT_EQ(store.watch(kPods, {1}, {}, ignore).error().code, ErrorCode::kExpired);
  EXPECT_TRUE(store.watch(kPods, {2}, {}, ignore));
}

TEST(Store, RecoversWhatWasDurableAndNothingElse) {
  std::vector<std::function<void(Status)>> flushes;
  MemoryLog log(MemoryLog::Keep::kObjects,
                [&](size_t, std::function<void(Status)> f) { flushes.push_back(std::move(f)); });
  {
    Store store(log, no_failure);
    store.put(kPods, pod("a", "kept", store.next_revision()));
    store.commit();
    flushes[0]({});
    store.put(kPods, pod("a", "lost", store.next_revision()));
    store.commit();
    log.lose_unflushed();
  }
  flushes[1]({});
  Store again(log, no_failure);
  again.load(log.recover());
  EXPECT_FALSE(again.find(kPods, "a", "kept").is_absent());
  EXPECT_TRUE(again.find(kPods, "a", "lost").is_absent());
  EXPECT_EQ(again.revision().value, 1U);
}

// The property behind every informer: a list plus the events after it is the next list.
TEST(Store, AWatchReplaysToExactlyTheList) {
  Rng rng(11);
  MemoryLog log;
  Store store(log, no_failure);
  std::map<std::string, Value> replica;
  ASSERT_TRUE(store.watch(kPods, {}, {}, [&](const StoreEvent& e) {
    const std::string key = key_of(e.object).text();
    if (e.type == StoreEvent::Type::kDeleted) {
      EXPECT_EQ(replica.erase(key), 1U);
    } else {
      EXPECT_EQ(replica.contains(key), e.type == StoreEvent::Type::kModified);
      replica[key] = e.object;
    }
  }));
  for (int step = 0; step < 2000; ++step) {
    const std::string namespace_ = cat("ns", rng.below(3));
    const std::string name = cat("p", rng.below(20));
    if (rng.below(3) == 0 && !store.find(kPods, namespace_, name).is_absent()) {
      store.erase(kPods, pod(namespace_, name, store.next_revision()));
    } else {
      store.put(kPods, pod(namespace_, name, store.next_revision()));
    }
    if (rng.below(4) == 0) store.commit();
  }
  store.commit();
  const auto list = store.list(kPods, "");
  ASSERT_EQ(list->objects.size(), replica.size());
  auto expected = replica.begin();
  for (const auto& object : list->objects) {
    EXPECT_EQ(key_of(object).text(), expected->first);
    EXPECT_TRUE(object.same_node(expected->second)) << "watchers and readers share one document";
    ++expected;
  }
}

TEST(Store, ForgetsAWatcherWhereverItStands) {
  MemoryLog log;
  Store store(log, no_failure);
  store.add_index(kPods, "node", node_of);
  int events = 0;
  const auto count = [&](const StoreEvent&) { ++events; };
  const auto all = *store.watch(kPods, {}, {}, count);
  const auto first = *store.watch(kPods, {}, {"node", "n1"}, count);
  ASSERT_TRUE(store.watch(kPods, {}, {"node", "n1"}, count));
  EXPECT_EQ(store.watch_count(), 3U);
  store.unwatch(all);
  store.unwatch(first);
  store.unwatch(first);
  EXPECT_EQ(store.watch_count(), 1U);
  store.put(kPods, pod("a", "x", store.next_revision(), "n1"));
  store.commit();
  EXPECT_EQ(events, 1);
}

TEST(Store, ShowsAnOldListByTakingBackWhatHasHappenedSince) {
  MemoryLog log;
  Store store(log, no_failure);
  store.put(kPods, pod("a", "x", store.next_revision()));
  store.put(kPods, pod("a", "y", store.next_revision()));
  store.commit();
  const auto then = store.list(kPods, "");
  store.put(kPods, pod("a", "y", store.next_revision(), "n1"));
  store.commit();
  // Also what is not on the disk yet is taken back.
  store.erase(kPods, pod("a", "x", store.next_revision()));
  store.put(kPods, pod("b", "z", store.next_revision()));
  EXPECT_EQ((*store.list_at(kPods, "", then->revision))->objects, then->objects);
  EXPECT_TRUE((*store.list_at(kPods, "b", then->revision))->objects.empty());
}

TEST(Store, PagesContinueOnTheSameSnapshot) {
  MemoryLog log;
  Store store(log, no_failure, {.list_snapshots_max = 1});
  store.put(kPods, pod("a", "x", store.next_revision()));
  store.commit();
  const auto first = store.list(kPods, "");
  store.keep(kPods, "", first);
  store.put(kPods, pod("a", "y", store.next_revision()));
  store.commit();
  EXPECT_EQ((*store.list_at(kPods, "", first->revision))->objects.size(), 1U);
  store.keep(kPods, "a", store.list(kPods, "a"));
  store.forget_windows();
  EXPECT_EQ(store.list_at(kPods, "", first->revision).error().code, ErrorCode::kExpired);
}

}  // namespace
}  // namespace minik::control
