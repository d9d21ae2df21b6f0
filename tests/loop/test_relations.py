"""Related tables as declared: the same rows for a seed, whole keys, and the structure that the weights say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from weighbridge.declare import (
    Category,
    Child,
    Contract,
    Id,
    Integer,
    Key,
    Label,
    Number,
    Relations,
    Rows,
    UseCase,
    among,
    drawn,
    flag,
    lightgbm,
    lognormal,
    normal,
    steps,
    value,
)
from weighbridge.errors import DeclarationError, InputError
from weighbridge.kernel.metrics import roc_auc
from weighbridge.loop.relations import related
from weighbridge.stores.sources import read_file, writing

LOAN = Child("loan", [Key("id", whole=True), Key("loan_id", whole=True), Number("size", at_least=0, at_most=1e6, decimals=2),
                      Integer("late", at_least=0, at_most=500, optional=True), Integer("unused", optional=True)],
             by="id", unique="loan_id")  # fmt: skip
MONTH = Child("month", [Key("loan_id", whole=True), Integer("at", at_least=-100, at_most=0),
                        Category("state", one_of=["good", "bad"])], by="loan_id", of=LOAN)  # fmt: skip
CASE = UseCase(
    "lending",
    events=Contract("person", [Id("id", whole=True), Number("seen", decimals=3, at_least=-9, at_most=9),
                               Integer("day", optional=True, means_missing=[9999], at_least=-50, at_most=0)]),
    children=[LOAN, MONTH],
    features=[value("seen")],
    label=Label("bad", matures="0s"),
    models=[lightgbm()],
    simulate=Relations(
        factors=["open", "hidden"],
        columns=[drawn("seen", normal(1, 2, at_least=-9, at_most=9), open=0.9), drawn("day", normal(-20, 5), unknown=0.3)],
        tables=[
            Rows("loan", lognormal(3, 0.4, at_most=9), none=0.2, columns=[
                drawn("size", lognormal(1_000, 0.5)), drawn("late", normal(0.1, 0.02), times="size", missing=0.1, hidden=0.8)]),
            Rows("month", normal(4, 1, at_least=1, at_most=8), under="loan", columns=[
                drawn("at", steps(-1, -1)), drawn("state", among({"good": 0.7, "bad": 0.3}), hidden=0.6)]),
        ],
        risk={"open": 0.5, "hidden": 0.6}, rate=0.2,
    ),
)  # fmt: skip


def whole(events, seed=3, case=CASE):
    blocks = list(related(case, seed=seed, events=events))
    return {name: pa.concat_tables([b[name] for b in blocks]) for name in blocks[0]}


@pytest.fixture(scope="module")
def world():
    return whole(6_000)


def test_a_seed_is_a_world_and_a_larger_one_begins_with_it(world):
    small = whole(1_234)
    assert len(small["person"]) == 1_234
    for name, table in small.items():
        assert table.equals(world[name].slice(0, len(table)))
    assert not whole(100, seed=4)["person"].equals(world["person"].slice(0, 100))


def test_keys_are_whole(world):
    person, loan, month = world["person"], world["loan"], world["month"]
    assert person["id"].to_pylist() == list(range(100_001, 106_001))
    assert pc.count_distinct(loan["loan_id"]).as_py() == len(loan)
    assert set(loan["id"].to_pylist()) < set(person["id"].to_pylist())
    assert set(month["loan_id"].to_pylist()) == set(loan["loan_id"].to_pylist())
    assert abs(1 - pc.count_distinct(loan["id"]).as_py() / 6_000 - 0.2) < 0.02
    first = month.filter(pc.equal(month["loan_id"], loan["loan_id"][7]))
    assert first["at"].to_pylist() == list(range(-1, -len(first) - 1, -1))
    assert loan["unused"].null_count == len(loan)


def test_shares_are_as_declared(world):
    def share(condition):
        return pc.mean(condition.cast(pa.int64())).as_py()

    assert abs(share(pc.equal(world["person"]["day"], 9999)) - 0.3) < 0.03
    assert abs(pc.mean(world["person"]["bad"]).as_py() - 0.2) < 0.02
    assert abs(world["loan"]["late"].null_count / len(world["loan"]) - 0.1) < 0.02
    assert abs(share(pc.equal(world["month"]["state"], "bad")) - 0.3) < 0.03
    assert abs(pc.mean(world["person"]["seen"]).as_py() - 1) < 0.1


def test_the_label_follows_the_weights_and_nothing_else(world):
    """In a Gaussian copula a label of weight r separates a factor as two normals cut at a quantile do; ours is checked by
    drawing that again, with other chance."""
    rng = np.random.default_rng(1)
    factors = rng.standard_normal((2, 400_000))
    bad = 0.5 * factors[0] + 0.6 * factors[1] + np.sqrt(1 - 0.61) * rng.standard_normal(400_000) > 0.8416
    seen = 0.9 * factors[0] + np.sqrt(1 - 0.81) * rng.standard_normal(400_000)
    label = world["person"]["bad"].to_numpy()
    assert abs(roc_auc(label, world["person"]["seen"].to_numpy()) - roc_auc(bad.astype(int), seen)) < 0.025
    state = world["month"].append_column("bad_month", pc.equal(world["month"]["state"], "bad").cast(pa.int64()))
    of_loan = dict(zip(world["loan"]["loan_id"].to_pylist(), world["loan"]["id"].to_pylist(), strict=True))
    owner = np.array([of_loan[key] for key in state["loan_id"].to_pylist()]) - 100_001
    months = np.bincount(owner, minlength=6_000)
    rate = np.bincount(owner, weights=state["bad_month"].to_numpy(), minlength=6_000) / np.maximum(months, 1)
    there = months > 0
    assert 0.65 < roc_auc(label[there], rate[there]) < 0.85
    blind = replace(CASE, simulate=replace(CASE.simulate, risk={"hidden": 0.6}))
    person = whole(3_000, case=blind)["person"]
    assert abs(roc_auc(person["bad"].to_numpy(), person["seen"].to_numpy()) - 0.5) < 0.04


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_pieces_make_one_file_each(tmp_path, form, world):
    with writing(tmp_path, form) as put:
        for tables in related(CASE, seed=3, events=2_500):
            for name, table in tables.items():
                put(name, table)
    found = read_file(tmp_path / f"month.{form}")
    assert found["state"].to_pylist() == world["month"]["state"].slice(0, len(found)).to_pylist()
    with pytest.raises(InputError, match="no format of files"), writing(tmp_path, "xlsx"):
        pass


def test_what_is_broken_off_leaves_no_file(tmp_path):
    def broken_off():
        with writing(tmp_path / "out", "parquet") as put:
            put("person", whole(10)["person"])
            raise KeyError("broken off")

    with pytest.raises(KeyError):
        broken_off()
    assert list((tmp_path / "out").iterdir()) == []


def altered(**changes):
    return replace(CASE, simulate=replace(CASE.simulate, **changes))


WRONG = {
    "factor": (lambda: altered(risk={"luck": 0.5}), "'luck' is no factor"),
    "weights": (lambda: altered(risk={"open": 0.9, "hidden": 0.9}), "sum to more than 1"),
    "rate": (lambda: altered(rate=0.0), "out of range"),
    "order": (lambda: altered(tables=CASE.simulate.tables[::-1]), "list it first"),
    "share": (lambda: flag(1.0), "is no share"),
    "shares": (lambda: among({"a": 0}), "not above 0"),
    "median": (lambda: lognormal(0, 1), "not above 0"),
    "bounds": (lambda: normal(0, 1, at_least=2, at_most=1), "bounds are crossed"),
    "missing": (lambda: drawn("x", normal(0, 1), missing=1.0), "is no share"),
    "steps": (lambda: drawn("x", steps(0, 1), open=0.5), "depend on nothing"),
    "number": (lambda: Rows("x", among({1: 1}), []), "is no number"),
    "field": (lambda: whole(1, case=altered(columns=[drawn("size", normal(0, 1))])), "no field 'size'"),
    "added": (lambda: whole(1, case=altered(columns=[drawn("seen", normal(0, 1), plus="x")])), "no field 'x'"),
    "unknown": (lambda: whole(1, case=altered(columns=[drawn("seen", normal(0, 1), unknown=0.1)])), "no means_missing"),
    "table": (lambda: whole(1, case=altered(tables=[Rows("x", normal(1, 1), [])])), "no such child"),
    "value": (lambda: whole(1, case=altered(tables=[CASE.simulate.tables[0], Rows("month", normal(1, 1), [
        drawn("state", among({"ugly": 1.0}))], under="loan")])), "is never"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_world_is_refused(name):
    make, says = WRONG[name]
    with pytest.raises(DeclarationError, match=says):
        make()
