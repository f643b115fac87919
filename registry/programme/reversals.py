"""Reversals of redemptions: each is booked once, and the card gets back what it counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, insert, select

from registry.db.context import RegistryContext
from registry.db.tables import LIVING, cards, redemptions, reversals
from registry.members.credits import credit_of, order_credit
from registry.programme.finding_rows import resolve
from registry.programme.judgement import FindingKind, Mark
from registry.programme.uploads.sources import SourceRow, source_of_reversal, waiting_reversals
from registry.programme.work import UploadWork, clean
from terminal.member.journal_rows import RowKind

_CREDITED: Final = (*LIVING, "lost")
"""States of cards that get their uses back: a lost one may be found."""
_ROWS: Final = range(1, 2**53)


def take_back(conn: Connection, context: RegistryContext, work: UploadWork, by: str) -> None:
    """Book the reversals of an upload: of redemptions of the same journal, on the same day, once. So are those that
    came before, while their redemption was not booked. One among rows that were on record without it was put into the
    past, and so was one that is dated back: a person looks at it like at a late one."""
    wanted = list(_wanted(conn, work))
    numbers = [number for one in wanted if isinstance(number := one.row.data.get("redemption"), int)]
    if not wanted:
        return
    booked, taken = _booked(conn, work, [number for number in numbers if number in _ROWS]), set[int]()
    for one in wanted:
        row, number = one.row, one.row.data.get("redemption", "")
        own = {name: str(clean(row.data[name])) for name in ("by", "reason") if row.data.get(name)}
        redeemed = booked.get(number) if isinstance(number, int) else None
        if redeemed is None or redeemed.id in taken or redeemed.reversed_at not in (None, row.at):
            if not one.finding:
                source = source_of_reversal(row, work.link(row), own, one.late)
                work.mark(row, Mark(FindingKind.REVERSAL_UNKNOWN, {"row": clean(number)}), source=source)
            continue
        if redeemed.reversed_at is None and (one.late or context.day(row.at).isoformat() != redeemed.day):
            days = {"day": context.day(row.at).isoformat(), "redeemed": redeemed.day}
            facts = {**days, **own, **work.dated_back.get(row.number, {}), "at": row.at.isoformat()}
            card, about = (redeemed.card_number, redeemed.sequence), redeemed.number if redeemed.atc is None else 0
            work.mark(row, Mark(FindingKind.REVERSAL_LATE, facts), card, redeemed.atc, about=about)
        elif redeemed.reversed_at is None:
            taken.add(redeemed.id)
            if redeemed.atc is not None:
                work.taken_back.add((redeemed.card_number, redeemed.sequence, redeemed.atc))
            texts = {"by": "", "reason": "", **own}
            work.reversed.append({"redemption_id": redeemed.id, "at": row.at, "booked_at": work.now, **texts})
        if one.finding:
            resolve(conn, [one.finding], work.now, "booked")
    book_reversals(conn, context, work.reversed, by=by)


def _wanted(conn: Connection, work: UploadWork) -> Iterator[SourceRow]:
    """The reversals of the upload, and those that wait for what it has booked."""
    late_ones = {int(row["number"]) for row in work.booked if int(row["number"]) <= work.through}
    waiting = list(waiting_reversals(conn, work.upload.journal, late_ones))
    work.links.update({id(one.row): one.link for one in waiting})
    yield from waiting
    known = {(one.row.number, one.link) for one in waiting}
    for row in work.upload.rows:
        if row.kind is RowKind.REVERSED and (row.number, work.link(row)) not in known:
            yield SourceRow(0, row, late=row.number <= work.through or row.number in work.dated_back)


def _booked(conn: Connection, work: UploadWork, numbers: Sequence[int]) -> dict[int, Row[*tuple[Any, ...]]]:
    """The booked redemptions of these rows of the journal, without rows that two of them have."""
    mine = (redemptions.c.journal == work.upload.journal, redemptions.c.number.in_(numbers))
    named = (redemptions.c.card_number, redemptions.c.sequence, redemptions.c.atc)
    chosen = select(*named, redemptions.c.id, redemptions.c.number, redemptions.c.day)
    chosen = chosen.add_columns(reversals.c.at.label("reversed_at"))
    chosen = chosen.join(reversals, reversals.c.redemption_id == redemptions.c.id, isouter=True).where(*mine)
    rows = conn.execute(chosen).all()
    times = Counter(row.number for row in rows)
    return {row.number: row for row in rows if times[row.number] == 1}


def book_reversals(conn: Connection, context: RegistryContext, rows: Sequence[Mapping[str, Any]], *, by: str) -> None:
    """Insert these rows of the table, and order for the card of each redemption that its uses are given back: at the
    next insertion where its changes run, in the period in which they were counted."""
    if not rows:
        return
    conn.execute(insert(reversals), [dict(row) for row in rows])
    reasons = {row["redemption_id"]: str(row["reason"]) for row in rows}
    this = redemptions.c
    card = and_(cards.c.card_number == this.card_number, cards.c.sequence == this.sequence)
    chosen = select(redemptions).join(cards, card).where(this.id.in_(list(reasons)))
    chosen = chosen.where(this.period_start.is_not(None), cards.c.state.in_(_CREDITED)).order_by(this.id)
    for row in conn.execute(chosen).all():
        value = credit_of(row.benefit_class, row.quantity, date.fromisoformat(row.period_start))
        reason = " ".join((f"{row.terminal}-{row.number}", reasons[row.id])).strip()
        order_credit(conn, context, (row.card_number, row.sequence), value, by=by, reason=reason)
