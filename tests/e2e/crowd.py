#!/usr/bin/env python3
"""A crowd of clients for load_test.sh, each with a connection of its own.

  crowd.py PROFILE_FOLDER pods COUNT            makes pods of a scheduler that nobody is
  crowd.py PROFILE_FOLDER write NAMES STOP      sixteen clients make ConfigMaps until the file STOP is there, over
                                                restarts of the server; NAMES gets what was acknowledged
  crowd.py PROFILE_FOLDER herd COUNT            so many clients watch all pods from the start at the same moment; the
                                                first twenty take all of the answer, the others nothing
"""
import concurrent.futures
import http.client
import json
import pathlib
import re
import resource
import selectors
import socket
import ssl
import sys
import threading
import time

READERS = 20
PODS = "/api/v1/namespaces/load/pods"


class Server:
    def __init__(self, folder):
        self.port = int(re.search(r"api_port=(\d+)", (folder / "config").read_text()).group(1))
        pki = folder / "pki"
        self.ca = str(pki / "ca.crt")
        self.tls = ssl.create_default_context(cafile=self.ca)
        self.tls.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=20)


def post(connection, path, body):
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def make_pods(server, count):
    def some(numbers):
        connection = server.connection()
        for number in numbers:
            status = post(connection, PODS, {
                "metadata": {"name": f"p{number}", "labels": {"app": "crowd"}},
                "spec": {"schedulerName": "nobody", "containers": [{"name": "c", "image": "none"}]}})
            assert status == 201, status
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(some, [range(start, count, 8) for start in range(8)]))


def write(server, names, stop):
    lock = threading.Lock()
    with open(names, "w", encoding="utf-8") as out:
        def one(client):
            number, connection = 0, None
            while not stop.exists():
                number += 1
                try:
                    connection = connection or server.connection()
                    status = post(connection, "/api/v1/namespaces/load/configmaps",
                                  {"metadata": {"name": f"w{client}-{number}"}, "data": {"a": "b" * 200}})
                except (OSError, http.client.HTTPException):
                    connection = None
                    time.sleep(0.05)
                    continue
                if status == 201:
                    with lock:
                        print(f"w{client}-{number}", file=out)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(one, range(16)))


def herd(server, count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    waiting = selectors.DefaultSelector()
    ask = (f"GET {PODS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true "
           "HTTP/1.1\r\nHost: a\r\n\r\n").encode()
    clients = []
    for number in range(count):
        raw = socket.create_connection(("127.0.0.1", server.port))
        client = server.tls.wrap_socket(raw, server_hostname="127.0.0.1")
        client.send(ask)
        clients.append(client)
        if number < READERS:
            client.setblocking(False)
            waiting.register(client, selectors.EVENT_READ, [number, b""])
    done, end = set(), time.monotonic() + 120
    while len(done) < min(count, READERS):
        assert time.monotonic() < end, f"only {len(done)} informers have the end of their list"
        for key, _ in waiting.select(1):
            number, tail = key.data
            try:
                while piece := key.fileobj.recv(65536):
                    tail = (tail + piece)[-70000:]
                    if b"k8s.io/initial-events-end" in tail:
                        done.add(number)
                        tail = b""
                assert number in done, "an informer was cut off before the end of its list"
                waiting.unregister(key.fileobj)
            except (ssl.SSLWantReadError, BlockingIOError):
                pass
            key.data[1] = tail


def main(folder, what, *words):
    server = Server(pathlib.Path(folder))
    if what == "pods":
        make_pods(server, int(words[0]))
    elif what == "write":
        write(server, words[0], pathlib.Path(words[1]))
    elif what == "herd":
        herd(server, int(words[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
