"""A contract in other words says the same: Pandera refuses the rows it refuses, Avro carries its events unchanged."""

from __future__ import annotations

import importlib.util
import io
import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import fastavro
import jsonschema
import pandas as pd
import pandera.errors
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SOAK, START_US
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.clock import us_to_iso
from weighbridge.declare import Category, Contract, Id, Integer, Key, Money, Number, Policy, Text, Time
from weighbridge.errors import InputError
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.messages import messages
from weighbridge.loop.simulate import simulate
from weighbridge.serve.cli.contract import FORMS, written
from weighbridge.serve.contracts.dictionary import dictionary
from weighbridge.serve.wiring import find_case

NAMES = Pseudonyms(b"k" * 32)
WIDE = Contract(
    "wide",
    [
        Id("id"), Time("at"), Key("who", pattern="user-[0-9]+", pii="pseudonymised", description="who | pays"),
        Key("loan", whole=True, optional=True), Text("note", optional=True, longest=3),
        Money("amount", column="AMOUNT", at_least=0, at_most=5_000, unit="USD"), Number("score", optional=True, at_least=-1, at_most=1, decimals=3),
        Number("capped", cap=True, at_least=0, at_most=10), Integer("days", optional=True, at_least=-100, at_most=0, means_missing=[365_243]),
        Category("device", one_of=["ios", "web"]), Category("kind", one_of=["a", "b", "rest"], other="rest"),
        Category("home", one_of=["own", "rent"], optional=True, means_missing=["XNA"]),
    ],
)  # fmt: skip
NUMBERS = [0.0, -0.0, 0.01, 1.0, -1.0, -1.0004, 1.0006, 4_999.99, 5_000.0, 5_000.001, 5_000.01, -0.001, 12.345, -100.0, -101.0, 365_243.0,
           -3.5, 1e300, float("inf"), float("-inf"), float("nan")]  # fmt: skip
TEXTS = ["user-1", "user-", "user-12x", "user-1\n", "", "a", "abc", "abcd", "12", "-7", "007", "1.0", "ios", "web", "iOS", "XNA", "own", "rent", "b",
         "zzz", None]  # fmt: skip
TIMES = [
    "2026-03-01T12:00:00Z",
    "2026-03-01T12:00:00",
    "2026-03-01 12:00:00+02:00",
    "1850-01-01T00:00:00Z",
    "2200-01-01T00:00:00Z",
    "soon",
    "",
    None,
]
GOOD = {"id": "e", "at": TIMES[0], "who": "user-1", "loan": "12", "note": "abc", "AMOUNT": 12.0, "score": 0.5, "capped": 20.0, "days": -3.0,
        "device": "web", "kind": "zzz", "home": "own"}  # fmt: skip
BY_COLUMN = {
    f.source: NUMBERS if f.numeric else TIMES if f.name == "at" else TEXTS for f in WIDE.fields if f.name != "id"
}


@pytest.fixture(scope="module")
def wide():
    return replace(
        tiny, name="wide", events=WIDE, features=[WIDE.by("who").count(last="1d")], simulate=None, policy=Policy()
    )


@cache
def module_of(source: str, folder: Path):
    path = folder / "made.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("made", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def refused_by_pandera(schema, rows):
    frame = pd.DataFrame(
        {
            name: pd.Series([row[name] for row in rows], dtype="float64" if isinstance(GOOD[name], float) else object)
            for name in GOOD
        }
    )
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as fault:
        return {int(n) for n in fault.failure_cases["index"].dropna()}
    return set()


def refused_by_contract(rows):
    columns = {n: pa.array([row[n] for row in rows],
                           pa.float64() if isinstance(GOOD[n], float) else pa.string()) for n in GOOD}  # fmt: skip
    return set(parse_table(WIDE, pa.table(columns), {}, NAMES)[1].rejects.rows)


@pytest.fixture(scope="module")
def schema(wide, tmp_path_factory):
    return module_of(written(wide, "pandera"), tmp_path_factory.mktemp("made")).schemas["wide"]


def test_pandera_refuses_each_value_that_the_contract_refuses(schema):
    """Every value in every column alone, so that nothing hides behind another fault."""
    rows = [
        {**GOOD, "id": f"e{name}{n}", name: value}
        for name, values in BY_COLUMN.items()
        for n, value in enumerate(values)
    ]
    refused = refused_by_contract(rows)
    told = refused_by_pandera(schema, rows)
    assert [rows[n] for n in sorted(told ^ refused)] == []
    assert 60 < len(refused) < len(rows) - 40


@settings(max_examples=200 if SOAK else 8)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in BY_COLUMN.items()}),
        min_size=1,
        max_size=40,
    )
)
def test_pandera_refuses_the_rows_that_the_contract_refuses(schema, changes):
    rows = [{**GOOD, **changed, "id": f"e{n}"} for n, changed in enumerate(changes)]
    assert refused_by_pandera(schema, rows) == refused_by_contract(rows)


def test_pandera_refuses_an_id_twice_and_a_missing_column(schema):
    assert refused_by_pandera(schema, [GOOD, {**GOOD, "note": "a"}])
    with pytest.raises(pandera.errors.SchemaErrors, match="AMOUNT"):
        schema.validate(pd.DataFrame([GOOD]).drop(columns=["AMOUNT"]), lazy=True)


@pytest.mark.parametrize("name", ["card_fraud", "stream_fraud"])
def test_a_simulated_world_keeps_every_form_of_its_contract(name, tmp_path):
    case = find_case(name)
    world = simulate(case, seed=4, start_us=START_US, events=300)
    bodies = [message.body for message in messages(case, world, 0) if message.path == "/predict"]
    labels = [message.body for message in messages(case, world, 0) if message.path == "/feedback"]
    validator = jsonschema.Draft202012Validator(json.loads(written(case, "json-schema")))
    assert all(validator.is_valid(body) for body in bodies)
    made = module_of(written(case, "pandera"), tmp_path).schemas[case.events.name]
    assert len(made.validate(world.events.to_pandas(), lazy=True)) == len(bodies)
    assert carried(json.loads(written(case, "avro", "labels")), labels) == labels
    record = json.loads(written(case, "avro"))
    back = [{**body, case.events.time.name: us_to_iso(round(body[case.events.time.name].timestamp() * 1_000_000))}
            for body in carried(record, [prepared(case, body) for body in bodies])]  # fmt: skip
    for body, came in zip(bodies, back, strict=True):
        plain = {k: float(v) if isinstance(v, Decimal) else v for k, v in came.items()}
        assert plain == body


def prepared(case, body):
    """An event as an Avro writer takes it: money as decimals, times as moments."""
    money = {f.name for f in case.events.fields if isinstance(f, Money)}
    made = {k: Decimal(str(v)) if k in money else v for k, v in body.items()}
    return {**made, case.events.time.name: datetime.fromisoformat(body[case.events.time.name])}


def carried(schema, records):
    """Records once they were written and read again."""
    parsed, file = fastavro.parse_schema(schema), io.BytesIO()
    fastavro.writer(file, parsed, records)
    file.seek(0)
    return list(fastavro.reader(file))


def test_avro_takes_optional_fields_and_refuses_what_it_cannot_hold(wide):
    schema = json.loads(written(wide, "avro"))
    event = {"id": "e", "at": datetime.fromisoformat(TIMES[0]), "who": "user-1", "loan": None, "note": None, "amount": Decimal("12.50"),
             "score": None, "capped": 1.5, "days": -3, "device": "web", "kind": "anything", "home": None}  # fmt: skip
    assert carried(schema, [event])[0]["amount"] == Decimal("12.50")
    with pytest.raises(ValueError, match="fridge"):
        carried(schema, [{**event, "device": "fridge"}])
    with pytest.raises(ValueError, match="precision"):
        carried(schema, [{**event, "amount": Decimal("1234567.89")}])


def test_avro_carries_all_the_money_that_the_contract_accepts(wide):
    money = [Money("sentinel", optional=True, at_least=0, at_most=99.99, means_missing=[999_999]), Money("kept", at_least=0, at_most=99.99, cap=True),
             Money("open", at_least=0), Money("exact", at_least=0, at_most=99.99)]  # fmt: skip
    case = replace(wide, events=replace(WIDE, fields=[*WIDE.fields, *money]))
    told = json.loads(written(case, "avro"))
    told["fields"] = told["fields"][-len(money) :]
    row = {
        "sentinel": Decimal("999999.00"),
        "kept": Decimal("1000.00"),
        "open": Decimal("92233720368547758.07"),
        "exact": Decimal("99.99"),
    }
    assert carried(told, [row]) == [row]
    with pytest.raises(ValueError, match="precision"):
        carried(told, [{**row, "exact": Decimal("100.00")}])


@pytest.mark.parametrize("table", ["device", "string", "3-ds"])
def test_avro_names_are_names_and_none_stands_twice(wide, table):
    kinds = [Category(name, one_of=["ios", "web"]) for name in ("device", "device_", "string")]
    events = Contract(table, [Id("id"), Time("at"), Key("who"), *kinds])
    case = replace(wide, events=events, features=[events.by("who").count(last="1d")])
    row = {
        "id": "e",
        "at": datetime.fromisoformat(TIMES[0]),
        "who": "w",
        "device": "ios",
        "device_": "web",
        "string": "web",
    }
    told = json.loads(written(case, "avro"))
    assert carried(told, [row]) == [row]
    enums = [
        each["type"]["name"] for each in told["fields"] if isinstance(each["type"], dict) and "symbols" in each["type"]
    ]
    assert len({*enums, told["name"], "string"}) == 5


def test_the_dictionary_tells_what_is_declared(wide):
    fields = {each["name"]: each for each in dictionary(wide)["tables"][0]["fields"]}
    assert fields["who"] == {"name": "who", "type": "key", "required": True, "rules": ["1 to 256 characters", "matches user-[0-9]+"],
                             "unit": "", "pii": "pseudonymised", "description": "who | pays"}  # fmt: skip
    assert (fields["amount"]["column"], fields["amount"]["unit"]) == ("AMOUNT", "USD")
    assert fields["days"]["rules"][-1] == "365243 mean that it is missing"
    page = written(wide, "dictionary")
    assert "who \\| pays" in page
    assert all(f"`{f.name}`" in page for f in WIDE.fields)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_declaration_gives_the_same_bytes(wide, form):
    assert written(wide, form) == written(replace(wide), form)


def test_unknown_forms_and_tables_are_refused(wide):
    for words, says in (
        (("xml", None), "cannot be written as 'xml'"),
        (("avro", "loans"), "no table 'loans'"),
        (("pandera", "wide"), "leave --table out"),
    ):
        with pytest.raises(InputError, match=says):
            written(wide, *words)


def test_every_table_of_related_ones_has_every_form(tmp_path):
    case = find_case("home_credit")
    tables = [case.events.name, *(child.name for child in case.children)]
    assert len(tables) == 7
    made = module_of(written(case, "pandera"), tmp_path).schemas
    assert list(made) == tables
    for name in tables:
        record = fastavro.parse_schema(json.loads(written(case, "avro", name)))
        described = json.loads(written(case, "json-schema", name))
        jsonschema.Draft202012Validator.check_schema(described)
        fields = {field["name"] for field in record["fields"]}
        assert fields == set(described["properties"]) - set(tables)
    assert [each["table"] for each in dictionary(case)["tables"]] == tables
