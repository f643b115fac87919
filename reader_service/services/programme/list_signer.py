"""The key of the signed lists, with which this installation signs what its counters verify."""

from __future__ import annotations

from typing import Final

from personalize.lists import public_key
from terminal.crypto.rsa import RsaPublic
from terminal.keys import KeyCustody

_SIGNER: Final = "list-signer"


class ListSigner:
    """Signs with the newest list key in custody. Every method raises CustodyError where there is none."""

    def __init__(self, custody: KeyCustody) -> None:
        self._custody = custody

    def key(self) -> RsaPublic:
        """The public key that verifies the signatures."""
        return public_key(self._custody.info(self._custody.latest(_SIGNER)))

    def sign(self, message: bytes) -> bytes:
        return self._custody.sign(self._custody.latest(_SIGNER), message)
