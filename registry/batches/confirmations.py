"""The unit's confirmation of a roster (annex 3): numbers of members and ID copies, the contact, and the seal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select

from registry.batches.lookup import batch_on_record
from registry.batches.row_reviews import refuse_reviewer
from registry.db.context import RegistryContext
from registry.db.privacy import PersonalData, mask_mobile, mask_name, scrub
from registry.db.tables import batches, confirmations, roster_rows
from registry.errors import NotOnRecord, RegistryConflict
from registry.values import Batch

_FIELDS: Final = ("contact", "phone")


@dataclass(frozen=True, slots=True)
class ConfirmedCounts:
    """What the paper says, as the reviewer enters it. ``seal``: it bears the unit's seal. ``explanation``: why the
    numbers differ from the form, or why there is no seal."""

    members: int
    copies: int
    contact: str = field(repr=False)
    phone: str = field(repr=False)
    seal: bool
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A confirmation on record; the contact is masked. ``people`` is the number of rows that it was compared with;
    ``current``: the batch still has so many."""

    at: datetime
    by: str
    people: int
    members: int
    copies: int
    contact_masked: str
    phone_masked: str
    seal: bool
    explanation: str
    current: bool


@dataclass(frozen=True, slots=True)
class ConfirmationSheet:
    """A confirmation with its contact in clear, for the cover sheet."""

    batch: Batch
    confirmation: Confirmation
    contact: str = field(repr=False)
    phone: str = field(repr=False)


class Confirmations:
    """Repository of confirmations; a batch has one, and a later one takes its place until the batch is approved."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def confirm(self, batch_id: str, counts: ConfirmedCounts, *, by: str, sent: bool = False) -> Confirmation:
        """Enter what the paper says. ``sent``: only where the draft is submitted for review.

        Raises NotOnRecord, RegistryConflict for a batch that is no draft, the person who imported it, or numbers that
        differ from the form, or a missing seal, without an explanation.
        """
        explanation = scrub(counts.explanation.strip())
        personal = self._context.personal
        with self._context.write() as conn:
            refuse_reviewer(conn, batch_id, by, sent=sent)
            people = _people(conn, batch_id)
            _refuse_unexplained(batch_id, counts, people, explanation)
            key = personal.seal_key()
            contact = {"contact": counts.contact, "phone": counts.phone}
            forget(conn, batch_id)
            conn.execute(
                insert(confirmations).values(
                    batch_id=batch_id,
                    at=self._context.clock(),
                    by=by,
                    people=people,
                    members=counts.members,
                    copies=counts.copies,
                    seal=counts.seal,
                    explanation=explanation,
                    sealed=personal.seal_fields(key, _place(batch_id), contact),
                    seal_key=str(key),
                )
            )
            facts = {"members": counts.members, "copies": counts.copies, "rows": people, "seal": counts.seal}
            self._context.audit(conn, by, "batch.confirm", f"batch:{batch_id}", explanation, **facts)
            return _confirmation(personal, _row(conn, batch_id), people)

    def of(self, batch_id: str) -> Confirmation | None:
        """None where none was entered. Raises NotOnRecord."""
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            row = conn.execute(select(confirmations).where(confirmations.c.batch_id == batch_id)).one_or_none()
            return None if row is None else _confirmation(self._context.personal, row, _people(conn, batch_id))

    def sheet(self, batch_id: str, *, by: str) -> ConfirmationSheet:
        """For the cover sheet; the audit entry is committed before. Raises NotOnRecord (batch, confirmation)."""
        with self._context.write() as conn:
            batch, row = batch_on_record(conn, batch_id), _row(conn, batch_id)
            confirmation = _confirmation(self._context.personal, row, _people(conn, batch_id))
            contact = _contact(self._context.personal, row)
            self._context.audit(conn, by, "batch.cover", f"batch:{batch_id}")
        return ConfirmationSheet(batch, confirmation, contact["contact"], contact["phone"])


def refuse_unconfirmed(conn: Connection, batch_id: str) -> None:
    """Raises RegistryConflict for a batch that needs a confirmation and has none for its present number of rows."""
    needed = select(batches.c.needs_confirmation).where(batches.c.id == batch_id)
    if not conn.execute(needed).scalar():
        return
    people = select(confirmations.c.people).where(confirmations.c.batch_id == batch_id)
    if conn.execute(people).scalar() != _people(conn, batch_id):
        sentence = f"batch {batch_id} needs the unit's confirmation of its counts (annex 3) before it is approved"
        raise RegistryConflict(sentence, reason="confirmation-missing", batch=batch_id)


def forget(conn: Connection, batch_id: str) -> None:
    """Delete a confirmation in the caller's transaction."""
    conn.execute(delete(confirmations).where(confirmations.c.batch_id == batch_id))


def _refuse_unexplained(batch_id: str, counts: ConfirmedCounts, people: int, explanation: str) -> None:
    if explanation:
        return
    if (counts.members, counts.copies) != (people, people):
        sentence = (
            f"the unit confirms {counts.members} members and {counts.copies} ID copies, and batch {batch_id} has "
            f"{people} rows: explain the difference, or return the batch"
        )
        raise RegistryConflict(
            sentence,
            reason="confirmation-differs",
            batch=batch_id,
            members=counts.members,
            copies=counts.copies,
            rows=people,
        )
    if not counts.seal:
        sentence = "the confirmation bears no seal: explain why, or return the batch"
        raise RegistryConflict(sentence, reason="confirmation-unsealed", batch=batch_id)


def _row(conn: Connection, batch_id: str) -> Row[*tuple[Any, ...]]:
    row = conn.execute(select(confirmations).where(confirmations.c.batch_id == batch_id)).one_or_none()
    if row is None:
        sentence = f"no confirmation was entered for batch {batch_id}"
        raise NotOnRecord(sentence, reason="confirmation", batch=batch_id)
    return row


def _people(conn: Connection, batch_id: str) -> int:
    counted = select(func.count()).select_from(roster_rows).where(roster_rows.c.batch_id == batch_id)
    return conn.execute(counted).scalar_one()


def _contact(personal: PersonalData, row: Row[*tuple[Any, ...]]) -> dict[str, str]:
    return personal.open_fields(row.seal_key, row.sealed, _place(row.batch_id), _FIELDS)


def _confirmation(personal: PersonalData, row: Row[*tuple[Any, ...]], people: int) -> Confirmation:
    contact = _contact(personal, row)
    return Confirmation(
        at=row.at,
        by=row.by,
        people=row.people,
        members=row.members,
        copies=row.copies,
        contact_masked=mask_name(contact["contact"]),
        phone_masked=mask_mobile(contact["phone"]),
        seal=row.seal,
        explanation=row.explanation,
        current=row.people == people,
    )


def _place(batch_id: str) -> str:
    return f"confirmations.sealed/{batch_id}"
