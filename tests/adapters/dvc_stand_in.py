"""A stand-in for DVC's client: a command `dvc` that lists and gets files of a folder, REPOSITORY/REVISION/PATH.

It answers as DVC 3.67 was seen to answer; the soak test holds it against the real one. A file `trouble` beside the
revisions says what goes wrong.
"""

from __future__ import annotations

import sys

SCRIPT = """#!{python} -IS
import hashlib, json, pathlib, sys, time
verb, *words = sys.argv[1:]
at = words.index("--")
options = dict(word.lstrip("-").partition("=")[::2] for word in words[:at])
repository, *path = words[at + 1 :]
home = pathlib.Path(repository)
trouble = (home / "trouble").read_text() if (home / "trouble").exists() else ""
place = home / options["rev"] / (path[0] if path else "")
if not place.exists() or trouble == "unreachable":
    sys.exit("ERROR: failed at http://ana:geheim@host: " + (trouble or "[Errno 2] No such file or directory"))
if verb == "list":
    files = [f for f in place.iterdir()]
    told = [(f.name, f.is_dir(), 4096 if f.is_dir() else f.stat().st_size,
             None if f.is_dir() else hashlib.md5(f.read_bytes()).hexdigest()) for f in files]
    print(json.dumps([dict(isout=True, isdir=d, isexec=False, size=s, md5=m, path=n) for n, d, s, m in told]))
else:
    target, content = pathlib.Path(options["out"]), place.read_bytes()
    target.with_name("pid").write_text(str(__import__("os").getpid()))
    if trouble == "slow":
        time.sleep(600)
    if trouble == "huge":
        target.write_bytes(bytes(20 << 20))
        time.sleep(600)
    if trouble == "gone":
        sys.exit("ERROR: unexpected error - No storage files available")
    target.write_bytes(content[::-1] if trouble == "damaged" else content)
"""


def put_in_place(folder):
    """Write the command into a folder and return it."""
    command = folder / "dvc"
    command.write_text(SCRIPT.format(python=sys.executable))
    command.chmod(0o755)
    return command
