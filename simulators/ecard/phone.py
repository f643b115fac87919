"""A telephone: a P-256 key pair of its own, a delegation from the issuer, and a new code every 30 seconds."""

from __future__ import annotations

import base64
import secrets
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

_PREFIX: Final = b"membercard e-card presentation\x00"
_STEP: Final = 30


class MemberPhone:
    """A telephone of a member; ``private`` is its key where a test needs the same one again."""

    def __init__(self, private: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._private = private or ec.generate_private_key(ec.SECP256R1())

    @property
    def key(self) -> bytes:
        """The public key: a compressed point, 33 bytes."""
        compressed = serialization.PublicFormat.CompressedPoint
        return self._private.public_key().public_bytes(serialization.Encoding.X962, compressed)

    def code(self, delegation: bytes, unix_seconds: float, nonce: bytes | None = None) -> str:
        """What the telephone shows at that time: letters of base32."""
        step = int(unix_seconds) // _STEP
        content = delegation + step.to_bytes(4, "big") + (secrets.token_bytes(4) if nonce is None else nonce)
        der = self._private.sign(_PREFIX + content, ec.ECDSA(hashes.SHA256()))
        r, s = utils.decode_dss_signature(der)
        whole = content + r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return base64.b32encode(whole).decode("ascii").replace("=", "")
