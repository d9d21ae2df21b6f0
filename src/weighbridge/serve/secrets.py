"""The secrets of a home: files for its owner only."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from weighbridge.errors import HomeError

SECRETS = ("signing.key", "pseudonym.key")  # of no use without them
DRAWS = "draw.key"  # made at first use: without it, what was drawn before stays as it was recorded


def read_keys(keys: Path) -> dict[str, bytes]:
    """Return the keys in a folder by name, 32 bytes each. Raises HomeError when one is missing or damaged."""
    make_keys(keys, DRAWS)
    return {name: _read(keys / name) for name in (*SECRETS, DRAWS)}


def make_keys(keys: Path, *names: str) -> None:
    """Make the keys that are missing, whole or not at all; of several processes that do, the first one's counts.

    Raises HomeError when none can be made there.
    """
    from weighbridge.stores.files import PART, sync_folder

    try:
        for name in (name for name in names if not (keys / name).exists()):
            keys.mkdir(parents=True, exist_ok=True)
            keys.chmod(0o700)
            part = keys / f"{name}.{secrets.token_hex(4)}{PART}"
            try:
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as key:
                    key.write(secrets.token_hex(32))
                    key.flush()
                    os.fsync(key.fileno())
                with suppress(FileExistsError):
                    (keys / name).hardlink_to(part)
            finally:
                part.unlink(missing_ok=True)
            sync_folder(keys)
    except OSError as fault:
        raise HomeError(f"no key can be made in {keys} ({fault.strerror}); choose another --home") from None


def _read(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != 32:
        raise HomeError(f"{path} is missing or damaged; without it this home cannot be used, restore it from a copy")
    return key
