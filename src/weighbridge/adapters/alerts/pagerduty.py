"""Alerts in the shape of PagerDuty's Events API v2. Alerts of one key are one incident there."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote

from weighbridge.adapters.alerts.message import content, http_url, post
from weighbridge.clock import us_to_iso
from weighbridge.errors import AlertFailure
from weighbridge.ports import Alert

SERVICE = "https://events.pagerduty.com/v2/enqueue"
SEVERITIES = {"moderate": "warning", "severe": "error", "critical": "critical"}
LONGEST = 1_024  # of a summary


class PagerDuty:
    """Triggers an event."""

    def __init__(self, url: SplitResult, routing_key: str) -> None:
        self._url, self._routing_key = url, routing_key

    def send(self, alert: Alert) -> None:
        """Post the event; anything but 2xx is a failure."""
        post(self._url, {
            "routing_key": self._routing_key,
            "event_action": "trigger",
            "dedup_key": alert.key,
            "client": "weighbridge",
            "payload": {
                "summary": f"{alert.title}: {alert.sentence}"[:LONGEST],
                "source": alert.use_case,
                "severity": SEVERITIES[alert.severity],
                "timestamp": us_to_iso(alert.at_us),
                "component": alert.bundle[:12],
                "class": alert.kind,
                "custom_details": content(alert),
            },
        })  # fmt: skip


def make(address: str) -> PagerDuty:
    """Return the sink of a routing key, or of `https://KEY@host/path` for a service elsewhere."""
    if not address:
        raise AlertFailure("the sink pagerduty has no routing key; set WEIGH_ALERT__PAGERDUTY")
    if "://" not in address:
        return PagerDuty(http_url(SERVICE, "pagerduty"), address)
    url = http_url(address, "pagerduty")
    if not url.username:
        raise AlertFailure("the address of the sink pagerduty has no routing key; write https://KEY@host/path")
    return PagerDuty(url, unquote(url.username))
