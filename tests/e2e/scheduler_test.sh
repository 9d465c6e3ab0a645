#!/usr/bin/env bash
# What a user sees of the scheduler: reasons, gates, priorities, ports, profiles.
source "$(dirname "$0")/lib.sh" "$1"
# pod NAME SPEC [CONTAINER]: YAML flow text of further fields.
pod() {
  kc apply -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: $1, labels: {app: $1}}, spec: {terminationGracePeriodSeconds: 1,
    ${2:+$2,} containers: [{name: main, image: \"minik/demo:latest\" ${3:+, $3}}]}}" >/dev/null
}
why() { kc get pod "$1" -o jsonpath='{.status.conditions[?(@.type=="PodScheduled")].message}'; }

step "a scheduler configuration that is wrong is refused, and leaves nothing"
echo 'kind: Pod' >"$root/wrong.yaml"
fails "wrong.yaml: expected kind KubeSchedulerConfiguration" run start --scheduler-config "$root/wrong.yaml"
[[ ! -e $MINIK_HOME/$profile ]]
cat >"$root/profiles.yaml" <<'END'
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
podInitialBackoffSeconds: 1
percentageOfNodesToScore: 50
profiles:
- schedulerName: default-scheduler
- schedulerName: packer
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}
- schedulerName: elsewhere
  pluginConfig:
  - name: NodeAffinity
    args:
      addedAffinity:
        requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: rack, operator: Exists}]}]}
END
sed 's/Exists/Like/' "$root/profiles.yaml" >"$root/unlike.yaml"
fails 'operator: Invalid value: "Like": not a valid selector operator' run start --scheduler-config "$root/unlike.yaml"
run start --scheduler-config "$root/profiles.yaml" >/dev/null

step "each profile's pods are placed, nobody else's"
pod packed 'schedulerName: packer'
pod foreign 'schedulerName: somebody-else'
eventually contains Running kc get pod packed
pod racked 'schedulerName: elsewhere'
eventually contains "1 node(s) didn't match scheduler-enforced node affinity" why racked
kc label node --all rack=one
eventually contains Running kc get pod racked

step "a pod that fits nowhere says why"
pod giant '' 'resources: {requests: {cpu: "1000"}}'
eventually contains "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling." why giant
contains FailedScheduling kc describe pod giant

step "a cordon and a taint, and what comes when they are gone"
node=$(kc get nodes -o jsonpath="{.items[0].metadata.name}")
kc taint node "$node" team=blue:NoSchedule
pod red
eventually contains "1 node(s) had untolerated taint {team: blue}" why red
kc taint node "$node" team-
eventually contains Running kc get pod red
kc cordon "$node"
pod late
eventually contains "1 node(s) were unschedulable" why late
kc uncordon "$node"
eventually contains Running kc get pod late

step "a gate keeps a pod back"
pod gated 'schedulingGates: [{name: example.com/quota}]'
contains SchedulingGated kc get pod gated
kc patch pod gated --type=json -p '[{"op":"remove","path":"/spec/schedulingGates"}]'
eventually contains Running kc get pod gated

step "two pods cannot have one port, and the second comes when the first goes"
pod first '' 'ports: [{containerPort: 8080, hostPort: 18080}]'
eventually contains Running kc get pod first
pod second '' 'ports: [{containerPort: 8080, hostPort: 18080}]'
eventually contains "didn't have free ports" why second
kc delete pod first
eventually contains Running kc get pod second

step "anti-affinity holds on one node"
apart='affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: red}}}]}}'
pod hermit "$apart"
eventually contains "1 node(s) didn't match pod anti-affinity rules" why hermit

step "a more important pod takes the place of a less important one"
kc create priorityclass high --value=1000
cpus=$(kc get node "$node" -o jsonpath='{.status.allocatable.cpu}')
case $cpus in *m) milli=${cpus%m} ;; *) milli=$((cpus * 1000)) ;; esac
most="resources: {requests: {cpu: $((milli * 3 / 5))m}}"
pod low '' "$most"
eventually contains Running kc get pod low
pod chief 'priorityClassName: high' "$most"
eventually contains Running kc get pod chief
eventually fails NotFound kc get pod low
contains Preempted kc get events

step "the metrics have Kubernetes' names"
contains 'scheduler_schedule_attempts_total{profile="packer",result="scheduled"} 1' kc get --raw /metrics
contains 'scheduler_preemption_victims_count 1' kc get --raw /metrics
contains 'Pending' kc get pod foreign
