#!/usr/bin/env bash
# Claims of the default class: data outlives its pod, goes with its claim, and stays when the policy says so.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox
contains "standard (default)   rancher.io/local-path   Delete" kc get storageclass

claim() {  # NAME CLASS
  kc create -f - <<YAML
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $1}
spec:
  accessModes: [ReadWriteOnce]
  ${2:+storageClassName: $2}
  resources: {requests: {storage: 1Gi}}
YAML
}
pod() {  # NAME CLAIM COMMAND
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
    command: [sh, -c, "$3"]
    volumeMounts: [{name: data, mountPath: /data, subPath: inner}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: $2}}]
YAML
}
ended() { [[ $(kc get pod "$1" -o jsonpath='{.status.phase}') == Succeeded ]]; }
phase() { [[ $(kc get "$1" "$2" -o jsonpath='{.status.phase}') == "$3" ]]; }
gone() { [[ -z $(kc get "$1" --ignore-not-found -o name) ]]; }

step "what one pod writes the next one reads"
claim data
eventually contains "waiting for first consumer to be created before binding" kc describe pvc data
pod writer data "echo kept > /data/file"
eventually ended writer
phase pvc data Bound
kc get pvc data
volume=$(kc get pvc data -o jsonpath='{.spec.volumeName}')
contains "$volume" kc get pv
kc delete pod writer
pod reader data "cat /data/file; sleep 600"
eventually contains kept kc logs reader
directory=$(kc get pv "$volume" -o jsonpath='{.spec.hostPath.path}')
[[ $directory == "$MINIK_HOME/$profile"/volumes/* && $(<"$directory/inner/file") == kept ]]

step "a claim grows"
kc patch pvc data --type=merge -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'
grown() { [[ $(kc get pvc data -o jsonpath='{.status.capacity.storage}') == 2Gi ]]; }
eventually grown

step "a claim in use stays until its pod is gone, then its directory goes with it"
kc delete pvc data --wait=false
contains Terminating kc get pvc data
[[ -d $directory ]]
kc delete pod reader
eventually gone pvc
eventually gone pv
[[ ! -e $directory ]]

step "Retain keeps volume and data"
kc create -f - <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: keep}
provisioner: rancher.io/local-path
reclaimPolicy: Retain
YAML
claim kept keep
pod writer kept "echo stays > /data/file"
eventually ended writer
volume=$(kc get pvc kept -o jsonpath='{.spec.volumeName}')
directory=$(kc get pv "$volume" -o jsonpath='{.spec.hostPath.path}')
kc delete pod writer
kc delete pvc kept
eventually phase pv "$volume" Released
[[ $(<"$directory/inner/file") == stays ]]

step "a pod sees its ConfigMap change, by one swing of a link"
kc create configmap settings --from-literal=color=red --from-literal=old=1
kc create -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: viewer}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: shell
    image: busybox:test
    command: [sleep, "600"]
    volumeMounts: [{name: settings, mountPath: /settings}, {name: settings, mountPath: /one, subPath: color}]
  volumes: [{name: settings, configMap: {name: settings}}]
YAML
kc wait --for=condition=Ready pod/viewer --timeout=30s
contains red kc exec viewer -- cat /settings/color /one
kc create configmap settings --from-literal=color=blue --dry-run=client -o yaml | kc replace -f -
eventually contains blue kc exec viewer -- cat /settings/color
contains red kc exec viewer -- cat /one
fails "No such file" kc exec viewer -- cat /settings/old

step "a subPath that leads out of its volume by a link is refused, one inside is made for everybody"
outside=$(mktemp -d)
kc create -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: climber}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: linker
    image: busybox:test
    command: [sh, -c, "ln -s $outside /v/out && mkdir -m 777 /v/real && ln -s real /v/in"]
    volumeMounts: [{name: shared, mountPath: /v}]
  - name: inside
    image: busybox:test
    securityContext: {runAsUser: 1000}
    command: [sh, -c, "touch /in/file /new/file"]
    volumeMounts: [{name: shared, mountPath: /in, subPath: in}, {name: shared, mountPath: /new, subPath: some/new}]
  containers:
  - name: shell
    image: busybox:test
    command: [sh, -c, "touch /out/file; sleep 600"]
    volumeMounts: [{name: shared, mountPath: /out, subPath: out}]
  volumes: [{name: shared, emptyDir: {}}]
YAML
eventually contains 'failed to prepare subPath "out" of the mount at /out: a link in it leads out of the volume' \
  kc get pod climber -o jsonpath='{.status.containerStatuses[0].state.waiting.message}'
contains Completed kc get pod climber -o jsonpath='{.status.initContainerStatuses[1].state.terminated.reason}'
[[ -z $(ls -A "$outside") ]]
rmdir "$outside"

step "a volume in memory is one for all containers of its pod, also after a restart"
kc create -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: memory}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: writer
    image: busybox:test
    command: [sh, -c, "echo written > /v/file"]
    volumeMounts: [{name: shared, mountPath: /v}]
  containers:
  - name: shell
    image: busybox:test
    command: [sh, -c, "cat /v/file; grep ' /v tmpfs' /proc/mounts; cd /v; [ -e again ] || { touch again; exit 1; }; sleep 600"]
    volumeMounts: [{name: shared, mountPath: /v}]
  volumes: [{name: shared, emptyDir: {medium: Memory, sizeLimit: 8Mi}}]
YAML
restarted() { [[ $(kc get pod memory -o jsonpath='{.status.containerStatuses[0].restartCount} {.status.phase}') == "1 Running" ]]; }
eventually restarted
eventually contains "size=8192k" kc logs memory
contains written kc logs memory
kc delete pod memory
unmounted() { ! grep -q "$MINIK_HOME/$profile/.*/shared tmpfs" /proc/mounts; }
eventually unmounted

step "a claim that nothing can serve says why"
claim stuck nowhere
pod waiter stuck "true"
eventually contains 'storageclass.storage.k8s.io "nowhere" not found' kc describe pvc stuck
echo "all held"
