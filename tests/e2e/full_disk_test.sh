#!/usr/bin/env bash
# A pod that fills the disk under minik: the daemon ends with a word that says why, and minik clears up.
source "$(dirname "$0")/lib.sh" "$1"
small=$(mktemp -d)
mount -t tmpfs -o size=200m tmpfs "$small"
trap 'cleanup; umount -l "$small"; rmdir "$small"' EXIT
export MINIK_HOME=$small/home
log=$MINIK_HOME/$profile/daemon.log
run start >/dev/null
load_busybox

step "a pod fills the disk, and the cluster cannot keep what is asked of it"
kc create -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: hog}
spec:
  containers:
  - name: shell
    image: busybox:test
    command: [sh, -c, "dd if=/dev/zero of=/hog-$profile bs=1M; while true; do sleep 1; done"]
YAML
full() { [[ $(df --output=avail "$small" | tail -n 1) -eq 0 ]]; }
eventually full
kc delete pod hog --wait=false >/dev/null 2>&1 || true
ended() { ! run status >/dev/null; }
eventually ended
grep -q "stopped: cannot write .*: the disk is full; free some space and start again" "$log"

step "what it has left running is stopped, and goes"
runs() { grep -qsz "hog-$profile" /proc/[0-9]*/cmdline; }
runs
run stop --now >/dev/null
! runs || exit 1
! full || exit 1
run delete >/dev/null
[[ ! -e $MINIK_HOME/$profile ]]
