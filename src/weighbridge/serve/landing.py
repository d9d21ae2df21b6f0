"""The stages that bring data in, simulate and ingest: the declared sources, or the files that the stage table names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.clock import Clock, iso_to_us
from weighbridge.declare.case import UseCase
from weighbridge.declare.stages import Stage
from weighbridge.errors import DeclarationError
from weighbridge.loop.ingest import ingest
from weighbridge.loop.report import Report, Run
from weighbridge.loop.run import SOURCES, Verb, chosen
from weighbridge.loop.simulate import simulate
from weighbridge.stores.sources import read_file, write_file

if TYPE_CHECKING:
    from weighbridge.serve.wiring import Home

SEED, START = 7, "2026-01-05T00:00:00Z"
MAKES = {"simulate": lambda stage: stage.writes, "ingest": lambda stage: stage.reads}


def landing(case: UseCase, only: str | None) -> dict[str, tuple[Path, ...]]:
    """Return the stages among `SOURCES` that are to run, each with its files: those that are named, or are there."""
    found: dict[str, tuple[Path, ...]] = {}
    for stage in chosen(case, only):
        if stage.verb not in SOURCES:
            continue
        if stage.verb == "ingest" and case.sources:
            found |= {} if only is None else {stage.verb: ()}  # nothing is fetched unasked
            continue
        files = tuple(Path(path) for path in MAKES[stage.verb](stage.of(case.name)))
        if only is None and not (files and files[0].exists()):
            continue
        found[stage.verb] = _checked(stage, files)
    return found


def _checked(stage: Stage, files: tuple[Path, ...]) -> tuple[Path, ...]:
    if not files:
        what = "reads=['data/raw/{case}.parquet']" if stage.verb == "ingest" else "writes=[events, labels]"
        raise DeclarationError(f"stage {stage.verb}: it names no file; give it {what}")
    return files


def sources_of(
    case: UseCase, home: Home, clock: Clock, files: Mapping[str, tuple[Path, ...]], fetch: Verb
) -> dict[str, Verb]:
    """Return the verbs of the stages that `landing` found; `fetch` takes in the declared sources."""
    verbs = {"simulate": simulate_into, "ingest": ingest_from}
    made: dict[str, Verb] = {name: partial(verbs[name], case, home, clock, paths) for name, paths in files.items()}
    if case.sources and "ingest" in made:
        made["ingest"] = fetch
    return made


def simulate_into(case: UseCase, home: Home, clock: Clock, files: tuple[Path, ...]) -> Report:
    """Write the declared world into a file of events and one of labels; the same declaration, the same world."""
    run = Run("simulate", home.stores, clock)
    world = simulate(case, seed=SEED, start_us=iso_to_us(START))
    for path, table in zip(files, (world.events, world.labels), strict=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, table)
    figures = {"events": len(world.events), "seed": SEED, "files": [str(path) for path in files]}
    return run.finish(f"{len(world.events):,} events, seed {SEED}, in {files[0]}", figures)


def ingest_from(case: UseCase, home: Home, clock: Clock, files: tuple[Path, ...]) -> Report:
    """Take a file of events in, and one of labels where it is there; a simulated world tells when a row arrived."""
    events = read_file(files[0])
    labels = read_file(files[1]) if len(files) > 1 and files[1].exists() else None
    tells = "arrived" in events.column_names and (case.events.time is None or case.events.time.arrived is None)
    with home.writing():
        return ingest(case, home.stores, clock, events, labels, {"arrived": "arrived"} if tells else None)
