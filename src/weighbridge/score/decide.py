"""One event's way: contract, idempotency, state, vector, model, policy, one durable write, answer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Any, cast

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import Overloaded, StoreFailure
from weighbridge.ports import StateStore, Stores
from weighbridge.records import UNNAMED, DecisionRecord, Note
from weighbridge.score.answer import Answer, Scored
from weighbridge.score.edits import parse_edit
from weighbridge.score.fallback import Asked, Decider
from weighbridge.score.feedback import parse_label
from weighbridge.score.followers import Queue, Raw, Taken, Told, take, take_in
from weighbridge.score.group import Group
from weighbridge.score.histories import RESTORED, Histories, Rebuild
from weighbridge.score.intake import Intake
from weighbridge.score.promise import Keeping, Promise, deliver, ended
from weighbridge.score.router import Router
from weighbridge.score.rulebook import announce, current, latest_us
from weighbridge.score.turns import OnAThread, Turns

GROUP = 64  # events, and as many followers, in one durable write
Call = tuple[str, int, str | None]  # its trace, when it came, the outcome that a test asks for
MOST_PENDING = GROUP  # events, and as many followers, that wait to be stored; more would wait too long


class Desk:
    """Decides events and takes in what follows them in the order of arrival, and stores both in groups.

    Events see each other as soon as they are scored; the log keeps their order. A follower (a label, an edit of a list,
    a note) counts once it is stored: it ends a group, and events that come while one waits are scored after it. When a
    group cannot be stored, it and everything scored after it is taken back from the state, and refused, before anything
    else is scored. While the state is away, answers are degraded and say so.
    """

    def __init__(
        self, case: UseCase, stores: Stores, state: StateStore, clock: Clock, rebuild: Rebuild | None = None
    ) -> None:
        self.case, self.stores, self.clock = case, stores, clock
        self.router = Router(case, stores)
        self.histories = Histories(state, stores.log, rebuild, self._make_anew)
        self._lock = threading.RLock()  # a callback of a future may call the desk
        self._settled = threading.Condition(self._lock)
        self.rulebook = current(case, stores)
        self._latest_us = latest_us(stores.log)
        announce(case, stores, self._latest_us)
        self._decider = Decider(case, self.rulebook, self.router.failed)
        self._turns: Turns = OnAThread()
        self._scored: dict[str, Scored] = {}  # by id, in the order of arrival
        self.intake = Intake(case, stores, self._scored)
        self._followers: Queue = deque()
        self._held: deque[tuple[Mapping[str, object], Call, Promise]] = deque()
        self.pending = 0  # futures of events that have no answer
        self._storing = self._holding = self._closed = False
        self.gave_up = False  # whether log, state and answers came apart

    def check_room(self) -> None:
        """Raise Overloaded when another event would have to wait too long."""
        if self.pending >= MOST_PENDING:
            raise Overloaded()

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be stored."""
        return not (self._storing or self._scored or self._followers or self._held)

    def turn_to(self, turns: Turns) -> None:
        """Do what comes from now on elsewhere; nothing may be waiting."""
        with self._lock:
            if not self.is_settled:
                raise StoreFailure("this desk has work to do; settle it first")
            self._turns.close()
            self._turns = turns

    def outcome(self, promised: Promise) -> Awaitable[Any]:
        """Return what to await, on an event loop, for what was submitted."""
        return self._turns.outcome(promised)

    def submit(self, body: Mapping[str, object], trace_id: str, forced: str | None = None) -> Promise:
        """Decide one raw event; the future has its `Answer` once event and decision are durable.

        `forced` is the outcome that a test asks for: an action, or "degraded". It raises Rejected for an event that
        breaks its contract, Conflict for a known id with other content, StoreFailure when nothing could be stored or no
        bundle is in production; then nothing has changed.
        """
        future = self._turns.promise()
        call = trace_id, time.perf_counter_ns(), forced
        with self._lock:
            if not self._admitted(future, self.pending):
                return future
            self.pending += 1
            if self._holding:
                self._held.append((body, call, future))
            else:
                self._arrive(body, call, future)
                self._store_next()
        return future

    def decide(self, body: Mapping[str, object], trace_id: str) -> Answer:
        """Decide one raw event and wait until it is stored; raises what the future of `submit` raises."""
        return cast(Answer, self.submit(body, trace_id).result())

    def submit_label(self, body: Mapping[str, object], by: str = UNNAMED) -> Promise:
        """Take in one label from somebody; the future says, once the label is durable, whether its event is known.

        A label may precede its event. The future raises Rejected, or StoreFailure when nothing could be stored.
        """
        return self._follow(lambda: parse_label(body, by))

    def submit_edit(self, body: Mapping[str, object]) -> Promise:
        """Take in one edit of a list; the future says, once it is durable, whether the value was on the list before.

        The next decision sees it. The future raises Rejected, InputError for a full list, StoreFailure, Overloaded.
        """
        return self._follow(lambda: parse_edit(self.case, body, self.stores.pseudonyms, self.clock.now_us()))

    def submit_note(self, kind: str, body: Mapping[str, Any], then: Callable[[], None], by: str = "weigh") -> Promise:
        """Note something in the log behind the events that came before; `then` runs once it is durable.

        No event is scored in between. The future raises StoreFailure when nothing could be stored.
        """
        return self._follow(lambda: Told(Note(kind, body, self.clock.now_us(), by), then), bounded=False)

    def _follow(self, read: Callable[[], Raw], *, bounded: bool = True) -> Promise:
        future = self._turns.promise()
        with Keeping(future):
            raw = read()
            with self._lock:
                if self._admitted(future, len(self._followers) if bounded else 0):
                    self._followers.append((raw, future))
                    self._store_next()
        return future

    def feedback(self, body: Mapping[str, object]) -> bool:
        """Take in one label and wait until it is stored; raises what the future of `submit_label` raises."""
        return bool(self.submit_label(body).result())

    def close(self) -> None:
        """Store what is pending; whatever comes afterwards is refused."""
        with self._settled:
            self._closed = True
            self._settled.wait_for(lambda: self.is_settled)
        self.histories.close()
        self._turns.close()
        self.router.shadow.close()

    def _admitted(self, future: Promise, waiting: int) -> bool:
        if self._closed:
            future.set_exception(StoreFailure("this desk is closed; send it again to the one that takes over"))
        elif waiting >= MOST_PENDING:
            future.set_exception(Overloaded())
        return not future.done()

    def _arrive(self, body: Mapping[str, object], call: Call, future: Promise) -> None:
        """Score an event into the state and the next group, or answer it at once."""
        self.pending -= 1
        with Keeping(future):
            arrived_us = max(self.clock.now_us(), self._latest_us)
            event, earlier = self.intake.read(body, arrived_us)
            scored = self._scored.get(event.event_id)
            if scored is None and earlier is not None:
                deliver(future, self.intake.repeated(event), None)
                return
            if scored is None:
                decision = self._score(Asked(event, *call))
                self.histories.append(event)
                if decision.propensity is not None:
                    self.rulebook.spend(event, decision)
                scored = self._scored[event.event_id] = Scored(event, decision, [])
                self._latest_us = arrived_us
            scored.waiting.append(future)
            self.pending += 1

    def _score(self, asked: Asked) -> DecisionRecord:
        bundle, arm = self.router.choose(asked.event)
        return self._decider.decide(asked, bundle, arm, self.histories.vector(asked.event), self.router.champion)

    def _make_anew(self) -> None:
        """Have the histories made anew, and go on with them behind what is on its way to the log then."""
        self.histories.come_back(self._turns, lambda body, then: self.submit_note(RESTORED, body, then))

    def _store_next(self) -> None:
        """See to it that what waits is stored, when what has come by now is scored."""
        if not self._storing and (self._scored or self._followers):
            self._storing = True
            self._turns.soon(self._store)

    def _store(self) -> None:
        """Append the oldest scored events to the log, and the followers when nothing scored is left out."""
        with self._lock:
            scored = list(islice(self._scored.values(), GROUP))
            group = Group(scored, self._take_followers() if len(scored) == len(self._scored) else [])
            self._holding = bool(group.followers or self._followers)
        log = self.stores.log
        fault = ended(lambda: group.append_to(log))
        if fault is None and log.waits:
            self._turns.beside(log.sync, lambda unsynced: self._end(group, None, unsynced))
        else:
            self._end(group, fault)

    def _take_followers(self) -> list[Taken]:
        arrived_us = max(self.clock.now_us(), self._latest_us)
        taken = take(self._followers, GROUP, arrived_us, self.intake.earlier, self.histories.waiting, self.rulebook)
        self._latest_us = arrived_us if taken else self._latest_us
        return taken

    def _end(self, group: Group, fault: BaseException | None, unsynced: BaseException | None = None) -> None:
        """Settle a group; what can be neither acknowledged nor taken back stops the desk."""
        broken = unsynced or ended(lambda: self._settle(group, fault))
        if broken is not None:
            self._give_up(group.promised, broken)

    def _give_up(self, futures: list[Promise], fault: BaseException) -> None:
        """Refuse everything: the state could not follow the log, and only a restart makes it anew."""
        with self._settled:
            self._closed, self._storing, self.gave_up, self.pending = True, False, True, 0
            futures += [f for scored in self._scored.values() for f in scored.waiting]
            futures += [future for _, future in self._followers] + [waiting[-1] for waiting in self._held]
            for queue in (self._scored, self._followers, self._held):
                queue.clear()
            self._settled.notify_all()
        for future in futures:
            deliver(future, None, StoreFailure(f"the state is out of step with the log ({fault!r}); start again"))

    def _settle(self, group: Group, fault: BaseException | None) -> None:
        """Answer a group that is durable, or take it and all that was scored after it back; then go on."""
        outcomes = [False] * len(group.followers)
        with self._settled:
            if fault is None:
                for scored in group.scored:
                    del self._scored[scored.event.event_id]
                outcomes = [take_in(taken, self.histories, self.rulebook) for taken in group.followers]
            else:
                group = Group(list(self._scored.values()), group.followers)
                for scored in reversed(group.scored):
                    self.histories.retract(scored.event)
                    self.rulebook.spend(scored.event, scored.decision, back=True)
                self._scored.clear()
            self.pending -= sum(len(scored.waiting) for scored in group.scored)
            self._storing = False
            if group.followers or not self._followers:  # else some still wait, and what is held waits for them
                self._holding = False
                while self._held:
                    self._arrive(*self._held.popleft())
            self._store_next()
            self._settled.notify_all()
        group.deliver(outcomes, fault)
        self.router.settled(group, fault)
