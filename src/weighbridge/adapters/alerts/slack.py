"""Alerts in the shape of Slack's incoming webhooks; Mattermost and others take it too."""

from __future__ import annotations

from urllib.parse import SplitResult

from weighbridge.adapters.alerts.message import http_url, post, text
from weighbridge.ports import Alert

SIGNS = {"moderate": ":large_yellow_circle:", "severe": ":large_orange_circle:", "critical": ":red_circle:"}
LONGEST = 2_900  # Slack takes at most 3,000 characters in a section


class Slack:
    """Posts `text` and two blocks."""

    def __init__(self, url: SplitResult) -> None:
        self._url = url

    def send(self, alert: Alert) -> None:
        """Post the alert; anything but 2xx is a failure."""
        title = f"{SIGNS[alert.severity]} *{_plain(alert.title)}* ({alert.severity})"
        sections = (title, _plain(text(alert))[:LONGEST])
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": section}} for section in sections]
        post(self._url, {"text": _plain(f"{alert.title}: {alert.sentence}")[:LONGEST], "blocks": blocks})


def _plain(words: str) -> str:
    """Return text in which nothing is a mention or a link to Slack."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def make(address: str) -> Slack:
    """Return the sink of a webhook's URL."""
    return Slack(http_url(address, "slack"))
