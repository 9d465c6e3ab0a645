#!/usr/bin/env bash
# Floods of connections, heads and bodies without end, what is no TLS, nesting, uploads that nobody takes, watchers that do
# not read: each costs bounded memory, and who comes meanwhile is served.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
python3 "$here/attack.py" "$MINIK_HOME/$profile" "$(cat "$MINIK_HOME/$profile/run/daemon.pid")"
step "and afterwards all is as it was"
contains Active kc get namespace default
echo "all held"
