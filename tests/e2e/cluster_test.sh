#!/usr/bin/env bash
# One cluster from start to delete, as a user has it.
source "$(dirname "$0")/lib.sh" "$1"

step "start, twice"
run start
run start | grep "Already running" >/dev/null
run status -o json | grep '"state": "Running"' >/dev/null
run image ls | grep minik/demo >/dev/null

step "nodes and namespaces"
kc wait --for=condition=Ready node --all --timeout=30s
kc get namespace kube-system -o name

step "a Deployment from apply to rollout, undo, scale and expose"
kc apply -f "$(dirname "$0")/../../tools/demo.yaml"
kc rollout status deployment/demo --timeout=60s
kc set env deployment/demo VERSION=2
kc rollout status deployment/demo --timeout=60s
[[ $(kc get rs -o name | wc -l) -eq 2 ]]
kc rollout undo deployment/demo
kc rollout status deployment/demo --timeout=60s
kc scale deployment/demo --replicas=3
eventually test "$(kc get deployment demo -o jsonpath='{.spec.replicas}')" = 3
kc rollout status deployment/demo --timeout=60s
kc rollout pause deployment/demo
kc scale deployment/demo --replicas=0
available() { [[ $(kc get deployment demo -o jsonpath='{.status.availableReplicas}') == "$1" ]]; }
eventually available ""
kc scale deployment/demo --replicas=3
eventually available 3
kc rollout resume deployment/demo
kc rollout status deployment/demo --timeout=60s
progress() { kc get deployment demo -o jsonpath='{.status.conditions[?(@.type=="Progressing")].reason}'; }
eventually contains NewReplicaSetAvailable progress
kc get endpointslices -l kubernetes.io/service-name=demo -o jsonpath='{.items[0].endpoints[*].addresses}' | grep 10.244 >/dev/null

step "logs, exec, describe, events, tables"
kc logs deployment/demo | grep "serves on port 8080" >/dev/null
kc exec deployment/demo -- /minik --version | grep minik >/dev/null
! kc exec deployment/demo -- /no-such-program 2>"$root/exec" || exit 1
grep -q "no such file" "$root/exec"
kc describe deployment demo | grep "Scaled up replica set" >/dev/null
kc get events -o wide | grep SuccessfulCreate >/dev/null
kc get pods -o wide | grep Running >/dev/null

step "errors as Kubernetes says them"
! kc create deployment demo --image=minik/demo:latest 2>"$root/exists" || exit 1
grep -q 'deployments.apps "demo" already exists' "$root/exists"
! printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bad"},"spec":{"bogus":1,"containers":[{"name":"c","image":"x"}]}}' |
  kc create -f - 2>"$root/unknown" || exit 1
grep -q 'strict decoding error: unknown field "spec.bogus"' "$root/unknown"

step "a container that ends is restarted with back-off"
kc run ends --image=minik/demo:latest --command -- /minik --version
ended() { [[ $(kc get pod ends -o jsonpath='{.status.containerStatuses[0].state.waiting.reason}') == CrashLoopBackOff ]]; }
eventually ended
[[ $(kc get pod ends -o jsonpath='{.status.containerStatuses[0].restartCount}') -ge 1 ]]
kc delete pod ends --timeout=40s

step "an image that containers use stays"
fails "is used by a container" run image rm minik/demo
run image ls | grep minik/demo >/dev/null

step "a deleted pod is replaced"
pod=pod/$(kc get pod -l app=demo -o jsonpath='{.items[0].metadata.name}')
kc delete "$pod" --timeout=40s
kc rollout status deployment/demo --timeout=60s
! kc get "$pod" 2>/dev/null || exit 1

step "kill -9 loses nothing and containers are adopted"
kc create configmap kept --from-literal=a=b
before=$(kc get pods -l app=demo -o jsonpath='{.items[*].status.containerStatuses[*].containerID}')
kill -9 "$(cat "$MINIK_HOME/$profile/run/daemon.pid")"
eventually sh -c "! $minik -p $profile status"
run start
kc get configmap kept -o jsonpath='{.data.a}' | grep b >/dev/null
[[ $(kc get pods -l app=demo -o jsonpath='{.items[*].status.containerStatuses[*].containerID}') == "$before" ]]
[[ $(kc get pods -l app=demo -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}') =~ ^(0 ?)+$ ]]

step "stop and start: everything comes back, and the restarts are counted"
run stop
run start
kc rollout status deployment/demo --timeout=60s
restarted() { [[ $(kc get pods -l app=demo -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}') =~ ^(1 ?)+$ ]]; }
eventually restarted

step "a namespace goes with everything in it"
kc create namespace lab
kc -n lab create deployment x --image=minik/demo:latest
kc delete namespace lab --timeout=60s

step "delete leaves nothing"
run delete
[[ ! -e $MINIK_HOME/$profile ]]
! pgrep -f "container-shim $MINIK_HOME" || exit 1
echo "all held"
