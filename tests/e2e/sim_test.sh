#!/usr/bin/env bash
# minik sim as a script sees it: exit codes, the last line, the same hash twice, another for another seed.
set -euo pipefail
minik=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/small.yaml" <<'Y'
apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: small}
spec:
  duration: 3m
  nodes: [{count: 5}]
  timeline:
  - at: 2s
    apply:
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        replicas: 10
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec: {containers: [{name: web, image: "web:1"}]}
  - {at: 1m, crashNodes: {count: 1}}
  expect:
  - {within: 1m, object: {kind: Deployment, name: web}, matches: {status: {availableReplicas: 10}}}
Y
first=$("$minik" sim run "$work/small.yaml" --seed 7 -q | tail -1)
again=$("$minik" sim run "$work/small.yaml" --seed 7 -q | tail -1)
other=$("$minik" sim run "$work/small.yaml" --seed 8 -q | tail -1)
[[ $first =~ ^trace\ sha256:[0-9a-f]{64}$ && $first == "$again" && $first != "$other" ]]
sed 's/availableReplicas: 10/availableReplicas: 11/' "$work/small.yaml" >"$work/fails.yaml"
code=0; "$minik" sim run "$work/fails.yaml" -q >"$work/out" || code=$?
[[ $code -eq 1 ]] && grep -q FAILED "$work/out" && grep -q "reproduce:" "$work/out"
# Slips of the hand are answered with what was meant.
refuses() {
  local what=$1 said code=0
  shift
  said=$("$minik" "$@" 2>&1) || code=$?
  [[ $code -eq 2 && $said == *"$what"* ]] || { echo "minik $* says: $said"; return 1; }
}
refuses "there is no command minik sim rum, perhaps run was meant" sim rum "$work/small.yaml"
refuses "minik sim needs a command: run, " sim
refuses "minik sim run has no flag --sed, perhaps --seed was meant" sim run "$work/small.yaml" --sed 7
refuses "there is no command minik strat, perhaps start was meant" strat
sed 's/replicas: 10/replcas: 10/' "$work/small.yaml" >"$work/slip.yaml"
refuses 'slip.yaml:14: spec.timeline[0].apply: Deployment web: unknown field "spec.replcas", perhaps replicas was meant' sim validate "$work/slip.yaml"
for seed in -1 18446744073709551616 x; do refuses "--seed" sim run "$work/small.yaml" --seed "$seed"; done
code=0; "$minik" sim run "$work/small.yaml" -q --report /nosuch/r.html >"$work/out" 2>"$work/err" || code=$?
[[ $code -eq 1 && ! -s "$work/out" ]] && grep -q "cannot write /nosuch/r.html" "$work/err"
code=0; "$minik" sim validate "$work/small.yaml" >/dev/full 2>"$work/err" || code=$?
[[ $code -eq 1 ]] && grep -q "cannot write all to standard output" "$work/err"
"$minik" sim run "$work/small.yaml" -q --check-determinism --junit "$work/run.xml" | grep -q "the same trace twice"
"$minik" sim sweep "$work/small.yaml" --seeds 3..12 --jobs 2 --junit "$work/sweep.xml" --results "$work/lines" | grep -q "10 of 10 seeds passed"
for report in run sweep; do python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$work/$report.xml"; done
[[ $(wc -l <"$work/lines") -eq 10 ]]
# What a seed gives does not depend on how many run beside it.
[[ "trace sha256:$(grep '"seed":"7"' "$work/lines" | sed 's/.*"trace":"\([0-9a-f]*\)".*/\1/')" == "$first" ]]
code=0; GITHUB_ACTIONS=1 "$minik" sim sweep "$work/fails.yaml" --seeds 4 >"$work/out" || code=$?
[[ $code -eq 1 ]] && grep -q "4 of 4 seeds" "$work/out" && grep -q "^::error file=" "$work/out" && grep -q "0 of 4 seeds passed" "$work/out"
# A trace can be made again and read at any moment; another seed parts from it, and diff says where.
"$minik" sim run "$work/small.yaml" -q --seed 7 --trace "$work/7" --report "$work/r.html" --metrics "$work/m" >/dev/null
"$minik" sim run "$work/small.yaml" -q --seed 8 --trace "$work/8" >/dev/null
[[ $("$minik" sim replay "$work/7" | tail -1) == "$first" ]]
"$minik" sim state "$work/7" --at 9h pods 2>&1 >"$work/out" | grep -q "minik: the run ends at 3m0s: this is its end"
[[ $(wc -l <"$work/out") -eq 11 ]]
"$minik" sim run "$work/small.yaml" -q --seed 7 --managed-fields --trace "$work/managed" >"$work/out"
"$minik" sim state "$work/managed" --at 40s pods -o json | grep '"manager": "kubelet"' >/dev/null
[[ $("$minik" sim replay "$work/managed" | tail -1) == $(tail -1 "$work/out") && $(tail -1 "$work/out") != "$first" ]]
sed '2s/"at":"[^"]*"/"at":"1h"/' "$work/7" >"$work/other"
code=0; "$minik" sim replay "$work/other" >"$work/out" || code=$?
[[ $code -eq 1 ]] && grep -q "the traces part at line 2" "$work/out"
"$minik" sim replay "$work/7" -o json | grep -q '"same":true'
code=0; "$minik" sim replay "$work/other" -o json >"$work/out" || code=$?
[[ $code -eq 1 ]] && grep -q '"same":false' "$work/out" && grep -q '"line":2' "$work/out"
code=0; "$minik" sim diff "$work/7" "$work/8" -o json >"$work/out" || code=$?
[[ $code -eq 1 ]] && grep -q '"same":false,"sameScenario":true,"sameSeed":false' "$work/out"
code=0; "$minik" sim diff "$work/7" "$work/8" >"$work/out" || code=$?
[[ $code -eq 1 ]] && grep -q "the seeds differ: 7 and 8" "$work/out" && grep -q "^  first .*crashNodes" "$work/out"
"$minik" sim state "$work/7" --at 40s deploy web | grep -Eq "default +web +10/10"
cmp <("$minik" sim state "$work/7" --at 40s pods -o json) <("$minik" sim state "$work/small.yaml" --seed 7 --at 40s pods -o json)
"$minik" sim state "$work/7" --watch deploy/web | grep -q "/status/readyReplicas: 10"
code=0; "$minik" sim state "$work/7" --watch deploy/nosuch 2>"$work/err" || code=$?
[[ $code -eq 1 ]] && grep -q "there has been no deployments.apps default/nosuch" "$work/err"
# A moment in which a machine is away is shown as it is, not as it is when all has healed.
printf '%s\n' 'apiVersion: minik.dev/v1alpha1' 'kind: Scenario' 'metadata: {name: dark}' 'spec:' '  duration: 5m' \
  '  nodes: [{name: node, count: 2}]' '  faults: [{at: 1m, crashNodes: {names: [node-1]}}]' >"$work/dark.yaml"
"$minik" sim state "$work/dark.yaml" --at 3m nodes | grep -Eq "node-1 +NotReady"
grep -q '<script type="application/json"' "$work/r.html"; [[ $(tail -1 "$work/m") == "# EOF" ]]
# What fails becomes small and fails still; the header says how to see it.
"$minik" sim shrink "$work/fails.yaml" --out "$work/shrunk.yaml" --runs 60 -o json >"$work/out"
grep -q '"reproduce":"minik sim run ' "$work/out"
code=0; "$minik" sim run "$work/shrunk.yaml" -q >/dev/null || code=$?
[[ $code -eq 1 && $(wc -l <"$work/shrunk.yaml") -lt 40 ]] && grep -q "^# reproduce: minik sim run" "$work/shrunk.yaml"
# A sweep in two parts, as pods of a Job would run it, is the sweep.
for i in 0 1; do "$minik" sim sweep "$work/small.yaml" --seeds 3..12 --shard $i/2 --results - >"$work/part$i"; done
"$minik" sim sweep "$work/small.yaml" --seeds 3..12 --merge "$work/part0" "$work/part1" --results "$work/merged" | grep -q "10 of 10 seeds passed"
cmp "$work/lines" "$work/merged"
# A seed without a result has not passed.
code=0; "$minik" sim sweep "$work/small.yaml" --seeds 3..12 --merge "$work/part0" >"$work/out" || code=$?
[[ $code -eq 1 ]] && grep -q "there is none of seeds 8..12" "$work/out" && grep -q "5 of 10 seeds passed" "$work/out"
code=0; "$minik" sim sweep "$work/fails.yaml" --seeds 3..12 --merge "$work/part0" "$work/part1" 2>"$work/err" || code=$?
[[ $code -eq 2 ]] && grep -q "not every result is of this scenario" "$work/err"
"$minik" sim sweep "$work/small.yaml" --seeds 100 --emit-job --pods 4 --image r/minik:1 | grep -q "completionMode: Indexed"
"$minik" sim swarm --seed 5 | "$minik" sim validate - | grep -q "swarm-5 is valid"
code=0; "$minik" sim sweep "$work/small.yaml" --seeds 9..3 2>"$work/err" || code=$?
[[ $code -eq 2 ]] && grep -q "0..999" "$work/err"
sed 's/nodes: /nodez: /' "$work/small.yaml" >"$work/bad.yaml"
code=0; "$minik" sim run "$work/bad.yaml" 2>"$work/err" || code=$?
[[ $code -eq 2 ]] && grep -q "bad.yaml:6: spec.nodez: unknown field" "$work/err"
code=0; "$minik" sim validate "$work/bad.yaml" -o json >"$work/out" || code=$?
[[ $code -eq 2 ]] && grep -q 'bad.yaml:6: spec.nodez: unknown field.*"valid":false' "$work/out"
"$minik" sim validate "$work/small.yaml" -o json | grep -q '"valid":true'
for scenario in "$source"/scenarios/*.yaml; do "$minik" sim validate "$scenario" >/dev/null; done
