"""The command that says who may ask: keys."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weighbridge.serve.cli.options import AsJson, CaseName, HomeFolder, app, open_case

if TYPE_CHECKING:
    from weighbridge.records import ApiKey


@app.command()
def keys(
    case: CaseName,
    action: Annotated[str, typer.Argument(help="list, add or revoke")] = "list",
    name: Annotated[str | None, typer.Argument(help="what the key is called in logs and in the audit")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="score, label, ingest, review, promote or admin; may be given several times"),
    ] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="how long, such as 90d [default: until revoked]")] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="requests a second [default: as many as come]")] = None,
    burst: Annotated[int | None, typer.Option("--burst", help="requests at once [default: those of a second]")] = None,
    by: Annotated[str, typer.Option("--by", help="who, for the audit")] = "weigh keys",
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """List, make or revoke the API keys of the HTTP door; a running server follows within a second.

    The first key closes the door to whoever has none. A key is shown once, when it is made.
    """
    from weighbridge.errors import InputError

    if action == "list":
        _list(case, home, as_json=as_json)
    elif action not in ("add", "revoke") or name is None:
        raise InputError("say list, add NAME or revoke NAME")
    elif action == "revoke":
        _revoke(case, name, by, home, as_json=as_json)
    else:
        limits: dict[str, Any] = {"lasts": lasts, "rate": rate, "burst": burst}
        _add(case, name, scope or [], by, limits, home, as_json=as_json)


def _add(
    case: str, name: str, scopes: list[str], by: str, limits: dict[str, Any], home: Path | None, *, as_json: bool
) -> None:
    from weighbridge.clock import SystemClock
    from weighbridge.serve.keys import make_key

    _, opened = open_case(case, home, create=False)
    key, shown = make_key(name, scopes, SystemClock().now_us(), by, **limits)
    opened.stores.keys.add(key)
    if as_json:
        typer.echo(json.dumps({**_members(key), "key": shown}))
    else:
        typer.echo(f"{_told(key)}\n{shown}\nKeep it now: it is not stored and not shown again.")


def _revoke(case: str, name: str, by: str, home: Path | None, *, as_json: bool) -> None:
    from weighbridge.clock import SystemClock
    from weighbridge.serve.keys import check_by

    check_by(by)
    _, opened = open_case(case, home, create=False)
    key = opened.stores.keys.revoke(name, by, SystemClock().now_us())
    typer.echo(json.dumps(_members(key)) if as_json else _told(key))


def _list(case: str, home: Path | None, *, as_json: bool) -> None:
    _, opened = open_case(case, home, create=False)
    found = opened.stores.keys.all()
    if as_json:
        typer.echo(json.dumps({"keys": [_members(key) for key in found]}))
        return
    for key in found:
        typer.echo(_told(key))
    if not found:
        typer.echo("no keys: the HTTP door serves loopback only, and whoever comes")


def _members(key: ApiKey) -> dict[str, Any]:
    from weighbridge.clock import us_to_iso

    members = {name: value for name, value in asdict(key).items() if name != "secret_sha256"}
    times = {name.removesuffix("_us"): members.pop(name) for name in ("made_us", "until_us", "revoked_us")}
    return members | {name: None if at is None else us_to_iso(at) for name, at in times.items()}


def _told(key: ApiKey) -> str:
    told = _members(key)
    until = f"until {told['until'][:19]}" if told["until"] else "until revoked"
    rate = f", {key.rate:g} requests/s, {key.burst:,} at once" if key.rate else ""
    if told["revoked"]:
        until = f"revoked {told['revoked'][:19]} by {key.revoked_by}"
    return f"{key.name:<16} {key.id}  {', '.join(key.scopes)}{rate}; made {told['made'][:19]} by {key.made_by}, {until}"
