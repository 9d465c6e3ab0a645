#include "control/network/service_proxy.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "sim/virtual_executor.h"
#include "tests/client/scripted_client.h"

namespace minik::control {
namespace {

Value service_named(std::string_view name, std::string_view address) {
  return object_named(name, 2).with(
      keys::kSpec, Value::map({{keys::kClusterIP, address},
                               {keys::kPorts, Value::array({Value::map({{keys::kPort, 80}})})}}));
}

class RecordingCarrier : public ServiceCarrier {
 public:
  void carry(ServiceRulesUpdate update, std::function<void(Status)> done) override {
    updates.push_back(std::move(update));
    pending = std::move(done);
  }
  std::vector<ServiceRulesUpdate> updates;
  std::function<void(Status)> pending;
};

class ServiceProxyTest : public ::testing::Test {
 protected:
  ServiceProxyTest()
      : turns(1, WallTime{}), informers(turns, client, Rng(1)), proxy(turns, informers, carrier) {
    informers.start();
    proxy.start();
    client.answer_lists_empty();
    run();
  }
  // What is due now, without letting time pass.
  void run() { turns.run_until(turns.now()); }
  void tell(WatchEventType type, Value object) {
    client.tell(kinds::kServices, type, std::move(object));
  }
  void finish(Status status) {
    auto done = std::move(carrier.pending);
    carrier.pending = nullptr;
    done(std::move(status));
    run();
  }

  sim::VirtualExecutor turns;
  ScriptedClient client;
  InformerSet informers;
  RecordingCarrier carrier;
  ServiceProxy proxy;
};

TEST_F(ServiceProxyTest, BeginsWithTheWholeTable) {
  ASSERT_EQ(carrier.updates.size(), 1U);
  EXPECT_TRUE(carrier.updates[0].whole);
  finish({});
  EXPECT_TRUE(proxy.settled());
}

TEST_F(ServiceProxyTest, PutsWhatChangesMeanwhileIntoOneUpdate) {
  tell(WatchEventType::kAdded, service_named("a", "10.96.0.1"));
  tell(WatchEventType::kAdded, service_named("b", "10.96.0.2"));
  run();
  ASSERT_EQ(carrier.updates.size(), 1U) << "one update at a time";
  finish({});
  ASSERT_EQ(carrier.updates.size(), 2U);
  EXPECT_FALSE(carrier.updates[1].whole);
  ASSERT_EQ(carrier.updates[1].changed.size(), 2U);
  EXPECT_EQ(carrier.updates[1].changed[0].name, "default/a/tcp/");
}

TEST_F(ServiceProxyTest, NamesTheRulesOfAServiceThatIsGone) {
  finish({});
  tell(WatchEventType::kAdded, service_named("a", "10.96.0.1"));
  run();
  finish({});
  tell(WatchEventType::kDeleted, service_named("a", "10.96.0.1"));
  run();
  ASSERT_EQ(carrier.updates.size(), 3U);
  EXPECT_EQ(carrier.updates[2].removed, std::vector<std::string>{"default/a/tcp/"});
  EXPECT_TRUE(proxy.rules().empty());
}

TEST_F(ServiceProxyTest, IsSilentWhenNothingOfARuleChanged) {
  finish({});
  tell(WatchEventType::kAdded, service_named("a", "10.96.0.1"));
  run();
  finish({});
  tell(WatchEventType::kModified,
       service_named("a", "10.96.0.1").with(keys::kStatus, Value::empty_map()));
  run();
  EXPECT_EQ(carrier.updates.size(), 2U);
}

TEST_F(ServiceProxyTest, InstallsTheWholeTableAgainAfterAFailure) {
  finish({});
  tell(WatchEventType::kAdded, service_named("a", "10.96.0.1"));
  run();
  finish(Error(ErrorCode::kInternalError, "no"));
  EXPECT_EQ(carrier.updates.size(), 2U) << "at once, instead of after a pause";
  turns.run_until(turns.now() + seconds(1));
  ASSERT_EQ(carrier.updates.size(), 3U);
  EXPECT_TRUE(carrier.updates[2].whole);
  EXPECT_EQ(carrier.updates[2].changed.size(), 1U);
}

}  // namespace
}  // namespace minik::control
