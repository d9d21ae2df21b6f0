"""The seven tables: official columns, real values as they are, and a raw application as all that a caller sends."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest

from weighbridge.cases.home_credit import case
from weighbridge.declare.rollups import Rollup
from weighbridge.errors import Rejected
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.validate import parse_event, parse_table
from weighbridge.loop.relations import related

DATA = Path(os.environ.get("WEIGHBRIDGE_DATA", "../shared/data")).absolute() / "home_credit"
OFFICIAL = DATA / "columns_description.csv"
CORRECTED = {"SK_BUREAU_ID": "SK_ID_BUREAU"}  # as the files call it
NOT_IN_FILES = {"NFLAG_MICRO_CASH"}
COUNTS = {"application": 121, "bureau": 17, "bureau_balance": 3, "previous_application": 37, "POS_CASH_balance": 8,
          "credit_card_balance": 23, "installments_payments": 8}  # fmt: skip
NAMES, NOW = Pseudonyms(b"k" * 32), 1_770_000_000_000_000
FIELDS = {"application": case.events.fields} | {child.name: child.fields for child in case.children}
RAW = {
    "SK_ID_CURR": 100002, "NAME_CONTRACT_TYPE": "Cash loans", "CODE_GENDER": "XNA", "FLAG_OWN_CAR": "N",
    "CNT_CHILDREN": 0, "AMT_INCOME_TOTAL": 202500.0, "AMT_CREDIT": 406597.5, "AMT_ANNUITY": 24700.5,
    "NAME_TYPE_SUITE": "Unaccompanied", "DAYS_BIRTH": -9461, "DAYS_EMPLOYED": 365243, "DAYS_REGISTRATION": -3648.0,
    "OWN_CAR_AGE": None, "EXT_SOURCE_1": 0.08303696739132256, "EXT_SOURCE_2": 0.2629485927471776,
    "ORGANIZATION_TYPE": "A kind of business that came later", "REGION_RATING_CLIENT_W_CITY": -1,
    "AMT_REQ_CREDIT_BUREAU_HOUR": 0.0, "FLAG_DOCUMENT_2": 0,
}  # fmt: skip


def test_the_tables_have_as_many_columns_as_the_files():
    assert {name: len(fields) for name, fields in FIELDS.items()} == COUNTS  # the application's TARGET is the label


@pytest.mark.skipif(not OFFICIAL.is_file(), reason=f"the official list of columns is not at {OFFICIAL}")
def test_the_columns_are_those_of_the_official_list():
    official = defaultdict(set)
    with OFFICIAL.open(encoding="latin-1") as file:
        for row in csv.DictReader(file):
            name = row["Row"].strip()
            official[row["Table"].split(".")[0].split("_{")[0]].add(CORRECTED.get(name, name))
    official["application"].discard(case.label.name)
    for name, fields in FIELDS.items():
        assert {field.source for field in fields} == official[name] - NOT_IN_FILES


def test_everything_but_the_keys_may_be_missing():
    keys = {"SK_ID_CURR", "SK_ID_BUREAU", "SK_ID_PREV", "MONTHS_BALANCE"}
    for fields in FIELDS.values():
        assert {f.name for f in fields if not f.optional} <= keys


def test_a_raw_application_is_taken_as_it_is():
    event = parse_event(case.events, RAW, NOW, NAMES)
    stored = dict(zip([f.name for f in case.events.payload], event.values, strict=True))
    assert event.event_id == "100002"
    assert event.event_us == event.arrived_us == NOW
    assert (stored["CODE_GENDER"], stored["DAYS_EMPLOYED"], stored["OWN_CAR_AGE"]) == (None, None, None)
    assert (stored["DAYS_REGISTRATION"], stored["ORGANIZATION_TYPE"]) == (-3648, "other")
    assert stored["EXT_SOURCE_1"] == 83_036_967
    assert stored["REGION_RATING_CLIENT_W_CITY"] == -1


def test_an_engineered_column_is_refused():
    for name in ("AMT_CREDIT_over_AMT_ANNUITY", "bureau_count", "TARGET"):
        with pytest.raises(Rejected) as rejected:
            parse_event(case.events, {**RAW, name: 1}, NOW, NAMES)
        assert (rejected.value.field, rejected.value.rule) == (name, "known")


@pytest.mark.parametrize("as_text", [True, False], ids=["csv", "parquet"])
def test_a_file_says_the_same_as_a_request(as_text):
    written = {k: None if v is None else str(v) for k, v in RAW.items()} if as_text else RAW
    table = pa.Table.from_pylist([written])
    accepted, check = parse_table(case.events, table, {}, NAMES, NOW)
    event = parse_event(case.events, RAW, NOW, NAMES)
    assert tuple(accepted.select([f.name for f in case.events.payload]).to_pylist()[0].values()) == event.values
    assert check.others == {"ORGANIZATION_TYPE": 1}
    assert len(check.without) == COUNTS["application"] - len(RAW)


def test_simulated_applications_keep_the_contract():
    for tables in related(case, seed=5, events=1_300):
        accepted, check = parse_table(case.events, tables["application"], {}, NAMES, NOW)
        assert len(accepted) == len(tables["application"])
        assert not check.without
        assert not check.others


def test_every_child_table_has_rollups_in_the_vector():
    asked = {part.table for part in case.computed if isinstance(part, Rollup)}
    assert asked == {child.name for child in case.children}
