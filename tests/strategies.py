"""Random logs: ties, duplicates of times, late and near-future events, labels before and after, corrections."""

from __future__ import annotations

from hypothesis import strategies as st

from weighbridge.clock import DAY_US, iso_to_us
from weighbridge.testing.oracle import Event, LabelRecord

HOUR_US = DAY_US // 24
START_US = iso_to_us("2026-03-27T00:00:00Z")  # two days before daylight saving starts in Paris
STEPS = (0, 0, 1, 60_000_000, HOUR_US - 1, HOUR_US, HOUR_US + 1, DAY_US, 2 * DAY_US, 7 * DAY_US)
BACKS = (0, 0, 0, 0, 1, HOUR_US, DAY_US, 3 * DAY_US, -HOUR_US, -2 * HOUR_US)  # below 0: from the near future


@st.composite
def logs(draw, most: int = 40):
    """Return (events, labels) with a common order of arrival."""
    events, labels, now = [], [], START_US
    for seq in range(1, draw(st.integers(0, most)) + 1):
        if events and draw(st.integers(0, 3)) == 0:
            about = draw(st.integers(0, len(events) + 1))  # may be an event that comes later, or never
            labels.append(LabelRecord(seq, f"e{about}", draw(st.integers(0, 1))))
            continue
        now += draw(st.sampled_from(STEPS))
        values = {
            "card": draw(st.sampled_from(["c1", "c1", "c2"])),
            "shop_id": draw(st.sampled_from(["s1", "s2"])),
            "amount": draw(st.sampled_from([0, 1, 999, 10_000, 10_001, 500_000])),
            "score": draw(st.sampled_from([None, 0, -10_000, 1, 333])),
            "items": draw(st.sampled_from([0, 1, 2, 50, 99])),
            "device": draw(st.sampled_from([None, "ios", "android", "web"])),
        }
        events.append(Event(seq, now - draw(st.sampled_from(BACKS)), f"e{len(events)}", values))
    return events, labels
