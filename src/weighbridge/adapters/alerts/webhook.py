"""Alerts posted as they are: the JSON of an `Alert`, its time in words too."""

from __future__ import annotations

from urllib.parse import SplitResult

from weighbridge.adapters.alerts.message import content, http_url, post
from weighbridge.ports import Alert


class Webhook:
    """Posts to a URL."""

    def __init__(self, url: SplitResult) -> None:
        self._url = url

    def send(self, alert: Alert) -> None:
        """Post the alert; anything but 2xx is a failure."""
        post(self._url, content(alert))


def make(address: str) -> Webhook:
    """Return the sink of a URL."""
    return Webhook(http_url(address, "webhook"))
