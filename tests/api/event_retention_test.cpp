#include "control/api/event_retention.h"

#include <gtest/gtest.h>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"

namespace minik::control {
namespace {

class RetainedEvents : public ::testing::Test {
 protected:
  void note(EventRetention& events, std::string_view name, std::string_view seen = "2026-01-01T00:00:00Z") {
    auto event = parse_json(cat(R"({"metadata":{"namespace":"default","name":")", name, R"(","resourceVersion":")",
                                store.next_revision().value, R"("},"lastTimestamp":")", seen, R"("})"));
    store.put(kinds::kEvents, *event);
    events.created(*event);
  }
  static std::string names(const std::vector<Value>& events) {
    std::string names;
    for (const auto& event : events) names += cat(object_name(event), " ");
    return names;
  }
  void remove(const std::vector<Value>& events) {
    for (const auto& event : events) {
      store.erase(kinds::kEvents, event.with_at({"metadata", "resourceVersion"}, cat(store.next_revision().value)));
    }
  }

  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
};

TEST_F(RetainedEvents, AreSurplusInTheOrderInWhichTheyCame) {
  EventRetention events(store, 3);
  for (const std::string_view name : {"e", "d", "c"}) note(events, name);
  EXPECT_EQ(names(events.surplus()), "");
  for (const std::string_view name : {"b", "a"}) note(events, name);
  EXPECT_EQ(names(events.surplus()), "e d ");
}

TEST_F(RetainedEvents, AreOutdatedByWhenTheyWereSeenLast) {
  EventRetention events(store, 3);
  note(events, "early", "2026-01-01T00:00:00Z");
  note(events, "late", "2026-01-01T01:00:00Z");
  const WallTime noon = *parse_time("2026-01-01T00:30:00Z");
  EXPECT_EQ(names(events.outdated(noon)), "early ");
}

TEST_F(RetainedEvents, DoNotCountWhenTheyAreGone) {
  EventRetention events(store, 2);
  for (const std::string_view name : {"a", "b", "c"}) note(events, name);
  remove({store.find(kinds::kEvents, "default", "a")});
  EXPECT_EQ(names(events.surplus()), "");
  note(events, "d");
  EXPECT_EQ(names(events.surplus()), "b ");
}

TEST_F(RetainedEvents, AreKnownInTheirOrderAfterARestart) {
  EventRetention events(store, 3);
  for (const std::string_view name : {"c", "b", "a"}) note(events, name);
  EventRetention next(store, 1);
  EXPECT_EQ(names(next.surplus()), "c b ");
}

}  // namespace
}  // namespace minik::control
