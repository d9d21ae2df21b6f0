"""Tells the declared sinks what a watch has seen, each once, and never lets a sink get in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from weighbridge.clock import us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.watch import NONE, SEVERE, SEVERITIES
from weighbridge.errors import AlertFailure
from weighbridge.loop.report import write_report
from weighbridge.loop.watching.drift import TOO_FEW
from weighbridge.ports import Alert, Stores

FOLDER = "drift_alerts"  # of the reports: every alert is a file there, whatever else is declared
SENT = "alert"  # the verb under which the tracker remembers what was delivered

Figures = Mapping[str, Any]


def alerts(case: UseCase, run: str, at_us: int, figures: Figures) -> Iterator[tuple[Alert, bool]]:
    """Yield the alerts that figures of a watch are worth, and whether the sinks are told too."""
    bundle, version = figures["bundle"], figures["bundle"][:12]

    def made(kind: str, severity: str, title: str, sentence: str, details: Figures) -> Alert:
        key = f"{case.name}:{kind}:{version}"
        named = f"{case.name}: {title}"
        return Alert(key, case.name, kind, severity, named, sentence, bundle, run, at_us, details)

    if (severity := figures["severity"]) not in (NONE, TOO_FEW):
        drifted, psi = figures["drifted"], {**figures["psi"], "score": figures["score_psi"]}
        names = ", ".join(f"{name} (PSI {psi[name]:.2f}, {of})" for name, of in list(drifted.items())[:5])
        more = f" and {len(drifted) - 5} more" if len(drifted) > 5 else ""
        sentence = f"{len(drifted)} of {len(psi)} distributions have moved: {names}{more}"
        told = {"drifted": drifted, "psi": {name: psi[name] for name in drifted}, "rows": figures["rows"]}
        yield made("drift", severity, f"{severity} drift", sentence, told), figures["worst_effect"] >= case.watch.warn
    meaning = figures["concept"]
    if (severity := meaning["severity"]) not in (NONE, TOO_FEW):
        sentence = (
            f"the error on {meaning['rows']:,} mature labels is {meaning['excess']:+.0%} of what the probabilities "
            f"promise: {meaning['positives']:,} positives against {meaning['positives_expected']:,.1f} expected"
        )
        yield made("concept", severity, f"{severity} concept drift", sentence, meaning), True
    if figures["losing"]:
        told = {name: figures[name] for name in ("recall", "recall_reference", "recall_p_value", "positives")}
        sentence = (
            f"recall {figures['recall']:.2f} against {figures['recall_reference']:.2f} on validation, "
            f"on {figures['positives']} known positives"
        )
        yield made("recall", SEVERE, "the champion loses recall", sentence, told), True


def send(case: UseCase, stores: Stores, run: str, at_us: int, figures: Figures) -> list[dict[str, Any]]:
    """Send what is new to the folder of alerts and to the declared sinks; return what became of each, as JSON values.

    An alert of the same key is not sent again to a sink within the cool-down, unless it has become worse. The tracker
    remembers what was delivered, and so across restarts; what failed is tried again by the next watch.
    """
    outcomes = []
    before = _delivered(stores)
    for alert, loud in alerts(case, run, at_us, figures):
        for sink in (FOLDER, *(case.watch.sinks if loud else ())):
            outcome = {"sink": sink, "key": alert.key, "severity": alert.severity, "title": alert.title}
            if _quiet(case, before.get((sink, alert.key), ()), alert):
                outcomes.append({**outcome, "outcome": "cooling down"})
                continue
            try:
                _deliver(stores, sink, alert)
            except AlertFailure as fault:
                outcomes.append({**outcome, "outcome": "failed", "why": str(fault)})
                continue
            stores.tracker.record(f"{run}-{alert.kind}-{sink}", SENT, at_us, outcome)
            outcomes.append({**outcome, "outcome": "sent"})
    return outcomes


def _delivered(stores: Stores) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """Return (when, severity) of everything that was delivered, by sink and key."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for _, _, at_us, facts in stores.tracker.runs(SENT):
        found.setdefault((facts["sink"], facts["key"]), []).append((at_us, facts["severity"]))
    return found


def _quiet(case: UseCase, delivered: Sequence[tuple[int, str]], alert: Alert) -> bool:
    rank = SEVERITIES.index
    since = alert.at_us - case.watch.cool_down_us
    return any(since < at_us <= alert.at_us and rank(severity) >= rank(alert.severity) for at_us, severity in delivered)


def _deliver(stores: Stores, sink: str, alert: Alert) -> None:
    if sink == FOLDER:
        content = {**asdict(alert), "at": us_to_iso(alert.at_us)}
        write_report(stores.reports / FOLDER, f"{alert.run}-{alert.kind}-{alert.bundle[:12]}", content)
    else:
        stores.sinks(sink).send(alert)
