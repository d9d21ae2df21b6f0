"""Alerts as e-mail over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

from weighbridge.adapters.alerts.message import SECONDS, text
from weighbridge.errors import AlertFailure
from weighbridge.ports import Alert

FIX = (
    "set WEIGH_ALERT__EMAIL to smtps://user:password@host/?from=risk@bank.example&to=ana@bank.example,ben@bank.example"
)
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True)
class Email:
    """Sends one message for each alert, each over a connection of its own."""

    scheme: str
    host: str
    port: int
    sender: str
    receivers: tuple[str, ...]
    user: str | None
    password: str | None

    def send(self, alert: Alert) -> None:
        """Send the message; a receiver that is refused is a failure."""
        message = EmailMessage()
        message["From"], message["To"] = self.sender, ", ".join(self.receivers)
        message["Subject"] = " ".join(f"[{alert.severity}] {alert.title}".split())
        message.set_content(text(alert))
        try:
            with self._connection() as server:
                if self.user:
                    server.login(self.user, self.password or "")
                refused = server.send_message(message)
        except (OSError, smtplib.SMTPException) as fault:
            raise AlertFailure(f"the mail was not taken ({type(fault).__name__})") from None
        if refused:
            raise AlertFailure(f"{len(refused)} of {len(self.receivers)} receivers were refused")

    def _connection(self) -> smtplib.SMTP:
        if self.scheme == "smtps":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=ssl.create_default_context())
        server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        if self.scheme == "smtp+starttls":
            server.starttls(context=ssl.create_default_context())
        return server


def make(address: str) -> Email:
    """Return the sink of a URL: smtp, smtp+starttls or smtps, with `from` and `to`; a password needs TLS."""
    try:
        url = urlsplit(address)
        asked, port = parse_qs(url.query), url.port
    except ValueError:
        raise AlertFailure(f"the sink email has no usable address; {FIX}") from None
    senders, receivers = asked.get("from", []), ",".join(asked.get("to", [])).split(",")
    mailable = all("@" in one and one.isprintable() and " " not in one for one in (*senders, *receivers))
    if url.scheme not in PORTS or not url.hostname or len(senders) != 1 or not mailable:
        raise AlertFailure(f"the sink email has no usable address; {FIX}")
    if url.username and url.scheme == "smtp":
        raise AlertFailure("the sink email sends no password over plain smtp; use smtps or smtp+starttls")
    user, password = (None if part is None else unquote(part) for part in (url.username, url.password))
    return Email(url.scheme, url.hostname, port or PORTS[url.scheme], senders[0], tuple(receivers), user, password)
