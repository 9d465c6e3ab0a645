#!/usr/bin/env bash
# What `minik stop` lets containers do, what becomes of them after the next start, and two commands at once.
source "$(dirname "$0")/lib.sh" "$1"
kept=$root/kept
mkdir "$kept"

step "two starts at once: one cluster, and both say so"
run start >"$root/first" 2>&1 & first=$!
run start >"$root/second" 2>&1 & second=$!
wait $first && wait $second
grep -l "^Started cluster" "$root/first" "$root/second" | wc -l | grep -qx 1
grep -l "^Already running" "$root/first" "$root/second" | wc -l | grep -qx 1
load_busybox

# pod NAME POLICY COMMAND [GRACE [MORE]]: with the folder at /kept.
pod() {
  kc apply -f - >/dev/null <<Y
{apiVersion: v1, kind: Pod, metadata: {name: $1}, spec: {restartPolicy: $2, terminationGracePeriodSeconds: ${4:-20},
  containers: [{name: c, image: 'busybox:test', command: [sh, -c, "$3"], volumeMounts: [{name: kept, mountPath: /kept}], ${5:-}}],
  volumes: [{name: kept, hostPath: {path: $kept}}]}}
Y
}
step "pods that listen, that do not, that have ended"
pod polite Always "trap 'echo asked >>/kept/polite; exit 0' TERM; echo up; while :; do sleep 0.1; done" 20 \
  "lifecycle: {preStop: {exec: {command: [sh, -c, 'echo hook >>/kept/polite']}}}"
pod deaf Always "trap '' TERM; while :; do sleep 0.1; done" 3
pod never Never "while :; do sleep 0.1; done" 1
pod done Never "echo the result; exit 0"
kc apply -f - >/dev/null <<'Y'
{apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never,
  terminationGracePeriodSeconds: 1, containers: [{name: c, image: 'busybox:test', command: [sleep, "1000"]}]}}}}
Y
kc wait --for=condition=Ready pod/polite pod/deaf pod/never --timeout=60s >/dev/null
kc wait --for=condition=Ready pod -l job-name=once --timeout=60s >/dev/null
kc wait --for=jsonpath='{.status.phase}'=Succeeded pod/done --timeout=30s >/dev/null

step "stop: hooks, signals, no longer than somebody's grace; whoever comes second waits"
before=$SECONDS
run stop >"$root/stop" 2>&1 & first=$!
run stop >"$root/again" 2>&1 & second=$!
wait $first && wait $second
took=$((SECONDS - before))
[[ $took -ge 2 && $took -lt 20 ]]
grep -q "default/deaf" "$root/stop" "$root/again"
cat "$root/stop" "$root/again" | grep -c "^Stopped cluster" | grep -qx 1
[[ $(cat "$kept/polite") == $'hook\nasked' ]]
! pgrep -f "container-shim $MINIK_HOME" || exit 1

step "start: what may run again does, what may not does not, and logs are there"
run start >/dev/null
kc wait --for=condition=Ready pod/polite pod/deaf --timeout=60s >/dev/null
last() { kc get pod "$1" -o jsonpath='{.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].lastState.terminated.exitCode}'; }
[[ $(last polite) == "1 0" && $(last deaf) == "1 137" ]]
contains up kc logs --previous polite
contains SandboxChanged kc get events --field-selector involvedObject.name=polite
phase() { [[ $(kc get pod "$1" -o jsonpath='{.status.phase} {.status.containerStatuses[0].restartCount}') == "$2" ]]; }
eventually phase never "Failed 0"
phase done "Succeeded 0"
contains "the result" kc logs done
kc wait --for=condition=Failed job/once --timeout=30s >/dev/null
[[ $(kc get pods -l job-name=once -o jsonpath='{.items[*].status.containerStatuses[0].restartCount}') == 0 ]]

step "stop --now asks nobody, nor does a daemon that was killed keep containers from being asked"
before=$SECONDS
run stop --now
[[ $((SECONDS - before)) -lt 5 ]]
[[ $(cat "$kept/polite") == $'hook\nasked' ]]
run start >/dev/null
kc wait --for=condition=Ready pod/polite --timeout=60s >/dev/null
kill -9 "$(cat "$MINIK_HOME/$profile/run/daemon.pid")"
before=$SECONDS
run stop
[[ $((SECONDS - before)) -lt 12 ]]  # the deaf one has three seconds, the polite one does not need its twenty
[[ $(cat "$kept/polite") == $'hook\nasked\nasked' ]]

step "a slip in the name makes no cluster; who may not look is told so"
fails "there is no cluster" "$minik" -p typo image ls
[[ ! -e $MINIK_HOME/typo ]]
chmod 755 "$root"
fails "run minik as the user who started" setpriv --reuid=65534 --regid=65534 --clear-groups "$minik" -p "$profile" status
run delete
echo "all held"
