#!/usr/bin/env bash
# A disruption budget and kubectl drain: as many pods as the budget lets go, and no more.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
kc create deployment web --image=minik/demo:latest --replicas=3
kc rollout status deployment/web --timeout=60s
kc create poddisruptionbudget web --selector=app=web --min-available=2
allowed() { [[ $(kc get pdb web -o jsonpath='{.status.disruptionsAllowed}/{.status.currentHealthy}/{.status.desiredHealthy}') == "$1" ]]; }
eventually allowed 1/3/2
kc get pdb web

step "a drain that is only tried at the server evicts nobody"
kc drain "$profile" --ignore-daemonsets --dry-run=server --pod-selector=app=web --timeout=20s >"$root/tried" 2>&1
contains "evicting pod default/web" cat "$root/tried"
allowed 1/3/2
[[ $(kc get pods -l app=web -o 'jsonpath={.items[*].metadata.deletionTimestamp}') == "" ]]

step "drain evicts one pod and is refused the others, whose places nobody could take"
fails "would violate the pod's disruption budget" kc drain "$profile" --ignore-daemonsets --timeout=4s
eventually allowed 0/2/2
[[ $(kc get pods -l app=web --field-selector=status.phase=Running -o name | wc -l) -eq 2 ]]

step "with room again the budget recovers, and without it the drain ends"
kc uncordon "$profile"
eventually allowed 1/3/2
kc delete pdb web
kc drain "$profile" --ignore-daemonsets --timeout=60s
running() { [[ $(kc get pods -l app=web --field-selector=status.phase=Running -o name | wc -l) -eq $1 ]]; }
eventually running 0
kc uncordon "$profile"
kc rollout status deployment/web --timeout=60s
echo "all held"
