"""Requests over kept-alive connections: at a fixed rate whatever the answers do, or as many as are answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import numpy as np

from weighbridge.clock import SystemClock, us_to_iso
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats, Ints

CONNECTIONS, CARDS = 64, 500


class Answers(NamedTuple):
    """Of requests, in the order they were due: status, seconds from when each was due, and from when it was sent."""

    status: Ints
    since_due: Floats
    since_sent: Floats


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


async def at_a_rate(port: int, sent: list[bytes], rate: float, connections: int = CONNECTIONS) -> Answers:
    """Send requests at their times, whatever the answers do.

    A request that finds no free connection waits for one, and the wait counts (no coordinated omission).
    """
    free: asyncio.Queue[Connection] = asyncio.Queue()
    found = Answers(np.zeros(len(sent), dtype=np.int64), np.full(len(sent), np.nan), np.full(len(sent), np.nan))

    async def one(number: int, due: float) -> None:
        connection = await free.get()
        begun = time.perf_counter()
        found.status[number] = await connection.send(sent[number])
        found.since_due[number], found.since_sent[number] = time.perf_counter() - due, time.perf_counter() - begun
        free.put_nowait(connection)

    async with connected(port, connections) as opened, asyncio.TaskGroup() as tasks:
        for connection in opened:
            free.put_nowait(connection)
        begun = time.perf_counter()
        for number in range(len(sent)):
            due = begun + number / rate
            while (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait if wait > 0.002 else 0)
            tasks.create_task(one(number, due))
    return found


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
