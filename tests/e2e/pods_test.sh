#!/usr/bin/env bash
# What a pod asks of its node: an image that not everybody may have, a name, an ear for its last words, another image.
source "$(dirname "$0")/lib.sh" "$1"
command -v python3 >/dev/null || { echo "SKIPPED: no python3 on this machine"; exit 77; }
run start >/dev/null
load_busybox
pod() {  # NAME SPEC
  kc create -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec: {terminationGracePeriodSeconds: 0, restartPolicy: Never, $2}
YAML
}
phase() { [[ $(kc get pod "$1" -o jsonpath='{.status.phase}') == "$2" ]]; }

step "an image of a private registry comes with the pod's secret, or with its ServiceAccount's"
python3 "$here/registry.py" "$root/busybox" me:secret >"$root/port" &
background+=($!)
eventually test -s "$root/port"
registry=127.0.0.1:$(<"$root/port")
private() { echo "containers: [{name: main, image: '$registry/$1:1', command: [sh, -c, 'echo at work; sleep 600']}]"; }
fails "give credentials" run image pull "$registry/own:1"
mkdir "$root/docker"
echo "{\"auths\": {\"$registry\": {\"auth\": \"$(printf me:secret | base64)\"}}}" >"$root/docker/config.json"
DOCKER_CONFIG=$root/docker contains "Pulled sha256:" run image pull "$registry/own:1"
id=$(run image ls | awk -v name="$registry/own:1" '$1 == name { print $2 }')
fails "has 2 names" run image rm "$id"  # busybox:test is the same image
run image tag "$id" own:2
contains "Untagged: $registry/own:1" run image rm own:2 "$registry/own:1"
pod stranger "imagePullSecrets: [{name: lost}], $(private stranger)"
eventually contains "Unable to retrieve some image pull secrets (lost); attempting to pull the image may not succeed." kc describe pod stranger
eventually contains ErrImagePull kc describe pod stranger
kc create secret docker-registry old --docker-server="$registry" --docker-username=me --docker-password=forgotten
kc create secret docker-registry mine --docker-server="$registry" --docker-username=me --docker-password=secret
pod friend "imagePullSecrets: [{name: old}, {name: mine}], $(private friend)"
eventually contains "at work" kc logs friend
kc patch serviceaccount default -p '{"imagePullSecrets": [{"name": "mine"}]}'
pod colleague "$(private colleague)"
eventually contains "at work" kc logs colleague
kc delete pod stranger friend colleague

step "a pod goes by its full name where it says so"
pod named "hostname: one, subdomain: shop, setHostnameAsFQDN: true, containers: [{name: main, image: 'busybox:test', command: [sh, -c, 'hostname; cat /etc/hosts; sleep 600']}]"
eventually contains one.shop.default.svc.cluster.local kc logs named
contains "one.shop.default.svc.cluster.local	one" kc logs named

step "the end of the log stands in for the message of a container that failed without one"
pod talker "containers: [{name: main, image: 'busybox:test', terminationMessagePolicy: FallbackToLogsOnError, command: [sh, -c, 'echo no money left; exit 3']}]"
eventually phase talker Failed
[[ $(kc get pod talker -o jsonpath='{.status.containerStatuses[0].state.terminated.message}') == "no money left" ]]

step "a pod that names the node itself is turned away where it does not fit"
node=$(kc get nodes -o jsonpath='{.items[0].metadata.name}')
pod huge "nodeName: $node, containers: [{name: main, image: 'busybox:test', resources: {requests: {cpu: 1000}}}]"
eventually contains OutOfcpu kc get pod huge

step "another image takes the place of a running one"
kc set image pod/named main=docker.io/library/busybox:test
eventually contains "Container main definition changed, will be restarted" kc describe pod named
restarted() { [[ $(kc get pod named -o jsonpath='{.status.containerStatuses[0].restartCount}') == 1 ]]; }
eventually restarted
phase named Running
echo ok
