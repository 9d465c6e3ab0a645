#!/usr/bin/env bash
# With --eviction-hard the node agent gives pods up when the machine has less left than was asked for. The threshold here is
# one that no machine keeps, so that nothing needs to be used up.
source "$(dirname "$0")/lib.sh" "$1"

step "a threshold that is none is refused before anything is made"
fails 'there is no eviction signal "memory"; known are memory.available' run start --eviction-hard 'memory<1Gi'
[[ ! -e $MINIK_HOME/$profile ]]

pod() {  # NAME RESOURCES, past the scheduler
  kc create -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  nodeName: $(kc get nodes -o 'jsonpath={.items[0].metadata.name}')
  terminationGracePeriodSeconds: 0
  containers: [{name: web, image: "minik/demo:latest", resources: $2}]
YAML
}
status() { kc get pod "$1" -o "jsonpath={.status.$2}"; }
has() { [[ $(status "$1" "$2") == "$3" ]]; }
pressure() { [[ $(kc get nodes -o 'jsonpath={.items[0].status.conditions[?(@.type=="MemoryPressure")].status}') == "$1" ]]; }

step "nobody is evicted unless somebody says so"
run start >/dev/null
pod first '{}'
eventually has first phase Running
fails "stop it first" run start --eviction-hard 'memory.available<99%'
run stop >/dev/null

step "a machine that has less left says so and lets nobody in who asks for no memory"
run start --eviction-hard 'memory.available<99%' >/dev/null
eventually pressure True
contains "node.kubernetes.io/memory-pressure" kc get nodes -o 'jsonpath={.items[0].spec.taints}'
contains "KubeletHasInsufficientMemory" kc describe nodes
pod second '{}'
eventually has second phase Failed
[[ $(status second reason) == Evicted && $(status second message) == "Pod was rejected: The node had condition: [MemoryPressure]. " ]]
kc delete pod second --timeout=20s >/dev/null

step "who asks for some comes in, and is given up"
pod third '{requests: {memory: 1Mi}}'
eventually has third reason Evicted
[[ $(status third message) == "The node was low on resource: memory. Threshold quantity: "*" Container web was using "*", request is 1Mi, has larger consumption of memory. " ]]
contains "Attempting to reclaim memory" kc get events

step "it stays so with the next start, until it is taken back"
run stop >/dev/null
run start >/dev/null
eventually pressure True
run stop >/dev/null
run start --eviction-hard '' >/dev/null
eventually pressure False
pod fourth '{}'
eventually has fourth phase Running
