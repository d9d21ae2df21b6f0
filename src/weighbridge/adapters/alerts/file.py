"""Alerts as JSON lines at the end of a file, for whatever ships logs."""

from __future__ import annotations

import json
from pathlib import Path

from weighbridge.adapters.alerts.message import content
from weighbridge.errors import AlertFailure
from weighbridge.ports import Alert


class FileSink:
    """Appends to a file, which is made when it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, alert: Alert) -> None:
        """Append one line."""
        try:
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(content(alert)) + "\n")
        except OSError as fault:
            raise AlertFailure(f"the file cannot be written ({fault.strerror})") from None


def make(address: str) -> FileSink:
    """Return the sink of a path."""
    if not address or "\0" in address:
        raise AlertFailure("the sink file has no path; set WEIGH_ALERT__FILE")
    return FileSink(Path(address))
