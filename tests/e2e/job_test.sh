#!/usr/bin/env bash
# Jobs with real containers: run to completion, indexed, failing, suspended, deleted.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox

step "a job runs to its end, and its pod and log stay"
kc create job hello --image=busybox:test -- echo hello from a job
kc wait --for=condition=complete job/hello --timeout=30s
[[ $(kc logs job/hello) == "hello from a job" ]]
contains "1/1" kc get job hello
contains "Complete" kc get job hello
contains "SuccessfulCreate" kc describe job hello
contains "Completed" kc describe job hello

step "each index of an indexed job has a pod, a name and a number"
kc apply -f - <<'YAML'
apiVersion: batch/v1
kind: Job
metadata: {name: parts}
spec:
  completions: 4
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers: [{name: part, image: "busybox:test", command: [sh, -c, 'echo part $JOB_COMPLETION_INDEX of $(hostname)']}]
YAML
kc wait --for=condition=complete job/parts --timeout=60s
[[ $(kc get job parts -o jsonpath='{.status.succeeded}/{.status.completedIndexes}') == 4/0-3 ]]
log=$(kc logs -l batch.kubernetes.io/job-name=parts | sort)
[[ $log == $'part 0 of parts-0\npart 1 of parts-1\npart 2 of parts-2\npart 3 of parts-3' ]] || { echo "$log"; exit 1; }

step "a failing job is tried again after a while, and given up at its limit"
kc apply -f - <<'YAML'
apiVersion: batch/v1
kind: Job
metadata: {name: broken}
spec:
  backoffLimit: 1
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "busybox:test", command: [sh, -c, exit 3]}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: hopeless}
spec:
  backoffLimit: 6
  podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "busybox:test", command: [sh, -c, exit 42]}]}
YAML
kc wait --for=condition=failed job/hopeless --timeout=20s
contains "failed with exit code 42 matching FailJob rule at index 0" kc get job hopeless -o json
kc wait --for=condition=failed job/broken --timeout=60s
[[ $(kc get job broken -o jsonpath='{.status.failed}') == 2 ]]
contains "BackoffLimitExceeded" kc describe job broken

step "a suspended job stops its pods and takes them up again"
kc create job long --image=busybox:test -- sh -c 'trap exit TERM; sleep 600 & wait'
active() { [[ $(kc get job long -o jsonpath="{.status.active}/{.status.ready}") == "$1" ]]; }
eventually active 1/1
kc patch job long --type=merge -p '{"spec":{"suspend":true}}'
contains "Suspended" kc describe job long
eventually active /0
kc patch job long --type=merge -p '{"spec":{"suspend":false}}'
eventually active 1/1
[[ -z $(kc get job long -o jsonpath='{.status.failed}') ]]  # what was only taken away has not failed

step "with a job go its pods"
kc delete job long parts hello broken hopeless
gone() { [[ -z $(kc get pods -l batch.kubernetes.io/job-name -o name) ]]; }
eventually gone

step "mistakes are named"
fails 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"' kc create -f - <<'YAML'
apiVersion: batch/v1
kind: Job
metadata: {name: wrong}
spec: {template: {spec: {containers: [{name: main, image: "busybox:test"}]}}}
YAML
fails "requires indexed completion mode" kc create -f - <<'YAML'
apiVersion: batch/v1
kind: Job
metadata: {name: wrong}
spec: {backoffLimitPerIndex: 1, template: {spec: {restartPolicy: Never, containers: [{name: main, image: "busybox:test"}]}}}
YAML
kc create job fixed --image=busybox:test -- true
fails "field is immutable" kc patch job fixed --type=merge -p '{"spec":{"template":{"metadata":{"labels":{"a":"b"}}}}}'
echo "all held"
