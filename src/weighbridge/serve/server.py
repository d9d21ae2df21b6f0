"""Runs the HTTP door: in the foreground for `weigh serve`, in a thread for the demo and tests."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from weighbridge.errors import HomeError
from weighbridge.serve.http.raw import Application

START_SECONDS = 10.0
BACKLOG = 1_024


def bind(host: str, port: int, *, guarded: bool = False) -> socket.socket:
    """Return a socket that listens on an address; only where API keys guard the door on one beyond loopback.

    Raises HomeError with one sentence when it is taken, or would let in whoever comes.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        if not (guarded or ip_address(found.getsockname()[0].partition("%")[0]).is_loopback):
            found.close()
            raise HomeError(
                f"{host} can be reached from outside, and this home has no API key; make one with `weigh keys`, "
                "such as `weigh keys CASE add NAME --scope score`, or serve on 127.0.0.1"
            )
        found.listen(BACKLOG)
    except OSError as fault:
        found.close()
        raise HomeError(
            f"{host}:{port} cannot be served on ({fault.strerror}); choose another --port, or 0 for any"
        ) from None
    return found


def serve(app: Application, listening: socket.socket) -> None:
    """Serve until interrupted."""
    gc.collect()
    gc.freeze()  # what is there by now stays: no request waits while it is looked through
    _server(app).run(sockets=[listening])


@contextmanager
def serving(app: Application, listening: socket.socket) -> Iterator[int]:
    """Serve in a thread for as long as the block runs; gives the port."""
    server = _server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="http", daemon=True)
    thread.start()
    waited_until = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > waited_until:
            raise HomeError("the HTTP server did not start; see the logs")
        time.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


class _Server(uvicorn.Server):
    """A server that ends on a signal as it ends on anything else: what serves may leave its state behind."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals, and raise none of them again at the end."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


class _Together:
    """A transport of which what is written in one turn of the loop leaves at once: an answer's head and its body."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep it until the end of the turn."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(data)

    def close(self) -> None:
        """Send what is kept, then close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():  # the caller may have hung up since
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a transport has
        return getattr(self._transport, name)


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol over such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Together(transport, asyncio.get_running_loop())))


def _server(app: Application) -> uvicorn.Server:
    config = uvicorn.Config(
        app, loop="uvloop", http=_Protocol, ws="none", log_level="warning", access_log=False, proxy_headers=False,
        server_header=False, timeout_keep_alive=75, timeout_graceful_shutdown=5,
    )  # fmt: skip
    return _Server(config)
