"""Features that a reader reports through PC/SC Part 10 control codes."""

from __future__ import annotations

from collections.abc import Callable

FEATURE_REQUEST = 0x42000000 + 3400
"""CM_IOCTL_GET_FEATURE_REQUEST as pcsc-lite numbers it. PC/SC Part 10, 2.2."""
_GET_TLV_PROPERTIES = 0x12
_MAX_APDU_DATA_SIZE = 0x0A


def _objects(raw: bytes) -> dict[int, bytes]:
    """Values by tag; tag and length have one byte each. A truncated object at the end is left out."""
    values: dict[int, bytes] = {}
    at = 0
    while at + 2 <= len(raw) and at + 2 + raw[at + 1] <= len(raw):
        values[raw[at]] = raw[at + 2 : at + 2 + raw[at + 1]]
        at += 2 + raw[at + 1]
    return values


def supports_extended_length(control: Callable[[int], bytes]) -> bool:
    """Whether a reader carries extended APDUs; True for one that does not report it.

    ``control`` sends a control code to the reader and returns its answer, empty where there is none. The reader's
    property dwMaxAPDUDataSize is little-endian; up to 256 means short APDUs only. PC/SC Part 10, 2.6.14.
    """
    code = _objects(control(FEATURE_REQUEST)).get(_GET_TLV_PROPERTIES, b"")
    if len(code) != 4:
        return True
    largest = _objects(control(int.from_bytes(code, "big"))).get(_MAX_APDU_DATA_SIZE)
    return largest is None or int.from_bytes(largest, "little") > 256
