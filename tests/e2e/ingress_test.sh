#!/usr/bin/env bash
# An Ingress answers on the laptop: hosts, paths, TLS, upgrades of the application under load.
source "$(dirname "$0")/lib.sh" "$1"
run start >/dev/null
for name in front back; do
  kc create deployment $name --image=minik/demo:latest --replicas=2
  kc patch deployment $name -p '{"spec":{"template":{"spec":{"containers":[{"name":"demo","env":[{"name":"SIDE","value":"'$name'"}],
    "readinessProbe":{"httpGet":{"path":"/readyz","port":8080},"periodSeconds":1},
    "lifecycle":{"preStop":{"sleep":{"seconds":1}}}}]}}}}'
  kc expose deployment $name --port=80 --target-port=8080
done
http=$(run status -o json | sed -n 's|.*"ingress": "http://\([^"]*\)".*|\1|p')
https=$(run status -o json | sed -n 's|.*"ingressTls": "https://\([^"]*\)".*|\1|p')
ask() { curl -s -m 10 -H "Host: ${2:-web.example}" "http://$http$1"; }
code() { curl -s -m 10 -o /dev/null -w '%{http_code}' -H "Host: ${2:-web.example}" "http://$http$1"; }
eventually curl -s "http://$http/"

step "an Ingress from kubectl create, with an address"
[[ $(code /) == 404 ]]
kc create ingress web --rule='web.example/*=front:80' --rule='web.example/back*=back:80' --rule='*.wild.example/*=back:80'
kc rollout status deployment/front --timeout=60s
kc rollout status deployment/back --timeout=60s
eventually contains "127.0.0.1" kc get ingress web
contains "minik" kc get ingress web -o jsonpath='{.spec.ingressClassName}'
eventually contains "SIDE=front" ask /env
contains "pod:     back-" ask /back
contains "pod:     front-" ask /backwards
contains "SIDE=back" ask /env a.wild.example
[[ $(code /env other.example) == 404 ]]
contains "x-forwarded-proto: http" ask /
contains "host: web.example" ask /

step "503 while nobody serves, and names the Service"
kc create ingress none --rule='none.example/*=nobody:80'
eventually contains "service default/nobody:80 does not exist" ask / none.example
[[ $(code / none.example) == 503 ]]

step "TLS with the Ingress' own certificate, by name"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=secure.example \
  -addext subjectAltName=DNS:secure.example -keyout "$root/tls.key" -out "$root/tls.crt" 2>/dev/null
kc create secret tls secure --cert="$root/tls.crt" --key="$root/tls.key"
kc create ingress secure --rule='secure.example/*=front:80,tls=secure'
secure() {
  curl -s -m 10 --cacert "$root/tls.crt" --resolve "secure.example:${https##*:}:127.0.0.1" "https://secure.example:${https##*:}$1"
}
eventually secure /env
contains "SIDE=front" secure /env
contains "x-forwarded-proto: https" secure /

step "no request fails during a rolling update"
(
  failed=0
  for _ in $(seq 300); do
    [[ $(code /) == 200 ]] || failed=$((failed + 1))
    sleep 0.01
  done
  echo "$failed" >"$root/failed"
) &
load=$!
kc set env deployment/front VERSION=2
kc rollout status deployment/front --timeout=60s
wait "$load"
[[ $(cat "$root/failed") == 0 ]] || { echo "$(cat "$root/failed") of 300 requests failed"; exit 1; }

step "what a person typed wrong"
fails "Invalid value" kc create ingress bad --rule='Not_A_Host/*=front:80'
kc delete ingress web
gone() { [[ $(code /env) == 404 ]]; }
eventually gone
echo "all held"
