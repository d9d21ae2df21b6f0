"""Lives one simulated day on a real desk, and holds every step against what must be true."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighbridge.clock import ManualClock
from weighbridge.declare.case import UseCase
from weighbridge.errors import Conflict, Overloaded, Rejected, WeighbridgeError
from weighbridge.loop.audit import audit
from weighbridge.loop.seal import seal
from weighbridge.loop.traffic import Wish, direct
from weighbridge.loop.verify import verify
from weighbridge.ports import Log, StateStore, Stores
from weighbridge.records import PRODUCTION, Move
from weighbridge.score.answer import Answer
from weighbridge.score.decide import Desk
from weighbridge.score.promise import Promise
from weighbridge.testing.world.book import Book, Broken, Told, check
from weighbridge.testing.world.faults import AwayState, FaultyLog
from weighbridge.testing.world.script import Act
from weighbridge.testing.world.truth import against_the_oracle
from weighbridge.testing.world.turns import ByHand

BY = "simulation"
KEEP_HOT = 100
WRONG = ("mismatches", "differing", "undecidable", "misrouted")

Opens = Callable[[ManualClock, Callable[[Log], Log]], AbstractContextManager[tuple[Stores, Desk]]]


@dataclass(frozen=True)
class Lived:
    """What became of a day: how many acts and outcomes there were, and a digest of all of them, without times."""

    seed: int
    acts: int
    outcomes: Counter[str]
    digest: str


@dataclass
class _Sent:
    """Something that was sent and has no outcome yet."""

    kind: str
    body: dict[str, Any]
    promised: Promise
    beside: list[dict[str, Any]]


class Day:
    """One day. `opens` opens the stores and the desk over them, the log wrapped; `checkpoint` is the desk's file."""

    def __init__(self, case: UseCase, seed: int, opens: Opens, checkpoint: Path) -> None:
        self._case, self._seed, self._opens, self._checkpoint = case, seed, opens, checkpoint
        self._rng = random.Random(f"turns {seed}")  # noqa: S311 - chance that can be had again
        self._clock, self._behind_us = ManualClock(0), 0
        self._sent: deque[_Sent] = deque()
        self._outcomes: Counter[str] = Counter()
        self._digest = hashlib.sha256()
        self.step = 0  # the number of the act that happens now

    def live(self, acts: Sequence[Act]) -> Lived:
        """Live through the acts. Raises Broken at the first step after which an invariant does not hold."""
        self._clock.set(acts[0].at_us)
        self._open()
        self._book = Book(self._stores.log, self._case, self._stores.log.head().seq)
        for self.step, act in enumerate(acts):
            self._clock.set(act.at_us - self._behind_us)
            getattr(self, "_" + act.kind.replace(" ", "_"))(act.what)
            self._go_on(self._rng.randint(0, 3))
        self._restart(None)
        self._verify(None)
        against_the_oracle(self._case, self._stores.log, self._book.answered.values(), self._rng)
        self._shut()
        return Lived(self._seed, len(acts), self._outcomes, self._digest.hexdigest())

    def _open(self) -> None:
        self._context = self._opens(self._clock, FaultyLog)
        self._stores, self.desk = self._context.__enter__()
        assert isinstance(self._stores.log, FaultyLog)
        self._log, self._turns = self._stores.log, ByHand()
        self.desk.turn_to(self._turns)

    def _shut(self) -> None:
        self._context.__exit__(None, None, None)

    def _go_on(self, turns: int) -> None:
        """Deal out turns, look at what came of what was sent, and restart a desk that gave up."""
        for _ in range(turns):
            self._turns.turn()
        if self._rng.random() < 0.1:
            self._turns.long_turn()
        self._look()
        if self.desk.gave_up:
            self._restart(None)
        else:
            self._book.step()

    def _look(self) -> None:
        died = self.desk.gave_up
        while self._sent and (died or self._sent[0].promised.done()):
            sent = self._sent.popleft()
            fault = sent.promised.exception() if sent.promised.done() else None
            outcome = fault or (sent.promised.result() if sent.promised.done() else None)
            unheard = died and not isinstance(outcome, Answer | bool)
            name = str(sent.body.get(self._case.events.id.name, sent.body.get("event_id")))
            told = Told(sent.body, outcome, sent.beside + self._on_the_way(name), unheard and not _refused(outcome))
            (self._book.event if sent.kind == "event" else self._book.label)(name, told)
            self._note(sent.kind, name, outcome)

    def _note(self, kind: str, name: str, outcome: object) -> None:
        what = type(outcome).__name__
        if isinstance(outcome, Answer):
            d = outcome.decision
            what = "repeated" if outcome.repeated else "degraded" if d.degraded else d.action
            self._digest.update(repr((d.decision_id, d.bundle, d.route, d.probability, d.action, d.rules)).encode())
            self._digest.update(d.vector)
        self._outcomes[f"{kind}: {what}"] += 1
        self._digest.update(f"{self.step} {name} {what}".encode())

    def _event(self, body: dict[str, Any]) -> None:
        beside = self._on_the_way(str(body.get(self._case.events.id.name)))
        self._sent.append(_Sent("event", body, self.desk.submit(body, "simulated"), beside))

    def _on_the_way(self, event_id: str) -> list[dict[str, Any]]:
        """Return the events of an id that have no outcome yet."""
        name = self._case.events.id.name
        return [sent.body for sent in self._sent if sent.kind == "event" and sent.body.get(name) == event_id]

    def _label(self, body: dict[str, Any]) -> None:
        self._sent.append(_Sent("label", body, self.desk.submit_label(body, BY), []))

    def _edit(self, body: dict[str, Any]) -> None:
        self.desk.submit_edit(body)

    def _move(self, what: str) -> None:
        aliases = self._stores.registry.aliases()
        champion = aliases[PRODUCTION].bundle
        other = next((b for b, _, _ in self._stores.registry.bundles() if b != champion), champion)
        wish = {
            "canary": Wish(canary=other, share=self._rng.choice([0.1, 0.5, 1.0])),
            "shadow": Wish(shadow=other),
        }.get(what, Wish(canary=None, shadow=None))
        try:
            direct(self._case, self._stores, self._clock, wish, by=BY, reason=what)
            if what == "other champion":
                at = self._clock.now_us()
                self._stores.registry.move(Move(PRODUCTION, other, champion, BY, what, at))
        except WeighbridgeError as refused:
            raise Broken(f"the move {what!r} was refused: {refused}") from refused

    def _follow(self, _: None) -> None:
        self._turns.settle()
        if not self.desk.gave_up:
            for step in self.desk.router.prepare():
                self.desk.submit_note(step.kind, step.body, step.then)

    def _write_fails(self, times: int) -> None:
        self._log.failing = times

    def _crash(self, how: tuple[str, bool]) -> None:
        self._log.lost_at, tear = how
        if tear and self._checkpoint.exists():
            content = self._checkpoint.read_bytes()
            self._checkpoint.write_bytes(content[: len(content) // 2])

    def _state_away(self, _: None) -> None:
        away: StateStore = AwayState()
        self.desk.histories.state = away

    def _seal(self, _: None) -> None:
        seal(self._case, self._stores, self._clock, KEEP_HOT)

    def _clock_back(self, by_us: int) -> None:
        self._behind_us = by_us

    def _restart(self, _: None) -> None:
        """Stop and start again: in good order, or as what is left of a desk that died."""
        self._log.failing = 0 if self.desk.gave_up else self._log.failing
        self._turns.settle()
        self._look()
        self._shut()
        self._behind_us = 0
        self._open()
        self._book.log = self._stores.log
        self._book.whole()

    def _verify(self, _: None) -> None:
        """Have every vector and every decision made again from the log, and the trail verified."""
        self._turns.settle()
        if self.desk.gave_up:
            return
        figures = verify(self._case, self._stores, self._clock).figures
        wrong = {name: figures[name] for name in WRONG if figures.get(name)}
        check(not wrong, f"what was decided is not what the log gives: {wrong}")
        check(figures["broken_chain"] is None, f"the chain of decisions breaks at {figures['broken_chain']}")
        fault = audit(self._stores).fault
        check(fault is None, f"the audit found: {fault}")


def _refused(outcome: object) -> bool:
    """Whether an outcome was told before anything died: an event that breaks its contract, or another's id."""
    return isinstance(outcome, Rejected | Conflict | Overloaded)
