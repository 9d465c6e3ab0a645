#!/usr/bin/env bash
# Admission and conversion webhooks over real HTTPS, on the machine and in a pod behind a Service, and admission policies,
# by the real kubectl.
source "$(dirname "$0")/lib.sh" "$1"
command -v openssl >/dev/null || { echo "SKIPPED: no openssl on this machine"; exit 77; }
run start >/dev/null

step "a webhook server of its own, with its own authority"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hooks -addext "subjectAltName=IP:127.0.0.1,DNS:hooks.default.svc" \
  -keyout "$root/key.pem" -out "$root/cert.pem" 2>/dev/null
cat >"$root/hooks.py" <<'PYTHON'
import base64, http.server, json, ssl, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/convert"):
            return self.answer({**review, "request": None, "response": self.convert(review["request"])})
        answer = {"uid": review["request"]["uid"], "allowed": True}
        if self.path.startswith("/mutate"):
            patch = [{"op": "add", "path": "/data/added", "value": review["request"]["operation"]}]
            answer.update(patchType="JSONPatch", patch=base64.b64encode(json.dumps(patch).encode()).decode())
        elif self.path.startswith("/connect"):
            options = review["request"]["object"]
            answer.update(allowed=False, status={"code": 403, "message": options["kind"] + " " + " ".join(options["command"])})
        elif "bad" in (review["request"]["object"] or {}).get("data", {}):
            answer.update(allowed=False, status={"code": 403, "message": "bad data"})
        else:
            answer.update(warnings=["seen by the webhook"])
        self.answer({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})
    def convert(self, request):
        for one in request["objects"]:
            spec, one["apiVersion"] = one["spec"], request["desiredAPIVersion"]
            if one["apiVersion"].endswith("v2"):
                one["spec"] = dict(zip(("host", "port"), spec["address"].split(":")))
            else:
                one["spec"] = {"address": spec["host"] + ":" + spec["port"]}
        return {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": request["objects"]}
    def answer(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer((sys.argv[4], int(sys.argv[5])), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
open(sys.argv[3], "w").write(str(server.server_address[1]))
server.serve_forever()
PYTHON
python3 "$root/hooks.py" "$root/cert.pem" "$root/key.pem" "$root/port" 127.0.0.1 0 &
background+=($!)
eventually test -s "$root/port"
bundle=$(base64 -w0 "$root/cert.pem")
hook() {  # KIND PATH CLIENT_CONFIG
  kc apply -f - <<YAML
apiVersion: admissionregistration.k8s.io/v1
kind: $1WebhookConfiguration
metadata: {name: $2}
webhooks:
- name: $2.hooks.example.com
  clientConfig: $3
  admissionReviewVersions: [v1]
  sideEffects: None
  timeoutSeconds: 5
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}
  rules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE, UPDATE]}]
YAML
}
url=https://127.0.0.1:$(cat "$root/port")
hook Mutating mutate "{url: '$url/mutate', caBundle: $bundle}"
hook Validating validate "{url: '$url/validate', caBundle: $bundle}"

step "it changes, warns and refuses"
contains "Warning: seen by the webhook" kc create configmap good --from-literal=a=1
[[ $(kc get configmap good -o jsonpath='{.data.added}') == CREATE ]]
fails 'admission webhook "validate.hooks.example.com" denied the request: bad data' kc create configmap wrong --from-literal=bad=1
kc -n kube-system create configmap elsewhere --from-literal=bad=1

step "one that cannot be reached or trusted stops the write"
hook Validating validate "{url: '$url/validate'}"
fails "tls: failed to verify certificate" kc create configmap untrusted --from-literal=a=1
hook Validating validate "{service: {name: nobody, namespace: default}}"
fails 'failed calling webhook "validate.hooks.example.com": failed to call webhook: Post "https://nobody.default.svc:443/?timeout=5s": service "nobody" not found' \
  kc create configmap lost --from-literal=a=1
kc delete validatingwebhookconfiguration validate
kc delete mutatingwebhookconfiguration mutate

step "a connection is shown to whoever asked for it"
kc run shell --image=minik/demo:latest
kc wait --for=condition=Ready pod/shell --timeout=30s
kc apply -f - <<YAML
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: connect}
webhooks:
- name: connect.hooks.example.com
  clientConfig: {url: '$url/connect', caBundle: $bundle}
  admissionReviewVersions: [v1]
  sideEffects: None
  rules: [{apiGroups: [""], apiVersions: [v1], resources: [pods/exec], operations: [CONNECT]}]
YAML
fails 'admission webhook "connect.hooks.example.com" denied the request: PodExecOptions ls -l' kc exec shell -- ls -l
kc delete validatingwebhookconfiguration connect

step "a pod behind a Service is a webhook too"
if command -v umoci >/dev/null && command -v skopeo >/dev/null && command -v busybox >/dev/null; then
  load_busybox
  kc apply -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: hooks, labels: {app: hooks}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: hooks
    image: busybox:test
    command: [/usr/bin/python3, -u, /hooks/hooks.py, /hooks/cert.pem, /hooks/key.pem, /tmp/port, 0.0.0.0, "8443"]
    readinessProbe: {tcpSocket: {port: 8443}, periodSeconds: 1}
    volumeMounts:
    - {name: hooks, mountPath: /hooks, readOnly: true}
    - {name: usr, mountPath: /usr, readOnly: true}
    - {name: lib, mountPath: /lib, readOnly: true}
    - {name: lib64, mountPath: /lib64, readOnly: true}
  volumes:
  - {name: hooks, hostPath: {path: $root}}
  - {name: usr, hostPath: {path: /usr}}
  - {name: lib, hostPath: {path: $(realpath /lib)}}
  - {name: lib64, hostPath: {path: $(realpath /lib64)}}
---
apiVersion: v1
kind: Service
metadata: {name: hooks}
spec: {selector: {app: hooks}, ports: [{port: 443, targetPort: 8443}]}
YAML
  kc wait --for=condition=Ready pod/hooks --timeout=30s
  hook Mutating mutate "{service: {name: hooks, namespace: default, path: /mutate}, caBundle: $bundle}"
  hook Validating validate "{service: {name: hooks, namespace: default, path: /validate}, caBundle: $bundle}"
  changed() { kc create configmap "$1" --from-literal=a=1 && [[ $(kc get configmap "$1" -o jsonpath='{.data.added}') == CREATE ]]; }
  eventually changed inside-"$RANDOM"
  fails 'admission webhook "validate.hooks.example.com" denied the request: bad data' kc create configmap wrong --from-literal=bad=1
  kc delete mutatingwebhookconfiguration mutate
  kc delete pod hooks --now
  fails 'failed calling webhook "validate.hooks.example.com": failed to call webhook: Post "https://hooks.default.svc:443/validate?timeout=5s"' \
    kc create configmap nobody --from-literal=a=1 --dry-run=server
  kc delete validatingwebhookconfiguration validate
fi

step "a webhook converts custom resources"
kc apply -f - <<YAML
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: places.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: places, kind: Place}
  conversion:
    strategy: Webhook
    webhook: {conversionReviewVersions: [v1], clientConfig: {url: '$url/convert', caBundle: $bundle}}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {address: {type: string}}}}}}}
  - {name: v2, served: true, storage: false, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {host: {type: string}, port: {type: string}}}}}}}
YAML
kc wait --for=condition=Established crd/places.example.com --timeout=10s
printf 'apiVersion: example.com/v2\nkind: Place\nmetadata: {name: here}\nspec: {host: h, port: "1"}\n' | kc apply -f -
[[ $(kc get places.v1.example.com here -o jsonpath='{.spec.address}') == h:1 ]]
kc patch places.v2.example.com here --type=merge -p '{"spec":{"port":"2"}}'
[[ $(kc get places.v2.example.com -o jsonpath='{.items[0].spec.port}') == 2 ]]

step "a policy says no in the words of its author"
kc apply -f - <<'YAML'
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE, UPDATE]}]
  validations: [{expression: object.spec.replicas <= 3, message: at most three replicas}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: replicas}
spec: {policyName: replicas, validationActions: [Deny]}
YAML
fails "ValidatingAdmissionPolicy 'replicas' with binding 'replicas' denied request: at most three replicas" \
  kc create deployment many --image=minik/demo:latest --replicas=4
kc create deployment few --image=minik/demo:latest --replicas=1

step "the type check of a policy names the field that is not there"
kc apply -f - <<'YAML'
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: typo}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE]}]
  validations: [{expression: object.replicas > 1}]
YAML
checked() { [[ $(kc get validatingadmissionpolicy typo -o jsonpath='{.status.typeChecking.expressionWarnings[0].warning}') == *"$1"* ]]; }
eventually checked "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'"

step "a policy adds what a manifest forgets"
kc apply -f - <<'YAML'
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: sidecar}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE]}]
  matchConditions: [{name: once, expression: "!object.spec.template.spec.containers.exists(c, c.name == 'sidecar')"}]
  reinvocationPolicy: IfNeeded
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >-
        Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [
          Object.spec.template.spec.containers{name: "sidecar", image: "minik/demo:latest",
            env: [Object.spec.template.spec.containers.env{name: "PORT", value: "8081"}]}]}}}}
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        [JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/by"), value: request.userInfo.username}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: sidecar}
spec: {policyName: sidecar}
YAML
kc create deployment helped --image=minik/demo:latest
contains "sidecar" kc get deployment helped -o jsonpath='{.spec.template.spec.containers[*].name}'
[[ -n $(kc get deployment helped -o jsonpath='{.metadata.labels.example\.com/by}') ]]
kc rollout status deployment/helped --timeout=60s
contains "it is applied again" kc explain mutatingadmissionpolicy.spec.reinvocationPolicy
