"""Published keys: test keys and factory defaults, which production refuses."""

from __future__ import annotations

from terminal.crypto import des

GP_TEST_KEY = bytes(range(0x40, 0x50))
"""The ENC, MAC and DEK key of blank stock, published with every toolkit; for simulation only."""

_PUBLISHED = (
    GP_TEST_KEY,
    bytes.fromhex("47454D5850524553534F53414D504C45"),  # a card manufacturer's sample master for VISA2 derivation
    bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"),
    bytes.fromhex("00112233445566778899AABBCCDDEEFF"),
    bytes.fromhex("11223344556677889900AABBCCDDEEFF"),
    bytes.fromhex("11223344556677888877665544332211"),
    bytes.fromhex("1122334455667788AABBCCDDEEFF0011"),
    bytes.fromhex("404142434445464748494A4B4C4D4E4F")[::-1],
    bytes(range(16)),
    bytes(range(1, 17)),
    bytes(range(0x10, 0x20)),
    bytes(range(0x20, 0x30)),
)
_WINDOW = 16
# DES ignores parity bits, so 404142.. and 404043.. are the same DES key: they are compared without parity.
_KNOWN = frozenset(des.adjust_parity(key) for key in _PUBLISHED)


def is_published(key: bytes) -> bool:
    """Whether any 16 bytes of the key are a published test key, two equal halves, or one byte repeated."""
    plain = des.adjust_parity(key)
    windows = (plain[i : i + _WINDOW] for i in range(len(plain) - _WINDOW + 1))
    return any(len(set(w)) == 1 or w[:8] == w[8:] or w in _KNOWN for w in windows)
