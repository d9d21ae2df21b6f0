"""An alert as JSON and as text, and the way of a body over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import SplitResult, urlsplit

from weighbridge.clock import us_to_iso
from weighbridge.errors import AlertFailure
from weighbridge.ports import Alert

SECONDS = 5.0


def content(alert: Alert) -> dict[str, Any]:
    """Return an alert as JSON values, its time in words too."""
    return {**asdict(alert), "at": us_to_iso(alert.at_us)}


def text(alert: Alert) -> str:
    """Return an alert as lines of text."""
    return f"{alert.sentence}\n\nbundle {alert.bundle[:12]}, run {alert.run}, {us_to_iso(alert.at_us)}"


def http_url(address: str, sink: str) -> SplitResult:
    """Return an address in parts. Raises AlertFailure when it is no URL of http or https."""
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or any(ord(c) <= 32 or ord(c) > 126 for c in address):
        raise AlertFailure(f"the sink {sink} has no usable address; set WEIGH_ALERT__{sink.upper()} to its https URL")
    return parts


def post(url: SplitResult, body: Mapping[str, Any]) -> None:
    """Post JSON. Raises AlertFailure when it cannot be delivered or is not answered by 2xx."""
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(url.hostname), url.port, timeout=SECONDS)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        connection.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as fault:
        raise AlertFailure(f"it could not be reached ({type(fault).__name__})") from None
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise AlertFailure(f"it answered {status}")
