"""The dates of the payment application that a terminal compares with the day. EMV 4.4 Book 3, 10.4.3."""

from __future__ import annotations

from collections.abc import Iterator

from personalize.dossiers.dossier import DossierApplication
from personalize.payment.image import inside
from personalize.protocols import DatedElement
from terminal.emv.data.dictionary import STANDARD
from terminal.emv.data.tags import TAG_5F24_EXPIRATION_DATE, TAG_5F25_EFFECTIVE_DATE, TAG_70_RECORD

_DATES = ((TAG_5F25_EFFECTIVE_DATE, True), (TAG_5F24_EXPIRATION_DATE, False))


def payment_dates(application: DossierApplication) -> Iterator[DatedElement]:
    """Effective and expiry date, where the application has them."""
    known = STANDARD.known(application.instance_aid).elements
    for record in application.records().values():
        objects = inside(record, TAG_70_RECORD)
        for tag, starts in _DATES:
            if value := objects.get(tag):
                yield DatedElement(known[tag].name, known[tag].decode(value), starts)
