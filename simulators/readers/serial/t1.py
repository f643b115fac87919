"""The card's side of T=1: blocks, chains, retransmission, waiting time extension. ISO/IEC 7816-3:2006, 11.

The rules that a comment names are those of 11.6.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

FIRST_IFS: Final = 32
"""Bytes of an information field until a side says otherwise. 11.4.2."""
LONGEST: Final = 254
_MORE, _ACKNOWLEDGE, _SUPERVISE, _ANSWER = 0x20, 0x80, 0xC0, 0x20
_RESYNCH, _IFS, _ABORT, _WTX = 0x00, 0x01, 0x02, 0x03
_WRONG_CHECK, _WRONG_OTHERWISE = 0x01, 0x02
_REFUSALS: Final = 3
"""Blocks one after another that a card cannot read before it stays silent."""


def lrc(data: bytes) -> bytes:
    """Longitudinal redundancy code: the exclusive or of all bytes. 11.3.4."""
    return bytes((reduce(xor, data, 0),))


def crc(data: bytes) -> bytes:
    """Cyclic redundancy code of ISO/IEC 13239 with 16 bits, the first byte sent first. 11.3.4."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x8408 if register & 1 else 0)
    return (register ^ 0xFFFF).to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class _Block:
    pcb: int
    inf: bytes = b""


class BlockCard:
    """One powered contact at T=1, from the first character after the answer to reset.

    ``exchange`` answers command APDUs. ``ifsc``: longest information field that it takes. ``extend``: before each
    command it asks once for that many block waiting times (0: never).
    """

    def __init__(
        self, exchange: Callable[[bytes], bytes], *, ifsc: int = LONGEST, by_crc: bool = False, extend: int = 0
    ) -> None:
        self._exchange, self._ifsc, self._extend = exchange, ifsc, extend
        self._check = crc if by_crc else lrc
        self._buffer = bytearray()
        self._damaged = False
        self._begin()

    def _begin(self) -> None:
        self._ifsd = FIRST_IFS
        self._sends, self._expects = 0, 0  # N(S) of the next I-block from here, and from the interface device
        self._command = bytearray()
        self._response: list[bytes] = []  # what is still to be sent, the block that was sent last in front
        self._information_sent, self._other_sent = (
            b"",
            b"",
        )  # the last I-block that may be wanted again; the last R or S
        self._extending = False
        self._refused = 0

    # --- characters --------------------------------------------------------------------------------------------------

    def receive(self, character: int, *, sound: bool = True) -> bytes:
        """The characters that answer this one; none within a block. ``sound``: its parity was right."""
        self._buffer.append(character)
        self._damaged |= not sound
        if len(self._buffer) < 3 or len(self._buffer) < 3 + self._buffer[2] + len(self._check(b"")):
            return b""
        return self._whole()

    def silence(self) -> bytes:
        """The character waiting time is over: a block that is not complete was damaged on its way. 11.4.3, rule 7."""
        if not self._buffer:
            return b""
        self._damaged = True
        return self._whole()

    def _whole(self) -> bytes:
        raw, damaged = bytes(self._buffer), self._damaged
        self._buffer.clear()
        self._damaged = False
        size = len(self._check(b""))
        if damaged or len(raw) < 3 + size or self._check(raw[:-size]) != raw[-size:]:
            return self._refuse(_WRONG_CHECK)
        if raw[0] or raw[2] > self._ifsc:
            return self._refuse(_WRONG_OTHERWISE)
        return self._answer(_Block(raw[1], raw[3:-size]))

    # --- blocks ------------------------------------------------------------------------------------------------------

    def _answer(self, block: _Block) -> bytes:
        if not block.pcb & 0x80:
            return self._information(block)
        if block.pcb & 0x40:
            return self._supervision(block)
        return self._receipt(block)

    def _information(self, block: _Block) -> bytes:
        number = block.pcb >> 6 & 1
        if block.pcb & 0x1F or self._extending or self._unfinished or number != self._expects:
            return self._refuse(_WRONG_OTHERWISE)
        self._refused, self._expects = 0, self._expects ^ 1
        self._response.clear()  # the block acknowledges the last one of this card. Rule 2.1
        self._information_sent = b""
        self._command += block.inf
        if block.pcb & _MORE:
            return self._send(self._acknowledgement(0))  # rule 2.2
        if self._extend:
            self._extending = True
            return self._send(_Block(_SUPERVISE | _WTX, bytes((self._extend,))))  # rule 3
        return self._execute()

    def _execute(self) -> bytes:
        command = bytes(self._command)
        self._command.clear()
        response = self._exchange(command)
        self._response = [response[at : at + self._ifsd] for at in range(0, len(response), self._ifsd)]
        return self._next()

    @property
    def _unfinished(self) -> bool:
        """Whether parts of a response follow the one that was sent: only an R-block may come before them. Rule 5."""
        return len(self._response) > 1

    def _next(self) -> bytes:
        pcb = self._sends << 6 | (_MORE if self._unfinished else 0)
        self._sends ^= 1
        self._information_sent = self._encoded(_Block(pcb, self._response[0]))
        return self._information_sent

    def _receipt(self, block: _Block) -> bytes:
        """An R-block. Its number is that of the I-block which the interface device expects: the next part of a chain,
        the one before it again, or one to come where it wants the last R- or S-block again. Rules 2 and 7."""
        if block.pcb & 0x2F not in (0, _WRONG_CHECK, _WRONG_OTHERWISE) or block.inf:
            return self._refuse(_WRONG_OTHERWISE)
        has_all = block.pcb >> 4 & 1 == self._sends
        if self._unfinished and has_all:
            self._refused = 0
            del self._response[0]
            return self._next()
        again = self._other_sent if has_all else self._information_sent
        return again or self._refuse(_WRONG_OTHERWISE)

    def _supervision(self, block: _Block) -> bytes:
        kind = block.pcb & 0x3F
        if kind == _WTX | _ANSWER and self._extending and len(block.inf) == 1:
            self._extending, self._refused = False, 0
            return self._execute()
        if kind == _RESYNCH and not block.inf:
            self._begin()  # rule 6.3
        elif kind == _IFS and len(block.inf) == 1 and 1 <= block.inf[0] <= LONGEST:
            self._ifsd = block.inf[0]  # rule 4
        elif kind == _ABORT and not block.inf:
            self._command.clear()  # rule 9: either chain ends, and the interface device goes on
            self._response.clear()
        else:
            return self._refuse(_WRONG_OTHERWISE)
        self._refused = 0
        return self._send(_Block(block.pcb | _ANSWER, block.inf))

    def _acknowledgement(self, fault: int) -> _Block:
        return _Block(_ACKNOWLEDGE | self._expects << 4 | fault)

    def _refuse(self, fault: int) -> bytes:
        """Ask for the block again, a few times. Rule 7.1."""
        self._refused += 1
        if self._refused > _REFUSALS:
            return b""
        return self._send(self._acknowledgement(fault))

    def _send(self, block: _Block) -> bytes:
        """An R- or S-block."""
        self._other_sent = self._encoded(block)
        return self._other_sent

    def _encoded(self, block: _Block) -> bytes:
        raw = bytes((0, block.pcb, len(block.inf))) + block.inf
        return raw + self._check(raw)
