"""A lock of a folder and the children that are forked while it is held."""

from __future__ import annotations

import subprocess
import sys

FORKS = """
import os, sys
from pathlib import Path
from weighbridge.stores.locks import FolderLocks

locks = FolderLocks(Path(sys.argv[1]))
left_read, left_write = os.pipe()
tried_read, tried_write = os.pipe()
with locks.hold("a", "parent") as held:
    assert held is not None
    child = os.fork()
    if child:
        os.waitpid(child, 0) if sys.argv[2] == "leaves" else None
        with locks.hold("a", "other") as other:
            print("held" if other is None else "free")
        print((Path(sys.argv[1]) / "a.lock").read_text())
    elif sys.argv[2] == "stays":
        os.read(left_read, 1)  # has the file open until the parent says so
        os._exit(0)
if not child:
    os._exit(0)  # it left the block as its parent would
with locks.hold("a", "next") as after:
    print("held" if after is None else "free")
if sys.argv[2] == "stays":
    os.write(left_write, b"x")
    os.waitpid(child, 0)
"""


def told(folder, what):
    done = subprocess.run([sys.executable, "-c", FORKS, folder, what], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_child_that_has_the_file_open_keeps_no_lock(tmp_path):
    assert told(tmp_path, "stays") == ["held", "parent", "free"]


def test_a_child_that_leaves_the_block_lets_go_of_nothing(tmp_path):
    assert told(tmp_path, "leaves") == ["held", "parent", "free"]
