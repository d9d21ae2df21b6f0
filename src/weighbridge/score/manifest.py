"""What a bundle's files are: each named with its digest in a manifest, which is signed and whose digest is the id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from weighbridge.errors import BundleRefused
from weighbridge.identity import canonical
from weighbridge.ports import Signer, Verifier

FORMAT = 2
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"


def signed(about: Mapping[str, Any], files: Mapping[str, bytes], signer: Signer) -> tuple[str, dict[str, bytes]]:
    """Return a bundle's id and all its files, from what its manifest says about it and the files that are in it."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    content = canonical({"format": FORMAT, **about, "files": digests}).encode()
    signature = _signature(signer.key_id, signer.sign(content))
    return hashlib.sha256(content).hexdigest(), {**files, MANIFEST: content, SIGNATURE: signature}


def verified(bundle: str, files: Mapping[str, bytes], verifier: Verifier) -> dict[str, Any]:
    """Return the manifest after id, signature, format and the digest of every file were checked, in this order.

    Nothing but the manifest is parsed, and it only after its signature. Raises BundleRefused.
    """
    short = bundle[:12]
    for name in (MANIFEST, SIGNATURE):
        if name not in files:
            raise BundleRefused(f"bundle {short} has no {name}; restore it from a copy")
    if hashlib.sha256(files[MANIFEST]).hexdigest() != bundle:
        raise BundleRefused(f"bundle {short} was changed: its manifest does not have its id; restore it from a copy")
    _check_signature(short, files, verifier)
    manifest: dict[str, Any] = json.loads(files[MANIFEST])
    made = manifest["format"]
    if made != FORMAT:
        fix = "upgrade weighbridge" if isinstance(made, int) and made > FORMAT else "train again"
        raise BundleRefused(f"bundle {short} has format {made}, this program reads {FORMAT}; {fix}")
    named = manifest["files"]
    if set(named) != set(files) - {MANIFEST, SIGNATURE}:
        raise BundleRefused(f"bundle {short} does not hold exactly the files of its manifest; restore it from a copy")
    for name, sha256 in named.items():
        if hashlib.sha256(files[name]).hexdigest() != sha256:
            raise BundleRefused(f"bundle {short} was changed: {name} is not what was signed; restore it from a copy")
    return manifest


def _check_signature(short: str, files: Mapping[str, bytes], verifier: Verifier) -> None:
    try:
        signature = json.loads(files[SIGNATURE])
        raw, key_id = bytes.fromhex(signature["signature"]), str(signature["key"])
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise BundleRefused(f"bundle {short} has no readable signature; restore it from a copy") from fault
    if files[SIGNATURE] != _signature(key_id, raw) or not verifier.holds(files[MANIFEST], raw, key_id):
        raise BundleRefused(f"bundle {short} is not signed by a key this home trusts; restore it or train again")


def _signature(key_id: str, raw: bytes) -> bytes:
    return canonical({"key": key_id, "signature": raw.hex()}).encode()
