#!/usr/bin/env bash
# The JavaScript client against a real cluster: see javascript_client.mjs.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v node >/dev/null || { echo "SKIPPED: no node on this machine"; exit 77; }
modules=$("$here/../../tools/clients" node) || { echo "SKIPPED: the JavaScript client cannot be fetched"; exit 77; }
source "$here/lib.sh" "$1"
run start >/dev/null
load_busybox
kc wait --for=condition=Ready node --all --timeout=30s
kc config use-context "$profile" >/dev/null
# Modules are looked for beside the program.
cp "$here/javascript_client.mjs" "$root/client.mjs"
ln -s "$modules/node_modules" "$root/node_modules"
timeout 120 node "$root/client.mjs"
echo "all held"
