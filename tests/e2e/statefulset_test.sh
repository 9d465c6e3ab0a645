#!/usr/bin/env bash
# What a user sees of a StatefulSet: order, names that stay, DNS, a roll-out in parts and the way back, scale.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox
pods() { kc get pods -l app=web --no-headers -o custom-columns=N:.metadata.name,V:.spec.containers[0].env[0].value | tr -s ' ' ' '; }
are() { [[ $(pods | tr '\n' ',') == "$1" ]] || { pods; return 1; }; }

step "pods come one after the other, with names of their own"
kc apply -f - <<'END_OF_SET'
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: busybox:test
        imagePullPolicy: Never
        command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.2; done"]
        env: [{name: VERSION, value: one}]
END_OF_SET
kc rollout status statefulset/web --timeout=30s
are "web-0 one,web-1 one,web-2 one,"
contains "web    3/3" kc get statefulset web
contains "create Pod web-2 in StatefulSet web successful" kc describe statefulset web
started() { kc get pod "$1" -o jsonpath='{.status.startTime}'; }
[[ ! $(started web-0) > $(started web-1) && ! $(started web-1) > $(started web-2) ]]

step "each has its name in the DNS and knows it"
address=$(kc get pod web-1 -o jsonpath='{.status.podIP}')
eventually contains "$address" kc exec web-0 -- nslookup web-1.web.default.svc.cluster.local
[[ $(kc exec web-2 -- hostname) == web-2 ]]
contains "$address web-1.web.default.svc.cluster.local web-1" kc exec web-1 -- sh -c 'tr "\t" " " </etc/hosts'

step "a pod that is deleted comes back under its name"
before=$(kc get pod web-1 -o jsonpath='{.metadata.uid}')
kc delete pod web-1
back() { local now; now=$(kc get pod web-1 -o jsonpath='{.metadata.uid}') && [[ -n $now && $now != "$before" ]]; }
eventually back
kc rollout status statefulset/web --timeout=30s

step "a partitioned roll-out stops where it is told to, and goes on"
kc patch statefulset web -p '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}'
kc set env statefulset/web VERSION=two
contains "partitioned roll out complete: 1 new pods have been updated" kc rollout status statefulset/web --timeout=30s
are "web-0 one,web-1 one,web-2 two,"
kc delete pod web-0
eventually are "web-0 one,web-1 one,web-2 two,"
kc patch statefulset web -p '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0,"maxUnavailable":2}}}}'
all_new() { are "web-0 two,web-1 two,web-2 two,"; }
eventually all_new
eventually contains "3/3" kc get statefulset web

step "the history leads back"
contains "2  " kc rollout history statefulset/web
kc rollout undo statefulset/web
eventually are "web-0 one,web-1 one,web-2 one,"
contains "3  " kc rollout history statefulset/web

step "scaling goes from the highest pod down"
eventually contains "3/3" kc get statefulset web
kc scale statefulset web --replicas=1
eventually are "web-0 one,"
contains "delete Pod web-2 in StatefulSet web successful" kc describe statefulset web

step "a first revision that never serves does not hold up the one that repairs it"
kc apply -f - <<'END_OF_SET'
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: broken}
spec:
  replicas: 2
  podManagementPolicy: Parallel
  updateStrategy: {rollingUpdate: {maxUnavailable: 1}}
  selector: {matchLabels: {app: broken}}
  template:
    metadata: {labels: {app: broken}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "minik/demo:latest", args: ["--no-such-flag"]}]}
END_OF_SET
failing() { contains Error kc get pods -l app=broken || contains CrashLoopBackOff kc get pods -l app=broken; }
eventually failing
kc patch statefulset broken --type=json -p '[{"op":"remove","path":"/spec/template/spec/containers/0/args"}]'
kc rollout status statefulset/broken --timeout=30s
kc delete statefulset broken

step "pods outlive their set when they shall, and the next set takes them in"
uid=$(kc get pod web-0 -o jsonpath='{.metadata.uid}')
kc get statefulset web -o json >"$root/web.json"
kc delete statefulset web --cascade=orphan
kc apply -f "$root/web.json"
adopted() { [[ $(kc get pod web-0 -o jsonpath='{.metadata.ownerReferences[0].uid}') == $(kc get sts web -o jsonpath='{.metadata.uid}') ]]; }
eventually adopted
[[ $(kc get pod web-0 -o jsonpath='{.metadata.uid}') == "$uid" ]]

step "claims of the template come with the pods and stay when they go"
kc apply -f - <<'END_OF_SET'
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: busybox:test
        imagePullPolicy: Never
        command: [sh, -c, "echo started >>/data/log; trap 'exit 0' TERM; while :; do sleep 0.2; done"]
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
END_OF_SET
kc rollout status statefulset/db --timeout=30s
contains data-db-1 kc get pvc
kc delete pod db-0
twice() { [[ $(kc exec db-0 -- cat /data/log | grep -c started) == 2 ]]; }
eventually twice
kc scale statefulset db --replicas=1
gone() { ! kc get pvc --no-headers | grep -q data-db-1; }
eventually gone
contains data-db-0 kc get pvc
kc delete statefulset db web
contains data-db-0 kc get pvc
