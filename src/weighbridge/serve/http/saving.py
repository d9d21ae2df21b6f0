"""Saving the decision log on request: one at a time, beside the event loop."""

from __future__ import annotations

import threading
from typing import Any

from weighbridge.errors import Conflict
from weighbridge.loop.save_logs import save_logs
from weighbridge.score.decide import Desk


class Saver:
    """Writes a desk's decisions as Parquet."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._busy = desk, threading.Lock()

    def save(self) -> dict[str, Any]:
        """Return how many decisions were saved where. Raises Conflict while another call is at it."""
        if not self._busy.acquire(blocking=False):
            raise Conflict("decisions are being saved already; ask again when that is done")
        try:
            return dict(save_logs(self._desk.case, self._desk.stores, self._desk.clock).figures)
        finally:
            self._busy.release()
