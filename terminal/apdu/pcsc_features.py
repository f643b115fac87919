"""What a reader says of itself through PC/SC Part 10 control codes."""

from __future__ import annotations

FEATURE_REQUEST = 3400
GET_TLV_PROPERTIES = 0x12
_MAX_APDU_DATA_SIZE = 0x0A


def control_code(number: int) -> int:
    """SCARD_CTL_CODE as pcsc-lite computes it."""
    return 0x42000000 + number


def _objects(raw: bytes) -> dict[int, bytes]:
    """Tag, length, value, one byte each for the first two; what is cut short is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 2 <= len(raw) and at + 2 + raw[at + 1] <= len(raw):
        found[raw[at]] = raw[at + 2 : at + 2 + raw[at + 1]]
        at += 2 + raw[at + 1]
    return found


def features(raw: bytes) -> dict[int, int]:
    """Feature number to control code, from the answer to CM_IOCTL_GET_FEATURE_REQUEST. PC/SC Part 10, 2.2."""
    return {tag: int.from_bytes(value, "big") for tag, value in _objects(raw).items() if len(value) == 4}


def largest_apdu_data(raw: bytes) -> int | None:
    """dwMaxAPDUDataSize from the answer to GET_TLV_PROPERTIES, in bytes; 256 for "short only", None where not told.

    PC/SC Part 10, 2.6.14: little-endian; 0 means short APDUs only.
    """
    value = _objects(raw).get(_MAX_APDU_DATA_SIZE)
    return None if value is None else int.from_bytes(value, "little") or 256
