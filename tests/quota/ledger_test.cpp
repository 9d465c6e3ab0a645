// A ledger that is told of changes, against everything counted anew after each of them.
#include "control/quota/ledger.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

#include "control/base/rng.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"

namespace minik::control {
namespace {

Value read(const std::string& yaml) {
  const auto documents = parse_yaml(yaml);
  CHECK(documents) << documents.error().message << "\n" << yaml;
  return (*documents)[0].value;
}

constexpr std::array kQuotas = {
    R"({metadata: {name: all, namespace: shop, uid: q1}, spec: {hard: {pods: 9, requests.cpu: 4, limits.memory: 1Gi,
       requests.example.com/gpu: 8, count/pods: 20, services: 5, services.nodeports: 9, persistentvolumeclaims: 4,
       requests.storage: 9Gi, fast.storageclass.storage.k8s.io/requests.storage: 5Gi, configmaps: 7, count/deployments.apps: 3}}})",
    R"({metadata: {name: idle, namespace: shop, uid: q2}, spec: {hard: {pods: 9}, scopes: [BestEffort, NotTerminating]}})",
    R"({metadata: {name: vip, namespace: shop, uid: q3}, spec: {hard: {pods: 9, cpu: 2}, scopeSelector:
       {matchExpressions: [{scopeName: PriorityClass, operator: In, values: [high]}]}}})"};

class QuotaLedgerTest : public ::testing::Test {
 protected:
  VisitObjects visit_all() {
    return [this](KindId kind, std::string_view namespace_, const std::function<void(const Value&)>& visit) {
      for (const auto& [key, object] : objects[kind]) {
        if (object_namespace(object) == namespace_) visit(object);
      }
    };
  }
  void put(KindId kind, const Value& object) {
    Value& place = objects[kind][std::string(object_name(object))];
    ledger.change(schema.resource(kind), place, object);
    place = object;
  }
  void erase(KindId kind, const std::string& name) {
    const auto found = objects[kind].find(name);
    if (found == objects[kind].end()) return;
    ledger.change(schema.resource(kind), found->second, Value());
    objects[kind].erase(found);
  }
  void expect_agreement(int step) {
    for (const auto* text : kQuotas) {
      const Value quota = read(text);
      const Value& hard = quota[keys::kSpec][keys::kHard];
      EXPECT_EQ(amounts_text(ledger.count(quota, hard, now, visit_all()).used),
                amounts_text(counted_usage(schema, quota, hard, now, CustomKinds::kCounted, visit_all())))
          << object_name(quota) << " after step " << step;
    }
  }
  Value random_pod(const std::string& name) {
    const auto one_of = [&](std::initializer_list<const char*> texts) { return std::string(*(texts.begin() + rng.below(texts.size()))); };
    return read(cat("{metadata: {name: ", name, ", namespace: shop",
                    one_of({"", "", ", deletionTimestamp: '2026-03-01T12:00:20Z', deletionGracePeriodSeconds: 30"}), "}, spec: {",
                    one_of({"", "activeDeadlineSeconds: 5, ", "priorityClassName: high, "}), "containers: [{name: c, resources: ",
                    one_of({"{}", "{requests: {cpu: 250m}}", "{requests: {cpu: 1, example.com/gpu: 2}, limits: {memory: 64Mi}}"}),
                    "}]}, status: {phase: ", one_of({"Pending", "Running", "Running", "Succeeded"}),
                    one_of({"", ", containerStatuses: [{name: c, resources: {requests: {cpu: 500m}}}]"}), "}}"));
  }
  void random_step() {
    const std::string name = cat("o", rng.below(6));
    switch (rng.below(9)) {
      case 0:
        return put(kinds::kServices, read(cat("{metadata: {name: ", name, ", namespace: shop}, spec: {type: ",
                                              rng.below(2) ? "NodePort" : "ClusterIP", ", ports: [{port: 80}]}}")));
      case 1:
        return erase(kinds::kServices, name);
      case 2:
        return put(kinds::kPersistentvolumeclaims,
                   read(cat("{metadata: {name: ", name, ", namespace: shop}, spec: {storageClassName: ", rng.below(2) ? "fast" : "slow",
                            ", resources: {requests: {storage: ", 1 + rng.below(3), "Gi}}}}")));
      case 3:
        return erase(kinds::kPersistentvolumeclaims, name);
      case 4:
        return put(kinds::kDeployments, read(cat("{metadata: {name: ", name, ", namespace: shop}}")));
      case 5:
        return erase(kinds::kPods, name);
      case 6:
        now = now + seconds(static_cast<int64_t>(rng.below(10)));
        return;
      default:
        return put(kinds::kPods, random_pod(name));
    }
  }

  const Schema& schema = Schema::builtin();
  std::map<KindId, std::map<std::string, Value>> objects;
  QuotaLedger ledger{schema, CustomKinds::kCounted};
  WallTime now = *parse_time("2026-03-01T12:00:00Z");
  Rng rng{7};
};

TEST_F(QuotaLedgerTest, AgreesWithAFullCountAfterAnyChanges) {
  for (int round = 0; round < 20; ++round) {
    now = *parse_time("2026-03-01T12:00:00Z");
    for (int step = 0; step < 100 && !HasFailure(); ++step) {
      random_step();
      expect_agreement(step);
    }
    for (const auto* text : kQuotas) ledger.forget(read(text));
  }
}

TEST_F(QuotaLedgerTest, SaysWhenAPodWillHaveUsedUpItsGrace) {
  put(kinds::kPods, read("{metadata: {name: a, namespace: shop, deletionTimestamp: '2026-03-01T12:00:20Z', deletionGracePeriodSeconds: 30}, "
                         "spec: {containers: [{name: c}]}, status: {phase: Running}}"));
  const Value quota = read(kQuotas[0]);
  EXPECT_EQ(ledger.count(quota, quota[keys::kSpec][keys::kHard], now, visit_all()).next_end_of_grace, seconds(50));
  now = now + seconds(51);
  const auto count = ledger.count(quota, quota[keys::kSpec][keys::kHard], now, visit_all());
  EXPECT_FALSE(count.next_end_of_grace.has_value());
  EXPECT_TRUE(count.used.at("pods").zero());
  EXPECT_EQ(count.used.at("count/pods").units(), 1);
}

TEST_F(QuotaLedgerTest, LooksAtNothingAgainThatItWasToldOf) {
  const Value quota = read(kQuotas[0]);
  const Value& hard = quota[keys::kSpec][keys::kHard];
  (void)ledger.count(quota, hard, now, visit_all());
  put(kinds::kPods, random_pod("a"));
  const auto count = ledger.count(quota, hard, now, [](KindId, std::string_view, const std::function<void(const Value&)>&) {
    FAIL() << "a full count";
  });
  EXPECT_EQ(count.used.at("count/pods").units(), 1);
}

TEST_F(QuotaLedgerTest, CountsAPodThatShrinksForWhatItStillHas) {
  const auto cpu_of = [&](std::string_view status) {
    put(kinds::kPods, read(cat("{metadata: {name: a, namespace: shop}, spec: {containers: [{name: c, resources: {requests: {cpu: 250m}}}]}, ",
                               "status: {phase: Running", status, "}}")));
    const Value quota = read(kQuotas[0]);
    return ledger.count(quota, quota[keys::kSpec][keys::kHard], now, visit_all()).used.at("requests.cpu").text();
  };
  const std::string has = ", containerStatuses: [{name: c, resources: {requests: {cpu: 100m}}, allocatedResources: {cpu: 200m}}]";
  EXPECT_EQ(cpu_of(""), "250m");
  EXPECT_EQ(cpu_of(", containerStatuses: [{name: c, resources: {requests: {cpu: 500m}}, allocatedResources: {cpu: 250m}}]"), "500m");
  EXPECT_EQ(cpu_of(has), "250m") << "it is to grow";
  EXPECT_EQ(cpu_of(cat(has, ", conditions: [{type: PodResizePending, status: 'True', reason: Infeasible}]")), "200m");
}

}  // namespace
}  // namespace minik::control
