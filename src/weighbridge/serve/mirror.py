"""MLflow kept up to date beside the loop: never a reason for a step to fail, and caught up with by the next one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.errors import InputError, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.adapters.mlflow.connection import Address
    from weighbridge.adapters.mlflow.mirror import Gap
    from weighbridge.declare.case import UseCase
    from weighbridge.serve.settings import Settings
    from weighbridge.serve.wiring import Home

REPORT = "mlflow"


def address_of(case: UseCase, settings: Settings) -> Address:
    """Return where MLflow is by the settings. Raises InputError where none is set, MissingExtra without its client."""
    if settings.mlflow_uri is None:
        raise InputError("no MLflow is set; set WEIGH_MLFLOW_URI to sqlite:///mlflow.db or the URL of a server")
    from weighbridge.adapters.mlflow.connection import Address

    return Address(settings.mlflow_uri, settings.mlflow_name or case.name, settings.mlflow_artifacts)


def catch_up(
    case: UseCase, home: Home, settings: Settings, progress: Callable[[str, int, int], None]
) -> dict[str, Any] | None:
    """Bring MLflow up to date, write the report `mlflow` and return it; None while another process is at it.

    Raises StoreFailure when MLflow does not take it, Conflict when it mirrors another home; the report says so too.
    """
    try:
        address = address_of(case, settings)
        from weighbridge.adapters.mlflow.mirror import follow

        done = follow(home.stores, address, progress)
    except WeighbridgeError as fault:
        _report(home.stores.reports, {"mirrored": None, "fault": str(fault)})
        raise
    if done is None:
        return None
    told = {"uri": address.shown, "name": address.name, "mirrored": asdict(done), "fault": None}
    _report(home.stores.reports, told)
    return told


def after_step(case: UseCase, home: Home, settings: Settings, progress: Callable[[str, int, int], None]) -> None:
    """Bring MLflow up to date where one is set. What goes wrong is told on stderr, in the log and in the report."""
    if settings.mlflow_uri is None:
        return
    try:
        done = catch_up(case, home, settings, progress)
    except Exception as fault:  # whatever a foreign system does, the step of the loop was done
        why = str(fault) if isinstance(fault, WeighbridgeError) else f"{type(fault).__name__} in MLflow"
        _warn(home.folder, settings.log_level, why)
        print(f"weigh: MLflow was not brought up to date: {why}; the next step catches up", file=sys.stderr)
        return
    if done is not None:
        print(f"mlflow    {sentence(done)}", file=sys.stderr)


def sentence(told: dict[str, Any]) -> str:
    """Return what was mirrored in one sentence."""
    return f"{counted(told['mirrored'])} mirrored to {told['uri']}, {told['name']}"


def counted(gap: dict[str, Any]) -> str:
    """Return the numbers of a gap as words."""
    named = [f"{gap[name]:,} {name if gap[name] != 1 else name[:-1]}" for name in ("runs", "moves", "bundles")]
    aliases = f" ({', '.join(gap['aliases'])})" if gap["aliases"] else ""
    return ", ".join(named) + f", {len(gap['aliases'])} alias{'' if len(gap['aliases']) == 1 else 'es'}{aliases}"


def missing(case: UseCase, home: Home, settings: Settings) -> Gap:
    """Return what MLflow has not yet; nothing is written. Raises as `catch_up` does."""
    address = address_of(case, settings)
    from weighbridge.adapters.mlflow.mirror import gap

    return gap(home.stores, address)


def _report(folder: Path, content: dict[str, Any]) -> None:
    from weighbridge.loop.report import write_report

    write_report(folder, REPORT, content)


def _warn(folder: Path, level: str, why: str) -> None:
    import structlog

    from weighbridge.serve.logs import log_to

    log_to(folder / "logs", level)
    structlog.get_logger().warning("mlflow not up to date", why=why)
