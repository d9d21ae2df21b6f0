"""What is measured, each in a process of its own: a desk behind its door, and a bare "hello" of FastAPI.

`python -m weighbridge.serve.load.served desk FOLDER ACKNOWLEDGE [brief]`, or `... hello`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weighbridge.bench.workload import BRIEF, CASE, START_US
from weighbridge.clock import SystemClock
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.serve.wiring import Home

TREES = 500
STOPPING_SECONDS = 20


@contextmanager
def served(*words: str) -> Iterator[tuple[int, int]]:
    """Serve while the block runs; gives the port and the id of the process."""
    command = [sys.executable, "-m", "weighbridge.serve.load.served", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("port "):
            raise InputError("the server that is measured did not start")
        yield int(line.split()[1]), process.pid
    finally:
        process.terminate()
        process.wait(STOPPING_SECONDS)


def _serve_desk(case: UseCase, folder: Path, acknowledge: str) -> None:
    from weighbridge.score.route import PRODUCTION
    from weighbridge.serve.http.app import make_app
    from weighbridge.serve.logs import log_to
    from weighbridge.serve.server import bind, serve
    from weighbridge.serve.wiring import open_desk, open_home

    home = open_home(case, folder, create=True, acknowledge=acknowledge)
    if home.stores.registry.alias(PRODUCTION) is None:
        _promote_a_bundle(case, home)
    log_to(folder / "logs", "info")
    desk = open_desk(case, home.stores, SystemClock())
    listening = bind("127.0.0.1", 0)
    print("port", listening.getsockname()[1], flush=True)
    serve(make_app(desk), listening)
    desk.close()


def _promote_a_bundle(case: UseCase, home: Home) -> None:
    from weighbridge.bench.bundle import bench_bundle
    from weighbridge.records import Move
    from weighbridge.score.route import PRODUCTION

    bundle, files = bench_bundle(home.stores.signer, TREES, case)
    home.stores.bundles.put(bundle, files)
    home.stores.registry.add(bundle, {}, START_US)
    home.stores.registry.move(Move(PRODUCTION, bundle, None, "bench", "to be measured", START_US))


def _serve_hello() -> None:
    import uvicorn
    from fastapi import FastAPI

    from weighbridge.serve.server import bind

    app = FastAPI()

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    listening = bind("127.0.0.1", 0)
    print("port", listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listening])


if __name__ == "__main__":
    if sys.argv[1] == "hello":
        _serve_hello()
    else:
        _serve_desk(BRIEF if "brief" in sys.argv[4:] else CASE, Path(sys.argv[2]), sys.argv[3])
