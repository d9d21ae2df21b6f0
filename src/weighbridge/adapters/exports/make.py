"""The stage table as a fragment of a Makefile."""

from __future__ import annotations

from weighbridge.adapters.exports.table import Table
from weighbridge.declare.stages import Stage


def render(table: Table) -> dict[str, str]:
    """Return CASE.mk: a target for each stage and each pipeline, and one for the whole loop.

    Targets are phony: `weigh run` itself skips what has not changed, by digest and not by time.
    """
    name = table.case.name
    stages = [stage for pipeline in table.pipelines.values() for stage in pipeline]
    groups = {p: of for p, of in table.pipelines.items() if p not in {stage.verb for stage in stages}}
    targets = [name, *(f"{name}-{p}" for p in groups), *(f"{name}-{stage.verb}" for stage in stages)]
    lines = [f"# {table.note}", "# Include it in a Makefile. As a crontab (UTC):"]
    lines += [f"#   {cron} make {target}" for cron, target in _crontab(table)]
    lines += ["", "WEIGH ?= weigh", "", f".PHONY: {' '.join(targets)}", "", f"{name}:  # the whole loop, in order"]
    lines += [f"\t{table.run(pipeline)}" for pipeline in table.pipelines]
    for pipeline, members in groups.items():
        lines += ["", f"{name}-{pipeline}: {' '.join(f'{name}-{stage.verb}' for stage in members)}"]
    for stage in stages:
        needs = " ".join(f"{name}-{verb}" for verb in _needs(table, stage))
        lines += ["", f"{name}-{stage.verb}: {needs}".rstrip(), f"\t{table.run(stage.verb)}"]
    text = "\n".join(lines).replace("\tweigh ", "\t$(WEIGH) ")
    return {f"{name}.mk": f"{text}\n"}


def _needs(table: Table, stage: Stage) -> tuple[str, ...]:
    """What has no schedule of its own is run after what it follows; the rest after its own pipeline's stages."""
    return tuple(stage.after) if stage.schedule is None else table.within(stage)


def _crontab(table: Table) -> list[tuple[str, str]]:
    lines = []
    for pipeline, stages in table.pipelines.items():
        if stages[0].schedule is not None:
            ends = [stage.verb for stage in table.followers(pipeline)] or [pipeline]
            lines += [(stages[0].schedule, f"{table.case.name}-{end}") for end in ends]
    return lines
