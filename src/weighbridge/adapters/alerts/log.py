"""Alerts as lines of the structured log, which a home keeps in `logs/weigh.jsonl`."""

from __future__ import annotations

import structlog

from weighbridge.errors import AlertFailure
from weighbridge.ports import Alert

LEVELS = {"moderate": "warning", "severe": "error", "critical": "critical"}


class LogSink:
    """Logs one line for each alert."""

    def send(self, alert: Alert) -> None:
        """Log the alert, the graver the higher its level."""
        told = {name: getattr(alert, name) for name in ("key", "severity", "title", "sentence", "bundle", "run")}
        getattr(structlog.get_logger(), LEVELS[alert.severity])("alert", **told)


def make(address: str) -> LogSink:
    """Return the sink; it has no address."""
    if address:
        raise AlertFailure("the sink log takes no address; unset WEIGH_ALERT__LOG")
    return LogSink()
