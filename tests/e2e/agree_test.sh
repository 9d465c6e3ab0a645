#!/usr/bin/env bash
# Real and simulated agree: each small scenario of tests/agree runs in a cluster of its own and in the simulator, and
# every object goes through the same states in both.
here=$(dirname "${BASH_SOURCE[0]}")
source "$here/lib.sh" "$1"
run start >/dev/null
for name in rollout job-with-failures statefulset crash-loop failing-probe missing-image crashed-container drained-node daemon-away registry-outage; do
  step "$name"
  "$minik" sim compare "$here/../agree/scenarios/$name.yaml" -p "$profile"
done
