"""A disk without room: refused with a sentence, taken back from the state, and decided once there is room again."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from tests.crash.driver import Child, body, faults

ROOM = 400_000  # bytes


class SmallDisk:
    """A file system of its own with little room, and more on demand."""

    def __init__(self, home, folder):
        used = sum(path.stat().st_blocks * 512 for path in home.rglob("*"))
        self.folder, self._sizes = folder, (used + ROOM, used + 100 * ROOM)
        self._mount(f"size={self._sizes[0]}", "-t", "tmpfs", "tmpfs")
        self.home, self.how = shutil.copytree(home, folder / "home"), ""

    def _mount(self, options, *words):
        subprocess.run(["mount", "-o", options, *words, str(self.folder)], check=True, capture_output=True)

    def grow(self, child):
        self._mount(f"remount,size={self._sizes[1]}")

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class LimitedFiles:
    """No file may grow beyond a limit: the same failures (a write that ends early), on any machine."""

    def __init__(self, home, folder):
        self.home, self.how = home, str(ROOM)

    def grow(self, child):
        child.send({"event_id": "", "unlimited": True})

    def close(self):
        pass


@pytest.fixture(params=[SmallDisk, LimitedFiles])
def disk(request, home, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        made = request.param(home, folder)
    except (subprocess.CalledProcessError, FileNotFoundError) as fault:
        pytest.skip(
            f"a small file system cannot be mounted here ({getattr(fault, 'stderr', fault)}); limited files run"
        )
    yield made
    made.close()


@pytest.mark.slow
def test_a_full_disk_loses_nothing_and_is_recovered_from(disk):
    rng = random.Random(13)
    child = Child(disk.home, disk.how)
    bodies = [body(number, rng) for number in range(3_000)]
    sent = 0
    while not child.of("failed"):
        assert sent < len(bodies), "the disk did not fill"
        child.send(*bodies[sent : sent + 50])
        sent += 50
        assert child.wait_for(lambda heard=sent + 1: len(child.heard) == heard, 60)
    stored = len(child.of("ok"))
    assert 0 < stored < sent
    assert all("nothing of it was stored" in s["says"] for s in child.heard if s.get("kind") == "failed")
    disk.grow(child)
    child.send(*bodies[: sent + 50])
    assert child.wait_for(lambda: len(child.heard) == 2 * sent + 51, 60)
    assert len(set(child.of("ok"))) == sent + 50
    child.end()
    assert faults(disk.home, child.heard) == []
    again = Child(disk.home)
    again.send(*bodies[: sent + 100])
    again.end()
    assert len(again.of("ok")) == sent + 100
    assert faults(disk.home, child.heard + again.heard) == []
