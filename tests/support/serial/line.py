"""A serial line to a scripted card, in virtual time: every character passes here, and one of them may be damaged.

The cards are just enough to hold a conversation: no command is executed anywhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from terminal.apdu.serial.line import Arrived


@dataclass(frozen=True)
class Mishap:
    """What happens to one character of a conversation, counted from 0 over both directions: ``lost``, ``doubled``, or
    ``flipped`` by ``mask``, which goes with wrong parity where an odd number of bits differs or ``noticed``."""

    at: int
    kind: str
    mask: int = 0x01
    noticed: bool = True

    def __str__(self) -> str:
        return f"character {self.at} {self.kind}"


class LineCard(Protocol):
    """The card's end of a line: bytes in its convention."""

    inverse: bool

    def reset(self) -> bytes: ...
    def receive(self, value: int, damaged: bool) -> bytes:
        """The answer to one more byte, mostly none."""
        ...

    def quiet(self) -> bytes:
        """The answer to silence, mostly none."""
        ...


def mirrored(value: int) -> int:
    """A byte of the inverse convention as a UART has it."""
    return sum(1 << (7 - bit) for bit in range(8) if not value >> bit & 1)


@dataclass
class VirtualLine:
    """A SerialLine without a port. Time passes only while nothing comes."""

    card: LineCard | None
    echo: bool = False
    parity: bool = True
    """Whether the port reports wrong parity."""
    resettable: bool = True
    paced: bool = True
    present: bool | None = None
    mishap: Mishap | None = None
    rates: tuple[float, ...] = ()
    """The only rates that the port can do, where some are named."""
    settings: list[tuple[int, bool, int]] = field(default_factory=list)
    """Rate, odd parity and stop bits, each time they were set."""
    sent: bytearray = field(default_factory=bytearray)
    """All bytes sent since the last reset, in the card's convention."""
    resets: int = 0
    clock: float = 0.0
    held: bool = False
    passed: int = 0
    """Characters that passed so far."""
    waiting: deque[tuple[int, bool]] = field(default_factory=deque)

    def now(self) -> float:
        return self.clock

    def pause(self, seconds: float) -> None:
        self.clock += seconds

    def configure(self, rate: float, *, odd: bool, stop_bits: int) -> bool:
        if self.rates and not any(abs(rate - one) < one / 50 for one in self.rates):
            return False
        self.settings.append((round(rate), odd, stop_bits))
        return True

    def drain(self) -> None:
        """Nothing is ever late here."""

    def discard(self) -> None:
        self.waiting.clear()

    def hold_reset(self) -> None:
        self.held = self.resettable

    def release_reset(self) -> None:
        self.held = False
        self.sent.clear()
        self.resets += 1
        if self.card is not None:
            self._from_card(self.card.reset())

    def card_present(self) -> bool | None:
        return self.present

    def write(self, data: bytes) -> None:
        for raw in data:
            for value, damaged in self._pass(raw):
                if self.echo:
                    self.waiting.append((value, damaged and self.parity))
                if self.card is not None and not self.held:
                    byte = mirrored(value) if self.card.inverse else value
                    self.sent.append(byte)
                    self._from_card(self.card.receive(byte, damaged))

    def read(self, seconds: float) -> Arrived:
        if not self.waiting and seconds > 0 and self.card is not None and not self.held:
            self._from_card(self.card.quiet())
        if not self.waiting:
            self.clock += seconds
            return Arrived(b"")
        taken = list(self.waiting)
        self.waiting.clear()
        return Arrived(bytes(value for value, _ in taken), tuple(at for at, (_, bad) in enumerate(taken) if bad))

    def _from_card(self, data: bytes) -> None:
        assert self.card is not None
        for byte in data:
            for value, damaged in self._pass(mirrored(byte) if self.card.inverse else byte):
                wrong = self.card.inverse and not self.settings[-1][1]
                self.waiting.append((value, self.parity and damaged is not wrong))

    def _pass(self, value: int) -> list[tuple[int, bool]]:
        """One character on the line: as it arrives, with whether its parity is wrong."""
        number, self.passed = self.passed, self.passed + 1
        mishap = self.mishap
        if self.held or mishap is None or mishap.at != number:
            return [(value, False)]
        if mishap.kind == "lost":
            return []
        if mishap.kind == "doubled":
            return [(value, False), (value, False)]
        return [(value ^ mishap.mask, mishap.noticed)]


class ScriptedCard:
    """Holds exactly one conversation: pairs of what the terminal sends and what is answered, in hex.

    A card that hears anything else falls silent, and a damaged character is anything else. A pair whose first part is
    RESET is an answer to reset; the last one is used for any further reset, from where the conversation goes on.
    """

    def __init__(self, atr: str, *turns: tuple[str, str], inverse: bool = False) -> None:
        self.inverse = inverse
        self._atrs = [bytes.fromhex(atr)]
        self._talks: list[list[tuple[bytes, bytes]]] = [[]]
        for wanted, answered in turns:
            if wanted == "RESET":
                self._atrs.append(bytes.fromhex(answered))
                self._talks.append([])
            else:
                self._talks[-1].append((bytes.fromhex(wanted), bytes.fromhex(answered)))
        self._resets = 0
        self._talk: deque[tuple[bytes, bytes]] = deque()
        self._heard = bytearray()
        self.lost = False

    def reset(self) -> bytes:
        at = min(self._resets, len(self._atrs) - 1)
        self._resets += 1
        self._talk, self.lost = deque(self._talks[at]), False
        self._heard.clear()
        return self._atrs[at]

    def receive(self, value: int, damaged: bool) -> bytes:
        self._heard.append(value)
        if damaged or self.lost or not self._talk or not self._talk[0][0].startswith(bytes(self._heard)):
            self.lost = True
            return b""
        if self._talk[0][0] != self._heard:
            return b""
        self._heard.clear()
        return self._talk.popleft()[1]

    def quiet(self) -> bytes:
        return b""

    @property
    def left(self) -> int:
        """Turns of the present conversation that have not taken place."""
        return len(self._talk)


class BlockCard:
    """A card at T=1 with a table of commands and responses: it repeats, asks again and gets in step as rules 2 to 7 of
    ISO/IEC 7816-3:2006, 11.6.3 say of the card's side."""

    inverse = False

    def __init__(self, atr: str, table: dict[bytes, bytes], *, ifsc: int = 32) -> None:
        self.atr, self.table, self.ifsc = bytes.fromhex(atr), table, ifsc
        self.executed: list[bytes] = []
        self.reset()

    def reset(self) -> bytes:
        self._start()
        self._raw, self._damaged = bytearray(), False
        return self.atr

    def _start(self) -> None:
        self.ns = self.nr = 0
        self.ifsd = 32
        self.command = bytearray()
        self.response = b""
        self.last = b""
        """The last block sent, and the last I-block sent."""
        self.last_i = b""

    def receive(self, value: int, damaged: bool) -> bytes:
        self._raw.append(value)
        self._damaged = self._damaged or damaged
        return b""

    def quiet(self) -> bytes:
        if not self._raw:
            return b""
        raw, damaged = bytes(self._raw), self._damaged
        self._raw, self._damaged = bytearray(), False
        self.last = self._answer(raw, damaged)
        return self.last

    def _answer(self, raw: bytes, damaged: bool) -> bytes:
        check = 0
        for value in raw:
            check ^= value
        if damaged or len(raw) < 4 or len(raw) != raw[2] + 4 or check or raw[0]:
            return self.block(0x80 | self.nr << 4 | 1)
        pcb, inf = raw[1], raw[3:-1]
        if pcb == 0xC0:
            self._start()
            return self.block(0xE0)
        if pcb == 0xC1:
            self.ifsd = inf[0]
            return self.block(0xE1, inf)
        if pcb & 0xC0 == 0x80:
            return self._ready(pcb >> 4 & 1)
        if pcb & 0x80:
            return self.block(0x80 | self.nr << 4 | 2)
        if pcb >> 6 != self.nr:
            return self.block(0x80 | self.nr << 4 | 2)
        self.nr ^= 1
        self.command += inf
        if pcb & 0x20:
            return self.block(0x80 | self.nr << 4)
        self.executed.append(bytes(self.command))
        self.response = self.table[bytes(self.command)]
        self.command.clear()
        return self._part()

    def _part(self) -> bytes:
        inf, self.response = self.response[: self.ifsd], self.response[self.ifsd :]
        self.last_i = self.block(self.ns << 6 | (0x20 if self.response else 0), inf)
        self.ns ^= 1
        return self.last_i

    def _ready(self, wanted: int) -> bytes:
        if self.last_i and wanted == self.ns ^ 1:
            return self.last_i
        if self.response and wanted == self.ns:
            return self._part()
        return self.block(0x80 | self.nr << 4)

    @staticmethod
    def block(pcb: int, inf: bytes = b"") -> bytes:
        raw = bytes((0, pcb, len(inf))) + inf
        check = 0
        for value in raw:
            check ^= value
        return raw + bytes((check,))
