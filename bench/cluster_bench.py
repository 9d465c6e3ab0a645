#!/usr/bin/env python3
"""A real cluster from outside: how fast it starts, what it costs while idle and how fast a pod runs. Needs root and
the release binary; leaves nothing behind."""
import http.client
import json
import os
import pathlib
import re
import shutil
import ssl
import statistics
import subprocess
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parent.parent
MINIK = TREE / "build" / "release" / "bin" / "minik"
PROFILE = "bench"
PODS, STARTS = 30, 5


def figure(name, value, unit):
    print(json.dumps({"bench": "cluster", "figure": name, "value": float(f"{value:.6g}"), "unit": unit}), flush=True)


class Api:
    """One connection of the administrator."""

    def __init__(self, home):
        pki = home / PROFILE / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))
        port = int(re.search(r"api_port=(\d+)", (home / PROFILE / "config").read_text()).group(1))
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {text[:200]}")
        return json.loads(text)


def minik(home, *words):
    subprocess.run([MINIK, "-p", PROFILE, *words], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "MINIK_HOME": str(home), "KUBECONFIG": str(home / "kubeconfig")})


def timed(work):
    begin = time.monotonic()
    work()
    return (time.monotonic() - begin) * 1000


def pod(name):
    return {"metadata": {"name": name}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
        {"name": "c", "image": "minik/demo:latest", "imagePullPolicy": "IfNotPresent"}]}}


def create_to_running(api, name):
    begin = time.monotonic()
    api.call("POST", "/api/v1/namespaces/default/pods", pod(name))
    while api.call("GET", f"/api/v1/namespaces/default/pods/{name}")["status"].get("phase") != "Running":
        time.sleep(0.001)
    return (time.monotonic() - begin) * 1000


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="minik-bench-"))
    try:
        minik(home, "start")
        minik(home, "stop")
        api_ready, node_ready = [], []
        for _ in range(STARTS):
            api_ready.append(timed(lambda: minik(home, "start", "--no-wait")))
            minik(home, "stop")
            node_ready.append(timed(lambda: minik(home, "start")))
            minik(home, "stop")
        figure("start.api_ready_ms", statistics.median(api_ready), "ms")
        figure("start.node_ready_ms", statistics.median(node_ready), "ms")
        minik(home, "start")
        daemon = int((home / PROFILE / "run" / "daemon.pid").read_text())
        time.sleep(2)
        cpu = lambda: sum(map(int, pathlib.Path(f"/proc/{daemon}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        before = cpu()
        time.sleep(10)
        figure("idle.cpu_percent", (cpu() - before) / os.sysconf("SC_CLK_TCK") * 10, "%")
        rss = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{daemon}/status").read_text())
        figure("idle.rss_mib", int(rss.group(1)) / 1024, "MiB")
        api = Api(home)
        times = sorted(create_to_running(api, f"p{i}") for i in range(PODS))
        figure("pod.create_to_running_ms.p50", times[len(times) // 2], "ms")
        figure("pod.create_to_running_ms.p99", times[-1], "ms")
    finally:
        minik(home, "delete")
        shutil.rmtree(home, ignore_errors=True)


main()
