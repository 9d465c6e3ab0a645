#!/usr/bin/env bash
# A user with a certificate of the cluster's own, roles and bindings, kubectl auth, impersonation.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null

step "jane gets a certificate by a request that an administrator approves"
openssl genrsa -out "$root/jane.key" 2048 2>/dev/null
openssl req -new -key "$root/jane.key" -subj "/CN=jane/O=dev" -out "$root/jane.csr"
kc apply -f - <<YAML
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: jane}
spec: {request: $(base64 -w0 "$root/jane.csr"), signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}
YAML
kc certificate approve jane
signed() { [[ -n $(kc get csr jane -o 'jsonpath={.status.certificate}') ]]; }
eventually signed
kc get csr jane -o 'jsonpath={.status.certificate}' | base64 -d >"$root/jane.crt"
kubectl config set-credentials jane --client-certificate="$root/jane.crt" --client-key="$root/jane.key" >/dev/null
kubectl config set-context jane --cluster="$profile" --user=jane >/dev/null
jane() { kubectl --context jane "$@"; }
contains jane jane auth whoami

step "she may nothing, then view one namespace"
fails 'pods is forbidden: User "jane" cannot list resource "pods"' jane get pods
kc create namespace lab
kc create rolebinding jane-views --clusterrole=view --user=jane -n lab
views() { jane get pods -n lab >/dev/null 2>&1; }
eventually views
fails "forbidden" jane get pods
fails "forbidden" jane create configmap c -n lab
fails "forbidden" jane get secrets -n lab
[[ $(jane auth can-i list deployments.apps -n lab) == yes ]]
[[ $(jane auth can-i delete pods -n lab || true) == no ]]
contains "pods/log" jane auth can-i --list -n lab
[[ $(kc auth can-i '*' '*') == yes ]]

step "an administrator looks through her eyes"
[[ $(kc auth can-i list pods -n lab --as jane) == yes ]]
[[ $(kc auth can-i list pods --as jane || true) == no ]]
fails 'User "jane" cannot list resource "pods"' kc get pods --as jane --as-group dev
fails "cannot impersonate" jane get pods -n lab --as admin

step "she cannot give what she has not"
kc create role binder --verb=create --resource=rolebindings -n lab
kc create rolebinding jane-binds --role=binder --user=jane -n lab
fails "not currently held" jane create rolebinding up --clusterrole=admin --user=jane -n lab
jane create rolebinding bob --clusterrole=view --user=bob -n lab

step "a pod's account has the rights that are bound to it"
kc create serviceaccount reader -n lab
kc create rolebinding reader --clusterrole=view --serviceaccount=lab:reader -n lab
token=$(kc create token reader -n lab)
server=$(kc config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
get() { curl -sk -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" "$server$1"; }
[[ $(get /api/v1/namespaces/lab/pods) == 200 && $(get /api/v1/namespaces/default/pods) == 403 ]]
[[ $(curl -sk -o /dev/null -w '%{http_code}' "$server/version") == 200 ]]
[[ $(curl -sk -o /dev/null -w '%{http_code}' "$server/apis") == 403 ]]
[[ $(curl -sk -o /dev/null -w '%{http_code}' "$server/metrics") == 403 ]]

run delete >/dev/null
echo "all held"
