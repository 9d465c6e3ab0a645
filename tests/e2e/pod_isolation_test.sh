#!/usr/bin/env bash
# What the containers of a pod share: their processes.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox
kc wait --for=condition=Ready node --all --timeout=30s

step "containers of one pod share their processes"
kc apply -f - <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: shared}
spec:
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 2
  containers:
  - {name: main, image: "busybox:test", command: [sh, -c, 'echo begun; sleep 4242; true']}
  - name: side
    image: busybox:test
    command: [sleep, "4343"]
    readinessProbe: {exec: {command: [sh, -c, 'ps -o args | grep -q "^sleep 4242"']}, periodSeconds: 1}
Y
kc wait --for=condition=Ready pod/shared --timeout=30s
contains "sleep 4242" kc exec shared -c side -- ps
contains "pause" kc exec shared -c side -- cat /proc/1/comm
contains "begun" kc logs shared -c main
# One container sees another's files through its processes, as the documentation of Kubernetes shows.
kc exec shared -c main -- sh -c 'echo here >/tmp/mark'
contains "here" kc exec shared -c side -- sh -c 'cat $(pidof sleep | sed "s|[0-9][0-9]*|/proc/&/root/tmp/mark|g")'
kc exec shared -c side -- sh -c 'kill -9 $(ps -o pid,args | grep "[s]leep 4242" | sed "s/^ *//" | cut -d" " -f1)'
again() { [[ $(kc get pod shared -o 'jsonpath={.status.containerStatuses[?(@.name=="main")].restartCount}') -ge 1 ]]; }
eventually again
kc delete pod shared --timeout=30s

echo "all held"
