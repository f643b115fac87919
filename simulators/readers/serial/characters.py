"""Characters on the I/O contact: the two conventions, and how many an answer holds.

A card in inverse convention sends the most significant bit first and codes 1 as low, so that a serial port, which knows
the direct convention alone, takes each byte for its mirror image with all bits turned. ISO/IEC 7816-3:2006, 7.2, 8.1.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

Talk = Generator[bytes, int, None]
"""One side of a half-duplex protocol: it is sent a character, and yields those that it answers; none while it waits."""

_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) ^ 0xFF for byte in range(256))
"""What a serial port reads of each byte in inverse convention; the same table leads back."""


def inverse(characters: bytes) -> bytes:
    """Bytes in inverse convention as a serial port sends and receives them; applied twice, they are as before."""
    return characters.translate(_MIRRORED)


def take(count: int, answer: bytes = b"") -> Generator[bytes, int, bytes]:
    """Send an answer, and receive ``count`` characters after it. At least one where there is an answer to send."""
    received = bytearray()
    for _ in range(count):
        received.append((yield answer))
        answer = b""
    return bytes(received)
