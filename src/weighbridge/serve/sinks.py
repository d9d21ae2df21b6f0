"""Finds sinks of alerts by name among what is installed, and holds them to their word."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.metadata import entry_points

from pydantic import SecretStr

from weighbridge.errors import AlertFailure
from weighbridge.ports import Alert, AlertSink, Sinks

GROUP = "weighbridge.alert_sinks"
SECONDS = 15.0


class Guarded:
    """A sink of whoever wrote it: any error it raises is an AlertFailure, and so is taking too long."""

    def __init__(self, sink: AlertSink, seconds: float = SECONDS) -> None:
        self._sink, self._seconds = sink, seconds

    def send(self, alert: Alert) -> None:
        """Deliver an alert, or raise AlertFailure in time. A sink that hangs is left behind."""
        faults: list[Exception] = []

        def deliver() -> None:
            try:
                self._sink.send(alert)
            except Exception as fault:
                faults.append(fault)

        thread = threading.Thread(target=deliver, name="alert", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if thread.is_alive():
            raise AlertFailure(f"it did not answer within {self._seconds:g} s")
        if faults and isinstance(faults[0], AlertFailure):
            raise faults[0]
        if faults:  # what it says may hold its address
            raise AlertFailure(f"it failed ({type(faults[0]).__name__})")


def sinks_of(addresses: Mapping[str, SecretStr]) -> Sinks:
    """Return what finds a sink by name; `addresses` are the settings', by the sinks' names."""

    def find(name: str) -> AlertSink:
        found = entry_points(group=GROUP, name=name)
        if not found:
            known = sorted(entry_points(group=GROUP).names)
            raise AlertFailure(f"no sink of this name is installed; there are {', '.join(known) or 'none'}")
        address = addresses.get(name, SecretStr("")).get_secret_value()
        try:
            return Guarded(next(iter(found)).load()(address))
        except AlertFailure:
            raise
        except Exception as fault:  # foreign code may raise anything
            raise AlertFailure(f"the sink cannot be made ({type(fault).__name__})") from None

    return find
