// The garbage collector beside definitions that go while it works: its questions to the API are held back, so that the
// world changes between a question and its answer.
#include "control/controllers/garbage_collector.h"

#include "control/client/event_recorder.h"
#include "control/client/informer.h"
#include "control/schema/kinds.h"
#include "tests/api/custom_world.h"

namespace minik::control {
namespace {

// Passes everything on, but for the answers to its questions about single objects, which wait.
class SlowToAnswer : public Client {
 public:
  explicit SlowToAnswer(Client& api) : api_(api) {}

  void send(ApiRequest request, ResponseCallback done) override {
    if (request.verb != Verb::kGet) return api_.send(std::move(request), std::move(done));
    questions.push_back({std::move(request), std::move(done)});
  }
  std::unique_ptr<WatchHandle> watch(ApiRequest request, WatchCallbacks callbacks) override {
    return api_.watch(std::move(request), std::move(callbacks));
  }
  void answer_all() {
    for (auto& [request, done] : std::exchange(questions, {})) api_.send(std::move(request), std::move(done));
  }

  std::vector<std::pair<ApiRequest, ResponseCallback>> questions;

 private:
  Client& api_;
};

class GarbageOfDefinedKinds : public CustomWorld {
 protected:
  GarbageOfDefinedKinds() {
    collector.start();
    informers.start();
    settle();
  }

  // A ConfigMap that says a Widget owns it which never was.
  void make_dependent() {
    const auto made = send("POST", "/api/v1/namespaces/default/configmaps",
                           R"({"metadata":{"name":"kept","ownerReferences":[{"apiVersion":"example.com/v1","kind":"Widget","name":"w","uid":"u"}]}})");
    ASSERT_EQ(made.status, 201) << made.message();
    settle();
  }
  bool is_kept() { return get("/api/v1/namespaces/default/configmaps/kept").status == 200; }

  LocalClient direct{executor, *api, component_user("system:serviceaccount:kube-system:generic-garbage-collector")};
  SlowToAnswer slow{direct};
  InformerSet informers{executor, slow, Rng(2)};
  EventRecorder events{executor, slow, kinds::kEvents, "garbage-collector-controller", "", Rng(3)};
  GarbageCollector collector{*schema, executor, slow, informers, events};
};

TEST_F(GarbageOfDefinedKinds, GoesWithAnOwnerThatIsNot) {
  ASSERT_EQ(define(std::string("type: object")).status, 201);
  make_dependent();
  ASSERT_EQ(slow.questions.size(), 1U);
  EXPECT_TRUE(is_kept()) << "before the API has said so";
  slow.answer_all();
  settle();
  EXPECT_FALSE(is_kept());
}

TEST_F(GarbageOfDefinedKinds, StaysWhenTheKindOfItsOwnerGoesWhileItIsAskedFor) {
  ASSERT_EQ(define(std::string("type: object")).status, 201);
  make_dependent();
  ASSERT_EQ(slow.questions.size(), 1U);
  ASSERT_EQ(send("DELETE", cat(kDefinitions, "/widgets.example.com"), "").status, 200);
  settle();
  // "Not found" now, which says nothing of an owner whose kind nobody serves.
  slow.answer_all();
  settle();
  EXPECT_TRUE(is_kept());
}

}  // namespace
}  // namespace minik::control
