#!/usr/bin/env bash
# Probes and hooks over HTTPS and gRPC, in real pods.
# probes_test.sh MINIK PROBE_SERVER
source "$(dirname "$0")/lib.sh" "$1"
server=$(realpath "$2")
run start >/dev/null
load_busybox

# The image server:test, which is that one static program.
layout=$root/server bundle=$root/server-bundle
umoci init --layout "$layout"
umoci new --image "$layout:test"
umoci unpack --image "$layout:test" "$bundle" 2>/dev/null
cp "$server" "$bundle/rootfs/server"
umoci repack --image "$layout:test" "$bundle" 2>/dev/null
umoci config --image "$layout:test" --config.entrypoint /server
skopeo copy -q "oci:$layout:test" "docker-archive:$root/server.tar:server:test"
run image load "$root/server.tar" >/dev/null

kc wait --for=condition=Ready node --all --timeout=30s
# asked POD: what its server has been asked.
asked() { kc get --raw "/api/v1/namespaces/default/pods/$1:8080/proxy/log"; }
# tell POD PATH: asks its server.
tell() { kc get --raw "/api/v1/namespaces/default/pods/$1:8080/proxy$2" >/dev/null 2>&1 || true; }
ready() { [[ $(kc get pod "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == "$2" ]]; }
said() { contains "$2" kc get events --field-selector "involvedObject.name=$1"; }
# pod NAME FIELDS: with one container of the server, and these fields of it.
pod() {
  kc apply -f - <<Y
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  terminationGracePeriodSeconds: 5
  containers:
  - {name: main, image: "server:test", $2}
Y
}

step "probes over HTTPS, to a certificate that nobody trusts, and gRPC with a service's name"
pod secure 'readinessProbe: {httpGet: {port: 8443, path: /moved, scheme: HTTPS}, periodSeconds: 1}'
pod grpc 'readinessProbe: {grpc: {port: 9000, service: shop}, periodSeconds: 1, failureThreshold: 1}, livenessProbe: {grpc: {port: 9000}, periodSeconds: 60}'
pod away 'startupProbe: {httpGet: {port: 8443, path: /away, scheme: HTTPS}, periodSeconds: 1}'
pod stranger 'readinessProbe: {grpc: {port: 9000, service: nobody}, periodSeconds: 1}'
pod plain 'readinessProbe: {httpGet: {port: 8080, scheme: HTTPS}, periodSeconds: 1}'
kc wait --for=condition=Ready pod/secure pod/grpc pod/away --timeout=30s
contains "https /moved kube-probe/1.35" asked secure
contains "https /healthz kube-probe/1.35" asked secure
contains "grpc shop" asked grpc

step "what they say of who is not well"
eventually said away "Startup probe warning: Probe terminated redirects, Response body: please log in"
eventually said stranger "Readiness probe failed: error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
eventually said plain "http: server gave HTTP response to HTTPS client"
tell grpc /down
eventually ready grpc False
eventually said grpc 'service unhealthy (responded with "NOT_SERVING")'
ready stranger False

step "a liveness probe by gRPC restarts its container"
pod mortal 'readinessProbe: {grpc: {port: 9000}, periodSeconds: 1}, livenessProbe: {grpc: {port: 9000}, periodSeconds: 1, failureThreshold: 2}'
kc wait --for=condition=Ready pod/mortal --timeout=30s
tell mortal /down
restarted() { [[ $(kc get pod mortal -o 'jsonpath={.status.containerStatuses[0].restartCount}') -ge 1 ]]; }
eventually restarted

step "hooks over HTTPS, and over HTTP where the server knows no other"
# Of another pod's server: their own need not listen yet.
at=$(kc get pod secure -o 'jsonpath={.status.podIP}')
pod hooked "lifecycle: {postStart: {httpGet: {host: $at, port: 8443, path: /begin, scheme: HTTPS}}, preStop: {httpGet: {host: $at, port: 8080, path: /end}}}"
pod fallback "lifecycle: {postStart: {httpGet: {host: $at, port: 8080, path: /plain, scheme: HTTPS}}}"
pod refused "lifecycle: {postStart: {httpGet: {host: $at, port: 81}}}"
kc wait --for=condition=Ready pod/hooked pod/fallback --timeout=30s
contains "https /begin kube-lifecycle/1.35" asked secure
contains "http /plain kube-lifecycle/1.35" asked secure
eventually said fallback "got HTTP response, retry with HTTP succeeded"
eventually said refused "PostStartHook failed"
kc delete pod hooked --timeout=30s
contains "http /end kube-lifecycle/1.35" asked secure

step "the cluster stops at once, whoever is waited for"
kc apply -f - <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: waiting}
spec:
  containers:
  - name: main
    image: busybox:test
    command: [sleep, "600"]
    readinessProbe: {exec: {command: [sleep, "61"]}, timeoutSeconds: 60}
    livenessProbe: {grpc: {port: 7}, timeoutSeconds: 60}
Y
eventually contains "sleep 61" kc exec waiting -- ps
run stop >/dev/null
echo "all held"
