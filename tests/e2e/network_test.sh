#!/usr/bin/env bash
# The cluster's network from inside pods and from the laptop.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
load_busybox
kc create deployment web --image=minik/demo:latest --replicas=3
kc expose deployment web --port=80 --target-port=8080 --type=NodePort
kc apply -f - <<Y
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers:
  - name: client
    image: busybox:test
    command: [sleep, "600"]
    volumeMounts: [{name: clients, mountPath: /clients, readOnly: true}]
  volumes: [{name: clients, hostPath: {path: $(dirname "$(realpath "$(command -v kubectl)")")}}]
Y
kc wait --for=condition=Ready pod/client --timeout=30s
kc rollout status deployment/web --timeout=60s
inside() { kc exec client -- "$@"; }
address=$(kc get service web -o jsonpath='{.spec.clusterIP}')
node_port=$(kc get service web -o jsonpath='{.spec.ports[0].nodePort}')

step "a Service's address balances over the ready pods"
eventually inside wget -qO- "http://$address/"
inside sh -c "for i in \$(seq 60); do wget -qO- http://$address/ | grep pod:; done" | sort | uniq -c >"$root/seen"
cat "$root/seen"
[[ $(wc -l <"$root/seen") -eq 3 ]]

step "a pod reaches itself through its Service"
kc create service clusterip self --tcp=8080:8080
kc label pod client app=self
inside sh -c 'echo hello >/tmp/index.html; httpd -p 8080 -h /tmp'
self=$(kc get service self -o jsonpath='{.spec.clusterIP}')
eventually inside wget -qO- "http://$self:8080/"
contains hello inside wget -qO- "http://$self:8080/"

step "without ready pods connections are refused, and so are ports that nobody named"
fails "refused" inside wget -qO- "http://$address:81/"
kc scale deployment/web --replicas=0
refused() { ! inside wget -qO- "http://$address/" 2>"$root/refused" && grep -q refused "$root/refused"; }
eventually refused
kc scale deployment/web --replicas=2
kc rollout status deployment/web --timeout=60s

step "names resolve in a pod, short and long, and balance like the address"
contains "$address" inside nslookup -type=a web.default.svc.cluster.local
eventually inside wget -qO- http://web/
contains "Hello from minik" inside wget -qO- http://web.default/
contains "Hello from minik" inside wget -qO- http://web.default.svc.cluster.local/
fails "NXDOMAIN" inside nslookup nobody.default.svc.cluster.local
kc create service clusterip peers --clusterip=None --tcp=8080
kc patch service peers -p '{"spec":{"selector":{"app":"web"}}}'
peer=$(kc get pods -l app=web -o jsonpath='{.items[0].status.podIP}')
eventually contains "$peer" inside nslookup -type=a peers.default.svc.cluster.local

step "a node port answers on the laptop"
eventually curl -sf "http://127.0.0.1:$node_port/"
contains "Hello from minik" curl -s "http://127.0.0.1:$node_port/"

step "pods reach the API as themselves, by the Service's address"
contains "system:serviceaccount:default:default" inside /clients/kubectl get pods
contains "Server Version: v1.35" inside /clients/kubectl version

step "pods reach other networks over TCP"
mine=$(hostname -I | cut -d' ' -f1)
if [[ -n $mine ]]; then
  port=$((20000 + RANDOM % 10000))
  (cd "$root" && exec python3 -m http.server "$port" --bind "$mine" >/dev/null 2>&1) &
  background+=($!)
  eventually curl -sf "http://$mine:$port/"
  contains "<html" inside wget -qO- "http://$mine:$port/"
fi
echo "all held"
