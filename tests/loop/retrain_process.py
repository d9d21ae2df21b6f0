"""A process that gets alarms: python -m tests.loop.retrain_process HOME ALARMS NOW_US; one JSON line for each."""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fixtures.tiny_fraud import case
from weighbridge.clock import ManualClock
from weighbridge.loop import retrain as module
from weighbridge.serve.wiring import open_home


def hang(*given, **more):
    """Never end a training."""
    print("training", flush=True)
    time.sleep(3_600)


def main(folder: Path, alarms: int, now_us: int) -> None:
    """Answer every alarm, all at once."""
    if os.environ.get("WEIGHBRIDGE_TEST_HANG"):
        module.train = hang
    stores, clock = open_home(case, folder, create=False, acknowledge="written").stores, ManualClock(now_us)
    with ThreadPoolExecutor(alarms) as pool:
        reports = pool.map(
            lambda _: module.retrain(case, stores, clock, trigger="drift", reason="alarm"), range(alarms)
        )
        for report in reports:
            print(json.dumps({"skipped": report.skipped, "why": report.figures["why"]}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
