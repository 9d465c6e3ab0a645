#!/usr/bin/env bash
# A user with a certificate of the cluster's own, roles and bindings, kubectl auth, impersonation.
source "$(dirname "$0")/lib.sh" "$1"
cat >"$root/tokens.csv" <<CSV
letmein,ann,7,"dev,ops"
CSV
cat >"$root/audit.yaml" <<YAML
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Request, userGroups: [dev], resources: [{group: "", resources: [configmaps]}]}
- {level: None, users: [system:apiserver, system:kube-controller-manager, system:kube-scheduler, "system:node:$profile"]}
- {level: Metadata}
YAML

step "files with mistakes are refused with their place"
printf 'ok,a,1\nonly-a-token\n' >"$root/bad.csv"
fails "bad.csv:2: a line must have at least 3 columns" run start --token-auth-file "$root/bad.csv"
printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  verb: [get]\n' >"$root/bad.yaml"
fails "bad.yaml:5: rules[0].verb: unknown field" run start --audit-policy "$root/bad.yaml"
run start --token-auth-file "$root/tokens.csv" --audit-policy "$root/audit.yaml" >/dev/null

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

[[ $(curl -sk -o /dev/null -w '%{http_code}' "$server/apis/nothing/v1/here") == 403 ]]
[[ $(curl -sk -o /dev/null -w '%{http_code}' -H "Authorization: Bearer none" "$server/version") == 401 ]]

step "the agent of a node is held to its node, and nobody becomes a master by a request"
request() {  # NAME SUBJECT SIGNER
  openssl req -new -newkey rsa:2048 -nodes -keyout "$root/$1.key" -subj "$2" -out "$root/$1.csr" 2>/dev/null
  kc apply -f - <<YAML
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: $1}
spec: {request: $(base64 -w0 "$root/$1.csr"), signerName: kubernetes.io/$3, usages: [client auth, digital signature]}
YAML
}
request elsewhere /O=system:nodes/CN=system:node:elsewhere kube-apiserver-client-kubelet
kc certificate approve elsewhere
fails "signer with system:masters group is not allowed" request master /O=system:masters/CN=root kube-apiserver-client
agent_signed() { [[ -n $(kc get csr elsewhere -o 'jsonpath={.status.certificate}') ]]; }
eventually agent_signed
kc get csr elsewhere -o 'jsonpath={.status.certificate}' | base64 -d >"$root/elsewhere.crt"
kubectl config set-credentials agent --client-certificate="$root/elsewhere.crt" --client-key="$root/elsewhere.key" >/dev/null
kubectl config set-context agent --cluster="$profile" --user=agent >/dev/null
agent() { kubectl --context agent "$@"; }
kc create secret generic hidden -n lab
fails "no relationship found between node 'elsewhere' and this object" agent get secret hidden -n lab
fails "can only list/watch pods with spec.nodeName field selector" agent get pods -A
agent get pods -A --field-selector spec.nodeName=elsewhere
fails "only its own Node object" agent label node "$profile" mine=1

step "whoever takes tokens can check them"
issuer=$(kc get --raw /.well-known/openid-configuration)
contains '"issuer":"https://kubernetes.default.svc.cluster.local"' echo "$issuer"
contains '"kty":"EC"' kc get --raw /openid/v1/jwks
review() { kc create --validate=false -o "jsonpath={.status.$2}" -f - <<<"{apiVersion: authentication.k8s.io/v1, kind: TokenReview, spec: {token: '$1'}}"; }
[[ $(review "$token" user.username) == system:serviceaccount:lab:reader ]]
kc delete serviceaccount reader -n lab
[[ $(get /api/v1/namespaces/lab/pods) == 401 ]]
[[ -z $(review "$token" authenticated) ]]

step "a token of the file speaks for its user, whom the audit log names"
kubectl config set-credentials ann --token=letmein >/dev/null
kubectl config set-context ann --cluster="$profile" --user=ann >/dev/null
ann() { kubectl --context ann "$@"; }
contains "ops" ann auth whoami
kc create rolebinding ann-edits --clusterrole=edit --user=ann -n lab
ann create configmap noted -n lab --from-literal=a=1
fails "forbidden" ann delete namespace lab
log=$MINIK_HOME/$profile/audit.log
told() { grep "\"username\":\"ann\"" "$log" | grep -q "$1"; }
eventually told '"requestObject":{.*"data":{"a":"1"}.*"verb":"create"'
eventually told '"authorization.k8s.io/decision":"forbid"'
eventually grep -q '"impersonatedUser":{.*"username":"jane"' "$log"
number=$(curl -sk -o /dev/null -w '%header{audit-id}' -H "Authorization: Bearer letmein" "$server/api/v1/namespaces/lab/configmaps/noted")
eventually told "\"auditID\":\"${number:?the answer has no Audit-Id}\""

step "roles are written again as they should be"
kc auth reconcile -f - <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: binder, namespace: lab}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
YAML
contains "configmaps" kc describe role binder -n lab
contains "rolebindings" kc describe role binder -n lab

step "a namespace holds its pods to a standard"
kc label namespace lab pod-security.kubernetes.io/enforce=restricted
fails 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "web" must set' \
  kc run web -n lab --image=minik/demo --restart=Never
contains 'Warning: would violate PodSecurity "restricted:latest"' kc create deployment web -n lab --image=minik/demo
refused() { [[ $(kc get events -n lab -o 'jsonpath={.items[*].message}') == *'violates PodSecurity "restricted:latest"'* ]]; }
eventually refused

step "what it was started with stays for later starts"
run stop >/dev/null
run start >/dev/null
contains "ops" ann auth whoami
eventually told '"requestURI":"/apis/authentication.k8s.io/v1/selfsubjectreviews"'

run delete >/dev/null
echo "all held"
