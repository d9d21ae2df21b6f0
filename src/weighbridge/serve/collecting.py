"""Joins the declared sources of a use case to the adapters that reach them and to the settings' secrets."""

from __future__ import annotations

from collections.abc import Sequence

from weighbridge.adapters.outside import World
from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.loop.collect import collect
from weighbridge.loop.report import Progress, Report
from weighbridge.serve.settings import Settings
from weighbridge.serve.wiring import Home

RAW = "data/raw"  # in the home: what was fetched


def collected(
    case: UseCase, home: Home, clock: Clock, settings: Settings, progress: Progress, accepts: Sequence[str] = ()
) -> Report:
    """Fetch and take in the declared sources, as `collect` does."""
    addresses = {name: secret.get_secret_value() for name, secret in settings.source.items()}
    options = {name.lower(): secret.get_secret_value() for name, secret in settings.storage.items()}
    raw = home.folder / RAW
    return collect(case, home.stores, clock, World(options, raw), raw, addresses, accepts, progress)
