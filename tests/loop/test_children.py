"""Child rows on their way into the log: what is rejected and told, what counts from when on, what a crash leaves."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from tests.conftest import START_US, memory_stores
from tests.lending import APPLICATION, CARDS, CASE, LOANS, MONTHS, PAYMENTS, table_of_rows
from weighbridge.clock import ManualClock
from weighbridge.declare import Child, Key
from weighbridge.errors import InputError, StoreFailure
from weighbridge.kernel.child_rows import TEXT
from weighbridge.kernel.partials import Kind
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.validate import parse_event
from weighbridge.loop.audit import audit
from weighbridge.loop.build import build
from weighbridge.loop.children import ingest_rows
from weighbridge.loop.ingest import ingest
from weighbridge.ports.rows import ROWS
from weighbridge.records import EventRecord
from weighbridge.score.rollups import rollups_of, segments
from weighbridge.stores.csv_rows import csv_pieces
from weighbridge.stores.rows import SUFFIX, FolderRows

CLOCK = ManualClock(START_US)
PLAN = compile_plan(CASE)
KINDS = [(partial.table, partial.kind, partial.terms) for partial in PLAN.partials]
OWED, CARD_ROWS = KINDS.index(("loans", Kind.SUM, ())), KINDS.index(("cards", Kind.ROWS, ()))
GOOD = {"applicant": "ann", "loan": "l1", "day": -5.0, "owed": 12.34, "state": "open"}


def at_home(tmp_path):
    """Memory stores whose child rows lie in a folder."""
    return replace(memory_stores(CASE, tmp_path), rows=FolderRows(tmp_path / "rows", 64 << 20))


def take(stores, *rows, case=CASE, child=LOANS, size=2):
    table = table_of_rows(child, rows)
    pieces = [table.slice(first, size) for first in range(0, len(table), size)]
    return ingest_rows(case, stores, CLOCK, child.name, pieces)


def loans_of(stores, person):
    partials = rollups_of(PLAN, stores).of(EventRecord("x", START_US, START_US, (person, 100))).partials
    return partials[0]  # the first rollup counts loans


BROKEN = {
    "applicant": ({"applicant": None}, "required"),
    "day": ({"day": -5_000.0}, "at_least"),
    "owed": ({"owed": 1.001}, "decimals"),
    "state": ({"state": "lost"}, "one_of"),
    "loan": ({"loan": "l2", "owed": 5.0}, "unique_row"),  # of rows of one key the last counts
}


def test_bad_rows_go_to_the_rejects_with_field_rule_and_row_and_good_ones_stay(tmp_path):
    stores = at_home(tmp_path)
    bad = [{**GOOD, "loan": f"b{number}", **change} for number, (change, _) in enumerate(BROKEN.values())]
    report = take(stores, GOOD, *bad, {**GOOD, "loan": "l2"})
    assert (report.figures["rows"], report.figures["accepted"], report.figures["rejected"]) == (7, 2, 5)
    told = stores.tables.get(f"rejects/{report.run}").to_pylist()
    assert [(r["row"], r["field"], r["rule"]) for r in told] == [
        (number, field, rule) for number, (field, (_, rule)) in enumerate(BROKEN.items(), 1)
    ]
    assert "5 rejected (row 1: applicant: it is required)" in report.sentence
    assert loans_of(stores, "ann") == 2


def test_a_line_that_is_no_row_is_a_reject_and_the_others_are_taken_in(tmp_path):
    stores = at_home(tmp_path)
    (tmp_path / "loans.csv").write_bytes(
        b'applicant,loan,day,owed,state\nann,l1,-5,12.34,open\nann,l2,-5\nann,"l3,-5,1,open\nann,l4,-5,2,lost\n'
        b"ann,\xff,-5,1,open\nann,l5,-4,1,open\n"
    )
    for accepted, already in ((2, 0), (0, 2)):
        for size in (8, 1 << 20):
            report = ingest_rows(CASE, stores, CLOCK, "loans", csv_pieces(tmp_path / "loans.csv", size))
            told = report.figures
            assert (told["rows"], told["accepted"], told["already_stored"], told["rejected"]) == (
                6,
                accepted,
                already,
                4,
            )
            rejects = stores.tables.get(f"rejects/{report.run}").to_pylist()
            assert [(r["row"], r["field"], r["rule"]) for r in rejects] == [
                (1, "row", "columns"), (2, "row", "quotes"), (3, "state", "one_of"), (4, "row", "utf8")
            ]  # fmt: skip
            accepted, already = 0, 2
    assert loans_of(stores, "ann") == 2


def test_a_file_given_twice_is_skipped_whatever_its_pieces(tmp_path):
    stores = at_home(tmp_path)
    rows = [GOOD, {**GOOD, "loan": "l2"}, {**GOOD, "loan": "l3"}]
    take(stores, *rows)
    again = take(stores, *rows, size=3)
    assert (again.figures["accepted"], again.figures["already_stored"]) == (0, 3)
    assert "3 rows were stored already" in again.sentence
    assert len(stores.log.notes(ROWS)) == 1
    assert loans_of(stores, "ann") == 3


def test_rows_that_come_back_after_others_are_in_force_again(tmp_path):
    stores = at_home(tmp_path)
    sums = []
    for owed in (100.0, 0.0, 100.0, 100.0):
        report = take(stores, {**GOOD, "owed": owed}, {**GOOD, "loan": "l2", "owed": 1.0})
        rows = rollups_of(PLAN, stores).of(EventRecord("x", START_US, START_US, ("ann", 100)))
        sums.append(rows.partials[OWED])
    assert sums == [10_100, 100, 10_100, 10_100]
    assert report.figures["already_stored"] == 2
    assert len(stores.log.notes(ROWS)) == 3


def test_a_grown_file_of_rows_with_two_keys_adds_what_is_new(tmp_path):
    stores = at_home(tmp_path)
    rows = [{"person": "ann", "card": "c1", "month": float(-n), "drawn": 1.0} for n in range(3)]
    take(stores, *rows, child=CARDS)
    take(stores, *rows[::-1], {**rows[0], "card": "c2"}, child=CARDS)
    of_ann = rollups_of(PLAN, stores).of(EventRecord("x", START_US, START_US, ("ann", 100)))
    assert of_ann.partials[CARD_ROWS] == 4
    twice = take(stores, rows[0], {**rows[0], "drawn": 2.0}, child=CARDS)
    (rejected,) = stores.tables.get(f"rejects/{twice.run}").to_pylist()
    assert (rejected["row"], rejected["field"], rejected["rule"]) == (0, "card+month", "unique_row")


def test_without_a_unique_key_the_order_of_a_file_is_no_new_file_and_a_new_file_adds_its_rows(tmp_path):
    stores = at_home(tmp_path)
    rows = [{"number": "e1", "paid": float(n), "due": 1.0, "paid_on": -1.0, "due_on": -2.0} for n in range(5)]
    first = take(stores, *rows, child=PAYMENTS)
    assert first.sentence == "5 rows of payments accepted (it has no unique=, so each new file adds its rows)"
    assert take(stores, *rows[::-1], child=PAYMENTS, size=3).figures["already_stored"] == 5
    assert take(stores, *rows, rows[0], child=PAYMENTS).figures["accepted"] == 6


def test_a_segment_that_the_log_does_not_name_counts_for_nothing_and_is_removed(tmp_path):
    stores = at_home(tmp_path)
    take(stores, GOOD)

    class Dying:
        def __getattr__(self, name):
            return getattr(stores.log, name)

        def commit(self, group, followers=()):
            raise StoreFailure("the disk is full")

    with pytest.raises(StoreFailure):
        take(replace(stores, log=Dying()), {**GOOD, "loan": "l2"})
    folder = tmp_path / "rows"
    assert len(list(folder.glob(f"*{SUFFIX}"))) == 2
    assert loans_of(stores, "ann") == 1
    (folder / "sort-of-one-who-died").mkdir()
    take(stores, {**GOOD, "loan": "l3"})
    assert len(list(folder.iterdir())) == len(list(folder.glob(f"*{SUFFIX}"))) == 2
    assert loans_of(stores, "ann") == 2


def test_a_segment_that_was_changed_is_refused(tmp_path):
    stores = at_home(tmp_path)
    take(stores, GOOD)
    (path,) = (tmp_path / "rows").glob(f"*{SUFFIX}")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreFailure, match="were changed"):
        segments(stores.log, FolderRows(tmp_path / "rows", 64 << 20))
    path.unlink()
    with pytest.raises(StoreFailure, match="cannot be read"):
        segments(stores.log, FolderRows(tmp_path / "rows", 64 << 20))


def test_an_unknown_table_and_a_missing_column_store_nothing(tmp_path):
    stores = at_home(tmp_path)
    with pytest.raises(InputError, match="no child table 'notes'; declared are loans, months"):
        ingest_rows(CASE, stores, CLOCK, "notes", [])
    with pytest.raises(InputError, match="column 'month'"):
        ingest_rows(CASE, stores, CLOCK, "months", [table_of_rows(MONTHS, [{"loan": "l"}]).drop_columns(["month"])])
    assert stores.log.notes(ROWS) == []


def test_a_column_that_is_called_otherwise_is_mapped(tmp_path):
    stores = at_home(tmp_path)
    table = table_of_rows(LOANS, [GOOD]).rename_columns({"loan": "NUMBER"})
    with pytest.raises(InputError, match=r"--map loans\.loan=COLUMN"):
        ingest_rows(CASE, stores, CLOCK, "loans", [table])
    with pytest.raises(InputError, match=r"--map loans\.number=\.\.\.: there is no such field"):
        ingest_rows(CASE, stores, CLOCK, "loans", [table], {"number": "NUMBER"})
    ingest_rows(CASE, stores, CLOCK, "loans", [table], {"loan": "NUMBER"})
    assert loans_of(stores, "ann") == 1


def test_the_audit_reads_every_segment(tmp_path):
    stores = at_home(tmp_path)
    take(stores, GOOD)
    assert audit(stores).fault is None
    (path,) = (tmp_path / "rows").glob(f"*{SUFFIX}")
    path.write_bytes(path.read_bytes()[:-1])
    fresh = replace(stores, rows=FolderRows(tmp_path / "rows", 64 << 20))
    assert "were changed after they were stored" in audit(fresh).fault


def test_keys_that_are_personal_are_stored_as_pseudonyms_and_still_join(tmp_path):
    person = Key("person", optional=True, pii="pseudonymised")
    events = replace(APPLICATION, fields=[APPLICATION.id, person, APPLICATION.fields[2]])
    loans = Child("loans", [Key("applicant", pii="pseudonymised"), *LOANS.fields[1:]], by="applicant", to="person")
    case = replace(CASE, events=events, children=[loans], features=[loans.count()])
    stores = at_home(tmp_path)
    take(stores, GOOD, case=case, child=loans)
    ((_, table),) = segments(stores.log, stores.rows)["loans"]
    hidden = stores.pseudonyms.of("ann")
    assert table[f"{TEXT}applicant"].to_pylist() == [hidden]
    of_ann = EventRecord("x", START_US, START_US, (hidden, 100))
    assert rollups_of(compile_plan(case), stores).of(of_ann).partials == (1,)
    row = {name: value for name, value in GOOD.items() if value is not None}
    body = {"number": "y", "person": "ann", "asked": 1, "loans": [{**row, "day": -5}, {"loan": "l2"}]}
    sent = parse_event(case.events, body, START_US, stores.pseudonyms)
    assert sent.values[0] == hidden
    assert "ann" not in sent.sent
    assert rollups_of(compile_plan(case), stores).of(sent).partials == (2,)


def test_whole_numbers_of_a_parquet_file_are_keys_too(tmp_path):
    stores = at_home(tmp_path)
    table = table_of_rows(LOANS, [{**GOOD, "applicant": "7"}]).set_column(0, "applicant", pa.array([7]))
    ingest_rows(CASE, stores, CLOCK, "loans", [table])
    assert loans_of(stores, "7") == 1


def test_an_event_with_more_rows_than_declared_is_rejected_at_ingest_and_stops_no_build(tmp_path):
    stores, clock = at_home(tmp_path), ManualClock(START_US)
    take(stores, *({**GOOD, "loan": f"l{number}"} for number in range(41)))
    clock.advance(60_000_000)
    events = pa.table({"number": ["e1", "e2", "e2"], "person": ["bob", "ann", "ann"], "asked": [1.0, 1.0, 1.0]})
    report = ingest(CASE, stores, clock, events)
    assert (report.figures["accepted"], report.figures["already_stored"]) == (1, 0)
    assert report.figures["reasons"] == {"most_rows": 2}
    assert build(CASE, stores, clock).figures["rows"] == 1
    again = ingest(CASE, stores, clock, events)
    assert (again.figures["already_stored"], again.figures["reasons"]) == (1, {"most_rows": 2})
