"""What can be done about an event."""

from __future__ import annotations

ACTIONS = ("approve", "review", "decline")  # from the mildest to the hardest
DECLINE = ACTIONS[-1]
