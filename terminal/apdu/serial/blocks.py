"""Blocks of T=1 as values, with their encoding. ISO/IEC 7816-3:2006, 11.3."""

from __future__ import annotations

from binascii import crc_hqx
from enum import Enum
from typing import Final, NamedTuple

from terminal.errors import CodecError

LONGEST_INF: Final = 254
_REVERSED: Final = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_FOLDS: Final = (2048, 1024, 512, 256, 128, 64, 32, 16, 8)
"""Shifts that fold the exclusive-or of up to 512 bytes into the last one."""


class ErrorDetection(Enum):
    """How a block ends: one byte LRC, or two bytes CRC. 11.3.4.

    The CRC of ISO/IEC 13239 is complemented and its low byte comes first; widespread drivers send neither complemented,
    high byte first, and so some cards may.
    """

    LRC = 1
    CRC = 2
    CRC_PLAIN = 3

    @property
    def length(self) -> int:
        """Number of bytes."""
        return 1 if self is ErrorDetection.LRC else 2


class BlockKind(Enum):
    """The three kinds of blocks. 11.3.2.2."""

    INFORMATION = "I"
    READY = "R"
    SUPERVISORY = "S"


RESYNCH, IFS, ABORT, WTX = 0xC0, 0xC1, 0xC2, 0xC3
"""PCB of S-block requests; a response has RESPONSE set. Table 11."""
RESPONSE: Final = 0x20
_SUPERVISORY_LENGTHS = {RESYNCH: 0, IFS: 1, ABORT: 0, WTX: 1}
_MORE, _SEQUENCE = 0x20, 0x40
PARITY_ERROR, OTHER_ERROR = 1, 2
"""Error codes of an R-block; 0 is none. 11.3.2.2."""


class Block(NamedTuple):
    """One block without NAD, length and error detection code: protocol control byte and information field."""

    pcb: int
    inf: bytes = b""

    @property
    def kind(self) -> BlockKind:
        if not self.pcb & 0x80:
            return BlockKind.INFORMATION
        return BlockKind.SUPERVISORY if self.pcb & 0x40 else BlockKind.READY

    @property
    def sequence(self) -> int:
        """N(S) of an I-block, N(R) of an R-block: 0 or 1."""
        pcb = self.pcb
        return pcb >> (4 if pcb & 0x80 else 6) & 1

    @property
    def more(self) -> bool:
        """Whether another I-block of the same chain follows (M)."""
        return bool(self.pcb & _MORE)


def information(sequence: int, inf: bytes, *, more: bool = False) -> Block:
    """I-block N(S), with the bit M for a chain that goes on."""
    return Block((_SEQUENCE if sequence else 0) | (_MORE if more else 0), inf)


def ready(sequence: int, error: int = 0) -> Block:
    """R-block: the I-block ``sequence`` is expected, after an error or none."""
    return Block(0x80 | sequence << 4 | error)


def lrc(data: bytes) -> int:
    """Exclusive-or of all bytes, of which a block has 259 at most."""
    value = int.from_bytes(data, "big")
    for shift in _FOLDS:
        value ^= value >> shift
    return value & 0xFF


def crc(data: bytes) -> int:
    """The CRC register of ISO/IEC 13239 before its complement: x^16 + x^12 + x^5 + 1, low bit first, from FFFF."""
    value = crc_hqx(data.translate(_REVERSED), 0xFFFF)
    return _REVERSED[value & 0xFF] << 8 | _REVERSED[value >> 8]


def check_code(data: bytes, detection: ErrorDetection) -> bytes:
    """The error detection code of prologue and information field."""
    if detection is ErrorDetection.LRC:
        return bytes((lrc(data),))
    if detection is ErrorDetection.CRC:
        return (crc(data) ^ 0xFFFF).to_bytes(2, "little")
    return crc(data).to_bytes(2, "big")


def encode(block: Block, detection: ErrorDetection) -> bytes:
    """NAD 00, PCB, LEN, INF and the error detection code. ``inf`` has at most 254 bytes."""
    pcb, inf = block
    raw = bytes((0, pcb, len(inf))) + inf
    return raw + check_code(raw, detection)


def decode(raw: bytes, detection: ErrorDetection) -> Block:
    """The inverse of :func:`encode`, for a whole block.

    Raises CodecError for a wrong length, error detection code, NAD (none was sent, so 00 is right) or PCB.
    """
    length = 1 if detection is ErrorDetection.LRC else 2
    if len(raw) < 3 + length or len(raw) != 3 + raw[2] + length or raw[2] > LONGEST_INF:
        raise CodecError(f"a block of {len(raw)} bytes has another length than its LEN says")
    # Over a whole block with its LRC, the exclusive-or is zero.
    if lrc(raw) if detection is ErrorDetection.LRC else check_code(raw[:-2], detection) != raw[-2:]:
        raise CodecError("the error detection code of a block is wrong")
    if raw[0]:
        raise CodecError(f"NAD {raw[0]:02X} of a block, without node addresses in use", offset=0)
    pcb = raw[1]
    if not _control(pcb, raw[2]) if pcb & 0x80 else pcb & 0x1F:
        raise CodecError(f"PCB {pcb:02X} and LEN {raw[2]} are those of no block", offset=1)
    return Block(pcb, raw[3:-length])


def _control(pcb: int, length: int) -> bool:
    """Whether there is an R-block or S-block of this PCB and length."""
    if pcb & 0x40:
        return _SUPERVISORY_LENGTHS.get(pcb & ~RESPONSE) == length
    return not pcb & 0x2C and pcb & 0x03 != 3 and not length
