#!/usr/bin/env bash
# What a user sees of a DaemonSet: its pod, a roll-out and the way back, history, nodes that stop fitting.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
node=$(kc get nodes -o jsonpath='{.items[0].metadata.name}')
image() { kc get pods -l app=agent --field-selector status.phase=Running -o jsonpath='{.items[*].spec.containers[0].env[0].value}'; }
pods() { kc get pods -l app=agent --no-headers; }

step "every node has its pod, cordoned or not"
kc cordon "$node"
kc apply -f - <<'END_OF_SET'
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, annotations: {kubernetes.io/change-cause: the first}}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "minik/demo:latest", env: [{name: VERSION, value: one}]}]
END_OF_SET
kc rollout status daemonset/agent --timeout=30s
kc uncordon "$node"
contains "agent   1         1         1       1            1           <none>" kc get daemonset agent
contains "SuccessfulCreate" kc describe daemonset agent
contains "Desired Number of Nodes Scheduled: 1" kc describe daemonset agent

step "a new template rolls out, and its history leads back"
kc annotate daemonset agent kubernetes.io/change-cause='the second' --overwrite
kc set env daemonset/agent VERSION=two
kc rollout status daemonset/agent --timeout=30s
[[ $(image) == two ]]
contains "2         the second" kc rollout history daemonset/agent
contains "VERSION:	one" kc rollout history daemonset/agent --revision=1
contains "daemonset.apps/agent" kc get controllerrevisions
kc rollout undo daemonset/agent
kc rollout status daemonset/agent --timeout=30s
[[ $(image) == one ]]
contains "3  " kc rollout history daemonset/agent
fails "unable to find specified revision" kc rollout undo daemonset/agent --to-revision=1

step "the new pod comes before the old one goes, when it may surge"
kc patch daemonset agent -p '{"spec":{"minReadySeconds":2,"updateStrategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}}}}'
kc set env daemonset/agent VERSION=three
two_at_once() { [[ $(pods | grep -c Running) == 2 ]]; }
eventually two_at_once
kc rollout status daemonset/agent --timeout=30s
three() { [[ $(image) == three ]]; }  # the old one may still be on its way out
eventually three

step "under OnDelete the user decides when"
kc patch daemonset agent --type=json -p '[{"op":"replace","path":"/spec/updateStrategy","value":{"type":"OnDelete"}}]'
kc set env daemonset/agent VERSION=four
observed() { [[ $(kc get ds agent -o jsonpath='{.metadata.generation}') == $(kc get ds agent -o jsonpath='{.status.observedGeneration}') ]]; }
eventually observed
[[ $(image) == three ]]
kc delete pod -l app=agent
four() { [[ $(image) == four ]]; }
eventually four

step "a pod that failed is replaced"
kc patch pod "$(pods | cut -d' ' -f1)" --subresource=status --type=merge -p '{"status":{"phase":"Failed"}}'
eventually contains FailedDaemonPod kc get events
eventually contains Running pods

step "a node that does not fit loses its pod, and has one again when it fits"
kc patch daemonset agent -p '{"spec":{"template":{"spec":{"nodeSelector":{"disk":"ssd"}}}}}'
none() { contains "No resources found" kc get pods -l app=agent; }
eventually none
kc label node "$node" disk=ssd
eventually contains Running pods
kc taint node "$node" team=blue:NoExecute
eventually none
kc taint node "$node" team-
eventually contains Running pods

step "nothing is left of a deleted set"
kc delete daemonset agent
eventually none
eventually contains "No resources found" kc get controllerrevisions
