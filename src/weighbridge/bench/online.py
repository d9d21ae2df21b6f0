"""One event: read its key's history, thirty features, take the event in; at several lengths and for a hot key."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from weighbridge.bench.workload import CASE, OTHERS, PAYMENT, START_US, Figure
from weighbridge.clock import DAY_US
from weighbridge.declare.case import UseCase
from weighbridge.kernel import step
from weighbridge.kernel.arena import new_arena
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.plan import compile_plan
from weighbridge.records import EventRecord
from weighbridge.stores.state import MemoryState

LENGTHS = (10, 100, 1_000, 10_000)
HOT = 1_000_000
EVENTS = 4_000  # measured, after a quarter as many unmeasured ones
WORDS_PER_EVENT = 160  # reserved; what stays unused takes no memory


def online(hot: int = HOT) -> Iterator[Figure]:
    """Yield p50, p99 and p99.9 microseconds of one event in kernels, and through the state store in Python."""
    for length in LENGTHS:
        yield from _percentiles(f"one event, {length:,} in its window, 30 features", _events(CASE, length))
    yield from _percentiles(f"one event, hot key of {hot:,}, 30 features", _events(CASE, hot))
    others = f"one event, hot key of {hot:,}, distinct, quantiles, seen before, labels"
    yield from _percentiles(others, _events(OTHERS, hot))
    yield from _percentiles("one event through MemoryState, 1,000 in its window", _through_state(1_000))


def _percentiles(name: str, ns: Ints) -> Iterator[Figure]:
    for level in (50, 99, 99.9):
        yield Figure("online", f"{name}, p{level}", float(np.percentile(ns, level)) / 1e3, "us")


def _events(case: UseCase, length: int) -> Ints:
    """Return the nanoseconds of single events on a key whose longest window holds `length` of them."""
    plan, rng = compile_plan(case), np.random.default_rng(5)
    step_us = 30 * DAY_US // length
    count = length + EVENTS + EVENTS // 4
    at_us = START_US + np.arange(count) * step_us
    values = np.column_stack([np.zeros(count, dtype=np.int64), rng.integers(0, 500_001, count)])
    arena, roots = new_arena(1 << 22 if length < HOT // 10 else length * WORDS_PER_EVENT), np.zeros((1, 2), np.int64)
    entities, labels = step.with_empty_histories(plan, arena), rng.integers(-1, 2, length)
    done = step.write_many(
        arena, plan.program, roots, entities, at_us[:length], np.arange(length), labels, values[:length], 0
    )
    if done != length:
        raise MemoryError(f"the arena holds {done:,} of {length:,} events")
    work, ns = step.Workspace(plan), np.empty(count - length, dtype=np.int64)
    rows = [values[row : row + 1].copy() for row in range(length, count)]
    for number, row in enumerate(range(length, count)):
        begun = time.perf_counter_ns()
        at = int(at_us[row])
        work.event_us[0] = at
        before_us = at - 30 * DAY_US
        step.read(
            arena, plan.program, roots, entities, before_us, PAYMENT.events_per_key, work.event_us, rows[number],
            work.raws, work.registers, work.vector,
        )  # fmt: skip
        step.write(arena, plan.program, roots, entities, at, row, -1, rows[number][0], before_us)
        ns[number] = time.perf_counter_ns() - begun
    return ns[EVENTS // 4 :]


def _through_state(length: int) -> Ints:
    state, ns = MemoryState(compile_plan(CASE)), np.empty(length + EVENTS, dtype=np.int64)
    for number in range(length + EVENTS):
        at_us = START_US + number * (30 * DAY_US // length)
        event = EventRecord(f"e{number}", at_us, at_us, ("c", number * 7 % 500_001))
        begun = time.perf_counter_ns()
        state.vector(event)
        state.append(event)
        ns[number] = time.perf_counter_ns() - begun
    return ns[length:]
