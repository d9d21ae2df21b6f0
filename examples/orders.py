"""Orders of a delivery service that does not exist: a table of the kind that a firm exports from its own systems.

    python -m examples.orders orders.csv

Made here from a seed, free for any use. Some customers dispute more than others, a few couriers lose parcels from the
third month on, and what is dear and comes from afar is disputed more often.
"""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

COLUMNS = ("order_no", "ordered_at", "recorded_at", "customer", "courier", "city", "paid_with", "basket_value", "items",
           "distance_km", "disputed")  # fmt: skip
CITIES, PAID = ("Aarhus", "Bergen", "Gdansk", "Porto", "Tartu"), ("card", "invoice", "wallet")
START, DAYS = datetime(2026, 1, 1, tzinfo=UTC), 150


def write(path: Path, orders: int = 8_000, seed: int = 5) -> None:
    """Write the table as CSV; the same seed and size give the same file."""
    rng = np.random.default_rng(seed)
    habit, weak = rng.beta(0.5, 12, 900), rng.choice(60, 5, replace=False)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for n, day in enumerate(np.sort(rng.uniform(0, DAYS, orders))):
            at = START + timedelta(seconds=int(day * 86_400))
            customer, courier = int(rng.zipf(1.4) * 37 % 900), int(rng.integers(60))
            value, distance = float(rng.lognormal(3.3, 0.8)), float(rng.gamma(2, 3))
            loses = courier in weak and day > DAYS / 2
            odds = habit[customer] + 0.01 * (value > 80) + 0.02 * (distance > 12) + 0.25 * loses
            out.writerow([
                f"{100_000 + n}", _iso(at), _iso(at + timedelta(seconds=int(rng.integers(600)))),
                f"C{customer:04d}", f"courier-{courier}", rng.choice(CITIES), rng.choice(PAID, p=(0.6, 0.15, 0.25)),
                f"{value:.2f}", int(rng.integers(1, 9)), "" if rng.random() < 0.04 else f"{distance:.3f}",
                int(rng.random() < odds),
            ])  # fmt: skip


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
