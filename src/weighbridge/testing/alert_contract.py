"""The contract suite of alert sinks: subclass it, give it `make` and `away`, and run pytest.

class TestMySink(AlertSinkContract):
    def make(self):
        return my_sink(address), lambda: what_has_arrived
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from weighbridge.errors import AlertFailure
from weighbridge.ports import Alert, AlertSink

WITHIN_SECONDS = 15.0

SAMPLE = Alert(
    key="cards:drift:c08f5972cf70",
    use_case="cards",
    kind="drift",
    severity="severe",
    title="cards: severe drift",
    sentence="2 of 31 distributions have moved: amount (PSI 0.24, severe), score (PSI 0.11, moderate)",
    bundle="c08f5972cf70" + "0" * 52,
    run="01KAJ0M3Q5X7Z9B1D3F5H7K9M2",
    at_us=1_780_000_000_000_000,
    details={"drifted": {"amount": "severe", "score": "moderate"}, "rows": 4_300},
)


class AlertSinkContract:
    """AlertSink."""

    secret = ""  # a part of the address that nobody may read in an error

    def make(self) -> tuple[AlertSink, Callable[[], Sequence[str]]]:
        """Return a sink, and what gives the messages that have arrived, as text, oldest first."""
        raise NotImplementedError

    def away(self) -> AlertSink | None:
        """Return a sink whose other end is away; None for one that has no other end."""
        raise NotImplementedError

    def test_an_alert_arrives_and_says_what_matters(self) -> None:
        """Once, with title, sentence, bundle and run."""
        sink, arrived = self.make()
        sink.send(SAMPLE)
        (message,) = arrived()
        for part in (SAMPLE.title, "2 of 31 distributions have moved", "amount (PSI 0.24", "c08f5972cf70", SAMPLE.run):
            assert part in message, f"{part!r} is missing in {message!r}"

    def test_alerts_arrive_in_their_order(self) -> None:
        """Every severity, one message each: nothing is put together or left out."""
        sink, arrived = self.make()
        for severity in ("moderate", "severe", "critical"):
            sink.send(replace(SAMPLE, severity=severity, title=f"cards: {severity} drift"))
        messages = arrived()
        assert len(messages) == 3
        for severity, message in zip(("moderate", "severe", "critical"), messages, strict=True):
            assert f"cards: {severity} drift" in message

    def test_any_text_arrives(self) -> None:
        """Quotes, angles, line breaks, other alphabets, and much of it."""
        sink, arrived = self.make()
        for nasty in (
            "\"'`$(x)",
            "<!channel> & <b>",
            "a\r\nBcc: x@y.example\n\n.\n",
            "données, мошенничество, 欺诈 🚨",
            "x" * 9_000,
        ):
            sink.send(replace(SAMPLE, title=f"cards: {nasty}", sentence=nasty))
        assert len(arrived()) == 5

    def test_a_sink_that_is_away_says_so_in_time_and_tells_no_secret(self) -> None:
        """AlertFailure, within seconds, without the address."""
        sink = self.away()
        if sink is None:
            return
        begun, said = time.monotonic(), None
        try:
            sink.send(SAMPLE)
        except AlertFailure as fault:
            said = str(fault)
        assert said, "AlertFailure was not raised, or says nothing"
        assert time.monotonic() - begun < WITHIN_SECONDS
        assert not self.secret or self.secret not in said
