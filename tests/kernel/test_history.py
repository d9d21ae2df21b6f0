"""Long histories: many blocks, hash tables, moving windows; late, tied, taken back, evicted. Three ways, the same bits."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.conftest import SOAK
from tests.kernel.streams import CASE, HOUR_US, against_the_oracle, served, split, stream
from tests.mutants import printed_by_mutant, some
from tests.strategies import START_US
from weighbridge.clock import DAY_US
from weighbridge.declare import Category, Contract, Id, Integer, Key, Label, Time, UseCase, lightgbm
from weighbridge.kernel.plan import compile_plan
from weighbridge.records import LabelRecord as LabelArrival
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


PAYMENT = Contract(
    "payment",
    [
        Id("id"),
        Time("at", late="1h"),
        Key("card"),
        Category("shop", one_of=list("abcdefgh")),
        Integer("n", at_least=0, at_most=10**9),
    ],
)
CARD = PAYMENT.by("card")
RESTING = UseCase(
    "resting", events=PAYMENT, label=Label("bad", matures="2d"), models=[lightgbm()],
    features=[CARD.distinct("shop", last="7d"), CARD.distinct("n", last="7d"),
              CARD.quantile("n", 0.5, last=["1d", "7d"]), CARD.quantile("n", 0.9, last=["7d", "1d"]),
              CARD.min("n", last=["1d", "7d"]), CARD.max("n", last=["1d", "7d"]), CARD.sum("n", last="7d"),
              CARD.label_rate(last="7d"), CARD.label_streak(last="7d")],
)  # fmt: skip


def rested(n: int, between: int = 150) -> int:
    """Return how many values differ from replay's and the oracle's, of a card that rests for a day after each `between` events of one.

    Meanwhile another's events go on, and what no decision can see is forgotten, also of the window that the card's last
    decision saw.
    """
    rng, now, state, events, labels, found = random.Random(4), START_US, MemoryState(compile_plan(RESTING)), [], [], []
    for number in range(n):
        rests = number % between == between - 1
        now += DAY_US if rests else rng.randrange(2 * DAY_US // between)
        back = rng.randrange(HOUR_US) if rng.random() < 0.1 else 0
        values = {"card": "other" if rests else "c", "shop": rng.choice("abcdefgh"), "n": int(10 ** rng.uniform(0, 9))}
        events.append(Event(2 * number + 1, now - back, f"e{number}", values))
        event = record_of(RESTING, events[-1])
        if rng.random() < 0.1:
            failed = record_of(RESTING, Event(number, now - back, "failed", {**values, "n": rng.choice([0, 10**9])}))
            state.append(failed)
            state.retract(failed)
        found.append(np.frombuffer(state.vector(event), dtype="<f4"))
        state.append(event)
        if rests:
            state.sweep()
        about = events[max(number - rng.randrange(20 * between), 0)]
        labels.append(LabelRecord(2 * number + 2, about.id, rng.randrange(2)))
        state.label(LabelArrival(about.id, labels[-1].value, 2 * number + 2, "test"), record_of(RESTING, about))
    sampled = against_the_oracle([*events, *labels], found, range(n // 2, n, n // 6), RESTING)
    return sampled + differing(np.array(found), replayed(RESTING, events, labels))


@pytest.mark.parametrize("between", [150, 6_000])
def test_a_key_rests_while_its_old_blocks_are_forgotten(between):
    assert rested((400 if SOAK else 60) * 100 + 10 * between, between) == 0


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
    "a label and what lies behind it": ("kernel/history.py", "arena[place + later] += sign", "pass"),
    "the labels of a new block": ("kernel/blocks.py", "labels_before(arena, program, root, number - 1, count", "int(0"),
    "a run that began before its window": ("kernel/known_labels.py", "last - below", "last"),
    "the newest of a selection": ("kernel/gather.py", "below - arena[counts + number]", "below"),
    "the sums of a split block": ("kernel/blocks.py", "run_up(arena, program, root, number + 1, 0)", "pass"),
}
CHECK = """
from tests.kernel.streams import against_the_oracle, served, stream
found = 0
for shops in (40, 1):
    records = stream(1, 700, 0.2, shops)
    found += against_the_oracle(records, served(records, retract=0.1)[0], range(330, 480, 15))
    if found:
        break
print(found)
"""


OF_REST = {
    "none": ("kernel/ordered.py", "arena[place] < before_us", "arena[place] < before_us"),
    "a moving count of what is forgotten": ("kernel/history.py", "arena[place] < before_us", "False"),
    "a set of values of what is forgotten": ("kernel/ordered.py", "arena[place] < before_us", "False"),
    "the chunks before a rank": ("kernel/sorted_values.py", "rank - count, chunk + STRIDE", "rank, chunk + STRIDE"),
    "the ranks of another window": ("kernel/gather.py", "wanted[number, LINE] == order", "True"),
    "the groups of a late block": ("kernel/blocks.py", "regroup(arena, program, root, number)", "pass"),
    "the groups of what was taken back": (
        "kernel/extremes.py",
        "    regroup(arena, program, root, number)",
        "    pass",
    ),
    "the groups of a directory that moved": ("kernel/blocks.py", "regroup(arena, program, root, 0)", "pass"),
    "where groups begin": ("kernel/extremes.py", "(gone + first + GROUP - 1) // GROUP", "(gone + first) // GROUP"),
    "a new extreme in its group": ("kernel/extremes.py", "max(arena[of_group], value)", "arena[of_group]"),
    "where a directory begins that moved": (
        "kernel/blocks.py",
        "move_lines(arena, begin + gone",
        "move_lines(arena, begin",
    ),
}
CHECK_OF_REST = """
from weighbridge.kernel import history, sorted_values
from weighbridge.kernel.spans import layout
history.GROUP, sorted_values.FULL, sorted_values.STRIDE = 2, 16, 4
layout.MOST_STEPS = -1  # the card is replayed through a history, too
from tests.conftest import SOAK
from tests.kernel.test_history import rested
print(rested(2_500 if SOAK else 1_000))
"""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", some(OF_REST))
def test_a_wrong_rest_is_noticed(mutant, tmp_path):
    assert (printed_by_mutant(tmp_path, *OF_REST[mutant], CHECK_OF_REST) > 0) == (mutant != "none")


@pytest.mark.slow
@pytest.mark.parametrize("mutant", some(MUTANTS))
def test_a_wrong_history_is_noticed(mutant, tmp_path):
    assert (printed_by_mutant(tmp_path, *MUTANTS[mutant], CHECK) > 0) == (mutant != "none")
