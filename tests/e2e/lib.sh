# What every end-to-end test begins with: `source lib.sh MINIK`. A cluster of its own in a folder of its own,
# gone when the script ends, however it ends. kubectl is the real one.
set -euo pipefail
minik=$(realpath "$1")
[[ $(id -u) -eq 0 ]] || { echo "SKIPPED: containers need root"; exit 77; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$here/../../build/clients/bin:$PATH  # where tools/clients puts kubectl and helm
command -v kubectl >/dev/null || { echo "SKIPPED: no kubectl on this machine"; exit 77; }
root=$(mktemp -d)
export MINIK_HOME=$root/home KUBECONFIG=$root/kubeconfig
profile=e2e-$$
run() { "$minik" -p "$profile" "$@"; }
kc() { kubectl --context "$profile" "$@"; }
background=()
cleanup() {
  local code=$?
  if [[ $code -ne 0 && $code -ne 77 ]]; then
    echo "=== failed with $code; the daemon's last lines:"
    tail -n 30 "$MINIK_HOME"/*/daemon.log 2>/dev/null || true
    kc get pods -A 2>/dev/null || true
  fi
  run delete >/dev/null 2>&1 || true  # wherever a test's own `run` has it
  local cluster
  for cluster in $(cd "$MINIK_HOME" 2>/dev/null && ls); do
    "$minik" -p "$cluster" delete >/dev/null 2>&1 || true
  done
  for pid in "${background[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$root"
}
trap cleanup EXIT
step() { echo "--- $SECONDS s: $*"; }
# Tries until it holds, for at most 30 s.
eventually() {
  for _ in $(seq 150); do if "$@" >/dev/null 2>&1; then return 0; fi; sleep 0.2; done
  echo "never held: $*"
  "$@"
}
# contains TEXT COMMAND…: its output has the text (and nobody dies of a closed pipe).
contains() {
  local text=$1 output
  shift
  output=$("$@" 2>&1) || true
  [[ $output == *"$text"* ]] || { printf 'no "%s" in what `%s` says:\n%s\n' "$text" "$*" "$output"; return 1; }
}
# fails TEXT COMMAND…: it ends with an error that says so.
fails() {
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then printf 'no error of `%s`, but:\n%s\n' "$*" "$output"; return 1; fi
  [[ $output == *"$text"* ]] || { printf 'no "%s" in the error of `%s`:\n%s\n' "$text" "$*" "$output"; return 1; }
}
# The image busybox:test, made of Debian's busybox-static: a shell, wget, nslookup, nc.
load_busybox() {
  local layout=$root/busybox bundle=$root/bundle name
  umoci init --layout "$layout"
  umoci new --image "$layout:test"
  umoci unpack --image "$layout:test" "$bundle" 2>/dev/null
  mkdir -p "$bundle"/rootfs/{bin,etc,root,tmp}
  chmod 1777 "$bundle/rootfs/tmp"
  for name in $(busybox --list); do [[ $name == busybox ]] || ln -s busybox "$bundle/rootfs/bin/$name"; done
  cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$bundle/rootfs/etc/passwd"
  umoci repack --image "$layout:test" "$bundle" 2>/dev/null
  umoci config --image "$layout:test" --config.cmd /bin/sh --config.env PATH=/bin
  skopeo copy -q "oci:$layout:test" "docker-archive:$root/busybox.tar:busybox:test"
  run image load "$root/busybox.tar" >/dev/null
}
