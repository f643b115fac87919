"""The time a session would take on a real chip: link, EEPROM and computing, for each command and in total.

The link is computed from ISO/IEC 7816-3:2006; the chip's figures are parameters (``ChipTiming``), set so that SELECT,
INITIALIZE UPDATE and EXTERNAL AUTHENTICATE take as long as on contact cards of this kind in the field (12-64 ms,
45-78 ms and about 49 ms), and a page write lies within the usual 2-10 ms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from simulators.readers.protocols import MeteredCard
from terminal.apdu import LinkProtocol
from terminal.errors import TlvError
from terminal.tlv import decode

_FI: Final = {0: 372, 1: 372, 2: 558, 3: 744, 4: 1116, 5: 1488, 6: 1860, 9: 512, 10: 768, 11: 1024, 12: 1536, 13: 2048}
_DI: Final = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32, 7: 64, 8: 12, 9: 20}
DEFAULT_TA1: Final = 0x11


@dataclass(frozen=True, slots=True)
class Wire:
    """The contact interface: protocol, TA1, clock and block sizes. ISO/IEC 7816-3:2006, 7, 8.3, 10 and 11.

    ``clock`` in hertz; ``ifsc`` is the longest block the card takes, ``ifsd`` the reader, in bytes (T=1, 11.4.2).
    Raises ValueError for a reserved TA1.
    """

    protocol: LinkProtocol = LinkProtocol.T1
    ta1: int = DEFAULT_TA1
    clock: float = 4e6
    ifsc: int = 254
    ifsd: int = 254

    def __post_init__(self) -> None:
        if self.ta1 >> 4 not in _FI or self.ta1 & 0x0F not in _DI:
            raise ValueError(f"TA1 = {self.ta1:02X} is reserved for future use")

    @property
    def etu(self) -> float:
        """Seconds of one elementary time unit: F/D clock cycles. ISO/IEC 7816-3:2006, 7.1."""
        return _FI[self.ta1 >> 4] / _DI[self.ta1 & 0x0F] / self.clock

    @property
    def bit_rate(self) -> float:
        """Bits per second while a byte is transmitted."""
        return 1 / self.etu

    def seconds(self, command: bytes, response: bytes) -> float:
        """Seconds on the link of one exchange: command APDU, then data and status word."""
        if self.protocol is LinkProtocol.CONTACTLESS:
            return _contactless(len(command), len(response))
        units = (
            self._t0(command, response) if self.protocol is LinkProtocol.T0 else self._t1(len(command), len(response))
        )
        return units * self.etu

    def _t0(self, command: bytes, response: bytes) -> int:
        """Etu: a header of 5 bytes, one procedure byte (INS: all the rest) before data, the data, SW1 SW2; 12 etu per
        byte, 16 when the direction changes (10.2, 10.3). Case 4 drops Le: the data follow by GET RESPONSE."""
        sent = command[5 : 5 + command[4]] if len(command) > 5 else b""
        procedure = 1 if sent or len(response) > 2 else 0
        changes = 1 + 2 * bool(sent)
        return 12 * (5 + len(sent) + procedure + len(response)) + 4 * changes

    def _t1(self, sent: int, received: int) -> int:
        """Etu: blocks of at most IFS bytes with prologue (3) and epilogue (1, LRC), all but the last of a chain
        acknowledged by an R-block of 4 bytes; 11 etu per byte, 22 etu of block guard time when the direction changes
        (11.3, 11.4)."""
        to_card, from_card = -(-sent // self.ifsc), -(-received // self.ifsd)
        blocks = 2 * (to_card + from_card) - 2  # with the R-blocks; the direction changes after each
        return 11 * (sent + received + 4 * blocks) + 22 * blocks


def _contactless(sent: int, received: int) -> float:
    """Seconds: 106 kbit/s, nine bits a byte, 4 bytes of framing each way, 1 ms of turn-around. ISO/IEC 14443-3, -4."""
    return 9 * (sent + received + 8) / 106e3 + 1e-3


@dataclass(frozen=True, slots=True)
class ChipTiming:
    """Figures of the chip in seconds: one page write, the fixed cost of a command, cryptographic operations."""

    page_write: float = 8e-3
    """One page and its copy in the transaction buffer."""
    command: float = 3e-3
    select: float = 8e-3
    install: float = 100e-3
    session: float = 38e-3
    """Fixed cost of INITIALIZE UPDATE, and of EXTERNAL AUTHENTICATE, besides their cryptography."""
    block: Mapping[str, float] = field(
        default_factory=lambda: {"des": 60e-6, "aes": 80e-6, "sm4": 80e-6, "sha": 150e-6, "sm3": 150e-6, "sm2": 40e-3}
    )
    """One block of each algorithm; for ``sm2`` one signature."""
    rsa_1152: float = 75e-3
    """One CRT signature with a modulus of 1152 bits; other lengths scale with the third power."""

    def computing(self, command: bytes, response: bytes, operations: Mapping[str, int]) -> float:
        """Seconds that the processor and its coprocessors work on one exchange; ``operations`` are those of WorkMeter.

        The length of the RSA key follows from the response (77 and 9F4B with their lengths, 9000: 9 bytes; in a
        GENERATE AC from the length of 9F4B), or from the command with an enciphered PIN (header: 5).
        """
        ins, seconds = command[1], self.command
        if command[0] & 0x80 and ins in (0x50, 0x82):
            seconds += self.session
        elif ins == 0xA4:
            seconds += self.select
        elif ins == 0xE6 and command[2] & 0x04:
            seconds += self.install
        seconds += sum(self.block.get(kind, 0.0) * blocks for kind, blocks in operations.items())
        if ins == 0xAE:
            size = _signature_length(response)
        else:
            size = len(command) - 5 if ins == 0x20 else max(len(response) - 9, 0)
        return seconds + operations.get("rsa", 0) * self.rsa_1152 * (size * 8 / 1152) ** 3


def _signature_length(response: bytes) -> int:
    """Bytes of 9F4B in a response to GENERATE AC, 0 without one. EMV 4.4 Book 2, 6.6.1."""
    try:
        return len(decode(response[:-2]).get(0x77, 0x9F4B) or b"")
    except TlvError:
        return 0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one exchange, or the sum of several."""

    link: float = 0.0
    eeprom: float = 0.0
    computing: float = 0.0

    @property
    def total(self) -> float:
        return self.link + self.eeprom + self.computing

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.link + other.link, self.eeprom + other.eeprom, self.computing + other.computing)

    def __str__(self) -> str:
        whole = self.total or 1.0
        shares = (
            f"link {self.link / whole:.0%}, EEPROM {self.eeprom / whole:.0%}, computing {self.computing / whole:.0%}"
        )
        return f"{self.total:.3f} s ({shares})"


@dataclass(frozen=True, slots=True)
class TimedExchange:
    """One exchange in the report. Only the header of the command: its data may be secret."""

    header: bytes
    sent: int
    received: int
    pages: int
    cost: Cost

    def __str__(self) -> str:
        return f"{self.header.hex().upper()}  {self.sent:5} B > {self.received:5} B < {self.pages:3} pages  {self.cost}"


class TimedCard:
    """A card whose exchanges are timed by ``timing``."""

    def __init__(self, card: MeteredCard, timing: TimingModel) -> None:
        self.card, self.timing = card, timing

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def power_on(self) -> bytes:
        atr = self.card.power_on()
        self.timing.power_on(atr)
        return atr

    def reset(self) -> bytes:
        atr = self.card.reset()
        self.timing.power_on(atr)
        return atr

    def power_off(self) -> None:
        self.card.power_off()

    def exchange(self, apdu: bytes) -> bytes:
        response = self.card.exchange(apdu)
        meter = self.card.meter
        self.timing.exchange(apdu, response, meter.pages, meter.operations)
        return response


@dataclass(slots=True)
class TimingModel:
    """Adds up the cost of a session on one card. With ``real`` each exchange takes its time, by ``sleep`` (seconds);
    ``report`` gets each exchange."""

    wire: Wire = field(default_factory=Wire)
    chip: ChipTiming = field(default_factory=ChipTiming)
    real: bool = False
    sleep: Callable[[float], None] = time.sleep
    report: Callable[[TimedExchange], None] = lambda _: None
    exchanges: list[TimedExchange] = field(default_factory=list)
    start_up: Cost = Cost()

    def power_on(self, atr: bytes) -> None:
        """A reset: 40,000 clock cycles before the ATR, then its bytes at 12 etu of 372 cycles.

        ISO/IEC 7816-3:2006, 6.2.1 and 8.1.
        """
        cost = Cost(link=(40_000 + 12 * 372 * len(atr)) / self.wire.clock)
        self.start_up += cost
        self._wait(cost)

    def exchange(
        self, command: bytes, response: bytes, pages: int, operations: Mapping[str, int] | None = None
    ) -> Cost:
        """Add one exchange that wrote ``pages`` EEPROM pages and took these operations; returns its cost."""
        computing = self.chip.computing(command, response, operations or {})
        cost = Cost(self.wire.seconds(command, response), pages * self.chip.page_write, computing)
        exchange = TimedExchange(command[:4], len(command), len(response), pages, cost)
        self.exchanges.append(exchange)
        self.report(exchange)
        self._wait(cost)
        return cost

    @property
    def session(self) -> Cost:
        """The sum over all resets and exchanges."""
        return sum((exchange.cost for exchange in self.exchanges), self.start_up)

    def _wait(self, cost: Cost) -> None:
        if self.real:
            self.sleep(cost.total)
