"""Status words and their meaning. An unknown status word is never success. ISO/IEC 7816-4:2020, 5.6."""

from __future__ import annotations

_MEANINGS: dict[int, str] = {
    0x9000: "success",
    0x6200: "warning, state unchanged",
    0x6281: "part of the returned data may be corrupted",
    0x6282: "end of file reached before Ne bytes",
    0x6283: "selected file or application blocked",
    0x6285: "selected file in termination state",
    0x6300: "warning, authentication failed or state changed",
    0x6310: "more data available",
    0x6400: "execution error, state unchanged",
    0x6581: "memory failure",
    0x6700: "wrong length",
    0x6881: "logical channel not supported",
    0x6882: "secure messaging not supported",
    0x6883: "last command of the chain expected",
    0x6884: "command chaining not supported",
    0x6900: "command not allowed",
    0x6982: "security status not satisfied",
    0x6983: "authentication method blocked",
    0x6984: "referenced data invalidated",
    0x6985: "conditions of use not satisfied",
    0x6986: "command not allowed, no current file",
    0x6987: "secure messaging object missing",
    0x6988: "secure messaging object incorrect",
    0x6A80: "incorrect data",
    0x6A81: "function not supported",
    0x6A82: "file or application not found",
    0x6A83: "record not found",
    0x6A84: "not enough memory",
    0x6A86: "incorrect P1-P2",
    0x6A88: "referenced data not found",
    0x6A89: "file or application already exists",
    0x6B00: "wrong P1-P2",
    0x6D00: "instruction not supported",
    0x6E00: "class not supported",
    0x6F00: "no precise diagnosis",
    0x9484: "algorithm not supported",
    0x9485: "invalid key check value",
}


class StatusWord(int):
    """SW1 SW2 as one number, 0000 to FFFF."""

    __slots__ = ()

    @property
    def sw1(self) -> int:
        return self >> 8

    @property
    def sw2(self) -> int:
        return self & 0xFF

    @property
    def ok(self) -> bool:
        """Whether it is 9000."""
        return self == 0x9000

    @property
    def more(self) -> int | None:
        """Bytes available to GET RESPONSE (61xx; 256 for 6100), else None."""
        return (self.sw2 or 256) if self.sw1 == 0x61 else None

    @property
    def right_length(self) -> int | None:
        """The Le that the card requests (6Cxx; 256 for 6C00), else None."""
        return (self.sw2 or 256) if self.sw1 == 0x6C else None

    @property
    def warning(self) -> bool:
        """Whether it is 62xx or 63xx: processing completed with a warning."""
        return self.sw1 in (0x62, 0x63)

    @property
    def tries_left(self) -> int | None:
        """Tries left: x of 63Cx; 0 for 6983; else None."""
        if self & 0xFFF0 == 0x63C0:
            return self & 0xF
        return 0 if self == 0x6983 else None

    @property
    def meaning(self) -> str:
        if self in _MEANINGS:
            return _MEANINGS[self]
        if self.more is not None:
            return f"{self.more} bytes more"
        if self.right_length is not None:
            return f"wrong Le, {self.right_length} expected"
        if self & 0xFFF0 == 0x63C0:
            return f"{self & 0xF} tries left"
        return _CLASSES.get(self.sw1, "unknown status")

    def __str__(self) -> str:
        return f"{int(self):04X} ({self.meaning})"

    def __repr__(self) -> str:
        return f"StatusWord(0x{int(self):04X})"


_CLASSES: dict[int, str] = {
    0x62: "warning, state unchanged",
    0x63: "warning, state changed",
    0x64: "execution error, state unchanged",
    0x65: "execution error, state changed",
    0x66: "security-related error",
    0x68: "function in CLA not supported",
    0x69: "command not allowed",
    0x6A: "wrong parameters",
}

OK = StatusWord(0x9000)
