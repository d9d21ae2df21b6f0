"""The other side of `desk_process`: sends events, remembers what was acknowledged, kills, and holds the home to it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from itertools import chain
from pathlib import Path

from tests.fixtures.tiny_fraud import case
from weighbridge.clock import SystemClock, us_to_iso
from weighbridge.kernel.plan import compile_plan
from weighbridge.loop.verify import verify
from weighbridge.records import EventRecord, LabelRecord
from weighbridge.serve.wiring import open_checkpointed_desk, open_home
from weighbridge.stores.state import MemoryState

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


def body(number, rng):
    return {
        "event_id": f"crash-{number}", "event_ts": us_to_iso(SystemClock().now_us()),
        "card_id": f"c{rng.randrange(40)}", "shop_id": f"s{rng.randrange(9)}", "amount": rng.randrange(1, 900_000) / 100,
    }  # fmt: skip


class Child:
    """A desk process and what it has said."""

    def __init__(self, home, how="", *, started=True):
        words = [sys.executable, "-m", "tests.crash.desk_process", str(home), str(how)]
        self.process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.heard: list[dict] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert not started or self.wait_for(lambda: self.heard, START_SECONDS), "the desk did not start"

    def _read(self):
        for line in self.process.stdout:
            if line.endswith("\n"):
                with self._more:
                    self.heard.append(json.loads(line))
                    self._more.notify_all()

    def wait_for(self, condition, seconds):
        with self._more:
            return self._more.wait_for(condition, seconds)

    def send(self, *messages):
        """Send messages; False when nobody is there to read them."""
        try:
            self.process.stdin.write("".join(json.dumps(m) + "\n" for m in messages))
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def of(self, kind):
        return [said["id"] for said in self.heard if said.get("kind") == kind]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self._reader.join()


def faults(home, said):
    """What is wrong with a home after all that was said, as sentences."""
    acknowledged = {(s["id"], s["says"]) for s in said if s.get("kind") == "ok"}
    labels = [s["id"] for s in said if s.get("kind") == "label"]
    opened = open_home(case, home, create=False)
    log = opened.stores.log
    stored = [i for i in log.events()["event_id"].to_pylist() if i.startswith("crash-")]
    decided = log.decisions()["event_id"].to_pylist()
    found = []
    lost = acknowledged - set(zip(decided, log.decisions()["decision_id"].to_pylist(), strict=True))
    found += [f"{len(lost)} acknowledged decisions are lost"] if lost else []
    late = Counter(labels) - Counter(log.labels()["event_id"].to_pylist())
    found += [f"{late.total()} acknowledged labels are lost"] if late else []
    twice = [i for i, n in chain(Counter(stored).items(), Counter(decided).items()) if n > 1]
    found += [f"{len(twice)} events are stored twice"] if twice else []
    found += ["events and decisions differ"] if stored != decided else []
    report = verify(case, opened.stores, SystemClock()).figures
    found += [f"{report['mismatches']} values differ"] if report["mismatches"] else []
    found += ["the chain is broken"] if report["broken_chain"] is not None else []
    found += ["a restarted state is not the replay"] if restarted(opened) != replayed(opened) else []
    return found


def vectors(opened, state):
    """Vectors of an event for every pair of keys, an hour from now."""
    at_us, name = SystemClock().now_us() // 3_600_000_000 * 3_600_000_000 + 7_200_000_000, opened.stores.pseudonyms.of
    return [
        state.vector(EventRecord("probe", at_us, at_us, (name(f"c{n % 40}"), f"s{n % 9}", 100))) for n in range(360)
    ]


def restarted(opened):
    """By the state that a desk starts with, from a checkpoint and the log behind it where there is one."""
    with open_checkpointed_desk(case, opened, SystemClock(), 1 << 30) as desk:
        return vectors(opened, desk.histories.state)


def replayed(opened):
    """By a state that was given the log one record at a time, in its order."""
    state, stored = MemoryState(compile_plan(case)), {}
    log = opened.stores.log
    rows = [*log.events().to_pylist(), *log.labels().to_pylist()]
    for row in sorted(rows, key=lambda row: row["seq"]):
        event_id, arrived_us = row["event_id"], row["arrived_us"]
        if "source" in row:
            state.label(LabelRecord(event_id, row["value"], arrived_us, row["source"]), stored.get(event_id))
        else:
            values = tuple(row[field.name] for field in case.events.payload)
            stored[event_id] = EventRecord(event_id, row["event_us"], arrived_us, values)
            state.append(stored[event_id])
    return vectors(opened, state)
