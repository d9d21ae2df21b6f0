"""A web server on loopback that serves bytes with ETags and ranges, and can break off, refuse, redirect and stall."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """`files` by path; `asked` is every request as (method, path, range, authorization)."""

    def __init__(self):
        self.files, self.asked, self.statuses, self.redirects = {}, [], {}, {}
        self.break_after, self.ranges, self.tags, self.length = None, True, True, True

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def listening(handler):
    """Serve by a handler on loopback; the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving():
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer("HEAD")

        def do_GET(self):
            self.answer("GET")

        def answer(self, method):
            web.asked.append((method, self.path, self.headers.get("Range"), self.headers.get("Authorization")))
            if self.path in web.redirects:
                self.send_response(302)
                self.send_header("Location", web.redirects[self.path])
                self.end_headers()
                return
            if web.statuses.get((method, self.path)):
                self.send_response(web.statuses[method, self.path].pop(0))
                self.end_headers()
                return
            if self.path not in web.files:
                self.send_response(404)
                self.end_headers()
                return
            content = web.files[self.path]
            tag, start = f'"{hash(content):x}"', 0
            asked = self.headers.get("Range")
            if asked and web.ranges and self.headers.get("If-Range") in (None, tag):
                start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            if web.tags:
                self.send_header("ETag", tag)
            if web.length:
                self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if method == "GET":
                body = content[start:]
                if web.break_after is not None:
                    body, web.break_after = body[: web.break_after], None
                self.wfile.write(body)

    with listening(Handler) as web.port:
        yield web
