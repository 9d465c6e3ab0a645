#include "control/controllers/stateful_set.h"

#include <algorithm>

#include "control/base/text.h"
#include "decision_world.h"

namespace minik::control {
namespace {

struct SetFacts {
  std::string image = "db:1", policy = "OrderedReady", type = "RollingUpdate";
  std::string rolling = "{partition: 0}";
  std::string retention = "{whenDeleted: Retain, whenScaled: Retain}";
  int replicas = 3, start = 0, min_ready = 0;
  bool claims = false;
  std::string status = "{}";
};

std::string template_of(const SetFacts& facts) {
  return cat("{metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: '", facts.image,
             "'}]}}");
}

std::string set_of(const SetFacts& facts = {}) {
  const std::string rolling =
      facts.type == "OnDelete" ? "" : cat(", rollingUpdate: ", facts.rolling);
  const std::string claims =
      facts.claims ? "\n  volumeClaimTemplates: [{apiVersion: v1, kind: PersistentVolumeClaim, "
                     "metadata: {name: data}, spec: {}}]"
                   : "";
  return cat(
      "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: default, uid: "
      "set-1, "
      "generation: 2, resourceVersion: '1'}\nspec:\n  serviceName: dbs\n  replicas: ",
      facts.replicas, "\n  ordinals: {start: ", facts.start,
      "}\n  minReadySeconds: ", facts.min_ready, "\n  podManagementPolicy: ", facts.policy,
      "\n  persistentVolumeClaimRetentionPolicy: ", facts.retention,
      "\n  selector: {matchLabels: {app: db}}\n  updateStrategy: {type: ", facts.type, rolling, "}",
      claims, "\n  template: ", template_of(facts), "\nstatus: ", facts.status, "\n");
}

class StatefulSet : public ::testing::Test {
 protected:
  static Plan decide(const std::string& yaml) {
    DecisionWorld fresh(stateful_set_controller());
    fresh.add(yaml);
    return fresh.decide("default", "db");
  }
  // The name of a template's revision, as the controller makes it.
  static std::string name_of(const SetFacts& facts = {}) {
    for (const auto& write : decide(set_of(facts)).writes) {
      if (write.request.kind == kinds::kControllerrevisions) {
        return std::string(object_name(write.request.body));
      }
    }
    return {};
  }
  static std::string revision_of(const SetFacts& facts, int number) {
    const std::string name = name_of(facts);
    return cat(
        "\n---\napiVersion: apps/v1\nkind: ControllerRevision\nmetadata:\n  name: ", name,
        "\n  namespace: default\n  uid: rev-", name,
        "\n  resourceVersion: '3'\n  labels: {app: db}\n  ownerReferences: [{apiVersion: apps/v1, "
        "kind: StatefulSet, name: db, uid: set-1, controller: true}]\nrevision: ",
        number, "\ndata: {spec: {template: {$patch: replace, ", template_of(facts).substr(1),
        "}}\n");
  }
  struct PodFacts {
    int ordinal = 0;
    SetFacts made_from = {};
    std::string ready_since = "2026-03-01T11:00:00Z";
    std::string phase = "Running";
    bool deleting = false;
  };
  static std::string pod_of(const PodFacts& facts) {
    const std::string name = cat("db-", facts.ordinal);
    const std::string conditions =
        facts.ready_since.empty()
            ? ""
            : cat("{type: Ready, status: 'True', lastTransitionTime: '", facts.ready_since, "'}");
    return cat(
        "\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: ", name,
        "\n  namespace: default\n  uid: uid-", name, "\n  resourceVersion: '5'",
        facts.deleting ? "\n  deletionTimestamp: '2026-03-01T11:59:00Z'" : "",
        "\n  labels: {app: db, controller-revision-hash: ", name_of(facts.made_from),
        ", statefulset.kubernetes.io/pod-name: ", name, ", apps.kubernetes.io/pod-index: '",
        facts.ordinal,
        "'}\n  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: set-1, "
        "controller: true}]\nspec: {nodeName: a}\nstatus: {phase: ",
        facts.phase, ", conditions: [", conditions, "]}\n");
  }
  static std::string claim_of(int ordinal, std::string_view owner = "") {
    return cat("\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data-db-",
               ordinal, ", namespace: default, uid: claim-", ordinal,
               ", resourceVersion: '4', ownerReferences: [", owner, "]}\nspec: {}\n");
  }
  // What happens to pods, claims and revisions, one a line: the status apart.
  static std::string deeds(const Plan& plan) {
    std::string text;
    for (const auto& write : plan.writes) {
      const auto& request = write.request;
      if (request.subresource == "status") continue;
      const auto name =
          request.name.empty() ? std::string(object_name(request.body)) : request.name;
      text += cat(verb_name(request.verb), " ", name, "\n");
    }
    return text;
  }
  static Value status_in(const Plan& plan) {
    for (const auto& write : plan.writes) {
      if (write.request.subresource == "status") return write.request.body[keys::kStatus];
    }
    return {};
  }
  static Value created(const Plan& plan, KindId kind) {
    for (const auto& write : plan.writes) {
      if (write.request.verb == Verb::kCreate && write.request.kind == kind)
        return write.request.body;
    }
    return {};
  }
  std::string pods_of(const SetFacts& facts, int from, int to) const {
    std::string text;
    for (int i = from; i < to; ++i) text += pod_of({.ordinal = i, .made_from = facts});
    return text;
  }

  const SetFacts v1{}, v2{.image = "db:2"};
  const std::string history = revision_of(v1, 1) + revision_of(v2, 2);
  const std::string rolling_from_v1 = cat("{currentRevision: ", name_of(v1), "}");
};

TEST_F(StatefulSet, GivesAPodItsNamesAndItsPlaceInTheDns) {
  const Plan plan = decide(set_of());
  EXPECT_EQ(deeds(plan), cat("create ", name_of(), "\ncreate db-0\n"));
  const Value pod = created(plan, kinds::kPods);
  EXPECT_EQ(pod[keys::kSpec][keys::kHostname].as_string(), "db-0");
  EXPECT_EQ(pod[keys::kSpec][keys::kSubdomain].as_string(), "dbs");
  const Value& labels = pod[keys::kMetadata][keys::kLabels];
  EXPECT_EQ(labels.get("statefulset.kubernetes.io/pod-name").as_string(), "db-0");
  EXPECT_EQ(labels.get("apps.kubernetes.io/pod-index").as_string(), "0");
  EXPECT_EQ(labels.get("controller-revision-hash").as_string(), name_of());
}

TEST_F(StatefulSet, StartsTheNextPodWhenThoseBeforeItServe) {
  const std::string set = set_of() + revision_of(v1, 1);
  EXPECT_EQ(deeds(decide(set + pod_of({.ready_since = ""}))), "");
  EXPECT_EQ(deeds(decide(set + pod_of({}))), "create db-1\n");
  EXPECT_EQ(deeds(decide(set + pod_of({.deleting = true}))), "");
}

TEST_F(StatefulSet, StartsAndStopsAllAtOnceWhenParallel) {
  const SetFacts parallel{.policy = "Parallel", .replicas = 2};
  const std::string set = set_of(parallel) + revision_of(v1, 1);
  EXPECT_EQ(deeds(decide(set)), "create db-0\ncreate db-1\n");
  EXPECT_EQ(deeds(decide(set + pods_of(v1, 0, 4))), "delete db-3\ndelete db-2\n");
}

TEST_F(StatefulSet, RollsOutBesideWhatItStopsAndMakesAnewWhenParallel) {
  SetFacts parallel = v2;
  parallel.policy = "Parallel";
  parallel.replicas = 2;
  parallel.status = rolling_from_v1;
  std::string failed = pod_of({.ordinal = 0, .made_from = v1, .phase = "Failed"});
  // The third goes, the first failed: neither holds up the other, nor the roll-out when there is room.
  EXPECT_EQ(deeds(decide(set_of(parallel) + history + failed + pod_of({.ordinal = 1, .made_from = v1}) +
                         pod_of({.ordinal = 2, .made_from = v1}))),
            "delete db-0\ndelete db-2\n");
  EXPECT_EQ(deeds(decide(set_of(parallel) + history + pods_of(v1, 0, 2) +
                         pod_of({.ordinal = 2, .made_from = v1, .deleting = true}))),
            "delete db-1\n");
}

TEST_F(StatefulSet, OnlyCountsItsPodsWhileItIsBeingDeleted) {
  std::string going = set_of(v1);
  going.replace(going.find("generation: 2"), 13, "generation: 2, deletionTimestamp: '2026-03-01T11:59:00Z'");
  const Plan plan = decide(going + revision_of(v1, 1) + pods_of(v1, 0, 2));
  EXPECT_EQ(deeds(plan), "");
  EXPECT_EQ(status_in(plan)[keys::kReplicas].as_int(), 2);
}

TEST_F(StatefulSet, NamesThePodWhoseClaimCannotBeMade) {
  SetFacts facts;
  facts.claims = true;
  for (const auto& write : decide(set_of(facts)).writes) {
    if (write.request.kind != kinds::kPersistentvolumeclaims) continue;
    EXPECT_EQ(write.failure_event->message,
              "create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: %error%");
    return;
  }
  FAIL() << "no claim";
}

TEST_F(StatefulSet, StopsTheHighestPodFirstAndOneAtATime) {
  const std::string set = set_of({.replicas = 1}) + revision_of(v1, 1);
  EXPECT_EQ(deeds(decide(set + pods_of(v1, 0, 3))), "delete db-2\n");
  EXPECT_EQ(deeds(decide(set + pods_of(v1, 0, 2) + pod_of({.ordinal = 2, .deleting = true}))), "");
  // One below that does not serve is waited for, but a broken highest one may go.
  EXPECT_EQ(deeds(decide(set + pod_of({}) + pod_of({.ordinal = 1, .ready_since = ""}) +
                         pod_of({.ordinal = 2, .ready_since = ""}))),
            "");
  EXPECT_EQ(deeds(decide(set + pods_of(v1, 0, 2) + pod_of({.ordinal = 2, .ready_since = ""}))),
            "delete db-2\n");
}

TEST_F(StatefulSet, CountsFromItsStartOrdinal) {
  const std::string set = set_of({.replicas = 2, .start = 5}) + revision_of(v1, 1);
  EXPECT_EQ(deeds(decide(set)), "create db-5\n");
  EXPECT_EQ(deeds(decide(set + pods_of(v1, 4, 7))), "delete db-4\n");
}

TEST_F(StatefulSet, MakesAFailedPodAnew) {
  EXPECT_EQ(deeds(decide(set_of() + revision_of(v1, 1) + pod_of({.phase = "Failed"}))),
            "delete db-0\n");
}

TEST_F(StatefulSet, RollsOutFromTheHighestPodAndWaitsForEach) {
  const SetFacts now{.image = "db:2", .status = rolling_from_v1};
  const std::string world = set_of(now) + history;
  EXPECT_EQ(deeds(decide(world + pods_of(v1, 0, 3))), "delete db-2\n");
  EXPECT_EQ(deeds(decide(world + pods_of(v1, 0, 2))), "create db-2\n");
  EXPECT_EQ(deeds(decide(world + pods_of(v1, 0, 2) +
                         pod_of({.ordinal = 2, .made_from = v2, .ready_since = ""}))),
            "");
  EXPECT_EQ(deeds(decide(world + pods_of(v1, 0, 2) + pods_of(v2, 2, 3))), "delete db-1\n");
}

TEST_F(StatefulSet, LeavesPodsBelowThePartitionAndMakesThemFromTheRevisionBefore) {
  const SetFacts now{.image = "db:2", .rolling = "{partition: 2}", .status = rolling_from_v1};
  const std::string world = set_of(now) + history;
  EXPECT_EQ(deeds(decide(world + pods_of(v1, 0, 2) + pods_of(v2, 2, 3))), "");
  const Plan lost = decide(world + pod_of({}) + pods_of(v2, 2, 3));
  EXPECT_EQ(deeds(lost), "create db-1\n");
  const Value pod = created(lost, kinds::kPods);
  EXPECT_EQ(pod[keys::kMetadata][keys::kLabels].get("controller-revision-hash").as_string(),
            name_of(v1));
  EXPECT_EQ(pod[keys::kSpec][keys::kContainers].items()[0][keys::kImage].as_string(), "db:1");
}

TEST_F(StatefulSet, KeepsAllButMaxUnavailablePods) {
  SetFacts now{.image = "db:2",
               .rolling = "{partition: 0, maxUnavailable: 2}",
               .replicas = 5,
               .status = rolling_from_v1};
  EXPECT_EQ(deeds(decide(set_of(now) + history + pods_of(v1, 0, 5))), "delete db-4\ndelete db-3\n");
  now.policy = "Parallel";
  EXPECT_EQ(deeds(decide(set_of(now) + history + pods_of(v1, 0, 4) +
                         pod_of({.ordinal = 4, .made_from = v2, .ready_since = ""}))),
            "delete db-3\n");
  // A pod of the old revision that does not serve is replaced before one that does.
  EXPECT_EQ(deeds(decide(set_of(now) + history + pod_of({.ready_since = ""}) + pods_of(v1, 1, 5))),
            "delete db-0\ndelete db-4\n");
}

TEST_F(StatefulSet, ReplacesAllThatServeNobodyAtOnceWhenParallel) {
  SetFacts now{.image = "db:2", .policy = "Parallel", .rolling = "{partition: 1}", .replicas = 5, .status = rolling_from_v1};
  const auto broken = [&](int ordinal, const SetFacts& made_from) {
    return pod_of({.ordinal = ordinal, .made_from = made_from, .ready_since = ""});
  };
  // A first revision that never serves must not hold up the one that repairs it; below the partition it stays.
  EXPECT_EQ(deeds(decide(set_of(now) + history + broken(0, v1) + broken(1, v1) + pods_of(v1, 2, 4) + broken(4, v2))), "delete db-1\n");
  // Unavailable pods below the partition count, too: nobody who serves goes.
  EXPECT_EQ(deeds(decide(set_of(now) + history + broken(0, v1) + pods_of(v1, 1, 5))), "");
}

TEST_F(StatefulSet, RoundsMaxUnavailableDownButNeverToNone) {
  SetFacts now{.image = "db:2", .rolling = "{partition: 0, maxUnavailable: 50%}", .replicas = 5, .status = rolling_from_v1};
  EXPECT_EQ(deeds(decide(set_of(now) + history + pods_of(v1, 0, 5))), "delete db-4\ndelete db-3\n");
  now.rolling = "{partition: 0, maxUnavailable: 10%}";
  EXPECT_EQ(deeds(decide(set_of(now) + history + pods_of(v1, 0, 5))), "delete db-4\n");
  now.rolling = "{partition: 4, maxUnavailable: 3}";
  EXPECT_EQ(deeds(decide(set_of(now) + history + pods_of(v1, 0, 5))), "delete db-4\n");
}

TEST_F(StatefulSet, CountsAPodThatIsNotReadyLongEnoughAsUnavailable) {
  SetFacts now{.image = "db:2", .policy = "Parallel", .rolling = "{partition: 0, maxUnavailable: 2}", .replicas = 4, .min_ready = 30,
               .status = rolling_from_v1};
  EXPECT_EQ(deeds(decide(set_of(now) + history + pods_of(v1, 0, 3) +
                         pod_of({.ordinal = 3, .made_from = v2, .ready_since = "2026-03-01T11:59:50Z"}))),
            "delete db-2\n");
}

TEST_F(StatefulSet, WaitsForTheUserUnderOnDelete) {
  const SetFacts now{.image = "db:2", .type = "OnDelete", .status = rolling_from_v1};
  EXPECT_EQ(deeds(decide(set_of(now) + history + pods_of(v1, 0, 3))), "");
  EXPECT_EQ(deeds(decide(set_of(now) + history + pods_of(v1, 0, 2))), "create db-2\n");
}

TEST_F(StatefulSet, TellsTheRevisionsOfItsPodsAndEndsTheRolloutWhenAllAreNew) {
  const SetFacts now{.image = "db:2", .status = rolling_from_v1};
  const std::string world = set_of(now) + history;
  const Value half = status_in(decide(world + pods_of(v1, 0, 1) + pods_of(v2, 1, 3)));
  EXPECT_EQ(half[keys::kCurrentRevision].as_string(), name_of(v1));
  EXPECT_EQ(half[keys::kUpdateRevision].as_string(), name_of(v2));
  EXPECT_EQ(half[keys::kCurrentReplicas].as_int(), 1);
  EXPECT_EQ(half[keys::kUpdatedReplicas].as_int(), 2);
  const Value all = status_in(decide(world + pods_of(v2, 0, 3)));
  EXPECT_EQ(all[keys::kCurrentRevision].as_string(), name_of(v2));
  EXPECT_EQ(all[keys::kCurrentReplicas].as_int(), 3);
  EXPECT_EQ(all[keys::kReadyReplicas].as_int(), 3);
}

TEST_F(StatefulSet, WaitsForMinReadySeconds) {
  const Plan plan = decide(set_of({.min_ready = 30}) + revision_of(v1, 1) +
                           pod_of({.ready_since = "2026-03-01T11:59:50Z"}));
  EXPECT_EQ(deeds(plan), "");
  EXPECT_EQ(status_in(plan)[keys::kAvailableReplicas].as_int(), 0);
  EXPECT_EQ(plan.requeue_after, seconds(20) + milliseconds(1));
}

TEST_F(StatefulSet, MakesThePodsClaimsBeforeThePodAndKeepsThoseThatAreThere) {
  const SetFacts claiming{.claims = true};
  const Plan plan = decide(set_of(claiming) + revision_of(v1, 1));
  EXPECT_EQ(deeds(plan), "create data-db-0\ncreate db-0\n");
  const Value volume = created(plan, kinds::kPods)[keys::kSpec][keys::kVolumes].items()[0];
  EXPECT_EQ(volume[keys::kName].as_string(), "data");
  EXPECT_EQ(volume[keys::kPersistentVolumeClaim][keys::kClaimName].as_string(), "data-db-0");
  EXPECT_EQ(deeds(decide(set_of(claiming) + revision_of(v1, 1) + claim_of(0))), "create db-0\n");
}

TEST_F(StatefulSet, LeavesClaimsBehindUnlessThePolicySaysOtherwise) {
  SetFacts facts{.replicas = 1, .claims = true};
  const std::string rest = revision_of(v1, 1) + pods_of(v1, 0, 2) + claim_of(0) + claim_of(1);
  EXPECT_EQ(deeds(decide(set_of(facts) + rest)), "delete db-1\n");
  // The claim belongs to its pod before the pod goes.
  facts.retention = "{whenDeleted: Retain, whenScaled: Delete}";
  EXPECT_EQ(deeds(decide(set_of(facts) + rest)), "update data-db-1\ndelete db-1\n");
  facts.retention = "{whenDeleted: Delete, whenScaled: Retain}";
  EXPECT_EQ(deeds(decide(set_of(facts) + rest)),
            "update data-db-0\nupdate data-db-1\ndelete db-1\n");
}

TEST_F(StatefulSet, MakesEachPodRightAfterItsOwnClaims) {
  const SetFacts claiming{.policy = "Parallel", .replicas = 2, .claims = true};
  EXPECT_EQ(deeds(decide(set_of(claiming) + revision_of(v1, 1))),
            "create data-db-0\ncreate db-0\ncreate data-db-1\ncreate db-1\n")
      << "a quota that has room for one claim has room for its pod";
}

TEST_F(StatefulSet, CostsWhatItsPodsCostHoweverManyItWants) {
  SetFacts huge{.replicas = 2'000'000'000};
  const std::string rest = revision_of(v1, 1) + pods_of(v1, 0, 2);
  EXPECT_EQ(deeds(decide(set_of(huge) + rest)), "create db-2\n");
  huge.policy = "Parallel";
  const Plan plan = decide(set_of(huge) + rest);
  const auto made = std::ranges::count_if(plan.writes, [](const PlannedWrite& w) { return w.request.verb == Verb::kCreate; });
  EXPECT_EQ(made, 500);
}

TEST_F(StatefulSet, WaitsUntilTheClaimOfAnEarlierPodIsGone) {
  const SetFacts claiming{.claims = true};
  const std::string stale = claim_of(0, "{apiVersion: v1, kind: Pod, name: db-0, uid: earlier}");
  EXPECT_EQ(deeds(decide(set_of(claiming) + revision_of(v1, 1) + stale)), "");
}

TEST_F(StatefulSet, AdoptsOnlyPodsOfItsName) {
  const auto orphan = [](std::string_view name) {
    return cat("\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: ", name,
               ", namespace: default, uid: uid-", name,
               ", resourceVersion: '5', labels: {app: db}}\nspec: {}\nstatus: {phase: Pending}\n");
  };
  const Plan plan =
      decide(set_of({.replicas = 0}) + revision_of(v1, 1) + orphan("db-x") + orphan("db-7"));
  EXPECT_EQ(deeds(plan), "patch db-7\ndelete db-7\n");
}

}  // namespace
}  // namespace minik::control
