#!/usr/bin/env bash
# What a running cluster says of itself to those who scrape it.
source "$(dirname "$0")/lib.sh" "$1"

step "a cluster with something to count"
run start >/dev/null
kc create deployment web --image=minik/demo:latest --replicas=2
kc rollout status deployment/web --timeout=60s
cat <<'YAML' | kc apply -f -
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: "minik/demo:latest", command: ["/demo", "--no-such-flag"]}]
  backoffLimit: 0
YAML
kc wait --for=condition=Failed job/once --timeout=60s
kc run nowhere --image=minik/demo:latest --overrides='{"spec":{"nodeSelector":{"disk":"none"}}}'
kc wait --for=condition=PodScheduled=false pod/nowhere --timeout=30s

step "/metrics has every part under its usual name"
kc get --raw /metrics >"$root/page"
has() { grep -qE -- "$1" "$root/page" || { echo "no series $1"; grep "^${1%%[^a-z_]*}" "$root/page" | head -5; return 1; }; }
has '^apiserver_request_total\{code="201",.*resource="deployments",.*verb="POST"'
has '^apiserver_request_duration_seconds_count\{.*resource="pods",.*verb="POST"'
has '^apiserver_resource_objects\{group="apps",resource="deployments"\} 1$'
has '^apiserver_longrunning_requests\{group="",resource="pods",verb="WATCH",version="v1"\} [1-9]'
has '^workqueue_adds_total\{name="deployment-controller"\} [1-9]'
has '^scheduler_schedule_attempts_total\{profile="default-scheduler",result="scheduled"\} 3$'
has '^scheduler_queue_incoming_pods_total\{event="UnschedulablePodAdd",queue="active"\} 4$'
has '^scheduler_framework_extension_point_duration_seconds_count\{extension_point="Filter",profile="default-scheduler",status="Success"\} 1$'
has '^scheduler_framework_extension_point_duration_seconds_count\{extension_point="Score",profile="default-scheduler",status="Success"\} 1$'
has '^scheduler_cache_size\{type="nodes"\} 1$'
has '^scheduler_unschedulable_pods\{plugin="NodeAffinity",profile="default-scheduler"\} 1$'
has '^job_controller_job_pods_creation_total\{reason="new",status="succeeded"\} 1$'
has '^job_controller_jobs_finished_total\{completion_mode="NonIndexed",reason="BackoffLimitExceeded",result="failed"\} 1$'
has '^kubelet_running_pods 2$'
has '^kubelet_started_pods_total 3$'
has '^kubelet_pod_start_duration_seconds_count '
has '^kubelet_runtime_operations_total\{operation_type="start_container"\} 3$'
has '^kubelet_runtime_operations_duration_seconds_count\{operation_type="run_podsandbox"\} 3$'
has '^minik_store_log_bytes [1-9]'
has '^apiserver_storage_size_bytes\{storage_cluster_id="minik"\} [1-9]'
has '^process_max_fds [1-9]'
has '^minik_store_commit_duration_seconds_count [1-9]'
has '^process_resident_memory_bytes [1-9]'
has '^kubernetes_build_info\{'
if command -v promtool >/dev/null; then promtool check metrics <"$root/page"; fi

step "the node's agent answers through the API"
node=$(kc get nodes -o name)
kc get --raw "/api/v1/nodes/${node#node/}/proxy/metrics/resource" >"$root/page"
has '^container_cpu_usage_seconds_total\{container="demo",namespace="default",pod="web-.*"\} 0\.'
has '^node_memory_working_set_bytes [1-9]'
kc get --raw "/api/v1/nodes/${node#node/}/proxy/stats/summary" | python3 -c '
import json, sys
summary = json.load(sys.stdin)
assert {p["podRef"]["namespace"] for p in summary["pods"]} == {"default"}, summary
assert summary["node"]["memory"]["workingSetBytes"] > 0'
fails "the node agent has" kc get --raw "/api/v1/nodes/${node#node/}/proxy/run/default/web/c"
fails 'nodes "other" not found' kc get --raw "/api/v1/nodes/other/proxy/metrics"

step "OpenMetrics for those who ask for it"
kubectl --context "$profile" proxy --port=0 >"$root/proxy" 2>&1 &
background+=($!)
eventually grep -q "Starting to serve" "$root/proxy"
at=$(sed 's/.*serve on //' "$root/proxy")
curl -sf -H 'Accept: application/openmetrics-text; version=1.0.0' "http://$at/metrics" | tail -1 | grep -qx '# EOF'

run delete >/dev/null
echo "all held"
