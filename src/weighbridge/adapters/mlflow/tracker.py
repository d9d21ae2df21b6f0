"""Runs of the loop in MLflow: a Tracker whose facts come back exactly, and what people see of them there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weighbridge.adapters.mlflow.connection import Connection
from weighbridge.adapters.mlflow.entries import Entries, Entry, Shown

NAMES = ("model", "gate", "feature", "name")  # what tells the members of a list apart


class MlflowTracker:
    """Tracker in MLflow, of one writer at a time."""

    def __init__(self, connection: Connection) -> None:
        self.entries = Entries(connection, "run")

    def record(self, run: str, verb: str, started_us: int, facts: Mapping[str, Any]) -> None:
        """Store a finished run."""
        self.entries.add(Entry(run, verb, started_us, facts), shown(facts))

    def runs(self, verb: str | None = None) -> Sequence[tuple[str, str, int, Mapping[str, Any]]]:
        """Return (run, verb, started_us, facts), oldest first."""
        return [(e.id, e.verb, e.started_us, e.facts) for e in self.entries.all() if verb in (None, e.verb)]


def shown(facts: Mapping[str, Any]) -> Shown:
    """Return numbers as metrics and short texts as parameters, nested names joined by dots; steps are its children."""
    params, metrics = dict[str, str](), dict[str, float]()
    for name, value in flat(facts):
        if isinstance(value, bool):
            params[name] = str(value).lower()
        elif isinstance(value, int | float):
            if math.isfinite(value):
                metrics[name] = float(value)
        elif name not in ("sentence", "figures") and value:
            params[name] = value
    children = [str(step["run"]) for step in facts.get("steps", ()) if "run" in step]
    return Shown(params, metrics, {}, {}, children)


def flat(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, bool | float | str]]:
    """Yield (name, value) of every number, truth and text, those of lists only where the members have names."""
    for key, value in facts.items():
        name = f"{before}{key}"
        if isinstance(value, bool | int | float | str):
            yield name, value
        elif isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            for member in value:
                called = (
                    next((str(member[n]) for n in NAMES if n in member), None) if isinstance(member, Mapping) else None
                )
                if called is not None:
                    yield from flat({k: v for k, v in member.items() if k not in NAMES}, f"{name}.{called}.")
