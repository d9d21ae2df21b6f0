"""kill -9 under load: nothing acknowledged is lost, nothing counts twice, and the restarted state is the log's replay."""

from __future__ import annotations

import random
import threading
import time

import pytest

from tests.conftest import SOAK
from tests.crash.driver import Child, body, faults
from tests.fixtures.tiny_fraud import case
from weighbridge.records import Note
from weighbridge.serve.wiring import open_home

KILLS = 50 if SOAK else 6
DUPLICATES = 0.05


def load(child, rng, bodies, unanswered, elsewhere):
    """Send new events, 5 % earlier ones again, and labels, until nobody reads them; meanwhile another process notes."""
    alive = child.send(*unanswered.values())
    while alive:
        sent = []
        for _ in range(rng.randrange(1, 20)):
            if bodies and rng.random() < DUPLICATES:
                sent.append(rng.choice(bodies))
                continue
            bodies.append(body(len(bodies), rng))
            unanswered[bodies[-1]["event_id"]] = bodies[-1]
            sent.append(bodies[-1])
            if rng.random() < 0.1:
                sent.append({"event_id": f"crash-{rng.randrange(len(bodies) + 5)}", "label": rng.randrange(2)})
        if elsewhere and rng.random() < 0.05:
            elsewhere.commit([], [Note("promotion", {"sent": len(bodies)}, 0)])
        alive = child.send(*sent)
        time.sleep(rng.random() * 0.004)


def tear(home, rng):
    """Leave the checkpoint shorter, or with a wrong byte; whether there was one."""
    path = home / "state" / "checkpoint"
    if not path.exists():
        return False
    content = bytearray(path.read_bytes())
    if rng.random() < 0.5:
        del content[rng.randrange(len(content)) :]
    else:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return True


@pytest.mark.slow
def test_killed_under_load(home):
    rng = random.Random(11)
    bodies, unanswered, said, survived, torn = [], {}, [], 0, 0
    for number in range(KILLS):
        starting = number % 5 == 4  # killed while it opens, seals and rebuilds its state
        child = Child(home, "little-memory", started=not starting)
        threading.Timer(rng.uniform(0.1, 2.0) if starting else rng.uniform(0.05, 0.9), child.process.kill).start()
        elsewhere = open_home(case, home, create=False).stores.log if number % 2 else None
        load(child, rng, bodies, unanswered, elsewhere)
        child.kill()
        if elsewhere:
            elsewhere._database.close()
        survived += len(child.of("ok"))
        said += child.heard
        for event_id in child.of("ok"):
            unanswered.pop(event_id, None)
        torn += tear(home, rng) if number % 2 else 0
    child = Child(home)
    child.send(*unanswered.values())
    child.end()
    said += child.heard
    assert not [s for s in said if s.get("kind") in ("wrong", "failed")]
    assert {s["id"] for s in said if s.get("kind") == "ok"} == {b["event_id"] for b in bodies}
    assert survived > 60 * KILLS
    assert torn >= KILLS // 3
    assert len(list((home / "log").glob("decision-*"))) > KILLS // 3
    assert faults(home, said) == []


@pytest.mark.slow
def test_a_desk_that_answers_before_it_stores_is_found_out(home):
    """The check bites: a log that acknowledges early loses what it acknowledged."""
    rng = random.Random(12)
    child = Child(home, "acknowledge-early")
    child.send(*(body(number, rng) for number in range(130)))
    assert child.wait_for(lambda: len(child.of("ok")) == 130, 60)
    child.kill()
    assert any("acknowledged decisions are lost" in fault for fault in faults(home, child.heard))
