#include "control/schema/defaults.h"

#include <gtest/gtest.h>

#include "control/object/json.h"
#include "control/schema/views/batch.h"
#include "control/schema/views/core.h"

namespace minik::control {
namespace {

Value complete(std::string_view api_version, std::string_view kind, std::string_view text) {
  const auto* type = Schema::builtin().find_document(api_version, kind);
  const Value object = apply_defaults(*type, *parse_json(text));
  EXPECT_TRUE(apply_defaults(*type, object).same_node(object)) << "a second time adds something";
  return object;
}

std::string golden(std::string_view api_version, std::string_view kind, std::string_view text) {
  return to_json(complete(api_version, kind, text));
}

TEST(Defaults, OfADeploymentAreThoseOfARealCluster) {
  EXPECT_EQ(
      golden(
          "apps/v1", "Deployment",
          R"({"spec":{"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
                 "spec":{"containers":[{"name":"web","image":"nginx","ports":[{"containerPort":80}]}]}}}})"),
      R"({"spec":{"progressDeadlineSeconds":600,"replicas":1,"revisionHistoryLimit":10,)"
      R"("selector":{"matchLabels":{"app":"web"}},)"
      R"("strategy":{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"},"type":"RollingUpdate"},)"
      R"("template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"nginx",)"
      R"("imagePullPolicy":"Always","name":"web","ports":[{"containerPort":80,"protocol":"TCP"}],)"
      R"("resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],)"
      R"("dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler",)"
      R"("securityContext":{},"terminationGracePeriodSeconds":30}}},"status":{}})");
}

TEST(Defaults, OfAPodFillProbesVolumesAndRequests) {
  const Value object = complete("v1", "Pod", R"({"spec":{"serviceAccount":"robot","volumes":[
      {"name":"a"},{"name":"b","secret":{"secretName":"s"}},{"name":"c","hostPath":{"path":"/x"}}],
      "containers":[{"name":"c","image":"r.io:5000/a:1.2","resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"100m"}},
        "livenessProbe":{"httpGet":{"port":80}},"env":[{"name":"N","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}]}})");
  const PodSpecView spec = PodView(object).spec();
  const auto container = spec.containers()[0];
  EXPECT_EQ(container.imagePullPolicy(), "IfNotPresent");
  EXPECT_EQ(to_json(container.resources().requests()), R"({"cpu":"100m","memory":"1Gi"})");
  EXPECT_EQ(
      to_json(container.livenessProbe_value()),
      R"({"failureThreshold":3,"httpGet":{"path":"/","port":80,"scheme":"HTTP"},"periodSeconds":10,"successThreshold":1,"timeoutSeconds":1})");
  EXPECT_EQ(container.env()[0].valueFrom().fieldRef().apiVersion_value().as_string(), "v1");
  EXPECT_EQ(
      to_json(spec.volumes_value()),
      R"([{"emptyDir":{},"name":"a"},{"name":"b","secret":{"defaultMode":420,"secretName":"s"}},{"hostPath":{"path":"/x","type":""},"name":"c"}])");
  EXPECT_TRUE(spec.enableServiceLinks());
  EXPECT_EQ(spec.serviceAccountName(), "robot");
  EXPECT_EQ(PodView(object).status().phase_value().as_string(), "Pending");
}

TEST(Defaults, OfAPodAsAWholeFollowItsContainersThenItsLimits) {
  const Value object = complete("v1", "Pod", R"({"spec":{"resources":{"limits":{"cpu":"1","memory":"1Gi"}},
      "initContainers":[{"name":"s","image":"a:1","restartPolicy":"Always","resources":{"requests":{"cpu":"50m"}}},
                        {"name":"i","image":"a:1","resources":{"requests":{"cpu":"400m"}}}],
      "containers":[{"name":"c","image":"a:1","resources":{"requests":{"cpu":"100m"}}},{"name":"d","image":"a:1"}]}})");
  EXPECT_EQ(to_json(object["spec"]["resources"]["requests"]), R"({"cpu":"450m","memory":"1Gi"})");
  EXPECT_TRUE(complete("v1", "Pod", R"({"spec":{"containers":[{"name":"c","image":"a:1"}]}})")["spec"]["resources"].is_absent());
  const Value huge = complete("v1", "Pod", R"({"spec":{"resources":{"limits":{"cpu":"1","hugepages-1Gi":"2Gi"}},
      "containers":[{"name":"c","image":"a:1","resources":{"limits":{"cpu":"1","hugepages-2Mi":"4Mi"}}},
                    {"name":"d","image":"a:1","resources":{"limits":{"cpu":"1","hugepages-2Mi":"6Mi"}}}]}})");
  EXPECT_EQ(to_json(huge["spec"]["resources"]["limits"]), R"({"cpu":"1","hugepages-1Gi":"2Gi","hugepages-2Mi":"10Mi"})");
  EXPECT_EQ(to_json(huge["spec"]["resources"]["requests"]), R"({"cpu":"2","hugepages-1Gi":"2Gi","hugepages-2Mi":"10Mi"})");
}

TEST(Defaults, PullFloatingImagesAlways) {
  const auto policy = [](std::string_view image) {
    const auto* container = Schema::builtin().find_type("core", "Container");
    return apply_defaults(*container, Value::map({{"image", Value(image)}}))
        .get("imagePullPolicy")
        .string();
  };
  EXPECT_EQ(policy("nginx"), "Always");
  EXPECT_EQ(policy("localhost:5000/nginx"), "Always");
  EXPECT_EQ(policy("nginx:latest"), "Always");
  EXPECT_EQ(policy("nginx:1.27"), "IfNotPresent");
  EXPECT_EQ(policy("nginx@sha256:0123"), "IfNotPresent");
}

TEST(Defaults, OfAServiceFollowItsType) {
  EXPECT_EQ(
      golden("v1", "Service", R"({"spec":{"ports":[{"port":80}]}})"),
      R"({"spec":{"internalTrafficPolicy":"Cluster","ports":[{"port":80,"protocol":"TCP","targetPort":80}],"sessionAffinity":"None","type":"ClusterIP"},"status":{"loadBalancer":{}}})");
  EXPECT_EQ(
      golden("v1", "Service", R"({"spec":{"type":"NodePort","sessionAffinity":"ClientIP"}})"),
      R"({"spec":{"externalTrafficPolicy":"Cluster","internalTrafficPolicy":"Cluster","sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":10800}},"type":"NodePort"},"status":{"loadBalancer":{}}})");
}

TEST(Defaults, OfAnAutoscalersBehaviorSayBothDirections) {
  const auto behavior = [](std::string_view text) {
    const Value object = complete("autoscaling/v2", "HorizontalPodAutoscaler", text);
    return to_json(object["spec"]["behavior"]);
  };
  EXPECT_EQ(behavior(R"({"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":60,"selectPolicy":"Min"}}}})"),
            R"({"scaleDown":{"policies":[{"periodSeconds":15,"type":"Percent","value":100}],"selectPolicy":"Min","stabilizationWindowSeconds":60},)"
            R"("scaleUp":{"policies":[{"periodSeconds":15,"type":"Pods","value":4},{"periodSeconds":15,"type":"Percent","value":100}],)"
            R"("selectPolicy":"Max","stabilizationWindowSeconds":0}})");
  EXPECT_EQ(behavior(R"({"spec":{}})"), "null");
}

TEST(Defaults, OfFlowControlAreThoseOfItsQueues) {
  EXPECT_EQ(golden("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
                   R"({"spec":{"type":"Limited","limited":{"limitResponse":{"type":"Queue","queuing":{"queues":16}}}}})"),
            R"({"spec":{"limited":{"lendablePercent":0,"limitResponse":{"queuing":{"handSize":8,"queueLengthLimit":50,"queues":16},"type":"Queue"},)"
            R"("nominalConcurrencyShares":30},"type":"Limited"}})");
  EXPECT_EQ(golden("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", R"({"spec":{}})"), R"({"spec":{"matchingPrecedence":1000}})");
}

TEST(Defaults, OfSmallKinds) {
  EXPECT_EQ(
      golden("v1", "Namespace", R"({"metadata":{"name":"a"}})"),
      R"({"metadata":{"labels":{"kubernetes.io/metadata.name":"a"},"name":"a"},"spec":{},"status":{"phase":"Active"}})");
  EXPECT_EQ(golden("v1", "Secret", R"({"data":{"b":"eA=="},"stringData":{"a":"text"}})"),
            R"({"data":{"a":"dGV4dA==","b":"eA=="},"type":"Opaque"})");
  EXPECT_EQ(
      golden("v1", "Event", R"({"reason":"Started"})"),
      R"({"eventTime":null,"firstTimestamp":null,"lastTimestamp":null,"reason":"Started","source":{}})");
  EXPECT_EQ(golden("networking.k8s.io/v1", "Ingress", R"({"spec":{}})"),
            R"({"spec":{},"status":{"loadBalancer":{}}})");
  EXPECT_EQ(golden("v1", "ConfigMap", R"({"data":{"a":"b"}})"), R"({"data":{"a":"b"}})");
}

TEST(Defaults, OfControllersWithAnOrder) {
  const Value set =
      complete("apps/v1", "StatefulSet",
               R"({"spec":{"volumeClaimTemplates":[{"metadata":{"name":"d"},"spec":{}}]}})");
  EXPECT_EQ(to_json(set.at({"spec", "updateStrategy"})),
            R"({"rollingUpdate":{"partition":0},"type":"RollingUpdate"})");
  EXPECT_EQ(to_json(set.at({"spec", "volumeClaimTemplates"})),
            R"([{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"d"},)"
            R"("spec":{"resources":{},"volumeMode":"Filesystem"},"status":{"phase":"Pending"}}])");
  EXPECT_EQ(
      to_json(complete("apps/v1", "DaemonSet", R"({"spec":{}})").at({"spec", "updateStrategy"})),
      R"({"rollingUpdate":{"maxSurge":0,"maxUnavailable":1},"type":"RollingUpdate"})");
}

TEST(Defaults, LeaveAZeroThatIsANumberOrPercentage) {
  const Value set = complete("apps/v1", "DaemonSet",
                             R"({"spec":{"updateStrategy":{"rollingUpdate":{"maxUnavailable":0}}}})");
  EXPECT_EQ(to_json(set.at({"spec", "updateStrategy", "rollingUpdate"})),
            R"({"maxSurge":0,"maxUnavailable":0})");
}

TEST(Defaults, OfNetworkKinds) {
  EXPECT_EQ(
      golden("networking.k8s.io/v1", "NetworkPolicy",
             R"({"spec":{"egress":[{"ports":[{"port":53}]}]}})"),
      R"({"spec":{"egress":[{"ports":[{"port":53,"protocol":"TCP"}]}],"podSelector":{},"policyTypes":["Ingress","Egress"]}})");
  EXPECT_EQ(
      golden("discovery.k8s.io/v1", "EndpointSlice",
             R"({"endpoints":[{"addresses":["a"]}],"ports":[{"port":53}]})"),
      R"({"endpoints":[{"addresses":["a"],"conditions":{}}],"ports":[{"name":"","port":53,"protocol":"TCP"}]})");
  EXPECT_EQ(golden("v1", "Endpoints", R"({"subsets":[{"ports":[{"port":53}]}]})"),
            R"({"subsets":[{"ports":[{"port":53,"protocol":"TCP"}]}]})");
}

TEST(Defaults, KeepAnExplicitZeroWhereItMeansSomething) {
  EXPECT_EQ(complete("apps/v1", "Deployment", R"({"spec":{"replicas":0}})")
                .at({"spec", "replicas"})
                .as_int(9),
            0);
  const Value job =
      complete("batch/v1", "Job", R"({"spec":{"backoffLimit":0,"template":{"spec":{}}}})");
  EXPECT_EQ(JobView(job).spec().backoffLimit(), 0);
  EXPECT_EQ(JobView(job).spec().parallelism(), 1);
}

TEST(Defaults, OfAJobDoNotReachIntoACronJobsTemplate) {
  const Value object = complete("batch/v1", "CronJob",
                                R"({"spec":{"jobTemplate":{"spec":{"template":{"spec":{}}}}}})");
  const auto spec = CronJobView(object).spec();
  EXPECT_EQ(spec.concurrencyPolicy(), "Allow");
  EXPECT_FALSE(spec.jobTemplate().spec().has_backoffLimit());
  EXPECT_EQ(spec.jobTemplate().spec().template_().spec().dnsPolicy_value().as_string(),
            "ClusterFirst");
}

}  // namespace
}  // namespace minik::control
