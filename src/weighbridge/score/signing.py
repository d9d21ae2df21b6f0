"""Ed25519 signatures by the home's own key."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class HomeSigner:
    """Signs with one private key (32 bytes) and trusts its public half and any other public keys given."""

    def __init__(self, private: bytes, trusted: tuple[bytes, ...] = ()) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        own = self._private.public_key().public_bytes_raw()
        self._trusted = {key_id_of(public): public for public in (own, *trusted)}
        self._key_id = key_id_of(own)

    @property
    def key_id(self) -> str:
        """The id of the key that signs."""
        return self._key_id

    def sign(self, content: bytes) -> bytes:
        """Return the 64-byte signature of content."""
        return self._private.sign(content)

    def holds(self, content: bytes, signature: bytes, key_id: str) -> bool:
        """Whether a trusted key of this id made the signature."""
        if key_id not in self._trusted:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self._trusted[key_id]).verify(signature, content)
        except InvalidSignature:
            return False
        return True


def key_id_of(public: bytes) -> str:
    """Return the id of a public key: the first 16 hex digits of its sha256."""
    return hashlib.sha256(public).hexdigest()[:16]
