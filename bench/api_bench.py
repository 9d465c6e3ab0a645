#!/usr/bin/env python3
"""The API of a real cluster over TLS: requests a second and their times for 16 and 256 clients, a list of 5,000
pods, 1,000 watchers, what an object and a watch cost in memory. The peer is a kube-apiserver over etcd, asked the same
by the same client in turn, or, where there is none, etcd alone, asked for the same number of durable puts and
linearizable reads. Needs root and the release binary; leaves nothing behind. See README.md."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from api_peers import BUILD, LOAD_SECONDS, Server, etcd, kube_apiserver, load, missing, say_missing

TREE = pathlib.Path(__file__).resolve().parent.parent
MINIK = BUILD / "bin" / "minik"
PROFILE = "bench-api"
PODS, WATCHERS, CONFIG_MAPS = 5000, 1000, 256
WATCHED_MAPS = 16  # each with a client that writes it as fast as all watchers follow
MAPS_PATH = "/api/v1/namespaces/load/configmaps"
DATA = {"key": "x" * 400}


def figure(name, value, unit, peer_name=None, peer=None):
    line = {"bench": "api", "figure": name, "value": float(f"{value:.6g}"), "unit": unit}
    if peer:
        # A ratio is always ours through theirs for rates, theirs through ours for the rest: more is better.
        ratio = value / peer if unit == "1/s" else peer / value
        line |= {"peer": f"{peer_name}: {peer:.6g}", "ratio": float(f"{ratio:.3g}")}
    print(json.dumps(line), flush=True)


@contextlib.contextmanager
def cluster(home):
    def minik(*words):
        subprocess.run([MINIK, "-p", PROFILE, *words], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "MINIK_HOME": str(home), "KUBECONFIG": str(home / "kubeconfig")})
    minik("start")
    try:
        port = int(re.search(r"api_port=(\d+)", (home / PROFILE / "config").read_text()).group(1))
        daemon = int((home / PROFILE / "run" / "daemon.pid").read_text())
        yield Server("minik", port, home / PROFILE / "pki", [daemon])
    finally:
        minik("delete")


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


def make_pods(server):
    def some(numbers):
        call = server.caller()
        for number in numbers:
            pod = sample_pod(number)
            path = "/api/v1/namespaces/load/pods"
            made = call("POST", path, pod)
            call("PUT", f"{path}/{made['metadata']['name']}/status", {**made, "status": pod["status"]})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(some, [range(start, PODS, 16) for start in range(16)]))


class Requests:
    """What is asked of an API server that has been filled; each method prints nothing and answers api_load's figures."""

    def __init__(self, server, folder):
        self.server, self.name = server, server.name
        self.body = folder / "configmap.json"
        self.body.write_text(json.dumps({"metadata": {"name": "w-@"}, "data": DATA}))

    def fill(self):
        call = self.server.caller()
        for namespace, maps in (("load", CONFIG_MAPS), ("watched", WATCHED_MAPS)):
            call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
            for number in range(maps):
                call("POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": f"own-{number}"}, "data": DATA})
        before = self.server.rss()
        make_pods(self.server)
        self.object_bytes = (self.server.rss() - before) / PODS

    def list_ms(self):
        return self.server.load("get", 1, "/api/v1/namespaces/load/pods")["p50_us"] / 1000

    def reads(self, clients):
        return self.server.load("get", clients, f"{MAPS_PATH}/own-0")

    def durable_writes(self, clients):
        return self.server.load("create", clients, MAPS_PATH, self.body)

    def patch(self, clients):
        return self.server.load("patch", clients, f"{MAPS_PATH}/own-@", '{"data":{"count":"@"}}')

    def watches(self):
        """(bytes of a watch, events a second, p50 and p99 of the delay in ms)"""
        maps = "/api/v1/namespaces/watched/configmaps"
        watched = f"{maps}?watch=1"
        before = self.server.rss()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            paced = pool.submit(self.server.load, "watch", WATCHERS, watched, f"{maps}/own-@", 1, 20)
            time.sleep(LOAD_SECONDS)
            size = (self.server.rss() - before) / WATCHERS
            delays = paced.result()
        full = self.server.load("watch", WATCHERS, watched, f"{maps}/own-@", WATCHED_MAPS, 0)
        return size, full["per_s"], delays["p50_us"] / 1000, delays["p99_us"] / 1000


class EtcdRequests:
    """The same of etcd alone, as far as it knows the like: values as large as our objects."""
    name = "etcd alone"

    def __init__(self, port):
        self.port = port

    def reads(self, clients):
        return load(self.port, "-", "etcd-range", clients, 700)

    def durable_writes(self, clients):
        return load(self.port, "-", "etcd-put", clients, 700)

    patch = durable_writes


def measure(ours, theirs):
    """In turn, so that what else the machine does falls on both."""
    whole = isinstance(theirs, Requests)
    name = theirs.name if theirs else None
    ours.fill()
    if whole:
        theirs.fill()
    figure("api.object_bytes", ours.object_bytes, "B", name, theirs.object_bytes if whole else None)
    figure("api.list_5000_ms", ours.list_ms(), "ms", name, theirs.list_ms() if whole else None)
    for clients in (16, 256):
        for what in ("reads", "durable_writes", "patch"):
            peer = getattr(theirs, what)(clients) if theirs else {}
            got = getattr(ours, what)(clients)
            figure(f"api.{what}_per_s.{clients}_clients", got["per_s"], "1/s", name, peer.get("per_s"))
            for quantile in ("p50", "p99"):
                figure(f"api.{what}.{quantile}_ms.{clients}_clients", got[f"{quantile}_us"] / 1000, "ms", name,
                       peer.get(f"{quantile}_us", 0) / 1000)
    peer = theirs.watches() if whole else [None] * 4
    for what, unit, got, other in zip(("watch_bytes", "watch_events_per_s", "watch_delay_ms.p50", "watch_delay_ms.p99"),
                                      ("B", "1/s", "ms", "ms"), ours.watches(), peer):
        figure(f"api.{what}", got, unit, name, other)


def main():
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "api_load", "minik"], cwd=TREE, check=True,
                   stdout=sys.stderr)
    home = pathlib.Path(tempfile.mkdtemp(prefix="minik-bench-", dir=BUILD))
    absent = missing()
    for name in absent:
        say_missing(name)
    try:
        with contextlib.ExitStack() as stack:
            theirs = None
            if not absent:
                theirs = Requests(stack.enter_context(kube_apiserver(home)), home)
            elif "etcd" not in absent:
                theirs = EtcdRequests(stack.enter_context(etcd(home))[0])
            measure(Requests(stack.enter_context(cluster(home)), home), theirs)
    finally:
        shutil.rmtree(home, ignore_errors=True)


main()
