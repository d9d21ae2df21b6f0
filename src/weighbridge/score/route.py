"""Which bundle decides: the one the registry's production alias points at, once it has passed every check."""

from __future__ import annotations

import time

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.errors import BundleRefused
from weighbridge.ports import Stores
from weighbridge.score.bundle import Bundle, load

PRODUCTION = "production"
RETRY_SECONDS = 5.0  # a refused bundle may have been restored


class Router:
    """Follows the registry. A new bundle is loaded, verified and warmed up before it replaces the one that serves."""

    def __init__(self, case: UseCase, stores: Stores) -> None:
        self._case, self._stores = case, stores
        self._champion: Bundle | None = None
        self._refused: tuple[str, str] | None = None
        self._again = 0.0

    @property
    def champion(self) -> Bundle | None:
        """The bundle that decides now, or None."""
        return self._champion

    @property
    def refusal(self) -> str | None:
        """Why the bundle that the registry names is not serving, or None."""
        return self._refused[1] if self._refused else None

    def refresh(self) -> bool:
        """Follow the registry; return whether another bundle decides now. A refused bundle leaves the last good one."""
        wanted = self._stores.registry.alias(PRODUCTION)
        current = self._champion.id if self._champion else None
        if wanted is None or wanted == current:
            return False
        if self._refused and self._refused[0] == wanted and time.monotonic() < self._again:
            return False
        try:
            bundle = self._warm(wanted)
        except BundleRefused as fault:
            self._refused, self._again = (wanted, str(fault)), time.monotonic() + RETRY_SECONDS
            return False
        self._champion, self._refused = bundle, None
        return True

    def _warm(self, wanted: str) -> Bundle:
        """Load, verify and probe a bundle with an event about which nothing is known."""
        bundle = load(wanted, self._case, self._stores.bundles, self._stores.signer)
        probe = np.full((1, len(self._case.feature_names)), np.nan, dtype=np.float32)
        if not np.isfinite(bundle.scorer.probability(probe)).all():
            raise BundleRefused(f"bundle {bundle.version} scores an empty event as NaN; train again")
        bundle.reasoner.top(probe.tobytes())
        return bundle
