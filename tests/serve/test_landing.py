"""Which stages bring data in: those whose files are there, and what is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from weighbridge.cases.card_fraud import case
from weighbridge.declare import Feed, Stage
from weighbridge.errors import DeclarationError
from weighbridge.serve.landing import landing, sources_of


def test_files_are_taken_when_they_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "simulate": (Path("data/raw/card_fraud_events.parquet"), Path("data/raw/card_fraud_labels.parquet")),
        "ingest": (Path("data/raw/card_fraud_events.parquet"), Path("data/raw/card_fraud_labels.parquet")),
    }
    assert landing(case, None) == {}
    assert landing(case, "build") == {}
    assert landing(case, "ingest") == {"ingest": files["ingest"]}
    assert landing(case, "data") == files
    Path("data/raw").mkdir(parents=True)
    files["ingest"][0].write_bytes(b"")
    assert landing(case, None) == {"ingest": files["ingest"]}


def test_declared_sources_are_fetched_when_somebody_asks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fed = replace(case, sources=[Feed("events", "events.csv")])
    assert landing(fed, None) == {}
    found = landing(fed, "ingest")
    assert found == {"ingest": ()}
    assert sources_of(fed, None, None, found, fetch=landing)["ingest"] is landing


def test_a_stage_that_names_no_file_is_refused():
    with pytest.raises(DeclarationError, match="names no file"):
        landing(replace(case, stages=[Stage("ingest")]), "ingest")
