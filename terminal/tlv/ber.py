"""BER-TLV data objects: strict, lossless and fast. ISO/IEC 7816-4:2020, 6.3; EMV 4.4 Book 3, Annex B.

Strict: definite lengths in their shortest form only (unless a card may write longer ones), nothing truncated, nothing
trailing; a fault inside a template is raised when the outermost bytes are decoded, with its offset in them. Lossless:
the order of objects, duplicates and the padding bytes between them are preserved, so that ``decode(x).encode() == x``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple, NoReturn, Self, TypeAlias, cast, overload

from terminal.errors import TlvError

MAX_DEPTH: Final = 32
"""Deepest nesting of templates accepted: cards use five, and a hostile card must not exhaust the stack."""

Padding = Literal["emv", "reject", "ff-tags"]
Lengths = Literal["shortest", "any"]
_PADDING: Final = b"\x00\xff"
_FF_TAGS: Final = range(0xFF8101, 0xFF8180)
"""Tags that begin with FF all the same: FF8101 to FF8106 are in use. EMV Contactless Book C-2, Annex A."""


class Tag(int):
    """A BER-TLV tag of one to three bytes as one number: ``Tag(0x9F27)``, ``Tag.parse("9F27")``; prints as ``9F27``.

    Tags that begin with 00 or FF are refused, but for FF81xx: those bytes are padding between objects. Raises TlvError
    for a number that is no tag. ISO/IEC 7816-4:2020, 6.3; EMV 4.4 Book 3, Annex B1.
    """

    __slots__ = ()

    def __new__(cls, number: int) -> Self:
        known = _KNOWN.get(number)
        if known is not None and cls is Tag:
            return cast(Self, known)
        if number in _FF_TAGS:
            return int.__new__(cls, number)
        raw = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big") if number > 0 else b"\x00"
        try:
            length = tag_length(raw, 0, 0)
        except IndexError:
            raise TlvError(f"{raw.hex().upper()} is the beginning of a tag only") from None
        if length != len(raw):
            raise TlvError(f"{raw.hex().upper()} is more than one tag")
        return int.__new__(cls, number)

    @classmethod
    def parse(cls, tag: str | bytes) -> Self:
        """A tag from its hex digits or its bytes. Raises TlvError."""
        try:
            raw = bytes.fromhex(tag) if isinstance(tag, str) else tag
        except ValueError:
            raise TlvError(f"{tag!r} is no tag") from None
        return cls(int.from_bytes(raw, "big"))

    def encode(self) -> bytes:
        return self.to_bytes((self.bit_length() + 7) // 8, "big")

    @property
    def constructed(self) -> bool:
        """Whether the value consists of data objects itself: bit 6 of the first byte."""
        return self & (0x20 if self < 0x100 else 0x2000 if self < 0x10000 else 0x200000) != 0

    def __str__(self) -> str:
        return f"{int(self):02X}"

    def __repr__(self) -> str:
        return f"Tag(0x{int(self):02X})"


def tag_length(data: bytes, at: int, base: int) -> int:
    """Length of the tag at ``at`` in bytes.

    Raises IndexError for a truncated tag, TlvError (at offset ``base + at``) for bytes that are no tag.
    """
    first = data[at]
    if first in _PADDING:
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


_KNOWN: Final[dict[int, Tag]] = {}
"""Every tag of one or two bytes: making an int subclass takes longer than all other work on an object."""


_Node: TypeAlias = "tuple[Tag, bytes, tuple[_Node, ...] | None]"
"""A decoded object: tag, value, nodes inside (None for a primitive object).

A plain tuple costs a quarter of a Tlv, and most objects of a record are never read; Tlvs makes the Tlv on access."""


class Tlv(NamedTuple):
    """One data object. ``tlv()`` builds one and checks that the value of a template consists of data objects."""

    tag: Tag
    value: bytes
    """The value field; for a template the encoded children, padding included."""
    nodes: tuple[_Node, ...] | None

    @property
    def children(self) -> Tlvs:
        """The objects inside a template; empty for a primitive object."""
        return _EMPTY if self.nodes is None else _tlvs(self.value, self.nodes)

    def encode(self) -> bytes:
        return _encode(self.tag, self.value)

    def __repr__(self) -> str:
        """Tag and length only: a value may be personal."""
        return f"<Tlv {self.tag}, {len(self.value)} bytes>"


_tlv: Callable[[_Node], Tlv] = partial(tuple.__new__, Tlv)
"""Makes a Tlv of a node in a quarter of the time of a NamedTuple's own __new__."""


class Tlvs(Sequence[Tlv]):
    """A sequence of data objects that preserves the padding it was decoded with."""

    __slots__ = ("_nodes", "_raw")
    _nodes: tuple[_Node, ...]
    _raw: bytes

    def __init__(self, items: Iterable[Tlv] = ()) -> None:
        self._nodes = tuple(items)
        self._raw = b"".join([_encode(node[0], node[1]) for node in self._nodes])

    def encode(self) -> bytes:
        """The bytes these were decoded from, padding included."""
        return self._raw

    def find(self, *path: int) -> Tlv | None:
        """The first object with this tag at this level; several tags are a path through templates. None without one."""
        node = self._find(path)
        return None if node is None else _tlv(node)

    def only(self, tag: int) -> Tlv | None:
        """The object at this level if it is the only one and has this tag, else None."""
        nodes = self._nodes
        return _tlv(nodes[0]) if len(nodes) == 1 and nodes[0][0] == tag else None

    def find_all(self, tag: int) -> list[Tlv]:
        """Every object with this tag at this level, in order."""
        return [_tlv(node) for node in self._nodes if node[0] == tag]

    def get(self, *path: int) -> bytes | None:
        """The value of the object that ``find`` returns, or None."""
        node = self._find(path)
        return None if node is None else node[1]

    def present(self, *path: int) -> bytes | None:
        """The value of the first such object that is not empty, or None: in card data an empty object is an absent one.
        EMV 4.4 Book 3, 5.2."""
        first = self.full(*path)
        return None if first is None else first.value

    def full(self, *path: int) -> Tlv | None:
        """The first such object that is not empty, or None."""
        node = _first(self._nodes, path, 0, empty=False)
        return None if node is None else _tlv(node)

    def need(self, *path: int) -> bytes:
        """The value of the object that ``find`` returns. Raises TlvError when there is none."""
        node = self._find(path)
        if node is None:
            raise TlvError(f"no object {'/'.join(f'{tag:02X}' for tag in path)}")
        return node[1]

    def walk(self) -> Iterator[Tlv]:
        """Every object at every level, a template before its children."""
        for node in self._nodes:
            yield _tlv(node)
            if node[2]:
                yield from _tlvs(b"", node[2]).walk()

    def pairs(self) -> Iterator[tuple[Tag, bytes]]:
        """Tag and value of every object in the order of ``walk``, in half its time."""
        for tag, value, inside in self._nodes:
            yield tag, value
            if inside:
                yield from _tlvs(b"", inside).pairs()

    def _find(self, path: tuple[int, ...]) -> _Node | None:
        return _first(self._nodes, path, 0)

    @overload
    def __getitem__(self, at: int) -> Tlv: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Tlv]: ...
    def __getitem__(self, at: int | slice) -> Tlv | Sequence[Tlv]:
        return [_tlv(node) for node in self._nodes[at]] if isinstance(at, slice) else _tlv(self._nodes[at])

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Tlv]:
        return map(_tlv, self._nodes)

    def __eq__(self, other: object) -> bool:
        """Equal when the encodings are equal, padding included."""
        return isinstance(other, Tlvs) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"<Tlvs {' '.join(str(node[0]) for node in self._nodes)}>"


def _tlvs(raw: bytes, nodes: tuple[_Node, ...]) -> Tlvs:
    tlvs = Tlvs.__new__(Tlvs)
    tlvs._nodes, tlvs._raw = nodes, raw
    return tlvs


_EMPTY: Final = Tlvs()


def _first(nodes: tuple[_Node, ...], path: tuple[int, ...], at: int, empty: bool = True) -> _Node | None:
    """The first object on the path of tags from ``path[at]``; ``empty`` False: the first with a value."""
    wanted, last = path[at], at + 1 == len(path)
    for node in nodes:
        if node[0] == wanted:
            match = node if last else _first(node[2] or (), path, at + 1, empty)
            if match is not None and (empty or match[1]):
                return match
    return None


def _encode(tag: Tag, value: bytes) -> bytes:
    return tag.encode() + encode_length(len(value)) + value


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
        return Tlv(tag, value, _scan(value, 1, 0, 0) if tag.constructed else None)
    children = content if isinstance(content, Tlvs) else Tlvs([content] if isinstance(content, Tlv) else content)
    if not tag.constructed:
        raise TlvError(f"{tag} is primitive and has no children")
    return Tlv(tag, children.encode(), children._nodes)


def encode(objects: Iterable[Tlv]) -> bytes:
    """The concatenated objects; a decoded sequence includes its padding."""
    return objects.encode() if isinstance(objects, Tlvs) else b"".join([item.encode() for item in objects])


def decode(data: bytes, *, padding: Padding = "emv", lengths: Lengths = "shortest") -> Tlvs:
    """Decode concatenated data objects, down to the primitive objects of every template.

    ``padding``: "emv" skips bytes 00 and FF before, between and after objects (EMV 4.4 Book 3, Annex B1;
    ISO/IEC 7816-4:1995, 5.2.2) and preserves them for encode(); "reject" refuses them; "ff-tags" skips them too, but
    takes FF81xx for a tag. ``lengths``: "any" also reads a length field of up to five bytes that is longer than it
    needs to be, as cards may write it (EMV 4.4 Book 3, Annex B2); Tlvs.encode() preserves it, Tlv.encode() writes the
    shortest form. Raises TlvError with the offset in ``data`` of the tag or length field at fault.
    """
    raw = bytes(data)
    return _tlvs(raw, _scan(raw, _PAD[padding], 0, 0, lengths == "shortest"))


def split(data: bytes, *, padding: Padding = "emv", lengths: Lengths = "any") -> list[tuple[Tag, bytes]]:
    """The outermost data objects, each as it is encoded, tag and length included. Their content is not read, so that a
    fault in one does not lose the others. Raises TlvError as ``decode`` does."""
    objects, at, pad = [], 0, _PAD[padding]
    try:
        while at < len(data):
            private = pad == 2 and int.from_bytes(data[at : at + 3], "big") in _FF_TAGS
            if data[at] in _PADDING and pad and not private:
                at += 1
                continue
            start = at + (3 if private else tag_length(data, at, 0))
            tag = Tag(int.from_bytes(data[at:start], "big"))
            length, value = data[start], start + 1
            if length > 0x7F:
                length, value = _long_length(data, value, 0, lengths == "shortest")
            if value + length > len(data):
                _truncated(f"the value of {tag}", at, length, len(data) - value)
            objects.append((tag, data[at : value + length]))
            at = value + length
    except IndexError:
        raise TlvError("truncated tag or length", at) from None
    return objects


_ONE_BYTE: Final = tuple([None if b in _PADDING or b & 0x1F == 0x1F else Tag(b) for b in range(256)])
_LEADERS = [b for b in range(0xFF) if b & 0x1F == 0x1F]
_TWO_BYTES: Final[dict[int, Tag]] = {
    (tag := Tag(first << 8 | second)): tag for first in _LEADERS for second in range(1, 0x80)
}
_KNOWN.update({tag: tag for tag in _ONE_BYTE if tag is not None} | _TWO_BYTES)


_PAD: Final[dict[Padding, int]] = {"reject": 0, "emv": 1, "ff-tags": 2}


def _scan(data: bytes, pad: int, base: int, depth: int, shortest: bool = True) -> tuple[_Node, ...]:
    """The nodes of one template's content, or of all ``data``; ``base`` is its offset for messages. The hot path."""
    nodes: list[_Node] = []
    ones, twos = _ONE_BYTE, _TWO_BYTES
    at, end = 0, len(data)
    try:
        while at < end:
            first = data[at]
            if (tag := ones[first]) is not None:
                length = data[at + 1]
                start = at + 2
            elif first in _PADDING and pad:
                if pad == 1 or (number := int.from_bytes(data[at : at + 3], "big")) not in _FF_TAGS:
                    at += 1
                    continue
                tag, length, start = Tag(number), data[at + 3], at + 4
            elif (tag := twos.get(first << 8 | data[at + 1])) is not None:
                length = data[at + 2]
                start = at + 3
            else:
                start = at + tag_length(data, at, base)
                tag = Tag(int.from_bytes(data[at:start], "big"))
                length = data[start]
                start += 1
            if length > 0x7F:
                length, start = _long_length(data, start, base, shortest)
            stop = start + length
            if stop > end:
                _truncated(f"the value of {tag}", at + base, length, end - start)
            value = data[start:stop]
            if first & 0x20:
                if depth == MAX_DEPTH:
                    raise TlvError(f"templates nested deeper than {MAX_DEPTH}", base + at)
                nodes.append((tag, value, _scan(value, pad, base + start, depth + 1, shortest)))
            else:
                nodes.append((tag, value, None))
            at = stop
    except IndexError:
        raise TlvError("truncated tag or length", base + at) from None
    return tuple(nodes)


def _long_length(data: bytes, at: int, base: int, shortest: bool) -> tuple[int, int]:
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
    if shortest and (length < 0x80 or not field[0]):
        raise TlvError("a length that is not in its shortest form", base + at - 1)
    return length, at + width


def _truncated(what: str, offset: int, wanted: int, there: int) -> NoReturn:
    raise TlvError(f"{what} is truncated: {wanted} bytes announced, {there} there", offset)
