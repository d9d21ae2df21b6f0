"""MLflow beside the loop: the steps of other commands are mirrored when they end, `weigh mlflow` does it by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from weighbridge.errors import InputError, WeighbridgeError
from weighbridge.serve.cli.options import AsJson, CaseName, HomeFolder, app, open_case, progress_bar, settings_of

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase
    from weighbridge.serve.wiring import Home


@contextmanager
def mirrored(case: UseCase, home: Home) -> Iterator[None]:
    """Bring MLflow up to date when the block ends, also with an error of ours; it never fails for that."""
    from weighbridge.serve.mirror import after_step

    try:
        yield
    except (WeighbridgeError, typer.Exit):
        with progress_bar("mlflow") as progress:
            after_step(case, home, settings_of(), progress)
        raise
    with progress_bar("mlflow") as progress:
        after_step(case, home, settings_of(), progress)


@app.command()
def mlflow(
    case: CaseName,
    check: Annotated[
        bool, typer.Option("--check", help="only say what is missing there; exit 1 when something is")
    ] = False,
    uri: Annotated[str | None, typer.Option("--uri", help="where MLflow is [default: $WEIGH_MLFLOW_URI]")] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="what it is called there [default: $WEIGH_MLFLOW_NAME or the use case's]"),
    ] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Bring the MLflow of WEIGH_MLFLOW_URI up to date with the home's runs, bundles, aliases and moves.

    Once the setting is there, run, retrain, gate, promote, watch, traffic, rollout and rollback do it when they end,
    and go on without when MLflow is away. The home stays the source of truth: what is changed there by hand is put
    right.
    """
    from weighbridge.serve.mirror import catch_up, counted, missing, sentence

    declared, opened = open_case(case, home, create=False)
    settings = settings_of(mlflow_uri=uri, mlflow_name=name)
    if check:
        lacks = missing(declared, opened, settings)
        typer.echo(json.dumps(asdict(lacks)) if as_json else f"missing: {counted(asdict(lacks))}")
        if not lacks.empty:
            raise typer.Exit(1)
        return
    with progress_bar("mlflow") as progress:
        done = catch_up(declared, opened, settings, progress)
    if done is None:
        raise InputError("another process of this home is bringing MLflow up to date; try again in a moment")
    typer.echo(json.dumps(done) if as_json else f"mlflow    {sentence(done)}")
