"""Card data in words: a tree of names, values and bits, with personal data masked. EMV 4.4 Books 3 and 4, annexes.

``explain(0x95, bytes.fromhex("8000048000"))`` names the bits that are set; ``explain_data(record)`` explains data
objects and everything in them. A value that breaks its format is shown with the fault, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from terminal.emv.data.dictionary import STANDARD, Dictionary
from terminal.emv.data.elements.codecs import CurrencyCode, Template
from terminal.emv.data.elements.element import Context, Element, Personal
from terminal.emv.data.masking import masked_pan
from terminal.emv.data.records import card_objects
from terminal.emv.data.tags import (
    TAG_4F_ADF_NAME,
    TAG_5F2A_CURRENCY,
    TAG_6F_FCI,
    TAG_9F42_APPLICATION_CURRENCY,
    TAG_9F51_CARD_RISK_CURRENCY,
    TAG_61_DIRECTORY_ENTRY,
    TAG_84_DF_NAME,
)
from terminal.errors import CodecError, TlvError
from terminal.tlv import Dol, Tag, Tlvs, decode, encode_length, split
from terminal.tlv.ber import tag_length

_CURRENCIES = (TAG_5F2A_CURRENCY, TAG_9F51_CARD_RISK_CURRENCY, TAG_9F42_APPLICATION_CURRENCY)
"""Elements with the currency of the amounts beside them: of the transaction, PBOC's card, the application."""
_NAMING = {TAG_6F_FCI: TAG_84_DF_NAME, TAG_61_DIRECTORY_ENTRY: TAG_4F_ADF_NAME}
"""Templates of one application, and the element in them that names it."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A value in words, or one part of it. ``tag`` is None for a part; ``value`` for parts, templates and the masked.

    ``fault``: how the value breaks its format. ``verbatim``: the text is the card's or the terminal's own, no word of
    ours.
    """

    tag: Tag | None
    name: str
    text: str
    value: bytes | None = None
    children: tuple[Explained, ...] = ()
    fault: str = ""
    verbatim: bool = False

    def __str__(self) -> str:
        """One line: ``9F36 Application Transaction Counter (ATC) [0005]: 5``."""
        head = f"{self.tag} {self.name}".rstrip() if self.tag is not None else self.name
        shown = self.value.hex().upper() if self.value else ""
        raw = f" [{shown}]" if shown and not self.text.startswith(shown) else ""
        return f"{head}{raw}{f': {self.text}' if self.text else ''}{f' ! {self.fault}' if self.fault else ''}"

    def lines(self, before: str = "") -> Iterator[str]:
        """The tree, line by line; ``before`` is put in front of each."""
        yield f"{before}{self}"
        yield from _below(self.children, before)

    def to_json(self) -> dict[str, Any]:
        """For other programs: empty fields are left out."""
        fields = {
            "tag": str(self.tag) if self.tag is not None else "",
            "name": self.name,
            "value": self.value.hex().upper() if self.value is not None else None,
            "text": self.text,
            "fault": self.fault,
            "children": [child.to_json() for child in self.children],
        }
        return {key: value for key, value in fields.items() if value not in ("", None, [])}


def _below(children: tuple[Explained, ...], before: str) -> Iterator[str]:
    for number, child in enumerate(children, 1):
        last = number == len(children)
        yield f"{before}{'└─ ' if last else '├─ '}{child}"
        yield from _below(child.children, before + ("   " if last else "│  "))


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains values of one application. ``aid`` names it; ``reveal`` shows personal data, for test cards."""

    aid: bytes | None = None
    reveal: bool = False
    dictionary: Dictionary = field(default=STANDARD)
    currency: str | None = None

    def element(self, tag: int, value: bytes, template: int | None = None) -> Explained:
        """One data element by its tag. Raises TlvError for a number that is no tag."""
        known, tag = self.dictionary.lookup(tag, self.aid, template), Tag(tag)
        if known is None:
            return self._unknown(tag, value)
        if known.codec is Template:
            return self._template(tag, known.name, value)
        if known.personal is not Personal.NO and not self.reveal:
            return self._masked(known, value)
        try:
            decoded = known.decode(value)
        except CodecError as error:
            fault = _reason(error, known)
            if self._personal_anywhere(tag):
                return Explained(tag, known.name, f"{len(value)} bytes, masked", fault=fault)
            return Explained(tag, known.name, value.hex().upper(), value, fault=fault)
        context = Context(self.currency, lambda tag: self._name(tag))
        parts = tuple(Explained(None, part.name, part.text) for part in known.codec.parts(decoded, context))
        text = known.codec.text(decoded, context)
        return Explained(tag, known.name, text, value, parts, verbatim=known.codec.VERBATIM)

    def objects(self, objects: Tlvs, template: int | None = None) -> tuple[Explained, ...]:
        """Data objects side by side, which give each other application and currency."""
        inner, raw, at = self._at_home(objects, template), objects.encode(), 0
        explained: list[Explained] = []
        for item in objects:
            start = _after_padding(raw, at, item.tag)
            explained += _padding(raw[at:start])
            explained += _long_length(raw, start + len(item.tag.encode()), len(item.value))
            explained.append(inner.element(item.tag, item.value, template))
            at = _end(raw, start + len(item.tag.encode()), len(item.value))
        return (*explained, *_padding(raw[at:]))

    def data(self, data: bytes) -> tuple[Explained, ...]:
        """Encoded data objects, and the padding between them. Raises TlvError with the offset where they are none."""
        return self.objects(card_objects(data)[0])

    def readable(self, data: bytes) -> tuple[tuple[Explained, ...], TlvError | None]:
        """What can be read of encoded data objects, and the first fault in them: the objects before the one at fault,
        and those inside it where it is a template. None where all of it is read."""
        try:
            return self.data(data), None
        except TlvError as error:
            return self._before_fault(data), _fault(data) or error

    def _before_fault(self, data: bytes) -> tuple[Explained, ...]:
        complete, rest = _complete_objects(data)
        explained = [self.element(tag, encoded[_header_length(encoded) :]) for tag, encoded in complete]
        with suppress(TlvError, IndexError):
            tag, start = Tag.parse(rest[: _tag_length(rest)]), _header_length(rest)
            if tag.constructed and start <= len(rest):
                fault = f"cut: {len(rest) - start} bytes of its value are there"
                explained.append(Explained(tag, self._name(tag), "", None, self._before_fault(rest[start:]), fault))
        return tuple(explained)

    def filled(self, dol: Dol, data: bytes) -> tuple[Explained, ...]:
        """Values joined by a data object list. Raises TlvError when their length is another."""
        return self.values(dol.split(data))

    def values(self, values: Mapping[Tag, bytes]) -> tuple[Explained, ...]:
        """Values side by side, filled up as a data object list does, which give each other the currency."""
        inner = self._with_currency(values)
        return tuple(inner.element(tag, self.unpadded(tag, value)) for tag, value in values.items())

    def unpadded(self, tag: int, value: bytes) -> bytes:
        """Texts without the zero bytes that a data object list fills them up with; other elements, and texts of zeros
        alone, as they are. EMV 4.4 Book 3, 5.4."""
        known = self.dictionary.lookup(tag, self.aid)
        return (value.rstrip(b"\0") or value) if known is not None and known.format.startswith("an") else value

    def _at_home(self, objects: Tlvs, template: int | None) -> Explainer:
        inner = self._with_currency({item.tag: item.value for item in objects})
        naming = _NAMING.get(template) if template is not None else None
        aid = objects.get(naming) if naming is not None else None
        return replace(inner, aid=aid) if aid is not None else inner

    def _with_currency(self, values: Mapping[Tag, bytes]) -> Explainer:
        for tag in _CURRENCIES:
            code = values.get(Tag(tag))
            if code is not None and len(code) == 2:
                try:
                    return replace(self, currency=CurrencyCode.read(code))
                except CodecError:
                    continue
        return self

    def _template(self, tag: Tag, name: str, value: bytes) -> Explained:
        try:
            inside = card_objects(value)[0]
        except TlvError as error:
            # The content is unknown, and may be personal.
            shown = value.hex().upper() if self.reveal else f"{len(value)} bytes"
            return Explained(tag, name, shown, value if self.reveal else None, fault=str(error))
        return Explained(tag, name, "", None, self.objects(inside, tag))

    def _unknown(self, tag: Tag, value: bytes) -> Explained:
        if tag.constructed:
            return self._template(tag, "", value)
        others = [e for e in self.dictionary.elsewhere(tag) if not e.contextual]
        stranger = self.aid is None or self.dictionary.scheme(self.aid) is None
        name = "(an element of a payment system; its application is not known)" if others and stranger else "(unknown)"
        if self._personal_anywhere(tag):
            return Explained(tag, name, f"{len(value)} bytes, masked")
        return Explained(tag, name, value.hex().upper(), value)

    def _personal_anywhere(self, tag: Tag) -> bool:
        """Whether to mask unknown elements: a wrong AID must not reveal an ID number."""
        return not self.reveal and any(e.personal is not Personal.NO for e in self.dictionary.elsewhere(tag))

    def _masked(self, known: Element[Any], value: bytes) -> Explained:
        try:
            digits = known.decode(value)
        except CodecError as error:
            return Explained(known.tag, known.name, f"{len(value)} bytes, masked", fault=_reason(error, known))
        if known.personal is Personal.PAN:
            return Explained(known.tag, known.name, masked_pan(digits))
        return Explained(known.tag, known.name, f"{len(value)} bytes, masked")

    def _name(self, tag: Tag) -> str:
        known = self.dictionary.lookup(tag, self.aid)
        return known.name if known is not None else ""


def explain(
    tag: int, value: bytes, aid: bytes | None = None, *, reveal: bool = False, dictionary: Dictionary = STANDARD
) -> Explained:
    """One data element in words; personal data are masked unless ``reveal``. Raises TlvError for no tag."""
    return Explainer(aid, reveal, dictionary).element(tag, value)


def explain_data(
    data: bytes, aid: bytes | None = None, *, reveal: bool = False, dictionary: Dictionary = STANDARD
) -> tuple[Explained, ...]:
    """Encoded data objects in words. Raises TlvError with the offset for bytes that are none."""
    return Explainer(aid, reveal, dictionary).data(data)


def explain_readable(
    data: bytes, aid: bytes | None = None, *, reveal: bool = False, dictionary: Dictionary = STANDARD
) -> tuple[tuple[Explained, ...], TlvError | None]:
    """As ``explain_data``, but what can be read of data with a fault, and the fault."""
    return Explainer(aid, reveal, dictionary).readable(data)


def _fault(data: bytes) -> TlvError | None:
    """The fault of the data where their lengths may have more bytes than they need."""
    try:
        decode(data, padding="ff-tags", lengths="any")
    except TlvError as error:
        return error
    return None


def _complete_objects(data: bytes) -> tuple[list[tuple[Tag, bytes]], bytes]:
    """The outermost objects before the first one that is no whole object, each as it is encoded, and the rest."""
    end = len(data)
    while True:
        try:
            return split(data[:end], padding="ff-tags"), data[end:]
        except TlvError as error:
            end = error.offset or 0


def _tag_length(encoded: bytes) -> int:
    """Raises IndexError, TlvError."""
    return 3 if encoded[:2] == b"\xff\x81" else tag_length(encoded, 0, 0)


def _header_length(encoded: bytes) -> int:
    """Length of tag and length field of an object. Raises IndexError, TlvError."""
    at = _tag_length(encoded)
    return at + 1 + (encoded[at] & 0x7F if encoded[at] & 0x80 else 0)


def _after_padding(raw: bytes, at: int, tag: Tag) -> int:
    """Where the object with this tag begins, at ``at`` or after the padding there."""
    encoded = tag.encode()
    while not raw.startswith(encoded, at):
        at += 1
    return at


def _end(raw: bytes, at: int, length: int) -> int:
    """Where an object ends whose length field begins at ``at``."""
    first = raw[at]
    return at + 1 + (first & 0x7F if first & 0x80 else 0) + length


def _long_length(raw: bytes, at: int, length: int) -> Iterator[Explained]:
    """A remark for a length field, at ``at``, of more bytes than it needs."""
    if not raw.startswith(encode_length(length), at):
        shown = raw[at : at + 1 + (raw[at] & 0x7F)].hex().upper()
        yield Explained(None, "(length)", f"{shown} has more bytes than it needs (EMV 4.4 Book 3, Annex B2)")


def _padding(skipped: bytes) -> Iterator[Explained]:
    if skipped:
        shown = skipped.hex().upper() if len(skipped) <= 4 else f"{skipped[:4].hex().upper()}… ({len(skipped)} bytes)"
        yield Explained(None, "(padding)", f"{shown}, skipped: no data object (EMV 4.4 Book 3, Annex B1)")


def _reason(error: CodecError, known: Element[Any]) -> str:
    """The fault, without the name that is shown beside it anyway."""
    return str(error).removeprefix(f"{known.tag} ({known.name}): ")
