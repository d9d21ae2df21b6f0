"""Declared sources come whole, checked, once, and are taken in together."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
import pyarrow.csv
import pytest
import stamina

from tests.adapters.web import serving
from tests.conftest import CUT_US, START_US, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from tests.lending import CASE as LENDING
from tests.lending import LOANS
from weighbridge.adapters.outside import World
from weighbridge.clock import ManualClock
from weighbridge.declare import Feed, value
from weighbridge.errors import DeclarationError, InputError, StoreFailure, Unrecorded
from weighbridge.loop.collect import collect
from weighbridge.loop.simulate import simulate
from weighbridge.ports.rows import ROWS
from weighbridge.stores.sources import write_file

ARRIVED = {"arrived": "arrived"}


@pytest.fixture(scope="module", autouse=True)
def no_waits():
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="module")
def world():
    return simulate(tiny, seed=5, start_us=START_US, events=400)


@pytest.fixture(scope="module")
def events_csv(world):
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(world.events, sink)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def web():
    with serving() as found:
        yield found


class Desk:
    """A case with sources, its stores and where raw files go."""

    def __init__(self, folder, case=tiny):
        self.case = case
        self.folder, self.stores, self.raw = folder, memory_stores(case, folder / "reports"), folder / "data" / "raw"

    def collect(self, *feeds, addresses=(), accepts=(), progress=lambda *_: None, now_us=CUT_US):
        case = replace(self.case, sources=feeds)
        clock = ManualClock(now_us)
        return collect(case, self.stores, clock, World({}), self.raw, dict(addresses), accepts, progress)

    def summary(self):
        return json.loads((self.folder / "reports" / "ingestion_summary.json").read_text())["sources"]


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_events_from_the_web_and_labels_from_a_file_come_in_together(desk, web, world, events_csv, tmp_path):
    packed = gzip.compress(events_csv)
    web.files["/payments.csv.gz"] = packed
    write_file(tmp_path / "outcomes.parquet", world.labels)
    feeds = (
        Feed("payments", web.url("/payments.csv.gz"), columns=ARRIVED, sha256=hashlib.sha256(packed).hexdigest()),
        Feed("outcomes", str(tmp_path / "outcomes.parquet"), of="labels"),
    )
    seen = []
    report = desk.collect(*feeds, progress=lambda *told: seen.append(told))
    assert report.figures["accepted"] == len(world.events) == len(desk.stores.log.events())
    assert report.figures["labels"] > 300
    assert seen[-1] == ("payments", len(packed), len(packed))
    told = desk.summary()
    assert told["payments"]["rows"] == told["payments"]["accepted"] == len(world.events)
    assert told["payments"]["md5"] == hashlib.md5(packed).hexdigest()
    again = desk.collect(*feeds)
    assert (again.figures["accepted"], again.figures["sources"]["payments"]["unchanged"]) == (0, True)
    assert sum(method == "GET" for method, *_ in web.asked) == 1


def test_a_file_of_another_digest_is_refused_and_nothing_taken_in(desk, web, events_csv):
    web.files["/payments.csv"] = events_csv
    with pytest.raises(InputError, match=r"sha256 .* is declared; nothing was taken in"):
        desk.collect(Feed("payments", web.url("/payments.csv"), sha256="0" * 64))
    assert not len(desk.stores.log.events())
    assert not [p for p in desk.raw.rglob("*") if p.is_file()]


def test_a_personal_file_is_gone_once_it_was_taken_in_or_refused(desk, web, events_csv):
    web.files["/payments.csv"] = events_csv
    feed = Feed("payments", web.url("/payments.csv"), columns=ARRIVED)
    desk.collect(feed)
    web.files["/payments.csv"] = events_csv.replace(b"amount", b"sum", 1)
    with pytest.raises(InputError, match="column_renamed"):
        desk.collect(feed)
    assert not [p for p in desk.raw.rglob("*") if p.is_file()]
    assert len(desk.stores.log.events()) == desk.summary()["payments"]["accepted"]


def test_a_changed_declaration_reads_an_unchanged_file_again(desk, web, events_csv):
    web.files["/payments.csv"] = events_csv
    desk.collect(Feed("payments", web.url("/payments.csv")))
    again = desk.collect(Feed("payments", web.url("/payments.csv"), columns=ARRIVED))
    assert not again.figures["sources"]["payments"]["unchanged"]


def test_what_is_not_personal_stays_as_it_came(tmp_path, web, events_csv):
    fields = [replace(f, pii="none") for f in tiny.events.fields]
    desk = Desk(tmp_path, replace(tiny, events=replace(tiny.events, fields=fields)))
    web.files["/payments.csv"] = events_csv
    desk.collect(Feed("payments", web.url("/payments.csv"), columns=ARRIVED))
    assert (desk.raw / "payments" / "payments.csv").read_bytes() == events_csv


def test_a_table_of_a_database_is_a_source(desk, world, tmp_path):
    rows = [{**row, "event_ts": row["event_ts"].isoformat()} for row in world.events.to_pylist()]
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("create table payments (event_id, event_ts, card_id, shop_id, amount)")
        named = "insert into payments values (:event_id, :event_ts, :card_id, :shop_id, :amount)"
        database.executemany(named, [{k: v for k, v in row.items() if k != "arrived"} for row in rows])
        database.commit()
    feed = Feed("shop", f"sqlite:///{tmp_path}/shop.db?table=payments")
    assert desk.collect(feed).figures["accepted"] == len(rows)
    assert desk.collect(feed).figures["already_stored"] == len(rows)
    assert desk.summary()["shop"]["address"].startswith("sqlite:///")


def test_the_environment_gives_addresses_that_no_report_tells(desk, web, events_csv, tmp_path):
    web.files["/payments.csv?token=hidden"] = events_csv
    address = web.url("/payments.csv?token=hidden").replace("http://", "http://ana:hidden@")
    desk.collect(Feed("payments", columns=ARRIVED), addresses={"payments": address})
    assert desk.summary()["payments"]["address"] == web.url("/payments.csv")
    assert "hidden" not in (tmp_path / "reports" / "ingestion_summary.json").read_text()
    assert "hidden" not in str(desk.stores.tracker.runs())
    with pytest.raises(InputError, match="has no address; set WEIGH_SOURCE__LOST"):
        desk.collect(Feed("lost"))


def test_rows_that_had_not_arrived_are_taken_from_the_same_file_later(desk, world, tmp_path):
    write_file(tmp_path / "e.csv", world.events)
    feed = Feed("payments", str(tmp_path / "e.csv"), columns=ARRIVED)
    arrived = sorted(world.events["arrived"].cast(pa.int64()).to_pylist())
    first = desk.collect(feed, now_us=arrived[150])
    assert first.figures["sources"]["payments"]["for_now"] == first.figures["rejected"] > 0
    desk.collect(feed)
    assert len(desk.stores.log.events()) == len(world.events)
    assert desk.collect(feed).figures["sources"]["payments"]["unchanged"]


def test_a_label_is_taken_once_its_event_has_come(desk, world, tmp_path):
    events = world.events.sort_by("arrived")
    last = events.slice(len(events) - 1)
    write_file(tmp_path / "l.csv", last.select(["event_id", "arrived"]).append_column("label", pa.array([1])))
    write_file(tmp_path / "e.csv", events.slice(0, len(events) - 1))
    feeds = (
        Feed("payments", str(tmp_path / "e.csv"), columns=ARRIVED),
        Feed("outcomes", str(tmp_path / "l.csv"), of="labels"),
    )
    assert desk.collect(*feeds).figures["reasons"] == {"event": 1}
    write_file(tmp_path / "e.csv", events)
    assert desk.collect(*feeds).figures["labels"] == 1
    assert desk.collect(*feeds).figures["sources"]["outcomes"]["unchanged"]


@pytest.fixture
def lending(tmp_path):
    desk = Desk(tmp_path, LENDING)
    loans, asked = tmp_path / "loans.csv", tmp_path / "asked.csv"
    loans.write_text("applicant,loan,day,owed,state\nann,l1,-5,100.0,open\n")
    asked.write_text("number,person,asked,seen\ne1,ann,1.0,2026-01-04T00:00:00Z\n")
    feeds = (Feed("loans", str(loans), of="loans"), Feed("asked", str(asked), columns={"arrived": "seen"}))
    return desk, feeds, asked


BROKEN = [
    "number,person,seen\nx,ann,2026-01-05T00:00:00Z\n",
    "number,person,asked,seen\nx,ann,1,2020-01-05T00:00:00Z\n",
]


def test_a_child_table_that_may_be_missing_has_no_rows(lending, tmp_path):
    desk, (loans, asked), _ = lending
    globbed = replace(loans, url=str(tmp_path / "loans.*"), optional=True)
    (tmp_path / "loans.csv").rename(tmp_path / "away")
    with pytest.raises(InputError, match="source loans has no file like"):
        desk.collect(replace(globbed, optional=False), asked)
    assert list(desk.collect(globbed, asked).figures["sources"]) == ["asked"]
    (tmp_path / "away").rename(tmp_path / "loans.csv")
    assert desk.collect(globbed, asked).figures["sources"]["loans/loans.csv"]["accepted"] == 1
    for wrong in ({"of": "events"}, {"url": "loans.csv"}, {"url": None}):
        with pytest.raises(DeclarationError, match="whose url is a glob"):
            replace(globbed, **wrong)


@pytest.mark.parametrize("events", BROKEN, ids=["no column", "older than the log"])
def test_events_that_are_refused_leave_no_child_rows_behind(lending, events):
    desk, feeds, asked = lending
    good = asked.read_text()
    desk.collect(feeds[1], now_us=CUT_US)
    asked.write_text(events)
    seq = desk.stores.log.head().seq
    with pytest.raises(InputError):
        desk.collect(*feeds)
    assert desk.stores.log.head().seq == seq
    asked.write_text(good)
    assert desk.collect(*feeds).figures["sources"]["loans"]["accepted"] == 1


def bounded(most_rows):
    """A lender that knows of loans and counts them."""
    loans = replace(LOANS, most_rows=most_rows)
    return replace(LENDING, children=[loans], features=[loans.count(), value("asked")])


def test_an_event_with_too_many_rows_is_taken_from_the_same_file_once_the_bound_is_raised(lending):
    desk, (loans, asked), _ = lending
    desk.case = bounded(2)
    (desk.folder / "loans.csv").write_text(
        "applicant,loan,day,owed,state\n" + "".join(f"ann,l{n},-5,100.0,open\n" for n in range(3))
    )
    desk.collect(loans)
    first = desk.collect(asked).figures
    assert first["reasons"] == {"most_rows": 1}
    desk.case = bounded(3)
    assert desk.collect(asked).figures["accepted"] == 1
    assert desk.collect(asked).figures["sources"]["asked"]["unchanged"]


def test_a_log_that_breaks_between_rows_and_events_says_what_is_in(lending, monkeypatch):
    desk, feeds, _ = lending

    def full(*_args, **_options):
        raise StoreFailure("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(desk.stores.log, "import_history", full)
        with pytest.raises(StoreFailure, match="the disk is full; no event was taken in, rows of loans were"):
            desk.collect(*feeds)
    assert len(desk.stores.log.notes(ROWS)) == 1
    told = desk.collect(*feeds).figures["sources"]
    assert (told["loans"]["unchanged"], told["asked"]["accepted"]) == (True, 1)


class Failing:
    """A store whose writes fail from the `nth` on, none when that is None."""

    def __init__(self, store, method):
        self.store, self.method, self.nth, self.written = store, method, None, 0

    def __getattr__(self, name):
        return self._write if name == self.method else getattr(self.store, name)

    def _write(self, *args):
        if self.nth is not None and self.written >= self.nth:
            raise StoreFailure("the disk is full; nothing of it was stored")
        self.written += 1
        getattr(self.store, self.method)(*args)


def unrecorded(desk, feeds):
    """What a run says that could not store all; None of one that could."""
    try:
        desk.collect(*feeds)
    except Unrecorded as fault:
        return str(fault)


@pytest.mark.parametrize(("store", "method", "least"), [("tracker", "record", 5), ("tables", "put", 2)])
def test_a_failure_after_the_rows_says_that_they_are_stored_and_the_next_run_makes_it_good(
    lending, store, method, least
):
    """Whichever write fails: what the message says is stored is what the log has, and no row comes in twice."""
    desk, feeds, asked = lending
    asked.write_text(asked.read_text() + "e2,ann,oops,2026-01-04T00:00:00Z\n")
    kind, nth, stopped = type(getattr(desk.stores, store)), 0, True
    while stopped:
        failing = Failing(kind(), method)
        desk.stores = replace(memory_stores(LENDING, desk.folder / "reports"), **{store: failing})
        failing.nth = nth
        said = unrecorded(desk, feeds)
        log, failing.nth, stopped = desk.stores.log, None, said is not None
        if stopped:
            events = len(log.events())
            assert "; that stays, but not all that goes with it was stored: the disk is full" in said
            assert (f"{events:,} events and 0 labels" in said) == (events == 1)
            assert ("1 rows of loans" in said) == (events == 0)
            desk.collect(*feeds)
        assert (len(log.notes(ROWS)), len(log.events())) == (1, 1)
        nth += stopped
    assert nth == failing.written >= least


@pytest.mark.parametrize("labels", [[0, 1], [None, 1]], ids=["both", "the rejected one alone"])
def test_the_label_of_a_row_that_clashes_does_not_count(desk, world, tmp_path, labels):
    one = world.events.slice(0, 1)
    amount = one.column_names.index("amount")
    other = one.set_column(amount, "amount", pa.array([7.25]))
    both = pa.concat_tables([one, other.cast(one.schema)]).append_column(tiny.label.source, pa.array(labels))
    write_file(tmp_path / "e.parquet", both)
    figures = desk.collect(Feed("payments", str(tmp_path / "e.parquet"), columns=ARRIVED)).figures
    assert (figures["accepted"], figures["reasons"]) == (1, {"unique": 1})
    counted = [label for label in labels[:1] if label is not None]
    assert (figures["labels"], figures["positives"]) == (len(counted), 0)
