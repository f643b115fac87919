"""Journals of counters as the registry has them: how far each has come, and the order of its rows and times.

A row cannot be older than the row before it, nor than an upload that was complete without it. An upload may leave rows
behind, as a counter hands over what waits in parts; those of an hour are therefore one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from registry.db.tables import counter_journals
from registry.errors import RegistryConflict
from registry.programme.judgement import FindingKind, Mark
from registry.programme.work import Upload, UploadWork
from terminal.errors import CodecError
from terminal.member.journal_rows import HASH_LENGTH, NO_ROW, JournalRow, RowKind

MOST_ROWS: Final = 500
"""Rows of one upload."""
IN_PARTS: Final = timedelta(hours=1)
"""How long uploads are parts of one."""
CLOCK_OFF: Final = timedelta(minutes=15)
"""How far the clocks of counter and registry may be apart, as a counter compares them (docs/redemption-journal.md)."""


def last_hash(upload: Upload) -> bytes:
    """The hash of the last row. Raises RegistryConflict for rows that no journal has."""
    numbers = [row.number for row in upload.rows]
    sound = 1 <= len(numbers) <= MOST_ROWS and len(upload.previous) == HASH_LENGTH
    try:
        digest = upload.previous
        for row in upload.rows:
            digest = row.link(digest)
    except CodecError:
        sound = False
    if not sound or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        sentence = f"an upload has 1 to {MOST_ROWS} rows of a journal, whose numbers follow each other"
        raise RegistryConflict(sentence, reason="upload-rows", most=MOST_ROWS)
    return digest


def follow(conn: Connection, work: UploadWork, last: bytes) -> None:
    """Compare the upload with what is on record of its journal, and note how far it has come. The row of the journal is
    locked until the end of the transaction."""
    upload, first = work.upload, work.upload.rows[0].number
    new = {"name": upload.journal, "outlet_id": work.outlet, "through": 0, "head": NO_ROW, "uploaded_at": work.now}
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    conn.execute(dialect.insert(counter_journals).values(new).on_conflict_do_nothing())
    known = locked_journal(conn, upload.journal)
    same_outlet(known.outlet_id, work.outlet)
    work.through = known.through
    if first > known.through + 1:
        work.mark_journal(FindingKind.JOURNAL_GAP, known.through + 1, first - 1)
    forked = _hash_at(upload, known.through) not in (None, bytes(known.head))
    if forked:
        work.mark_journal(FindingKind.JOURNAL_FORKED, known.through, first)
    number = upload.rows[-1].number
    if forked or number > known.through:
        values = {"through": number, "head": last, "uploaded_at": work.now, **_times(work, known)}
        conn.execute(update(counter_journals).where(counter_journals.c.name == upload.journal).values(values))


def locked_journal(conn: Connection, name: str) -> Row[Any]:
    """The row of a journal, which no other transaction changes from here on. Rows that name the journal may come: a
    grant to its counter holds a member already, for whom the upload may wait."""
    chosen = select(counter_journals).where(counter_journals.c.name == name)
    return conn.execute(chosen.with_for_update(key_share=True)).one()


def same_outlet(present: int, outlet: int) -> None:
    """Raises RegistryConflict for a journal of another outlet."""
    if present != outlet:
        raise RegistryConflict("this journal is one of another outlet", reason="journal-outlet")


def _times(work: UploadWork, known: Row[Any]) -> dict[str, datetime | None]:
    """Mark what is dated before what it follows, the first such row of the upload as a finding; the times of the
    journal from here on. A person's note that a clock was wrong sets the time of the rows back."""
    began, complete = known.parts_since, known.complete_at
    if began is None or not began <= work.now < began + IN_PARTS:
        began, complete = work.now, known.uploaded_at if known.through else None
    latest: datetime | None = known.latest_at
    for row in work.upload.rows:
        if row.number <= known.through:
            continue
        if row.kind is not RowKind.ACKNOWLEDGED:
            _date(work, row, latest, complete)
            latest = max(row.at, latest or row.at)
        else:
            latest = row.at
    return {"latest_at": latest, "parts_since": began, "complete_at": complete}


def _date(work: UploadWork, row: JournalRow, latest: datetime | None, complete: datetime | None) -> None:
    at = row.at.isoformat()
    if latest is not None and row.at < latest:
        facts = {"at": at, "preceding": latest.isoformat()}
    elif complete is not None and row.at < complete - CLOCK_OFF:
        facts = {"at": at, "complete": complete.isoformat()}
    else:
        return
    if not work.dated_back:
        work.mark(row, Mark(FindingKind.JOURNAL_TIME, {"row": row.number, **facts}))
    work.dated_back[row.number] = facts


def _hash_at(upload: Upload, number: int) -> bytes | None:
    """The hash that an upload has for a row; None where it does not reach that row."""
    digest = upload.previous
    if upload.rows[0].number == number + 1:
        return digest
    for row in upload.rows:
        digest = row.link(digest)
        if row.number == number:
            return digest
    return None
