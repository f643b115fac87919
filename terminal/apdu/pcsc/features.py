"""What a reader says of itself through PC/SC Part 10 control codes."""

from __future__ import annotations

from collections.abc import Callable

FEATURE_REQUEST = 0x42000000 + 3400
"""CM_IOCTL_GET_FEATURE_REQUEST as pcsc-lite numbers it. PC/SC Part 10, 2.2."""
_GET_TLV_PROPERTIES = 0x12
_MAX_APDU_DATA_SIZE = 0x0A


def _objects(raw: bytes) -> dict[int, bytes]:
    """Tag, length, value, one byte each for the first two; what is cut short is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 2 <= len(raw) and at + 2 + raw[at + 1] <= len(raw):
        found[raw[at]] = raw[at + 2 : at + 2 + raw[at + 1]]
        at += 2 + raw[at + 1]
    return found


def carries_extended(control: Callable[[int], bytes]) -> bool:
    """Whether a reader carries extended APDUs; one that does not say is taken to.

    ``control`` sends a control code to the reader and gives its answer, empty where it has none. The reader's property
    dwMaxAPDUDataSize is little-endian; up to 256 means short APDUs only. PC/SC Part 10, 2.6.14.
    """
    code = _objects(control(FEATURE_REQUEST)).get(_GET_TLV_PROPERTIES, b"")
    if len(code) != 4:
        return True
    largest = _objects(control(int.from_bytes(code, "big"))).get(_MAX_APDU_DATA_SIZE)
    return largest is None or int.from_bytes(largest, "little") > 256
