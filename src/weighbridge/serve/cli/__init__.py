"""The command line. Libraries are imported by the command that needs them, so that `weigh --help` is quick."""

import sys

import typer

from weighbridge.errors import WeighbridgeError
from weighbridge.serve.cli import (
    access,
    audit,
    backtest,
    bench,
    contract,
    data,
    doors,
    export,
    ingest,
    init,
    labels,
    loop,
    mlflow,
    policy,
    produce,
    rollout,
    slo,
    stages,
    tend,
    validate,
    world,
)
from weighbridge.serve.cli.options import app
from weighbridge.serve.cli.order import arrange

__all__ = [
    "access",
    "app",
    "audit",
    "backtest",
    "bench",
    "contract",
    "data",
    "doors",
    "export",
    "ingest",
    "init",
    "labels",
    "loop",
    "main",
    "mlflow",
    "policy",
    "produce",
    "rollout",
    "slo",
    "stages",
    "tend",
    "validate",
    "world",
]

arrange(app)


def main() -> None:
    """Run the command line; an expected error is one sentence on stderr and exit code 2."""
    try:
        app()
    except WeighbridgeError as fault:
        typer.echo(f"weigh: {fault}", err=True)
        sys.exit(2)
    except UnicodeEncodeError:
        typer.echo("weigh: an argument holds what is not UTF-8 text, and nothing was stored; write it again", err=True)
        sys.exit(2)
    except OSError as fault:
        where = f"{fault.filename}: " if fault.filename else ""
        typer.echo(f"weigh: {where}{fault.strerror or fault}; check the path and its permissions", err=True)
        sys.exit(2)
