"""The commands by what somebody wants to do: how `weigh --help` shows them, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

PANELS: Mapping[str, Sequence[str]] = {
    "Begin": ("demo", "init", "simulate", "produce"),
    "Data": ("ingest", "freshness", "validate", "contract", "labels"),
    "The loop": ("run", "stages", "export", "due", "tend", "retrain", "gate", "promote", "history", "registry"),
    "Decide": ("serve", "score", "lists", "keys"),
    "Roll out": ("rollout", "traffic", "compare", "rollback"),
    "Look": ("watch", "slo", "tune", "backtest", "mlflow"),
    "Prove": ("verify", "explain", "replay", "audit", "simulate-world", "bench"),
    "Keep": ("seal", "save-logs"),
}


def arrange(app: typer.Typer) -> None:
    """Put every command of an app into its panel, in order. Raises KeyError for one that has none."""
    panels = {name: panel for panel, names in PANELS.items() for name in names}
    places = {name: place for place, name in enumerate(panels)}
    for command in app.registered_commands:
        command.name = command.name or str(getattr(command.callback, "__name__", "")).replace("_", "-")
        command.rich_help_panel = panels[command.name]
    app.registered_commands.sort(key=lambda command: places[str(command.name)])
