#!/usr/bin/env bash
# The binary on a bare Debian 12 (debootstrap's minimal set) as its root, with nothing else installed;
# kubectl asks from outside.
source "$(dirname "$0")/lib.sh" "$1"
command -v debootstrap >/dev/null || { echo "SKIPPED: debootstrap is not installed"; exit 77; }
mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' 'Created-By: Packages' | head -1)
bare=$root/bare
debootstrap --variant=minbase bookworm "$bare" "$mirror" >"$root/debootstrap.log" 2>&1 ||
  { tail -3 "$root/debootstrap.log"; echo "SKIPPED: Debian's packages cannot be reached"; exit 77; }
cp "$minik" "$bare/usr/bin/minik"

step "in a chroot: a refusal with the remedy"
fails "pivot_root" unshare --mount sh -ec "mount -t proc proc $bare/proc; exec chroot $bare minik -p $profile start"

step "nothing but Debian's minimal set, as a machine's root"
# A mount namespace of its own for the whole life of the machine, entered anew by each command.
unshare --mount sh -ec "mount --bind $bare $bare; cd $bare
  for folder in proc sys dev; do mount --rbind /\$folder \$folder; done; mount -t tmpfs run run
  pivot_root . mnt; umount -l /mnt; touch /ready; exec sleep 300" &
machine=$!
background+=("$machine")
eventually test -e "$bare/ready"
inside() { nsenter --target "$machine" --mount env -i HOME=/root PATH=/usr/bin:/usr/sbin "$@"; }
run() { inside minik -p "$profile" "$@"; }
! inside sh -c 'command -v kubectl docker runc nft ip' || exit 1
run start
inside cat "/root/.kube/config" >"$KUBECONFIG"

step "containers, Services and Ingress work"
kc apply -f "$here/../../tools/demo.yaml"
kc rollout status deployment/demo --timeout=60s
contains "minik 0" kc exec deployment/demo -- /minik --version
ingress=$(run status -o json | sed -n 's|.*"ingress": "http://\([^"]*\)".*|\1|p')
eventually curl -sf -H "Host: demo.localhost" "http://127.0.0.1:${ingress##*:}/"
echo "all held"
