"""A foreign system's own command: found, asked for its answer, and run until the file it fetches is there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from weighbridge.errors import MissingCommand, StoreFailure

ANSWER_SECONDS = 600.0
CHUNK_BYTES = 1 << 20
LOOK_SECONDS = 0.1  # between two looks at a command that is at work
SPARE_BYTES = 1 << 20  # what may lie beside the file while it is fetched


def found_command(name: str, package: str) -> str:
    """Return the path of a command on the PATH, or beside this Python. Raises MissingCommand when it is nowhere."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise MissingCommand(name, package)
    return found


def answered(words: Sequence[str]) -> tuple[int, str, str]:
    """Run a command to its end and return its exit code, what it wrote, and what it said to people.

    The latter may hold a secret of its configuration: look into it, never pass it on.
    """
    with _running(words) as process:
        try:
            out, told = process.communicate(timeout=ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            raise StoreFailure(f"{_name(words)} does not answer within {ANSWER_SECONDS:g} seconds") from None
    return process.returncode, out.decode(errors="replace"), told.decode(errors="replace")


def at_work(words: Sequence[str], folder: Path, most_bytes: int) -> Generator[bytes, None, int]:
    """Run a command that fetches into a folder: yield empty pieces while it is at work, and return its exit code.

    Raises StoreFailure when more comes than that; however this ends, the command has ended.
    """
    with _running(words, silent=True) as process:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
            if _bytes_in(folder) > 2 * most_bytes + SPARE_BYTES:  # a client may copy what it has fetched
                raise StoreFailure(f"{_name(words)} fetches more than the {most_bytes:,} bytes that were announced")
            if process.returncode is not None:
                return process.returncode
            yield b""


def bytes_of(path: Path, start: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file that was fetched, from a place on."""
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def _running(words: Sequence[str], *, silent: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Give a command in a process group of its own, which is ended with the block."""
    out = subprocess.DEVNULL if silent else subprocess.PIPE
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)  # noqa: S603
    try:
        yield process
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _bytes_in(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it may be gone by now
            size += path.lstat().st_size if not path.is_dir() else 0
    return size


def _name(words: Sequence[str]) -> str:
    return Path(words[0]).name
