// A running pod as the API shows it, for benchmarks: one container, one Secret volume, five
// conditions.
#pragma once

#include <string>
#include <string_view>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/value.h"

namespace minik::control {

inline std::string sample_pod_json(size_t number, uint64_t revision) {
  const std::string name = cat("web-6d4cf56db6-", number);
  const std::string uid = cat("5f0f2f4e-6a9b-4c57-9d5e-", 100'000'000'000 + number);
  const std::string ip = cat("10.", number >> 16 & 255, ".", number >> 8 & 255, ".", number & 255);
  const auto condition = [](std::string_view type) {
    return cat(
        R"({"type":")", type,
        R"(","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-01T00:00:03Z"})");
  };
  return cat(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")", name,
      R"(","generateName":"web-6d4cf56db6-","namespace":"default","uid":")", uid,
      R"(","resourceVersion":")", revision,
      R"(","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"web","pod-template-hash":"6d4cf56db6"},)",
      R"("ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-6d4cf56db6",)",
      R"("uid":"11111111-2222-3333-4444-555555555555","controller":true,"blockOwnerDeletion":true}]},)",
      R"("spec":{"volumes":[{"name":"token","secret":{"secretName":"web","defaultMode":420}}],"containers":[{)",
      R"("name":"web","image":"registry.example.com/shop/web:1.2.3","ports":[{"containerPort":8080,"protocol":"TCP"}],)",
      R"("env":[{"name":"MODE","value":"production"}],"resources":{"limits":{"cpu":"500m","memory":"256Mi"},)",
      R"("requests":{"cpu":"100m","memory":"64Mi"}},"volumeMounts":[{"name":"token","readOnly":true,)",
      R"("mountPath":"/var/run/secrets/web"}],"readinessProbe":{"httpGet":{"path":"/readyz","port":8080,)",
      R"("scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},)",
      R"("terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File",)",
      R"("imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,)",
      R"("dnsPolicy":"ClusterFirst","serviceAccountName":"default","nodeName":"node-)",
      number % 5000,
      R"(","securityContext":{},"schedulerName":"default-scheduler"},"status":{"phase":"Running","conditions":[)",
      condition("PodReadyToStartContainers"), ",", condition("Initialized"), ",",
      condition("Ready"), ",", condition("ContainersReady"), ",", condition("PodScheduled"),
      R"(],"hostIP":"192.168.0.7","podIP":")", ip, R"(","podIPs":[{"ip":")", ip,
      R"("}],"startTime":"2026-01-01T00:00:01Z","containerStatuses":[{"name":"web","state":{"running":)",
      R"({"startedAt":"2026-01-01T00:00:02Z"}},"lastState":{},"ready":true,"restartCount":0,)",
      R"("image":"registry.example.com/shop/web:1.2.3","imageID":"sha256:)", uid,
      R"(","containerID":"minik://)", uid, R"(","started":true}],"qosClass":"Burstable"}})");
}

inline Value sample_pod(size_t number, uint64_t revision) {
  auto pod = parse_json(sample_pod_json(number, revision));
  CHECK(pod.ok()) << pod.error().message;
  return *std::move(pod);
}

}  // namespace minik::control
