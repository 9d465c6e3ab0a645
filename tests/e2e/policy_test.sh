#!/usr/bin/env bash
# What keeps order in a namespace: ReplicationControllers, quotas, limit ranges, mirrored endpoints and
# aggregated roles, as the real kubectl shows them.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null

step "a ReplicationController scales, heals and says how it is"
kc apply -f - <<'YAML'
apiVersion: v1
kind: ReplicationController
metadata: {name: rc}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: rc}}
    spec: {containers: [{name: web, image: "minik/demo:latest"}], terminationGracePeriodSeconds: 1}
YAML
ready() { [[ $(kc get rc rc -o jsonpath='{.status.readyReplicas}') == "$1" ]]; }
eventually ready 1
kc scale rc rc --replicas=3
eventually ready 3
kc delete pod "$(kc get pods -l app=rc -o name | head -n 1 | cut -d/ -f2)" --now
eventually ready 3
contains "3 current / 3 desired" kc describe rc rc
contains "SuccessfulCreate" kc describe rc rc
kc delete rc rc --cascade=foreground --timeout=30s

step "a quota counts, refuses in Kubernetes' words, and lets go"
kc create namespace team
kc -n team create quota q --hard=pods=2,count/configmaps=3,requests.cpu=1
used() { [[ $(kc -n team get quota q -o jsonpath="{.status.used.$1}") == "$2" ]]; }
eventually used pods 0
fails "must specify requests.cpu for: web" kc -n team run bare --image=minik/demo:latest --overrides='
  {"spec":{"containers":[{"name":"web","image":"minik/demo:latest"}]}}'
kc -n team apply -f - <<'YAML'
apiVersion: v1
kind: LimitRange
metadata: {name: sizes}
spec:
  limits:
  - type: Container
    defaultRequest: {cpu: 100m}
    max: {memory: 1Gi}
YAML
kc -n team create deployment web --image=minik/demo:latest --replicas=3
eventually used pods 2
used 'requests\.cpu' 200m
failure() { [[ $(kc -n team get rs -o jsonpath='{.items[0].status.conditions[?(@.type=="ReplicaFailure")].reason}') == "$1" ]]; }
eventually failure FailedCreate
contains "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" kc -n team get events
contains "pods              2     2" kc -n team describe quota q
contains "Resource Quotas" kc describe namespace team
contains "Resource Limits" kc describe namespace team
contains "LimitRanger plugin set: cpu" kc -n team get pods -o yaml
fails "maximum memory usage per Container is 1Gi, but limit is 2Gi" kc -n team run big --image=minik/demo:latest --overrides='
  {"spec":{"containers":[{"name":"big","image":"minik/demo:latest","resources":{"limits":{"memory":"2Gi"}}}]}}'
kc -n team patch quota q --patch='{"spec":{"hard":{"pods":"3"}}}'
kc -n team rollout status deployment/web --timeout=60s
eventually failure ""
kc -n team scale deployment web --replicas=0
eventually used pods 0

step "a pod that grows is charged, and one that no container sizes has a quota of its own"
kc -n team run one --image=minik/demo:latest --overrides='
  {"spec":{"containers":[{"name":"one","image":"minik/demo:latest","resources":{"requests":{"cpu":"200m"}}}]}}'
resize() { kc -n team patch pod one --subresource=resize -p '{"spec":{"containers":[{"name":"one","resources":{"requests":{"cpu":"'"$1"'"}}}]}}'; }
fails "exceeded quota: q, requested: requests.cpu=1800m, used: requests.cpu=200m, limited: requests.cpu=1" resize 2
resize 300m
eventually used 'requests\.cpu' 300m
resize 100m
eventually used 'requests\.cpu' 100m
kc -n team delete pod one --now
eventually used 'requests\.cpu' 0

step "nobody owns what lives in another namespace"
kc create configmap owner
uid=$(kc get configmap owner -o jsonpath='{.metadata.uid}')
owned() { printf '{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: %s}]}}' "$1" "$2" "$uid" | kc apply -f -; }
owned stray team
owned child default
gone() { fails "not found" kc -n "$2" get configmap "$1"; }
eventually gone stray team
eventually contains "does not exist in namespace \"team\"" kc -n team get events --field-selector reason=OwnerRefInvalidNamespace
kc get configmap child
kc delete configmap owner --cascade=foreground --timeout=30s
gone child default

step "the certificate of the cluster is put back"
kc -n team delete configmap kube-root-ca.crt
eventually kc -n team get configmap kube-root-ca.crt
kc -n team patch configmap kube-root-ca.crt --patch='{"data":{"ca.crt":"wrong"}}'
repaired() { [[ $(kc -n team get configmap kube-root-ca.crt -o jsonpath='{.data.ca\.crt}') == *BEGIN* ]]; }
eventually repaired

step "endpoints written by hand become slices, and roles collect roles"
kc apply -f - <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside}
subsets:
- {addresses: [{ip: 10.99.0.1}], ports: [{name: web, port: 8080}]}
- {addresses: [{ip: 10.99.0.1}], ports: [{name: metrics, port: 9090}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: part, labels: {to: whole}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: whole}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: whole}}]}
YAML
mirrored() { [[ $(kc get endpointslices -l kubernetes.io/service-name=outside -o jsonpath='{.items[0].endpoints[0].addresses[0]}') == 10.99.0.1 ]]; }
eventually mirrored
[[ $(kc get endpointslices -l kubernetes.io/service-name=outside -o jsonpath='{.items[*].ports[*].name}') == "metrics web" ]]
collected() { [[ $(kc get clusterrole whole -o jsonpath='{.rules[0].resources[0]}') == pods ]]; }
eventually collected

step "the cluster signs a certificate that the API then knows"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$root/jane.key" \
  -subj /O=team/CN=jane -out "$root/jane.csr" 2>/dev/null
kc apply -f - <<YAML
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: jane}
spec:
  request: $(base64 -w0 "$root/jane.csr")
  signerName: kubernetes.io/kube-apiserver-client
  expirationSeconds: 3600
  usages: [client auth]
YAML
contains "Pending" kc get csr jane
kc certificate approve jane
issued() { [[ $(kc get csr jane) == *Approved,Issued* ]]; }
eventually issued
kc get csr jane
kc get csr jane -o jsonpath='{.status.certificate}' | base64 -d >"$root/jane.crt"
kc config set-credentials jane --client-certificate="$root/jane.crt" --client-key="$root/jane.key" >/dev/null
contains "jane" kubectl --context "$profile" --user jane auth whoami
echo "all held"
