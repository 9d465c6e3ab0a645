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

PATH=$PATH:$here/../../build/clients/registry  # where tools/clients puts it
if command -v docker-registry >/dev/null; then
  step "a chart goes to a registry and is installed from there"
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:0"}\n' "$root/charts" >"$root/registry.yml"
  docker-registry serve "$root/registry.yml" >"$root/registry.log" 2>&1 &
  background+=($!)
  eventually grep -q 'listening on' "$root/registry.log"
  registry=oci://$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' "$root/registry.log")/charts
  he package "$chart" -d "$root" >/dev/null
  he push "$root/shop-0.1.0.tgz" "$registry" --plain-http
  he install pulled "$registry/shop" --version 0.1.0 --plain-http --wait --timeout 60s
  contains "shop-0.1.0" he list
  he uninstall pulled --wait --timeout 60s
fi

step "a chart with most kinds that there are, a definition of its own and an object of it"
big=$root/platform
mkdir -p "$big/templates" "$big/crds"
printf 'apiVersion: v2\nname: platform\nversion: 1.0.0\nkubeVersion: ">=1.30.0-0"\n' >"$big/Chart.yaml"
printf 'tier: bronze\nreplicas: 1\n' >"$big/values.yaml"
cat >"$big/crds/tenants.yaml" <<'YAML'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tenants.platform.example.com}
spec:
  group: platform.example.com
  scope: Namespaced
  names: {plural: tenants, singular: tenant, kind: Tenant}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {tier: {type: string, enum: [bronze, silver]}}}}}}
YAML
cat >"$big/templates/cluster.yaml" <<'YAML'
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: "{{ .Release.Name }}-high"}
value: 1000
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: "{{ .Release.Name }}-slow"}
provisioner: rancher.io/local-path
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: "{{ .Release.Name }}-plain"}
handler: runc
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: "{{ .Release.Name }}-other"}
spec: {controller: example.com/ingress}
---
{{- range $kind := list "ClusterRole" "Role" }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata: {name: "{{ $.Release.Name }}-reader"}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata: {name: "{{ $.Release.Name }}-reader"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ $kind }}, name: "{{ $.Release.Name }}-reader"}
subjects: [{kind: ServiceAccount, name: "{{ $.Release.Name }}", namespace: {{ $.Release.Namespace }}}]
---
{{- end }}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: "{{ .Release.Name }}-names"}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [platform.example.com], apiVersions: [v1], resources: [tenants], operations: [CREATE]}]}
  validations: [{expression: "object.metadata.name.startsWith('t-')", message: names begin with t-}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: "{{ .Release.Name }}-names"}
spec: {policyName: "{{ .Release.Name }}-names", validationActions: [Deny]}
YAML
cat >"$big/templates/config.yaml" <<'YAML'
apiVersion: v1
kind: ServiceAccount
metadata: {name: "{{ .Release.Name }}"}
---
apiVersion: v1
kind: Secret
metadata: {name: "{{ .Release.Name }}-key"}
stringData: {key: "{{ .Values.tier }}-secret"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-capabilities"}
data:
  tenants: "{{ .Capabilities.APIVersions.Has "platform.example.com/v1/Tenant" }}"
  version: "{{ .Capabilities.KubeVersion.Version }}"
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: "{{ .Release.Name }}"}
spec: {hard: {pods: "50"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: "{{ .Release.Name }}"}
spec: {limits: [{type: Container, defaultRequest: {cpu: 10m, memory: 16Mi}}]}
---
apiVersion: platform.example.com/v1
kind: Tenant
metadata: {name: t-first}
spec: {tier: "{{ .Values.tier }}"}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: "{{ .Release.Name }}"}
spec: {minAvailable: 1, selector: {matchLabels: {app: "{{ .Release.Name }}-db"}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: "{{ .Release.Name }}"}
spec: {podSelector: {matchLabels: {app: "{{ .Release.Name }}-db"}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: "{{ .Release.Name }}"}
spec:
  rules: [{host: platform.localhost, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: "{{ .Release.Name }}-db", port: {number: 80}}}}]}}]
YAML
cat >"$big/templates/work.yaml" <<'YAML'
{{- define "pod" }}
metadata: {labels: {app: "{{ .name }}"}}
spec:
  serviceAccountName: "{{ .root.Release.Name }}"
  priorityClassName: "{{ .root.Release.Name }}-high"
  terminationGracePeriodSeconds: 0
  restartPolicy: {{ .restart | default "Always" }}
  containers:
  - name: main
    image: {{ .image | default "minik/demo:latest" }}
    {{- with .command }}
    command: {{ . | toJson }}
    {{- end }}
    env: [{name: TIER, valueFrom: {secretKeyRef: {name: "{{ .root.Release.Name }}-key", key: key}}}]
    {{- if .data }}
    volumeMounts: [{name: data, mountPath: /data}]
    {{- end }}
{{- end }}
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}-db"}
spec: {clusterIP: None, selector: {app: "{{ .Release.Name }}-db"}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: "{{ .Release.Name }}-db"}
spec:
  serviceName: "{{ .Release.Name }}-db"
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}-db"}}
  template: {{- include "pod" (dict "root" . "name" (printf "%s-db" .Release.Name) "data" true) | nindent 4 }}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: "{{ .Release.Name }}-slow", resources: {requests: {storage: 1Mi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: "{{ .Release.Name }}-agent"}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}-agent"}}
  template: {{- include "pod" (dict "root" . "name" (printf "%s-agent" .Release.Name)) | nindent 4 }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}-web"}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}-web"}}
  template: {{- include "pod" (dict "root" . "name" (printf "%s-web" .Release.Name)) | nindent 4 }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: "{{ .Release.Name }}-web"}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: "{{ .Release.Name }}-web"}
  maxReplicas: 2
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: "{{ .Release.Name }}-load-{{ .Release.Revision }}"}
spec:
  template: {{- include "pod" (dict "root" . "name" "load" "restart" "Never" "image" "busybox:test" "command" (list "true")) | nindent 4 }}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: "{{ .Release.Name }}-nightly"}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template: {{- include "pod" (dict "root" . "name" "nightly" "restart" "Never" "image" "busybox:test" "command" (list "true")) | nindent 8 }}
YAML
contains "0 chart(s) failed" he lint "$big"
he install p "$big" -n platform --create-namespace --wait --wait-for-jobs --timeout 90s
[[ $(kc -n platform get tenant t-first -o 'jsonpath={.spec.tier}') == bronze ]]
contains true kc -n platform get configmap p-capabilities -o 'jsonpath={.data.tenants}'
contains 1/1 kc -n platform get statefulset p-db
contains Bound kc -n platform get pvc data-p-db-0
contains Complete kc -n platform get job p-load-1
fails "names begin with t-" kc -n platform create -f - <<<'{"apiVersion":"platform.example.com/v1","kind":"Tenant","metadata":{"name":"wrong"}}'
# What is there is what the chart says, to the last default.
he get manifest p -n platform | kc -n platform diff --server-side --force-conflicts --field-manager=reader -f -
he upgrade p "$big" -n platform --set tier=silver,replicas=2 --wait --wait-for-jobs --timeout 90s
[[ $(kc -n platform get tenant t-first -o 'jsonpath={.spec.tier}') == silver ]]
contains 2/2 kc -n platform get statefulset p-db
fails "not found" kc -n platform get job p-load-1
fails 'Unsupported value: "gold"' he upgrade p "$big" -n platform --set tier=gold
he rollback p 1 -n platform --wait --timeout 90s
[[ $(kc -n platform get tenant t-first -o 'jsonpath={.spec.tier}') == bronze ]]
contains "STATUS: deployed" he status p -n platform
he uninstall p -n platform --wait --timeout 60s
[[ -z $(kc get clusterrole,clusterrolebinding,priorityclass,storageclass,runtimeclass,ingressclass,validatingadmissionpolicy -o name | grep /p- || true) ]]
# Definitions and volumes outlive their release, as helm and StatefulSets have it.
kc get crd tenants.platform.example.com
contains data-p-db-0 kc -n platform get pvc

run delete >/dev/null
echo "all held"
