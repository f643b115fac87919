"""Findings of booking: the work list that a person goes through, and the decision with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update

from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import findings, redemptions, reversals
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.finding_rows import add_findings
from registry.programme.judgement import FindingKind
from registry.programme.reversals import book_reversals
from registry.programme.rules import Rules, judge_by_rules
from registry.programme.uploads.card_locks import locked_cards
from registry.programme.uploads.journals import locked_journal
from registry.programme.work import Upload, UploadWork
from terminal.member.journal_rows import NO_ROW

ACCEPTED, REFUSED = "accepted", "refused"
DECISIONS: Final = (ACCEPTED, REFUSED)
"""What a person decides; ``resolved`` is what the registry itself closes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding. ``holds``: its redemption is not settled before two people have accepted it; ``first_by`` is the
    first of them. ``atc_until`` is the last transaction counter of a gap. ``decision`` is accepted, refused or
    resolved; None while it is open."""

    id: int
    kind: str
    at: datetime
    holds: bool
    outlet: int | None
    card_number: str | None
    sequence: int | None
    atc: int | None
    atc_until: int | None
    journal: str | None
    number: int | None
    facts: Mapping[str, str | int]
    closed_at: datetime | None
    closed_by: str | None
    decision: str | None
    reason: str | None
    first_at: datetime | None
    first_by: str | None
    first_reason: str | None


class Findings:
    """Repository of findings."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        kind: str | None = None,
        outlet: int | None = None,
        closed: bool = False,
        half: bool = False,
    ) -> Page[Finding]:
        """Open findings, or closed ones, the oldest first. ``half``: only those that one person has accepted. Raises
        BadCursor."""
        state = findings.c.closed_at.is_not(None) if closed else findings.c.closed_at.is_(None)
        chosen = select(findings).where(state).order_by(findings.c.id).limit(cut(limit) + 1)
        if kind is not None:
            chosen = chosen.where(findings.c.kind == kind)
        if outlet is not None:
            chosen = chosen.where(findings.c.outlet_id == outlet)
        if half:
            chosen = chosen.where(findings.c.first_by.is_not(None))
        if cursor is not None:
            chosen = chosen.where(findings.c.id > read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _finding, lambda row: [row.id])

    def open_count(self) -> int:
        """The number of open findings."""
        with self._context.read() as conn:
            chosen = select(func.count()).select_from(findings).where(findings.c.closed_at.is_(None))
            return int(conn.execute(chosen).scalar_one())

    def finding(self, number: int) -> Finding:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _finding(_row(conn, number))

    def close(self, number: int, decision: str, *, by: str, reason: str, rules: Rules | None = None) -> Finding:
        """Decide an open finding, for ever. One that holds is accepted by two people: the first call leaves it open
        with ``first_by``, the second one, by another person, closes it. Each may refuse it alone. A late reversal that
        is accepted is booked, at the time of the counter's row, and the member's later uses are judged again by
        ``rules``, those of the programme: what changes of them is a finding, or closes one. One that is refused holds
        its redemption no longer, which stands.

        Raises NotOnRecord, RegistryConflict for one that is closed already, for another decision than accepted and
        refused, and, as OWN_WORK, for the person who has accepted it first.
        """
        why = reason_given(reason)
        if decision not in DECISIONS:
            raise RegistryConflict("a finding is accepted or refused", reason="finding-decision")
        with self._context.write() as conn:
            now = self._context.clock()
            values: dict[str, Any] = {"closed_at": now, "closed_by": by, "decision": decision, "reason": why}
            _lock_what_it_is_about(conn, _row(conn, number))
            row = _row(conn, number, lock=True)
            late = row.kind == FindingKind.REVERSAL_LATE
            if late and decision == REFUSED:
                values["holds"] = False
            open_one = (findings.c.id == number, findings.c.closed_at.is_(None))
            if row.holds and decision == ACCEPTED and row.first_by is None and row.closed_at is None:
                first = {"first_at": now, "first_by": by, "first_reason": why}
                conn.execute(update(findings).where(*open_one).values(first))
                self._context.audit(conn, by, "finding.accept", f"finding:{number}", why, kind=row.kind)
                return _finding(_row(conn, number))
            if row.holds and decision == ACCEPTED and row.closed_at is None:
                sentence = f"{by} accepted finding {number} first, in person or by a token; another person accepts it"
                refuse_same_person(conn, row.first_by, by, sentence, finding=number)
            if not conn.execute(update(findings).where(*open_one).values(values)).rowcount:
                _row(conn, number)
                raise RegistryConflict(f"finding {number} is closed already", reason="finding-closed", finding=number)
            closed = _finding(_row(conn, number))
            if late and decision == ACCEPTED:
                self._take_back(conn, closed, now, rules)
            self._context.audit(
                conn, by, "finding.close", f"finding:{number}", why, kind=closed.kind, decision=decision
            )
            return closed

    def _take_back(self, conn: Connection, finding: Finding, now: datetime, rules: Rules | None) -> None:
        """Book the reversal of a finding, unless another was booked since, and judge again what comes after it."""
        this = redemptions.c
        of_card = (this.card_number == finding.card_number, this.sequence == finding.sequence)
        of_journal = this.journal == finding.journal
        counted = this.number == finding.number if finding.atc is None else this.atc == finding.atc
        mine = (*of_card, of_journal, counted)
        chosen = select(this.id).join(reversals, reversals.c.redemption_id == this.id, isouter=True)
        chosen = chosen.where(*mine, reversals.c.redemption_id.is_(None))
        redemption = conn.execute(chosen).scalar_one_or_none()
        if redemption is None:
            return
        facts = finding.facts
        at = datetime.fromisoformat(str(facts["at"])) if "at" in facts else finding.at  # of an earlier version
        by, reason = str(facts.get("by", finding.closed_by)), str(facts.get("reason", finding.reason))
        row = {"redemption_id": redemption, "at": at, "by": by, "reason": reason, "booked_at": now}
        book_reversals(conn, self._context, [row], by=str(finding.closed_by))
        if rules is not None and finding.atc is not None:
            work = UploadWork(Upload(str(finding.journal), NO_ROW, ()), finding.outlet or 0, now, "taken back")
            work.taken_back.add((str(finding.card_number), int(finding.sequence or 0), finding.atc))
            judge_by_rules(conn, self._context, work, rules)
            add_findings(conn, work.findings)


def _lock_what_it_is_about(conn: Connection, row: Row[Any]) -> None:
    """Of a late reversal, the journal and the cards, in the order in which booking locks them."""
    if row.kind == FindingKind.REVERSAL_LATE:
        locked_journal(conn, row.journal)
        locked_cards(conn, [(row.card_number, row.sequence)])


def _row(conn: Connection, number: int, *, lock: bool = False) -> Row[Any]:
    chosen = select(findings).where(findings.c.id == number)
    row = conn.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no finding {number}", reason="finding", finding=number)
    return row


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        id=row.id,
        kind=row.kind,
        at=row.at,
        holds=row.holds,
        outlet=row.outlet_id,
        card_number=row.card_number,
        sequence=row.sequence,
        atc=row.atc,
        atc_until=row.atc_until,
        journal=row.journal,
        number=row.number,
        facts=json.loads(row.facts),
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        decision=row.decision,
        reason=row.reason,
        first_at=row.first_at,
        first_by=row.first_by,
        first_reason=row.first_reason,
    )
