"""Waiting and guard times of a card at its present bit rate, from the answer to reset. ISO/IEC 7816-3:2006."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from terminal.apdu.atr import Atr

DEFAULT_F, DEFAULT_D = 372, 1
INITIAL_WAIT: Final = 9600
"""Units until the next character of an answer to reset or a PPS response. 8.2.1 and 9.2."""
DIVISORS: Final = (64, 32, 20, 16, 12, 8, 4, 2, 1)
"""Values of Di, highest first. Table 8."""
_DIVISOR_CODES: Final = {1: 1, 2: 2, 4: 3, 8: 4, 16: 5, 32: 6, 64: 7, 12: 8, 20: 9}


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """The rate of a link: ``clock`` in Hz, F and D as in use. Times are in seconds."""

    atr: Atr
    clock: float
    f: int = DEFAULT_F
    d: int = DEFAULT_D

    @property
    def rate(self) -> float:
        """Bits per second."""
        return self.clock * self.d / self.f

    @property
    def unit(self) -> float:
        """The elementary time unit. 7.1."""
        return 1 / self.rate

    @property
    def work_waiting_time(self) -> float:
        """Longest time between characters at T=0: WI x 960 x Fi / f. 10.2."""
        return (self.atr.waiting_integer or 10) * 960 * max(self.f, self.atr.fi or 0) / self.clock

    @property
    def character_waiting_time(self) -> float:
        """Longest time between characters of one block at T=1. 11.4.3."""
        return (11 + (1 << self.atr.waiting_times[1])) * self.unit

    @property
    def block_waiting_time(self) -> float:
        """Longest time until the card's next block at T=1. 11.4.3."""
        return 11 * self.unit + (960 << min(self.atr.waiting_times[0], 9)) * DEFAULT_F / self.clock

    @property
    def guard(self) -> float:
        """Additional time between characters sent, beyond 12 units. 8.3, TC1."""
        n = self.atr.extra_guard_time
        if n == 255:
            return 0.0
        offered = any(group.protocol == 15 for group in self.atr.groups)
        f, d = (self.atr.fi or DEFAULT_F, self.atr.di or DEFAULT_D) if offered else (self.f, self.d)
        return n * f / d / self.clock

    def stop_bits(self, protocol: int) -> int:
        """Stop bits of characters sent: a guard time of 12 units, or of 11 at T=1 with TC1 = FF. 8.3."""
        return 1 if protocol == 1 and self.atr.extra_guard_time == 255 else 2


def implicit(atr: Atr) -> bool:
    """Whether TA2 says that the rate is not the one in TA1 but one known elsewhere. 8.3, TA2."""
    return atr.specific_mode and bool((atr.groups[1].ta or 0) & 0x10)


def may_change_mode(atr: Atr) -> bool:
    """Whether a card in specific mode can change to negotiable mode after a reset. 8.3, TA2."""
    return not (atr.groups[1].ta or 0) & 0x80


def offered(atr: Atr, clock: float, highest: float) -> list[LinkParameters]:
    """What PPS may propose up to ``highest`` bit/s, fastest first; the default rate is none of it. 9.2."""
    fi, di = atr.fi, atr.di
    if fi is None or di is None or clock > (atr.highest_clock or 0):
        return []
    possible = [LinkParameters(atr, clock, fi, d) for d in DIVISORS if d <= di]
    default = LinkParameters(atr, clock).rate
    return sorted((p for p in possible if default < p.rate <= highest), key=lambda p: -p.rate)


def speed_byte(parameters: LinkParameters) -> int:
    """PPS1: F as the card offers it, and D."""
    return parameters.atr.ta1 & 0xF0 | _DIVISOR_CODES[parameters.d]
