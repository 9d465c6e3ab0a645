#!/usr/bin/env bash
# The everyday verbs of the real kubectl, each as a person uses it.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox
kc wait --for=condition=Ready node --all --timeout=30s

step "create deployment, get in every form"
kc create deployment web --image=minik/demo:latest --replicas=2
kc rollout status deployment/web --timeout=60s
contains "2/2" kc get deployment web
contains "CONTAINERS" kc get deployment web -o wide
contains "kind: Deployment" kc get deployment web -o yaml
contains '"kind": "Deployment"' kc get deployment web -o json
contains "deployment.apps/web" kc get deployment web -o name
contains "minik/demo:latest" kc get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}'
contains "minik/demo:latest" kc get pods -o 'custom-columns=IMAGE:.spec.containers[0].image'
for kind in namespaces nodes pods deployments replicasets services endpoints endpointslices configmaps secrets \
  serviceaccounts ingresses events leases; do
  kc get "$kind" -A >/dev/null
  kc get "$kind" -A -o yaml >/dev/null
  contains "KIND:" kc explain "$kind"
done
contains "deployments" kc api-resources --api-group=apps
contains "Server Version: v1.35" kc version

step "minik kubectl hands every word on"
contains "minik/demo:latest" run kubectl -- get deployment web -o wide --show-labels

step "label, annotate, and selecting by them"
kc label deployment web tier=front
kc annotate deployment web note="first of its kind"
contains "web" kc get deployment -l tier=front -o name
contains "first of its kind" kc get deployment web -o 'jsonpath={.metadata.annotations.note}'
fails "already has a value" kc label deployment web tier=back
kc label deployment web tier-
contains "No resources found" kc get deployment -l tier=front

step "edit, with an editor that is a script"
printf '#!/bin/sh\nsed -i "s/replicas: 2/replicas: 3/" "$1"\n' >"$root/editor"
chmod +x "$root/editor"
EDITOR=$root/editor kc edit deployment web
kc rollout status deployment/web --timeout=60s
contains 3 kc get deployment web -o 'jsonpath={.status.readyReplicas}'

step "set image, rollout status, history and undo"
kc set image deployment/web demo=minik/demo:v2
eventually contains "ErrImagePull" kc get events
contains "3" kc get deployment web -o 'jsonpath={.status.availableReplicas}'
kc annotate deployment web kubernetes.io/change-cause="a bad image"
eventually contains "a bad image" kc rollout history deployment/web
kc rollout undo deployment/web
kc rollout status deployment/web --timeout=60s
contains "minik/demo:latest" kc get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}'
kc rollout restart deployment/web
kc rollout status deployment/web --timeout=60s

step "get -w sees what happens"
kc get pods -w --output-watch-events >"$root/watched" &
background+=($!)
kc run seen --image=minik/demo:latest
kc wait --for=condition=Ready pod/seen --timeout=30s
kc delete pod seen --timeout=40s
eventually grep -q 'DELETED *seen' "$root/watched"
grep -q 'ADDED *seen' "$root/watched"

step "logs -f follows, --previous and --tail select"
kc run talker --image=busybox:test --restart=Always --command -- sh -c 'i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); sleep 0.1; done'
kc wait --for=condition=Ready pod/talker --timeout=30s
timeout 20 kubectl --context "$profile" logs -f talker >"$root/followed"
grep -q 'line 39' "$root/followed"
contains "line 39" kc logs talker --previous --tail=1
kc delete pod talker --now

step "run -i loses nothing of what a pod says before kubectl is there"
for i in 1 2 3 4; do
  contains "first" kc run -i --rm "quick$i" --image=busybox:test --restart=Never -- sh -c 'echo first'
  contains "first" kc run -i --rm "slow$i" --image=busybox:test --restart=Never -- sh -c 'echo first; sleep 0.5'
done
[[ $(echo "typed in" | kc run -i --rm echo --image=busybox:test --restart=Never --quiet -- cat) == "typed in" ]]

step "exec -it has a terminal of the right kind"
kc run shell --image=busybox:test --command -- sleep 600
kc wait --for=condition=Ready pod/shell --timeout=30s
# script(1) gives kubectl a terminal to pass on; the shell inside says what it has got.
script -qec "kubectl --context $profile exec -it shell -- sh -c 'tty; stty size; echo from \$HOSTNAME'" /dev/null </dev/null >"$root/terminal"
grep -q '/dev/pts/' "$root/terminal"
grep -q 'from shell' "$root/terminal"
[[ $(echo "typed in" | kubectl --context "$profile" exec -i shell -- cat) == "typed in" ]]
fails "exit code 7" kc exec shell -- sh -c 'exit 7'
kc cp "$root/editor" shell:/tmp/editor 2>/dev/null && contains "replicas" kc exec shell -- cat /tmp/editor

step "expose and port-forward, to a pod, a deployment and a service"
kc expose deployment web --port=80 --target-port=8080
for target in deployment/web:8080 service/web:80 "$(kc get pod -l app=web -o name | head -n 1 || true):8080"; do
  : >"$root/forward"
  kubectl --context "$profile" port-forward "${target%:*}" ":${target##*:}" >"$root/forward" &
  pid=$!
  background+=("$pid")
  eventually grep -q 'Forwarding from 127.0.0.1' "$root/forward"
  port=$(sed -n 's/.*127.0.0.1:\([0-9]*\).*/\1/p' "$root/forward")
  contains "Hello from minik" curl -s "http://127.0.0.1:$port/"
  contains "Hello from minik" curl -s "http://127.0.0.1:$port/"
  kill "$pid"
done

step "wait, describe, diff and events"
kc wait --for=jsonpath='{.status.readyReplicas}'=3 deployment/web --timeout=30s
fails "timed out" kc wait --for=condition=Never pod/shell --timeout=1s
contains "Scaled up replica set" kc describe deployment web
contains "Container started" kc describe pod shell
contains "InternalIP" kc describe node
kc get deployment web -o yaml | sed 's/replicas: 3/replicas: 5/' >"$root/changed.yaml"
contains "+  replicas: 5" kc diff -f "$root/changed.yaml"
contains "Scheduled" kc events --for pod/shell

step "configuration by ConfigMaps and Secrets"
kc create configmap settings --from-literal=COLOR=blue
kc create secret generic key --from-literal=password=s3cret
kc apply -f - <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: configured}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: busybox:test
    command: [sh, -c, 'echo $COLOR $(cat /etc/key/password) $PASSWORD $(stat -c %a /etc/key/..data/password)']
    envFrom: [{configMapRef: {name: settings}}]
    env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: key, key: password}}}]
    volumeMounts: [{name: key, mountPath: /etc/key}]
  volumes: [{name: key, secret: {secretName: key, defaultMode: 0400}}]
Y
kc wait --for=jsonpath='{.status.phase}'=Succeeded pod/configured --timeout=30s
contains "blue s3cret s3cret 400" kc logs configured

step "delete, by name, by selector, by file, and all"
kc delete pod shell configured --now
kc delete pod -l app=web --now --wait=false
kc rollout status deployment/web --timeout=60s
kc delete service,deployment web --timeout=40s
fails "NotFound" kc get deployment web
echo "all held"
