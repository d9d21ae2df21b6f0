"""Load on the HTTP door: a fixed rate whatever the answers do, and as much as it takes; beside FastAPI's bare "hello".

`python -m weighbridge.serve.load desk FOLDER ACKNOWLEDGE` and `... hello` serve what is measured, each in a process of
its own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import uvloop

from weighbridge.bench.workload import CASE, START_US, Figure
from weighbridge.clock import SystemClock, us_to_iso
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats

CONNECTIONS, CARDS, TREES = 64, 500, 500
RATES, SECONDS = (100, 2_000), 8.0


class Connection(asyncio.Protocol):
    """One kept-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    async def send(self, request: bytes) -> int:
        """Send a request; return the status of its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """Take in a part of an answer."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found and self._answer is not None:
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            if len(body) >= length:
                self._received = b""
                self._answer.set_result(int(head.split(b" ", 2)[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server hung up"))


def requests(kind: str, count: int, first: int) -> list[bytes]:
    """Return requests as bytes: events of some cards that happen now, or plain gets."""
    if kind == "hello":
        return [b"GET /hello HTTP/1.1\r\nhost: desk\r\n\r\n"] * count
    rng, now_us, found = np.random.default_rng(first), SystemClock().now_us(), []
    cents = rng.integers(0, 500_001, count)
    for number in range(count):
        event = {"event_id": f"e{first + number}", "at": us_to_iso(now_us), "card": f"c{number % CARDS}",
                 "amount": int(cents[number]) / 100}  # fmt: skip
        body = json.dumps(event).encode()
        head = b"POST /predict HTTP/1.1\r\nhost: desk\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        found.append(head % len(body) + body)
    return found


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """Give so many open connections."""
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(Connection, "127.0.0.1", port) for _ in range(count)]
    try:
        yield [connection for _, connection in pairs]
    finally:
        for transport, _ in pairs:
            transport.close()


async def at_a_rate(port: int, sent: list[bytes], rate: float) -> Floats:
    """Send requests at their times, whatever the answers do; return seconds from when each was due to its answer.

    A request that finds no free connection waits for one, and the wait counts (no coordinated omission).
    """
    free: asyncio.Queue[Connection] = asyncio.Queue()
    took = np.full(len(sent), np.nan)

    async def one(number: int, due: float) -> None:
        connection = await free.get()
        status = await connection.send(sent[number])
        took[number] = time.perf_counter() - due
        free.put_nowait(connection)
        if status != 200:
            raise InputError(f"request {number} was answered {status}")

    async with connected(port, CONNECTIONS) as connections, asyncio.TaskGroup() as tasks:
        for connection in connections:
            free.put_nowait(connection)
        begun = time.perf_counter()
        for number in range(len(sent)):
            due = begun + number / rate
            while (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait if wait > 0.002 else 0)
            tasks.create_task(one(number, due))
    return took


async def as_many(port: int, sent: list[bytes], connections: int) -> float:
    """Send requests over so many connections, each when its last one is answered; return requests a second."""
    left = iter(sent)

    async def one(connection: Connection) -> None:
        for request in left:
            if await connection.send(request) != 200:
                raise InputError("a request was refused under load")

    async with connected(port, connections) as opened:
        begun = time.perf_counter()
        await asyncio.gather(*(one(connection) for connection in opened))
        return len(sent) / (time.perf_counter() - begun)


def load(folder: Path, seconds: float = SECONDS, rates: Sequence[int] = RATES) -> Iterator[Figure]:
    """Yield milliseconds at fixed rates and requests a second, of both ways to acknowledge, beside a bare "hello".

    The first part of each rate is not measured.
    """
    with_hello = _throughput(["hello"], "hello", seconds)
    for acknowledge in ("written", "synced"):
        words = ["desk", str(folder / acknowledge), acknowledge]
        process, port = _server(words)
        try:
            first = 0
            for rate in rates:
                warm, count = int(rate * seconds / 4), int(rate * seconds * 5 / 4)
                took = uvloop.run(at_a_rate(port, requests("desk", count, first), rate))[warm:] * 1e3
                first += count
                for level in (50, 95, 99, 99.9):
                    name = f"{acknowledge}, {rate:,} requests/s over {CONNECTIONS} connections, p{level}"
                    yield Figure("serve", name, float(np.percentile(took, level)), "ms")
        finally:
            process.terminate()
            process.wait(20)
        ours = _throughput(["desk", str(folder / f"{acknowledge}-full"), acknowledge], "desk", seconds)
        name = f"{acknowledge}, closed loop over {CONNECTIONS} connections"
        yield Figure("serve", name, ours, "requests/s", "FastAPI hello", with_hello, ours / with_hello)


def _throughput(words: list[str], kind: str, seconds: float) -> float:
    process, port = _server(words)
    try:
        warm = uvloop.run(as_many(port, requests(kind, 1_000, 0), CONNECTIONS))
        return uvloop.run(as_many(port, requests(kind, int(warm * seconds / 2), 1_000), CONNECTIONS))
    finally:
        process.terminate()
        process.wait(20)


def _server(words: list[str]) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "weighbridge.serve.load", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("port "):
        process.wait(20)
        raise InputError("the server that is measured did not start")
    return process, int(line.split()[1])


def _serve_desk(folder: Path, acknowledge: str) -> None:
    from weighbridge.bench.bundle import bench_bundle
    from weighbridge.records import Move
    from weighbridge.score.route import PRODUCTION
    from weighbridge.serve.http.app import make_app
    from weighbridge.serve.logs import log_to
    from weighbridge.serve.server import bind, serve
    from weighbridge.serve.wiring import open_desk, open_home

    home = open_home(CASE, folder, create=True, acknowledge=acknowledge)
    bundle, files = bench_bundle(home.stores.signer, TREES)
    home.stores.bundles.put(bundle, files)
    home.stores.registry.add(bundle, {}, START_US)
    home.stores.registry.move(Move(PRODUCTION, bundle, None, "bench", "to be measured", START_US))
    log_to(folder / "logs", "info")
    desk = open_desk(CASE, home.stores, SystemClock())
    listening = bind("127.0.0.1", 0)
    print("port", listening.getsockname()[1], flush=True)
    serve(make_app(desk), listening)
    desk.close()


def _serve_hello() -> None:
    import uvicorn
    from fastapi import FastAPI

    from weighbridge.serve.server import bind

    app = FastAPI()

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    listening = bind("127.0.0.1", 0)
    print("port", listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listening])


if __name__ == "__main__":
    if sys.argv[1] == "hello":
        _serve_hello()
    else:
        _serve_desk(Path(sys.argv[2]), sys.argv[3])
