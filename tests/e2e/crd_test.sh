#!/usr/bin/env bash
# CustomResourceDefinitions by the real kubectl and helm, and through a restart of the daemon.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null

step "a definition is established, discovered and explained"
cat >"$root/crd.yaml" <<'YAML'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Size, type: string, jsonPath: .spec.size}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: How the widget is to be.
            x-kubernetes-validations: [{rule: self.replicas < 5, message: too many}]
            properties:
              size: {type: string, enum: [small, large], description: One of two sizes.}
              replicas: {type: integer, default: 1}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
YAML
kc apply -f "$root/crd.yaml"
kc wait --for=condition=Established crd/widgets.example.com --timeout=10s
contains "wd" kc api-resources --api-group=example.com
contains "One of two sizes." kc explain widget.spec.size

step "objects are checked, shown, scaled, patched and applied"
widget() { printf 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: %s}\nspec: %s\n' "$1" "$2"; }
kc apply -f <(widget one '{size: small}')
contains "small" kc get wd
contains "SIZE" kc get widgets
contains "widget.example.com/one" kc get all -o name
fails 'Unsupported value: "huge": supported values: "small", "large"' kc apply -f <(widget two '{size: huge}')
fails 'strict decoding error: unknown field "spec.typo"' kc apply -f <(widget two '{size: small, typo: 1}')
kc scale widget one --replicas=3
[[ $(kc get widget one -o jsonpath='{.spec.replicas}') == 3 ]]
fails "too many" kc patch widget one --type=merge -p '{"spec":{"replicas":9}}'
kc patch widget one --type=merge -p '{"spec":{"size":"large"}}'
kc apply --server-side --force-conflicts -f <(widget one '{size: small}')
contains "small" kc get widget one -o yaml
kc describe widget one >/dev/null

step "objects and definition live through a restart"
run stop >/dev/null
run start >/dev/null
contains "small" kc get wd one

step "a namespace and an owner take their objects with them"
kc create namespace gone
kc -n gone apply -f <(widget inside '{size: small}')
kc delete namespace gone --timeout=30s
uid=$(kc get widget one -o jsonpath='{.metadata.uid}')
kc apply -f - <<YAML
apiVersion: v1
kind: ConfigMap
metadata:
  name: owned
  ownerReferences: [{apiVersion: example.com/v1, kind: Widget, name: one, uid: $uid}]
YAML
kc delete widget one
lost() { ! kc get configmap owned; }
eventually lost

step "the definition goes with what is left"
kc apply -f <(widget last '{size: small}')
kc delete crd widgets.example.com --timeout=30s
fails "could not find the requested resource" kc get widgets

if command -v helm >/dev/null; then
  step "a chart brings a definition and an object of it"
  chart=$root/chart
  mkdir -p "$chart/crds" "$chart/templates"
  printf 'apiVersion: v2\nname: widgets\nversion: 0.1.0\n' >"$chart/Chart.yaml"
  cp "$root/crd.yaml" "$chart/crds/widgets.yaml"
  widget '{{ .Release.Name }}' '{size: large}' >"$chart/templates/widget.yaml"
  export HELM_CACHE_HOME=$root/helm/cache HELM_CONFIG_HOME=$root/helm/config HELM_DATA_HOME=$root/helm/data
  helm --kube-context "$profile" install mine "$chart" >/dev/null
  contains "large" kc get widget mine
  helm --kube-context "$profile" uninstall mine >/dev/null
fi
