#!/usr/bin/env bash
# What goes wrong on people's machines: one clear line with the remedy, a non-zero exit, nothing half-made.
source "$(dirname "$0")/lib.sh" "$1"
# refuses TEXT COMMAND…: exits with an error of one line that has the text.
refuses() {
  local text=$1
  shift
  if "$@" >/dev/null 2>"$root/said"; then echo "no error of: $*"; return 1; fi
  [[ $(wc -l <"$root/said") -le 1 ]] || { echo "more than a line:"; cat "$root/said"; return 1; }
  grep -qF -- "$text" "$root/said" || { echo "no \"$text\" in:"; cat "$root/said"; return 1; }
}
nothing_is_left_of() {
  [[ ! -e $1 ]] || { echo "$1 is left"; return 1; }
  ! grep -qF "$1" /proc/mounts || { echo "mounts are left:"; grep -F "$1" /proc/mounts; return 1; }
}

step "no root"
cp "$minik" "$root/minik"
chmod 755 "$root" "$root/minik"
mkdir -m 777 "$root/nobody"
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent MINIK_HOME="$root/nobody" "$@"; }
refuses "root" as_nobody "$root/minik" start
[[ -z $(ls -A "$root/nobody") ]]

step "a kernel without what containers need"
sed /overlay/d /proc/filesystems >"$root/filesystems"
refuses "overlayfs" unshare --mount sh -ec "mount --bind $root/filesystems /proc/filesystems
  MINIK_HOME=$root/nobody exec $minik -p $profile start"
[[ -z $(ls -A "$root/nobody") ]]

step "commands and profiles that do not exist"
refuses "minik start" run kubectl -- get pods
refuses "a/b" "$minik" -p a/b start
fails "help" "$minik" sart
fails "help" "$minik"

step "a port in use: the cluster moves to another and says so, and stays there"
run start >/dev/null
port=$(kc config view --minify -o 'jsonpath={.clusters[0].cluster.server}' | sed 's/.*://')
run stop >/dev/null
python3 - "$port" "$root/bound" <<'PY' &
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
open(sys.argv[2], "w").close()
time.sleep(60)
PY
taker=$!
background+=("$taker")
eventually test -e "$root/bound"
"$minik" -p "$profile" start 2>"$root/moved" >/dev/null
grep -q "port $port is in use by another program" "$root/moved"
kc get nodes >/dev/null
moved=$(kc config view --minify -o 'jsonpath={.clusters[0].cluster.server}' | sed 's/.*://')
test "$moved" != "$port"
run stop >/dev/null
"$minik" -p "$profile-b" start >/dev/null
"$minik" -p "$profile-b" delete >/dev/null
nothing_is_left_of "$MINIK_HOME/$profile-b"
kill "$taker"
wait "$taker" 2>/dev/null || true
run start >/dev/null
test "$(kc config view --minify -o 'jsonpath={.clusters[0].cluster.server}' | sed 's/.*://')" = "$moved"

step "image archives that are none"
head -c 100000 /dev/urandom >"$root/noise.tar"
refuses "noise.tar" run image load "$root/noise.tar"
refuses "No such file" run image load "$root/none.tar"
load_busybox
before=$(run image ls)
run image rm docker.io/library/busybox:test >/dev/null
head -c 70000 "$root/busybox.tar" >"$root/cut.tar"
refuses "cut.tar" run image load "$root/cut.tar"
! run image ls | grep -q busybox
run image load "$root/busybox.tar" >/dev/null
[[ $(run image ls) == "$before" ]]

step "a full disk, at a start and at an image"
mkdir "$root/small"
mount -t tmpfs -o size=1m tmpfs "$root/small"
trap 'umount -l "$root/small" 2>/dev/null || true; cleanup' EXIT
refuses "No space left" env MINIK_HOME="$root/small" "$minik" -p small start
nothing_is_left_of "$root/small/small"
umount -l "$root/small"

step "objects that are not right"
fails 'unknown field "spec.replica"' kc apply -f - <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: x}
spec:
  replica: 1
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}
Y
fails 'spec.template.metadata.labels: Invalid value' kc apply -f - <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: x}
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: c}}, spec: {containers: [{name: c, image: i}]}}
Y
fails "Invalid value" kc create namespace 'Not_Valid'
fails "NotFound" kc get pod nobody
fails "the server doesn't have a resource type" kc get nonsense
echo "all held"
