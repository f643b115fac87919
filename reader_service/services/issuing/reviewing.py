"""The review of a roster by a second person: rows in clear, marks, and the unit's confirmation (annex 3)."""

from __future__ import annotations

import re
from typing import Final

from personalize.sheets.confirmation import confirmation_pdf, confirmation_workbook
from reader_service.errors import Forbidden, Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.batches.confirmations import Confirmation, ConfirmationSheet, ConfirmedCounts
from registry.batches.row_reviews import ClearRows, ReviewProgress, RowDoubt, RowMark
from terminal.names import fold

_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()-]{4,22}[0-9]")
_LONGEST_NAME: Final = 60
_LONGEST_NOTE: Final = 200
_MOST: Final = 1_000_000


class ReviewingService:
    """Events: batch.changed (topic: batch id; data: {"state", "review"}) when a confirmation is entered."""

    def __init__(self, parts: ServiceParts, bus: EventBus) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._bus = bus

    def progress(self, p: Principal, batch_id: str) -> ReviewProgress:
        """Raises NotFound."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.row_reviews.progress(batch_id)

    def doubts(self, p: Principal, batch_id: str) -> list[RowDoubt]:
        """The rows in doubt with the reviewers' notes. Raises NotFound."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.row_reviews.doubts(batch_id)

    def look(
        self, p: Principal, batch_id: str, reason: str, *, after: int = 0, limit: int = 50, printed: bool = False
    ) -> ClearRows:
        """Rows in clear behind the row ``after``; audited first. ``printed``: the caller asked for print in clear.

        Raises OwnWork for the importer, Conflict where it was not submitted, Invalid without a reason, Forbidden.
        """
        _in_person(p)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.row_reviews.look(
                batch_id, by=p.name, reason=why, after=after, limit=limit, sent=True, printed=printed
            )

    def mark(self, p: Principal, batch_id: str, sheet_row: int, mark: RowMark | None, note: str = "") -> ReviewProgress:
        """Mark a row; None takes its mark back. Raises what ``look`` raises, NotFound for another row, and Conflict for
        a doubt without a note."""
        _in_person(p)
        checked = checked_note(note)
        with translate_registry_errors():
            return self._registry.row_reviews.mark(batch_id, sheet_row, mark, checked, by=p.name, sent=True)

    def confirm(self, p: Principal, batch_id: str, counts: ConfirmedCounts) -> Confirmation:
        """Enter what the paper says. Raises OwnWork for the importer, Invalid, Conflict for differences without an
        explanation."""
        _in_person(p)
        checked = checked_counts(counts)
        with translate_registry_errors():
            confirmed = self._registry.confirmations.confirm(batch_id, checked, by=p.name, sent=True)
        self._bus.publish("batch.changed", batch_id, {"state": "draft", "review": "submitted"})
        return confirmed

    def confirmation(self, p: Principal, batch_id: str) -> Confirmation | None:
        """Masked; None where none was entered. Raises NotFound."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.confirmations.of(batch_id)

    def cover_pdf(self, p: Principal, batch_id: str) -> bytes:
        """The cover sheet (附件3), with the contact in clear, which is audited. Raises NotFound, NoChineseFont."""
        return confirmation_pdf(self._sheet(p, batch_id), self._parts.now().date(), self._parts.zone)

    def cover_xlsx(self, p: Principal, batch_id: str) -> bytes:
        """The same as a workbook."""
        return confirmation_workbook(self._sheet(p, batch_id), self._parts.now().date(), self._parts.zone)

    def _sheet(self, p: Principal, batch_id: str) -> ConfirmationSheet:
        p.need(Permission.ROSTERS_APPROVE)
        with translate_registry_errors():
            return self._registry.confirmations.sheet(batch_id, by=p.name)


def _in_person(p: Principal) -> None:
    """Raises Forbidden."""
    p.need(Permission.ROSTERS_APPROVE)
    if p.token:
        raise Forbidden("a person reviews a roster; a token is none", permission=str(Permission.ROSTERS_APPROVE))


def checked_note(note: str) -> str:
    """A note on one line. Raises Invalid."""
    text = " ".join(note.split())
    if len(text) > _LONGEST_NOTE or not text.isprintable():
        wanted = f"up to {_LONGEST_NOTE} printable characters"
        raise Invalid(f"a note has {wanted}", {"note": wanted})
    return text


def checked_counts(counts: ConfirmedCounts) -> ConfirmedCounts:
    """The values as they are stored. Raises Invalid."""
    contact, phone = " ".join(counts.contact.split()), " ".join(counts.phone.split())
    fields = {}
    for name, number in (("members", counts.members), ("copies", counts.copies)):
        if not 0 <= number <= _MOST:
            fields[name] = f"a number from 0 to {_MOST}"
    if not contact or len(contact) > _LONGEST_NAME or not contact.isprintable() or not fold(contact):
        fields["contact"] = f"a name of 1 to {_LONGEST_NAME} printable characters"
    if not _PHONE.fullmatch(phone):
        fields["phone"] = "a phone number, with its area code"
    if fields:
        raise Invalid("this confirmation cannot be recorded", fields)
    explanation = needs_reason(counts.explanation) if counts.explanation.strip() else ""
    return ConfirmedCounts(counts.members, counts.copies, contact, phone, counts.seal, explanation)
