"""Answers to reset: the parameters that a card offers before any command.

ISO/IEC 7816-3:2006, 8; PC/SC Part 3, 3.1.3.2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from terminal.apdu.historical import HistoricalBytes, StorageCard
from terminal.errors import AtrError

_DIRECT, _INVERSE = 0x3B, 0x3F
_MAX_LENGTH = 33
"""TS and at most 32 characters after it. ISO/IEC 7816-3:2006, 8.2.1."""

_F: dict[int, tuple[int, float]] = {
    0: (372, 4e6),
    1: (372, 5e6),
    2: (558, 6e6),
    3: (744, 8e6),
    4: (1116, 12e6),
    5: (1488, 16e6),
    6: (1860, 20e6),
    9: (512, 5e6),
    10: (768, 7.5e6),
    11: (1024, 10e6),
    12: (1536, 15e6),
    13: (2048, 20e6),
}
"""Fi and f(max.) in Hz by the upper half of TA1. ISO/IEC 7816-3:2006, Table 7."""
_D = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32, 7: 64, 8: 12, 9: 20}
"""Di by the lower half of TA1. ISO/IEC 7816-3:2006, Table 8."""


@dataclass(frozen=True, slots=True)
class InterfaceBytes:
    """One group TAi, TBi, TCi, TDi; ``protocol`` is the T that the group belongs to (None for the first group)."""

    protocol: int | None
    ta: int | None = None
    tb: int | None = None
    tc: int | None = None
    td: int | None = None


@dataclass(frozen=True, slots=True)
class Atr:
    """A parsed answer to reset; see :meth:`parse`."""

    raw: bytes
    groups: tuple[InterfaceBytes, ...]
    historical: bytes
    tck: int | None

    @classmethod
    def parse(cls, raw: bytes) -> Atr:
        """From all bytes, TS to TCK.

        Raises AtrError with the offset for a wrong TS, a truncated or overlong answer, surplus bytes, and a missing or
        wrong TCK.
        """
        if len(raw) < 2:
            raise AtrError(f"an answer to reset of {len(raw)} bytes; two is the least")
        if raw[0] not in (_DIRECT, _INVERSE):
            raise AtrError(f"TS is {raw[0]:02X}, neither 3B nor 3F", offset=0)
        if len(raw) > _MAX_LENGTH:
            raise AtrError(f"an answer to reset of {len(raw)} bytes; {_MAX_LENGTH} is the most", offset=_MAX_LENGTH)
        groups, at = _groups(raw)
        end = at + (raw[1] & 0x0F)
        if end > len(raw):
            raise AtrError(f"{raw[1] & 0x0F} historical bytes promised, {len(raw) - at} follow", offset=at)
        # Only a card that offers T=0 alone has no TCK. ISO/IEC 7816-3:2006, 8.2.5.
        checked = any(group.td is not None and group.td & 0x0F for group in groups)
        if checked and len(raw) == end:
            raise AtrError("the check byte TCK is missing", offset=end)
        if len(raw) != end + checked:
            raise AtrError(f"{len(raw) - end - checked} bytes after the end", offset=end + checked)
        if checked and reduce(xor, raw[1:]):
            raise AtrError(f"TCK is {raw[-1]:02X}, {reduce(xor, raw[1:-1]):02X} is right", offset=end)
        return cls(raw, groups, raw[at:end], raw[-1] if checked else None)

    @property
    def inverse(self) -> bool:
        """Whether characters travel in inverse convention (TS = 3F)."""
        return self.raw[0] == _INVERSE

    @property
    def protocols(self) -> tuple[int, ...]:
        """The T numbers offered, in order, without T=15; (0,) where the answer names none."""
        named = [group.td & 0x0F for group in self.groups if group.td is not None]
        return tuple(dict.fromkeys(t for t in named if t != 15)) or (0,)

    @property
    def default_protocol(self) -> int:
        """The protocol used without PPS: the one TA2 demands in specific mode, else the first offered."""
        ta2 = self._ta2
        return self.protocols[0] if ta2 is None else ta2 & 0x0F

    @property
    def specific_mode(self) -> bool:
        """Whether TA2 fixes protocol and parameters, so that no PPS is possible. ISO/IEC 7816-3:2006, 6.3.1."""
        return self._ta2 is not None

    @property
    def _ta2(self) -> int | None:
        return self.groups[1].ta if len(self.groups) > 1 else None

    @property
    def ta1(self) -> int:
        """Speed byte; 11 (Fi 372, Di 1) where absent."""
        return 0x11 if self.groups[0].ta is None else self.groups[0].ta

    @property
    def fi(self) -> int | None:
        """Clock rate conversion integer that the card offers; None for a reserved code."""
        return _F.get(self.ta1 >> 4, (None, 0.0))[0]

    @property
    def di(self) -> int | None:
        """Baud rate adjustment integer that the card offers; None for a reserved code."""
        return _D.get(self.ta1 & 0x0F)

    @property
    def highest_clock(self) -> float | None:
        """f(max.) in Hz; None for a reserved code."""
        return _F.get(self.ta1 >> 4, (0, None))[1]

    def bit_rate(self, clock: float = 4e6) -> float | None:
        """Bits per second after PPS to the offered Fi and Di, at ``clock`` Hz; None for reserved codes."""
        return None if self.fi is None or self.di is None else clock * self.di / self.fi

    @property
    def extra_guard_time(self) -> int:
        """N of TC1 in etu, 0 to 254; 255 means the minimum of the protocol."""
        return self.groups[0].tc or 0

    @property
    def waiting_integer(self) -> int:
        """WI of T=0 (TC2); 10 where absent."""
        tc2 = self.groups[1].tc if len(self.groups) > 1 else None
        return 10 if tc2 is None else tc2

    def _specific(self, protocol: int) -> InterfaceBytes:
        """The first group after TA2's that belongs to ``protocol``. ISO/IEC 7816-3:2006, 8.2.3."""
        return next((group for group in self.groups[2:] if group.protocol == protocol), InterfaceBytes(protocol))

    @property
    def ifsc(self) -> int:
        """Longest T=1 information field that the card accepts, in bytes; 32 where absent."""
        return self._specific(1).ta or 32

    @property
    def waiting_times(self) -> tuple[int, int]:
        """BWI and CWI of T=1; 4 and 13 where absent."""
        tb = self._specific(1).tb
        return (4, 13) if tb is None else (tb >> 4, tb & 0x0F)

    @property
    def checks_by_crc(self) -> bool:
        """Whether T=1 blocks end in a CRC rather than an LRC."""
        return bool((self._specific(1).tc or 0) & 1)

    @property
    def voltages(self) -> str:
        """Classes of operating conditions (A 5 V, B 3 V, C 1.8 V); "A" where there is no group for T=15."""
        classes = self._specific(15).ta
        if classes is None:
            return "A"
        return "".join(name for bit, name in ((1, "A"), (2, "B"), (4, "C")) if classes & bit)

    @property
    def clock_stop(self) -> str:
        """Whether the clock may stop: "no", "low", "high" or "any"."""
        return ("no", "low", "high", "any")[(self._specific(15).ta or 0) >> 6]

    @property
    def history(self) -> HistoricalBytes:
        """The historical bytes with their meaning."""
        return HistoricalBytes(self.historical)

    @property
    def contactless(self) -> bool:
        """Whether a contactless reader composed this answer: ``3B 8n 80 01``, historical bytes. PC/SC Part 3,
        3.1.3.2.3.

        A contact card could answer the same; none is known that does.
        """
        return self.raw[0] == _DIRECT and self.raw[1] >> 4 == 8 and self.raw[2:4] == b"\x80\x01"

    @property
    def storage_card(self) -> StorageCard | None:
        """The memory card that a contactless reader recognized (MIFARE, ICODE, FeliCa …), else None."""
        return StorageCard.from_historical(self.historical) if self.contactless else None

    def __str__(self) -> str:
        return self.raw.hex(" ").upper()


def _groups(raw: bytes) -> tuple[tuple[InterfaceBytes, ...], int]:
    """Interface bytes from T0 on, and the offset where the historical bytes begin."""
    groups: list[InterfaceBytes] = []
    present, at, protocol = raw[1] >> 4, 2, None
    while True:
        values: list[int | None] = []
        for bit in (1, 2, 4, 8):
            if present & bit and at >= len(raw):
                raise AtrError(f"interface byte T{'ABCD'[len(values)]}{len(groups) + 1} is missing", offset=at)
            values.append(raw[at] if present & bit else None)
            at += bool(present & bit)
        groups.append(InterfaceBytes(protocol, *values))
        td = values[3]
        if td is None:
            return tuple(groups), at
        present, protocol = td >> 4, td & 0x0F
