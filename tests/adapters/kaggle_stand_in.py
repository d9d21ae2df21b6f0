"""A stand-in for Kaggle's client: a command `kaggle` that lists, two at a time, and fetches files of a folder.

It answers as kaggle 2.2 was seen to answer; the soak test runs the same tests with the client itself. A file whose
name begins with "big" comes in a zip.
"""

from __future__ import annotations

import sys

SCRIPT = """#!{python} -IS
import datetime, json, pathlib, sys, zipfile
kind, verb, *words = [word for word in sys.argv[1:] if word != "-W"]
at = words.index("--")
options = dict(word.lstrip("-").partition("=")[::2] for word in words[:at])
shelf = pathlib.Path("{shelf}") / kind / words[at + 1]
if (shelf / "unreachable").exists():
    sys.exit("HTTPConnectionPool(host='ana:geheim@host'): Max retries exceeded")
if not shelf.is_dir():
    sys.exit("404 Client Error: Not Found for url")
if verb == "files":
    files = sorted(f for f in shelf.rglob("*") if f.is_file())
    begin = int(options.get("page-token") or 0)
    if begin + 2 < len(files):
        print("Next Page Token =", begin + 2)
    made = [datetime.datetime.fromtimestamp(f.stat().st_mtime, datetime.timezone.utc) for f in files]
    told = [dict(name=str(f.relative_to(shelf)), size=f.stat().st_size, creationDate=m.replace(tzinfo=None).isoformat())
            for f, m in zip(files, made)]
    print(json.dumps(told[begin : begin + 2], indent=2))
else:
    place, target = shelf / options["file"], pathlib.Path(options["path"])
    if place.name.startswith("big"):
        with zipfile.ZipFile(target / (place.name + ".zip"), "w") as archive:
            archive.writestr(place.name, place.read_bytes())
    else:
        (target / place.name).write_bytes(place.read_bytes())
"""


def put_in_place(folder, shelf):
    """Write the command into a folder; it gives what lies in `shelf`, by kind and name."""
    command = folder / "kaggle"
    command.write_text(SCRIPT.format(python=sys.executable, shelf=shelf))
    command.chmod(0o755)
