from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import SOAK
from weighbridge.errors import InputError
from weighbridge.score.explore import Explorer
from weighbridge.score.histories import Histories
from weighbridge.score.intake import Intake
from weighbridge.score.router import Router
from weighbridge.serve import world
from weighbridge.serve.cli import app
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.state import MemoryState
from weighbridge.testing.world.day import Lived
from weighbridge.testing.world.script import lasting, script
from weighbridge.testing.world.seeds import live_all

CASE = str(Path(__file__).parents[1] / "fixtures" / "tiny_fraud.py")
SEEDS, EVENTS = (range(1_000), 300) if SOAK else (range(8), 150)
ENOUGH = 12  # seeds within which whatever is wrong shows


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "home"
    world.make_template(CASE, folder)
    return folder


def test_no_day_breaks_an_invariant(template):
    outcomes = {}
    for ended in live_all(SEEDS, partial(world.live_one, CASE, template, EVENTS), 2 if SOAK else 1, lambda *_: None):
        assert isinstance(ended, Lived), ended
        outcomes = {name: outcomes.get(name, 0) + n for name, n in (outcomes | ended.outcomes).items()}
    met = {
        "event: repeated",
        "event: Conflict",
        "event: Rejected",
        "event: StoreFailure",
        "event: degraded",
        "label: bool",
    }
    assert met <= outcomes.keys()


def test_a_seed_is_the_same_day_again(template):
    days = [world.live_one(CASE, template, 60, seed) for seed in (5, 5, 6)]
    assert days[0] == days[1]
    assert days[0].digest != days[2].digest


def test_a_script_follows_from_its_seed():
    case = lasting(world.find_case(CASE), 1)
    one, again, other = (script(case, seed, world.START_US, 50) for seed in (1, 1, 2))
    assert one == again != other
    assert [act.at_us for act in one] == sorted(act.at_us for act in one)


def acknowledges_early(patch):
    """Tells of a write before it is done: the next write does it."""
    real, late = SqliteLog.append, {}

    def append(self, group, followers=()):
        before = late.pop(id(self), None)
        late[id(self)] = (group, followers)
        return real(self, *before) if before else [0]

    patch.setattr(SqliteLog, "append", append)


def loses_labels(patch):
    real = SqliteLog.append
    patch.setattr(SqliteLog, "append", lambda self, group, followers=(): real(self, group, followers[1:]))


def keeps_what_failed(patch):
    patch.setattr(Histories, "retract", lambda *_: None)


def forgets_what_it_scored(patch):
    real = Intake.earlier
    patch.setattr(Intake, "earlier", lambda self, name: None if name in self._scored else real(self, name))
    patch.setattr(SqliteLog, "decision", lambda *_: None)


def ignores_corrections(patch):
    real, known = MemoryState.label, set()

    def label(self, record, event):
        if (id(self), record.event_id) not in known:
            real(self, record, event)
        known.add((id(self), record.event_id))

    patch.setattr(MemoryState, "label", label)


def turns_a_canary_off_unsaid(patch):
    real = Router.choose
    patch.setattr(Router, "choose", lambda self, event: (real(self, event)[0], "champion"))


def evicts_too_early(patch):
    real = Histories.vector

    def vector(self, event):
        if self.state is not None and event.event_id.endswith(tuple("02468ACEGJMPRTWY")):
            self.state._latest_us += 20 * 86_400_000_000  # what later decisions can see is let go
        return real(self, event)

    patch.setattr(Histories, "vector", vector)


def forgets_what_it_spent(patch):
    patch.setattr(Explorer, "spend", lambda *_: None)


def never_takes_back_what_it_spent(patch):
    real = Explorer.spend
    patch.setattr(Explorer, "spend", lambda self, amount, arrived_us: real(self, max(amount, 0), arrived_us))


@pytest.mark.parametrize(
    "wrong",
    [acknowledges_early, loses_labels, keeps_what_failed, forgets_what_it_scored, ignores_corrections,
     turns_a_canary_off_unsaid, evicts_too_early, forgets_what_it_spent, never_takes_back_what_it_spent],
)  # fmt: skip
def test_what_is_wrong_is_found_and_found_again(template, monkeypatch, wrong):
    wrong(monkeypatch)
    for seed in range(ENOUGH):
        ended = world.live_one(CASE, template, 80, seed)
        if not isinstance(ended, Lived):
            break
    assert not isinstance(ended, Lived), f"{wrong.__name__} got through {ENOUGH} days"
    again = world.live_one(CASE, template, 80, seed)
    assert (again.seed, again.step) == (ended.seed, ended.step)


def test_the_command_tells_how_to_live_a_broken_day_again(template, monkeypatch):
    loses_labels(monkeypatch)
    monkeypatch.setattr(world, "make_template", lambda _, folder: shutil.copytree(template, folder))
    done = CliRunner().invoke(app, ["simulate-world", CASE, "--seeds", "1", "--events", "60", "--json"])
    assert done.exit_code == 1
    broken = json.loads(done.stdout)["broken"]
    assert [fell["seed"] for fell in broken] == [0]
    said = CliRunner().invoke(app, ["simulate-world", CASE, "--seed", "0", "--events", "60"]).stdout
    assert f"weigh simulate-world {CASE} --seed 0 --events 60" in said


def test_a_case_without_a_simulation_is_refused():
    with pytest.raises(InputError, match="declares no simulation"):
        lasting(world.replace(world.find_case(CASE), simulate=None), 1)
