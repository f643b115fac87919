"""BER-TLV data objects: strict, lossless and fast. ISO/IEC 7816-4:2020, 6.3; EMV 4.4 Book 3, Annex B.

Strict means: definite lengths in their shortest form only, nothing truncated, nothing trailing, and a fault inside a
template is raised when the outermost bytes are decoded, with its offset in them. Lossless means: the order of objects,
duplicates and the padding bytes between them survive, so that ``decode(x).encode() == x``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, NoReturn, Self, overload

from terminal.errors import TlvError

MAX_DEPTH: Final = 32
"""Templates nested deeper are refused: no card nests deeper than five, and a hostile one must not exhaust the stack."""

Padding = Literal["emv", "reject"]


class Tag(int):
    """A BER-TLV tag of one to three bytes as one number: ``Tag(0x9F27)``, ``Tag.parse("9F27")``; prints as ``9F27``.

    Tags that begin with 00 or FF do not exist here: those bytes are padding between objects. Raises TlvError for
    numbers that no tag has. ISO/IEC 7816-4:2020, 6.3; EMV 4.4 Book 3, Annex B1.
    """

    __slots__ = ()

    def __new__(cls, number: int) -> Self:
        raw = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big") if number > 0 else b"\x00"
        if tag_length(raw, 0, 0) != len(raw):
            raise TlvError(f"{raw.hex().upper()} is more than one tag")
        return int.__new__(cls, number)

    @classmethod
    def parse(cls, tag: str | bytes) -> Self:
        """A tag from its hex digits or its bytes. Raises TlvError."""
        try:
            return cls(int.from_bytes(bytes.fromhex(tag) if isinstance(tag, str) else tag, "big"))
        except ValueError as error:
            raise TlvError(f"{tag!r} is no tag") from error

    def encode(self) -> bytes:
        return self.to_bytes((self.bit_length() + 7) // 8, "big")

    @property
    def constructed(self) -> bool:
        """Whether the value is itself made of data objects: bit 6 of the first byte."""
        return bool(self.encode()[0] & 0x20)

    def __str__(self) -> str:
        return f"{int(self):02X}"

    def __repr__(self) -> str:
        return f"Tag(0x{int(self):02X})"


def tag_length(data: bytes, at: int, base: int) -> int:
    """Bytes of the tag at ``at``; an IndexError means it is cut off. Raises TlvError at ``base + at``."""
    first = data[at]
    if first in (0x00, 0xFF):
        raise TlvError(f"{first:02X} where a tag should begin", base + at)
    if first & 0x1F != 0x1F:
        return 1
    if not data[at + 1] & 0x7F:
        raise TlvError("a tag number with leading zeros", base + at)
    if not data[at + 1] & 0x80:
        return 2
    if data[at + 2] & 0x80:
        raise TlvError("a tag of more than three bytes", base + at)
    return 3


class Tlv(NamedTuple):
    """One data object. Make one with ``tlv()``, which checks that the value of a template is made of data objects."""

    tag: Tag
    value: bytes
    """The value field; for a template the encoded children, padding included."""
    children: Tlvs
    """The objects inside a template; empty for a primitive object."""

    def encode(self) -> bytes:
        return self.tag.encode() + encode_length(len(self.value)) + self.value

    def __repr__(self) -> str:
        """Tag and length only: a value may be personal."""
        return f"<Tlv {self.tag}, {len(self.value)} bytes>"


class Tlvs(Sequence[Tlv]):
    """Data objects in a row, as decoded: a sequence of Tlv that still knows its padding."""

    __slots__ = ("_items", "_raw")

    def __init__(self, items: Iterable[Tlv] = ()) -> None:
        self._items = tuple(items)
        self._raw = b"".join([item.encode() for item in self._items])

    def encode(self) -> bytes:
        """The bytes these were decoded from, padding included."""
        return self._raw

    def find(self, *path: int) -> Tlv | None:
        """The first object with this tag at this level; with several tags, the first down that path of templates."""
        level = self._items
        for tag in path[:-1]:
            level = tuple(child for item in level if item[0] == tag for child in item[2])
        return next((item for item in level if item[0] == path[-1]), None)

    def find_all(self, tag: int) -> list[Tlv]:
        """Every object with this tag at this level, in order."""
        return [item for item in self._items if item[0] == tag]

    def need(self, *path: int) -> bytes:
        """The value of the object that ``find`` finds. Raises TlvError when there is none."""
        found = self.find(*path)
        if found is None:
            raise TlvError(f"no object {'/'.join(f'{tag:02X}' for tag in path)}")
        return found.value

    def walk(self) -> Iterator[Tlv]:
        """Every object at every level, a template before its children."""
        for item in self._items:
            yield item
            if item[2]:
                yield from item[2].walk()

    @overload
    def __getitem__(self, at: int) -> Tlv: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Tlv]: ...
    def __getitem__(self, at: int | slice) -> Tlv | Sequence[Tlv]:
        return self._items[at]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Tlv]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        """Equal when the encodings are, padding included."""
        return isinstance(other, Tlvs) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"<Tlvs {' '.join(str(item.tag) for item in self._items)}>"


def encode_length(length: int) -> bytes:
    """The shortest definite form, one to five bytes. ISO/IEC 7816-4:2020, 6.3."""
    if length < 0x80:
        return bytes((length,))
    width = (length.bit_length() + 7) // 8
    if width > 4:
        raise TlvError("a value of 4 GiB or more has no length field")
    return bytes((0x80 | width,)) + length.to_bytes(width, "big")


def tlv(tag: int, content: bytes | Tlv | Iterable[Tlv] = b"") -> Tlv:
    """Build one data object from its value, or a template from its children.

    Raises TlvError when the tag cannot exist, when children are given to a primitive tag, or when the bytes given to a
    template are not data objects themselves.
    """
    tag = tag if isinstance(tag, Tag) else Tag(tag)
    if isinstance(content, (bytes, bytearray, memoryview)):
        value = bytes(content)
        return Tlv(tag, value, decode(value) if tag.constructed else _NONE)
    children = content if isinstance(content, Tlvs) else Tlvs([content] if isinstance(content, Tlv) else content)
    if not tag.constructed:
        raise TlvError(f"{tag} is primitive and has no children")
    return Tlv(tag, children.encode(), children)


def encode(objects: Iterable[Tlv]) -> bytes:
    """Data objects one after another; the padding of a decoded sequence is kept."""
    return objects.encode() if isinstance(objects, Tlvs) else b"".join([item.encode() for item in objects])


def decode(data: bytes, *, padding: Padding = "emv") -> Tlvs:
    """Decode data objects in a row, down to the leaves of every template.

    ``padding``: "emv" skips bytes 00 and FF before, between and after objects (EMV 4.4 Book 3, Annex B1;
    ISO/IEC 7816-4:1995, 5.2.2) and keeps them for encode(); "reject" refuses them.
    Raises TlvError with the offset in ``data`` of the tag or length field at fault.
    """
    return _decode(bytes(data), padding == "emv", 0, 0)


_NONE: Final = Tlvs()
_make: Final = tuple.__new__
_blank: Final = object.__new__


def _known_tags() -> tuple[tuple[Tag | None, ...], dict[int, Tag]]:
    """Every tag of one byte by that byte, and every tag of two bytes by its number: a constant table, because making
    an int subclass would take longer than all other work on an object."""
    ones = [None if b in (0, 0xFF) or b & 0x1F == 0x1F else Tag(b) for b in range(256)]
    leaders = [b for b in range(0xFF) if b & 0x1F == 0x1F]
    twos = [Tag(first << 8 | second) for first in leaders for second in range(1, 0x80)]
    return tuple(ones), {int(tag): tag for tag in twos}


_ONE_BYTE, _TWO_BYTES = _known_tags()


def _decode(data: bytes, pad: bool, base: int, depth: int) -> Tlvs:
    """The hot path. ``data`` is the content of one template (or all), ``base`` its offset for messages."""
    items: list[Tlv] = []
    add, ones, twos, new, kind = items.append, _ONE_BYTE, _TWO_BYTES, _make, Tlv
    at, end = 0, len(data)
    try:
        while at < end:
            start = at
            first = data[at]
            tag = ones[first]
            if tag is not None:
                at += 1
            else:
                if pad and (not first or first == 0xFF):
                    at += 1
                    continue
                tag = twos.get(first << 8 | data[at + 1])
                if tag is not None:
                    at += 2
                else:
                    at += tag_length(data, at, base)
                    tag = Tag(int.from_bytes(data[start:at], "big"))
            length = data[at]
            at += 1
            if length > 0x7F:
                length, at = _long_length(data, at, base)
            stop = at + length
            if stop > end:
                _truncated(f"the value of {tag}", start + base, length, end - at)
            value = data[at:stop]
            if first & 0x20:
                if depth == MAX_DEPTH:
                    raise TlvError(f"templates nested deeper than {MAX_DEPTH}", base + start)
                add(new(kind, (tag, value, _decode(value, pad, base + at, depth + 1))))
            else:
                add(new(kind, (tag, value, _NONE)))
            at = stop
    except IndexError:
        raise TlvError("truncated tag or length", base + start) from None
    found: Tlvs = _blank(Tlvs)
    found._items = tuple(items)
    found._raw = data
    return found


def _long_length(data: bytes, at: int, base: int) -> tuple[int, int]:
    """Length and offset of the value, for a length field whose first byte, at ``at - 1``, is 80 or more."""
    width = data[at - 1] & 0x7F
    if not width:
        raise TlvError("indefinite length", base + at - 1)
    if width > 4:
        raise TlvError(f"a length field of {width + 1} bytes", base + at - 1)
    field = data[at : at + width]
    if len(field) < width:
        _truncated("a length field", base + at - 1, width, len(field))
    length = int.from_bytes(field, "big")
    if length < 0x80 or not field[0]:
        raise TlvError("a length that is not in its shortest form", base + at - 1)
    return length, at + width


def _truncated(what: str, offset: int, wanted: int, there: int) -> NoReturn:
    raise TlvError(f"{what} is truncated: {wanted} bytes announced, {there} there", offset)
