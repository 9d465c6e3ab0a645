#!/usr/bin/env bash
# Debian's own kubectl, five years old: it reads OpenAPI in its protobuf form and speaks only SPDY.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
old=$("$here/../../tools/clients" old) || { echo "SKIPPED: Debian's kubernetes-client cannot be fetched"; exit 77; }
source "$here/lib.sh" "$1"
PATH=$old:$PATH
contains "v1.20" kubectl version --client --short
run start >/dev/null
load_busybox
kc wait --for=condition=Ready node --all --timeout=30s

step "apply with validation, and again with a change"
cat >"$root/web.yaml" <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: minik/demo:latest
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
Y
contains "deployment.apps/web created" kc apply -f "$root/web.yaml"
sed -i 's/replicas: 1/replicas: 2/' "$root/web.yaml"
contains "configured" kc apply -f "$root/web.yaml"
contains "unchanged" kc apply -f "$root/web.yaml"
sed 's/replicas:/relicas:/' "$root/web.yaml" >"$root/wrong.yaml"
fails 'unknown field "relicas"' kc apply -f "$root/wrong.yaml"
contains "created (server dry run)" kc apply --dry-run=server -f <(sed 's/name: web}/name: other}/' "$root/web.yaml")
kc rollout status deployment/web --timeout=60s

step "a definition whose defaults are no objects"
kc apply -f - <<'Y'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: sizes.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: sizes, kind: Size}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {size: {type: integer, default: 5, enum: [1, 5]}}}}
Y

step "get, explain, describe"
contains "2/2" kc get deployment web
contains "CONTAINERS" kc get deployment web -o wide
contains "web-" kc get pods -l app=web -o name
contains "How many pods" kc explain deployment.spec.replicas
contains "KIND:     Pod" kc explain pod.spec.containers
contains "Scaled up replica set" kc describe deployment web
contains "horizontalpodautoscaler" kc autoscale deployment web --max=3 --cpu-percent=80
contains "Deployment/web" kc get hpa web

step "exec and logs"
kc run shell --image=busybox:test --restart=Never --command -- sh -c 'echo hello; sleep 600'
kc wait --for=condition=Ready pod/shell --timeout=30s
contains hello kc logs shell
[[ $(kc exec shell -- echo out) == out ]]
[[ $(echo "typed in" | kc exec -i shell -- cat) == "typed in" ]]
fails "exit code 7" kc exec shell -- sh -c 'exit 7'
kc cp "$root/web.yaml" shell:/tmp/web.yaml
contains "kind: Deployment" kc exec shell -- cat /tmp/web.yaml

step "port-forward"
kubectl --context "$profile" port-forward deployment/web :8080 >"$root/forward" &
background+=($!)
eventually grep -q 'Forwarding from 127.0.0.1' "$root/forward"
port=$(sed -n 's/.*127.0.0.1:\([0-9]*\).*/\1/p' "$root/forward")
contains "Hello from minik" curl -s "http://127.0.0.1:$port/"

step "edit, patch, scale, delete"
kc patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"b"}]}]}}}}'
[[ $(kc get deployment web -o 'jsonpath={.spec.template.spec.containers[0].env[0].value}') == b ]]
kc scale deployment web --replicas=1
contains "deleted" kc delete deployment/web pod/shell hpa/web --now
echo "all held"
