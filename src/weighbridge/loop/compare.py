"""Compares those who are tried with the one that decides: the shadow in pairs, the canary arm by arm."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.declare.fallback import MISSING_CANARY
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores
from weighbridge.records import CANARY
from weighbridge.score.route import CHAMPION, arms_noted

LEVELS = {"least": 0.0, "p05": 0.05, "p50": 0.5, "p95": 0.95, "most": 1.0}


def compare(case: UseCase, stores: Stores, clock: Clock) -> Report:
    """Return what the newest shadow and the newest canary did beside the champion; None for either there never was.

    `shadow`: every event that both scored: `agree` counts equal actions, `actions` pairs such as "approve, review"
    (decided, then shadow), `difference` is shadow's probability less the one that decided. `canary`: by arm, since
    it began: decisions, actions, degraded, and the mean probability.
    """
    run, decisions = Run("compare", stores, clock), stores.log.decisions()
    figures = {"shadow": _shadow(stores, decisions), "canary": _canary(stores, decisions)}
    return run.finish(_sentence(figures), figures)


def _shadow(stores: Stores, decisions: pa.Table) -> dict[str, Any] | None:
    said = stores.shadows.table()
    if not len(said):
        return None
    bundle = said["bundle"][-1].as_py()
    said = said.filter(pc.and_(pc.equal(said["bundle"], bundle), said["probability"].is_valid()))
    rows = pc.index_in(said["event_id"], value_set=decisions["event_id"].combine_chunks())
    said, decided = said.filter(rows.is_valid()), decisions.take(rows.drop_null())
    pairs = list(zip(decided["action"].to_pylist(), said["action"].to_pylist(), strict=True))
    moved = said["probability"].to_numpy() - decided["probability"].to_numpy()
    return {
        "bundle": bundle,
        "pairs": len(pairs),
        "agree": sum(one == other for one, other in pairs),
        "actions": {", ".join(pair): count for pair, count in sorted(Counter(pairs).items())},
        "difference": {name: float(np.quantile(moved, at)) for name, at in LEVELS.items()} if len(moved) else None,
    }


def _canary(stores: Stores, decisions: pa.Table) -> dict[str, Any] | None:
    noted = [(seq, arms.canary) for seq, arms in arms_noted(stores.log)]
    bundle = next((canary for _, canary in reversed(noted) if canary), None)
    if bundle is None:
        return None
    began = next(seq for seq, canary in noted if canary == bundle)
    since = decisions.filter(pc.greater(decisions["seq"], began))
    found: dict[str, Any] = {"bundle": bundle}
    for arm in (CHAMPION, CANARY):
        failed = pc.match_substring(since["degraded"], f'"{MISSING_CANARY}"')  # on the canary's arm, whoever decided
        met = pc.equal(since["route"], arm)
        ours = since.filter(pc.or_(met, failed) if arm == CANARY else pc.and_not(met, failed))
        found[arm] = {
            "decisions": len(ours),
            "actions": dict(sorted(Counter(ours["action"].to_pylist()).items())),
            "degraded": sum(told != "[]" for told in ours["degraded"].to_pylist()),
            "mean_probability": float(np.mean(ours["probability"].to_numpy())) if len(ours) else None,
        }
    return found


def _sentence(figures: dict[str, Any]) -> str:
    shadow, canary = figures["shadow"], figures["canary"]
    parts = []
    if shadow:
        same = f"{shadow['agree'] / shadow['pairs']:.1%}" if shadow["pairs"] else "none"
        parts.append(f"shadow {shadow['bundle'][:12]}: {shadow['pairs']:,} pairs, {same} with the same action")
    if canary:
        counts = [f"{arm} {canary[arm]['decisions']:,}" for arm in (CHAMPION, CANARY)]
        parts.append(f"canary {canary['bundle'][:12]}: decisions by arm: {', '.join(counts)}")
    return "; ".join(parts) or "neither a shadow nor a canary has been tried yet"
