"""A file of another table is refused before anything is stored; a small file of the right one is not."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.conftest import START_US, memory_stores
from tests.lending import APPLICATION, CASE, LOANS
from weighbridge.cases.home_credit import case as home_credit
from weighbridge.clock import ManualClock
from weighbridge.errors import InputError
from weighbridge.loop.children import ingest_rows
from weighbridge.loop.ingest import ingest
from weighbridge.loop.sources.right_table import check_columns
from weighbridge.ports.rows import ROWS

TABLES = (home_credit.events, *home_credit.children)


@pytest.mark.parametrize("asked", TABLES, ids=lambda t: t.name)
@pytest.mark.parametrize("given", TABLES, ids=lambda t: t.name)
def test_of_all_tables_of_a_case_only_the_right_one_is_accepted(asked, given):
    columns = [f.source for f in given.fields]
    if given is asked:
        check_columns(home_credit, asked, columns, {})
    else:
        with pytest.raises(InputError, match=f"columns of {given.name} and"):
            check_columns(home_credit, asked, columns, {})


def test_a_wrong_file_of_events_burns_no_ids():
    stores, clock = memory_stores(home_credit, None), ManualClock(START_US)
    bureau = next(child for child in home_credit.children if child.name == "bureau")
    wrong = pa.table({f.source: pa.array(["1"]) for f in bureau.fields})
    with pytest.raises(InputError, match=r"17 columns of bureau and \d of application.*`--table bureau=FILE`"):
        ingest(home_credit, stores, clock, wrong)
    assert stores.log.head().seq == 0


def test_a_file_with_no_optional_column_at_all_is_refused_where_many_are_declared():
    required = [f.source for f in home_credit.events.fields if not f.optional]
    with pytest.raises(InputError, match=r"none of the .* optional columns of application"):
        check_columns(home_credit, home_credit.events, required, {})
    one = next(f for f in home_credit.events.fields if f.optional)
    check_columns(home_credit, home_credit.events, [*required, one.source], {})
    check_columns(home_credit, home_credit.events, [*required, "MINE"], {one.name: "MINE"})
    check_columns(CASE, APPLICATION, ["number", "asked"], {})
    check_columns(CASE, LOANS, ["applicant", "loan"], {})


def test_a_file_that_has_all_of_its_own_columns_may_have_those_of_others_too():
    check_columns(CASE, APPLICATION, [*(f.source for f in APPLICATION.fields), *(f.source for f in LOANS.fields)], {})


def test_a_child_table_tells_which_columns_it_is_without(tmp_path):
    stores = memory_stores(CASE, tmp_path)
    rows = pa.table({"applicant": ["ann"], "loan": ["l1"], "owed": [1.0]})
    report = ingest_rows(CASE, stores, ManualClock(START_US), "loans", [rows.slice(0, 0), rows])
    assert report.figures["without"] == ["day", "state"]
    assert report.sentence.endswith(", without the optional columns day, state")
    with pytest.raises(InputError, match="3 columns of loans and 1 of payments"):
        ingest_rows(CASE, stores, ManualClock(START_US), "payments", [rows.append_column("number", pa.array(["7"]))])
    assert len(stores.log.notes(ROWS)) == 1
