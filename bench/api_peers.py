"""Whom bench/api_bench.py measures beside minik: a kube-apiserver over etcd, or etcd alone.

Both come from Debian: etcd-server is a package, kube-apiserver is built from the source package `kubernetes` by
bench/build_kube_apiserver and found on the PATH."""
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
import time

BUILD = pathlib.Path(__file__).resolve().parent.parent / "build" / "release"
LOAD_SECONDS = 4


def load(port, folder, mode, clients, *words, seconds=LOAD_SECONDS):
    done = subprocess.run([BUILD / "bench" / "api_load", str(port), str(folder), mode, str(clients), str(seconds),
                           *map(str, words)], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


class Server:
    """An API server at a port of loopback: `pki` holds ca.crt, admin.crt and admin.key, `pids` all its processes."""

    def __init__(self, name, port, pki, pids):
        self.name, self.port, self.pki, self.pids = name, port, pki, pids
        self.tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self.tls.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))

    def rss(self):
        status = (pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.pids)
        return sum(int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) * 1024 for text in status)

    def caller(self):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls)

        def call(method, path, body=None):
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{self.name}: {method} {path}: {text[:300]}")
            return json.loads(text) if text[:1] == b"{" else text
        return call

    def load(self, *words, **options):
        return load(self.port, self.pki, *words, **options)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(words, log):
    with open(log, "wb") as out:
        process = subprocess.Popen([str(word) for word in words], stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(ask, process, what, log):
    for _ in range(600):
        with contextlib.suppress(OSError, http.client.HTTPException, RuntimeError):
            if b"true" in ask() or b"ok" in ask():
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"{what} does not come up:\n{log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def etcd(folder):
    """Debian's etcd-server with its defaults; yields its port and its process."""
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    words = ["etcd", "--data-dir", folder / "etcd", "--listen-client-urls", client, "--advertise-client-urls", client,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster",
             f"default={peer}", "--log-level", "error"]
    log = folder / "etcd.log"
    with running(words, log) as process:
        port = int(client.rsplit(":", 1)[1])

        def health():
            probe = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            probe.request("GET", "/health")
            return probe.getresponse().read()
        wait_for(health, process, "etcd", log)
        yield port, process


def make_pki(folder):
    """An authority, a server for 127.0.0.1, an administrator, and a key for ServiceAccount tokens."""
    folder.mkdir()

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=bench", "-days", "2")
    openssl("genrsa", "-out", "tokens.key", "2048")
    for name, subject, use in (("server", "/CN=kube-apiserver", "serverAuth"),
                               ("admin", "/O=system:masters/CN=admin", "clientAuth")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (folder / f"{name}.ext").write_text(f"extendedKeyUsage={use}\nsubjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                f"{name}.crt", "-days", "2", "-extfile", f"{name}.ext")
    return folder


@contextlib.contextmanager
def kube_apiserver(folder):
    """A kube-apiserver over an etcd of its own, with what kubeadm sets; yields a Server. Pods need no ServiceAccount,
    as nobody makes one here."""
    version = subprocess.run(["kube-apiserver", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    with etcd(folder) as (etcd_port, etcd_process):
        port, pki, log = free_port(), make_pki(folder / "pki"), folder / "kube-apiserver.log"
        words = ["kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{etcd_port}", "--bind-address", "127.0.0.1",
                 "--secure-port", port, "--endpoint-reconciler-type", "none", "--client-ca-file", pki / "ca.crt",
                 "--tls-cert-file", pki / "server.crt", "--tls-private-key-file", pki / "server.key",
                 "--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction",
                 "--disable-admission-plugins", "ServiceAccount", "--service-cluster-ip-range", "10.96.0.0/16",
                 "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file",
                 pki / "tokens.key", "--service-account-signing-key-file", pki / "tokens.key", "--cert-dir", folder]
        with running(words, log) as process:
            name = f"kube-apiserver {version.split()[-1]} with etcd"
            server = Server(name, port, pki, [process.pid, etcd_process.pid])
            wait_for(lambda: server.caller()("GET", "/readyz"), process, "kube-apiserver", log)
            yield server


def missing():
    """The programs that would be needed and are not there."""
    return [name for name in ("etcd", "kube-apiserver") if not shutil.which(name, path=os.environ["PATH"])]


def say_missing(name):
    package = {"etcd": "Debian's etcd-server is not installed",
               "kube-apiserver": "it is not on the PATH; bench/build_kube_apiserver makes one"}
    print(f"bench/api: no {name}: {package[name]}", file=sys.stderr)
