#!/usr/bin/env bash
# What kubectl exports of a cluster becomes a scenario that is valid and holds, and in which the next rollout can be
# rehearsed. The cluster that is exported is a simulated one: its objects are as real ones.
set -euo pipefail
minik=$(realpath "$1") source=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$here/../../build/clients/bin:$PATH
command -v kubectl >/dev/null || { echo "SKIPPED: no kubectl on this machine"; exit 77; }
root=$(mktemp -d)
export MINIK_HOME=$root/home KUBECONFIG=$root/kubeconfig
server=
cleanup() {
  [[ -z $server ]] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$root"
}
trap cleanup EXIT
cat >"$root/shop.yaml" <<'Y'
apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: shop}
spec:
  duration: 2m
  nodes: [{name: node, count: 6, zones: [a, b, c]}]
  images: [{match: "web:*", pull: 3s, ready: {min: 4s, max: 6s}}]
  timeline:
  - at: 5s
    apply:
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        replicas: 12
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec: {containers: [{name: web, image: "web:1", readinessProbe: {httpGet: {path: /, port: 80}}}]}
Y
"$minik" sim serve "$root/shop.yaml" --paused >"$root/out" & server=$!
until "$minik" sim step 60s >/dev/null 2>&1; do sleep 0.1; done
kubectl get nodes,pods,events,deployments,replicasets,services,configmaps,serviceaccounts -A -o yaml >"$root/dump.yaml"
kubectl get events -A -o json >"$root/events.json"
kill "$server"; wait "$server"; server=

"$minik" sim import --objects - --events "$root/events.json" -o "$root/imported.yaml" <"$root/dump.yaml" 2>"$root/notes"
grep -q "6 machines in 1 pools" "$root/notes"
"$minik" sim validate "$root/imported.yaml" >/dev/null
"$minik" sim run "$root/imported.yaml" -q >"$root/run"
grep -q "ok  *Deployment default/web is whole" "$root/run"
# The pull took three seconds there, so it does here.
grep -A3 'match: web:1' "$root/imported.yaml" | grep -q 'pull: 3' || { cat "$root/imported.yaml"; exit 1; }

# Next week's image, rehearsed: it never becomes ready, and the rollout keeps what serves.
sed -e 's/^  images:/&\n  - {match: "web:2", neverReady: true}/' \
  -e 's/^  timeline:/&\n  - {at: 3m, setImage: {kind: Deployment, name: web, container: web, image: "web:2"}}/' \
  "$root/imported.yaml" >"$root/rehearsal.yaml"
"$minik" sim run "$root/rehearsal.yaml" -q >"$root/run"

"$minik" sim import --objects "$source/tests/import/data/shop.yaml" --audit "$source/tests/import/data/audit.log" -o "$root/production.yaml" 2>"$root/notes"
grep -q "not as it was: the values of Secrets are left out: Secret shop/keys" "$root/notes"
"$minik" sim run "$root/production.yaml" -q >/dev/null
code=0; echo 'kind: [' | "$minik" sim import --objects - >/dev/null 2>"$root/err" || code=$?
[[ $code -eq 2 ]] && grep -q "standard input:" "$root/err"
