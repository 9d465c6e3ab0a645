#!/usr/bin/env python3
"""Clients that mean no good, for attack_test.sh: each attack stands while the daemon is measured, and then ends.

  attack.py PROFILE_FOLDER PID

Prints a line for each attack: how many MiB the daemon has more than before, and how long a well-behaved client waited.
Ends with 1 when either is more than it should be.
"""
import contextlib
import http.client
import json
import pathlib
import resource
import socket
import ssl
import sys
import time

from crowd import Server

# What limits.h allows for bodies of all together is 128 MiB; answers that nobody takes may be 256 MiB.
GROWTH_MIB_MAX = 640
WAIT_S_MAX = 5


def rss_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


class Attacker:
    def __init__(self, server):
        self.server = server
        self.nobody = ssl.create_default_context(cafile=server.ca)
        self.open = []

    def plain(self):
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=5)
        self.open.append(connection)
        return connection

    def tls(self, context):
        connection = context.wrap_socket(self.plain(), server_hostname="127.0.0.1")
        self.open.append(connection)
        return connection

    def end(self):
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.close()
        self.open = []


def push(connection, data):
    """As much as is taken; who is cut off or held back has met his limit."""
    connection.settimeout(0.1)
    with contextlib.suppress(OSError):
        connection.sendall(data)


def idle_connections(attacker):
    for _ in range(6000):
        with contextlib.suppress(OSError):
            attacker.plain()


def slow_heads(attacker):
    for _ in range(600):
        with contextlib.suppress(OSError):
            push(attacker.tls(attacker.nobody), b"GET /api HTTP/1.1\r\nHost: a\r\nX-Slow: " + b"x" * 30_000)


def garbage(attacker):
    for number in range(600):
        with contextlib.suppress(OSError):
            push(attacker.plain(), bytes([22, 3, 1, 64, 0]) + bytes([number % 256]) * 20_000)


def bodies_of_strangers(attacker):
    head = b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n"
    for _ in range(200):
        with contextlib.suppress(OSError):
            push(attacker.tls(attacker.nobody), head + b"x" * 1_000_000)


def bodies_without_end(attacker):
    head = b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n"
    for _ in range(200):
        with contextlib.suppress(OSError):
            push(attacker.tls(attacker.server.tls), head + b"x" * 2_900_000)


def uploads_to_nobody(attacker):
    head = (b"POST /api/v1/namespaces/default/services/kubernetes:443/proxy/ HTTP/1.1\r\nHost: a\r\n"
            b"Content-Length: 100000000000\r\n\r\n")
    for _ in range(50):
        with contextlib.suppress(OSError):
            push(attacker.tls(attacker.server.tls), head + b"x" * 5_000_000)


def nesting(attacker):
    body = b"[" * 2_900_000
    for _ in range(20):
        with contextlib.suppress(OSError):
            push(attacker.tls(attacker.server.tls),
                 b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)


def watchers_that_do_not_read(attacker):
    for _ in range(200):
        with contextlib.suppress(OSError):
            push(attacker.tls(attacker.server.tls), b"GET /api/v1/configmaps?watch=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    writer = attacker.server.connection()
    path = "/api/v1/namespaces/default/configmaps/large"
    for number in range(400):
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"},
                           "data": {"number": str(number), "text": "x" * 100_000}})
        writer.request("PATCH", f"{path}?fieldManager=attack&force=true", body,
                       {"Content-Type": "application/apply-patch+yaml"})
        answer = writer.getresponse()
        answer.read()
        assert answer.status in (200, 201), answer.status


ATTACKS = [idle_connections, slow_heads, garbage, bodies_of_strangers, bodies_without_end, uploads_to_nobody, nesting,
           watchers_that_do_not_read]


def well_behaved(server):
    """Seconds until somebody new has his answer; a connection that made room is tried again."""
    began = time.monotonic()
    for _ in range(20):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = server.connection()
            connection.request("GET", "/api/v1/namespaces/default")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return time.monotonic() - began
    return float("inf")


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, max(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    server = Server(pathlib.Path(sys.argv[1]))
    pid = int(sys.argv[2])
    before = rss_mib(pid)
    failed = False
    for attack in ATTACKS:
        attacker = Attacker(server)
        attack(attacker)
        waited, growth = well_behaved(server), rss_mib(pid) - before
        attacker.end()
        bad = waited > WAIT_S_MAX or growth > GROWTH_MIB_MAX
        failed = failed or bad
        print(f"{attack.__name__}: {growth} MiB more, {waited * 1000:.0f} ms{' FAILED' if bad else ''}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
