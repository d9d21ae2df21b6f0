"""Fetches the declared sources and takes in what is new in them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from weighbridge.clock import Clock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.sources import DATABASES, LABELS, Feed
from weighbridge.errors import InputError
from weighbridge.loop.given import Given
from weighbridge.loop.ingest import take
from weighbridge.loop.report import Progress, Report, silent, write_report
from weighbridge.loop.sources.bring import Brought, bring, looked_at
from weighbridge.loop.sources.unpack import unpack
from weighbridge.ports import Object, ObjectStore, Outside, Stores
from weighbridge.stores.sources import read_file

VERB, SUMMARY = "source", "ingestion_summary"


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
    progress: Progress = silent,
) -> Report:
    """Fetch every declared source into the folder `raw`, and take in, all at once, what has changed since last time.

    `addresses` go before the declared ones, by feed. Files of this machine are read where they are. Writes
    reports/ingestion_summary.json. Raises InputError and StoreFailure, by the source's name, when one cannot be fetched
    or read; then nothing was taken in, and what was fetched of others stays for the next time.
    """
    if not case.sources:
        raise InputError(f"use case {case.name} declares no sources; give a file, or declare UseCase(sources=[...])")
    files = [file for feed in case.sources for file in _files(feed, outside, addresses.get(feed.name))]
    before = {facts["file"]: facts for _, _, _, facts in stores.tracker.runs(VERB)}
    told: dict[str, dict[str, Any]] = {}
    events, labels = list[Given](), list[Given]()
    with ExitStack() as stack:
        raw.mkdir(parents=True, exist_ok=True)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=raw, prefix=".unpacked-")))
        for file in files:
            begun = time.perf_counter()
            facts, given = _one(file, before.get(file.name), outside, raw, work, progress)
            told[file.name] = {**facts, "seconds": round(time.perf_counter() - begun, 3)}
            if given is not None:
                (labels if file.feed.of == LABELS else events).append(given)
    report = take(case, stores, clock, events, labels)
    now_us = clock.now_us()
    for name, counts in report.figures["sources"].items():
        told[name] |= counts
    for name, facts in told.items():
        facts["at"] = us_to_iso(now_us)
        if not facts["unchanged"]:
            stores.tracker.record(f"{report.run}-{name}", VERB, now_us, {"file": name, **facts})
    summary = {"use_case": case.name, "run": report.run, "at": us_to_iso(now_us), "sources": told}
    path = write_report(stores.reports, SUMMARY, summary)
    figures = {**report.figures, "sources": told, "report": str(path)}
    unchanged = sum(facts["unchanged"] for facts in told.values())
    sentence = f"{len(told):,} sources, {unchanged:,} unchanged: {report.sentence}"
    return Report("ingest", sentence, figures, report.seconds, report.run)


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
    if not found:
        raise InputError(f"source {feed.name} has no file like {shown}; check the address")
    return [_File(feed, address, shown, store, one) for one in found]


def _one(
    file: _File, before: Mapping[str, Any] | None, outside: Outside, raw: Path, work: Path, progress: Progress
) -> tuple[dict[str, Any], Given | None]:
    """Return what is told of a file, and its rows; none where it is the one that was taken in last."""
    feed = file.feed
    facts: dict[str, Any] = {"source": feed.name, "table": feed.of, "address": file.shown, "unchanged": False}
    if file.store is None or file.found is None:
        return facts, Given(file.name, pa.concat_tables(outside.rows(file.address)), feed.columns)
    facts |= {"bytes": file.found.size, "tag": file.found.tag}
    if before and file.found.tag is not None and before["tag"] == file.found.tag and before["bytes"] == file.found.size:
        return {**before, **facts, "unchanged": True}, None
    brought = _brought(file, raw, progress)
    facts |= {"bytes": brought.size, "fetched": brought.fetched, "sha256": brought.sha256, "md5": brought.md5}
    if before and before["sha256"] == brought.sha256:
        return {**before, **facts, "unchanged": True}, None
    folder = Path(tempfile.mkdtemp(dir=work))
    return facts, Given(file.name, read_file(unpack(feed, brought.path, folder)), feed.columns)


def _brought(file: _File, raw: Path, progress: Progress) -> Brought:
    assert file.store is not None
    assert file.found is not None
    if "://" not in file.address:
        return looked_at(file.feed, Path("/" if file.address.startswith("/") else "") / file.found.path)
    name = file.found.path.partition("?")[0].rpartition("/")[2] or file.feed.name
    return bring(file.feed, file.store, file.found, raw / file.feed.name / name, progress)
