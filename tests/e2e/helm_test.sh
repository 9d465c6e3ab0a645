#!/usr/bin/env bash
# Server-side apply by the real kubectl, and helm with a chart of its own: what a course on charts does.
source "$(dirname "$0")/lib.sh" "$1"
command -v helm >/dev/null || { echo "SKIPPED: no helm on the path"; exit 77; }
run start >/dev/null
export HELM_CACHE_HOME=$root/helm/cache HELM_CONFIG_HOME=$root/helm/config HELM_DATA_HOME=$root/helm/data
he() { helm --kube-context "$profile" "$@"; }

step "kubectl apply --server-side: owners, conflicts, and a move from client-side apply"
map() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: %s\n' "$1"; }
contains "configmap/c serverside-applied" kc apply --server-side -f <(map '{a: "1"}')
fails 'conflict with "kubectl"' kc apply --server-side --field-manager=other -f <(map '{a: "2"}')
kc apply --server-side --field-manager=other --force-conflicts -f <(map '{a: "2"}')
contains "manager: other" kc get configmap c -o yaml --show-managed-fields
map '{x: "1", y: "2"}' | sed 's/name: c/name: d/' | kc apply -f -
map '{x: "1"}' | sed 's/name: c/name: d/' | kc apply --server-side -f -
[[ $(kc get configmap d -o 'jsonpath={.data}') == '{"x":"1"}' ]]

step "a chart with a dependency, hooks, a test and a lookup"
chart=$root/shop
mkdir -p "$chart/templates/tests" "$root/cache/templates"
cat >"$chart/Chart.yaml" <<'YAML'
apiVersion: v2
name: shop
version: 0.1.0
appVersion: "1"
dependencies:
- {name: cache, version: 0.1.0, repository: "file://../cache", condition: cache.enabled}
YAML
printf 'apiVersion: v2\nname: cache\nversion: 0.1.0\n' >"$root/cache/Chart.yaml"
cat >"$root/cache/templates/cm.yaml" <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-cache"}
data: {size: "{{ .Values.size | default 64 }}"}
YAML
printf 'replicas: 1\nmessage: hello\ncache: {enabled: true, size: 128}\n' >"$chart/values.yaml"
cat >"$chart/templates/web.yaml" <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}-web"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      containers:
      - name: web
        image: minik/demo:latest
        env: [{name: MESSAGE, value: "{{ .Values.message }}"}]
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}-web"}
spec: {selector: {app: "{{ .Release.Name }}"}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-seen"}
data: {namespace: "{{ (lookup "v1" "Namespace" "" "kube-system").metadata.name }}"}
YAML
hook() {
  cat <<YAML
apiVersion: batch/v1
kind: Job
metadata: {name: "{{ .Release.Name }}-$1", annotations: {helm.sh/hook: $1, helm.sh/hook-delete-policy: before-hook-creation}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: "busybox:test", command: [sh, -c, "exit 0"]}]
YAML
}
he dependency update "$chart" >/dev/null
contains "ok" he dependency list "$chart"
hook pre-install >"$chart/templates/before.yaml"
hook post-upgrade >"$chart/templates/after.yaml"
hook pre-delete >"$chart/templates/goodbye.yaml"
cat >"$chart/templates/tests/answers.yaml" <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-answers", annotations: {helm.sh/hook: test}}
spec:
  restartPolicy: Never
  containers: [{name: c, image: "busybox:test", command: [wget, -qO-, "http://{{ .Release.Name }}-web/healthz"]}]
YAML
load_busybox

step "install waits for the hook and for the pods"
he install shop "$chart" --wait --timeout 60s
[[ $(kc get deployment shop-web -o 'jsonpath={.status.readyReplicas}') == 1 ]]
[[ $(kc get configmap shop-seen -o 'jsonpath={.data.namespace}') == kube-system ]]
[[ $(kc get configmap shop-cache -o 'jsonpath={.data.size}') == 128 ]]
contains 1/1 kc get job shop-pre-install
contains deployed he list
he test shop --timeout 60s

step "upgrade, history, rollback"
he upgrade shop "$chart" --set replicas=2,message=again --wait --timeout 60s
[[ $(kc get deployment shop-web -o 'jsonpath={.spec.template.spec.containers[0].env[0].value}') == again ]]
contains 1/1 kc get job shop-post-upgrade
contains superseded he history shop
he rollback shop 1 --wait --timeout 60s
[[ $(kc get deployment shop-web -o 'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].env[0].value}') == "1 hello" ]]
contains "message: again" he get values shop --revision 2

step "a chart that is wrong says so and leaves the release as it was"
fails "spec.replicas" he upgrade shop "$chart" --set replicas=-1
[[ $(kc get deployment shop-web -o 'jsonpath={.spec.replicas}') == 1 ]]

step "what a person has changed by hand is put right by the next upgrade"
kc scale deployment shop-web --replicas=3
he upgrade shop "$chart" --reset-values --wait --timeout 60s --force-conflicts
[[ $(kc get deployment shop-web -o 'jsonpath={.spec.replicas}') == 1 ]]
he upgrade shop "$chart" --set cache.enabled=false --wait --timeout 60s --force-conflicts
fails "not found" kc get configmap shop-cache

step "uninstall leaves nothing of the release"
he uninstall shop --wait --timeout 60s
contains 1/1 kc get job shop-pre-delete
fails "not found" kc get deployment shop-web
fails "not found" kc get configmap shop-cache

run delete >/dev/null
echo "all held"
