#!/usr/bin/env bash
# Real and simulated agree: each small scenario of tests/agree runs in a cluster of its own and in the simulator, and
# every object goes through the same states in both. The second argument chooses the half: what people do, or what fails.
here=$(dirname "${BASH_SOURCE[0]}")
source "$here/lib.sh" "$1"
run start >/dev/null
deeds="rollout job-with-failures statefulset crash-loop failing-probe missing-image drained-node budget"
faults="crashed-container hung-container out-of-memory unready bad-ends disk-limit daemon-away agent-away registry-outage quota"
for name in ${!2}; do
  step "$name"
  "$minik" sim compare "$here/../agree/scenarios/$name.yaml" -p "$profile"
done
