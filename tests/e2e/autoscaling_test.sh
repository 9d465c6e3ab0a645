#!/usr/bin/env bash
# kubectl top, and an autoscaler that follows what a real container uses.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox

step "kubectl top shows what pods and nodes use"
kc apply -f - <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: loop
        image: busybox:test
        command: [sh, -c, 'while true; do :; done']
        resources: {requests: {cpu: 100m}, limits: {cpu: 200m}}
YAML
kc rollout status deployment/busy --timeout=60s
measured() { [[ $(kc top pods -l app=busy --no-headers) =~ [1-9][0-9]*m ]]; }
eventually measured
contains "$profile" kc top nodes
contains loop kc top pods --containers
contains PodMetrics kc get --raw "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods?labelSelector=app%3Dbusy"
fails "not found" kc get --raw /apis/metrics.k8s.io/v1beta1/nodes/nobody

step "an autoscaler makes as many pods as the usage asks for"
kc autoscale deployment busy --cpu=50% --min=1 --max=3
scaled() { [[ $(kc get deployment busy -o jsonpath='{.spec.replicas}') -eq $1 ]]; }
for _ in 1 2 3; do eventually scaled 3 >/dev/null && break; done
scaled 3
contains "Deployment/busy" kc get hpa busy
contains "SuccessfulRescale" kc describe hpa busy
contains "cpu resource utilization (percentage of request) above target" kc describe hpa busy

step "without requests there is nothing to compare with, and it says so"
kc create deployment bare --image=busybox:test -- sleep 600
kc rollout status deployment/bare --timeout=60s
kc autoscale deployment bare --cpu=50% --max=3
unknown() { contains "missing request for cpu in container busybox of Pod" kc describe hpa bare; }
for _ in 1 2; do eventually unknown >/dev/null && break; done
unknown
kc apply -f - <<'YAML'
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: gone}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: gone}, maxReplicas: 3}
YAML
eventually contains 'deployments.apps "gone" not found' kc describe hpa gone
echo "all held"
