"""A registry that asks who one is: usage: registry.py OCI_LAYOUT USER:PASSWORD; prints its port.

Serves one image, the first of the layout, under every name and tag, by Basic authentication.
"""
import base64
import http.server
import json
import pathlib
import sys

layout = pathlib.Path(sys.argv[1])
wanted = "Basic " + base64.b64encode(sys.argv[2].encode()).decode()
image = json.loads((layout / "index.json").read_text())["manifests"][0]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self):
        if self.headers.get("Authorization") != wanted:
            return self.answer(401, WWW_Authenticate='Basic realm="test"')
        kind, _, last = self.path.rpartition("/")
        digest = image["digest"] if kind.endswith("/manifests") else last
        blob = layout / "blobs" / digest.replace(":", "/")
        if kind.endswith("/v2"):
            return self.answer(200, b"{}")
        if not kind.endswith(("/manifests", "/blobs")) or not blob.is_file():
            return self.answer(404)
        of_manifest = image["mediaType"] if kind.endswith("/manifests") else "application/octet-stream"
        self.answer(200, blob.read_bytes(), Content_Type=of_manifest, Docker_Content_Digest=digest)

    do_HEAD = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
