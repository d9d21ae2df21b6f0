"""The demo: a use case goes the whole way, live, in one process, and improves itself when the world changes."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from weighbridge.clock import DAY_US, ManualClock, SystemClock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.simulation import Simulation
from weighbridge.errors import HomeError, InputError
from weighbridge.kernel.metrics import average_precision
from weighbridge.loop.build import build
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import Message, arrived_before, messages
from weighbridge.loop.promote import promote
from weighbridge.loop.report import Report
from weighbridge.loop.retrain import retrain
from weighbridge.loop.simulate import World, simulate
from weighbridge.loop.train import train
from weighbridge.loop.verify import verify
from weighbridge.loop.watch import watch
from weighbridge.score.bundle import load
from weighbridge.score.decide import Desk
from weighbridge.serve.http.app import make_app
from weighbridge.serve.logs import log_to
from weighbridge.serve.server import bind, serving
from weighbridge.serve.sinks import sinks_of
from weighbridge.serve.traffic import Caller, replay
from weighbridge.serve.wiring import Home, open_desk, open_home, sole_writer
from weighbridge.stores.tables import vectors_of

WEEK_US = 7 * DAY_US
FIRST_MONDAY_US = 4 * DAY_US  # 1970-01-05
QUIET_DAYS = 3  # live days before the late-starting pattern begins
FOLLOWED_WITHIN_SECONDS = 30.0  # the served route follows the registry by itself
MARK = "demo"
IMPORTED = time.time()


@dataclass
class Story:
    """The demo's figures as they come up."""

    figures: dict[str, Any] = field(default_factory=dict)

    def seconds(self) -> float:
        """Seconds since the command was given: since this process began."""
        return round(time.time() - process_began(), 2)


def process_began() -> float:
    """Return when this process began, seconds since 1970; where the system does not tell, when this was imported."""
    if not Path("/proc/self/stat").exists():
        return IMPORTED
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    boot = time.time() - float(Path("/proc/uptime").read_text().split()[0])
    return boot + ticks / os.sysconf("SC_CLK_TCK")


class Demo:
    """One run of the demo on one home."""

    def __init__(self, case: UseCase, home: Home, world: World, start_us: int, console: Console) -> None:
        if not isinstance(case.simulate, Simulation) or not any(p.starts for p in case.simulate.patterns):
            raise InputError(f"use case {case.name} simulates no late-starting pattern; the demo needs one")
        self.case, self.home, self.world, self.console = case, home, world, console
        self.stores = home.stores
        begins = min(p.starts for p in case.simulate.patterns if p.starts)
        self.pattern_us = start_us + int(begins * case.simulate.days * DAY_US)
        self.live_us = self.pattern_us - QUIET_DAYS * DAY_US
        self.clock = ManualClock(self.live_us)
        self.story = Story()

    def say(self, step: str, sentence: str) -> None:
        """Print one line of the story."""
        self.console.print(
            f"[dim]{self.story.seconds():6.1f} s[/dim]  [bold]{step:<9}[/bold] {sentence}",
            highlight=False,
            soft_wrap=True,
        )

    def tell(self, report: Report) -> Report:
        """Print what a verb reported."""
        self.say(report.verb, report.sentence)
        return report

    def first_loop(self) -> None:
        """History to a bundle in production."""
        case, stores, clock = self.case, self.stores, self.clock
        events, labels = (arrived_before(t, self.live_us) for t in (self.world.events, self.world.labels))
        self.tell(ingest(case, stores, clock, events, labels, {"arrived": "arrived"}))
        self.tell(build(case, stores, clock))
        with self._bar() as bar:
            task = bar.add_task("train", total=None)
            self.tell(train(case, stores, clock, lambda what, done, of: bar.update(task, completed=done, total=of)))
        self.tell(promote(case, stores, clock, by="weigh demo"))

    def live(self, rate: float, host: str, port: int) -> None:
        """Serve and replay: quiet days, the new pattern, the retrain, and the days after it."""
        stream = messages(self.case, self.world, self.live_us)
        with (
            closing(open_desk(self.case, self.stores, self.clock)) as desk,
            serving(make_app(desk), bind(host, port)) as bound,
            self._bar() as bar,
        ):
            caller = Caller(host, bound)
            self.say("serve", f"http://{host}:{bound} answers; replaying {len(stream):,} live events and labels")
            rest = bar.track(stream, description="traffic").__iter__()
            self.story.figures["champion_before"] = desk.router.champion.version if desk.router.champion else None
            replay(rest, caller, self.clock, rate=rate, until=_Watchman(self))
            if "days_to_notice" not in self.story.figures:
                raise InputError("the new pattern went unnoticed in this world; try another --seed or more --events")
            self._retrain(desk)
            replay(rest, caller, self.clock, rate=rate, until=self._mark_closed)
            self.story.figures |= {"requests": caller.sent, "requests_per_second": round(caller.sent / caller.seconds)}

    def mark_first(self, message: Message, answer: dict[str, Any]) -> None:
        """Note when the first decision came."""
        if message.path == "/predict" and "seconds_to_first_decision" not in self.story.figures:
            self.story.figures["seconds_to_first_decision"] = self.story.seconds()
            self.say("decide", f"first decision: {answer['action']} at probability {answer['probability']:.4f}")

    def _mark_closed(self, message: Message, answer: dict[str, Any]) -> bool:
        """Note when the new champion first decided: the loop is closed; the replay goes on."""
        figures = self.story.figures
        if "seconds_loop_closed" not in figures and answer.get("model_version") == figures["champion"]:
            figures["seconds_loop_closed"] = self.story.seconds()
            self.say("closed", f"the new bundle {answer['model_version']} decides; the loop is closed")
        return False

    def _retrain(self, desk: Desk) -> None:
        before = desk.router.champion
        reason = "the champion had lost recall, and the labels are mature"
        self.tell(retrain(self.case, self.stores, self.clock, tell=self.tell, trigger="loss", reason=reason))
        due = time.monotonic() + FOLLOWED_WITHIN_SECONDS
        while desk.router.champion is before and time.monotonic() < due:
            time.sleep(0.02)
        after = desk.router.champion
        if before is None or after is None or after.id == before.id:
            raise InputError("the retrained bundle did not take over; see the reports in the home")
        self.story.figures["champion"] = after.version

    def outcome(self) -> dict[str, Any]:
        """Compare old and new champion on what the new one decided, prove parity, and return the summary."""
        figures = self.story.figures
        decisions = self.stores.log.decisions()
        newest = self.stores.registry.alias("production") or ""
        served = decisions.filter(pc.equal(decisions["bundle"], newest))
        truth = dict(zip(*(self.world.labels[c].to_pylist() for c in ("event_id", "label")), strict=True))
        y = np.array([truth[i] for i in served["event_id"].to_pylist()], dtype=np.int64)
        vectors = vectors_of(served)
        old = next(b for b, _, _ in self.stores.registry.bundles() if b.startswith(figures["champion_before"]))
        before = load(old, self.case, self.stores.bundles, self.stores.signer).scorer.probability(vectors)
        figures["ap_before"] = round(average_precision(y, before), 4)
        figures["ap_after"] = round(average_precision(y, served["probability"].to_numpy()), 4)
        gain = figures["ap_after"] - figures["ap_before"]
        self.say(
            "better",
            f"average precision {figures['ap_before']:.3f} → {figures['ap_after']:.3f} ({gain:+.3f}), old and new "
            f"champion on the {len(y):,} events ({int(y.sum())} positive) decided since",
        )
        proof = self.tell(verify(self.case, self.stores, self.clock)).figures
        figures["parity"] = {k: proof[k] for k in ("vectors", "values", "mismatches")}
        figures |= {"decisions": len(decisions), "home": str(self.home.folder), "seconds": self.story.seconds()}
        return figures

    def _bar(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)


class _Watchman:
    """Watches once a simulated day; stops the replay when a noticed loss has labels mature enough to learn from."""

    def __init__(self, demo: Demo) -> None:
        self.demo, self.today, self.retrain_us, self.begun = demo, demo.live_us // DAY_US, 0, False

    def __call__(self, message: Message, answer: dict[str, Any]) -> bool:
        demo = self.demo
        demo.mark_first(message, answer)
        if not self.begun and message.arrived_us >= demo.pattern_us:
            self.begun = True
            demo.say(
                "world", f"a new pattern starts now, {us_to_iso(message.arrived_us)[:10]}; nobody tells the platform"
            )
        day = message.arrived_us // DAY_US
        if day == self.today:
            return False
        self.today = day
        if not self.retrain_us:
            report = watch(demo.case, demo.stores, demo.clock)
            if report.figures["losing"]:
                days = (message.arrived_us - demo.pattern_us) / DAY_US
                demo.story.figures |= {"days_to_notice": round(days, 1)}
                demo.say("watch", f"noticed after {days:.1f} days: {report.sentence}")
                self.retrain_us = message.arrived_us + demo.case.label.matures_us
        return bool(self.retrain_us) and message.arrived_us >= self.retrain_us


def fresh_home(folder: Path) -> None:
    """Make room for a demo: an earlier demo's folder is replaced; anything else that is not empty is refused."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise HomeError(f"{folder} is not empty and not an earlier demo's home; choose another --home")
        with sole_writer(folder):
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("made by `weigh demo`, and replaced by the next one\n")


def run_demo(
    case: UseCase, folder: Path, *, events: int | None, seed: int, rate: float, host: str, port: int, console: Console
) -> dict[str, Any]:
    """Tell the whole story once and return its summary; its seconds count from the start of this process."""
    if not isinstance(case.simulate, Simulation):
        raise InputError(f"use case {case.name} declares no simulation; the demo needs one")
    fresh_home(folder)
    log_to(folder / "logs", "warning")
    now_us = SystemClock().now_us()
    start_us = (
        FIRST_MONDAY_US + (now_us - FIRST_MONDAY_US) // WEEK_US * WEEK_US - (case.simulate.days + 6) // 7 * WEEK_US
    )
    begun_simulation = time.perf_counter()
    world = simulate(case, seed=seed, start_us=start_us, events=events)
    home = open_home(case, folder, create=True, acknowledge="written", sinks=sinks_of({}))
    with home.writing():
        demo = Demo(case, home, world, start_us, console)
        positives = pc.sum(world.labels["label"]).as_py()
        took = time.perf_counter() - begun_simulation
        demo.say("simulate", f"{len(world.events):,} events, {positives} positive, seed {seed} ({took:.1f} s)")
        demo.first_loop()
        demo.live(rate, host, port)
        return demo.outcome()
