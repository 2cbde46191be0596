"""A bucket of Google Cloud Storage in this process: as much of its JSON interface as TensorStore asks for."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs, unquote, urlsplit


class Bucket(BaseHTTPRequestHandler):
    """Objects by name, each with the number of its last change, on which conditional writes depend."""

    protocol_version = "HTTP/1.1"
    objects, lock, changes = {}, threading.Lock(), count(1)

    def log_message(self, *words):
        pass

    def reply(self, status, content=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(content)

    def asked(self):
        parts = urlsplit(self.path)
        name = unquote(parts.path.split("/o/", 1)[1]) if "/o/" in parts.path else None
        return name, {key: values[0] for key, values in parse_qs(parts.query).items()}

    def describe(self, name):
        content, change = self.objects[name]
        return dict(name=name, generation=str(change), size=str(len(content)), kind="storage#object")

    def do_GET(self):
        name, query = self.asked()
        if name is None:
            first, last, prefix = (
                query.get("startOffset", ""),
                query.get("endOffset", "\uffff"),
                query.get("prefix", ""),
            )
            with self.lock:
                chosen = sorted(n for n in self.objects if n.startswith(prefix) and first <= n < last)
                items = [self.describe(n) for n in chosen]
            self.reply(200, json.dumps(dict(kind="storage#objects", items=items)).encode())
            return
        with self.lock:
            found = self.objects.get(name)
        if found is None:
            self.reply(404)
        elif query.get("ifGenerationNotMatch") == str(found[1]):
            self.reply(304)
        else:
            self.send_part(*found)

    def send_part(self, content, change):
        shared = dict(x_goog_generation=change, Date=self.date_time_string())
        wanted = self.headers.get("Range")
        if wanted is None:
            self.reply(200, content, **shared)
            return
        start, end = wanted.split("=")[1].split("-")
        part = content[-int(end) :] if start == "" else content[int(start) : int(end) + 1 if end else None]
        place = f"bytes {start or 0}-{int(start or 0) + len(part) - 1}/{len(content)}"
        self.reply(206, part, Content_Range=place, **shared)

    def do_POST(self):
        _, query = self.asked()
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.lock:
            name = query["name"]
            present = self.objects.get(name, (b"", 0))[1]
            if query.get("ifGenerationMatch", str(present)) != str(present):
                self.reply(412)
                return
            self.objects[name] = (content, next(self.changes))
            described = json.dumps(self.describe(name)).encode()
        self.reply(200, described)

    def do_DELETE(self):
        name, _ = self.asked()
        with self.lock:
            found = self.objects.pop(name, None)
        self.reply(204 if found else 404)


@contextmanager
def serve():
    """Gives the variables with which TensorStore finds the bucket in the place of Google's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield dict(
            TENSORSTORE_GCS_HTTP_URL=f"http://127.0.0.1:{server.server_port}", GOOGLE_AUTH_TOKEN_FOR_TESTING="none"
        )
    finally:
        server.shutdown()
        server.server_close()
