"""A real PostgreSQL of its own for the tests, where its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

PASSWORD = "open-sesame-4711"
FOLDERS = [os.environ.get("PATH", ""), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
PROGRAMS = {name: shutil.which(name, path=os.pathsep.join(FOLDERS)) for name in ("initdb", "postgres")}
OTHER = next((u for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody")), None)  # PostgreSQL refuses to be root
MISSING = (
    "" if all(PROGRAMS.values()) and (os.getuid() or OTHER) else "the programs of a PostgreSQL server are not installed"
)


@contextmanager
def running():
    """Give the URL of an empty database of a server that runs for as long as the block does."""
    folder = Path(tempfile.mkdtemp(prefix="weigh-pg-"))
    as_user = {} if os.getuid() else {"user": OTHER.pw_uid, "group": OTHER.pw_gid, "extra_groups": []}
    (folder / "password").write_text(PASSWORD)
    for path in (folder, folder / "password"):
        if as_user:
            os.chown(path, OTHER.pw_uid, OTHER.pw_gid)
    data, port = folder / "data", free_port()
    init = [PROGRAMS["initdb"], "-D", data, "-U", "risk", "-A", "scram-sha-256", "--pwfile", folder / "password", "-E", "UTF8",
            "--locale", "C", "--no-sync"]  # fmt: skip
    subprocess.run(list(map(str, init)), check=True, capture_output=True, cwd=folder, **as_user)
    words = [PROGRAMS["postgres"], "-D", data, "-h", "127.0.0.1", "-p", port, "-k", folder, "-c", "fsync=off"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(list(map(str, words)), stdout=log, stderr=log, cwd=folder, **as_user)
    url = f"postgresql://risk:{PASSWORD}@127.0.0.1:{port}/postgres"
    try:
        wait_for(url, server, folder / "log")
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(url, server, log):
    import psycopg

    until = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < until:
        with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())
