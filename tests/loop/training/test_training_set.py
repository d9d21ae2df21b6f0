"""What training reads of child rows: what the build worked out, to the bit as if they were rolled up again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tests.conftest import START_US, memory_stores
from tests.lending import CALLS, CASE, LOANS, PAYMENTS, table_of_rows
from weighbridge.clock import DAY_US, ManualClock, us_to_iso
from weighbridge.declare import Training
from weighbridge.errors import InputError
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.loop.build import CONTENT, build, table_name
from weighbridge.loop.children import ingest_rows
from weighbridge.loop.ingest import ingest
from weighbridge.loop.train import train
from weighbridge.loop.training import event_time, suspect
from weighbridge.loop.training import training_set as module
from weighbridge.ports import Budget
from weighbridge.score.rollups import with_rollups

ROWS, HALF, PEOPLE = 240, 120, 60
SPLIT = {
    "stratified": replace(CASE, training=Training(split="stratified", bootstraps=20, learning_curve=(0.5,))),
    "time": replace(CASE, training=Training(validation="3d", bootstraps=20, learning_curve=(0.5,))),
}
AS_OF_US = START_US + 9 * DAY_US
CLOCK = ManualClock(START_US + 30 * DAY_US)


def loans(rng, when):
    return [{"applicant": f"p{p}", "loan": f"{when}{p}-{n}", "day": -int(rng.integers(0, 900)), "state": "open",
             "owed": float(rng.integers(0, 10**7)) / 100} for p in range(PEOPLE) for n in range(p % 4)]  # fmt: skip


def applications(rows):
    """Each asks for the same, so that only child rows tell those of one person apart."""
    return pa.table({
        "number": [f"e{row}" for row in rows], "person": [f"p{row % PEOPLE}" for row in rows],
        "asked": [100.0] * len(rows), "bad": [(row % 4) // 2 if row % 7 else row % 2 for row in rows],
        "seen": [us_to_iso(START_US + row * DAY_US // 16) for row in rows],
    })  # fmt: skip


@pytest.fixture(scope="module", params=[1 << 30, 60_000], ids=["whole", "parts"])
def stores(request, tmp_path_factory):
    """Child rows, half of the applications, more rows, the other half, and rows that come too late for all."""
    made, rng = memory_stores(CASE, tmp_path_factory.mktemp("reports")), np.random.default_rng(5)
    made = replace(made, budget=Budget(request.param))
    for when, rows in (("a", range(HALF)), ("b", range(HALF, ROWS))):
        ingest_rows(CASE, made, CLOCK, "loans", [table_of_rows(LOANS, loans(rng, when))])
        paid = [{"number": f"e{r}", "paid": 1.5, "due": r / 8, "paid_on": -1, "due_on": -3} for r in rows if r % 8 == 3]
        ingest_rows(CASE, made, CLOCK, "payments", [table_of_rows(PAYMENTS, paid)])
        ingest(CASE, made, CLOCK, applications(rows), mapping={"arrived": "seen"})
    ingest_rows(CASE, made, CLOCK, "loans", [table_of_rows(LOANS, loans(rng, "too late for p"))])
    for case in SPLIT.values():
        parts = build(case, made, CLOCK).figures["parts"]
        assert (parts > 1) is (request.param < 1 << 30)
    return made


def rolled_again(case, stores, data):
    """The events of a training set, and its columns with the partials of all rows, worked out from the log in one go."""
    plan, events = compile_plan(case), stores.log.events()
    events = events.filter(pa.array(np.isin(events["seq"].to_numpy(), data.columns.seq)))
    return events, to_columns(plan, with_rollups(plan, stores, events), stores.log.labels())


@pytest.fixture
def asked(monkeypatch):
    """How many events' child rows each call of training rolls up."""
    found = []

    def counted(plan, stores, events, wanted=None):
        found.append(len(events) if wanted is None else int(wanted.sum()))
        return with_rollups(plan, stores, events, wanted)

    monkeypatch.setattr(module, "with_rollups", counted)
    return found


@pytest.mark.parametrize("as_of_us", [None, AS_OF_US])
def test_a_stratified_split_is_that_of_child_rows_rolled_up_again_and_rolls_none_up(stores, as_of_us, asked):
    case = SPLIT["stratified"]
    data = module.training_set(case, stores, as_of_us)
    assert not asked
    assert len(data.columns) == (ROWS if as_of_us is None else 9 * 16 + 1)
    events, again = rolled_again(case, stores, data)
    same, drawn = module._chances(case, events, again, None)
    assert (data.content.tobytes(), data.drawn.tobytes()) == (same.tobytes(), drawn.tobytes())
    without, _ = module._chances(case, events, data.columns, None)  # the negative control
    assert len(np.unique(without)) == PEOPLE < len(np.unique(same)) < len(same)
    assert not np.isin(same[data.split.train], same[data.split.validation]).any()


def test_rows_that_come_later_change_no_training_set(stores):
    case = SPLIT["stratified"]
    before = module.training_set(case, stores)
    calls = [{"person": f"p{p}", "at": us_to_iso(START_US - 1), "seconds": p} for p in range(PEOPLE)]
    ingest_rows(case, stores, CLOCK, "calls", [table_of_rows(CALLS, calls)])
    for _ in range(2):
        after = module.training_set(case, stores)
        assert all(getattr(after, name).tobytes() == getattr(before, name).tobytes()
                   for name in ("vectors", "content", "drawn", "labels"))  # fmt: skip
        build(case, stores, CLOCK)


@pytest.mark.parametrize("stores", [1 << 30], ids=["whole"], indirect=True)
def test_training_is_as_if_all_child_rows_were_rolled_up_again(stores, asked, monkeypatch):
    case = SPLIT["time"]
    ours = train(case, stores, CLOCK).figures
    data = module.training_set(case, stores)
    begins_us = data.split.validation_from_us
    fitted = data.split.train | (data.columns.event_us <= begins_us)
    assert asked == [data.mature.sum(), (fitted | data.split.validation).sum()]  # to look for poison, and the claim
    for other in (event_time, suspect):
        monkeypatch.setattr(other, "with_child_rows", lambda c, s, data, _: rolled_again(c, s, data)[1])
    assert train(case, stores, CLOCK).figures["bundle"] == ours["bundle"]
    assert ours["event_time"]["rows_ahead"] == 0
    half = module.with_child_rows(case, stores, data, np.arange(ROWS) % 2 == 0)
    X = event_time.event_time_vectors(compile_plan(case), half)
    alike = (X.view(np.uint32) == data.vectors.view(np.uint32)).all(axis=1)
    assert alike[::2].all()
    assert not alike[1::2].all()  # the negative control: without their rows


def test_a_rollup_that_was_changed_in_the_table_is_noticed(stores):
    case = SPLIT["time"]
    table = stores.tables.get(table_name(case))
    more = pa.array(table["loans_count"].to_numpy() + np.float32(1))
    place = table.column_names.index("loans_count")
    stores.tables.put(table_name(case), table.set_column(place, "loans_count", more))
    data = module.training_set(case, stores)
    assert "time travel: vectors of another time" in suspect.suspect(case, stores, data).refused
    stores.tables.put(table_name(case), table)


def test_vectors_of_an_earlier_version_are_to_be_built_again(stores):
    case = SPLIT["stratified"]
    table = stores.tables.get(table_name(case))
    stores.tables.put(table_name(case), table.drop_columns([CONTENT]))
    with pytest.raises(InputError, match="build` again"):
        module.training_set(case, stores)
    stores.tables.put(table_name(case), table)
