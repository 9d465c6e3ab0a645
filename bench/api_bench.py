#!/usr/bin/env python3
"""The API of a real cluster over TLS: requests a second and their times for 16 and 256 clients, a list of 5,000
pods, 1,000 watchers, what an object and a watch cost in memory. The peer is etcd alone, asked for the same number of
durable puts and linearizable reads by the same client over gRPC: what a kube-apiserver over it could do at the very
most. Needs root and the release binary; leaves nothing behind. See README.md."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parent.parent
BUILD = TREE / "build" / "release"
MINIK = BUILD / "bin" / "minik"
PROFILE = "bench-api"
SECONDS, PODS, WATCHERS = 4, 5000, 1000
PEER = "etcd alone"


def figure(name, value, unit, peer=None):
    line = {"bench": "api", "figure": name, "value": float(f"{value:.6g}"), "unit": unit}
    if peer:
        # A ratio is always ours through theirs for rates, theirs through ours for times: more is better.
        ratio = value / peer if unit == "1/s" else peer / value
        line |= {"peer": f"{PEER}: {peer:.6g}", "ratio": float(f"{ratio:.3g}")}
    print(json.dumps(line), flush=True)


def load(port, folder, mode, clients, *words, seconds=SECONDS):
    done = subprocess.run([BUILD / "bench" / "api_load", str(port), str(folder), mode, str(clients), str(seconds),
                           *map(str, words)], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Cluster:
    def __init__(self, home):
        self.home = home
        self.minik("start")
        self.pki = home / PROFILE / "pki"
        self.port = int(re.search(r"api_port=(\d+)", (home / PROFILE / "config").read_text()).group(1))
        self.daemon = int((home / PROFILE / "run" / "daemon.pid").read_text())
        self.tls = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        self.tls.load_cert_chain(str(self.pki / "admin.crt"), str(self.pki / "admin.key"))

    def minik(self, *words):
        subprocess.run([MINIK, "-p", PROFILE, *words], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "MINIK_HOME": str(self.home), "KUBECONFIG": str(self.home / "kubeconfig")})

    def rss(self):
        status = pathlib.Path(f"/proc/{self.daemon}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024

    def caller(self):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls)

        def call(method, path, body=None):
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {text[:300]}")
            return json.loads(text)
        return call

    def load(self, *words, **options):
        return load(self.port, self.pki, *words, **options)


def sample_pod(number):
    """As a Deployment's pod looks when it runs, but of a scheduler that nobody is."""
    done = {"status": "True", "lastTransitionTime": "2026-01-01T00:00:03Z"}
    address = f"10.9.{number >> 8}.{number & 255}"
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": f"web-6d4cf56db6-{number:05}", "generateName": "web-6d4cf56db6-",
                     "labels": {"app": "web", "pod-template-hash": "6d4cf56db6"}},
        "spec": {"schedulerName": "nobody", "containers": [{
            "name": "web", "image": "registry.example.com/shop/web:1.2.3",
            "ports": [{"containerPort": 8080}], "env": [{"name": "MODE", "value": "production"}],
            "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}}}]},
        "status": {
            "phase": "Running", "hostIP": "192.168.0.7", "podIP": address, "podIPs": [{"ip": address}],
            "startTime": "2026-01-01T00:00:01Z",
            "conditions": [{"type": kind, **done} for kind in ("PodReadyToStartContainers", "Initialized", "Ready",
                                                               "ContainersReady", "PodScheduled")],
            "containerStatuses": [{
                "name": "web", "state": {"running": {"startedAt": "2026-01-01T00:00:02Z"}}, "ready": True,
                "restartCount": 0, "image": "registry.example.com/shop/web:1.2.3", "started": True,
                "imageID": f"sha256:{number:064x}", "containerID": f"minik://{number:032x}", "lastState": {}}]}}


def make_pods(cluster):
    def some(numbers):
        call = cluster.caller()
        for number in numbers:
            pod = sample_pod(number)
            path = "/api/v1/namespaces/load/pods"
            made = call("POST", path, pod)
            call("PUT", f"{path}/{made['metadata']['name']}/status", {**made, "status": pod["status"]})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(some, [range(start, PODS, 16) for start in range(16)]))


@contextlib.contextmanager
def etcd(folder):
    """Debian's etcd-server; yields its port, or nothing with the reason on standard error."""
    program = shutil.which("etcd")
    if not program:
        print("bench/api: no peer, because etcd-server is not installed", file=sys.stderr)
        yield None
        return
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    server = subprocess.Popen([
        program, "--data-dir", str(folder / "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        "--log-level", "error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = int(client.rsplit(":", 1)[1])
        for _ in range(200):
            with contextlib.suppress(OSError, http.client.HTTPException):
                probe = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
                probe.request("GET", "/health")
                if b"true" in probe.getresponse().read():
                    break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()


def measure_requests(cluster, peer_port, body):
    config_maps = "/api/v1/namespaces/load/configmaps"
    for clients in (16, 256):
        # Peer and cluster in turn, so that what else the machine does falls on both.
        peer_read = load(peer_port, "-", "etcd-range", clients, 700) if peer_port else {}
        read = cluster.load("get", clients, f"{config_maps}/own-0")
        peer_write = load(peer_port, "-", "etcd-put", clients, 700) if peer_port else {}
        write = cluster.load("create", clients, config_maps, body)
        patch = cluster.load("patch", clients, f"{config_maps}/own-@", '{"data":{"count":"@"}}')
        for name, got, peer in (("reads", read, peer_read), ("durable_writes", write, peer_write),
                                ("patch", patch, peer_write)):
            figure(f"api.{name}_per_s.{clients}_clients", got["per_s"], "1/s", peer.get("per_s"))
            for quantile in ("p50", "p99"):
                peer_time = peer.get(f"{quantile}_us")
                figure(f"api.{name}.{quantile}_ms.{clients}_clients", got[f"{quantile}_us"] / 1000, "ms",
                       peer_time and peer_time / 1000)


def measure_watches(cluster):
    config_maps = "/api/v1/namespaces/load/configmaps"
    watched = f"{config_maps}?watch=1&fieldSelector=metadata.name%3Down-0"
    before = cluster.rss()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        paced = pool.submit(cluster.load, "watch", WATCHERS, watched, f"{config_maps}/own-0", 20)
        time.sleep(SECONDS)
        figure("api.watch_bytes", (cluster.rss() - before) / WATCHERS, "B")
        delays = paced.result()
    full = cluster.load("watch", WATCHERS, watched, f"{config_maps}/own-0", 0)
    figure("api.watch_events_per_s", full["per_s"], "1/s")
    figure("api.watch_delay_ms.p50", delays["p50_us"] / 1000, "ms")
    figure("api.watch_delay_ms.p99", delays["p99_us"] / 1000, "ms")


def main():
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "api_load", "minik"], cwd=TREE, check=True,
                   stdout=sys.stderr)
    home = pathlib.Path(tempfile.mkdtemp(prefix="minik-bench-", dir=BUILD))
    cluster = None
    try:
        cluster = Cluster(home)
        call = cluster.caller()
        call("POST", "/api/v1/namespaces", {"metadata": {"name": "load"}})
        data = {"key": "x" * 400}
        for number in range(256):
            call("POST", "/api/v1/namespaces/load/configmaps", {"metadata": {"name": f"own-{number}"}, "data": data})
        before = cluster.rss()
        make_pods(cluster)
        figure("api.object_bytes", (cluster.rss() - before) / PODS, "B")
        figure("api.list_5000_ms", cluster.load("get", 1, "/api/v1/namespaces/load/pods")["p50_us"] / 1000, "ms")
        body = home / "configmap.json"
        body.write_text(json.dumps({"metadata": {"name": "w-@"}, "data": data}))
        with etcd(home) as peer_port:
            measure_requests(cluster, peer_port, body)
        measure_watches(cluster)
    finally:
        if cluster:
            cluster.minik("delete")
        shutil.rmtree(home, ignore_errors=True)


main()
