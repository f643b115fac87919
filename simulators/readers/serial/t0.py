"""The card's side of T=0: a header of five bytes, procedure bytes, data, and the status. ISO/IEC 7816-3:2006, 10.3.

A card knows of each instruction which way its data go. GET RESPONSE and 6Cxx are the business of the operating system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulators.readers.serial.characters import Talk, take

NULL: Final = 0x60
_OUTGOING: Final = frozenset((0x70, 0x84, 0xB0, 0xB2, 0xC0, 0xCA))
"""Instructions whose data come from the card: MANAGE CHANNEL (open), GET CHALLENGE, READ BINARY, READ RECORD, GET
RESPONSE, GET DATA. ISO/IEC 7816-4:2020, Table 4. Those with data both ways begin with the data to the card."""
_GET_RESPONSE: Final = 0xC0
_INVALID_INS: Final = b"\x6d\x00"
_NO_HEADER: Final = b""


def talk(exchange: Callable[[bytes], bytes], *, one_by_one: bool = False, nulls: int = 0) -> Talk:
    """Serve commands without end. ``exchange`` answers command APDUs of short length as at T=0.

    ``one_by_one``: each byte of data is asked for by INS xor FF rather than all by INS. ``nulls``: as many NULL bytes
    before each status, as from a card that needs more time.
    """
    answer, waiting, pending = b"", (_NO_HEADER, b""), b""
    while True:
        header = yield from take(5, answer)
        ins, p3 = header[1], header[4]
        pause = bytes((NULL,)) * nulls
        if ins >> 4 in (0x6, 0x9):
            answer = _INVALID_INS
        elif ins == _GET_RESPONSE and pending:
            response, pending = _part(pending, p3 or 256)
            answer = pause + (_data(ins, response, one_by_one) if len(response) > 2 else response)
        elif ins in _OUTGOING and not _secured(header[0]):
            response = waiting[1] if waiting[0] == header else exchange(header)
            waiting, pending = (_NO_HEADER, b""), b""
            count = len(response) - 2
            if count and count != (p3 or 256):  # T=0 carries as many bytes as P3 says, or none. 10.3.2, 12.2.3
                waiting = (header[:4] + bytes((count & 0xFF,)), response)
                response = bytes((0x6C, count & 0xFF))
            answer = pause + (_data(ins, response, one_by_one) if len(response) > 2 else response)
        else:
            body = b""
            if p3 and one_by_one:
                for _ in range(p3):
                    body += yield from take(1, bytes((ins ^ 0xFF,)))
            elif p3:
                body = yield from take(p3, bytes((ins,)))
            response = exchange(header + body if p3 else header[:4])
            waiting, pending = (_NO_HEADER, b""), b""
            if not p3 and response[0] == 0x6C:  # data without data to the card before: they follow all the same. 12.2.2
                pending = exchange(header[:4] + response[1:])
                response = _more(pending)
            answer = pause + response


def _secured(cla: int) -> bool:
    """Whether a command comes under secure messaging: its MAC are data to the card, whatever the instruction. ISO/IEC
    7816-4:2020, 5.4.1; GPC 2.3.1, 11.1.4."""
    return bool(cla & (0x20 if cla & 0x40 else 0x0C))


def _part(pending: bytes, wanted: int) -> tuple[bytes, bytes]:
    """The answer to GET RESPONSE, 6Cxx where there are not as many data, and what is pending after it. ISO/IEC
    7816-4:2020, 11.7.1."""
    count = len(pending) - 2
    if wanted > count:
        return bytes((0x6C, count & 0xFF)), pending
    if wanted == count:
        return pending, b""
    return pending[:wanted] + _more(pending[wanted:]), pending[wanted:]


def _more(pending: bytes) -> bytes:
    return bytes((0x61, min(len(pending) - 2, 256) & 0xFF))


def _data(ins: int, response: bytes, one_by_one: bool) -> bytes:
    """Data with their procedure bytes, then the status."""
    if not one_by_one:
        return bytes((ins,)) + response
    return b"".join(bytes((ins ^ 0xFF, byte)) for byte in response[:-2]) + response[-2:]
