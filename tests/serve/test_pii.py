"""A personal value that is recognisable goes in by every way there is, and comes out nowhere: files, answers, output.

Every byte below the home is searched, Parquet also column by column after it is read, arrays after they are unpacked. The
same search finds a field that is not personal.
"""

from __future__ import annotations

import io
import json
import sqlite3
import sys
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog
from starlette.testclient import TestClient

from tests.serve.nasty import CANARY, corpus
from weighbridge.clock import SystemClock
from weighbridge.errors import StoreFailure
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before
from weighbridge.loop.simulate import simulate
from weighbridge.serve.cli import main
from weighbridge.serve.http.app import make_app
from weighbridge.serve.logs import log_to
from weighbridge.serve.wiring import find_case, open_checkpointed_desk, open_home
from weighbridge.stores.sources import write_file

CASE = Path(__file__).parents[1] / "fixtures" / "tiny_fraud.py"
SHOP = "shop-5555666677778888"  # not personal: the search has to find it
FORMS = {text.encode(code) for text in (CANARY, CANARY.upper(), CANARY[7:]) for code in ("utf-8", "utf-16-le")}
FORMS |= {CANARY.encode().hex().encode(), CANARY[::-1].encode()}
SHOPS = {SHOP.encode()}


@cache
def now():
    """When the home begins to live: the first time that somebody asks."""
    return datetime.now(UTC).replace(microsecond=0)


def event(number, **changes):
    at = now() - timedelta(seconds=5)
    body = {
        "event_id": f"live{number}",
        "event_ts": at.isoformat(),
        "card_id": f"{CANARY}-{number % 3}",
        "shop_id": SHOP,
        "amount": 100 + number,
    }
    return {k: v for k, v in {**body, **changes}.items() if v is not ...}


def rows(count, prefix="file", **changes):
    """A history whose cards are canaries."""
    found = [
        {
            **event(n),
            "event_id": f"{prefix}{n}",
            "event_ts": now() - timedelta(hours=count - n),
            "amount": float(n),
            **changes,
        }
        for n in range(count)
    ]
    return pa.Table.from_pylist([{**row, "arrived": now() - timedelta(hours=count - n)} for n, row in enumerate(found)])


def found_in(folder, forms):
    """Which files below a folder hold one of the forms, as bytes or in a column of Parquet, an archive or an array."""
    hits = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        pieces = [content, str(path.relative_to(folder)).encode()]
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            pieces += [json.dumps(table[name].to_pylist(), default=str).encode() for name in table.column_names]
            pieces += [str(table.schema.to_string(show_field_metadata=True, show_schema_metadata=True)).encode()]
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                pieces += [archive.read(name) for name in archive.namelist()]
        if any(form in piece for piece in pieces for form in forms):
            hits.append(path.relative_to(folder).as_posix())
    return hits


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as found:
        yield found


@pytest.fixture(scope="module")
def lived(tmp_path_factory, patch):
    """A home that has seen canaries everywhere; what its answers and its commands said."""
    folder, said = tmp_path_factory.mktemp("pii"), []
    case = find_case(str(CASE))
    patch.chdir(folder)
    home = open_home(case, folder / "home", create=True, acknowledge="written")
    clock = SystemClock()
    world = simulate(case, seed=3, start_us=clock.now_us() - 41 * 86_400 * 1_000_000)
    past = [arrived_before(table, clock.now_us() - 200 * 3_600 * 1_000_000) for table in (world.events, world.labels)]
    mapped = {"arrived": "arrived"}
    with home.writing():
        said.append(("report", ingest(case, home.stores, clock, *past, mapped).figures))
        labels = pa.table(
            {
                "event_id": ["file1", CANARY, "file2"],
                "label": ["1", CANARY, "0"],
                "arrived": [now() - timedelta(minutes=1)] * 3,
            }
        )
        said.append(("report", ingest(case, home.stores, clock, rows(150), labels, mapped).figures))
        for wrong in (
            {"amount": -1.0},
            {"card_id": CANARY * 20},
            {"event_ts": CANARY},
            {"amount": CANARY},
            {"event_id": CANARY * 20},
        ):
            said.append(
                (
                    "report",
                    ingest(case, home.stores, clock, rows(2, **{"event_id": "bad", **wrong}), None, mapped).figures,
                )
            )
    command(patch, said, "run", CASE, "--home", "home")
    log_to(home.folder / "logs", "debug")
    with home.writing(), open_checkpointed_desk(case, home, clock, 1 << 28) as desk:
        served(desk, said)
    structlog.reset_defaults()
    looked_at(patch, said, folder)
    with closing(
        sqlite3.connect(home.folder / "hot.sqlite")
    ) as writing:  # a reader that keeps the write-ahead log in place
        writing.execute("select count(*) from log").fetchone()
        yield home.folder, said


def served(desk, said):
    """All that can be asked of a desk, well and badly, while it works and while it cannot store."""
    with TestClient(make_app(desk), raise_server_exceptions=False) as client:

        def ask(method, path, **how):
            answer = client.request(method, path, **how)
            said.append((answer.status_code, dict(answer.headers), answer.text))
            return answer

        for number in range(12):
            assert ask("POST", "/predict", json=event(number)).status_code == 200
        ask(
            "POST",
            "/predict/batch",
            json={"events": [event(20), event(21, amount=-1), {CANARY: CANARY}, event(0, amount=1)]},
        )
        for body in corpus(event(30), list(event(30)), {"card_id"}).values():
            ask("POST", "/predict", content=body, headers={"content-type": "application/json"})
        for edit in (
            {},
            {"action": "remove"},
            {"until": CANARY},
            {"for": CANARY},
            {"stored": True},
            {"list": CANARY},
            {"value": CANARY * 20},
            {"value": [CANARY]},
        ):
            told = {"list": "blocked_cards", "value": f"{CANARY}-1", "action": "add", "why": "stolen"}
            ask("POST", "/lists", json={**told, **edit})
        for label in ({}, {"label": CANARY}, {CANARY: 1}, {"source": [CANARY]}):
            ask("POST", "/feedback", json={"event_id": "live1", "label": 1, **label})
        for fault, status in ((StoreFailure("the disk is full"), 503), (RuntimeError("unforeseen"), 500)):
            with pytest.MonkeyPatch.context() as broken:
                broken.setattr(desk.stores.log, "append", raising(fault))
                assert ask("POST", "/predict", json=event(40)).status_code == status
                ask(
                    "POST",
                    "/lists",
                    json={"list": "blocked_cards", "value": f"{CANARY}-2", "action": "add", "why": "x"},
                )
        for path in ("live3", "live3/explain", "file3", CANARY):
            ask("GET", f"/decisions/{path}")
        assert ask("POST", "/save-logs").json()["rows"] > 10
        for path in (
            "metrics",
            "stats",
            "metadata",
            "health",
            "ready",
            "openapi.json",
            f"{CANARY}",
            f"v1/{CANARY}?card={CANARY}",
        ):
            ask("GET", f"/{path}", headers={"x-request-id": "r1", "cookie": CANARY})


def raising(fault):
    def raises(*_, **__):
        raise fault

    return raises


def looked_at(patch, said, folder):
    """Every command that looks at a home or scores what comes from outside, well and badly."""
    write_file(folder / "rows.parquet", rows(60, "new"))
    write_file(folder / "bad.csv", rows(3, event_ts=CANARY, amount=CANARY))
    with closing(sqlite3.connect(folder / "shop.db")) as db, db:
        db.execute("create table payments (event_id, event_ts, card_id, shop_id, amount)")
        db.executemany(
            "insert into payments values (?, ?, ?, ?, ?)",
            [tuple(event(n, event_id=f"db{n}").values()) for n in range(20)],
        )
        db.execute("insert into payments values ('db99', ?, ?, 's', ?)", (CANARY, CANARY, CANARY))
    home = ("--home", "home")
    for words in (
        ("explain", "live3", "--all"), ("explain", "live3", "--json"), ("replay", "live3"), ("replay", "live4", "--json"), ("verify",), ("lists",),
        ("lists", "--json"), ("lists", "add", "blocked_cards", f"{CANARY}-0", "--why", "x"), ("registry",), ("watch",), ("gate",), ("tune",), ("save-logs",),
        ("score", "rows.parquet", "--out", "out.csv", "--review", "out.parquet"), ("score", "bad.csv", "--out", "none.csv"),
        ("score", "sqlite:///shop.db?table=payments", "--out", "db.parquet"), ("score", "sqlite:///shop.db", "--query", "select card_id from payments", "--out", "x.csv"),
        ("ingest", "bad.csv"), ("ingest", "rows.parquet", "--map", "arrived=card_id"), ("seal", "--keep-hot", "5"), ("retrain",), ("audit",),
    ):  # fmt: skip
        command(patch, said, words[0], CASE, *words[1:], *home)


def command(patch, said, *words):
    """Run a command in this process, and keep what it says."""
    out, err = io.StringIO(), io.StringIO()
    with patch.context() as here:
        here.setattr(sys, "argv", ["weigh", *map(str, words)])
        here.setattr(sys, "stdout", out)
        here.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as left:
            main()
    said.append((words[0], left.value.code, out.getvalue(), err.getvalue()))


@pytest.mark.slow
def test_a_personal_value_is_nowhere(lived):
    home, said = lived
    assert (home / "hot.sqlite-wal").stat().st_size > 0
    assert found_in(home, FORMS) == []
    assert found_in(home.parent, FORMS) == ["bad.csv", "rows.parquet", "shop.db"]  # what was given, and no output
    for each in said:
        text = json.dumps(each, default=str)
        assert not any(form.decode("utf-8", "ignore") in text for form in FORMS if b"\x00" not in form), (text[:500],)
    assert {each[1] for each in said if each[0] == "score"} == {0, 1, 2}
    assert {each[0] for each in said if isinstance(each[0], int)} >= {200, 400, 404, 409, 413, 422, 500, 503}


@pytest.mark.slow
def test_the_search_finds_what_is_not_personal(lived):
    home, said = lived
    hits = found_in(home, SHOPS)
    assert any(hit.startswith("hot.sqlite") for hit in hits)
    assert any(hit.startswith("log/") for hit in hits)
    assert any(hit.startswith("tables/decisions/") for hit in hits)
    assert any(hit.startswith("state/") for hit in hits)
    assert SHOP in json.dumps(said, default=str)


def test_the_search_looks_into_what_is_compressed(tmp_path):
    write_file(tmp_path / "a.parquet", pa.table({"x": [CANARY] * 1_000, "y": [[{"z": CANARY}]] * 1_000}))
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", CANARY * 100)
    (tmp_path / "c.bin").write_bytes(CANARY.encode("utf-16-le"))
    (tmp_path / "d.txt").write_text("nothing")
    assert found_in(tmp_path, FORMS) == ["a.parquet", "b.npz", "c.bin"]
