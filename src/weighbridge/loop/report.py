"""What a verb of the loop did: figures for people, for the tracker and for the next stage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighbridge.clock import Clock
from weighbridge.errors import StoreFailure, Unrecorded
from weighbridge.identity import ulid_at
from weighbridge.ports import Stores
from weighbridge.stores.files import write_atomically

Progress = Callable[[str, int, int], None]  # (what, done, of)


def silent(what: str, done: int, of: int) -> None:
    """A progress that nobody watches."""


@dataclass(frozen=True)
class Report:
    """One run of one verb. `skipped`: nothing it depends on had changed, the figures are those of the earlier run."""

    verb: str
    sentence: str
    figures: Mapping[str, Any]
    seconds: float
    run: str
    skipped: bool = False


class Run:
    """Times a verb and records its report in the tracker."""

    def __init__(self, verb: str, stores: Stores, clock: Clock) -> None:
        self.verb, self._stores, self._started_us = verb, stores, clock.now_us()
        self._begun = time.perf_counter()
        entropy = f"{verb} {time.time_ns()}".encode()
        self.id = ulid_at(max(self._started_us, 0), entropy[-10:].rjust(10, b"0"))

    def finish(self, sentence: str, figures: Mapping[str, Any]) -> Report:
        """Record the run and return its report. Raises Unrecorded when the tracker cannot be written."""
        seconds = time.perf_counter() - self._begun
        facts = {"sentence": sentence, "seconds": round(seconds, 3), **figures}
        with telling_of(sentence):
            self._stores.tracker.record(self.id, self.verb, self._started_us, facts)
        return Report(self.verb, sentence, figures, seconds, self.id)


@contextmanager
def telling_of(done: str) -> Iterator[None]:
    """Store in the block what goes with what is `done` and stored, such as the record of its run.

    Raises Unrecorded for a StoreFailure in it: that says that what was done stays.
    """
    try:
        yield
    except Unrecorded:
        raise
    except StoreFailure as fault:
        raise Unrecorded(f"{done}; that stays, but not all that goes with it was stored: {fault}") from fault


def write_report(folder: Path, name: str, content: Mapping[str, Any]) -> Path:
    """Write a report as JSON into the reports folder; return its path."""
    path = folder / f"{name}.json"
    write_atomically(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
    return path
