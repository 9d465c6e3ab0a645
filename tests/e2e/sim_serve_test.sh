#!/usr/bin/env bash
# A simulated cluster for real clients: kubectl and helm see nodes, pods and time as they are, time stands still,
# steps and runs as it is told, faults come in from outside, and nobody's looking on changes the trace.
set -euo pipefail
minik=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$here/../../build/clients/bin:$PATH
command -v kubectl >/dev/null && command -v helm >/dev/null || { echo "SKIPPED: no kubectl or helm on this machine"; exit 77; }
root=$(mktemp -d)
export MINIK_HOME=$root/home KUBECONFIG=$root/kubeconfig
server=
cleanup() {
  local code=$?
  [[ $code -eq 0 ]] || cat "$root/out" 2>/dev/null || true
  [[ -z $server ]] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$root"
}
trap cleanup EXIT
step() { echo "--- $SECONDS s: $*"; }
# serve FILE FLAGS…: in the background, until it says that it serves.
serve() {
  mkfifo "$root/said" && { "$minik" sim serve "$@" >"$root/said" 2>&1 & server=$!; }
  exec 9<"$root/said"
  rm "$root/said"
  while read -r line <&9; do
    echo "$line" >>"$root/out"
    [[ $line != kubectl\ is\ configured* ]] || { cat <&9 >>"$root/out" & return 0; }
  done
  return 1
}
stop() { kill "$server" && wait "$server"; server=; }
contains() { local text=$1 output; shift; output=$("$@" 2>&1) || true; [[ $output == *"$text"* ]] || { printf 'no "%s" in what `%s` says:\n%s\n' "$text" "$*" "$output"; return 1; }; }
fails() { local text=$1 output; shift; if output=$("$@" 2>&1); then printf 'no error of `%s`, but:\n%s\n' "$*" "$output"; return 1; fi; [[ $output == *"$text"* ]] || { printf 'no "%s" in the error of `%s`:\n%s\n' "$text" "$*" "$output"; return 1; }; }

cat >"$root/lab.yaml" <<'Y'
apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: lab}
spec:
  duration: 2m
  nodes: [{name: node, count: 200, zones: [a, b, c]}]
  timeline:
  - at: 10s
    apply:
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        replicas: 20
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec: {containers: [{name: web, image: "web:1"}]}
  - {at: 60s, crashNodes: {count: 5}}
Y
printf 'apiVersion: v1\nkind: Config\ncurrent-context: mine\ncontexts: [{name: mine, context: {cluster: mine, user: mine}}]\n' >"$KUBECONFIG"

step "a scenario that is only looked at gives the trace of minik sim run"
serve "$root/lab.yaml" --paused --seed 5
fails "already" "$minik" sim serve "$root/lab.yaml"
"$minik" sim step 30s >/dev/null
kubectl get pods -A >/dev/null
"$minik" sim step 90s -o json >"$root/status"
[[ $("$minik" sim run "$root/lab.yaml" --seed 5 -q | tail -1) == "trace $(sed -n 's/.*"traceAtEnd": "\(.*\)".*/\1/p' "$root/status")" ]]

step "time stands still: reads and writes are answered, nothing moves"
[[ $(kubectl get nodes --no-headers | wc -l) -eq 200 ]]
contains "2m" kubectl get nodes node-0
kubectl create deployment api --image=api:1 --replicas=3 >/dev/null
contains "0/3" kubectl get deployment api
fails "time stands still" kubectl top nodes
fails "timed out" kubectl wait --for=condition=Available deployment/api --timeout=1s
fails "unknown field" "$minik" sim inject 'crashNodez: {count: 3}'
fails 'there is no node "node-777"' "$minik" sim inject 'crashNodes: {names: [node-777]}'
fails "there is no Deployment default/zzz" "$minik" sim inject 'scale: {kind: Deployment, name: zzz, replicas: 2}'
fails "must be a duration" "$minik" sim step soon

step "it moves on as it is told"
kubectl get pods -l app=api -w >"$root/watched" & watcher=$!
"$minik" sim step 10s >/dev/null
contains "3/3" kubectl get deployment api
kubectl wait --for=condition=Available deployment/api --timeout=5s >/dev/null
contains "Running" cat "$root/watched"
kill "$watcher"; wait "$watcher" 2>/dev/null || true
contains "a simulated container" kubectl logs deployment/api
fails "no" kubectl exec deployment/api -- true
"$minik" sim speed 20x >/dev/null && "$minik" sim resume >/dev/null
contains "0m" kubectl top nodes node-1

step "kubectl's and helm's own waiting ends"
kubectl set image deployment/api api=api:2 >/dev/null
kubectl rollout status deployment/api --timeout=30s >/dev/null
node=$(kubectl get pods -l app=api -o jsonpath='{.items[0].spec.nodeName}')
kubectl drain "$node" --ignore-daemonsets --timeout=30s >/dev/null 2>&1
[[ -z $(kubectl get pods -A --field-selector "spec.nodeName=$node" -o name) ]]
mkdir -p "$root/chart/templates"
printf 'apiVersion: v2\nname: shop\nversion: 1.0.0\n' >"$root/chart/Chart.yaml"
kubectl create deployment shop --image=shop:1 --replicas=2 --dry-run=client -o yaml >"$root/chart/templates/shop.yaml"
helm install shop "$root/chart" --wait --timeout 30s >/dev/null
contains "2/2" kubectl get deployment shop

step "faults from outside"
contains "did:       crashNodes node-7" "$minik" sim inject 'crashNodes: {names: [node-7]}'
"$minik" sim step 2m >/dev/null
contains "NotReady" kubectl get node node-7

step "a watch ends with its server"
timeout 60 kubectl get --raw '/api/v1/namespaces/default/pods?watch=true' >"$root/watched" & watcher=$!
for _ in $(seq 100); do [[ ! -s $root/watched ]] || break; sleep 0.1; done
"$minik" sim inject '{stopApi: {}, for: 10s}' >/dev/null
code=0; wait "$watcher" || code=$?
[[ $code -ne 124 ]]
"$minik" sim step 30s >/dev/null
contains "Ready" kubectl get node node-1

step "kinds that are defined here are served"
kubectl apply -f - >/dev/null <<'Y'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
Y
kubectl wait --for=condition=Established crd/widgets.example.com --timeout=10s >/dev/null
printf 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}\nspec: {parts: 3}\n' | kubectl apply -f - >/dev/null
contains "one" kubectl get widgets

step "it leaves nothing behind"
stop
contains "mine" kubectl config current-context
fails "not found" kubectl config get-contexts minik-sim
[[ ! -e $MINIK_HOME/.sim/minik-sim ]]
fails "no simulation" "$minik" sim status
