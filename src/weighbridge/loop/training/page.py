"""The report of a training as a page that draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.loop.pages.plots import AMBER, BLUE, GREY, bars, curve, intervals, lines, plane
from weighbridge.loop.pages.web import document, number, table

Details = Mapping[str, Any]
FIGURES = (
    ("average precision", "average_precision"), ("ROC-AUC", "roc_auc"),
    ("recall at 90 % precision", "recall_at_precision_90"), ("F1", "f1"), ("card precision@k", "card_precision_at_k"),
    ("Brier", "brier"), ("ECE", "ece"), ("net cost an event", "net_cost"),
)  # fmt: skip


def page(details: Details, case: UseCase) -> str:
    """Return the page as HTML; details: what `training-BUNDLE.json` holds."""
    title = f"{case.name}: training of bundle {details['bundle'][:12]}"
    lineage, metric = details["lineage"], case.training.metric
    rows, positives = lineage["rows"], lineage["positives"]
    head = (
        f"{details['model']} won. Fitted on {rows['train']:,} events ({positives['train']:,} positive), compared on "
        f"{rows['validation']:,} ({positives['validation']:,} positive) from {lineage['validated_from']} on, fitted "
        f"again on {rows['refit']:,}. All curves are of the validation rows, which it was not fitted on."
    )
    if details["unseen_declines"]:
        head += (
            f" {details['unseen_declines']:,} declined events are not among them, as their labels never came: the "
            "figures are of what was let through, and do not compare with those of a time when more was."
        )
    parts = [
        f"<p>{escape(head)}</p>",
        "<h2>Candidates</h2>", _candidates(details, metric),
        "<h2>The winner on validation rows</h2>", _curves(details["curves"]),
        "<h2>What the score rests on</h2>", _importance(details["importance"]), _selection(details["selection"]),
        "<h2>Slices</h2>", _slices(details["slices"], metric),
        "<h2>What more history is worth</h2>", _learning(details["learning_curve"], metric),
        *(_search(found) for found in details["searches"]),
    ]  # fmt: skip
    return document(title, parts)


def _candidates(details: Details, metric: str) -> str:
    compared = [c for c in details["candidates"] if c[metric] is not None and c["interval"]]
    drawn = [
        (c["model"], c[metric], *c["interval"], BLUE if c["model"] == details["model"] else GREY) for c in compared
    ]
    told = [(c["model"], c["calibration"], *(number(c[key]) for _, key in FIGURES)) for c in details["candidates"]]
    title = f"{metric} with its 95 % interval over validation days"
    return (intervals(title, drawn) if drawn else "") + table(("", "calibration", *(n for n, _ in FIGURES)), told)


def _curves(found: Details) -> str:
    rates, limits = found["precision_recall"], (("review", found["review_at"]), ("decline", found["decline_at"]))
    chance = ("", GREY, (0.0, 1.0), (0.0, 1.0))
    points = found["calibration"]
    review, decline = found["cost_by_review_at"], found["cost_by_decline_at"]
    drawn = (
        plane("Precision by recall", [("", BLUE, rates["recall"], rates["precision"])]),
        plane(
            "ROC: recall by false positive rate",
            [chance, ("", BLUE, (0.0, *rates["false_positive_rate"]), (0.0, *rates["recall"]))],
        ),
        curve("Calibration: share of positives by probability", [p["probability"] for p in points],
              [p["share"] for p in points]),
        plane(
            "Cost a day by threshold, the other one at its best",
            [("review at", BLUE, review["at"], review["cost"]), ("decline at", AMBER, decline["at"], decline["cost"])],
            limits,
            money=True,
        ),
    )  # fmt: skip
    at = [
        (name, number(limit["threshold"]), f"{limit['rows']:,}", number(limit["precision"]), number(limit["recall"]))
        for name, limit in zip(("reviewed or declined", "declined"), found["at_thresholds"], strict=True)
    ]
    head = ("", "from probability", "events", "precision", "recall")
    return f'<div class="grid">{"".join(drawn)}</div>' + table(head, at)


def _importance(found: Details) -> str:
    title = f"Mean absolute Shapley value in {found['unit']}, {found['rows']:,} validation rows"
    return bars(title, [(f["feature"], f["value"], BLUE) for f in found["features"]], ())


def _selection(found: Details | None) -> str:
    if found is None:
        return "<p>No selection is declared: every feature that varies in the training rows is used.</p>"
    permuted = found["by"] == "permutation"
    rows = [
        (
            f["feature"],
            "kept" if f["kept"] else "left out",
            number(f["score"]),
            f"{f['helped']:.0f}" if permuted else number(f["adjusted_p"]),
        )
        for f in sorted(found["features"], key=lambda f: -f["score"])
    ]
    told = f"Selected by {found['by'].replace('_', ' ')}: {found['kept']} of {found['of']} features."
    return f"<p>{escape(told)}</p>" + table(("", "", "score", "folds it helps in" if permuted else "p adjusted"), rows)


def _slices(found: Sequence[Details], metric: str) -> str:
    if not found:
        return "<p>The contract has no Category to cut the rows by.</p>"
    drawn = [
        (f"{s['field']} {s['is']}", s["value"], *s["interval"], BLUE)
        for s in found
        if s["interval"] and s["value"] is not None
    ]
    rows = [
        (
            f"{s['field']} {s['is']}",
            f"{s['rows']:,}",
            f"{s['positives']:,}",
            number(s["value"]),
            number(s["recall"]),
        )
        for s in found
    ]
    head = ("", "rows", "positives", metric, "recall of what is flagged")
    note = "<p>A slice with too few positives has counts alone.</p>"
    return (intervals(f"{metric} with its 95 % interval", drawn) if drawn else "") + table(head, rows) + note


def _learning(points: Sequence[Details], metric: str) -> str:
    labels = [f"{p['rows']:,}" for p in points]
    series = [
        ("high", GREY, [p["interval"] and p["interval"][1] for p in points]),
        (metric, BLUE, [p["value"] for p in points]),
        ("low", GREY, [p["interval"] and p["interval"][0] for p in points]),
    ]
    return lines(f"{metric} by the newest training rows that the winner is fitted on", labels, series)


def _search(found: Details) -> str:
    numbers = [str(n) for n in range(len(found["values"]))]
    told = ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in sorted(found["parameters"].items()))  # fmt: skip
    sentence = (
        f"{found['trials']} trials on {len(found['folds'])} folds of the training rows: {found['metric']} "
        f"{found['value']:.4f} in trial {found['best']}, {found['declared']:.4f} as declared. Best: {told}."
    )
    return (
        f"<h2>Search for {escape(found['model'])}</h2><p>{escape(sentence)}</p>"
        + lines(f"{found['metric']}, mean over the folds, by trial", numbers, [("trial", BLUE, found["values"])])
    )  # fmt: skip
