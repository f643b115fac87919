"""Padding to whole blocks and its strict removal. ISO/IEC 9797-1, 6.3."""

from __future__ import annotations

from terminal.errors import CryptoError


def pad1(data: bytes, block: int) -> bytes:
    """Data and zero bytes up to whole blocks, none where they are whole already; empty data become one block.

    ISO/IEC 9797-1, padding method 1. Not reversible without the length.
    """
    return data + bytes(-len(data) % block) if data else bytes(block)


def unpad1(data: bytes, length: int, block: int) -> bytes:
    """The first ``length`` bytes of data padded by method 1. Raises CryptoError unless ``pad1`` restores ``data``."""
    plain = data[:length]
    if len(plain) != length or pad1(plain, block) != data:
        raise CryptoError(f"the data are not {length} bytes padded by method 1 to blocks of {block}")
    return plain


def pad2(data: bytes, block: int) -> bytes:
    """Data, one byte 80, then zero bytes up to whole blocks. ISO/IEC 9797-1, padding method 2."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def unpad2(data: bytes, block: int) -> bytes:
    """Data without their method 2 padding. Raises CryptoError unless ``pad2`` restores ``data``."""
    end = data.rfind(b"\x80")
    if end < 0 or len(data) % block or len(data) - end > block or data.count(0, end + 1) != len(data) - end - 1:
        raise CryptoError(f"the data are not padded by method 2 to blocks of {block}")
    return data[:end]
