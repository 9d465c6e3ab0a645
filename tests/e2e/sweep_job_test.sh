#!/usr/bin/env bash
# A sweep on other machines: the Indexed Job that `sweep --emit-job` writes runs on a real cluster, and what its pods have
# printed is reported as the sweep that one machine would have run.
here=$(dirname "${BASH_SOURCE[0]}")
source "$here/lib.sh" "$1"
cat >"$root/web.yaml" <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
YAML
# Fails with the seeds in which nothing crashes.
cat >"$root/small.yaml" <<'YAML'
apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: small}
spec:
  duration: 2m
  nodes: [{name: node, count: 2}]
  images: [{match: "*", pull: 1s, start: 100ms}]
  workloads: [{file: web.yaml}]
  faults: [{at: 1m, for: 10s, inRuns: 50%, crashContainers: {count: 1}}]
  expect:
  - name: somebody crashes
    within: 2m
    list: {kind: Pod, labelSelector: app=web}
    cel: objects.exists(p, p.?status.?containerStatuses.orValue([]).exists(c, c.restartCount > 0))
YAML
run start >/dev/null
step "the Job runs to its end"
"$minik" sim sweep "$root/small.yaml" --seeds 10..19 --emit-job --pods 2 --image minik/demo:latest >"$root/job.yaml"
kc apply -f "$root/job.yaml"
kc wait --for=condition=Complete --timeout=120s job/sweep-small
step "its logs are the sweep"
kc logs -l batch.kubernetes.io/job-name=sweep-small --tail=-1 --max-log-requests=2 >"$root/results.txt"
merged=0 here_code=0
"$minik" sim sweep "$root/small.yaml" --seeds 10..19 --merge "$root/results.txt" >"$root/merged" || merged=$?
"$minik" sim sweep "$root/small.yaml" --seeds 10..19 >"$root/here" || here_code=$?
cat "$root/merged"
[[ $merged -eq 1 && $here_code -eq 1 ]]
diff "$root/merged" "$root/here"
grep -q "of 10 seeds passed" "$root/merged"
