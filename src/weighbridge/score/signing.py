"""Ed25519 signatures by the home's own key."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Trusted:
    """Checks signatures by the public keys it is given, 32 bytes each. Raises ValueError for what is no key."""

    def __init__(self, *publics: bytes) -> None:
        self._keys = {key_id_of(public): Ed25519PublicKey.from_public_bytes(public) for public in publics}

    def holds(self, content: bytes, signature: bytes, key_id: str) -> bool:
        """Whether a trusted key of this id made the signature."""
        if key_id not in self._keys:
            return False
        try:
            self._keys[key_id].verify(signature, content)
        except InvalidSignature:
            return False
        return True


class HomeSigner(Trusted):
    """Signs with one private key (32 bytes) and trusts its public half and any other public keys given."""

    def __init__(self, private: bytes, trusted: tuple[bytes, ...] = ()) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        super().__init__(self.public, *trusted)

    @property
    def public(self) -> bytes:
        """The public half of the key that signs, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        """The id of the key that signs."""
        return key_id_of(self.public)

    def sign(self, content: bytes) -> bytes:
        """Return the 64-byte signature of content."""
        return self._private.sign(content)


def key_id_of(public: bytes) -> str:
    """Return the id of a public key: the first 16 hex digits of its sha256."""
    return hashlib.sha256(public).hexdigest()[:16]
