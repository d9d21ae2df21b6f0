"""Long histories: many blocks, hash tables, moving windows; late, tied, taken back, evicted. Three ways, the same bits."""

from __future__ import annotations

import random

import pytest

from tests.conftest import SOAK
from tests.kernel.streams import CASE, HOUR_US, against_the_oracle, served, split, stream
from tests.mutants import printed_by_mutant
from tests.strategies import START_US
from weighbridge.clock import DAY_US
from weighbridge.declare import Contract, Id, Key, Label, Time, UseCase, lightgbm
from weighbridge.kernel.plan import compile_plan
from weighbridge.stores.state import MemoryState
from weighbridge.testing.oracle import Event, LabelRecord, Oracle
from weighbridge.testing.samples import (
    differing,
    label_table_of,
    record_of,
    replayed,
    stepped,
    table_of,
)

SEEDS = range(60) if SOAK else range(3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("late", "shops"), [(0.0, 3), (0.0, 400), (0.2, 3), (0.2, 400)])
def test_the_online_path_equals_replay(seed, late, shops):
    """In order, replay goes by two pointers and the state by blocks: they share nothing but the formulas."""
    records = stream(seed, 4_000, late, shops)
    assert differing(served(records)[0], replayed(CASE, *split(records))) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_taken_back_leaves_no_trace(seed):
    records = stream(seed, 2_500, 0.2, 40)
    assert differing(served(records, retract=0.3, seed=seed)[0], replayed(CASE, *split(records))) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_long_histories_equal_the_oracle_on_sampled_events(seed):
    records = stream(seed, 1_500, 0.2, 40)
    rows = random.Random(seed).sample(range(len(split(records)[0])), 12)
    assert against_the_oracle(records, served(records)[0], rows) == 0


def test_events_without_an_optional_key_share_one_history():
    """The same by replay, by the state and by the oracle, at a restart and after an event is taken back."""
    contract = Contract("login", [Id("id"), Time("at", late="3d"), Key("user", optional=True), Key("ip")])
    user, ip = contract.by("user"), contract.by("ip")
    features = [
        user.count(last="7d"),
        user.distinct("ip", last="7d"),
        ip.distinct("user", last="7d"),
        user.label_rate(last="7d"),
    ]
    case = UseCase("login", events=contract, features=features, label=Label("bad", matures="2d"), models=[lightgbm()])
    rng, events = random.Random(2), []
    for seq in range(1, 400):
        values = {"user": rng.choice([None, "u1", "u2"]), "ip": f"i{rng.randrange(5)}"}
        events.append(Event(seq, START_US + seq * HOUR_US - rng.choice([0, 0, DAY_US]), f"e{seq}", values))
    labels = [LabelRecord(1_000 + n, f"e{n}", n % 2) for n in range(1, 300)]
    found = replayed(case, events, labels)
    assert differing(found, stepped(case, events, labels)) == 0
    assert differing(found, Oracle(case, events, labels).vectors()) == 0
    grown, loaded = MemoryState(compile_plan(case)), MemoryState(compile_plan(case))
    for event in events:
        grown.append(record_of(case, event))
        grown.retract(record_of(case, event))
        grown.append(record_of(case, event))
    loaded.load(table_of(case, events), label_table_of([]), lambda _: None)
    assert [grown.vector(record_of(case, e)) for e in events[-50:]] == [
        loaded.vector(record_of(case, e)) for e in events[-50:]
    ]


def test_a_state_that_outgrows_its_memory_moves_to_a_file_and_loses_nothing(tmp_path):
    records = stream(1, 4_000, 0.1, 400)
    found, state = served(records, budget_bytes=200_000, folder=tmp_path)
    assert state.spilled
    assert differing(found, replayed(CASE, *split(records))) == 0
    assert not served(records)[1].spilled


def test_memory_follows_what_is_retained():
    """Ten times the events over ten times the time: the same memory, once old blocks are forgotten."""
    plan, used = compile_plan(CASE), []
    for n in (3_000, 30_000):
        state, rng = MemoryState(plan), random.Random(3)
        for number in range(n):
            values = {"card": f"c{rng.randrange(20)}", "shop_id": f"s{number // 50}", "amount": 1, "score": None, "items": 0, "device": None}  # fmt: skip
            state.append(record_of(CASE, Event(number, START_US + number * HOUR_US // 10, f"e{number}", values)))
        used.append(state.used_bytes)
    assert used[1] < 1.6 * used[0]


MUTANTS = {
    "none": ("kernel/change.py", "+= 1 if add else -1", "+= 1 if add else -1"),
    "a late event in a moving count": ("kernel/change.py", "+= 1 if add else -1", "+= 0"),
    "what leaves a moving count": (
        "kernel/occurrences.py",
        "count -= count_times(arena, root, previous + 1",
        "count -= 0 * count_times(arena, root, previous + 1",
    ),
    "what leaves a set of values": ("kernel/ordered.py", "if left >= 0:", "if left > 5:"),
    "the sums of a split block": ("kernel/blocks.py", "run_up(arena, program, root, number + 1, 0)", "pass"),
}
CHECK = """
from tests.kernel.streams import against_the_oracle, served, stream
records = stream(1, 700, 0.2, 40)
print(against_the_oracle(records, served(records, retract=0.1)[0], range(330, 480, 15)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_history_is_noticed(mutant, tmp_path):
    assert (printed_by_mutant(tmp_path, *MUTANTS[mutant], CHECK) > 0) == (mutant != "none")
