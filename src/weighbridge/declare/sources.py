"""Where the tables of a use case come from: files, addresses, object stores and databases, each one a feed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weighbridge.declare.changes import MAY_BE_ACCEPTED
from weighbridge.declare.fields import check_duration, refuse

EVENTS, LABELS = "events", "labels"
DATABASES = ("sqlite", "postgresql")
DVC = ("dvc", "dvc+http", "dvc+https", "dvc+ssh")
SCHEMES = ("http", "https", "s3", "az", "gs", *DVC, "kaggle", *DATABASES)
FORMS = ("csv", "parquet")


@dataclass(frozen=True)
class Feed:
    """One place that a table of the use case comes from.

    `url`: a path or a glob of paths, or an address that begins with one of `SCHEMES`; it holds no secret. Without it,
    or in its place, the setting WEIGH_SOURCE__NAME gives the address, with user and password where it needs them.
    `of`: which table it holds, "events", "labels" or a child's name. `columns` names the column of a field where the
    file calls it otherwise, and `arrived` that of the arrivals. `form`, "csv" or "parquet", says what a file is whose
    name does not; `member` names the file inside a zip that has several. `sha256` or `md5`, in hex, is that of the file
    as it is fetched. `fresh`: how old the newest event may be, such as "1d". `largest_mb` bounds a file, packed and
    unpacked, and `within` the time it may take to come. `accepts` are kinds of change of the schema that are let
    through. `optional`: a glob that finds no file stands for a table without rows, not for a fault.
    """

    name: str
    url: str | None = None
    of: str = EVENTS
    columns: Mapping[str, str] = field(default_factory=dict)
    form: str | None = None
    member: str | None = None
    sha256: str | None = None
    md5: str | None = None
    fresh: str | None = None
    largest_mb: int = 20_480
    within: str = "1h"
    accepts: Sequence[str] = ()
    optional: bool = False

    def __post_init__(self) -> None:
        place = f"feed {self.name!r}"
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", self.name):
            raise refuse(place, "this is not a name", "use small letters, digits and underscores")
        if self.form not in (None, *FORMS):
            raise refuse(place, f"form={self.form!r} is unknown", f"use one of {FORMS}, or leave it to the file's name")
        for name, length in (("sha256", 64), ("md5", 32)):
            given = getattr(self, name)
            if given is not None and not re.fullmatch(rf"[0-9a-f]{{{length}}}", given):
                raise refuse(place, f"{name}= is not {length} small hex digits", f"copy the output of {name}sum")
        for option in ("fresh", "within"):
            if getattr(self, option) is not None:
                check_duration(place, option, getattr(self, option))
        if not 1 <= self.largest_mb <= 1 << 30:
            raise refuse(place, f"largest_mb={self.largest_mb} is out of range", "choose 1 to 1073741824")
        object.__setattr__(self, "accepts", tuple(self.accepts))
        strange = [kind for kind in self.accepts if kind not in MAY_BE_ACCEPTED]
        if strange:
            raise refuse(place, f"accepts= has {strange[0]!r}", f"use some of {', '.join(MAY_BE_ACCEPTED)}")
        if self.optional and (self.of in (EVENTS, LABELS) or "*" not in (self.url or "")):
            raise refuse(place, "optional=True is for a child table whose url is a glob", "drop it, or write a glob")
        if self.url is not None:
            self._check_url(place, self.url)

    def _check_url(self, place: str, url: str) -> None:
        scheme, separator, rest = url.partition("://")
        if not url or (separator and scheme not in SCHEMES):
            raise refuse(place, "its url is no address", f"give a path, or begin it with one of {', '.join(SCHEMES)}")
        known = rest.partition("/")[0].rpartition("@")[0]
        secret = ":" in known if scheme == "dvc+ssh" else bool(known)
        if separator and (secret or (scheme in ("http", "https") and "?" in rest)):
            raise refuse(
                place, "its url holds a user, a password or a query", f"set WEIGH_SOURCE__{self.name.upper()} instead"
            )
        if (self.sha256 or self.md5) and ("*" in url or scheme in DATABASES):
            raise refuse(place, "a digest is that of one file", "drop sha256= and md5=, or name one file")


def check_feeds(place: str, feeds: Sequence[Feed], children: Sequence[str]) -> None:
    """Refuse two feeds of one name, and one of a table that there is not."""
    known = (EVENTS, LABELS, *children)
    for feed in feeds:
        if feed.of not in known:
            raise refuse(f"feed {feed.name!r}", f"of={feed.of!r} is no table", f"use one of {', '.join(known)}")
    names = [feed.name for feed in feeds]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise refuse(place, f"two sources are called {twice[0]}", "rename one of them")
