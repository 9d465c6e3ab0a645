#!/usr/bin/env bash
# kill -9 at any moment, while somebody writes: what was acknowledged is there afterwards, and what ran runs on.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
kc create deployment web --image=minik/demo:latest --replicas=3
kc rollout status deployment/web --timeout=60s
containers() { kc get pods -l app=web -o jsonpath='{range .items[*]}{.status.containerStatuses[0].containerID}{"\n"}{end}' | sort; }
before=$(containers)

# Writes names in order and notes each that the API acknowledged.
writer() {
  local number=0
  while [[ ! -e $root/enough ]]; do
    number=$((number + 1))
    if kc create configmap "kept-$1-$number" --from-literal=a=b >/dev/null 2>&1; then echo "kept-$1-$number" >>"$root/acknowledged-$1"; fi
  done
}
for who in 1 2; do
  writer $who &
  background+=($!)
done

for round in $(seq 6); do
  step "kill $round"
  sleep "0.$((RANDOM % 9))"
  pid=$(cat "$MINIK_HOME/$profile/run/daemon.pid")
  kill -9 "$pid"
  run start >/dev/null
done
sleep 0.5
touch "$root/enough"
wait "${background[@]}"
cat "$root"/acknowledged-* | sort >"$root/acknowledged"
kc get configmaps -o name | sed 's|configmap/||' | grep ^kept- | sort >"$root/there"
echo "$(wc -l <"$root/acknowledged") writes were acknowledged"
[[ $(wc -l <"$root/acknowledged") -ge 20 ]]
[[ -z $(comm -23 "$root/acknowledged" "$root/there") ]]
[[ $(containers) == "$before" ]]
[[ $(kc get pods -l app=web -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}') == "0 0 0" ]]
kc wait --for=condition=Ready pod -l app=web --timeout=30s
echo "all held"
