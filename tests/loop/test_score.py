"""Rows from outside, decided as online: in whatever pieces they come, repeated ones as the desk answers them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import CUT_US
from weighbridge.clock import DAY_US, us_to_iso
from weighbridge.declare import Reasons
from weighbridge.errors import Conflict, InputError
from weighbridge.loop import score as module
from weighbridge.loop.gate import named
from weighbridge.loop.score import score
from weighbridge.score.batch import COLUMNS, score_table
from weighbridge.serve.wiring import open_desk
from weighbridge.stores.sources import read_file, read_pieces, write_file

MAPPED = {"arrived": "arrived"}


@pytest.fixture(scope="module")
def rows(world):
    """300 events around the present: some are in the log, most are new."""
    arrived = world.events["arrived"].cast(pa.int64())
    near = pc.and_(pc.greater(arrived, CUT_US - DAY_US // 2), pc.less(arrived, CUT_US + DAY_US))
    return world.events.filter(near).slice(0, 300)


@pytest.fixture(scope="module")
def eager(small_case):
    return replace(small_case, reasons=Reasons(share=0.2))


def scored(case, stores, pieces, mapping=MAPPED):
    return score(case, stores, named(case, stores, None), pieces, mapping)


def same(one, other):
    return (
        one.table() == other.table()
        and one.vectors.tobytes() == other.vectors.tobytes()
        and one.probability.tobytes() == other.probability.tobytes()
        and one.reasons == other.reasons
    )


@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_pieces_do_not_matter(eager, trained, rows, cuts):
    whole = _whole(eager, trained, rows)
    edges = [0, *sorted(cuts), 300]
    pieces = [rows.slice(a, b - a) for a, b in pairwise(edges)]
    assert same(scored(eager, trained, pieces).batch, whole)


def _whole(eager, trained, rows, _made=[]):  # noqa: B006 - made once
    if not _made:
        _made.append(scored(eager, trained, [rows]).batch)
    return _made[0]


def test_the_table_says_what_was_decided(eager, trained, rows):
    batch = _whole(eager, trained, rows)
    table = batch.table()
    assert table.schema == COLUMNS
    assert table["event_id"].to_pylist() == rows["event_id"].to_pylist()
    for row, told in zip(table.to_pylist(), batch.reasons, strict=True):
        assert row["prediction"] == int(row["action"] != "approve")
        assert row["reasons"] == "; ".join(reason.sentence for reason in told or ())
    assert 20 < sum(bool(told) for told in batch.reasons) < 280
    assert score_table(eager, trained, named(eager, trained, None), _accepted(eager, trained, rows)) == table


def _accepted(case, stores, rows):
    from weighbridge.kernel.validate import parse_table

    return parse_table(case.events, rows, MAPPED, stores.pseudonyms)[0]


def test_a_repeated_row_gets_the_same_answer_and_counts_once(eager, trained, rows):
    alone, repeated = (
        rows.slice(200, 50),
        pa.concat_tables([rows.slice(200, 50), rows.slice(200, 20), rows.slice(210, 5)]),
    )
    once, again = scored(eager, trained, [alone]), scored(eager, trained, [repeated])
    assert len(again.rejected) == 0
    expected = pa.concat_tables([once.batch.table(), once.batch.table().slice(0, 20), once.batch.table().slice(10, 5)])
    assert again.batch.table() == expected.combine_chunks()
    middle = pa.concat_tables([rows.slice(200, 25), rows.slice(200, 25), rows.slice(225, 25)])
    assert same_rows(scored(eager, trained, [middle]).batch, [*range(25), *range(25), *range(25, 50)], once.batch)


def same_rows(batch, places, other):
    return batch.vectors.tobytes() == other.vectors[places].tobytes()


def test_another_row_of_an_id_is_rejected_as_the_desk_does(eager, trained, rows, clock):
    """Held against the log where it has the id, else against the first row of it; later rows see nothing of it."""
    stored = trained.log.known(rows["event_id"].combine_chunks()).to_pylist()
    old, new = stored.index(True), stored.index(False)
    changed = rows.set_column(rows.column_names.index("amount"), "amount", pc.add(rows["amount"], 1.0))
    given_rows = pa.concat_tables(
        [changed.slice(old, 1), rows.slice(old, 1), rows.slice(new, 3), changed.slice(new, 1), rows.slice(new, 1)]
    )
    found = scored(eager, trained, [given_rows.slice(0, 4), given_rows.slice(4)])
    assert [(r["row"], r["field"], r["rule"]) for r in found.rejected.to_pylist()] == [
        (0, "event_id", "unique"),
        (5, "event_id", "unique"),
    ]
    without = scored(eager, trained, [pa.concat_tables([rows.slice(old, 1), rows.slice(new, 3), rows.slice(new, 1)])])
    assert same(found.batch, without.batch)
    desk = open_desk(eager, trained, clock)
    row = changed.slice(old, 1).to_pylist()[0]
    body = {f.name: row[f.source] for f in eager.events.fields}
    with pytest.raises(Conflict):
        desk.decide({**body, "event_ts": us_to_iso(int(row["event_ts"].timestamp() * 1e6))}, "t")


def test_rejected_rows_are_counted_over_the_pieces(eager, trained, rows):
    amounts = [-1.0 if n in (3, 7, 250) else amount for n, amount in enumerate(rows["amount"].to_pylist())]
    bad = rows.set_column(rows.column_names.index("amount"), "amount", pa.array(amounts))
    found = scored(eager, trained, [bad.slice(0, 5), bad.slice(5, 100), bad.slice(105)])
    assert [(r["row"], r["rule"]) for r in found.rejected.to_pylist()] == [
        (3, "at_least"),
        (7, "at_least"),
        (250, "at_least"),
    ]
    assert len(found.batch.table()) == 297


def test_nothing_is_stored_and_nothing_to_score_is_nothing(eager, trained, rows):
    before = trained.log.head()
    empty = scored(eager, trained, [rows.slice(0, 0)])
    assert (len(empty.batch.table()), len(empty.rejected)) == (0, 0)
    assert trained.log.head() == before


def test_what_is_too_much_or_named_wrongly_is_refused(eager, trained, rows, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 299)
    with pytest.raises(InputError, match="more than 299 rows"):
        scored(eager, trained, iter([rows.slice(0, 150), rows.slice(150)]))
    with pytest.raises(InputError, match="there is no such field"):
        scored(eager, trained, [rows], {"colour": "x"})
    with pytest.raises(InputError, match="is missing"):
        scored(eager, trained, [rows.drop_columns(["amount"])])


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.csv.gz"])
def test_a_file_is_read_in_pieces(rows, tmp_path, name, monkeypatch):
    monkeypatch.setattr("weighbridge.stores.sources.PIECE_ROWS", 32)
    monkeypatch.setattr("weighbridge.stores.sources.PIECE_BYTES", 4_096)
    many = pa.concat_tables([rows] * 5)
    if name == "rows.csv.gz":
        import gzip

        write_file(tmp_path / "rows.csv", many)
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "rows.csv").read_bytes()))
    else:
        write_file(tmp_path / name, many)
    pieces = list(read_pieces(tmp_path / name))
    assert len(pieces) > 5
    assert pa.concat_tables(pieces) == read_file(tmp_path / name)


def test_probabilities_keep_every_bit_in_a_csv(eager, trained, rows, tmp_path):
    batch = _whole(eager, trained, rows)
    write_file(tmp_path / "out.csv", batch.table())
    written = read_file(tmp_path / "out.csv")["probability"].to_pylist()
    assert np.array([float(p) for p in written]).tobytes() == batch.probability.tobytes()


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    write_file(path, pa.table({"a": [1]}))
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.csv.write_csv", full)
    from weighbridge.errors import StoreFailure

    with pytest.raises(StoreFailure, match="No space left"):
        write_file(path, pa.table({"a": [2]}))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
