#!/usr/bin/env bash
# A cluster with 5,000 pods: kubectl watches them, a thousand informers come back at once after a kill -9 amid writes of
# sixteen clients, and nothing that was acknowledged is missing.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
kc create namespace load >/dev/null
crowd() { python3 "$here/crowd.py" "$MINIK_HOME/$profile" "$@"; }
daemon() { cat "$MINIK_HOME/$profile/run/daemon.pid"; }
rss_mib() { awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$(daemon)/status"; }

step "5,000 pods that nobody schedules"
crowd pods 5000
[[ $(kc get pods -n load -o name | wc -l) -eq 5000 ]]

step "kubectl get -w shows them all and goes on"
kc get pods -n load -w --no-headers >"$root/watched" &
background+=($!)
eventually bash -c "[[ \$(wc -l <'$root/watched') -ge 5000 ]]"
kc run late -n load --image=none --overrides='{"spec":{"schedulerName":"nobody"}}' >/dev/null
eventually grep -q '^late' "$root/watched"

step "kill -9 amid the writes of sixteen clients"
crowd write "$root/acknowledged" "$root/enough" &
writer=$!
background+=("$writer")
for _ in 1 2 3; do
  sleep 1
  kill -9 "$(daemon)"
  run start >/dev/null
done
sleep 0.5
touch "$root/enough"
wait "$writer"
kc get configmaps -n load -o name | sed 's|configmap/||' | sort >"$root/there"
echo "$(wc -l <"$root/acknowledged") writes were acknowledged"
[[ $(wc -l <"$root/acknowledged") -ge 100 ]]
[[ -z $(sort "$root/acknowledged" | comm -23 - "$root/there") ]]

step "a thousand informers come back at once"
before=$(rss_mib)
crowd herd 1000
after=$(rss_mib)
echo "the daemon had $before MiB before and has $after MiB after"
# Sent whole and at once, these lists would be gigabytes.
[[ $after -lt $((before + 1024)) ]]
kc get nodes >/dev/null
echo "all held"
