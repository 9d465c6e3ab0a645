#include "control/schema/table.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/schema/kinds.h"

namespace minik::control {
namespace {

const WallTime kNow = *parse_time("2026-11-23T16:00:00Z");

const ResourceInfo& resource(KindId kind) {
  return Schema::builtin().resource(kind);
}

// The cells as kubectl prints them, wide ones behind a bar.
std::string row(KindId kind, std::string_view object) {
  const auto columns = table_columns(resource(kind));
  const auto cells = table_cells(resource(kind), *parse_json(object), kNow);
  std::string out;
  bool wide = false;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (columns[i].priority > 0 && !wide) out += " |";
    wide |= columns[i].priority > 0;
    out += cat(i == 0 ? "" : " ", cells[i].is_string() ? cells[i].string() : to_json(cells[i]));
  }
  return out;
}

std::string pod_row(std::string_view spec, std::string_view status, std::string_view more = "") {
  return row(kinds::kPods,
             cat(R"({"metadata":{"name":"p","creationTimestamp":"2026-11-23T15:55:00Z")", more,
                 R"(},"spec":)", spec, R"(,"status":)", status, "}"));
}

constexpr std::string_view kOne = R"({"containers":[{"name":"a"}]})";
constexpr std::string_view kTwo = R"({"containers":[{"name":"a"},{"name":"b"}]})";
constexpr std::string_view kWithInit =
    R"({"initContainers":[{"name":"i"},{"name":"s","restartPolicy":"Always"}],"containers":[{"name":"a"}]})";

TEST(PodRow, OfARunningPod) {
  EXPECT_EQ(
      pod_row(
          R"({"nodeName":"n1","containers":[{"name":"a"}]})",
          R"({"phase":"Running","podIP":"10.0.0.5","podIPs":[{"ip":"10.0.0.5"}],"containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]})"),
      "p 1/1 Running 0 5m | 10.0.0.5 n1 <none> <none>");
}

TEST(PodRow, SaysWhatItsContainersWaitFor) {
  EXPECT_EQ(pod_row(kOne, R"({"phase":"Pending"})"),
            "p 0/1 Pending 0 5m | <none> <none> <none> <none>");
  EXPECT_EQ(
      pod_row(
          kOne,
          R"({"phase":"Pending","containerStatuses":[{"name":"a","state":{"waiting":{"reason":"ContainerCreating"}}}]})"),
      "p 0/1 ContainerCreating 0 5m | <none> <none> <none> <none>");
  EXPECT_EQ(pod_row(kOne, R"({"phase":"Running","containerStatuses":[{"name":"a","restartCount":3,
                "lastState":{"terminated":{"finishedAt":"2026-11-23T15:59:30Z"}},"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]})"),
            "p 0/1 CrashLoopBackOff 3 (30s ago) 5m | <none> <none> <none> <none>");
}

TEST(PodRow, CountsInitContainers) {
  EXPECT_EQ(
      pod_row(
          kWithInit,
          R"({"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"running":{}}}]})"),
      "p 0/2 Init:0/2 0 5m | <none> <none> <none> <none>");
  EXPECT_EQ(
      pod_row(
          kWithInit,
          R"({"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":1,"reason":"Error"}}}]})"),
      "p 0/2 Init:Error 0 5m | <none> <none> <none> <none>");
  EXPECT_EQ(
      pod_row(
          kWithInit,
          R"({"phase":"Running","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}},
                {"name":"s","started":true,"ready":true,"restartCount":2,"state":{"running":{}}}],
                "containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]})"),
      "p 2/2 Running 2 5m | <none> <none> <none> <none>");
}

TEST(PodRow, SaysHowItEnded) {
  EXPECT_EQ(
      pod_row(
          kOne,
          R"({"phase":"Succeeded","containerStatuses":[{"name":"a","state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]})"),
      "p 0/1 Completed 0 5m | <none> <none> <none> <none>");
  EXPECT_EQ(
      pod_row(
          kTwo,
          R"({"phase":"Running","containerStatuses":[{"name":"a","state":{"terminated":{"exitCode":0,"reason":"Completed"}}},
                {"name":"b","ready":true,"state":{"running":{}}}]})"),
      "p 1/2 NotReady 0 5m | <none> <none> <none> <none>");
  EXPECT_EQ(pod_row(kOne, R"({"phase":"Failed","reason":"Evicted"})"),
            "p 0/1 Evicted 0 5m | <none> <none> <none> <none>");
  EXPECT_EQ(
      pod_row(kOne, R"({"phase":"Running"})", R"(,"deletionTimestamp":"2026-11-23T15:59:00Z")"),
      "p 0/1 Terminating 0 5m | <none> <none> <none> <none>");
}

TEST(Rows, OfWorkloads) {
  EXPECT_EQ(row(kinds::kDeployments,
                R"({"metadata":{"name":"web","creationTimestamp":"2026-11-22T16:00:00Z"},
                    "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}},
                    "status":{"readyReplicas":2,"updatedReplicas":3,"availableReplicas":2}})"),
            "web 2/3 3 2 24h | a,b x,y app=web");
  EXPECT_EQ(
      row(kinds::kReplicasets,
          R"({"metadata":{"name":"web"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}}},"status":{"replicas":3,"readyReplicas":2}})"),
      "web 3 3 2 <unknown> |   app=web");
  EXPECT_EQ(
      row(kinds::kJobs,
          R"({"metadata":{"name":"j","creationTimestamp":"2026-11-23T15:59:00Z"},"spec":{"completions":2,"template":{"spec":{"containers":[{"name":"a","image":"x"}]}}},
                    "status":{"startTime":"2026-11-23T15:59:00Z","completionTime":"2026-11-23T15:59:10Z","succeeded":2,"conditions":[{"type":"Complete","status":"True"}]}})"),
      "j Complete 2/2 10s 60s | a x <none>");
}

TEST(Rows, OfServicesAndIngresses) {
  EXPECT_EQ(
      row(kinds::kServices,
          R"({"metadata":{"name":"s"},"spec":{"type":"NodePort","clusterIP":"10.1.0.1","selector":{"a":"b"},"ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}]}})"),
      "s NodePort 10.1.0.1 <none> 80:30080/TCP,53/UDP <unknown> | a=b");
  EXPECT_EQ(
      row(kinds::kServices,
          R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer","clusterIP":"10.1.0.1"}})"),
      "s LoadBalancer 10.1.0.1 <pending> <none> <unknown> | <none>");
  EXPECT_EQ(
      row(kinds::kIngresses,
          R"({"metadata":{"name":"i"},"spec":{"ingressClassName":"minik","rules":[{"host":"a"},{"host":"b"},{"host":"c"},{"host":"d"}]},"status":{"loadBalancer":{"ingress":[{"ip":"127.0.0.1"}]}}})"),
      "i minik a,b,c + 1 more... 127.0.0.1 80 <unknown>");
  EXPECT_EQ(
      row(kinds::kEndpointslices,
          R"({"metadata":{"name":"e"},"addressType":"IPv4","ports":[{"port":80}],"endpoints":[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"]}]})"),
      "e IPv4 80 10.0.0.1,10.0.0.2 <unknown>");
}

TEST(Rows, OfEndpointsGoPortByPort) {
  EXPECT_EQ(row(kinds::kEndpoints,
                R"({"metadata":{"name":"e"},"subsets":[{"addresses":[{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}],"ports":[{"port":80},{"port":443}]}]})"),
            "e 10.0.0.1:80,10.0.0.2:80,10.0.0.1:443 + 1 more... <unknown>");
  EXPECT_EQ(row(kinds::kEndpointslices, R"({"metadata":{"name":"e"},"addressType":"FQDN","ports":[{"name":"web"},{}]})"),
            "e FQDN web,* <unset> <unknown>");
}

TEST(Rows, OfAutoscalersSayWhatEachMetricIsAndShallBe) {
  EXPECT_EQ(row(kinds::kHorizontalpodautoscalers,
                R"({"metadata":{"name":"h"},"spec":{"minReplicas":1,"maxReplicas":9,"scaleTargetRef":{"kind":"Deployment","name":"web"},"metrics":[
                    {"type":"Pods","pods":{"metric":{"name":"r"},"target":{"type":"AverageValue","averageValue":"100"}}},
                    {"type":"ContainerResource","containerResource":{"name":"cpu","container":"c","target":{"type":"Utilization","averageUtilization":80}}},
                    {"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Gi"}}}]},
                    "status":{"currentReplicas":2,"currentMetrics":[{"type":"Pods","pods":{"current":{"averageValue":"70"}}},
                    {"type":"ContainerResource","containerResource":{"name":"cpu","current":{"averageUtilization":12}}}]}})"),
            "h Deployment/web 70/100, cpu: 12%/80% + 1 more... 1 9 2 <unknown>");
  EXPECT_EQ(row(kinds::kHorizontalpodautoscalers,
                R"({"metadata":{"name":"h"},"spec":{"minReplicas":1,"maxReplicas":9,"scaleTargetRef":{"kind":"Deployment","name":"web"},"metrics":[
                    {"type":"External","external":{"metric":{"name":"q"},"target":{"type":"AverageValue","averageValue":"30"}}},
                    {"type":"Object","object":{"metric":{"name":"q"},"target":{"type":"Value","value":"2k"}}}]}})"),
            "h Deployment/web <unknown>/30 (avg), <unknown>/2k 1 9 0 <unknown>");
}

TEST(Rows, OfCertificateRequestsTellTheWorstFirst) {
  EXPECT_EQ(row(kinds::kCertificatesigningrequests,
                R"({"metadata":{"name":"c"},"spec":{"signerName":"example.com/s","username":"jane","expirationSeconds":7200},
                    "status":{"conditions":[{"type":"Failed"},{"type":"Approved"}],"certificate":"LS0t"}})"),
            "c <unknown> example.com/s jane 120m Approved,Failed,Issued");
}

TEST(Rows, OfStorageAndItsDrivers) {
  EXPECT_EQ(row(kinds::kCsidrivers, R"({"metadata":{"name":"d"},"spec":{"podInfoOnMount":true,"tokenRequests":[{"audience":"a"},{"audience":"b"}],
                                        "volumeLifecycleModes":["Persistent","Ephemeral"]}})"),
            "d true true false a,b false Persistent,Ephemeral <unknown>");
  EXPECT_EQ(row(kinds::kCsinodes, R"({"metadata":{"name":"n"},"spec":{"drivers":[{"name":"d"}]}})"), "n 1 <unknown>");
  EXPECT_EQ(row(kinds::kCsistoragecapacities, R"({"metadata":{"name":"s"},"storageClassName":"fast"})"), "s fast <unset>");
  EXPECT_EQ(row(kinds::kVolumeattachments, R"({"metadata":{"name":"a"},"spec":{"attacher":"d","nodeName":"n","source":{"persistentVolumeName":"v"}},
                                               "status":{"attached":true}})"),
            "a d v n true <unknown>");
  EXPECT_EQ(row(kinds::kVolumeattributesclasses, R"({"metadata":{"name":"gold"},"driverName":"d"})"), "gold d <unknown>");
}

TEST(Rows, OfPriorityAndFairnessAndOfRanges) {
  EXPECT_EQ(row(kinds::kFlowschemas, R"({"metadata":{"name":"f"},"spec":{"matchingPrecedence":500,"priorityLevelConfiguration":{"name":"system"},
                                         "distinguisherMethod":{"type":"ByUser"}},"status":{"conditions":[{"type":"Dangling","status":"False"}]}})"),
            "f system 500 ByUser <unknown> False");
  EXPECT_EQ(row(kinds::kPrioritylevelconfigurations, R"({"metadata":{"name":"p"},"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":30,
                "limitResponse":{"type":"Queue","queuing":{"queues":64,"handSize":6,"queueLengthLimit":50}}}}})"),
            "p Limited 30 64 6 50 <unknown>");
  EXPECT_EQ(row(kinds::kPrioritylevelconfigurations, R"({"metadata":{"name":"e"},"spec":{"type":"Exempt"}})"),
            "e Exempt <none> <none> <none> <none> <unknown>");
  EXPECT_EQ(row(kinds::kServicecidrs, R"({"metadata":{"name":"k"},"spec":{"cidrs":["10.96.0.0/16","fd00::/108"]}})"),
            "k 10.96.0.0/16,fd00::/108 <unknown>");
  EXPECT_EQ(row(kinds::kIpaddresses, R"({"metadata":{"name":"10.96.0.1"},"spec":{"parentRef":{"resource":"services","namespace":"default","name":"kubernetes"}}})"),
            "10.96.0.1 services/default/kubernetes");
}

TEST(Rows, OfNodesAndEvents) {
  EXPECT_EQ(
      row(kinds::kNodes,
          R"({"metadata":{"name":"n","labels":{"node-role.kubernetes.io/control-plane":"","node-role.kubernetes.io/worker":""}},"spec":{"unschedulable":true},
                    "status":{"conditions":[{"type":"Ready","status":"True"}],"addresses":[{"type":"InternalIP","address":"10.0.0.1"}],
                    "nodeInfo":{"kubeletVersion":"v1.35.0","osImage":"Debian","kernelVersion":"6.1","containerRuntimeVersion":"minik://0.1"}}})"),
      "n Ready,SchedulingDisabled control-plane,worker <unknown> v1.35.0 | 10.0.0.1 <none> Debian "
      "6.1 minik://0.1");
  EXPECT_EQ(
      row(kinds::kEvents,
          R"({"metadata":{"name":"e.1"},"type":"Warning","reason":"BackOff","message":"Back-off\n","count":4,"source":{"component":"kubelet","host":"n"},
                    "involvedObject":{"kind":"Pod","name":"p"},"firstTimestamp":"2026-11-23T15:50:00Z","lastTimestamp":"2026-11-23T15:59:00Z"})"),
      "60s Warning BackOff pod/p |  kubelet, n Back-off 10m 4 e.1");
}

TEST(Rows, OfKindsWithoutColumnsOfTheirOwn) {
  EXPECT_EQ(row(kinds::kLimitranges,
                R"({"metadata":{"name":"l","creationTimestamp":"2026-11-23T15:50:00Z"}})"),
            "l 2026-11-23T15:50:00Z");
}

TEST(Rows, EveryKindCanShowAnObjectWithoutAnything) {
  for (const auto& info : Schema::builtin().resources()) {
    EXPECT_EQ(table_cells(info, Value::empty_map(), kNow).size(), table_columns(info).size());
  }
}

TEST(Table, HoldsColumnsRowsAndWhatWasAskedOfTheObjects) {
  const Value object = *parse_json(R"({"metadata":{"name":"a"},"data":{"k":"v"}})");
  const auto table = [&](TableObject include) {
    return make_table(resource(kinds::kConfigmaps), std::span(&object, 1),
                      Value::map({{"resourceVersion", "7"}}), kNow, include);
  };
  EXPECT_EQ(
      to_json(table(TableObject::kMetadata)),
      R"({"apiVersion":"meta.k8s.io/v1","columnDefinitions":[)"
      R"({"description":"","format":"name","name":"Name","priority":0,"type":"string"},)"
      R"({"description":"","format":"","name":"Data","priority":0,"type":"string"},)"
      R"({"description":"","format":"","name":"Age","priority":0,"type":"string"}],)"
      R"("kind":"Table","metadata":{"resourceVersion":"7"},"rows":[{"cells":["a",1,"\u003cunknown\u003e"],)"
      R"("object":{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":{"name":"a"}}}]})");
  EXPECT_TRUE(table(TableObject::kNone).get("rows").items()[0].get("object").is_absent());
  EXPECT_EQ(
      table(TableObject::kObject).get("rows").items()[0].get("object").get("kind").as_string(),
      "ConfigMap");
}

TEST(Table, ListsFlowSchemasInTheOrderInWhichTheyAreAsked) {
  const Value schemas[] = {*parse_json(R"({"metadata":{"name":"a"},"spec":{"matchingPrecedence":900}})"),
                           *parse_json(R"({"metadata":{"name":"b"},"spec":{"matchingPrecedence":1}})")};
  const Value table = make_table(resource(kinds::kFlowschemas), schemas, Value(), kNow, TableObject::kNone);
  EXPECT_EQ(table.get("rows").items()[0].get("cells").items()[0].as_string(), "b");
}

TEST(Table, MarksPodsThatHaveEnded) {
  const Value pod = *parse_json(R"({"metadata":{"name":"p"},"status":{"phase":"Succeeded"}})");
  const Value table = make_table(resource(kinds::kPods), std::span(&pod, 1), Value(), kNow, TableObject::kNone);
  EXPECT_EQ(to_json(table.get("rows").items()[0].get("conditions")),
            R"([{"message":"The pod has completed successfully.","reason":"Succeeded","status":"True","type":"Completed"}])");
}

TEST(PolicyRow, CountsRulesAndNamesParameters) {
  const std::string born = R"({"metadata":{"name":"p","creationTimestamp":"2026-11-23T15:55:00Z"},"spec":)";
  EXPECT_EQ(row(kinds::kValidatingadmissionpolicies, cat(born, R"({"validations":[{},{}],"paramKind":{"apiVersion":"v1","kind":"ConfigMap"}}})")),
            "p 2 v1/ConfigMap 5m");
  EXPECT_EQ(row(kinds::kMutatingadmissionpolicies, cat(born, R"({"mutations":[{}]}})")), "p 1 <unset> 5m");
  EXPECT_EQ(row(kinds::kMutatingadmissionpolicybindings, cat(born, R"({"policyName":"a","paramRef":{"name":"x"}}})")), "p a */x 5m");
  EXPECT_EQ(row(kinds::kValidatingadmissionpolicybindings,
                cat(born, R"({"policyName":"a","paramRef":{"selector":{"matchLabels":{"b":"c"}}}}})")),
            "p a &LabelSelector{MatchLabels:map[string]string{b: c,},MatchExpressions:[]LabelSelectorRequirement{},} 5m");
}

}  // namespace
}  // namespace minik::control
