"""Every kind of change of a source, in real files of both forms, has its declared verdict; healthy files have none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.conftest import CUT_US, START_US, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Category, Contract, Number
from weighbridge.declare.changes import ACCEPTED, MAY_BE_ACCEPTED, REFUSED, VERDICTS, WARNED
from weighbridge.errors import InputError
from weighbridge.loop.given import Given
from weighbridge.loop.ingest import take
from weighbridge.loop.simulate import simulate
from weighbridge.stores.sources import read_rows, write_file

contract = Contract(
    "payment",
    [*tiny.events.fields, Category("country", one_of=["FR", "DE"]), Number("age", decimals=0, optional=True)],
)
case = replace(tiny, events=contract)


@pytest.fixture(scope="module")
def days():
    """Two days of the same world, apart in time."""
    found = []
    for seed, day in ((1, 0), (2, 1)):
        table = simulate(tiny, seed=seed, start_us=START_US + day * 60 * DAY_US, events=150).events.slice(0, 150)
        chance = np.random.default_rng(seed)
        table = table.append_column("country", pa.array(chance.choice(["FR", "DE"], len(table)).tolist()))
        found.append(table.append_column("age", pa.array(chance.integers(20, 80, len(table)), pa.int32())))
    return found


def changed(table, column, values, name=None):
    return table.set_column(table.column_names.index(column), name or column, values)


def texts(table, column, form):
    return pa.array([form(str(v)) for v in table[column].to_pylist()])


CHANGES = {
    "column_added": lambda t: t.append_column("channel", pa.array(["web"] * len(t))),
    "columns_reordered": lambda t: t.select(t.column_names[::-1]),
    "type_widened": lambda t: changed(t, "age", pc.add(t["age"].cast(pa.float64()), 0.5)),
    "optional_removed": lambda t: t.drop_columns(["age"]),
    "type_narrowed": lambda t: changed(t, "amount", pc.round(t["amount"]).cast(pa.int64())),
    "category_added": lambda t: changed(t, "country", pa.array(["ES", "FR", "DE"] * (len(t) // 3))),
    "nulls_in_required": lambda t: changed(t, "shop_id", pa.array([None, *t["shop_id"].to_pylist()[1:]])),
    "required_removed": lambda t: t.drop_columns(["shop_id"]),
    "column_renamed": lambda t: t.rename_columns(["sum_eur" if n == "amount" else n for n in t.column_names]),
    "text_for_number": lambda t: changed(t, "amount", texts(t, "amount", lambda v: f"EUR {v}")),
    "scale_shifted": lambda t: changed(t, "amount", pc.round(pc.divide(t["amount"], 100.0), 2)),
    "time_form_changed": lambda t: changed(t, "event_ts", texts(t, "event_ts", lambda v: v[:19])),
    "key_form_changed": lambda t: changed(t, "card_id", texts(t, "card_id", lambda v: f"{abs(hash(v)) % 10**9:09d}")),
}


class Source:
    def __init__(self, folder, form):
        self.folder, self.form, self.stores = folder, form, memory_stores(case, folder / "reports")

    def give(self, table, accepts=()):
        path = self.folder / f"day.{self.form}"
        write_file(path, table)
        given = Given.of("payments", read_rows(path), {"arrived": "arrived"}, "payments", accepts)
        return take(case, self.stores, ManualClock(CUT_US + 200 * DAY_US), [given])


@pytest.fixture(params=["csv", "parquet"])
def source(request, tmp_path):
    return Source(tmp_path, request.param)


def test_a_healthy_day_after_another_is_told_nothing(source, days):
    for day in days:
        report = source.give(day)
        assert report.figures["sources"]["payments"]["schema"] == []
        assert report.figures["rejected"] == 0


@pytest.mark.parametrize("kind", CHANGES)
def test_each_kind_of_change_has_its_declared_verdict(source, days, kind):
    source.give(days[0])
    stored, table = len(source.stores.log.events()), CHANGES[kind](days[1])
    if VERDICTS[kind] == REFUSED:
        with pytest.raises(
            InputError, match=f"source payments has changed, and nothing was taken in: {kind}: "
        ) as told:
            source.give(table)
        assert len(source.stores.log.events()) == stored
        assert not source.stores.tables._tables.keys() - {"waiting-labels"}
        assert ("--accept-schema" in str(told.value)) == (kind in MAY_BE_ACCEPTED)
        return
    report = source.give(table)
    (change,) = [c for c in report.figures["sources"]["payments"]["schema"] if c["kind"] == kind]
    assert change["verdict"] == VERDICTS[kind]
    assert (change["sentence"] in report.sentence) == (VERDICTS[kind] == WARNED)
    assert report.figures["accepted"] + report.figures["rejected"] == len(table)


def test_the_table_of_verdicts_is_tried_whole():
    assert set(CHANGES) | {"column_duplicated"} == set(VERDICTS)
    assert set(VERDICTS.values()) == {ACCEPTED, WARNED, REFUSED}


def test_a_column_that_stands_twice_is_refused(source, days):
    table = days[0].append_column("amount", days[0]["amount"])
    with pytest.raises(InputError, match="two columns called 'amount'"):
        source.give(table)
    assert not len(source.stores.log.events())


def test_what_is_accepted_on_request_is_taken_in_and_becomes_what_is_known(source, days):
    source.give(days[0])
    table = CHANGES["scale_shifted"](days[1])
    report = source.give(table, accepts=["scale_shifted"])
    assert report.figures["sources"]["payments"]["schema"][0]["verdict"] == "accepted on request"
    assert source.give(table).figures["already_stored"] == report.figures["accepted"] > 100


def test_no_text_of_a_personal_column_is_kept_in_the_profile(source, days):
    source.give(days[0])
    kept = str(source.stores.tracker.runs("schema"))
    assert not any(card in kept for card in days[0]["card_id"].to_pylist())
