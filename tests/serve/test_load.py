"""A server under a steady load: what it holds does not grow. Long under `make soak`, 1,000 requests here."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import uvloop

from tests.conftest import SOAK
from weighbridge.serve.load.client import at_a_rate, requests
from weighbridge.serve.load.served import served

RATE, PARTS, PART_SECONDS = (200, 30, 60) if SOAK else (200, 4, 1)
LARGEST_SLOPE = 0.01  # of the memory, in ten minutes; the windows are brief, so that histories do not grow


def held(pid):
    """What a process holds: bytes of memory, descriptors, threads."""
    folder = Path(f"/proc/{pid}")
    threads = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("Threads"))
    pages = int((folder / "statm").read_text().split()[1])
    return pages * 4_096, len(list((folder / "fd").iterdir())), int(threads.split()[1])


@pytest.mark.slow
@pytest.mark.parametrize("acknowledge", ["written", "synced"])
def test_memory_descriptors_and_threads_stay_flat_under_a_steady_load(tmp_path, acknowledge):
    with served("desk", str(tmp_path / "home"), acknowledge, "brief") as (port, pid):
        uvloop.run(at_a_rate(port, requests("desk", RATE * PART_SECONDS, 0), RATE))  # warm
        seen, first = [], RATE * PART_SECONDS
        for _ in range(PARTS):
            answers = uvloop.run(at_a_rate(port, requests("desk", RATE * PART_SECONDS, first), RATE))
            first += RATE * PART_SECONDS
            assert set(answers.status.tolist()) == {200}
            time.sleep(0.2)  # connections are closed by now
            seen.append(held(pid))
    memory, descriptors, threads = np.array(seen).T
    assert max(descriptors) - min(descriptors) <= 2
    assert max(threads) - min(threads) <= 1
    if SOAK:
        minutes = np.arange(PARTS) * PART_SECONDS / 60
        slope = np.polyfit(minutes[PARTS // 3 :], memory[PARTS // 3 :], 1)[0] * 10 / memory.mean()
        print(f"{acknowledge}: {memory[-1] / 1e6:.0f} MB, {slope:+.2%} in ten minutes")
        assert slope <= LARGEST_SLOPE
