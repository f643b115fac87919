"""SM3, the hash of the Chinese algorithms."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SM3, Hash

SIZE = 32
_SM3 = SM3()


def sm3(data: bytes) -> bytes:
    """The hash of the data, 32 bytes. GB/T 32905; GM/T 0004."""
    digest = Hash(_SM3)
    digest.update(data)
    return digest.finalize()
