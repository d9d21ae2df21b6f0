"""replay = step = oracle, bit for bit, and proof that the comparison can fail."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given

from tests.conftest import SOAK
from tests.mutants import printed_by_mutant
from tests.strategies import START_US, logs
from weighbridge.clock import DAY_US
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.testing.oracle import Event, LabelRecord, Oracle
from weighbridge.testing.samples import differing, label_table_of, replayed, sample_case, stepped, table_of

CASE = sample_case()


@given(logs())
@example(([], []))
def test_replay_and_step_equal_the_oracle_bit_for_bit(log):
    events, labels = log
    expected = Oracle(CASE, events, labels).vectors()
    assert differing(replayed(CASE, events, labels), expected) == 0
    assert differing(stepped(CASE, events, labels), expected) == 0


def long_log(n: int, seed: int) -> tuple[list[Event], list[LabelRecord]]:
    """One card and one shop with n events in 30 days, one in twenty late, every third labelled."""
    rng, events, labels, seq, now = random.Random(seed), [], [], 0, START_US
    for number in range(n):
        seq, now = seq + 1, now + rng.randrange(0, 2 * 30 * DAY_US // n)
        late = rng.randrange(0, DAY_US) if rng.random() < 0.05 else 0
        values = {
            "card": "c", "shop_id": "s", "amount": rng.randrange(500_001), "score": rng.choice([None, 1, 2]),
            "items": rng.randrange(100), "device": rng.choice(["ios", "web"]),
        }  # fmt: skip
        events.append(Event(seq, now - late, f"e{number}", values))
        if rng.random() < 0.33:
            seq += 1
            labels.append(LabelRecord(seq, f"e{rng.randrange(number + 1)}", rng.randrange(2)))
    return events, labels


@pytest.mark.slow
def test_a_hot_key_equals_the_oracle_on_sampled_events():
    n, samples = (100_000, 200) if SOAK else (20_000, 12)
    events, labels = long_log(n, seed=5)
    plan, chosen = compile_plan(CASE), sorted(random.Random(6).sample(range(n), samples))
    wanted = np.zeros(n, dtype=np.bool_)
    wanted[chosen] = True
    found = replay(plan, to_columns(plan, table_of(CASE, events), label_table_of(labels)), wanted)
    for row, number in enumerate(chosen):
        decision = events[number]
        near = [e for e in events if e.seq < decision.seq and e.event_us > decision.event_us - 7 * DAY_US]
        ids = {e.id for e in near}
        known = [r for r in labels if r.event_id in ids and r.seq < decision.seq]
        assert differing(found[row], OfOneDecision(CASE, [*near, decision], known).vector(decision)) == 0


class OfOneDecision(Oracle):
    """The oracle with its label search indexed, for logs in which the plain search takes hours."""

    def __init__(self, case, events, labels):
        super().__init__(case, events, labels)
        self.newest = {r.event_id: r.value for r in self.labels}

    def known_label(self, e, d):
        return self.newest.get(e.id)


class OpenLeftEdge(Oracle):
    """A wrong oracle: `<` turned to `<=` at the window's beginning."""

    def window(self, a, d):
        edge = [
            e for e in self.events
            if e.seq < d.seq and e.values[a.key] == d.values[a.key] and e.event_us == d.event_us - a.last_us
            and all(self._holds(c, e) for c in a.where) and (a.field is None or e.values[a.field] is not None)
        ]  # fmt: skip
        return edge + super().window(a, d)


class IgnoresArrival(Oracle):
    """A wrong oracle: labels count as if they had always been known."""

    def known_label(self, e, d):
        values = [r.value for r in self.labels if r.event_id == e.id]
        return values[-1] if values else None


@pytest.mark.parametrize("wrong", [OpenLeftEdge, IgnoresArrival])
def test_a_wrong_oracle_is_noticed(wrong):
    events, labels = edge_log()
    assert differing(replayed(CASE, events, labels), Oracle(CASE, events, labels).vectors()) == 0
    assert differing(replayed(CASE, events, labels), wrong(CASE, events, labels).vectors()) > 0


def edge_log(late=True):
    """Events exactly a window apart, the last one late or not, and a label that comes too late to be seen."""
    values = {"card": "c", "shop_id": "s", "amount": 100, "score": 1, "items": 2, "device": "web"}
    times = [START_US, START_US + DAY_US, START_US + DAY_US + 1, START_US + DAY_US + (0 if late else 2)]
    times += [] if late else [START_US + DAY_US + 3_600_000_003]
    events = [Event(2 * i + 1, at, f"e{i}", {**values, "amount": 100 * i}) for i, at in enumerate(times)]
    return events, [LabelRecord(8, "e0", 1), LabelRecord(4, "e1", 0)]


MUTANTS = {
    "none": ("kernel/spans/windows.py", "max(last - length, first)", "max(last - length, first)"),
    "window edge of a span": (
        "kernel/spans/windows.py",
        "first = ahead(times, first, times[r] - offset)",
        "first = ahead(times, first, times[r] - offset - 1)",
    ),
    "window edge of a history": (
        "kernel/arena.py",
        "arena[first + middle] <= value",
        "arena[first + middle] < value",
    ),
    "label order by event": ("kernel/by_event.py", "keyed.label_seq[label] < keyed.seq[row]", "True"),
    "labels of a span": ("kernel/spans/labels.py", "keyed.label_seq[state[TOLD]] < seq", "False"),
    "distinct of a span": ("kernel/spans/windows.py", "following[left] >= right", "following[left] > right"),
    "stretch of an extreme": ("kernel/spans/windows.py", "max(last - length, first)", "first"),
    "what had not arrived": ("kernel/spans/arrived.py", "found -= missing_sum", "found -= 0 * missing_sum"),
    "ddof": ("kernel/formulas.py", "float(many * (many - 1))", "float(many * many)"),
}
CHECK = """
from tests.test_parity import CASE, edge_log
from weighbridge.kernel.spans import layout
from weighbridge.testing.oracle import Oracle
from weighbridge.testing.samples import differing, replayed
found = 0
for late in (True, False):
    for layout.MOST_STEPS in (32, -1):  # a key with late events in a span, and event by event
        events, labels = edge_log(late)
        found += differing(replayed(CASE, events, labels), Oracle(CASE, events, labels).vectors())
print(found)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_kernel_is_noticed(mutant, tmp_path):
    assert (printed_by_mutant(tmp_path, *MUTANTS[mutant], CHECK) > 0) == (mutant != "none")
