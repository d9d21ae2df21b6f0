"""Structured logs: one JSON object a line, to a file in the home's `logs` folder, and where wanted to stdout."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TextIO

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from weighbridge.errors import HomeError


class Both:
    """Lines to a file and to stdout. Whatever becomes of stdout, the file has them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write to both."""
        written = self._file.write(text)
        try:
            sys.stdout.write(text)
        except OSError:
            return written  # nobody reads it any more
        return written

    def flush(self) -> None:
        """Flush both."""
        self._file.flush()
        try:
            sys.stdout.flush()
        except OSError:
            return


def log_to(folder: Path, level: str, *, to_stdout: bool = False) -> None:
    """Write structured logs to `folder`/weigh.jsonl, and to stdout as well, from now on."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / "weigh.jsonl").open("a", buffering=1, encoding="utf-8")
    except OSError as fault:
        raise HomeError(f"no log can be written in {folder} ({fault.strerror}); mend its permissions") from None
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            # never the values of variables: they hold bodies, and bodies are personal
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(lambda members, **_: orjson.dumps(members, repr).decode()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(Both(stream) if to_stdout else stream),  # type: ignore[arg-type]
    )
