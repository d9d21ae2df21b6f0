"""A condition over columns means what it means for one event; and figures of quality equal plain ones."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.declare import (
    Category,
    Contract,
    Expect,
    Id,
    Integer,
    Key,
    Time,
    Validation,
    log,
    mean_of,
    ratio,
    value,
)
from weighbridge.declare.undefined import may_be_undefined
from weighbridge.errors import DeclarationError
from weighbridge.kernel.conditions import holding, present
from weighbridge.kernel.quality import again, far, shared, spread
from weighbridge.score.condition import holds

CONTRACT = Contract("t", [Id("id"), Time("at"), Key("k"), Integer("a", optional=True, at_least=-9, at_most=9),
                          Integer("b", at_least=-9, at_most=9), Category("c", one_of=["x", "y"], optional=True)])  # fmt: skip
NUMBERS = st.one_of(st.none(), st.integers(-3, 3))
ROWS = st.lists(st.tuples(st.just("k"), NUMBERS, st.integers(-3, 3), st.sampled_from([None, "x", "y"])), max_size=8)
TEXTS = [
    "a < b", "a <= 1", "a == b", "a != b", "not a > 0", "a in (1, 2)", "a not in (1, 2)", "c == 'x'", "c != 'x'", "c in ('x', 'y')",
    "c not in ('y',)", "a / b > 1", "a / b <= 1", "a * b + 1 >= a - b", "a > 0 and b > 0", "a > 0 or c == 'y'", "-1 <= a <= b",
    "not (a > 0 and c == 'x')", "0 == a", "not c == 'x'", "a + 1 > b or not b < 2",
]  # fmt: skip


@given(ROWS, st.sampled_from(TEXTS))
def test_a_condition_over_columns_is_the_condition_of_each_row(rows, text):
    condition, about = Expect("e", text).read(CONTRACT, ())
    columns = {
        name: np.array([math.nan if row[place] is None else row[place] for row in rows], dtype=np.float64)
        for place, name in ((1, "a"), (2, "b"))
    } | {"c": pa.array([row[3] for row in rows], pa.string())}
    one = holds(condition, {})
    assert about == "field"
    assert holding(condition, columns, len(rows)).tolist() == [one(row, (), 0.0, 0) for row in rows]
    assert present(columns["c"]).tolist() == [row[3] is not None for row in rows]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rows > 1 and a > 1", "mixes fields and figures"),
        ("a > 1 and f > 1", "mixes features and fields"),
        ("probability > 1", "no field or feature"),
        ("a >", "no expression"),
        ("k in blocked", "no declared list"),
        ("positive_share > 'x'", "compares text with a number"),
    ],
)
def test_what_no_rule_can_mean_is_refused(text, says):
    with pytest.raises(DeclarationError, match=says):
        Expect("e", text).read(CONTRACT, ("f",))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: Expect("", "a > 1"), "has no name"),
        (lambda: Expect("e", "a > 1", at_least=0), "no share"),
        (lambda: Expect("e", "a > 1", severity="loud"), "is unknown"),
        (lambda: Validation(unique="loud"), "unique='loud' is unknown"),
        (lambda: Validation(stages=["raw", "cooked"]), "no stage 'cooked'"),
        (lambda: Validation(missing_at_most=1.5), "no share"),
        (lambda: Validation(missing_of={"a": True}), "no share"),
        (lambda: Validation(outliers_by="eye"), "is unknown"),
        (lambda: Validation(beyond=math.inf), "no distance"),
        (lambda: Validation(expect=[Expect("e", "a > 1"), Expect("e", "a > 2")]), "two expectations"),
        (lambda: Validation(missing_of={"z": 0.1}).check(CONTRACT, ["a"], []), "names 'z'"),
    ],
)
def test_what_no_validation_can_mean_is_refused(made, says):
    with pytest.raises(DeclarationError, match=says):
        made()


def test_what_is_always_defined_is_known():
    by = CONTRACT.by("k")
    never = [value("b"), log(by.count(last="1d")), mean_of("a", "b"), by.count(last="1d"), by.sum("b", last="1d")]
    may = [
        value("a"),
        log("b"),
        log("a"),
        ratio("b", "b"),
        by.mean("b", last="1d"),
        mean_of("a", "a"),
        by.since_last(within="1d"),
    ]
    assert [may_be_undefined(feature, CONTRACT) for feature in (*never, *may)] == [False] * 5 + [True] * 7


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 2)), max_size=12))
def test_what_stands_again_is_what_a_loop_finds(rows):
    texts, numbers = pa.array([r[0] for r in rows], pa.string()), pa.array([r[1] for r in rows], pa.int64())
    assert again(texts, numbers).tolist() == [n for n, row in enumerate(rows) if row in rows[:n]]
    other = [("a", 1), (None, 0)]
    tables = [pa.table({"t": pa.array([r[0] for r in part], pa.string()), "f": pa.array([float(r[1]) for r in part], pa.float32())})
              for part in (rows, other)]  # fmt: skip
    assert shared(*tables).tolist() == [row in other for row in rows]


@given(
    st.lists(st.one_of(st.just(math.nan), st.integers(-50, 50).map(float)), max_size=40), st.sampled_from([1.5, 3.0])
)
def test_outliers_are_those_of_the_formula(values, beyond):
    array, known = np.array(values, dtype=np.float64), [v for v in values if v == v]
    found = far(array, "robust_z", beyond)
    if known:
        middle = float(np.median(known))
        mad = 1.4826 * float(np.median([abs(v - middle) for v in known]))
        assert found.tolist() == [v == v and mad > 0 and abs(v - middle) > beyond * mad for v in values]
    low, high = np.quantile(known, [0.25, 0.75]) if known else (0.0, 0.0)
    fence = beyond * (high - low)
    expected = [v == v and high > low and (v < low - fence or v > high + fence) for v in values]
    assert far(array, "iqr", beyond).tolist() == expected
    assert sum(spread(array)["counts"]) == len(known)


def test_content_is_alike_whatever_its_numbers_are_stored_as():
    whole, real = pa.table({"n": pa.array([1, None, 3])}), pa.table({"n": pa.array([3.0, math.nan, 2.0])})
    assert shared(whole, real).tolist() == [False, True, True]
    assert shared(whole.slice(0, 0), real).tolist() == []
