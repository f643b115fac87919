"""The combined signature of a card over its cryptogram and the data of a transaction (CDA). EMV 4.4 Book 2, 6.6.

Pure, on a key and bytes: the payment kernel turns a failure into TVR bits, the member application into a redemption
that is not proven. Raises OdaFailed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication import rsa
from terminal.emv.authentication.rsa import Check, CombinedData, DynamicData, OdaFailed, Signed
from terminal.emv.data.tags import TAG_9F4B_SIGNED_DYNAMIC_DATA, TAG_9F27_CID
from terminal.tlv import Tlvs, split

_SHA1_BYTES: Final = 20


class SigningKey(Protocol):
    """The public key of a card, proven by its certificates: RSA, or SM2."""

    @property
    def hash_size(self) -> int:
        """Bytes of the hash over the transaction data."""
        ...

    def dynamic(self, signature: bytes, terminal_data: bytes) -> DynamicData:
        """Verify a dynamic signature (9F4B) over the terminal's data. EMV 4.4 Book 2, 6.5.2, 6.6.2."""
        ...

    def hash(self, data: bytes) -> bytes:
        """The hash over the transaction data in a CDA signature."""
        ...


@dataclass(frozen=True, slots=True)
class RsaSigningKey:
    """The RSA key of a card. EMV 4.4 Book 2, 6.6; SHA-1 is the only hash it has."""

    key: RsaPublic

    @property
    def hash_size(self) -> int:
        return _SHA1_BYTES

    def dynamic(self, signature: bytes, terminal_data: bytes) -> DynamicData:
        return rsa.dynamic_signature(self.key, signature, terminal_data=terminal_data)

    def hash(self, data: bytes) -> bytes:
        return hashlib.sha1(data, usedforsecurity=False).digest()


def signed_data(key: SigningKey, signature: bytes, unpredictable: bytes) -> CombinedData:
    """The data that the card signed over this unpredictable number (9F37). EMV 4.4 Book 2, 6.6.2, steps 1 to 9."""
    return CombinedData.of(key.dynamic(signature, unpredictable), key.hash_size)


def verify_answer(
    key: SigningKey, answer: Tlvs, sent: Sequence[bytes], unpredictable: bytes, *, signed: CombinedData | None = None
) -> CombinedData:
    """Verify the signature in an answer to GENERATE AC. The cryptogram is the one in the result.

    ``answer`` are the objects inside the 77 template; ``sent`` the data for PDOL, CDOL1 and, for the second GENERATE
    AC, CDOL2, as they went to the card; ``signed`` what ``signed_data`` gave for this answer. EMV 4.4 Book 2, 6.6.2.
    """
    signature, cid = answer.present(TAG_9F4B_SIGNED_DYNAMIC_DATA), answer.present(TAG_9F27_CID)
    if not signature or not cid:
        raise OdaFailed(Signed.DYNAMIC, Check.DYNAMIC_DATA, f"no {'9F27' if signature else '9F4B'}")
    combined = signed or signed_data(key, signature, unpredictable)
    if bytes((combined.cid,)) != cid:
        raise OdaFailed(Signed.DYNAMIC, Check.CRYPTOGRAM_INFORMATION)
    parts = split(answer.encode(), padding="ff-tags")
    signed_objects = b"".join([raw for tag, raw in parts if tag != TAG_9F4B_SIGNED_DYNAMIC_DATA])
    if not hmac.compare_digest(key.hash(b"".join(sent) + signed_objects), combined.transaction_hash):
        raise OdaFailed(Signed.DYNAMIC, Check.TRANSACTION_HASH)
    return combined
