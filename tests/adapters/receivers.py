"""Receivers of alerts on loopback: an HTTP server and a small SMTP server, real sockets both."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Posts(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Mails(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a sender of plain mail needs; receivers called nobody@ are refused."""

    def handle(self):
        self.say("220 loopback")
        to = []
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "EHLO":
                self.wfile.write(b"250-loopback\r\n250 8BITMIME\r\n")
            elif verb == "RCPT" and "nobody@" in line:
                self.say("550 no such receiver")
            elif verb == "RCPT":
                to.append(line.split(":", 1)[1].strip("<> "))
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                raw = b"".join(iter(self.rfile.readline, b".\r\n")).replace(b"\r\n..", b"\r\n.")
                self.server.got.append((tuple(to), email.message_from_bytes(raw, policy=email.policy.default)))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def receiving(server_type, handler):
    """Serve on a free port until the block ends; the server has `got`, what came, and `status`, what it answers."""
    server_type.allow_reuse_address = True
    with server_type(("127.0.0.1", 0), handler) as server:
        server.got, server.status, server.daemon_threads = [], 200, True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def posts():
    return receiving(ThreadingHTTPServer, Posts)


def mails():
    return receiving(socketserver.ThreadingTCPServer, Mails)
