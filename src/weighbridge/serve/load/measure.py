"""The figures of the HTTP door: times at fixed rates, throughput beside a bare "hello", overload, the first answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import uvloop

from weighbridge.bench.workload import Figure
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats
from weighbridge.serve.load.client import CONNECTIONS, Answers, as_many, at_a_rate, requests
from weighbridge.serve.load.served import served

RATES, SECONDS = (100, 2_000), 8.0
LEVELS = (50, 95, 99, 99.9)
TIMES = 5  # as many connections, and requests a second, as the door can answer


def load(
    folder: Path, seconds: float = SECONDS, rates: Sequence[int] = RATES, ways: Sequence[str] = ("written", "synced")
) -> Iterator[Figure]:
    """Yield what the door does, with these ways to acknowledge, beside a bare "hello" of FastAPI.

    The first part of each rate is not measured.
    """
    with served("hello") as (port, _):
        with_hello = _throughput(port, "hello", seconds)
        yield from _at_rates(port, "hello", "FastAPI hello", seconds, rates)
    for acknowledge in ways:
        with served("desk", str(folder / acknowledge), acknowledge) as (port, _):
            uvloop.run(as_many(port, requests("desk", 1, 0), 1))  # there is a home, with a bundle in production
        begun = time.perf_counter()
        with served("desk", str(folder / acknowledge), acknowledge) as (port, _):
            uvloop.run(as_many(port, requests("desk", 1, 1), 1))
            yield Figure("serve", f"{acknowledge}, from start to first answer", time.perf_counter() - begun, "s")
            yield from _at_rates(port, "desk", acknowledge, seconds, rates)
        with served("desk", str(folder / f"{acknowledge}-full"), acknowledge) as (port, _):
            ours = _throughput(port, "desk", seconds)
            name = f"{acknowledge}, closed loop over {CONNECTIONS} connections"
            yield Figure("serve", name, ours, "requests/s", "FastAPI hello", with_hello, ours / with_hello)
            yield from _overloaded(port, acknowledge, seconds, ours)


def _at_rates(port: int, kind: str, told: str, seconds: float, rates: Sequence[int]) -> Iterator[Figure]:
    first = 2
    for rate in rates:
        warm, count = int(rate * seconds / 4), int(rate * seconds * 5 / 4)
        took = _all_answered(uvloop.run(at_a_rate(port, requests(kind, count, first), rate))).since_due[warm:]
        first += count
        name = f"{told}, {rate:,} requests/s over {CONNECTIONS} connections"
        yield from _percentiles(name, took, LEVELS)


def _overloaded(port: int, acknowledge: str, seconds: float, full: float) -> Iterator[Figure]:
    """Yield what a flood does: what is refused and how soon, what is accepted, and how it is soon after."""
    half, connections = full / 2, TIMES * CONNECTIONS
    number = iter(range(10_000_000, 2**62, 1_000_000))

    def sent(rate: float, lasting: float) -> list[bytes]:
        return requests("desk", int(rate * lasting), next(number))

    calm = _all_answered(uvloop.run(at_a_rate(port, sent(half, seconds / 2), half))).since_sent
    flood = uvloop.run(at_a_rate(port, sent(TIMES * full, seconds / 4), TIMES * full, connections))
    after = uvloop.run(at_a_rate(port, sent(half, seconds / 2), half))
    if not set(flood.status.tolist()) <= {200, 429}:
        raise InputError("a flood was answered by something else than 200 and 429")
    told = f"{acknowledge}, {TIMES} times what it can over {connections} connections"
    yield Figure("serve", f"{told}: refused with 429", float((flood.status == 429).mean()) * 100, "%")
    for status, what in ((429, "429"), (200, "accepted")):
        chosen = flood.since_sent[flood.status == status]
        if len(chosen):
            yield from _percentiles(f"{told}: {what}, from sent", chosen, (99,))
    yield from _percentiles(f"{acknowledge}, half of what it can: from sent", calm, (99,))
    yield Figure("serve", f"{told}: recovered after", _recovered(after, half, 2 * float(np.percentile(calm, 99))), "s")


def _recovered(after: Answers, rate: float, bound: float) -> float:
    """Return the seconds until all is accepted and the p99 of no later half second is above a bound (seconds)."""
    size = int(rate / 2)
    slow = [
        place + size for place in range(0, len(after.status), size)
        if (after.status[place : place + size] != 200).any()
        or np.percentile(after.since_due[place : place + size], 99) > bound
    ]  # fmt: skip
    return slow[-1] / rate if slow else 0.0


def _percentiles(name: str, seconds: Floats, levels: Sequence[float]) -> Iterator[Figure]:
    for level in levels:
        yield Figure("serve", f"{name}, p{level}", float(np.percentile(seconds, level)) * 1e3, "ms")


def _all_answered(answers: Answers) -> Answers:
    refused = np.flatnonzero(answers.status != 200)
    if len(refused):
        raise InputError(f"request {refused[0]} was answered {answers.status[refused[0]]}")
    return answers


def _throughput(port: int, kind: str, seconds: float) -> float:
    warm = uvloop.run(as_many(port, requests(kind, 1_000, 0), CONNECTIONS))
    return uvloop.run(as_many(port, requests(kind, int(warm * seconds / 2), 1_000), CONNECTIONS))
