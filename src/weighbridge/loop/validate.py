"""Holds the data of a use case against its declared checks: raw tables, vectors, splits, bodies of requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.declare.validation import ENGINEERED, RAW, REQUEST, SPLITS, STAGES
from weighbridge.errors import GateClosed, InputError
from weighbridge.loop.build import table_name
from weighbridge.loop.ingest import checked_mapping
from weighbridge.loop.quality.child import check_child
from weighbridge.loop.quality.engineered import check_vectors
from weighbridge.loop.quality.findings import FAILED, PASSED, WARNED, Enough, Findings
from weighbridge.loop.quality.page import page
from weighbridge.loop.quality.raw import check_files, check_log
from weighbridge.loop.quality.request import Body, check_bodies
from weighbridge.loop.quality.splits import LABEL, check_splits
from weighbridge.loop.report import Progress, Report, Run, silent, write_report
from weighbridge.loop.training.training_set import TrainingSet, training_set
from weighbridge.ports import Stores
from weighbridge.stores.files import write_atomically

QUALITY = "quality"
OF_A_HOME = (RAW, ENGINEERED, SPLITS)
Data = Callable[[], TrainingSet]


def validate(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    stages: Sequence[str] = OF_A_HOME,
    progress: Progress = silent,
    *,
    tables: Mapping[str, pa.Table] | None = None,
    bodies: Sequence[Body] = (),
    mapping: Mapping[str, str] | None = None,
    fail_fast: bool | None = None,
    data: Data | None = None,
) -> Report:
    """Run the declared checks of some stages and write quality.json and quality.html, of one stage quality-STAGE.

    Without `tables`, what the home holds: its log, the vectors built last, and the splits that training would make.
    With them, files as they are given: of "raw" they are "events", "labels" and child tables by their names, of
    "engineered" one of vectors, of "splits" two or more, the one that trains first. `bodies` are those of "request".
    `mapping` names columns as it does for `ingest`. `fail_fast` overrides the declaration. `data` gives what training
    reads, where somebody has read it already. `passed` in the figures is
    False when a check failed, `findings` are those that did not pass. Raises InputError for what cannot be read as a
    table of the stage.
    """
    run = Run("validate", stores, clock)
    checks = case.validation if fail_fast is None else replace(case.validation, fail_fast=fail_fast)
    found = Findings(checks)
    data = data or (lambda: training_set(case, stores))
    looks = _looks(case, stores, clock, found, tables, bodies, checked_mapping(case, mapping or {}), data)
    asked = [stage for stage in STAGES if stage in stages]
    try:
        for done, stage in enumerate(asked):
            progress(stage, done, len(asked))
            if stage in checks.stages or tables is not None or bodies:
                _look(looks[stage], stage, found, alone=len(asked) == 1)
        progress("report", len(asked), len(asked))
    except Enough:
        pass
    told = found.to_json()
    sentence = _sentence(found, asked)
    name = QUALITY if len(asked) > 1 else f"{QUALITY}-{asked[0]}"
    write_report(stores.reports, name, {"run": run.id, "use_case": case.name, **told})
    path = stores.reports / f"{name}.html"
    write_atomically(path, page(case.name, sentence, told).encode())
    kept = {name: value for name, value in told.items() if name != "columns"}
    kept["findings"] = [each for each in told["findings"] if each["outcome"] != PASSED]
    return run.finish(sentence, {**kept, "html": str(path)})


def validated(
    case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent, data: Data | None = None
) -> Report:
    """Validate what the home holds, with `data` as for `validate`; raises GateClosed when a check failed."""
    report = validate(case, stores, clock, progress=progress, data=data)
    if not report.figures["passed"]:
        raise GateClosed(f"{report.sentence}; see {report.figures['html']}")
    return report


def _looks(
    case: UseCase, stores: Stores, clock: Clock, found: Findings, tables: Mapping[str, pa.Table] | None,
    bodies: Sequence[Body], mapping: Mapping[str, str], data: Data,
) -> dict[str, Callable[[], None]]:  # fmt: skip
    """Return what looks at each stage."""
    if tables is None:
        return {
            RAW: lambda: check_log(case, stores, found),
            ENGINEERED: lambda: _built(case, stores, found),
            SPLITS: lambda: check_splits(case, found, splits_of(case, stores, data())),
            REQUEST: lambda: check_bodies(case, stores, found, bodies, clock.now_us()),
        }
    return {
        RAW: lambda: _files(case, stores, clock, found, tables, mapping),
        ENGINEERED: lambda: _vectors(case, found, _named(case, next(iter(tables.values())), mapping)),
        SPLITS: lambda: check_splits(case, found, {n: _named(case, t, mapping) for n, t in tables.items()}),
    }


def _files(
    case: UseCase, stores: Stores, clock: Clock, found: Findings, tables: Mapping[str, pa.Table],
    mapping: Mapping[str, str],
) -> None:  # fmt: skip
    """Look at files of events, of their labels and of child rows."""
    if "events" in tables:
        check_files(case, stores, found, tables["events"], tables.get("labels"), mapping, clock.now_us())
    for child in case.children:
        if child.name in tables:
            check_child(found, child, tables[child.name], mapping, stores.pseudonyms)


def _look(look: Callable[[], None], stage: str, found: Findings, *, alone: bool) -> None:
    """Look at a stage; where it is not there yet, such as vectors before a build, the others still are looked at."""
    try:
        look()
    except InputError as fault:
        if alone:
            raise
        found.stages[stage] = f"not looked at: {fault}"


def _vectors(case: UseCase, found: Findings, table: pa.Table) -> None:
    found.stages[ENGINEERED] = f"{len(table):,} vectors"
    check_vectors(case, found, table)


def _built(case: UseCase, stores: Stores, found: Findings) -> None:
    table = stores.tables.get(table_name(case))
    if table is None:
        raise InputError("no vectors were built yet; run `weigh run CASE build` first")
    _vectors(case, found, table)


def splits_of(case: UseCase, stores: Stores, data: TrainingSet) -> dict[str, pa.Table]:
    """Return the rows that train and those that validate: event_id, label, a column a feature."""
    table = stores.tables.get(table_name(case))
    assert table is not None
    ids = dict(zip(table["seq"].to_pylist(), table["event_id"].to_pylist(), strict=True))
    found = {}
    for name, chosen, labels in (("train", data.split.train, data.known_then),
                                 ("validation", data.split.validation, data.labels)):  # fmt: skip
        columns = {"event_id": pa.array([ids[seq] for seq in data.columns.seq[chosen].tolist()], pa.string())}
        columns[LABEL] = pa.array(labels[chosen])
        columns |= {f: pa.array(data.vectors[chosen, n]) for n, f in enumerate(case.feature_names)}
        found[name] = pa.table(columns)
    return found


def _named(case: UseCase, table: pa.Table, mapping: Mapping[str, str]) -> pa.Table:
    """Return a table with its id and its label called event_id and label."""
    sources = {mapping.get(case.events.id.name, case.events.id.source): "event_id",
               mapping.get(case.label.name, case.label.source): LABEL}  # fmt: skip
    names = [sources.get(name, name) for name in table.column_names]
    if "event_id" not in names:
        raise InputError(f"a table has no column {next(iter(sources))!r}; it has {', '.join(table.column_names)}")
    return table.rename_columns(names)


def _sentence(found: Findings, stages: Sequence[str]) -> str:
    failed, warned = found.count(FAILED), found.count(WARNED)
    sentence = f"{len(found.found):,} checks of {', '.join(stages)}: {failed:,} failed, {warned:,} warned"
    first = next((each for each in found.found if each.outcome == FAILED), None)
    if first is not None:
        where = " ".join(part for part in (first.stage, first.table, first.column) if part)
        sentence += f"; {first.check} of {where}: {first.sentence}"
    unseen = [f"; {stage} {what}" for stage, what in found.stages.items() if what.startswith("not looked at")]
    sentence += "".join(unseen)
    return sentence + ("; stopped at the first failure" if failed and found.validation.fail_fast else "")
