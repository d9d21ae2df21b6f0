"""Structured logs: one JSON object a line, to a file in the home's `logs` folder."""

from __future__ import annotations

import logging
from pathlib import Path

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from weighbridge.errors import HomeError


def log_to(folder: Path, level: str) -> None:
    """Write structured logs to `folder`/weigh.jsonl from now on."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / "weigh.jsonl").open("a", buffering=1, encoding="utf-8")
    except OSError as fault:
        raise HomeError(f"no log can be written in {folder} ({fault.strerror}); mend its permissions") from None
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # never the values of variables: they hold bodies, and bodies are personal
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
