"""Rows broken in every way: each is in the rejects with its source, row, field and rule, and no good row is harmed.

The soak (WEIGHBRIDGE_SOAK=1) gives 10,000 broken rows in each form of file, `make test` 600.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tests.conftest import SOAK, START_US, memory_stores
from weighbridge.cases.card_fraud import case as card_fraud
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.loop.given import Given
from weighbridge.loop.ingest import take
from weighbridge.stores.sources import read_rows, write_file

BAD = 10_000 if SOAK else 600
CANARY = "4111222233334444"
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
COLUMNS = ["event_id", "event_ts", "card_id", "merchant_id", "amount", "country", "device", "merchant_category"]
NUMBERS = [
    "",
    "x",
    "NaN",
    "inf",
    "-1",
    "1e400",
    "99999999999999999999",
    "12.345",
    "0x10",
    "１２",
    "5,00",
    "--1",
    "1e",
    "12 ",
    "None",
]
TIMES = [
    "",
    "now",
    "2026-13-01T00:00:00Z",
    "1768000000",
    "2026-01-05",
    "9999-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "2026-01-05T25:00:00Z",
    "\x00",
]
BREAKS = {
    "event_id": ["", "short", "01KE6TR2P00000000000000000X", "!" * 26, "é" * 26],
    "event_ts": TIMES,
    "card_id": ["", CANARY * 40],
    "merchant_id": ["", "m" * 300],
    "amount": NUMBERS,
    "country": ["", "XX", "us", "U S", CANARY, "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace")],
    "merchant_category": ["", "Fuel"],
    "device": ["", "fridge", "ios ", CANARY],
}
LINES = [b'"%s', b"%s,one,more", b"too,few", b"\xff\xfe%s", b'%s"a"b,"', b'01,"2026,%s', b",", b"%s\r%s"]


def ulid(number):
    return f"01KE6TR2P0{number:016d}"


def good(number):
    at = (BEGIN + timedelta(minutes=number)).isoformat()
    return {"event_id": ulid(number), "event_ts": at, "card_id": f"{CANARY}-{number % 50}", "merchant_id": f"m{number % 9}",
            "amount": f"{number % 400}.25", "country": "FR", "device": "ios", "merchant_category": "fuel"}  # fmt: skip


def broken(number, chance):
    """A row with one field or more broken, and the fields that may be told."""
    row, names = good(number), chance.sample(COLUMNS, chance.choice([1, 1, 1, 2, 3]))
    for name in names:
        row[name] = chance.choice(BREAKS[name])
    return row, set(names)


def dealt(chance):
    """Good and broken rows in a random order."""
    wrong = [chance.random() < 0.6 for _ in range(int(BAD / 0.6))]
    wrong += [True] * max(0, BAD - sum(wrong))
    return [broken(n, chance) if bad else (good(n), set()) for n, bad in enumerate(wrong)]


def taken(path, tmp_path):
    stores = memory_stores(card_fraud, tmp_path / "reports")
    given = Given.of("payments", read_rows(path), {}, "payments", ())
    clock = ManualClock(START_US + 100 * DAY_US)
    report = take(replace(card_fraud), stores, clock, [given])
    (rejects,) = [t for n, t in stores.tables._tables.items() if n.startswith("rejects/")]
    return stores, report, rejects


def check(rows, stores, report, rejects):
    bad = {place for place, (_, names) in enumerate(rows) if names}
    assert len(bad) >= BAD
    told = {r["row"]: r for r in rejects.to_pylist()}
    assert set(told) == bad
    assert len(rejects) == len(bad)
    assert all(told[place]["field"] in rows[place][1] for place in bad), "a field that was not broken is told"
    assert all(r["rule"] and r["detail"] and r["source"] == "payments" for r in told.values())
    assert set(stores.log.events()["event_id"].to_pylist()) == {row["event_id"] for row, names in rows if not names}
    assert report.figures["accepted"] + report.figures["rejected"] == len(rows)
    assert CANARY not in str(rejects.to_pylist())
    assert CANARY not in report.sentence
    assert CANARY not in str(stores.tracker.runs())


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_broken_row_is_a_reject_and_every_good_one_is_stored(tmp_path, form):
    rows = dealt(random.Random(4))
    path = tmp_path / f"payments.{form}"
    write_file(path, pa.table({name: [row[name] or None for row, _ in rows] for name in COLUMNS}))
    check(rows, *taken(path, tmp_path))


def test_lines_that_are_no_rows_are_rejects_too(tmp_path):
    chance = random.Random(9)
    lines, rows = [], []
    for number in range(BAD * 2):
        if number % 2:
            line = chance.choice(LINES)
            fill = CANARY.encode()
            lines.append(line.replace(b"%s", fill))
            rows.append(({"event_id": None}, {"row"}))
        else:
            lines.append(",".join(good(number)[name] for name in COLUMNS).encode())
            rows.append((good(number), set()))
    path = tmp_path / "payments.csv"
    path.write_bytes(",".join(COLUMNS).encode() + b"\n" + b"\n".join(lines) + b"\n")
    check(rows, *taken(path, tmp_path))
