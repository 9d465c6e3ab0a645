#!/usr/bin/env bash
# What goes through a pod's, Service's or node's own address in the API: the proxy, containers to debug with, other cpu and
# memory while it runs.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox
kc wait --for=condition=Ready node --all --timeout=30s
node=$(kc get nodes -o 'jsonpath={.items[0].metadata.name}')

kc create deployment web --image=minik/demo:latest --replicas=2
kc expose deployment web --port=80 --target-port=8080
kc rollout status deployment/web --timeout=60s
pod=$(kc get pods -l app=web -o 'jsonpath={.items[0].metadata.name}')

step "the proxy of pods, Services and nodes"
contains "Hello from minik" kc get --raw "/api/v1/namespaces/default/pods/$pod:8080/proxy/"
contains "$pod" kc get --raw "/api/v1/namespaces/default/pods/http:$pod:8080/proxy/env"
contains "Hello from minik" kc get --raw "/api/v1/namespaces/default/services/web:80/proxy/"
fails "no service port 81" kc get --raw /api/v1/namespaces/default/services/web:81/proxy/
contains "ok" kc get --raw "/api/v1/nodes/$node/proxy/healthz"
contains '"podRef"' kc get --raw "/api/v1/nodes/$node/proxy/stats/summary"

contains '"PodList"' kc get --raw "/api/v1/nodes/$node/proxy/pods"

step "kubectl proxy leads there too, with a query and a body"
kubectl --context "$profile" proxy --port=0 >"$root/proxy" &
background+=($!)
eventually grep -q 'Starting to serve' "$root/proxy"
at=http://$(sed -n 's/Starting to serve on //p' "$root/proxy")/api/v1/namespaces/default/services/web:80/proxy
contains slow curl -s "$at/slow?ms=1"
contains "Hello from minik" curl -s -X POST -d body "$at/"
# Relative links of a page work behind a slash only.
contains "/proxy/" curl -s -o /dev/null -w '%{redirect_url}' "$at"

step "kubectl debug puts a container beside a running one and sees its processes"
kc run app --image=busybox:test --command -- sh -c 'sleep 4242'
kc wait --for=condition=Ready pod/app --timeout=30s
kc debug app --image=busybox:test --target=app --container=looker -- sh -c 'ps; sleep 600'
eventually contains "sleep 4242" kc logs app -c looker
contains "sleep 4242" kc exec app -c looker -- ps
[[ $(kc get pod app -o 'jsonpath={.status.ephemeralContainerStatuses[0].state.running.startedAt}') == 20* ]]
contains "true" kc get pod app -o 'jsonpath={.status.containerStatuses[0].ready}'

step "kubectl debug copies a pod"
kc debug app --image=busybox:test --copy-to=app-copy --container=app -- sleep 600
kc wait --for=condition=Ready pod/app-copy --timeout=30s

step "kubectl debug looks at the node, also with all that root may"
for rights in general sysadmin; do
  kc debug "node/$node" --image=busybox:test --profile=$rights -- sh -c 'hostname; ls -d /host/etc; sleep 600'
  pod=$(kc get pods -o name | grep node-debugger)
  kc wait --for=condition=Ready "$pod" --timeout=30s
  eventually contains "/host/etc" kc logs "$pod"
  kc delete "$pod" --now
done

step "a pod gets other cpu and memory without a restart"
kc apply -f - <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: sized}
spec:
  containers:
  - name: main
    image: busybox:test
    command: [sleep, "600"]
    resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}
Y
kc wait --for=condition=Ready pod/sized --timeout=30s
kc patch pod sized --subresource=resize --type=strategic \
  -p '{"spec":{"containers":[{"name":"main","resources":{"limits":{"cpu":"300m","memory":"96Mi"}}}]}}'
limit() { kc get pod sized -o 'jsonpath={.status.containerStatuses[0].resources.limits.memory} {.status.containerStatuses[0].restartCount}'; }
resized() { [[ $(limit) == "96Mi 0" ]]; }
eventually resized
# The kernel has been told: 96 MiB stand in some group of this cluster.
told() { grep -rqsx 100663296 $(find /sys/fs/cgroup -path "*minik/$profile*" \( -name memory.max -o -name memory.limit_in_bytes \)); }
if [[ -n $(find /sys/fs/cgroup -path "*minik/$profile*" \( -name memory.max -o -name memory.limit_in_bytes \) | head -n 1 || true) ]]; then told; fi

step "what the node cannot give is said, and the pod stays as it was"
kc patch pod sized --subresource=resize --type=strategic \
  -p '{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"5000"},"limits":{"cpu":"5000"}}}]}}'
eventually contains "Infeasible" kc get pod sized -o 'jsonpath={.status.conditions[?(@.type=="PodResizePending")].reason}'
resized
echo "all held"
