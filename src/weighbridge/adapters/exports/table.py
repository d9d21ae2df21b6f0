"""The stage table as renderers read it: pipelines, commands, and what follows what."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import yaml

from weighbridge.declare.case import UseCase
from weighbridge.declare.stages import Stage

NOT_DUE = 3  # the exit code of `weigh due` when nothing asks for a retrain


@dataclass(frozen=True)
class Table:
    """A use case's stages, `called` being how a command names the use case: its name, or the path of its file."""

    case: UseCase
    called: str
    tool: str

    @property
    def note(self) -> str:
        """The line by which a rendered file is known."""
        return f"Rendered by `weigh export {self.tool} {self.called}`; change the use case's stages and render again."

    @property
    def pipelines(self) -> dict[str, tuple[Stage, ...]]:
        """The stages of each pipeline, in order."""
        stages = [stage.of(self.case.name) for stage in self.case.stages]
        names = dict.fromkeys(stage.pipeline for stage in stages)
        return {name: tuple(stage for stage in stages if stage.pipeline == name) for name in names}

    def run(self, what: str) -> str:
        """Return the command that runs a stage or a pipeline."""
        return f"weigh run {shlex.quote(self.called)} {what}"

    def due(self) -> str:
        """Return the command that tells by its exit code whether a retrain is due."""
        return f"weigh due {shlex.quote(self.called)}"

    def within(self, stage: Stage) -> tuple[str, ...]:
        """Return the stages of the same pipeline that come right before one."""
        own = {other.verb for other in self.pipelines[stage.pipeline]}
        return tuple(verb for verb in stage.after if verb in own)

    def followers(self, pipeline: str) -> tuple[Stage, ...]:
        """Return the stages of pipelines without a schedule that come after a stage of this one."""
        own = {stage.verb for stage in self.pipelines[pipeline]}
        others = (s for name, stages in self.pipelines.items() if name != pipeline for s in stages)
        return tuple(s for s in others if s.schedule is None and own & set(s.after))

    def as_yaml(self, content: dict[str, Any]) -> str:
        """Return a mapping as a YAML file, in its own order, below the note."""
        text: str = yaml.safe_dump(content, sort_keys=False, width=120)
        return f"# {self.note}\n{text}"
