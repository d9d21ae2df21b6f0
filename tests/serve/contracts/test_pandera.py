"""The Pandera module judges what pandas made of a column as the contract judges that column of a Parquet file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pandera.errors
import pyarrow as pa
import pytest

from tests.fixtures.tiny_fraud import case as tiny
from tests.serve.contracts.test_exports import NAMES, module_of
from weighbridge.declare import Category, Child, Contract, Id, Integer, Key, Money, Number, Policy, Text, Time
from weighbridge.kernel.child_rows import parse_rows
from weighbridge.kernel.validate import parse_table
from weighbridge.serve.cli.contract import written

DIGITS = Contract(
    "digits",
    [
        Id("id"), Time("at"), Key("who"), Key("loan", whole=True, optional=True), Text("note", optional=True, longest=3),
        Category("code", one_of=["1", "2"], optional=True, means_missing=["9"]), Category("kind", one_of=["1", "rest"], other="rest"),
        Integer("whole", optional=True, means_missing=[-1]), Money("amount", at_least=0, at_most=99.99), Number("score", at_most=1, decimals=2),
    ],
)  # fmt: skip
ROWS = Child(
    "rows", [Key("who"), Key("loan", whole=True), Integer("month"), Time("at")], by="who", unique=("loan", "month")
)
SERIES = [
    pd.Series([1, 2, 3, 9, -1, 1000, 99, 0], dtype="int64"), pd.Series([1, 2, 3, 2**63 - 1, 0, 2**53 + 1, 2, 1], dtype="int64"),
    pd.Series([1, 2, -3, -(2**63), 0, 2, 2, 1], dtype="int64"), pd.Series([1, 2, 2**63, 2**64 - 1, 0, 2, 2, 1], dtype="uint64"),
    pd.Series([1, 2, 100, -1, 0, 2, 2, 1], dtype="int8"), pd.Series([1.0, 2.0, 9.0, None, -1.0, 1e3, 1e5, 1.0]),
    pd.Series([1.0, 2.5, 1e17, None, -0.0, 1e-7, 123.25, 12.345]), pd.Series([1.0, 2.0, 1.004, 99.99, 99.991, np.inf, -np.inf, 1e19]),
    pd.Series([0.1, 12.0, 99.99, None, 1.005, 0.99, 1.0, 1e15], dtype="float32"), pd.Series([True, False] * 4),
    pd.Series([1, 2, None, 9, 3, 1, 1, 1], dtype="Int64"), pd.Series(["1", "2", None, "9", "a", "", "1.0", "007"], dtype="string"),
    pd.Series(["1", "+1", " 1", "9", "0.5", "1e2", "0x1", "1_0"], dtype=object), pd.Series([1, 2, None, 9, 3, 1, 1, 1], dtype=object),
    pd.Series([True, None, False, True] * 2, dtype=object), pd.Series(["1", "2", "x", "9"] * 2, dtype="category"),
    pd.Series([Decimal("1.00"), Decimal("2.50"), None, Decimal("0.12")] * 2, dtype=object), pd.Series([None] * 8, dtype=object),
]  # fmt: skip
MOMENTS = [
    pd.Series(["2026-11-22", "2026-11-22T00", "20261122T005900Z", "2026-11-22 00:59:00", "1899-12-31T23:59:59Z", "2199-12-31", "soon",
               "2026-11-22T24:00:00Z"]),
    pd.Series(pd.to_datetime(["2026-11-22", "1899-12-31", "2200-01-01", None] * 2)),
    pd.Series(pd.to_datetime(["2026-11-22", "1899-12-31", "2200-01-01", None] * 2, utc=True)),
    pd.Series([date(2026, 11, 22), date(1899, 12, 31), date(2200, 1, 1), None] * 2, dtype=object),
    pd.Series([datetime(2026, 11, 22), datetime(1899, 12, 31), None, datetime(2026, 1, 1)] * 2, dtype=object),
    pd.Series([1, 2_000_000_000, 3, 4] * 2),
]  # fmt: skip
PAIRS = [(f.name, n) for f in DIGITS.fields for n in range(len(MOMENTS if f.name == "at" else SERIES))]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    case = replace(tiny, name="digits", events=DIGITS, children=[ROWS], simulate=None, policy=Policy(),
                   features=[DIGITS.by("who").count(last="1d")])  # fmt: skip
    return module_of(written(case, "pandera"), tmp_path_factory.mktemp("digits")).schemas


def refused(schema, frame):
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as fault:
        return {int(n) for n in fault.failure_cases["index"].dropna()}
    return set()


def frame_of(rows):
    names = [f"e{n}" for n in range(rows)]
    return pd.DataFrame({"id": names, "at": "2026-11-22T00:59:00Z", "who": "w", "loan": "1", "note": "a", "code": "1", "kind": "1", "whole": 1,
                         "amount": 1.5, "score": 0.5})  # fmt: skip


@pytest.mark.parametrize(("name", "n"), PAIRS)
def test_pandera_judges_a_column_as_the_contract_does(schemas, name, n):
    column = (MOMENTS if name == "at" else SERIES)[n]
    frame = frame_of(len(column)).assign(**{name: column})
    if name == "id":
        frame = frame.drop_duplicates("id")
    ours = set(parse_table(DIGITS, pa.Table.from_pandas(frame, preserve_index=False), {}, NAMES)[1].rejects.rows)
    assert refused(schemas["digits"], frame.reset_index(drop=True)) == ours


def test_ids_and_keys_that_are_numbers_are_taken(schemas):
    frame = frame_of(3).assign(
        id=[1, 2, 3], who=[7, 7, 8], loan=[1.0, None, 100_002.0], code=[1, 2, 2], note=[1, 22, 333]
    )
    assert refused(schemas["digits"], frame) == set()
    assert refused(schemas["digits"], frame.assign(note=[1, 22, 4444], code=[1, 3, 2])) == {1, 2}


def test_a_key_again_is_refused_where_it_stands_again(schemas):
    rows = pd.DataFrame(
        {"who": [1, 1, 2, 1, 1], "loan": [5, 5, 5, 6, 5], "month": [1, 2, 1, 1, 2], "at": "2026-11-22T00:59:00Z"}
    )
    assert refused(schemas["rows"], rows) == {4}
    assert not parse_rows(ROWS, pa.Table.from_pandas(rows), {}, NAMES)[1].rejects.rows
    assert refused(schemas["digits"], frame_of(3).assign(id=["a", "b", "a"])) == {2}
