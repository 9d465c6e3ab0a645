#!/usr/bin/env bash
# What a pod shares and what it is kept from: the processes of its containers, system calls, cpu and memory as a whole.
source "$(dirname "$0")/lib.sh" "$1"
(umask 077; run start >/dev/null)  # what the user keeps to himself is not kept from the users of containers
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

step "a system call filter of the user's own stands below the profile's folder"
mkdir -p "$MINIK_HOME/$profile/seccomp/profiles"
cat >"$MINIK_HOME/$profile/seccomp/profiles/no-mkdir.json" <<'J'
{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
 "syscalls": [{"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
J
echo '{"defaultAction": "SCMP_ACT_NOTIFY"}' >"$MINIK_HOME/$profile/seccomp/watched.json"
filtered() {
  kc apply -f - <<Y
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: busybox:test
    command: [sleep, "600"]
    securityContext: {allowPrivilegeEscalation: $3, seccompProfile: {type: Localhost, localhostProfile: $2}}
Y
}
filtered filtered profiles/no-mkdir.json true
filtered bound profiles/no-mkdir.json false
filtered watched watched.json true
filtered missing nothing.json true
kc wait --for=condition=Ready pod/filtered pod/bound --timeout=30s
fails "No space left on device" kc exec filtered -- mkdir /tmp/a
fails "No space left on device" kc exec bound -- mkdir /tmp/a
kc exec filtered -- touch /tmp/a
why() { kc get pod "$1" -o 'jsonpath={.status.containerStatuses[0].state.waiting.message}'; }
eventually contains "SCMP_ACT_NOTIFY needs a supervisor" why watched
eventually contains "seccomp/nothing.json" why missing

step "a user of a pod's comes into its root, listens on a low port and sees the pod's limits"
kc apply -f - <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: plain}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {runAsUser: 1000, runAsNonRoot: true}
  containers:
  - name: main
    image: busybox:test
    command: [sh, -c, "echo 1 >/data/page; exec httpd -f -p 80 -h /data"]
    readinessProbe: {httpGet: {path: /page, port: 80}, periodSeconds: 1}
    resources: {limits: {memory: 48Mi}}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
Y
kc wait --for=condition=Ready pod/plain --timeout=30s
[[ ! -e /sys/fs/cgroup/memory && ! -e /sys/fs/cgroup/cgroup.controllers ]] ||
  contains 50331648 kc exec plain -- sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes'

step "a pod that wants users of its own is told that there are none"
kc run strangers --image=busybox:test --overrides='{"spec": {"hostUsers": false}}' -- sleep 600
eventually contains "hostUsers: false is not there yet" why strangers
contains "Error: hostUsers: false is not there yet" kc get events --field-selector involvedObject.name=strangers

step "a pod has cpu and memory as a whole"
kc apply -f - <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: whole}
spec:
  terminationGracePeriodSeconds: 1
  resources: {limits: {cpu: 500m, memory: 96Mi}}
  containers:
  - {name: main, image: "busybox:test", command: [sleep, "600"]}
  - {name: side, image: "busybox:test", command: [sleep, "600"]}
Y
kc wait --for=condition=Ready pod/whole --timeout=30s
[[ $(kc get pod whole -o 'jsonpath={.status.qosClass} {.spec.resources.requests.memory}') == "Guaranteed 96Mi" ]]
kc run huge --image=busybox:test --overrides='{"spec": {"resources": {"requests": {"cpu": "1000"}}}}' -- sleep 600
eventually contains "Insufficient cpu" kc get events --field-selector involvedObject.name=huge
# The kernel has been told, where it can be.
groups=$(find /sys/fs/cgroup -path "*minik/$profile/*" \( -name memory.max -o -name memory.limit_in_bytes \))
[[ -z $groups ]] || grep -qsx 100663296 $groups
echo "all held"
