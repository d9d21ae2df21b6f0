"""The model card: what a bundle is, for people, from the facts it carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from weighbridge.declare.case import UseCase


def model_card(case: UseCase, facts: Mapping[str, Any]) -> str:
    """Return a bundle's model card as Markdown."""
    lineage, metric = facts["lineage"], case.training.metric
    claimed = facts["event_time"]
    low, high = facts["interval"][metric]
    lines = [
        f"# {case.name}: {facts['model']}",
        "",
        f"Scores a {case.events.name}; label `{case.label.name}`, settled after {case.label.matures}.",
        "",
        f"- {metric} {facts['validation'][metric]:.4f}, 95 % interval [{low:.4f}, {high:.4f}] over validation days",
        f"- trained on {lineage['rows']['train']:,} events ({lineage['positives']['train']:,} positive), "
        f"validated on {lineage['rows']['validation']:,} ({lineage['positives']['validation']:,} positive) "
        f"from {lineage['validated_from']}, then refitted on {lineage['rows']['refit']:,}",
        f"- as of {lineage['as_of']}, log place {lineage['log_head_seq']}, seed {lineage['seed']}",
        f"- a join by event time would have claimed {claimed['event_time']:.4f}: {claimed['rows_ahead']:,} of its "
        f"{claimed['rows']:,} rows hold what had not arrived, {claimed['rows_ahead_as_known']:,} of ours",
        f"- most telling single feature: {facts['leakiest_feature']} (ROC-AUC {facts['leakiest_feature_auc']:.3f})",
        "",
        "| candidate | average precision | ROC-AUC | recall at 90 % precision | Brier | net cost |",
        "|---|---|---|---|---|---|",
    ]
    names = ("average_precision", "roc_auc", "recall_at_precision_90", "brier", "net_cost")
    for c in facts["candidates"]:
        lines.append(f"| {c['model']} | " + " | ".join("–" if c[n] is None else f"{c[n]:.4f}" for n in names) + " |")
    lines += ["", *_how(facts, metric)]
    if facts["unseen_declines"]:
        lines.append(f"- validated without {facts['unseen_declines']:,} declined events, whose labels never came")
    alone = facts["event_only"]
    if alone:
        value = alone["validation"][metric]
        told = "undefined" if value is None else f"{value:.4f}"
        lines += ["", f"Without any history: {metric} {told}, by {', '.join(alone['selected_features'])}."]
    lines += ["", "Features: " + ", ".join(facts["selected_features"]) + ".", ""]
    return "\n".join(lines)


def _how(facts: Mapping[str, Any], metric: str) -> Iterator[str]:
    """Yield what is told of search, selection, calibration, importance and history."""
    for found in facts["searches"]:
        yield (
            f"- {found['model']}: {found['trials']} trials on {len(found['folds'])} folds of the training rows, "
            f"{metric} {found['value']:.4f} against {found['declared']:.4f} as declared"
        )
    chosen = facts["selection"]
    if chosen:
        yield f"- features selected by {chosen['by'].replace('_', ' ')}: {chosen['kept']} of {chosen['of']}"
    yield f"- calibration: {facts['lineage']['calibration']}"
    top = facts["importance"]["features"][:5]
    yield f"- rests most on {', '.join(f['feature'] for f in top)} (mean absolute Shapley value)"
    curve = [p for p in facts["learning_curve"] if p["value"] is not None]
    points = ", ".join(f"{p['rows']:,} rows {p['value']:.3f}" for p in curve)
    yield f"- {metric} by the newest training rows it is fitted on: {points}"
