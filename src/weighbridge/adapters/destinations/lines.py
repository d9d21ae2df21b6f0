"""A stream as JSON lines: on stdout, or at the end of a file, with labels in a file beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from weighbridge.errors import InputError, StoreFailure


class Lines:
    """Writes each record as one line, as soon as it comes; `own` files are closed at the end."""

    def __init__(self, events: TextIO, labels: TextIO, *, own: bool) -> None:
        self._events, self._labels, self._own = events, labels, own

    def event(self, actor: str, body: Mapping[str, Any]) -> None:
        """Write one line; nothing decides."""
        _write(self._events, body)

    def label(self, body: Mapping[str, Any]) -> None:
        """Write one line."""
        _write(self._labels, body)

    def close(self) -> None:
        """Close the files."""
        if self._own:
            self._events.close()
            self._labels.close()


def _write(lines: TextIO, body: Mapping[str, Any]) -> None:
    try:
        lines.write(json.dumps(body) + "\n")
        lines.flush()
    except BrokenPipeError:
        raise
    except OSError as fault:
        raise StoreFailure(f"the stream cannot be written ({fault.strerror})") from None


def to_stdout(address: str, case: str, secret: str) -> Lines:
    """Return the destination "-": events and labels as they come."""
    return Lines(sys.stdout, sys.stdout, own=False)


def to_file(address: str, case: str, secret: str) -> Lines:
    """Return the destination "file:PATH"; labels go to PATH with `.labels` before its ending."""
    name = address.removeprefix("file:").removeprefix("//")
    if not name or "\0" in name:
        raise InputError("file: names no path; write it as file:events.jsonl")
    path = Path(name)
    beside = path.with_name(f"{path.stem}.labels{path.suffix}")
    try:
        return Lines(path.open("a", encoding="utf-8"), beside.open("a", encoding="utf-8"), own=True)
    except OSError as fault:
        raise InputError(f"{path} cannot be written ({fault.strerror}); check the path") from None
