"""The dates of the member application that a counter compares with the day."""

from __future__ import annotations

from collections.abc import Iterator

from personalize.dossiers.dossier import DossierApplication
from personalize.protocols import DatedElement
from terminal.member import elements
from terminal.tlv import decode

_DATES = ((elements.EFFECTIVE_DATE, True), (elements.EXPIRY_DATE, False), (elements.VALID_THROUGH, False))


def member_dates(member: DossierApplication) -> Iterator[DatedElement]:
    """Effective date, expiry date and the end of the membership, where the application has them."""
    for record in member.records().values():
        objects = decode(record)[0].children
        for element, starts in _DATES:
            if value := objects.get(element.tag):
                yield DatedElement(element.name, element.decode(value), starts)
