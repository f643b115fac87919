"""The meaning of a tag, by application and template. EMV 4.4 Book 3, Annex A.

``lookup(0x9F02)`` gives EMV's own elements; ``lookup(0x9F79, aid)`` also those of the application's payment system.
Without an application, tags that payment systems define have no meaning: 9F61 is an ID number in one and a check value
in another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from terminal.emv.data.elements.annex_a import ANNEX_A
from terminal.emv.data.elements.book_c2 import BOOK_C2
from terminal.emv.data.elements.element import Element, Personal, Source
from terminal.emv.data.elements.schemes import SCHEME_ELEMENTS, SCHEMES
from terminal.emv.data.tags import TAG_70_RECORD, TAG_A5_FCI_PROPRIETARY, TAG_BF0C_FCI_DISCRETIONARY
from terminal.tlv import DolFormat

__all__ = ["STANDARD", "Dictionary", "Element", "Personal", "Source", "lookup"]


class KnownElement:
    """The elements of one application by tag, outside the templates that give some of them another meaning."""

    def __init__(self, elements: Iterable[Element[Any]]) -> None:
        self.elements: Mapping[int, Element[Any]] = {element.tag: element for element in elements}
        self.formats: Mapping[int, DolFormat] = {tag: element.format for tag, element in self.elements.items()}
        """For filling data object lists."""
        self.of_the_card = frozenset(
            tag for tag, e in self.elements.items() if e.source is Source.CARD and not e.tag.constructed
        )
        """The objects of a card that a terminal may store: primitive, known, and with source card, so that no card can
        put terminal data into a data object list. EMV 4.4 Book 3, 10.2."""
        self.of_a_record = self._inside(TAG_70_RECORD)
        self.of_an_fci = {
            template: self._inside(template) for template in (TAG_A5_FCI_PROPRIETARY, TAG_BF0C_FCI_DISCRETIONARY)
        }
        """By the template of the FCI that they stand in."""

    def _inside(self, template: int) -> frozenset[int]:
        """The objects of a card that count directly inside this template. An object is unknown outside its template,
        and of those that EMV puts into none (GET DATA, computed by the terminal) everywhere; where payment systems put
        theirs is not always published. EMV 4.4 Book 3, 7.5, Annex A."""
        return frozenset(
            tag
            for tag in self.of_the_card
            if template in (element := self.elements[tag]).template or not (element.template or element.scheme == "EMV")
        )


class Dictionary:
    """Elements by tag. ``schemes`` are names of schemes by the beginning of the application identifiers they own."""

    def __init__(self, elements: Iterable[Element[Any]], schemes: Mapping[bytes, str]) -> None:
        self.elements = tuple(elements)
        self._schemes = dict(schemes)
        self._lengths = sorted({len(beginning) for beginning in schemes}, reverse=True)
        self._known: dict[str | None, KnownElement] = {}
        self._by_tag: dict[int, list[Element[Any]]] = {}
        for element in self.elements:
            self._by_tag.setdefault(element.tag, []).append(element)

    def scheme(self, aid: bytes) -> str | None:
        """The scheme of an application: the one with the longest matching beginning."""
        for length in self._lengths:
            owner = self._schemes.get(aid[:length])
            if owner is not None:
                return owner
        return None

    def known(self, aid: bytes | None = None) -> KnownElement:
        """Everything that ``lookup`` without a template finds for an application (none named: EMV alone)."""
        scheme = None if aid is None else self.scheme(aid)
        known_elements = self._known.get(scheme)
        if known_elements is None:
            # The last one of a tag counts: EMV's meanings first, then the scheme's own; of its duplicates, the first.
            at_large = [e for e in reversed(self.elements) if not e.contextual and e.scheme in ("EMV", scheme)]
            known_elements = KnownElement(sorted(at_large, key=lambda e: e.scheme != "EMV"))
            self._known[scheme] = known_elements
        return known_elements

    def lookup(self, tag: int, aid: bytes | None = None, template: int | None = None) -> Element[Any] | None:
        """The element with that tag, or None where the application (none named: EMV alone) has none.

        A meaning of the application's scheme has precedence over EMV's, one inside ``template`` over a general one.
        """
        if template is None:
            return self.known(aid).elements.get(tag)
        scheme = None if aid is None else self.scheme(aid)
        known = [e for e in self._by_tag.get(tag, ()) if e.scheme in ("EMV", scheme)]
        fitting = [e for e in known if template in e.template or not e.contextual]
        if not fitting:
            return None
        return min(fitting, key=lambda e: (e.scheme == "EMV", not e.contextual))

    def elsewhere(self, tag: int) -> tuple[Element[Any], ...]:
        """Every meaning of a tag, in any scheme."""
        return tuple(self._by_tag.get(tag, ()))

    def joined(self, elements: Iterable[Element[Any]], schemes: Mapping[bytes, str]) -> Dictionary:
        """This dictionary with the elements of another application."""
        return Dictionary((*self.elements, *elements), self._schemes | dict(schemes))


STANDARD: Final = Dictionary((*ANNEX_A, *BOOK_C2, *SCHEME_ELEMENTS), SCHEMES)
"""EMV with the contactless kernel 2, PBOC, and what is public of Visa and Mastercard."""


def lookup(tag: int, aid: bytes | None = None, template: int | None = None) -> Element[Any] | None:
    """The element of the standard dictionary; see ``Dictionary.lookup``."""
    return STANDARD.lookup(tag, aid, template)
