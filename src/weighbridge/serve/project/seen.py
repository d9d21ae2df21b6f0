"""What else a file tells: how much time it covers, how late its rows came, where a project keeps it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from weighbridge.serve.project.columns import ARRIVED, TIME, Column
from weighbridge.serve.project.declaration import Seen
from weighbridge.serve.project.times import times_of


def seen(table: pa.Table, columns: Sequence[Column], name: str) -> Seen:
    """Return what a declaration is written from."""
    found = {c.kind: times_of(table[c.name].combine_chunks()) for c in columns if c.kind in (TIME, ARRIVED)}
    at, arrived = found.get(TIME), found.get(ARRIVED)
    span = 0 if at is None else int(np.ptp(at.us[at.good]))
    late = 0 if at is None or arrived is None else int((arrived.us - at.us)[at.good & arrived.good].max())
    return Seen(columns, span, late, f"data/raw/{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}")
