"""The contract suite of a use case: subclass it, give it `case`, and run pytest.

class TestMyCase(CaseContract):
    case = case
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import ManualClock, iso_to_us
from weighbridge.declare import Category, Time, UseCase
from weighbridge.declare.fields import Field, Numeric
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.arrays import Vectors
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.build import build
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before, messages
from weighbridge.loop.promote import promote
from weighbridge.loop.simulate import World
from weighbridge.loop.train import train
from weighbridge.loop.verify import verify
from weighbridge.ports import Stores
from weighbridge.records import EventRecord, LabelRecord
from weighbridge.score.decide import Desk
from weighbridge.stores.state import MemoryState
from weighbridge.stores.tables import event_at
from weighbridge.testing.memory_stores import memory_stores
from weighbridge.testing.rows import world_of
from weighbridge.testing.samples import differing

START_US = iso_to_us("2026-01-05T00:00:00Z")
LATER_US = iso_to_us("2036-01-01T00:00:00Z")
ARRIVED = {"arrived": "arrived"}  # the column of a world that tells when an event arrived
STEPPED, DECIDED = 300, 60


class CaseContract:
    """A use case: its contract holds, its features are the same online and in history, its loop closes."""

    case: UseCase
    events = 3_000

    def world(self) -> World:
        """Return the events and labels to try it on: what the case simulates, else rows drawn from its contract."""
        return world_of(self.case, seed=7, start_us=START_US, events=self.events)

    def stores(self, folder: Path, world: World, until_us: int) -> Stores:
        """Return stores with what had arrived until a moment."""
        made = memory_stores(self.case, folder)
        events, labels = (arrived_before(table, until_us) for table in (world.events, world.labels))
        report = ingest(self.case, made, ManualClock(until_us), events, labels, ARRIVED)
        assert report.figures["rejected"] == 0, report.sentence
        return made

    def test_a_row_that_breaks_a_rule_is_refused_by_its_field(self) -> None:
        """Whatever a field's declaration forbids, row by row; the row beside it is taken."""
        whole = self.world().events.slice(0, 2)
        for field in self.case.events.fields:
            for wrong in broken(field):
                column = pa.array([str(whole[field.source][0]), wrong], pa.string())
                place = whole.column_names.index(field.source)
                table = whole.set_column(place, field.source, column)
                good, check = parse_table(self.case.events, table, ARRIVED, Pseudonyms(b"p" * 32))
                found = check.rejects.table().to_pylist()
                assert [(r["row"], r["field"]) for r in found] == [(1, field.name)], (field.name, wrong, found)
                assert len(good) == 1

    def test_history_and_one_event_at_a_time_give_the_same_bits(self, tmp_path: Path) -> None:
        """The vectors of the first events, replayed from the log and stepped through as they arrived."""
        stores = self.stores(tmp_path, self.world(), LATER_US)
        replayed = self.replayed(stores)[:STEPPED]
        stepped = self.stepped(stores, len(replayed))
        assert differing(replayed, stepped) == 0

    def test_no_vector_knows_what_came_later(self, tmp_path: Path) -> None:
        """Without the later half of the log, the vectors of the earlier half stay as they are."""
        stores = self.stores(tmp_path, self.world(), LATER_US)
        events, labels = stores.log.events(), stores.log.labels()
        half = events["seq"][len(events) // 2].as_py()
        plan = compile_plan(self.case)
        parts = (table.filter(pc.less(table["seq"], half)) for table in (events, labels))
        early = replay(plan, to_columns(plan, *parts))
        assert differing(early, self.replayed(stores)[: len(early)]) == 0

    def test_the_loop_closes_in_small(self, tmp_path: Path) -> None:
        """History, a model of the first family, decisions, and every served value recomputed from the log."""
        world, case = self.world(), small(self.case)
        arrived = np.sort(world.events["arrived"].cast(pa.int64()).to_numpy())
        until_us = int(arrived[int(0.85 * len(arrived))])
        clock, stores = ManualClock(until_us), self.stores(tmp_path, world, until_us)
        assert build(case, stores, clock).figures["rows"] > 0
        bundle = train(case, stores, clock).figures["bundle"]
        promote(case, stores, clock, bundle)
        state = MemoryState(compile_plan(case))
        state.load(stores.log.events(), stores.log.labels(), stores.log.find)
        desk = Desk(case, stores, state, clock)
        desk.router.refresh(desk.submit_note)
        for message in [m for m in messages(case, world, until_us) if m.path == "/predict"][:DECIDED]:
            clock.set(message.arrived_us)
            assert desk.decide(message.body, "test").decision.bundle == bundle
        desk.close()
        told = verify(case, stores, clock).figures
        assert told["vectors"] + told["masked"] == DECIDED
        assert told["mismatches"] == told["differing"] == 0, told

    def replayed(self, stores: Stores) -> Vectors:
        """Return the vectors of all events of the log, float32[n, features]."""
        plan = compile_plan(self.case)
        return replay(plan, to_columns(plan, stores.log.events(), stores.log.labels()))

    def stepped(self, stores: Stores, count: int) -> Vectors:
        """Return the vectors of the first events as they were known when each arrived, float32[count, features]."""
        state, found = MemoryState(compile_plan(self.case)), list[Vectors]()
        events, stored = stores.log.events(), dict[str, EventRecord]()
        waiting = iter(stores.log.labels().to_pylist())
        label = next(waiting, None)
        for row, seq in enumerate(events["seq"].to_pylist()[:count]):
            while label is not None and label["seq"] < seq:
                record = LabelRecord(label["event_id"], label["value"], label["arrived_us"], label["source"])
                state.label(record, stored.get(record.event_id))
                label = next(waiting, None)
            event = event_at(self.case.events, events, row)
            found.append(np.frombuffer(state.vector(event), dtype="<f4"))
            state.append(event)
            stored[event.event_id] = event
        return np.array(found, dtype=np.float32)


def small(case: UseCase) -> UseCase:
    """Return a use case as it is tried here: its first family without a search, no gates, few resamples."""
    training = replace(case.training, bootstraps=20, learning_curve=(), select=None)
    return replace(case, models=[replace(case.models[0], search=None)], gates=(), training=training)


def broken(field: Field) -> list[str | None]:
    """Return texts that a field's declaration forbids, None for one that is missing."""
    wrong: list[str | None] = [] if field.optional else [None]
    if isinstance(field, Time):
        wrong.append("not a time")
    elif isinstance(field, Category) and field.other is None:
        wrong.append("no such value")
    elif isinstance(field, Numeric):
        wrong.append("no number")
        if field.at_most is not None and not field.cap:
            wrong.append(str(int(field.at_most) + 1))
        if field.at_least is not None and not field.cap:
            wrong.append(str(int(field.at_least) - 1))
    return wrong
