#!/usr/bin/env bash
# An API server of its own in a pod, behind an APIService: its resources by the real kubectl, who asks, and what is said
# while it cannot be reached. https targets of the proxy lead to the same server.
source "$(dirname "$0")/lib.sh" "$1"
command -v openssl >/dev/null || { echo "SKIPPED: no openssl on this machine"; exit 77; }
run start >/dev/null
load_busybox
kc wait --for=condition=Ready node --all --timeout=30s

step "a server in a pod, with python of this machine"
cat >"$root/server.py" <<'PYTHON'
import http.server, json, ssl, sys, threading
GROUP = "/apis/fish.example.com/v1"
KIND = {"group": "fish.example.com", "version": "v1", "kind": "Fish"}
verbs = ["create", "delete", "get", "list", "watch"]
fishes, events = {}, threading.Condition()
log = []
def listed(name, kind, **more): return {"name": name, "kind": kind, "namespaced": True, "singularName": "fish", "verbs": verbs, **more}
PAGES = {
    GROUP: {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "fish.example.com/v1", "resources": [
        listed("fishes", "Fish", shortNames=["fi"], categories=["all"]), listed("fishes/status", "Fish")]},
    "/openapi/v3" + GROUP: {"openapi": "3.0.0", "info": {"title": "fish", "version": "v1"},
        "paths": {GROUP + "/namespaces/{namespace}/fishes": {"get": {"x-kubernetes-action": "list", "x-kubernetes-group-version-kind": KIND}}}, "components": {"schemas": {
        "com.example.fish.v1.Fish": {"type": "object", "description": "Lives in water.",
            "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "size": {"type": "integer", "description": "In centimetres."}},
            "x-kubernetes-group-version-kind": [KIND]}}}},
    "/openapi/v2": {"swagger": "2.0", "info": {"title": "fish", "version": "v1"}, "paths": {}, "definitions": {
        "com.example.fish.v1.Fish": {"type": "object", "description": "Lives in water.",
            "x-kubernetes-group-version-kind": [KIND]}}},
}
class Fishes(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, code, document, kind="application/json"):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def missing(self):
        self.answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "no such fish"})
    def split(self):
        path, _, query = self.path.partition("?")
        return path, query, path.removeprefix(GROUP + "/namespaces/default/fishes").strip("/")
    def do_GET(self):
        path, query, name = self.split()
        if path == "/page/":
            return self.answer(200, b'<html><a href="/there">x</a><img src="https://elsewhere/y"></html>', "text/html")
        if path in PAGES:
            return self.answer(200, PAGES[path])
        if name == "me":
            seen = {k.lower(): self.headers.get_all(k) for k in self.headers if k.lower().startswith(("x-remote", "authorization"))}
            return self.answer(200, seen)
        if name:
            return self.answer(200, fishes[name]) if name in fishes else self.missing()
        if not path.startswith(GROUP):
            return self.missing()
        if "watch=true" not in query:
            return self.answer(200, {"kind": "FishList", "apiVersion": "fish.example.com/v1", "metadata": {"resourceVersion": str(len(log))}, "items": list(fishes.values())})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        at = 0
        while True:
            with events:
                events.wait_for(lambda: len(log) > at)
                line = (json.dumps(log[at]) + "\n").encode()
            at += 1
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
    def do_POST(self):
        fish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = fish["metadata"]["name"]
        fish["metadata"].update(resourceVersion=str(len(log) + 1), uid=name, namespace="default")
        with events:
            fishes[name] = fish
            log.append({"type": "ADDED", "object": fish})
            events.notify_all()
        self.answer(201, fish)
    def do_DELETE(self):
        gone = fishes.pop(self.split()[2], None)
        self.answer(200, gone) if gone else self.missing()
    def log_message(self, *_): pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/keys/tls.crt", "/keys/tls.key")
# Only the front proxy may say who asks.
context.verify_mode = ssl.CERT_REQUIRED if sys.argv[1] == "strict" else ssl.CERT_NONE
context.load_verify_locations(cadata=open("/trust/requestheader-client-ca-file").read())
server = http.server.ThreadingHTTPServer(("", int(sys.argv[2])), Fishes)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PYTHON
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=fish -addext "subjectAltName=DNS:fish.kube-system.svc" \
  -keyout "$root/key.pem" -out "$root/cert.pem" 2>/dev/null
kc -n kube-system create configmap fish --from-file="$root/server.py"
kc -n kube-system create secret tls fish --cert="$root/cert.pem" --key="$root/key.pem"
server() {  # STRICT PORT
  cat <<YAML
  - name: s$2
    image: busybox:test
    command: [/usr/bin/python3, /srv/server.py, $1, "$2"]
    ports: [{containerPort: $2}]
    readinessProbe: {tcpSocket: {port: $2}, periodSeconds: 1}
    volumeMounts:
    - {name: usr, mountPath: /usr, readOnly: true}
    - {name: lib, mountPath: /lib, readOnly: true}
    - {name: lib64, mountPath: /lib64, readOnly: true}
    - {name: code, mountPath: /srv}
    - {name: keys, mountPath: /keys}
    - {name: trust, mountPath: /trust}
YAML
}
kc -n kube-system apply -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: fish, labels: {app: fish}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
$(server strict 8443)
$(server open 9443)
  volumes:
  - {name: usr, hostPath: {path: /usr}}
  - {name: lib, hostPath: {path: /usr/lib}}
  - {name: lib64, hostPath: {path: /usr/lib64}}
  - {name: code, configMap: {name: fish}}
  - {name: keys, secret: {secretName: fish}}
  - {name: trust, configMap: {name: extension-apiserver-authentication}}
---
apiVersion: v1
kind: Service
metadata: {name: fish}
spec: {selector: {app: fish}, ports: [{name: api, port: 443, targetPort: 8443}, {name: open, port: 9443, targetPort: 9443}]}
YAML
kc -n kube-system wait --for=condition=Ready pod/fish --timeout=60s

step "an APIService without its Service says so"
service() {  # NAME PORT CA_BUNDLE
  kc apply -f - <<YAML
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.fish.example.com}
spec: {group: fish.example.com, version: v1, groupPriorityMinimum: 1000, versionPriority: 15, caBundle: $3, service: {name: $1, namespace: kube-system, port: $2}}
YAML
}
why() { kc get apiservice v1.fish.example.com -o 'jsonpath={.status.conditions[0].status} {.status.conditions[0].reason}: {.status.conditions[0].message}'; }
bundle=$(base64 -w0 "$root/cert.pem")
service nobody 443 "$bundle"
eventually contains 'False ServiceNotFound: service/nobody in "kube-system" is not present' why
contains "unable to handle the request" kc get --raw /apis/fish.example.com/v1
contains "False (ServiceNotFound)" kc get apiservices
service fish 444 "$bundle"
eventually contains 'False ServicePortError: service/fish in "kube-system" is not listening on port 444' why
service fish 443 "$bundle"
kc wait --for=condition=Available apiservice/v1.fish.example.com --timeout=30s
contains "True Passed: all checks passed" why

step "kubectl knows its resources"
offered() { kc api-resources --api-group=fish.example.com | grep -q 'fishes *fi *fish.example.com/v1 *true *Fish'; }
eventually offered
contains '"fishes"' kc get --raw /apis/fish.example.com/v1
contains '"preferredVersion":{"groupVersion":"fish.example.com/v1"' kc get --raw /apis/fish.example.com
contains "In centimetres." kc explain fishes.size
contains "com.example.fish.v1.Fish" kc get --raw /openapi/v2
(kc get fishes --watch -o name >"$root/watched") &
background+=($!)
printf 'apiVersion: fish.example.com/v1\nkind: Fish\nmetadata: {name: carp}\nsize: 40\n' | kc create -f -
[[ $(kc get fi carp -o 'jsonpath={.size}') == 40 ]]
contains carp kc get fishes
eventually grep -q carp "$root/watched"
fails "no such fish" kc get fish pike
kc delete fish carp
fails "the server could not find the requested resource" kc get --raw /apis/fish.example.com/v2

step "the server is told who asks, and believes nobody else"
me=/apis/fish.example.com/v1/namespaces/default/fishes/me
contains '"x-remote-user": ["kubernetes-admin"]' kc get --raw "$me"
contains '"x-remote-group": ["system:masters", "system:authenticated"]' kc get --raw "$me"
kc create serviceaccount angler
fails 'cannot get resource "fishes" in API group "fish.example.com"' kc get --raw "$me" --as system:serviceaccount:default:angler
kc create clusterrole fisher --verb=get,list --resource=fishes.fish.example.com
kc create clusterrolebinding fisher --clusterrole=fisher --serviceaccount=default:angler
contains '"x-remote-user": ["system:serviceaccount:default:angler"]' kc get --raw "$me" --as system:serviceaccount:default:angler
url=$(kc config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
claimed=$(curl -sk -H "Authorization: Bearer $(kc create token angler)" -H 'X-Remote-User: admin' -H 'X-Remote-Group: system:masters' "$url$me")
[[ $claimed == *'"x-remote-user": ["system:serviceaccount:default:angler"]'* && $claimed != *masters* && $claimed != *authorization* ]]
[[ $claimed == *'"x-remote-extra-authentication.kubernetes.io%2fcredential-id"'* ]]

step "https targets of the proxy, and links of a page that lead through it"
proxied=/api/v1/namespaces/kube-system/services/https:fish:open/proxy
contains '"fishes"' kc get --raw "$proxied/apis/fish.example.com/v1"
contains '"fishes"' kc get --raw "/api/v1/namespaces/kube-system/services/https:fish:9443/proxy/apis/fish.example.com/v1"
contains '"fishes"' kc get --raw "/api/v1/namespaces/kube-system/pods/https:fish:9443/proxy/apis/fish.example.com/v1"
contains "<a href=\"$proxied/there\">" kc get --raw "$proxied/page/"
contains '<img src="https://elsewhere/y">' kc get --raw "$proxied/page/"
fails 'invalid service request' kc get --raw "/api/v1/namespaces/kube-system/services/ftp:fish:9443/proxy/"

step "a server that cannot be trusted gets no requests, one that is gone is missed"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout /dev/null -out "$root/other.pem" 2>/dev/null
service fish 443 "$(base64 -w0 "$root/other.pem")"
untrusted() { contains "failed to verify certificate: x509" curl -sk -H "Authorization: Bearer $(kc create token angler)" "$url$me"; }
eventually untrusted
service fish 443 "$bundle"
eventually contains x-remote-user kc get --raw "$me"
kc -n kube-system delete pod fish
eventually contains "False MissingEndpoints" why
[[ $(curl -sk -w "%{http_code}" -H "Authorization: Bearer $(kc create token angler)" "$url$me") == *"service unavailable"*503 ]]
contains '"freshness": "Stale"' curl -sk -H "Authorization: Bearer $(kc create token angler)" -H 'Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' "$url/apis"
kc delete apiservice v1.fish.example.com
gone() { ! kc get --raw /apis | grep -q fish.example.com; }
eventually gone
kc create -f - 2>"$root/taken" <<'YAML' && exit 1
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.apps}
spec: {group: apps, version: v1, groupPriorityMinimum: 1000, versionPriority: 15, service: {name: fish, namespace: kube-system}}
YAML
grep -q 'apiservices.apiregistration.k8s.io "v1.apps" already exists' "$root/taken"
echo "all held"
