"""Many simulated days, each from its own seed and in its own copy of one home, on several processes."""

from __future__ import annotations

import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from weighbridge.score.promise import ended
from weighbridge.testing.world.book import Broken
from weighbridge.testing.world.day import Day, Lived
from weighbridge.testing.world.script import Act


@dataclass(frozen=True)
class Fell:
    """A day that broke an invariant, or raised what nobody foresaw: at which step, and how."""

    seed: int
    step: int
    what: str


def live(template: Path, seed: int, acts: Sequence[Act], day_in: Callable[[Path], Day]) -> Lived | Fell:
    """Live one day in a copy of the home `template`."""
    with tempfile.TemporaryDirectory(prefix="weigh-day-") as folder:
        home = Path(folder) / "home"
        shutil.copytree(template, home)
        day, lived = day_in(home), list[Lived]()
        fault = ended(lambda: lived.append(day.live(acts)))
        if fault is None:
            return lived[0]
        told = str(fault) if isinstance(fault, Broken) else "".join(traceback.format_exception(fault))
        return Fell(seed, day.step, told)


def live_all(
    seeds: Sequence[int], one: Callable[[int], Lived | Fell], jobs: int, told: Callable[[int, int], object]
) -> Iterator[Lived | Fell]:
    """Yield what became of each seed, as they end. `one` lives a seed, in any process; `told` hears how many are done.

    With one job, everything happens in this process.
    """
    if jobs == 1:
        for done, seed in enumerate(seeds, start=1):
            yield one(seed)
            told(done, len(seeds))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        coming = [pool.submit(one, seed) for seed in seeds]
        for done, future in enumerate(as_completed(coming), start=1):
            yield future.result()
            told(done, len(seeds))
