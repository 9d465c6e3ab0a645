#!/usr/bin/env bash
# What containers write to the node's disk is held to their limits, by eviction as Kubernetes has it.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox

pod() {  # NAME RESOURCES VOLUME COMMAND
  kc create -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - name: shell
    image: busybox:test
    command: [sh, -c, "$4; echo written; sleep 600"]
    resources: $2
    volumeMounts: [{name: scratch, mountPath: /scratch}]
  volumes: [{name: scratch, emptyDir: $3}]
YAML
}
status() { kc get pod "$1" -o "jsonpath={.status.$2}"; }
is_evicted() { [[ $(status "$1" reason) == Evicted ]]; }
modest() { contains written kc logs modest; }

step "who writes more than a limit is evicted, who writes less is not"
pod layer "{limits: {ephemeral-storage: 10Mi}}" "{}" "head -c 20000000 /dev/zero > /file"
pod volume "{}" "{sizeLimit: 5Mi}" "head -c 9000000 /dev/zero > /scratch/file"
pod modest "{limits: {ephemeral-storage: 10Mi}}" "{sizeLimit: 5Mi}" "head -c 1000000 /dev/zero > /scratch/file"
eventually is_evicted layer
eventually is_evicted volume
[[ $(status layer message) == "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. " ]]
[[ $(status volume message) == 'Usage of EmptyDir volume "scratch" exceeds the limit "5Mi". ' ]]
eventually modest
[[ $(status modest phase) == Running ]]

step "its volume goes at once, its log stays"
uid=$(kc get pod volume -o 'jsonpath={.metadata.uid}')
no_volume() { [[ -z $(find "$MINIK_HOME/$profile" -path "*$uid*/file" 2>/dev/null) ]]; }
eventually no_volume
contains written kc logs volume
