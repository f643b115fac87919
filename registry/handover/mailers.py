"""PIN letters: which cards lack theirs, and each one's row, written before its PIN is opened and confirmed after."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, bindparam, insert, select, update

from registry.batches.lookup import batch_on_record, stage_for_update, stage_of
from registry.batches.persons import open_person
from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.counters import GIVEN_OUT, PENDING, last_number, restored
from registry.db.tables import LIVING, box_cards, cards, dossiers, members, pin_mailers, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.cards import CardChange, card_on_record, order_replacement
from registry.members.views import member_row, settled_member, without_name
from registry.values import CardState

_COLUMNS: Final = pin_mailers.c
_OF_CARD: Final = and_(_COLUMNS.card_number == cards.c.card_number, _COLUMNS.sequence == cards.c.sequence)
_IN_BOX: Final = and_(
    box_cards.c.card_number == cards.c.card_number,
    box_cards.c.sequence == cards.c.sequence,
    box_cards.c.out_at.is_(None),
)


class PinKind(StrEnum):
    """The application whose PIN a letter has."""

    MEMBER = "member"
    PAYMENT = "payment"


class MailerState(StrEnum):
    """How a letter stands."""

    UNKNOWN = "unknown"  # begun, and nobody knows whether it was printed
    PRINTED = "printed"
    SPOILT = "spoilt"  # destroyed, or searched for in vain


@dataclass(frozen=True, slots=True)
class DueCard:
    """A card of a batch that may get letters, in the order of delivery. ``letters`` are the kinds that it had."""

    card_number: str
    sequence: int
    letters: frozenset[PinKind]


@dataclass(frozen=True, slots=True)
class MailerTarget:
    """A letter that was begun: whose it is, and where it goes. ``place`` is the line of the card's box, 0 without."""

    id: int
    card_number: str
    sequence: int
    kind: PinKind
    unit: str
    name: str = field(repr=False)
    box_id: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True)
class PinMailer:
    """The row of a letter. Who spoilt it and why is empty until it is."""

    id: int
    card_number: str
    sequence: int
    kind: PinKind
    state: MailerState
    unit: str
    begun_at: datetime
    by: str
    second: str
    printer: str
    printed_at: datetime | None
    spoilt_at: datetime | None
    spoilt_by: str
    spoilt_second: str
    reason: str


class PinMailers:
    """Repository of PIN letters."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def today(self) -> date:
        """The calendar day for the letters."""
        return self._context.day(self._context.clock())

    def due(self, batch_id: str, *, unit: str = "", card_numbers: Collection[str] = ()) -> list[DueCard]:
        """The living cards of a batch, by unit, box and line, with the letters that they had; of one unit, or of these
        numbers only. Raises NotOnRecord, RegistryConflict for a batch that is closed."""
        chosen = _in_order().where(dossiers.c.batch_id == batch_id, cards.c.state.in_(LIVING))
        if unit:
            chosen = chosen.where(units.c.name == unit)
        had = select(_COLUMNS.card_number, _COLUMNS.sequence, _COLUMNS.kind).join(cards, _OF_CARD)
        had = had.join(dossiers, dossiers.c.id == cards.c.dossier_id).where(dossiers.c.batch_id == batch_id)
        letters: dict[tuple[str, int], set[PinKind]] = {}
        with self._context.read() as conn:
            if stage_of(conn, batch_id) == "closed":
                raise _over(batch_id)
            for number, sequence, kind in conn.execute(had):
                letters.setdefault((number, sequence), set()).add(PinKind(kind))
            return [
                DueCard(row.card_number, row.sequence, frozenset(letters.get((row.card_number, row.sequence), ())))
                for row in conn.execute(chosen)
                if not card_numbers or row.card_number in card_numbers
            ]

    def begin(
        self, batch_id: str, letters: Sequence[tuple[str, int, PinKind]], *, by: str, second: str, printer: str
    ) -> list[MailerTarget]:
        """Begin these letters (card number, sequence, kind), in their order: their rows are committed, and the audit's
        entry of the names, before this returns. A letter that was begun before, and a card that ended since, are left
        out.

        Raises NotOnRecord, RegistryConflict for one person as both, for a batch that is closed, and while a restored
        registry was not checked.
        """
        with self._context.write() as conn:
            stage = stage_for_update(conn, batch_id)
            if last_number(conn, PENDING):
                raise restored()
            if stage != "approved":
                raise _over(batch_id)
            sentence = "PIN letters take two different people"
            refuse_same_person(conn, by, second, sentence)
            now = self._context.clock()
            conn.info[GIVEN_OUT] = True  # so that an older backup of the database is noticed before its next letter
            begun = []
            for number, sequence, kind in letters:
                row = self._wanted(conn, batch_id, number, sequence, kind)
                if row is None:
                    continue
                values = {"card_number": number, "sequence": sequence, "kind": kind.value, "begun_at": now}
                values |= {"by": by, "second": second, "printer": printer}
                added = conn.execute(insert(pin_mailers).values(values).returning(_COLUMNS.id)).scalar_one()
                name = open_person(self._context.personal, row).name
                place = (row.box_id or "", row.place or 0)
                begun.append(MailerTarget(added, number, sequence, kind, row.unit, name, *place))
            subject, count = f"batch:{batch_id}", len(begun)
            self._context.audit(conn, by, "mailers.begin", subject, letters=count, second=second, printer=printer)
        return begun

    def printed(self, batch_id: str, ids: Sequence[int], *, by: str) -> None:
        """Confirm that these letters were printed. Raises RegistryConflict where one is settled otherwise."""
        now = self._context.clock()
        confirmed = update(pin_mailers).where(_COLUMNS.id == bindparam("letter"), _COLUMNS.printed_at.is_(None))
        with self._context.write() as conn:
            for letter in ids:
                values = confirmed.where(_COLUMNS.spoilt_at.is_(None)).values(printed_at=now)
                if conn.execute(values, {"letter": letter}).rowcount != 1:
                    sentence = "a letter of this job was settled by others meanwhile: destroy what was printed"
                    raise RegistryConflict(sentence, reason="mailer-settled")
            self._context.audit(conn, by, "mailers.printed", f"batch:{batch_id}", letters=len(ids))

    def of_batch(self, batch_id: str) -> list[PinMailer]:
        """The letters of a batch, in the order in which they were begun. Raises NotOnRecord."""
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            return [_mailer(row) for row in conn.execute(_letters().where(dossiers.c.batch_id == batch_id))]

    def spoil(
        self, card_number: str, kind: PinKind, *, by: str, second: str, reason: str, new_card: bool = True
    ) -> tuple[PinMailer, str]:
        """Two people record that a letter was destroyed, or that nobody has it. With ``new_card`` the card ends as
        damaged, and the draft batch of its successor, which is returned, waits for approval. Without it the card stays
        and its member chooses another PIN at a window.

        Raises NotOnRecord, RegistryConflict for one person as both, for a letter that is settled, and for a member who
        can have no new card now.
        """
        why = reason_given(reason)
        with self._context.write() as conn:
            card = card_on_record(conn, card_number)
            own = (_COLUMNS.card_number == card_number, _COLUMNS.sequence == card.sequence, _COLUMNS.kind == kind.value)
            row = conn.execute(select(pin_mailers).where(*own).with_for_update()).one_or_none()
            if row is None:
                sentence = f"no letter with this PIN of card {card_number} was ever begun"
                raise NotOnRecord(sentence, reason="mailer", card=card_number)
            if row.spoilt_at is not None:
                sentence = f"the letter of card {card_number} is settled already"
                raise RegistryConflict(sentence, reason="mailer-spoilt", card=card_number)
            refuse_same_person(conn, by, second, "a spoilt PIN letter takes two different people")
            why = without_name(open_person(self._context.personal, member_row(conn, card.member_id)), why)
            change = CardChange(by, "", why, self._context.clock())
            batch_id = ""
            if new_card and card.state.value in LIVING:
                settled_member(conn, card.member_id)
                batch_id = order_replacement(conn, self._context, card, CardState.DAMAGED, change)
            settled = {"spoilt_at": change.at, "spoilt_by": by, "spoilt_second": second, "reason": why}
            conn.execute(update(pin_mailers).where(_COLUMNS.id == row.id).values(settled))
            subject, draft = f"card:{card_number}-{card.sequence}", batch_id or None
            self._context.audit(conn, by, "mailer.spoilt", subject, why, second=second, kind=kind.value, batch=draft)
            return _mailer(conn.execute(_letters().where(_COLUMNS.id == row.id)).one()), batch_id

    def _wanted(
        self, conn: Connection, batch_id: str, number: str, sequence: int, kind: PinKind
    ) -> Row[*tuple[Any, ...]] | None:
        """The card with its member, if it lives in this batch and had no such letter."""
        own = (cards.c.card_number == number, cards.c.sequence == sequence)
        had = select(_COLUMNS.id).where(
            _COLUMNS.card_number == number, _COLUMNS.sequence == sequence, _COLUMNS.kind == kind.value
        )
        if conn.execute(had).first() is not None:
            return None
        chosen = _in_order().add_columns(members).where(*own, dossiers.c.batch_id == batch_id)
        return conn.execute(chosen.where(cards.c.state.in_(LIVING))).one_or_none()


def _over(batch_id: str) -> RegistryConflict:
    sentence = f"batch {batch_id} is closed: the PINs of its cards are destroyed"
    return RegistryConflict(sentence, reason="mailers-over", batch=batch_id)


def _in_order() -> Select[Any]:
    """Cards by unit, box and line; those in no box last."""
    return (
        select(cards.c.card_number, cards.c.sequence, units.c.name.label("unit"), box_cards.c.box_id, box_cards.c.place)
        .join(dossiers, dossiers.c.id == cards.c.dossier_id)
        .join(members, members.c.id == cards.c.member_id)
        .join(units, units.c.id == members.c.unit_id)
        .join(box_cards, _IN_BOX, isouter=True)
        .order_by(units.c.name, box_cards.c.box_id.is_(None), box_cards.c.box_id, box_cards.c.place, cards.c.dossier_id)
    )


def _letters() -> Select[Any]:
    return (
        select(pin_mailers, units.c.name.label("unit"))
        .join(cards, _OF_CARD)
        .join(dossiers, dossiers.c.id == cards.c.dossier_id)
        .join(members, members.c.id == cards.c.member_id)
        .join(units, units.c.id == members.c.unit_id)
        .order_by(_COLUMNS.id)
    )


def _mailer(row: Row[*tuple[Any, ...]]) -> PinMailer:
    settled = MailerState.PRINTED if row.printed_at is not None else MailerState.UNKNOWN
    return PinMailer(
        id=row.id,
        card_number=row.card_number,
        sequence=row.sequence,
        kind=PinKind(row.kind),
        state=settled if row.spoilt_at is None else MailerState.SPOILT,
        unit=row.unit,
        begun_at=row.begun_at,
        by=row.by,
        second=row.second,
        printer=row.printer,
        printed_at=row.printed_at,
        spoilt_at=row.spoilt_at,
        spoilt_by=row.spoilt_by or "",
        spoilt_second=row.spoilt_second or "",
        reason=row.reason or "",
    )
