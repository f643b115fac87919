"""The personalization line: claims, the journal, how a chip ends, and what each batch's lanes did."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select

from registry.batches.lookup import stage_of
from registry.db.context import RegistryContext
from registry.db.paging import Page, cut, page_of, read_cursor, read_time
from registry.db.tables import cards, chips, claims, dossiers, journal
from registry.line import outcome
from registry.line.claims import LanePlace, claim_dossier
from registry.line.doubled import Acknowledged, DoubledChip, acknowledged, doubled_chips, mark_doubled, rival_answered
from registry.line.journal import JournalWriter, last_entry, write_with
from registry.line.outcome import ChipFault
from registry.members.cards import card_on_record
from registry.values import (
    UNCODED,
    BoundChip,
    Card,
    ChipKnown,
    Claim,
    Coded,
    JournalEntry,
    JournalEvent,
    JournalLine,
    NothingLeft,
    Reject,
    Timing,
)


class Line:
    """Repository of the line: one lane holds a dossier and its chip at a time."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context
        self._journal = JournalWriter(context.database)

    def claim(
        self, batch_id: str, lane: str, station: str, chip_serial: str, lease: timedelta
    ) -> Claim | NothingLeft | ChipKnown:
        """The dossier for the chip in this lane's reader, bound to it for ever.

        An unknown chip gets the next waiting dossier; a returning chip gets its own again, whichever lane held it.
        """
        with self._context.write() as conn:
            place = LanePlace(lane, station)
            return claim_dossier(conn, batch_id, place, chip_serial, self._context.clock(), lease)

    def journal(self, claim: Claim, *entries: JournalEntry) -> None:
        """Write these journal lines: on disk when this returns, or none of them. Raises FenceLost."""
        self._journal.write(claim, self._context.clock(), entries)

    def verified(self, claim: Claim, result: dict[str, object], seconds: float, *entries: JournalEntry) -> Card:
        """The chip was read back and verified: its card is issued. ``result`` must hold no personal data; ``entries``
        are the journal's last lines of this claim.

        Repeated for the same chip it changes nothing. Raises FenceLost; RegistryConflict where the member has a living
        card.
        """
        with self._context.write() as conn:
            now = self._context.clock()
            write_with(conn, claim, now, entries)
            if outcome.verified(conn, claim, result, seconds, now):
                card = f"card:{claim.card_number}-{claim.sequence}"
                self._context.audit(conn, _actor(claim), "card.verified", card)
            return card_on_record(conn, claim.card_number, claim.sequence)

    def reject(self, claim: Claim, reason: str, step: str, bin: str, *, coded: Coded = UNCODED) -> None:
        """The chip failed: rejected for ever, its card hotlisted, the dossier to be made again. Raises FenceLost."""
        fault = ChipFault(reason, step, bin, claim.lane, coded)
        with self._context.write() as conn:
            if outcome.reject(conn, claim, fault, self._context.clock()):
                card = f"{claim.card_number}-{claim.sequence}"
                chip = f"chip:{claim.chip_serial}"
                self._context.audit(conn, _actor(claim), "chip.reject", chip, reason, card=card, code=coded.code)

    def reject_chip(
        self,
        batch_id: str,
        chip_serial: str,
        reason: str,
        step: str,
        bin: str,
        lane: str,
        *,
        from_stock: bool = True,
        coded: Coded = UNCODED,
    ) -> str:
        """Reject a chip without a claim; returns the serial it is recorded under.

        An empty serial (a dead chip) gets a generated one. ``from_stock=False`` for a card that is not from our stock.
        A chip rejected before stays as it is; one bound to a dossier takes the dossier with it, as ``reject`` does.
        """
        fault = ChipFault(reason, step, bin, lane, coded)
        with self._context.write() as conn:
            serial = outcome.reject_chip(conn, batch_id, chip_serial, fault, from_stock, self._context.clock())
            self._context.audit(conn, lane, "chip.reject", f"chip:{serial}", reason, batch=batch_id, code=coded.code)
            return serial

    def release_missing(self, batch_id: str, chip_serial: str, by: str, *, reason: str) -> None:
        """The operator reports a bound chip as lost: as ``reject``.

        Raises RegistryConflict while its lease still runs.
        """
        with self._context.write() as conn:
            outcome.release_missing(conn, batch_id, chip_serial, by, reason, self._context.clock())
            self._context.audit(conn, by, "chip.missing", f"chip:{chip_serial}", reason, batch=batch_id)

    def doubled(self, chip_serial: str, lane: str, station: str, proof: str) -> None:
        """Record for ever that two chips have this serial: no chip with it gets a dossier or counts as a card any more.

        A verified card stays as it is, and so does the newest claim. ``proof`` is a sentence for the audit. Repeated,
        or for a serial without a dossier, it changes nothing.
        """
        place = LanePlace(lane, station)
        with self._context.write() as conn:
            if batch := mark_doubled(conn, chip_serial, place, self._context.clock()):
                self._context.audit(
                    conn, f"{station}, {lane}", "chip.doubled", f"chip:{chip_serial}", proof, batch=batch
                )

    def rival_answered(self, claim: Claim) -> bool:
        """Whether the chip of a newer claim of the same dossier completed a step: then that chip was in a reader after
        this claim."""
        with self._context.read() as conn:
            return rival_answered(conn, claim)

    def acknowledged(self, claim: Claim) -> frozenset[Acknowledged]:
        """The steps that the chip of this dossier completed, under this claim or earlier ones."""
        with self._context.read() as conn:
            return acknowledged(conn, claim.dossier_id)

    def last_entry(self, claim: Claim, step: str) -> JournalEntry | None:
        """The last intent or end of a step of this dossier, under this claim or earlier ones; None before the first."""
        with self._context.read() as conn:
            return last_entry(conn, claim, step)

    def doubled_chips(self, batch_id: str) -> list[DoubledChip]:
        """The serials of a batch that two chips have."""
        with self._context.read() as conn:
            return doubled_chips(conn, batch_id)

    def bound_chips(self, batch_id: str) -> list[BoundChip]:
        """Claimed dossiers and the chips they are bound to."""
        chosen = (
            select(dossiers.c.id, dossiers.c.card_number, dossiers.c.sequence, chips.c.serial)
            .add_columns(claims.c.lane, claims.c.lease_until)
            .join(chips, chips.c.dossier_id == dossiers.c.id)
            .join(claims, claims.c.token == dossiers.c.token)
            .where(dossiers.c.batch_id == batch_id, dossiers.c.state == "claimed")
            .order_by(dossiers.c.id)
        )
        now = self._context.clock()
        with self._context.read() as conn:
            return [
                BoundChip(
                    dossier_id=row.id,
                    card_number=row.card_number,
                    sequence=row.sequence,
                    chip_serial=row.serial,
                    lane=row.lane,
                    lease_until=row.lease_until,
                    missing=row.lease_until <= now,
                )
                for row in conn.execute(chosen)
            ]

    def journal_of(self, batch_id: str) -> list[JournalLine]:
        """The journal of a batch, oldest line first."""
        chosen = (
            select(journal, chips.c.serial, claims.c.lane)
            .join(dossiers, dossiers.c.id == journal.c.dossier_id)
            .join(chips, chips.c.dossier_id == journal.c.dossier_id)
            .join(claims, claims.c.token == journal.c.token)
            .where(dossiers.c.batch_id == batch_id)
            .order_by(journal.c.id)
        )
        with self._context.read() as conn:
            return [
                JournalLine(
                    id=row.id,
                    at=row.at,
                    dossier_id=row.dossier_id,
                    chip_serial=row.serial,
                    lane=row.lane,
                    token=row.token,
                    step=row.step,
                    event=JournalEvent(row.event),
                    block=row.block,
                    detail=row.detail,
                )
                for row in conn.execute(chosen)
            ]

    def rejects(self, batch_id: str) -> list[Reject]:
        """Chips that were rejected, oldest first."""
        with self._context.read() as conn:
            return [_reject(row) for row in conn.execute(_rejects(batch_id))]

    def rejects_page(self, batch_id: str, cursor: str | None = None, limit: int = 50) -> Page[Reject]:
        """The same in pages. Raises NotOnRecord, BadCursor."""
        chosen = _rejects(batch_id).limit(cut(limit) + 1)
        if cursor is not None:
            time, serial = read_cursor(cursor, str, str)
            at = read_time(time)
            same_time = and_(chips.c.ended_at == at, chips.c.serial > serial)
            chosen = chosen.where(or_(chips.c.ended_at > at, same_time))
        with self._context.read() as conn:
            stage_of(conn, batch_id)
            rows = conn.execute(chosen).all()
        return page_of(rows, limit, _reject, lambda row: [row.ended_at.isoformat(), row.serial])

    def timings(self, batch_id: str) -> list[Timing]:
        """Seconds of each verified card of a batch, in the order of verification."""
        chosen = (
            select(cards.c.card_number, claims.c.lane, claims.c.station, cards.c.verified_at, cards.c.seconds)
            .join(dossiers, dossiers.c.id == cards.c.dossier_id)
            .join(claims, claims.c.token == dossiers.c.token)
            .where(dossiers.c.batch_id == batch_id)
            .order_by(cards.c.verified_at, cards.c.card_number)
        )
        with self._context.read() as conn:
            return [Timing(*row) for row in conn.execute(chosen)]


def _actor(claim: Claim) -> str:
    return f"{claim.station}, {claim.lane}"


def _rejects(batch_id: str) -> Select[Any]:
    return (
        select(chips.c.ended_at, chips.c.serial, chips.c.reason, chips.c.step, chips.c.bin, chips.c.lane)
        .add_columns(dossiers.c.card_number, dossiers.c.sequence, chips.c.code, chips.c.params)
        .join(dossiers, dossiers.c.id == chips.c.dossier_id, isouter=True)
        .where(chips.c.batch_id == batch_id, chips.c.state == "rejected")
        .order_by(chips.c.ended_at, chips.c.serial)
    )


def _reject(row: Row[*tuple[Any, ...]]) -> Reject:
    return replace(Reject(*row), params=json.loads(row.params))
