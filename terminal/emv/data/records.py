"""The application file locator, the records it names, and what of them is authenticated. EMV 4.4 Book 3, 10.2-10.3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Self

from terminal.apdu import Command, Sender, check
from terminal.emv.data.tags import TAG_70_RECORD, TAG_82_AIP
from terminal.errors import CardMalformed, CodecError, TlvError
from terminal.tlv import Lengths, Padding, Tlvs, cached_parse, decode, split


@dataclass(frozen=True, slots=True)
class AflEntry:
    """Records ``first`` to ``last`` of one file; the first ``signed`` of them are part of the signed static data.

    ``rfu`` are the three bits beside the SFI: zero, and not checked. EMV 4.4 Book 3, 6.3.6, 10.2.
    """

    sfi: int
    first: int
    last: int
    signed: int
    rfu: int = 0

    def encode(self) -> bytes:
        return bytes((self.sfi << 3 | self.rfu, self.first, self.last, self.signed))


@dataclass(frozen=True, slots=True)
class Afl:
    """The application file locator, tag 94. EMV 4.4 Book 3, 10.2."""

    entries: tuple[AflEntry, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises CodecError with the offset for an AFL in error: SFI 0 or 31, record 0, a last record before the
        first, more signed records than there are, no entry, or not a multiple of four bytes. EMV 4.4 Book 3, 7.5."""
        return cls(_entries(data))

    def encode(self) -> bytes:
        return b"".join([entry.encode() for entry in self.entries])

    def records(self) -> Iterator[tuple[int, int, bool]]:
        """SFI, record number and whether it is signed, for every record in AFL order."""
        for entry in self.entries:
            for number in range(entry.first, entry.last + 1):
                yield entry.sfi, number, number < entry.first + entry.signed


@cached_parse
def _entries(data: bytes) -> tuple[AflEntry, ...]:
    if not data or len(data) % 4:
        raise CodecError(f"an AFL of {len(data)} bytes; a multiple of 4 is needed", len(data) // 4 * 4)
    entries = []
    for at in range(0, len(data), 4):
        file, first, last, signed = data[at : at + 4]
        if not 1 <= file >> 3 <= 30:
            raise CodecError(f"AFL entry with file {file:02X}, which is no SFI from 1 to 30", at)
        if not 1 <= first <= last <= 0xFE or signed > last - first + 1:
            raise CodecError(f"AFL entry with records {first} to {last}, {signed} of them signed", at)
        entries.append(AflEntry(file >> 3, first, last, signed, file & 0x07))
    return tuple(entries)


_LENIENT: Final[tuple[tuple[Padding, Lengths], ...]] = (("emv", "shortest"), ("ff-tags", "any"), ("emv", "any"))


def card_objects(data: bytes) -> tuple[Tlvs, bool]:
    """The data objects of an answer of a card, and whether one of their lengths has more bytes than it needs. FF81xx is
    a tag where that makes sense of all the data, and any other FF padding. Raises TlvError of the strictest reading.
    EMV 4.4 Book 3, Annex B1, B2."""
    try:
        return decode(data, padding="ff-tags"), False
    except TlvError as error:
        for padding, lengths in _LENIENT:
            with suppress(TlvError):
                return decode(data, padding=padding, lengths=lengths), lengths == "any"
        raise error


class Record(NamedTuple):
    """One record as it was read. ``raw`` is the whole response data, ``content`` what is inside its 70 template.
    ``long_length``: one of its lengths has more bytes than it needs. EMV 4.4 Book 3, Annex B2."""

    sfi: int
    number: int
    signed: bool
    raw: bytes
    content: bytes
    objects: Tlvs
    long_length: bool = False

    @classmethod
    def decode(cls, sfi: int, number: int, signed: bool, raw: bytes) -> Self:
        """Raises CodecError when the data are not one 70 template. EMV 4.4 Book 3, 6.5.11.4."""
        objects, long_length = card_objects(raw)
        template = objects.only(TAG_70_RECORD)
        if template is None:
            raise CodecError(f"SFI {sfi}, record {number} is not one 70 template", 0)
        if raw[:1] != template.tag.encode() or len(split(raw)[0][1]) != len(raw):
            raise CodecError(f"SFI {sfi}, record {number} has bytes beside its 70 template", 0)
        return cls(sfi, number, signed, raw, template.value, template.children, long_length)

    def __repr__(self) -> str:
        """Position and length only: a record may be personal."""
        return f"<Record SFI {self.sfi}, number {self.number}, {len(self.raw)} bytes>"


@lru_cache(maxsize=512)
def read_command(sfi: int, number: int) -> Command:
    """READ RECORD. EMV 4.4 Book 3, 6.5.11."""
    return Command(0x00, 0xB2, number, sfi << 3 | 0x04, ne=256)


def read_record(sender: Sender, sfi: int, number: int, *, signed: bool = False) -> Record:
    """Read one record of any application. Raises CardRefused, CardMalformed, TransportError."""
    operation = f"reading SFI {sfi}, record {number}"
    raw = check(sender.send(read_command(sfi, number)), operation)
    try:
        return Record.decode(sfi, number, signed, raw)
    except CodecError as error:
        raise CardMalformed(f"{operation}: {error}") from error


def static_data(records: Iterable[Record], *, aip: bytes, tag_list: bytes | None) -> bytes:
    """The static data to be authenticated: the signed records in AFL order, then what the tag list 9F4A names.

    Of SFIs 1 to 10 the content of the template counts, of 11 to 30 the whole record. ``tag_list`` is the value of
    9F4A, None where the card has none. Raises TlvError when it names anything but the AIP. EMV 4.4 Book 3, 10.3.
    """
    body = b"".join([record.content if record.sfi <= 10 else record.raw for record in records if record.signed])
    if tag_list is None:
        return body
    if tag_list != bytes((TAG_82_AIP,)):
        raise TlvError("the static data authentication tag list names more than the AIP", 0)
    return body + aip
