#!/usr/bin/env bash
# CronJobs with real containers: on schedule, by hand, suspended, wrong; and Jobs that go after their time.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox

step "a cron job starts at its moments, in its order of time"
kc create cronjob tick --image=busybox:test --schedule="@every 2s" -- echo tick
kc patch cronjob tick --type=merge -p '{"spec":{"successfulJobsHistoryLimit":1,"concurrencyPolicy":"Forbid"}}'
succeeded() { [[ -n $(kc get cronjob tick -o jsonpath='{.status.lastSuccessfulTime}') ]]; }
eventually succeeded
[[ -n $(kc get cronjob tick -o jsonpath='{.status.lastScheduleTime}') ]]
contains "@every 2s" kc get cronjob tick
contains "SuccessfulCreate" kc describe cronjob tick
contains "Saw completed job" kc describe cronjob tick

step "a suspended cron job starts nothing, but may be started by hand"
kc patch cronjob tick --type=merge -p '{"spec":{"suspend":true}}'
contains "True" kc get cronjob tick
kc create job tock --from=cronjob/tick
kc wait --for=condition=complete job/tock --timeout=30s
[[ $(kc logs job/tock) == tick ]]
# One of its own and the one by hand are finished; the limit leaves one of them.
one_left() { [[ $(kc get jobs -o name | wc -l) == 1 ]]; }
eventually one_left

step "the clock of a time zone"
kc create cronjob local --image=busybox:test --schedule="0 3 * * *" -- true
fails "unknown time zone Mars/Base" kc patch cronjob local --type=merge -p '{"spec":{"timeZone":"Mars/Base"}}'
kc patch cronjob local --type=merge -p '{"spec":{"timeZone":"Europe/Vienna"}}'
contains "Europe/Vienna" kc get cronjob local

if [[ -e /usr/share/zoneinfo/Etc/GMT-3 ]]; then
  kc apply -f - <<'YAML'
apiVersion: batch/v1
kind: CronJob
metadata: {name: east}
spec:
  schedule: "@every 1s"
  timeZone: Etc/GMT-3
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "busybox:test", command: ["true"]}]}}}
YAML
  three_hours_ahead() { contains "+03:00" kc get jobs -o jsonpath='{.items[*].metadata.annotations}'; }
  eventually three_hours_ahead
  kc delete cronjob east
fi

step "a finished job goes when its time is over, and so do its pods"
kc apply -f - <<'YAML'
apiVersion: batch/v1
kind: Job
metadata: {name: brief}
spec:
  ttlSecondsAfterFinished: 1
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "busybox:test", command: [sh, -c, "exit 0"]}]}
YAML
gone() { [[ -z $(kc get jobs,pods -l job-name=brief -o name) ]] && ! kc get job brief; }
eventually gone

step "with a cron job go its jobs"
kc delete cronjob tick local
none() { [[ -z $(kc get jobs,pods -o name) ]]; }
eventually none

step "mistakes are named"
fails 'spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61' \
  kc create cronjob wrong --image=busybox:test --schedule="61 * * * *" -- true
fails "expected exactly 5 fields, found 3: [* * *]" \
  kc create cronjob wrong --image=busybox:test --schedule="* * *" -- true
fails "use timeZone field instead" kc create cronjob wrong --image=busybox:test --schedule="TZ=UTC * * * * *" -- true
echo "all held"
