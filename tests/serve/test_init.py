"""A project of one's own: made from nothing or from a file, refused where it would harm, and sound by its own tests."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from examples.orders import write as write_orders
from tests.conftest import SOAK
from tests.test_docs import DATA
from weighbridge.errors import DeclarationError, InputError
from weighbridge.serve.cli import app
from weighbridge.serve.cli.init import read
from weighbridge.serve.project.columns import columns_of
from weighbridge.serve.project.declaration import declaration
from weighbridge.serve.project.seen import seen

ROOT = Path(__file__).parents[2]


def begun(folder, *words, name="mine"):
    done = CliRunner().invoke(app, ["init", str(folder), "--case", name, *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def ran(folder, *words):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    return subprocess.run([*map(str, words)], cwd=folder, env=env, capture_output=True, text=True, timeout=3_600)


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    write_orders(path, 2_000)
    return path


def test_a_project_from_nothing_passes_its_own_tests(tmp_path):
    told = begun(tmp_path / "shop")
    assert "make test" in told
    done = ran(tmp_path / "shop", sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    declared = tmp_path / "shop" / "mine.py"
    declared.write_text(declared.read_text().replace("    hour_of_day(),\n", "", 1))
    done = ran(tmp_path / "shop", sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "features_that_were")
    assert done.returncode == 1


def test_a_project_from_a_file_keeps_the_file(tmp_path, orders):
    told = begun(tmp_path / "shop", "--from", orders)
    assert "2,000 of 2,000 rows keep the contract" in told
    text = (tmp_path / "shop" / "mine.py").read_text()
    case = read("mine", text)
    kinds = {field.name: type(field).__name__ for field in case.events.fields}
    assert kinds == {
        "order_no": "Id", "ordered_at": "Time", "customer": "Key", "courier": "Key", "city": "Category", "paid_with": "Category",
        "basket_value": "Money", "items": "Integer", "distance_km": "Number",
    }  # fmt: skip
    assert case.label.name == "disputed"
    assert case.events.time.arrived == "recorded_at"
    assert case.events.field("customer", "").pii == "pseudonymised"
    assert case.events.field("distance_km", "").optional
    assert "by_courier.label_rate" in text
    steps = (["ingest", "mine.py", orders], ["run", "mine.py", "build"], ["export", "make", "mine.py", "--check"])
    for words in steps:
        done = ran(tmp_path / "shop", Path(sys.executable).with_name("weigh"), *words)
        assert done.returncode == 0, done.stdout + done.stderr
    planned = ran(tmp_path / "shop", "make", "--no-print-directory", "-n", "mine-training", "BIN=x")
    assert [line.split()[-1] for line in planned.stdout.splitlines()] == [
        "build",
        "validate",
        "train",
        "gate",
        "promote",
    ]


def test_nothing_is_overwritten(tmp_path):
    begun(tmp_path / "shop")
    before = {path: path.read_bytes() for path in (tmp_path / "shop").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="not an empty folder"):
        begun(tmp_path / "shop", name="other")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not an empty folder"):
        begun(tmp_path / "file")
    assert before == {path: path.read_bytes() for path in (tmp_path / "shop").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["", "Mine", "1st", "my-case", "class", "json", "tests", "../up", "a" * 64, 'x"', "münze"]
)
def test_a_name_that_no_module_can_have_is_refused(name, tmp_path):
    with pytest.raises(InputError, match="--case"):
        begun(tmp_path / "shop", name=name)
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize(
    ("rows", "words", "says"),
    [
        ("a,b\n", (), "no rows"),
        ("id,x\n1,5\n2,6\n", (), "looks like a label"),
        ("x,bad\n1,0\n1,1\n", (), "another value in every row"),
        ("id,bad\n1,0\n2,1\n", ("--id", "gone"), "is no column"),
        ("id,x,bad\n1,5,0\n2,5,1\n3,6,1\n", ("--id", "x"), "cannot be"),
        ("id,x,bad\n1,5,0\n2,5,1\n3,6,1\n", ("--label", "x"), "cannot be"),
        ("id,x,bad\n1,5,0\n2,5,1\n3,6,1\n", ("--time", "x"), "cannot be"),
        ("id,bad\n1,0\n2,1\n", (), "no column makes a feature: id is Id, bad is label"),
        ("id;x;bad\n1;0,5;0\n2;1,5;1\n", (), "separated by ';'; write commas"),
    ],
)  # fmt: skip
def test_a_file_that_nothing_can_be_guessed_from_is_said(rows, words, says, tmp_path):
    (tmp_path / "x.csv").write_text(rows)
    with pytest.raises(Exception, match=says):
        begun(tmp_path / "shop", "--from", tmp_path / "x.csv", *words)
    assert not (tmp_path / "shop").exists()


def test_columns_are_what_they_hold():
    n = 60
    table = pa.table({
        "ref": [f"r{i}" for i in range(n)], "when": pa.array([datetime(2026, 1, 1 + i % 28) for i in range(n)]),
        "day": pa.array([date(2026, 1, 1 + i % 28) for i in range(n)]), "branch code": [f"00{i % 9}" for i in range(n)],
        "zip": pa.array([1000 + i % 7 for i in range(n)], pa.int32()), "amount": [1.25 * (i % 13) for i in range(n)],
        "rate": [i / 7 for i in range(n)], "seats": pa.array([float(i % 5) if i % 9 else float("nan") for i in range(n)]),
        "kind": pa.array([("x", 'say "y"')[i % 2] for i in range(n)]).dictionary_encode(), "flag": [i % 2 for i in range(n)],
        "vip": [i % 3 == 0 for i in range(n)], "is_fraud": [i % 4 == 0 for i in range(n)], "note": [f"free {i // 2}" for i in range(n)],
        "same": ["x"] * n, "empty": pa.nulls(n, pa.string()), "nested": [[1]] * n, "blob": [str(i % 40) + "x" for i in range(n)],
    })  # fmt: skip
    kinds = {column.name: column.kind for column in columns_of(table)}
    assert kinds == {
        "ref": "Id", "when": "Time", "day": "left out", "branch code": "Key", "zip": "Key", "amount": "Money", "rate": "Number",
        "seats": "Integer", "kind": "Category", "flag": "Integer", "vip": "Category", "is_fraud": "label", "note": "Key",
        "same": "left out", "empty": "left out", "nested": "left out", "blob": "left out",
    }  # fmt: skip
    columns = columns_of(table, time="day", label="flag")
    assert next(c for c in columns if c.name == "day").kind == "Time"
    assert next(c for c in columns if c.name == "flag").kind == "label"
    text = declaration("odd", "odd.parquet", seen(table, columns_of(table), "odd file.parquet"))
    case = read("odd", text)
    assert case.events.field("kind", "").one_of == ('say "y"', "x")
    assert case.events.field("branch_code", "").column == "branch code"
    assert case.stages[0].reads == ("data/raw/odd_file.parquet",)


def test_any_table_with_an_id_and_a_label_makes_a_declaration(tmp_path):
    """Random tables of nasty columns: a declaration that reads, or one sentence; never anything else."""
    rng, made = random.Random(11), 0
    values = [
        lambda i: rng.choice(["a", "b", "c"]), lambda i: "" if rng.random() < 0.3 else rng.randint(-5, 10**9), lambda i: rng.gauss(0, 10**6),
        lambda i: rng.choice(["", "x'y", 'q"q', "back\\slash", "line\nbreak", "{case}", "münze"]), lambda i: f"{rng.random():.7f}",
        lambda i: f"2026-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}", lambda i: rng.choice(["true", "false"]), lambda i: "1e400",
        lambda i: f"{rng.random():.2f}", lambda i: rng.choice(["0", "1"]), lambda i: f"0{i % 9}",
    ]  # fmt: skip
    names = [
        "amount",
        "1st",
        "a b",
        "",
        "event_us",
        "class",
        "ID",
        "späte",
        "card_id",
        "x" * 70,
        "__init__",
        "bad",
        "label",
    ]
    for turn in range(400 if SOAK else 60):
        header = ["key", "target", *rng.sample(names, 4)]
        kinds = [rng.choice(values) for _ in range(4)]
        rows = [[f"k{i}", i % 2, *(kind(i) for kind in kinds)] for i in range(40)]
        with (tmp_path / "t.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        try:
            told = begun(tmp_path / f"p{turn}", "--from", tmp_path / "t.csv", "--id", "key", "--label", "target")
        except (InputError, DeclarationError):
            assert not (tmp_path / f"p{turn}").exists()
            continue
        made += 1
        assert "40 of 40 rows keep the contract" in told, (header, told)
    assert made > 20


def test_columns_of_any_name_and_length_become_fields(tmp_path):
    names = ("注文", "時刻", "größe", "a b", "a-b", "A_B", "seq", "row", "big", "huge", "long", "fraud")
    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *(
            (f"o{i}", f"2026-01-{1 + i // 3:02}T0{i % 3}:00:00Z", i % 7 + 0.25, i % 5, i % 6, i % 8, i % 9, f"c{i % 4}",
             5 * 10**18 + i // 2, 10**25 + i % 3, 10**30 + i // 2 * 7, int(i % 3 == 0)) for i in range(80))])  # fmt: skip
    begun(tmp_path / "shop", "--from", tmp_path / "x.csv")
    text = (tmp_path / "shop" / "mine.py").read_text()
    case = read("mine", text)
    fields = {field.name: (type(field).__name__, field.source) for field in case.events.fields}
    assert fields == {
        "field_1": ("Id", "注文"), "field_2": ("Time", "時刻"), "gr_e": ("Money", "größe"), "a_b": ("Integer", "a b"),
        "a_b_2": ("Integer", "a-b"), "A_B_3": ("Integer", "A_B"), "field_seq": ("Integer", "seq"), "field_row": ("Category", "row"),
        "big": ("Integer", "big"), "huge": ("Category", "huge"), "long": ("Key", "long"),
    }  # fmt: skip
    for words in (["ingest", "mine.py", tmp_path / "x.csv"], ["run", "mine.py", "build"]):
        done = ran(tmp_path / "shop", Path(sys.executable).with_name("weigh"), *words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_way_to_write_commas_that_is_told_works(tmp_path):
    (tmp_path / "x.csv").write_text("id;x;fraud\n" + "".join(f"{i};{i % 7};{i % 3 == 0:d}\n" for i in range(60)))
    with pytest.raises(InputError, match="separated by ';'") as told:
        begun(tmp_path / "shop", "--from", tmp_path / "x.csv")
    program = str(told.value).split('python -c "')[1].removesuffix('"')
    done = ran(tmp_path, sys.executable, "-c", program)
    (tmp_path / "commas.csv").write_text(done.stdout)
    assert "60 of 60" in begun(tmp_path / "shop", "--from", tmp_path / "commas.csv")


def timed(path, written, missing=0):
    """Write 60 rows with a time written by `written`, the first `missing` without one."""
    at = [datetime(2026, 1, 1, 8, 23) + timedelta(hours=7 * i) for i in range(60)]
    rows = "".join(f"o{i},{'' if i < missing else written(t)},{i % 7},{i % 3 == 0:d}\n" for i, t in enumerate(at))
    path.write_text(f"order_id,at,x,fraud\n{rows}")
    return path


def test_a_time_that_a_few_rows_lack_is_the_time(tmp_path):
    file = timed(tmp_path / "x.csv", datetime.isoformat, missing=3)
    assert "57 of 60 rows keep the contract; row 0: at: it is required" in begun(tmp_path / "shop", "--from", file)
    text = (tmp_path / "shop" / "mine.py").read_text()
    assert "3 rows without one are refused" in text
    case = read("mine", text)
    assert (case.events.time.name, case.training.split) == ("at", "time")
    for words in (["ingest", "mine.py", file], ["run", "mine.py", "build"]):
        done = ran(tmp_path / "shop", Path(sys.executable).with_name("weigh"), *words)
        assert done.returncode == 0, done.stdout + done.stderr
    told = begun(tmp_path / "half", "--from", timed(tmp_path / "y.csv", datetime.isoformat, missing=30))
    assert "60 of 60" in told
    assert "# at: left out, a time that 30 of 60 rows do not have" in (tmp_path / "half" / "mine.py").read_text()


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ("%d.%m.%Y %H:%M", "ISO-8601"), ("%m/%d/%Y %H:%M:%S", "ISO-8601"), ("%d %b %Y %H:%M", "ISO-8601"),
        ("%B %d %Y", "ISO-8601"), ("%Y-%m-%d", "ISO-8601"), ("1897-%m-%dT%H:%M:%SZ", "between the years 1900 and 2200"),
    ],
)  # fmt: skip
def test_a_time_that_is_not_read_is_told(form, why, tmp_path):
    file = timed(tmp_path / "x.csv", lambda at: at.strftime(form))
    told = begun(tmp_path / "shop", "--from", file)
    assert "'at' is left out, a time in a form that is not read: it must" in told
    assert why in told
    assert "without a time there are no windows" in told
    text = (tmp_path / "shop" / "mine.py").read_text()
    assert "# DECIDE: at: left out, a time in a form that is not read: it must" in text
    assert read("mine", text).events.time is None
    with pytest.raises(InputError, match=r"--time 'at' cannot be.*form that is not read"):
        begun(tmp_path / "other", "--from", file, "--time", "at")


@pytest.mark.parametrize("code", ["123-45-67{:02}", "10.0.0.{}", "1.2.{}", "555-1{:03}", "mon-{}:a"])
def test_a_code_with_signs_is_no_time(code):
    table = pa.table({"id": [f"i{i}" for i in range(60)], "bad": [i % 2 for i in range(60)],
                      "code": [code.format(i % 30) for i in range(60)]})  # fmt: skip
    assert next(c.kind for c in columns_of(table) if c.name == "code") == "Key"


@pytest.mark.parametrize("words", [("False", "True"), ("FALSE", "true"), ("false", "true")])
def test_a_label_in_words_is_found_and_taken_in(words, tmp_path):
    rows = "".join(f"{i},{words[i % 3 == 0]},{words[i % 2]},{i % 7}\n" for i in range(60))
    (tmp_path / "x.csv").write_text(f"id,fraud,vip,x\n{rows}")
    assert "60 of 60 rows keep the contract" in begun(tmp_path / "shop", "--from", tmp_path / "x.csv")
    case = read("mine", (tmp_path / "shop" / "mine.py").read_text())
    assert case.label.name == "fraud"
    assert case.events.field("vip", "").one_of == tuple(sorted(words))
    done = CliRunner().invoke(app, ["ingest", str(tmp_path / "shop" / "mine.py"), str(tmp_path / "x.csv"),
                                    "--home", str(tmp_path / "home"), "--json"])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["labels"] == 60


SPREAD = [float(n % 7) ** 3 + 0.25 for n in range(60)]  # its mean is twice its median
EVEN = [5.25 + (n % 9) for n in range(60)]
AMOUNTS = {
    "by its name, though another stands before it": ({"rate": EVEN, "tip": SPREAD, "amount": EVEN}, "amount"),
    "the likelier name": ({"total": EVEN, "purchaseAmount": EVEN}, "purchaseAmount"),
    "a whole number": ({"LIMIT_BAL": [10_000 * (1 + n % 5) for n in range(60)], "tip": SPREAD}, "LIMIT_BAL"),
    "by its shape": ({"interest": EVEN, "tip": SPREAD}, "tip"),
    "none that is even": ({"interest": EVEN}, None),
    "none that is a rate": ({"amount_rate": SPREAD, "late_days": SPREAD}, None),
    "none that is negative": ({"amount": [-x for x in SPREAD], "tip": [x - 1 for x in SPREAD]}, None),
    "none that is missing": ({"amount": [None, *SPREAD[1:]]}, None),
}


@pytest.mark.parametrize("told", AMOUNTS)
def test_the_amount_is_a_likely_column_or_none(told):
    columns, wanted = AMOUNTS[told]
    table = pa.table({"id": [f"r{n}" for n in range(60)], **columns, "bad": [n % 3 == 0 for n in range(60)]})
    text = declaration("odd", "odd.csv", seen(table, columns_of(table), "odd.csv"))
    costs = read("odd", text).policy.costs
    assert costs.amount == wanted
    assert ("no column looks like an amount" in text, costs.missed) == ((True, 100) if wanted is None else (False, 1.0))


def test_a_table_without_times_is_split_by_label(tmp_path):
    (tmp_path / "x.csv").write_text("id,x,bad\n" + "".join(f"{i},{i % 7},{i % 3 == 0:d}\n" for i in range(90)))
    begun(tmp_path / "shop", "--from", tmp_path / "x.csv")
    case = read("mine", (tmp_path / "shop" / "mine.py").read_text())
    assert case.events.time is None
    assert case.training.split == "stratified"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"third-party data are not in {DATA}; set WEIGHBRIDGE_DATA")
@pytest.mark.skipif(not SOAK, reason="trains on 117,805 transfers that no case knows: WEIGHBRIDGE_SOAK=1")
def test_transfers_that_no_case_knows(tmp_path):
    """AMLSim's transfers, as a bank would export them: a time for a step, an id for a row, fraud of the payer as label."""
    transfers = pq.read_table(DATA / "aml" / "transactions.parquet")
    accounts = pq.read_table(DATA / "aml" / "accounts.parquet")
    bad = dict(zip(accounts["nodeid"].to_pylist(), accounts["isFraud"].to_pylist(), strict=True))
    steps = transfers["time"].to_pylist()
    table = pa.table({
        "transfer_no": pa.array([f"t{n}" for n in range(len(transfers))]),
        "sent_at": pa.array([1_735_689_600_000_000 + step * 86_400_000_000 for step in steps], pa.timestamp("us", "UTC")),
        "source_account": transfers["sourceNodeId"], "target_account": transfers["targetNodeId"], "amount": transfers["value"],
        "is_fraud": pa.array([bad[account] for account in transfers["sourceNodeId"].to_pylist()]),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "transfers.parquet")
    told = begun(tmp_path / "aml", "--from", tmp_path / "transfers.parquet", name="transfers")
    assert "117,805 of 117,805 rows keep the contract" in told
    weigh = Path(sys.executable).with_name("weigh")
    for words in ((weigh, "ingest", "transfers.py", "../transfers.parquet"), (weigh, "run", "transfers.py"),
                  (weigh, "verify", "transfers.py"), (sys.executable, "-m", "pytest")):  # fmt: skip
        done = ran(tmp_path / "aml", *words)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="builds the wheel and an environment of its own: WEIGHBRIDGE_SOAK=1")
def test_a_project_passes_its_own_tests_in_a_clean_environment(tmp_path, orders):
    shutil.copytree(ROOT, tmp_path / "source", ignore=shutil.ignore_patterns(".*", "deploy", "tests", "docs"))
    built = ran(
        tmp_path / "source", sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")
    )
    assert built.returncode == 0, built.stderr
    wheel = next((tmp_path / "dist").glob("*.whl"))
    for name, words in (("empty", ()), ("guessed", ("--from", orders))):
        begun(tmp_path / name, *words)
        done = ran(tmp_path / name, "make", "test", f"WEIGHBRIDGE={wheel}", f"PYTHON={sys.executable}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "5 passed" in done.stdout
        where = ran(tmp_path / name, ".venv/bin/python", "-c", "import weighbridge; print(weighbridge.__file__)").stdout
        assert str(tmp_path / name) in where
