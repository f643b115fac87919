"""Booking of what counters upload: proven, counted once, in order; whatever is wrong becomes a finding.

An upload is one transaction. Repeated, whole or in part, it changes nothing: a redemption is named by its card and its
transaction counter, a finding by the row that it comes from. Rows of the members and of the cards are locked, so that
two counters with one card, or with two cards of one member, wait for each other.
"""

from __future__ import annotations

import re
from bisect import insort
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, exists, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from registry.db.context import RegistryContext
from registry.db.tables import (
    ENDED,
    LIVING,
    card_events,
    cards,
    counter_journals,
    findings,
    members,
    redemptions,
    reversals,
)
from registry.errors import RegistryConflict
from registry.programme.findings import add_findings, resolve
from registry.programme.gaps import CounterGaps
from registry.programme.given import book_given
from registry.programme.judgement import (
    BookedUse,
    Contract,
    FindingKind,
    Mark,
    Prove,
    ProvenUse,
    mark_of_clock,
    mark_of_ended_card,
    marks_of_order,
    marks_of_place,
    proven_use,
)
from registry.programme.merchants import contract_of
from registry.programme.reversals import book_reversals
from registry.programme.rules import Intents, Rules, judge_by_rules
from registry.programme.work import Card, Upload, UploadWork, clean
from terminal.errors import CodecError
from terminal.member.journal_rows import COUNTED, HASH_LENGTH, NO_ROW, JournalRow, RowKind

MOST_ROWS: Final = 500
"""Rows of one upload."""
_ROWS: Final = range(1, 2**53)
_CARD_NUMBER: Final = re.compile(r"[0-9]{12,19}")
_ROW_MARKS: Final = {
    RowKind.UNKNOWN: FindingKind.UNKNOWN_OUTCOME,
    RowKind.NOT_PROVEN: FindingKind.NOT_PROVEN,
    RowKind.CUT: FindingKind.JOURNAL_CUT,
    RowKind.ACKNOWLEDGED: FindingKind.JOURNAL_ACKNOWLEDGED,
}
"""Rows of a journal that a person looks at."""
_SHOWN: Final = ("bytes", "by", "reason")
"""What a finding shows of such a row."""
_CARD: Final = tuple_(redemptions.c.card_number, redemptions.c.sequence)
_CARD_AND_COUNTER: Final = tuple_(redemptions.c.card_number, redemptions.c.sequence, redemptions.c.atc)
_QUARTER: Final = timedelta(days=92)
_BOOKED: Final = select(
    redemptions.c.card_number,
    redemptions.c.sequence,
    redemptions.c.atc,
    redemptions.c.day,
    redemptions.c.benefit_class,
    redemptions.c.quantity,
    redemptions.c.used,
    redemptions.c.period_start,
    redemptions.c.scripts,
    redemptions.c.cryptogram,
).where(redemptions.c.atc.is_not(None))


@dataclass(frozen=True, slots=True)
class BookingResult:
    """Every row up to ``through`` is on record. ``booked`` redemptions are new, ``known`` were booked before;
    ``findings`` counts those of this upload by kind, old ones included."""

    through: int
    booked: int
    known: int
    reversed: int
    findings: Mapping[str, int]


class Booking:
    """Booking of the uploads of one registry."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def book(self, outlet: int, upload: Upload, prove: Prove, *, by: str, rules: Rules | None = None) -> BookingResult:
        """Book an upload of an outlet's counter. ``rules``: those of the programme.

        Raises RegistryConflict for a journal of another outlet (``journal-outlet``) and rows that no journal has
        (``upload-rows``), NotOnRecord for an unknown outlet; whatever ``prove`` raises. Then nothing was changed.
        """
        last = _last_hash(upload)
        judged = [(row, proven_use(row, prove)) for row in upload.rows if row.kind in COUNTED]
        uses = [use for _, use in judged if isinstance(use, ProvenUse)]
        with self._context.write() as conn:
            work = UploadWork(upload, outlet, self._context.clock())
            named, listed = {use.merchant for use in uses}, {use.terminal for use in uses}
            contract = contract_of(conn, outlet, named, listed, self._context.day)
            _follow(conn, work, last)
            for row in upload.rows:
                self._mark_row(work, row)
            self._judge(conn, work, contract, judged)
            if work.booked:
                conn.execute(insert(redemptions), work.booked)
            book_given(conn, work)
            self._reverse(conn, work, by)
            if rules is not None:
                judge_by_rules(conn, self._context, work, rules)
            new = add_findings(conn, work.findings)
            booked = len(work.booked) + work.given
            if booked or work.reversed or new:
                subject, taken_back = f"outlet:{outlet}", len(work.reversed)
                audit = self._context.audit
                audit(conn, by, "redemption.book", subject, booked=booked, reversed=taken_back, findings=new)
        kinds = Counter(str(row["kind"]) for row in work.findings)
        return BookingResult(upload.rows[-1].number, booked, work.known, len(work.reversed), dict(kinds))

    def through(self, outlet: int, journal: str) -> int:
        """The number of the last row that the office has of a journal; 0 for a new one. Raises RegistryConflict for a
        journal of another outlet."""
        chosen = select(counter_journals).where(counter_journals.c.name == journal)
        with self._context.read() as conn:
            row = conn.execute(chosen).one_or_none()
        if row is None:
            return 0
        _same_outlet(row.outlet_id, outlet)
        return int(row.through)

    def _mark_row(self, work: UploadWork, row: JournalRow) -> None:
        kind = _ROW_MARKS.get(row.kind)
        if kind is None:
            return
        facts = {name: clean(row.data[name]) for name in _SHOWN if row.data.get(name)}
        number, sequence = row.data.get("card"), row.data.get("sequence")
        named = isinstance(number, str) and _CARD_NUMBER.fullmatch(number) and isinstance(sequence, int)
        work.mark(row, Mark(kind, facts), (str(number), int(sequence or 0) % 100) if named else None)

    def _judge(
        self,
        conn: Connection,
        work: UploadWork,
        contract: Contract,
        judged: Iterable[tuple[JournalRow, ProvenUse | Mark]],
    ) -> None:
        """Book what is proven, in the order of the rows, with the marks of each."""
        rows = list(judged)
        wanted = sorted({use.card for _, use in rows if isinstance(use, ProvenUse)})
        states = _locked_cards(conn, wanted)
        ended = self._ended(conn, [card for card, state in states.items() if state in ENDED])
        booked = _booked(conn, [use for _, use in rows if isinstance(use, ProvenUse) and use.card in states])
        missing, today = _open_gaps(conn, booked), self._context.day(work.now)
        intents = Intents.of_upload(conn, work, [use for _, use in rows if isinstance(use, ProvenUse)])
        numbers = _numbers_of(conn, work)
        for row, use in rows:
            if isinstance(use, Mark):
                work.mark(row, use)
                continue
            if use.card not in states:
                work.mark(row, Mark(FindingKind.UNKNOWN_CARD), use.card, use.atc)
                continue
            others = booked[use.card]
            same = next((one for one in others if one.atc == use.atc), None)
            if same is not None:
                if same.cryptogram == use.cryptogram:
                    work.known += 1
                else:
                    work.mark(row, Mark(FindingKind.ATC_DOUBLED), use.card, use.atc)
                continue
            for mark in (*marks_of_place(use, contract, today), *marks_of_order(use, others)):
                work.mark(row, mark, use.card, use.atc)
            others_of_row = (mark_of_clock(row, use, self._context.day), mark_of_ended_card(use, ended.get(use.card)))
            for one in filter(None, others_of_row):
                work.mark(row, one, use.card, use.atc)
            if row.number in numbers:
                work.mark(row, Mark(FindingKind.ROW_DOUBLED, {"row": row.number}), use.card, use.atc)
            numbers.add(row.number)
            work.book(row, use, intents.details(use))
            insort(others, use.as_booked(), key=lambda one: one.atc)
            missing[use.card].take(use.atc)
        for card, gaps in missing.items():
            resolve(conn, gaps.resolved, work.now, "uploaded")
            for first, last in sorted(gaps.new):
                work.mark_gap(card, first, last)

    def _ended(self, conn: Connection, wanted: Collection[Card]) -> dict[Card, date]:
        """The day on which each of these cards ended: of an end that was taken back since, nothing is left."""
        if not wanted:
            return {}
        later = card_events.alias()
        lived_on = exists().where(
            later.c.card_number == card_events.c.card_number,
            later.c.sequence == card_events.c.sequence,
            later.c.id > card_events.c.id,
            later.c.event.in_(LIVING),
        )
        chosen = (
            select(card_events.c.card_number, card_events.c.sequence, func.min(card_events.c.at).label("at"))
            .where(
                tuple_(card_events.c.card_number, card_events.c.sequence).in_(wanted), card_events.c.event.in_(ENDED)
            )
            .where(~lived_on)
            .group_by(card_events.c.card_number, card_events.c.sequence)
        )
        return {(row.card_number, row.sequence): self._context.day(row.at) for row in conn.execute(chosen)}

    def _reverse(self, conn: Connection, work: UploadWork, by: str) -> None:
        """Book the reversals of an upload: of redemptions of the same journal, on the same day, once. One among rows
        that were on record without it was put into the past: a person looks at it like at a late one."""
        rows = [row for row in work.upload.rows if row.kind is RowKind.REVERSED]
        if not rows:
            return
        numbers = [number for row in rows if isinstance(number := row.data.get("redemption"), int) and number in _ROWS]
        mine = (redemptions.c.journal == work.upload.journal, redemptions.c.number.in_(numbers))
        named = (redemptions.c.card_number, redemptions.c.sequence, redemptions.c.atc)
        chosen = select(*named, redemptions.c.id, redemptions.c.number, redemptions.c.day)
        chosen = chosen.add_columns(reversals.c.at.label("reversed_at"))
        chosen = chosen.join(reversals, reversals.c.redemption_id == redemptions.c.id, isouter=True).where(*mine)
        rows_on_record = conn.execute(chosen).all()
        times = Counter(row.number for row in rows_on_record)
        booked = {row.number: row for row in rows_on_record if times[row.number] == 1}
        taken: set[int] = set()
        for row in rows:
            number = row.data.get("redemption", "")
            one = booked.get(number)
            if one is None or one.id in taken or (one.reversed_at is not None and one.reversed_at != row.at):
                work.mark(row, Mark(FindingKind.REVERSAL_UNKNOWN, {"row": clean(number)}))
            elif one.reversed_at is None and (
                row.number <= work.through or self._context.day(row.at).isoformat() != one.day
            ):
                own = {name: clean(row.data[name]) for name in ("by", "reason") if row.data.get(name)}
                days = {"day": self._context.day(row.at).isoformat(), "redeemed": one.day}
                facts = {**days, **own, "at": row.at.isoformat()}
                card, about = (one.card_number, one.sequence), one.number if one.atc is None else 0
                work.mark(row, Mark(FindingKind.REVERSAL_LATE, facts), card, one.atc, about=about)
            elif one.reversed_at is None:
                taken.add(one.id)
                if one.atc is not None:
                    work.taken_back.add((one.card_number, one.sequence, one.atc))
                texts = {name: str(clean(row.data.get(name, ""))) for name in ("by", "reason")}
                work.reversed.append({"redemption_id": one.id, "at": row.at, "booked_at": work.now, **texts})
        book_reversals(conn, self._context, work.reversed, by=by)


def _numbers_of(conn: Connection, work: UploadWork) -> set[int]:
    """The row numbers of this upload that have a booked redemption."""
    numbers = [row.number for row in work.upload.rows if row.kind in COUNTED]
    if not numbers:
        return set()
    mine = (redemptions.c.journal == work.upload.journal, redemptions.c.number.in_(numbers))
    return set(conn.execute(select(redemptions.c.number).where(*mine)).scalars())


def _last_hash(upload: Upload) -> bytes:
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


def _follow(conn: Connection, work: UploadWork, last: bytes) -> None:
    """Compare the upload with what is on record of its journal, and note how far it has come."""
    upload, first = work.upload, work.upload.rows[0].number
    new = {"name": upload.journal, "outlet_id": work.outlet, "through": 0, "head": NO_ROW, "uploaded_at": work.now}
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    conn.execute(dialect.insert(counter_journals).values(new).on_conflict_do_nothing())
    this = counter_journals.c.name == upload.journal
    known = conn.execute(select(counter_journals).where(this).with_for_update()).one()
    _same_outlet(known.outlet_id, work.outlet)
    work.through = known.through
    if first > known.through + 1:
        work.mark_journal(FindingKind.JOURNAL_GAP, known.through + 1, first - 1)
    forked = _hash_at(upload, known.through) not in (None, bytes(known.head))
    if forked:
        work.mark_journal(FindingKind.JOURNAL_FORKED, known.through, first)
    number = upload.rows[-1].number
    if forked or number > known.through:
        conn.execute(update(counter_journals).where(this).values(through=number, head=last, uploaded_at=work.now))


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


def _same_outlet(present: int, outlet: int) -> None:
    if present != outlet:
        raise RegistryConflict("this journal is one of another outlet", reason="journal-outlet")


def _locked_cards(conn: Connection, wanted: Collection[Card]) -> dict[Card, str]:
    """The state of each of these cards that is on record; their rows and those of their members are held until the end
    of the transaction: the programme's rules count the uses of all cards of a member."""
    if not wanted:
        return {}
    holders = select(cards.c.member_id).where(tuple_(cards.c.card_number, cards.c.sequence).in_(wanted))
    held = select(members.c.id).where(members.c.id.in_(holders)).order_by(members.c.id)
    conn.execute(held.with_for_update(key_share=True))
    chosen = (
        select(cards.c.card_number, cards.c.sequence, cards.c.state)
        .where(tuple_(cards.c.card_number, cards.c.sequence).in_(wanted))
        .order_by(cards.c.card_number, cards.c.sequence)
        .with_for_update(key_share=True)
    )
    return {(number, sequence): state for number, sequence, state in conn.execute(chosen)}


def _booked(conn: Connection, uses: Collection[ProvenUse]) -> dict[Card, list[BookedUse]]:
    """What is booked of the cards of these uses, in the order of its transaction counters: of each card the newest, of
    the last quarter all, and what has one of the same counters. A card of ten years is not read whole."""
    booked: dict[Card, dict[int, BookedUse]] = {use.card: {} for use in uses}
    if not uses:
        return {}
    keys = list(booked)
    newest = (
        select(redemptions.c.card_number, redemptions.c.sequence, func.max(redemptions.c.atc))
        .where(_CARD.in_(keys))
        .group_by(redemptions.c.card_number, redemptions.c.sequence)
    )
    since = (min(use.day for use in uses) - _QUARTER).isoformat()
    same = _CARD_AND_COUNTER.in_([(*use.card, use.atc) for use in uses])
    for condition in (_CARD.in_(keys) & (redemptions.c.day >= since), same, _CARD_AND_COUNTER.in_(newest)):
        for row in conn.execute(_BOOKED.where(condition)):
            booked[row.card_number, row.sequence][row.atc] = _booked_use(row)
    return {card: [of_card[atc] for atc in sorted(of_card)] for card, of_card in booked.items()}


def _booked_use(row: Row[*tuple[Any, ...]]) -> BookedUse:
    start = date.fromisoformat(row.period_start) if row.period_start else None
    day, cryptogram = date.fromisoformat(row.day), bytes(row.cryptogram)
    return BookedUse(row.atc, day, row.benefit_class, row.quantity, row.used, start, row.scripts, cryptogram)


def _open_gaps(conn: Connection, booked: Mapping[Card, Sequence[BookedUse]]) -> dict[Card, CounterGaps]:
    """The gaps on record of each card."""
    gaps = {card: CounterGaps(uses[-1].atc if uses else 0) for card, uses in booked.items()}
    if gaps:
        card = tuple_(findings.c.card_number, findings.c.sequence)
        open_ones = (findings.c.kind == FindingKind.ATC_GAP.value, findings.c.closed_at.is_(None))
        for row in conn.execute(select(findings).where(*open_ones, card.in_(list(gaps)))):
            gaps[row.card_number, row.sequence].known[row.atc, row.atc_until] = row.id
    return gaps
