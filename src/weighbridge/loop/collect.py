"""Fetches the declared sources and takes in what is new in them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from weighbridge.clock import Clock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.sources import DATABASES, EVENTS, LABELS, Feed
from weighbridge.errors import InputError, StoreFailure, Unrecorded
from weighbridge.identity import digest
from weighbridge.loop.children import RowsRead, commit_rows, keep_named, read_in
from weighbridge.loop.given import Given
from weighbridge.loop.ingest import Judged, judged, store
from weighbridge.loop.report import Progress, Report, silent, telling_of, write_report
from weighbridge.loop.sources.bring import Brought, bring, looked_at
from weighbridge.loop.sources.unpack import unpack
from weighbridge.ports import Object, ObjectStore, Outside, Stores
from weighbridge.stores.csv_rows import Rows
from weighbridge.stores.files import PART
from weighbridge.stores.sources import read_rows, row_pieces

VERB, SUMMARY = "source", "ingestion_summary"
COUNTS = ("rows", "accepted", "already_stored", "rejected", "reasons", "without", "others")
FOR_NOW = ("arrived", "event")  # rules that the same row may keep later
SUMS = ("accepted", "already_stored", "rejected")


@dataclass(frozen=True)
class _File:
    """One file of a feed, or the rows of its database."""

    feed: Feed
    address: str
    shown: str
    store: ObjectStore | None = None
    found: Object | None = None

    @property
    def name(self) -> str:
        """What rejects and reports call it: the feed, and where it has several files, which of them."""
        several = self.found is not None and "*" in self.address
        return f"{self.feed.name}/{self.found.path.rpartition('/')[2]}" if several and self.found else self.feed.name


def collect(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    outside: Outside,
    raw: Path,
    addresses: Mapping[str, str],
    accepts: Sequence[str] = (),
    progress: Progress = silent,
) -> Report:
    """Fetch every declared source into the folder `raw`, and take in what has changed since last time.

    `addresses` go before the declared ones, by feed; `accepts` are kinds of change that are let through now. Files of
    this machine are read where they are. What is fetched stays in `raw`, unless a contract has personal fields: then it
    goes once it was taken in or refused. All files are fetched and judged before anything of them is stored; then child
    tables are taken in, one by one, and all events and labels at once. A file that has not changed is left out, unless
    rows of it were rejected for now: they had not arrived, or their event had not. Writes
    reports/ingestion_summary.json. Raises InputError and StoreFailure, by the source's name, when one cannot be fetched
    or read: nothing was taken in then. Raises StoreFailure when the log cannot be written: it tells what was taken in
    by then, which is recorded and not taken in again. Raises Unrecorded when a record of what was taken in cannot be
    written: the next run looks at it again, and finds that it is stored.
    """
    if not case.sources:
        raise InputError(f"use case {case.name} declares no sources; give a file, or declare UseCase(sources=[...])")
    files = [file for feed in case.sources for file in _files(feed, outside, addresses.get(feed.name))]
    before = {facts["file"]: facts for _, _, _, facts in stores.tracker.runs(VERB)}
    told: dict[str, dict[str, Any]] = {}
    events, labels = list[Given](), list[Given]()
    rows = dict[str, RowsRead]()
    keep_named(stores)
    raw.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with tempfile.TemporaryDirectory(dir=raw, prefix=".unpacked-") as work:
            for file in files:
                begun = time.perf_counter()
                facts, path = _fetched(case, file, before.get(file.name, {}), raw, Path(work), progress)
                if not facts["unchanged"] and file.feed.of in (EVENTS, LABELS):
                    taken = labels if file.feed.of == LABELS else events
                    taken.append(_given(file, path, outside, (*file.feed.accepts, *accepts)))
                elif not facts["unchanged"]:
                    pieces = outside.rows(file.address) if path is None else row_pieces(path)
                    rows[file.name] = read_in(case, stores, clock, file.feed.of, pieces, file.feed.columns, progress)
                told[file.name] = {**facts, "seconds": round(time.perf_counter() - begun, 3)}
        found = judged(case, stores, clock, events, labels)
        report = _stored(stores, clock, rows, found, told)
    finally:
        if _personal(case):
            _forget(raw)
    return _told(case, stores, clock, report, told)


def _stored(
    stores: Stores, clock: Clock, rows: Mapping[str, RowsRead], found: Judged, told: Mapping[str, dict[str, Any]]
) -> Report:
    """Take in child rows, then events and labels, and record each file as soon as it is in."""
    taken = list[str]()
    try:
        for name, read in rows.items():
            report = commit_rows(stores, clock, read)
            told[name] |= {count: report.figures[count] for count in COUNTS}
            with telling_of(report.sentence):
                _record(stores, clock, report.run, name, told[name])
            taken.append(name)
        report = store(stores, found)
    except Unrecorded as fault:
        before = f"; before it, rows of {', '.join(taken)} were taken in" if taken else ""
        raise Unrecorded(f"{fault}{before}") from fault
    except StoreFailure as fault:
        before = f", rows of {', '.join(taken)} were" if taken else ""
        raise StoreFailure(f"{fault}; no event was taken in{before}") from fault
    with telling_of(report.sentence):
        for name, counts in report.figures["sources"].items():
            told[name] |= counts
            _record(stores, clock, report.run, name, told[name])
    return report


def _record(stores: Stores, clock: Clock, run: str, name: str, facts: dict[str, Any]) -> None:
    facts["at"] = us_to_iso(clock.now_us())
    facts["for_now"] = sum(facts["reasons"].get(rule, 0) for rule in FOR_NOW)
    stores.tracker.record(f"{run}-source-{name}", VERB, clock.now_us(), {"file": name, **facts})


def _told(case: UseCase, stores: Stores, clock: Clock, taken: Report, told: dict[str, dict[str, Any]]) -> Report:
    """Write the summary of what was made of each file, and return the report."""
    summary = {"use_case": case.name, "run": taken.run, "at": us_to_iso(clock.now_us()), "sources": told}
    path = write_report(stores.reports, SUMMARY, summary)
    rows = [f for f in told.values() if f["table"] not in (EVENTS, LABELS) and not f["unchanged"]]
    sums = {name: taken.figures[name] + sum(facts[name] for facts in rows) for name in SUMS}
    figures = {**taken.figures, **sums, "sources": told, "report": str(path)}
    unchanged = sum(facts["unchanged"] for facts in told.values())
    sentence = f"{len(told):,} sources, {unchanged:,} unchanged: "
    sentence += f"{sum(f['accepted'] for f in rows):,} child rows, " if rows else ""
    return Report("ingest", sentence + taken.sentence, figures, taken.seconds, taken.run)


def _personal(case: UseCase) -> bool:
    tables = (case.events.fields, *(child.fields for child in case.children))
    return any(field.pii != "none" for fields in tables for field in fields)


def _forget(raw: Path) -> None:
    """Remove what was fetched whole; a part stays for the next try."""
    for path in raw.rglob("*"):
        if path.is_file() and path.suffix != PART:
            path.unlink()


def _files(feed: Feed, outside: Outside, given: str | None) -> Sequence[_File]:
    """Return what a feed's address means: one file, those of a glob, or a database."""
    address = given or feed.url
    if not address:
        raise InputError(f"source {feed.name} has no address; set WEIGH_SOURCE__{feed.name.upper()}")
    shown = outside.shown(address)
    if address.partition("://")[0] in DATABASES:
        return [_File(feed, address, shown)]
    store, path = outside.objects(address)
    if "*" not in path:
        return [_File(feed, address, shown, store, store.head(path))]
    found = store.find(path)
    if not found and not feed.optional:
        raise InputError(f"source {feed.name} has no file like {shown}; check the address")
    return [_File(feed, address, shown, store, one) for one in found]


def _fetched(
    case: UseCase, file: _File, before: Mapping[str, Any], raw: Path, work: Path, progress: Progress
) -> tuple[dict[str, Any], Path | None]:
    """Return what is told of a file, and where it is, unpacked; nowhere for a database and for what is unchanged."""
    feed = file.feed
    declared = digest([feed, case.events, *case.children])
    facts: dict[str, Any] = {
        "source": feed.name, "table": feed.of, "address": file.shown, "unchanged": False, "declared": declared,
    }  # fmt: skip
    if file.store is None or file.found is None:
        return facts, None
    facts |= {"bytes": file.found.size, "tag": file.found.tag}
    same = not before.get("for_now") and all(before.get(name) == facts[name] for name in ("declared", "address"))
    unmoved = file.found.tag is not None and all(before.get(name) == facts[name] for name in ("tag", "bytes"))
    if same and unmoved:
        return {**before, **facts, "unchanged": True}, None
    brought = _brought(file, raw, progress)
    facts |= {"bytes": brought.size, "fetched": brought.fetched, "sha256": brought.sha256, "md5": brought.md5}
    if same and before["sha256"] == brought.sha256:
        return {**before, **facts, "unchanged": True}, None
    return facts, unpack(feed, brought.path, Path(tempfile.mkdtemp(dir=work)))


def _given(file: _File, path: Path | None, outside: Outside, accepts: Sequence[str]) -> Given:
    feed = file.feed
    rows = Rows(_joined(list(outside.rows(file.address)))) if path is None else read_rows(path)
    return Given.of(file.name, rows, feed.columns, feed.name, accepts)


def _joined(pieces: Sequence[pa.Table]) -> pa.Table:
    """Return the pieces of a database's rows as one table; a column whose type changes among them is text."""
    mixed = {f.name for piece in pieces for f in piece.schema if f.type != pieces[0].schema.field(f.name).type}
    kinds = [pa.field(f.name, pa.string() if f.name in mixed else f.type) for f in pieces[0].schema]
    return pa.concat_tables([piece.cast(pa.schema(kinds)) for piece in pieces])


def _brought(file: _File, raw: Path, progress: Progress) -> Brought:
    assert file.store is not None
    assert file.found is not None
    if "://" not in file.address:
        return looked_at(file.feed, Path("/" if file.address.startswith("/") else "") / file.found.path)
    name = file.found.path.partition("?")[0].rpartition("/")[2] or file.feed.name
    return bring(file.feed, file.store, file.found, raw / file.feed.name / name, progress)
