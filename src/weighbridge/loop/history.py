"""What happened to the models, and why: trainings, gates, retrains and moves of aliases, in one order of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from weighbridge.clock import SECOND_US, us_to_iso
from weighbridge.loop.retrain import BEGUN, VERB
from weighbridge.ports import Stores

Entry = dict[str, Any]
MOVES = 1 << 62  # of what happened at one time, moves of aliases stand behind what ran
QUIET = ("none", "not enough data")  # severities of a watch that saw nothing


def history(stores: Stores) -> list[Entry]:
    """Return the entries, oldest first: `at`, `what`, `sentence`; gates and retrains also have verdicts and steps."""
    entries = [*_runs(stores), *_moves(stores)]
    return [entry for _, _, entry in sorted(entries, key=lambda e: e[:2])]


def _runs(stores: Stores) -> Iterator[tuple[int, int, Entry]]:
    ended = {run for run, verb, _, _ in stores.tracker.runs(VERB)}
    for place, (run, verb, at, facts) in enumerate(stores.tracker.runs()):
        told: Entry = {"at": us_to_iso(at), "what": verb, "run": run, "sentence": facts.get("sentence", "")}
        if verb == BEGUN:
            died = "" if facts["run"] in ended else "; it never ended: it runs still, or its process died"
            over = f", after {facts['took_over']}, which died" if facts["took_over"] else ""
            sentence = f"{facts['trigger']}: {facts['reason']}{over}{died}"
            yield at, place, {**told, "run": facts["run"], "sentence": sentence}
        elif verb == VERB:
            ended_us = at + int(facts["seconds"] * SECOND_US)  # it stands behind its steps
            names = ("trigger", "decision", "why", "bundle", "gates", "steps")
            yield ended_us, 2 * MOVES, {**told, "at": us_to_iso(ended_us), **_named(facts, *names)}
        elif verb in ("train", "gate", "rollback"):
            yield at, place, {**told, **_named(facts, "bundle", "gates", "checks", "passed")}
        elif verb == "watch" and (facts["severity"] not in QUIET or facts["losing"]):
            yield at, place, told


def _moves(stores: Stores) -> Iterator[tuple[int, int, Entry]]:
    for place, move in enumerate(stores.registry.moves()):
        share = "" if move.share is None else f" at {move.share:.1%}"
        sentence = f"{move.alias} is {(move.bundle or 'nothing')[:12]}{share}, by {move.by}: {move.reason}"
        entry = {"at": us_to_iso(move.moved_us), "what": "move", "sentence": sentence, "gates": list(move.gates)}
        yield move.moved_us, MOVES + place, entry


def _named(facts: Mapping[str, Any], *names: str) -> Entry:
    return {name: facts[name] for name in names if name in facts}
