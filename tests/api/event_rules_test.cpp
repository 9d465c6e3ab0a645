// What events.k8s.io/v1 takes and refuses, where the core group takes everything.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr const char* kMerge = "application/merge-patch+json";
constexpr const char* kNew = "/apis/events.k8s.io/v1/namespaces/default/events";
constexpr const char* kCore = "/api/v1/namespaces/default/events";
constexpr const char* kEvent =
    R"({"metadata":{"name":"e1","namespace":"default"},"eventTime":"2026-01-01T00:00:00.000000Z","reason":"Started","action":"Start",)"
    R"("type":"Normal","reportingController":"minik.dev/test","reportingInstance":"one","note":"it runs",)"
    R"("regarding":{"kind":"Pod","name":"p","namespace":"default"}})";

class EventRules : public HttpWorld {};

TEST_F(EventRules, OfWhatHappenedOnlyTheSeriesChanges) {
  ASSERT_EQ(call("POST", kNew, kEvent).status, 201);
  const auto changed = call("PATCH", cat(kNew, "/e1"), R"({"reason":"Changed"})", kMerge);
  EXPECT_EQ(changed.status, 422);
  EXPECT_EQ(changed.message(), R"(Event.events.k8s.io "e1" is invalid: reason: Invalid value: "Changed": field is immutable)");
  EXPECT_EQ(call("PATCH", cat(kNew, "/e1"), R"({"regarding":{"name":"q"}})", kMerge).cause(), "involvedObject FieldValueInvalid");
  EXPECT_EQ(call("PATCH", cat(kNew, "/e1"), R"({"series":{"count":1,"lastObservedTime":"2026-01-01T00:01:00.000000Z"}})", kMerge).cause(),
            "series.count FieldValueInvalid");
  EXPECT_EQ(call("PATCH", cat(kNew, "/e1"), R"({"series":{"count":2,"lastObservedTime":"2026-01-01T00:01:00.000000Z"}})", kMerge).status, 200);
  EXPECT_EQ(call("PATCH", cat(kNew, "/e1"), R"({"metadata":{"labels":{"a":"b"}}})", kMerge).status, 200);
  EXPECT_EQ(call("PATCH", cat(kCore, "/e1"), R"({"reason":"Changed"})", kMerge).status, 200) << "older writers may";
}

TEST_F(EventRules, ANewOneSaysAllThereIsToSay) {
  const auto bare = call("POST", kNew, R"({"metadata":{"name":"e2"},"eventTime":"2026-01-01T00:00:00.000000Z","deprecatedCount":3,)"
                                       R"("regarding":{"kind":"Pod","name":"p","namespace":"default"}})");
  EXPECT_EQ(bare.status, 422);
  for (const char* field : {"type: ", "reportingController: ", "reportingInstance: ", "action: ", "reason: ", "count: "}) {
    EXPECT_NE(bare.message().find(field), std::string::npos) << field << " in " << bare.message();
  }
}

}  // namespace
}  // namespace minik::control
