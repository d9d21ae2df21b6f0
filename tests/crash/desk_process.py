"""A desk in a process of its own, to be killed: JSON lines in, JSON lines out, once each is durable.

python -m tests.crash.desk_process HOME [BYTES_A_FILE_MAY_GROW | acknowledge-early | little-memory]
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from tests.fixtures.tiny_fraud import case
from weighbridge.clock import SystemClock
from weighbridge.errors import StoreFailure
from weighbridge.loop.seal import seal
from weighbridge.score import decide
from weighbridge.serve import wiring
from weighbridge.serve.logs import log_to
from weighbridge.serve.wiring import open_home

LITTLE_BYTES = 1 << 16  # of memory for the state, so that it moves to a file
KEEP_HOT = 300  # so that a restart seals, and duplicates meet sealed events


class EarlyLog:
    """What must not be: says that a group is stored, and stores it when the next one comes."""

    def __init__(self, log):
        self._log, self._late = log, []

    def __getattr__(self, name):
        return getattr(self._log, name)

    def append(self, group, followers=()):
        late, self._late = self._late, list(group)
        self._log.commit(late, followers)
        return [0] * len(group)


def main(folder, how):
    lock = threading.Lock()

    def say(**members):
        with lock:
            sys.stdout.write(json.dumps(members) + "\n")
            sys.stdout.flush()

    log_to(Path(folder) / "logs", "info")  # standard output is for answers
    home = open_home(case, Path(folder), create=False)
    with home.writing():
        stores = replace(home.stores, log=EarlyLog(home.stores.log)) if how == "acknowledge-early" else home.stores
        seal(case, stores, SystemClock(), KEEP_HOT)
        decide.MOST_PENDING = 4_096  # whoever sends here waits for nothing
        wiring.SAVED_AFTER = 0  # every start renews the checkpoint, so that the next one has it and a log behind it
        opened = wiring.open_checkpointed_desk(
            case, replace(home, stores=stores), SystemClock(), LITTLE_BYTES if how == "little-memory" else 1 << 30
        )
        desk = opened.__enter__()
        if how.isdigit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails instead of killing
            largest = max(path.stat().st_size for path in Path(folder).rglob("*"))
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest + int(how), resource.RLIM_INFINITY))
        say(ready=True)
        for line in sys.stdin:
            message = json.loads(line)
            event_id = message["event_id"]

            def told(future, event_id=event_id, is_label="label" in message):
                fault = future.exception()
                kind = (
                    "failed" if isinstance(fault, StoreFailure) else "wrong" if fault else "label" if is_label else "ok"
                )
                said = fault or future.result()
                say(id=event_id, kind=kind, says=said.decision.decision_id if kind == "ok" else str(said))

            if message.get("unlimited"):
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                continue
            sent = desk.submit_label(message) if "label" in message else desk.submit(message, "t")
            sent.add_done_callback(told)
        opened.__exit__(None, None, None)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
