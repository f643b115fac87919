"""A virtual card at a bare I/O contact: answer to reset, PPS, then commands at T=0 or T=1.

ISO/IEC 7816-3:2006, 6 to 12.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from simulators.readers.protocols import CardInSlot
from simulators.readers.serial import t0
from simulators.readers.serial.characters import Talk, inverse
from simulators.readers.serial.t1 import BlockCard
from simulators.readers.timing import DEFAULT_TA1, Wire
from terminal.apdu import LinkProtocol
from terminal.errors import TransportError

_DIRECT, _INVERSE = 0x3B, 0x3F
_PPSS: Final = 0xFF
_TD2, _TA3 = 4, 5
"""Offsets in the answer of a virtual card at T=1: TD2 announces TA3 (IFSC) and TB3."""
_CLOCK: Final = 3.5712e6
"""Hertz that a serial port's 9,600 bit/s stand for: 372 clock cycles an etu."""


@dataclass(frozen=True, slots=True)
class ContactManner:
    """What cards may do, and do differently. ``one_by_one`` and ``nulls``: T=0 (:mod:`t0`); ``by_crc``, ``extend`` and
    ``ifsc``: T=1 (:class:`t1.BlockCard`); ``inverse``: the convention; ``refuses_pps``: it stays with its first rate.
    """

    inverse: bool = False
    one_by_one: bool = False
    nulls: int = 0
    by_crc: bool = False
    extend: int = 0
    ifsc: int = 254
    refuses_pps: bool = False


_USUAL: Final = ContactManner()


class SerialContact:
    """One contact with one card in it. Characters go in and out as a serial port has them, in either convention.

    ``rate`` is the present bit rate in bits a second. A card that loses its power says no more until the next reset.
    """

    def __init__(
        self, card: CardInSlot, protocol: LinkProtocol, ta1: int = DEFAULT_TA1, manner: ContactManner = _USUAL
    ) -> None:
        if protocol is LinkProtocol.CONTACTLESS:
            raise ValueError("a contactless card has no contact")
        self._card, self._protocol, self._ta1, self._manner = card, protocol, ta1, manner
        self._first = Wire(protocol, DEFAULT_TA1, _CLOCK).bit_rate
        self.rate = self._first
        self._blocks: BlockCard | None = None
        self._untouched, self._sound = False, True
        self._mute()

    def power_on(self) -> bytes:
        """Cold reset: the answer to reset."""
        return self._start(self._card.power_on)

    def reset(self) -> bytes:
        """Warm reset: the answer to reset."""
        return self._start(self._card.reset)

    def power_off(self) -> None:
        """Safe to call twice."""
        self._mute()
        self._card.power_off()

    def receive(self, characters: bytes, *, sound: bool = True) -> bytes:
        """What the card answers to these characters; ``sound``: their parity was right."""
        answer = bytearray()
        for character in inverse(characters) if self._manner.inverse else characters:
            try:
                answer += self._one(character, sound)
            except TransportError:  # mute, torn, or out of its memory: no card says why
                self._mute()
        return self._coded(bytes(answer))

    def silence(self) -> bytes:
        """What the card answers where the interface device stopped within a block for too long."""
        return self._coded(self._blocks.silence()) if self._blocks is not None else b""

    def _start(self, power: Callable[[], bytes]) -> bytes:
        self._mute()
        self.rate = self._first
        try:
            answer = self._announced(power())
        except TransportError:
            return b""
        self._speaks, self._untouched = self._negotiates(), True
        next(self._speaks)
        return self._coded(answer)

    def _announced(self, atr: bytes) -> bytes:
        """The card's answer to reset with what the manner changes: TS, the length of blocks, their check."""
        manner = self._manner
        if self._protocol is LinkProtocol.T1:
            body = bytearray(atr[:-1])
            body[_TA3] = manner.ifsc
            if manner.by_crc:
                body[_TD2] |= 0x40
                body.insert(_TA3 + 2, 0x01)  # TC3
            atr = bytes(body) + bytes((reduce(xor, body[1:]),))
        return (bytes((_INVERSE,)) + atr[1:]) if manner.inverse else atr

    def _one(self, character: int, sound: bool) -> bytes:
        if self._blocks is not None:
            return self._blocks.receive(character, sound=sound)
        if not sound and not (self._untouched and self._protocol is LinkProtocol.T1):
            self._mute()  # the error signal of 7.3 is the ports' business; without it nothing is right any more
            return b""
        self._untouched, self._sound = False, sound
        return self._speaks.send(character)

    def _negotiates(self) -> Talk:
        """PPS, if the first character is PPSS; else the protocol at the first rate. 6.3.1, 9."""
        first = yield b""
        if first == _PPSS and self._sound:
            first = yield (yield from self._pps())
        if self._protocol is LinkProtocol.T1:
            manner = self._manner
            self._blocks = BlockCard(self._card.exchange, ifsc=manner.ifsc, by_crc=manner.by_crc, extend=manner.extend)
            yield self._blocks.receive(first, sound=self._sound)
            return
        talk = t0.talk(self._card.exchange, one_by_one=self._manner.one_by_one, nulls=self._manner.nulls)
        next(talk)
        character = first
        while True:
            character = yield talk.send(character)

    def _pps(self) -> Generator[bytes, int, bytes]:
        """The answer to a PPS request; a card that gets a wrong one does not answer. 9.3."""
        request = bytearray((_PPSS, (yield b"")))
        for bit in (0x10, 0x20, 0x40):
            if request[1] & bit:
                request.append((yield b""))
        request.append((yield b""))
        wanted = LinkProtocol.T0 if not request[1] & 0x0F else LinkProtocol.T1
        if reduce(xor, request) or wanted is not self._protocol or request[1] & 0x0F > 1:
            yield from self._silent()
        if not request[1] & 0x10 or self._manner.refuses_pps:
            agreed = bytes((_PPSS, request[1] & 0x0F))
            return agreed + bytes((reduce(xor, agreed),))
        rate = self._rate(request[2])
        if rate is None:
            yield from self._silent()
        else:
            self.rate = rate
        agreed = bytes((_PPSS, request[1] & 0x1F, request[2]))
        return agreed + bytes((reduce(xor, agreed),))

    def _rate(self, pps1: int) -> float | None:
        """Bits a second of a proposed PPS1; None unless between the first rate and the one that TA1 offers. 9.2."""
        try:
            rate = Wire(self._protocol, pps1, _CLOCK).bit_rate
        except ValueError:  # reserved
            return None
        fastest = Wire(self._protocol, self._ta1, _CLOCK).bit_rate
        between = min(self._first, fastest) <= rate <= max(self._first, fastest)
        return rate if between else None

    def _coded(self, characters: bytes) -> bytes:
        return inverse(characters) if self._manner.inverse else characters

    def _mute(self) -> None:
        self._blocks = None
        self._speaks = self._silent()
        next(self._speaks)

    @staticmethod
    def _silent() -> Talk:
        while True:
            yield b""
