"""What a terminal sends an issuer, for tests that play the card: a purchase, its cryptogram left to an oracle."""

from __future__ import annotations

from simulators.cryptograms.schemes import AC_TAGS
from terminal.tlv import tlv

PAN = "6217001234567890"
AC, SMI, SMC = (bytes.fromhex(half * 16) for half in ("23", "45", "67"))
IAD = {
    "cvn10": "06010A03A00000",
    "cvn18": "06011203A00000",
    "cvn22": "1F220100A00000000000000000000000000000000000000000000000000000",
    "pboc-des": "07010103A0000001",
    "pboc-sm4": "07010103A0000004",
}


def purchase(iad: str, atc: int = 1, amount: int = 1234, kind: int = 0x80) -> dict[int, bytes]:
    """The data of a purchase without its cryptogram."""
    return {
        0x9F02: bytes.fromhex(f"{amount:012d}"),
        0x9F03: bytes(6),
        0x9F1A: bytes.fromhex("0156"),
        0x95: bytes.fromhex("0000048000")[:2] + bytes(3),
        0x5F2A: bytes.fromhex("0156"),
        0x9A: bytes.fromhex("261122"),
        0x9C: b"\x00",
        0x9F37: bytes.fromhex("52BF4585"),
        0x82: bytes.fromhex("7C00"),
        0x9F36: atc.to_bytes(2, "big"),
        0x9F10: bytes.fromhex(iad.ljust(64, "0") if iad.startswith("1F") else iad),
        0x9F27: bytes((kind,)),
    }


def covered(values: dict[int, bytes], own: bytes) -> bytes:
    return b"".join(values[tag] for tag in AC_TAGS) + own


def message(values: dict[int, bytes], cryptogram: bytes, pan: str = PAN, sequence: int = 1, **more: bytes) -> bytes:
    """The request's bytes; further objects by tag: ``t99=block``."""
    objects = {0x5A: bytes.fromhex(pan + "F" * (len(pan) % 2)), 0x5F34: bytes.fromhex(f"{sequence:02d}")}
    objects |= values | {0x9F26: cryptogram} | {int(tag[1:], 16): value for tag, value in more.items()}
    return b"".join(tlv(tag, value).encode() for tag, value in objects.items())
