#!/usr/bin/env bash
# tools/start: from a clone to a demo that answers; a second run changes nothing.
source "$(dirname "$0")/lib.sh" "$1"
profile=minik
export HOME=$root
"$here/../../tools/start" >"$root/first" 2>&1 || { tail -20 "$root/first"; exit 1; }
grep "The demo answers at" "$root/first"
url=$(sed -n 's/^The demo answers at \(http:[^ ]*\).*/\1/p' "$root/first")
contains "Hello from minik" curl -s "$url"
grep -q "kubectl scale" "$root/first"
pods=$(kc get pods -o jsonpath='{.items[*].metadata.uid}')
[[ -n $pods ]]
"$here/../../tools/start" >"$root/second" 2>&1 || { tail -20 "$root/second"; exit 1; }
grep -q "Already running" "$root/second"
grep -qF "The demo answers at $url" "$root/second"
[[ $(kc get pods -o jsonpath='{.items[*].metadata.uid}') == "$pods" ]]
echo "all held"
