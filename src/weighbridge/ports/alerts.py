"""What the platform asks of whatever tells people that something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from weighbridge.errors import AlertFailure


@dataclass(frozen=True)
class Alert:
    """Something that somebody should look at.

    Alerts of one `key` are about one thing, such as the drift of one champion. `severity` is moderate, severe or
    critical, `at_us` when it was seen, microseconds UTC; `details` are JSON values and hold nothing personal.
    """

    key: str
    use_case: str
    kind: str
    severity: str
    title: str
    sentence: str
    bundle: str
    run: str
    at_us: int
    details: Mapping[str, Any] = field(default_factory=dict)


class AlertSink(Protocol):
    """Where alerts go. Found by name among the entry points of the group `weighbridge.alert_sinks`.

    The entry point is a function from an address, the text that `WEIGH_ALERT__NAME` gives ("" where it is not set), to
    a sink. It raises AlertFailure for an address that it cannot use; it opens no connection.
    """

    def send(self, alert: Alert) -> None:
        """Deliver an alert, within some seconds. Raises AlertFailure, which names no address, when it was not taken."""
        ...


Sinks = Callable[[str], AlertSink]  # by name; raises AlertFailure


def no_sinks(name: str) -> AlertSink:
    """Know no sink."""
    raise AlertFailure(f"there is no sink {name!r} here")
