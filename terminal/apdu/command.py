"""Command and response APDUs as immutable values. ISO/IEC 7816-3:2006, 12.1; ISO/IEC 7816-4:2020, 5.1-5.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from terminal.apdu.status import OK, StatusWord
from terminal.errors import ApduError

_SHORT_LE = [bytes((ne & 0xFF,)) for ne in range(257)]


@dataclass(frozen=True, slots=True)
class Command:
    """One command APDU.

    ``data`` is the command data field (Nc = len(data), 0 to 65535). ``ne`` is the maximum number of
    response bytes: None for none (cases 1 and 3), 256 for "all, short", 65536 for "all, extended".
    Raises ApduError for values that no command has.
    """

    cla: int
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes = b""
    ne: int | None = None

    def __post_init__(self) -> None:
        if (self.cla | self.ins | self.p1 | self.p2) & ~0xFF:
            raise ApduError("a command header byte is outside 00-FF")
        if len(self.data) > 65535:
            raise ApduError(f"command data of {len(self.data)} bytes; 65535 is the most")
        if self.ne is not None and not 1 <= self.ne <= 65536:
            raise ApduError(f"Ne of {self.ne}; 1 to 65536 is possible")

    @property
    def extended(self) -> bool:
        """Whether this command needs extended length fields."""
        return len(self.data) > 255 or (self.ne or 0) > 256

    @property
    def case(self) -> int:
        """1 neither data nor response, 2 response, 3 data, 4 both. ISO/IEC 7816-3:2006, 12.1.2."""
        return 1 + (self.ne is not None) + 2 * bool(self.data)

    @property
    def header(self) -> bytes:
        return bytes((self.cla, self.ins, self.p1, self.p2))

    def encode(self) -> bytes:
        """Cases 1-4, short or extended. ISO/IEC 7816-3:2006, 12.1.3."""
        data, ne = self.data, self.ne
        if len(data) <= 255 and (ne is None or ne <= 256):
            # Every exchange passes here: so header and length field are one bytes object.
            if not data:
                if ne is None:
                    return bytes((self.cla, self.ins, self.p1, self.p2))
                return bytes((self.cla, self.ins, self.p1, self.p2, ne & 0xFF))
            short = bytes((self.cla, self.ins, self.p1, self.p2, len(data))) + data
            return short if ne is None else short + _SHORT_LE[ne]
        head = self.header
        body = len(data).to_bytes(2, "big") + data if data else b""
        le = b"" if ne is None else (ne & 0xFFFF).to_bytes(2, "big")
        return head + b"\x00" + body + le

    @classmethod
    def decode(cls, raw: bytes) -> Command:
        """The inverse of encode. Raises ApduError. ISO/IEC 7816-3:2006, 12.1.3."""
        if len(raw) < 4:
            raise ApduError(f"a command of {len(raw)} bytes has no header")
        header, body = (raw[0], raw[1], raw[2], raw[3]), raw[4:]
        if not body:
            return cls(*header)
        if len(body) == 1:
            return cls(*header, ne=body[0] or 256)
        if body[0]:
            return cls(*header, *_split(body, 1, body[0], raw))
        if len(body) == 3:
            return cls(*header, ne=int.from_bytes(body[1:], "big") or 65536)
        if len(body) < 3:
            raise ApduError("a zero Lc", offset=4)
        nc = int.from_bytes(body[1:3], "big")
        if not nc:
            raise ApduError("a zero extended Lc", offset=5)
        return cls(*header, *_split(body, 3, nc, raw))

    def __str__(self) -> str:
        le = "" if self.ne is None else f" Ne={self.ne}"
        return f"{self.header.hex().upper()} Nc={len(self.data)}{le}"

    def __repr__(self) -> str:
        """Header and lengths only: command data may be personal or secret."""
        return f"<Command {self}>"


def _split(body: bytes, at: int, nc: int, raw: bytes) -> tuple[bytes, int | None]:
    data, le = body[at : at + nc], body[at + nc :]
    width = 1 if at == 1 else 2
    if len(data) < nc:
        raise ApduError(f"Lc says {nc} data bytes, {len(data)} follow", offset=len(raw))
    if len(le) not in (0, width):
        raise ApduError(f"{len(le)} bytes after the data field", offset=4 + at + nc)
    return data, (int.from_bytes(le, "big") or 256**width) if le else None


class Response(NamedTuple):
    """One response APDU: data and status word.

    A tuple: every exchange makes one, and a frozen dataclass takes twice as long.
    """

    data: bytes
    sw: StatusWord

    @classmethod
    def decode(cls, raw: bytes) -> Response:
        """From data || SW1 SW2. Raises ApduError when the status word is missing, or SW1 is not 6X or 9X."""
        if raw[-2:] == b"\x90\x00":
            return tuple.__new__(cls, (raw[:-2], OK))  # Faster than the NamedTuple's own __new__.
        if len(raw) < 2:
            raise ApduError(f"a response of {len(raw)} bytes has no status word")
        if raw[-2] & 0xF0 not in (0x60, 0x90) or raw[-2] == 0x60:
            raise ApduError(f"SW1 {raw[-2]:02X} is not 6X or 9X")
        return cls(raw[:-2], StatusWord(int.from_bytes(raw[-2:], "big")))

    def encode(self) -> bytes:
        return self.data + int(self.sw).to_bytes(2, "big")

    def __repr__(self) -> str:
        """Length and status only: response data may be personal or secret."""
        return f"<Response {len(self.data)} bytes, {self.sw}>"
