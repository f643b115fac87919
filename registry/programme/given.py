"""What counters upload about grants: a benefit that the office had counted was given. It is a redemption from then on,
settled, disputed and taken back like one that a card has counted."""

from __future__ import annotations

import json

from sqlalchemy import Connection, insert, select

from registry.db.tables import grants, redemptions
from registry.programme.grants import RETURNED_AFTER
from registry.programme.judgement import FindingKind, Mark
from registry.programme.work import UploadWork
from terminal.member.journal_rows import JournalRow, RowKind


def book_given(conn: Connection, work: UploadWork) -> None:
    """Book what this journal has given, each grant once. One that the office never made is a finding, and so is one
    that comes so late that the office had counted it no more."""
    rows = {intent: row for row in work.upload.rows if row.kind is RowKind.GIVEN and (intent := _intent(row))}
    if not rows:
        return
    this = grants.c
    chosen = select(grants, redemptions.c.id.label("redemption")).join(redemptions, isouter=True)
    mine = (this.journal == work.upload.journal, this.intent.in_(list(rows)))
    stored = {row.intent: row for row in conn.execute(chosen.where(*mine))}
    booked = []
    for intent, row in rows.items():
        grant = stored.get(intent)
        if grant is None:
            work.mark(row, Mark(FindingKind.GRANT_UNKNOWN, {"row": intent}))
            continue
        if grant.redemption is not None:
            work.known += 1
            continue
        if work.now - grant.at > RETURNED_AFTER:
            facts: dict[str, str | int] = {"day": grant.day, "benefit": grant.benefit}
            work.mark(row, Mark(FindingKind.GRANT_LATE, facts), (grant.card_number, grant.sequence))
        said = {name: getattr(grant, name) for name in ("benefit", "product", "event", "place", "saved", "edition")}
        of_grant = {name: getattr(grant, name) for name in _SAME}
        booked.append(
            {
                **of_grant,
                "grant_id": grant.id,
                "outlet_id": work.outlet,
                "benefit_class": grant.benefit,
                "amount": grant.price,
                "signed": False,
                "journal": work.upload.journal,
                "number": row.number,
                "at": row.at,
                "booked_at": work.now,
                "details": json.dumps({name: value for name, value in said.items() if value}, ensure_ascii=False),
            }
        )
    if booked:
        conn.execute(insert(redemptions), booked)
        work.given += len(booked)


_SAME = ("card_number", "sequence", "merchant", "terminal", "quantity", "day", "clock")


def _intent(row: JournalRow) -> int:
    """The row of the request, 0 where it names none."""
    value = row.data.get("intent")
    return value if isinstance(value, int) and 0 < value < 2**53 else 0
