"""Why a decision was made: what each feature added to its score, at any time after it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from weighbridge.clock import us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Field, Time
from weighbridge.loop.replays.past import Past, look_back
from weighbridge.ports import Stores
from weighbridge.records import DecisionRecord, EventRecord, Reason, Stored

MASKED = "<pseudonymised>"


@dataclass(frozen=True)
class Explanation:
    """What a decision was made of.

    `score`, in `unit`, is what the model said before calibration: `base` and all contributions. `reasons` are those
    told with the decision, else those that would have been. `inputs` is "log" where the explained vector was
    recomputed from the log, "stored" where it is the one stored with the decision; then `note` says why.
    """

    past: Past
    event: dict[str, Any]
    inputs: str
    note: str
    unit: str
    base: float
    score: float
    reasons: tuple[Reason, ...]
    contributions: tuple[Reason, ...]

    def body(self) -> dict[str, Any]:
        """Return the explanation as JSON members."""
        decision, bundle = self.past.decision, self.past.bundle
        return {
            "decision_id": decision.decision_id,
            "event_id": decision.event_id,
            "event_ts": us_to_iso(self.past.event.event_us),
            "decided_ts": us_to_iso(decision.decided_us),
            "event": self.event,
            "probability": decision.probability,
            "risk_level": decision.level,
            "action": decision.action,
            "explored": decision.explored,
            "propensity": decision.propensity,
            "degraded": list(decision.degraded),
            "thresholds": {"review_at": bundle.thresholds.review_at, "decline_at": bundle.thresholds.decline_at},
            "bundle": bundle.id,
            "model": bundle.facts["model"],
            "inputs": self.inputs,
            "note": self.note,
            "unit": self.unit,
            "base": self.base,
            "score": self.score,
            "reasons": [asdict(reason) for reason in self.reasons],
            "contributions": [asdict(reason) for reason in self.contributions],
        }


def explain(case: UseCase, stores: Stores, decision: DecisionRecord) -> Explanation:
    """Explain a stored decision by the bundle that decided. Raises BundleRefused when it cannot be read any more."""
    past = look_back(case, stores, decision)
    notes = [f"explained by the stored vector: {past.why}"] if past.why else []
    if past.differing:
        notes = [
            f"explained by the stored vector: {past.differing} of its values are not the log's; see `weigh replay`"
        ]
    reasoner, vector = past.reasoner, past.vector
    every = reasoner.every(vector)
    top = reasoner.most(every)
    if decision.reasons is not None and not same_reasons(decision.reasons, top):
        notes.append("the reasons told with it are not those of the model; see `weigh replay`")
    return Explanation(
        past=past,
        event=shown(case, past.event),
        inputs="stored" if past.why or past.differing else "log",
        note="; ".join(notes),
        unit=reasoner.unit,
        base=reasoner.base,
        score=float(reasoner.score(np.frombuffer(vector, dtype="<f4").reshape(1, -1))[0]),
        reasons=top if decision.reasons is None else decision.reasons,
        contributions=every,
    )


def same_reasons(told: tuple[Reason, ...], again: tuple[Reason, ...]) -> bool:
    """Whether features, contributions and values are the same, to the bit; their wording may have changed."""
    ours, theirs = ([(r.feature, r.contribution, r.value) for r in reasons] for reasons in (told, again))
    return ours == theirs


def shown(case: UseCase, event: EventRecord) -> dict[str, Any]:
    """Return an event's fields, and the child rows sent with it, in the declared units, without what is personal."""
    fields = {field.name: _shown(field, v) for field, v in zip(case.events.payload, event.values, strict=True)}
    for name, rows in json.loads(event.sent or "{}").items():
        child = next(child for child in case.children if child.name == name)
        fields[name] = [{f.name: _shown(f, v) for f, v in zip(child.fields, row, strict=True)} for row in rows]
    return fields


def _shown(field: Field, value: Stored) -> Any:  # noqa: ANN401
    if value is None or field.pii != "none":
        return value if value is None else MASKED
    if isinstance(value, int):
        return us_to_iso(value) if isinstance(field, Time) else value / field.scale if field.scale > 1 else value
    return value
