"""Dynamic signatures of the payment application, with RSA and with SM2. EMV 4.4 Book 2, 6.5 and 6.6; JR/T 0025.17."""

from __future__ import annotations

import hashlib

from simulators.applets.emv import EmvApplet
from simulators.applets.payment.data import SM2_KEY
from terminal.crypto import sm2
from terminal.crypto.sm3 import sm3

_SM2_FORMAT = b"\x15"


def dynamic_signature(card: EmvApplet, dynamic: bytes, terminal_data: bytes, *, chinese: bool) -> bytes:
    """Signed dynamic application data (9F4B) over ICC dynamic data and terminal data.

    RSA: with message recovery, EMV 4.4 Book 2, 6.5.2, table 17. SM2: 15, length, dynamic data, then r || s over these
    and the terminal's data, JR/T 0025.17. Raises Refuse: 6985 without the key.
    """
    if not chinese:
        return card.rsa_signature(card.rsa_key(), dynamic, terminal_data)
    number = card.need(SM2_KEY)
    head = _SM2_FORMAT + bytes((len(dynamic),)) + dynamic
    card.host.count_work("sm3", (len(head) + len(terminal_data)) // 64 + 5)
    card.host.count_work("sm2")
    return head + sm2.sign(sm2.Sm2Private.decode(number), head + terminal_data)


def transaction_hash(data: bytes, *, chinese: bool) -> bytes:
    """The transaction data hash code inside a combined signature: SHA-1, 20 bytes, or SM3, 32.

    EMV 4.4 Book 2, 6.6.1.
    """
    return sm3(data) if chinese else hashlib.sha1(data, usedforsecurity=False).digest()
