"""Structured logs: one JSON object a line, to a file in the home's `logs` folder."""

from __future__ import annotations

import logging
from pathlib import Path

import structlog


def log_to(folder: Path, level: str) -> None:
    """Write structured logs to `folder`/weigh.jsonl from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = (folder / "weigh.jsonl").open("a", buffering=1, encoding="utf-8")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
