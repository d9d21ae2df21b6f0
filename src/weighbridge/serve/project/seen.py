"""What else a file tells: how much time it covers, how late its rows came, where a project keeps it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from weighbridge.serve.project.columns import ARRIVED, TIME, Column, times_us
from weighbridge.serve.project.declaration import Seen


def seen(table: pa.Table, columns: Sequence[Column], name: str) -> Seen:
    """Return what a declaration is written from."""
    moments = {c.kind: times_us(table[c.name].combine_chunks()) for c in columns if c.kind in (TIME, ARRIVED)}
    at, arrived = moments.get(TIME), moments.get(ARRIVED)
    span = 0 if at is None else int(at.max() - at.min())
    late = 0 if at is None or arrived is None else int((arrived - at).max())
    return Seen(columns, span, late, f"data/raw/{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}")
