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

from sqlalchemy import Connection, Row, exists, func, insert, select, tuple_

from registry.db.context import RegistryContext
from registry.db.tables import ENDED, LIVING, card_events, counter_journals, findings, redemptions
from registry.errors import RegistryConflict
from registry.programme.finding_rows import REGISTRY, add_findings, resolve, resolve_digests
from registry.programme.gaps import CounterGaps
from registry.programme.given import book_given
from registry.programme.judgement import (
    AGAIN,
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
from registry.programme.reversals import take_back
from registry.programme.rules import Intents, Rules, judge_by_rules
from registry.programme.uploads.card_locks import locked_cards
from registry.programme.uploads.journals import follow, last_hash, locked_journal, same_outlet
from registry.programme.uploads.sources import (
    finding_to_book,
    findings_to_book,
    not_again,
    request_of,
    source_of_use,
    use_of_finding,
)
from registry.programme.work import Card, Upload, UploadWork, clean
from terminal.errors import CodecError
from terminal.member.journal_rows import COUNTED, NO_ROW, JournalRow, RowKind

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


@dataclass(frozen=True, slots=True)
class BookedAgain:
    """What came of a finding whose redemption was not booked. ``booked``: it is now. ``findings`` are new ones about
    it, by kind; without any, and not booked, nothing has changed."""

    finding: int
    booked: bool
    findings: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Judging:
    """The day of the upload; the counter's own values where they come from a finding; who closes findings that are
    over."""

    day: date
    details: str = ""
    by: str = REGISTRY


class Booking:
    """Booking of the uploads of one registry."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def book(self, outlet: int, upload: Upload, prove: Prove, *, by: str, rules: Rules | None = None) -> BookingResult:
        """Book an upload of an outlet's counter. ``rules``: those of the programme.

        Raises RegistryConflict for a journal of another outlet (``journal-outlet``) and rows that no journal has
        (``upload-rows``), NotOnRecord for an unknown outlet; whatever ``prove`` raises. Then nothing was changed.
        """
        last = last_hash(upload)
        judged = [(row, proven_use(row, prove)) for row in upload.rows if row.kind in COUNTED]
        with self._context.write() as conn:
            work = UploadWork(upload, outlet, self._context.clock())
            contract = self._contract(conn, work, judged)
            follow(conn, work, last)
            for row in upload.rows:
                self._mark_row(work, row)
            self._judge(conn, work, contract, judged, _Judging(self._context.day(work.now)))
            new = self._store(conn, work, by, rules)
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
        same_outlet(row.outlet_id, outlet)
        return int(row.through)

    def again(self, number: int, prove: Prove, *, by: str = REGISTRY, rules: Rules | None = None) -> BookedAgain:
        """Book what a finding could not, once its card is on record or its key in custody: as it would have been booked
        with its upload, and with the reversals that came for it. What still proves nothing, or is of no card on record,
        stays what it is; one that is proven now and has no card becomes another finding. Repeated, or by two programs
        at once, it is booked once.

        Raises NotOnRecord, RegistryConflict for a finding of another kind (``finding-not-again``) and a closed one
        (``finding-closed``); whatever ``prove`` raises.
        """
        with self._context.write() as conn:
            first = finding_to_book(conn, number)
            locked_journal(conn, first.journal)
            finding = finding_to_book(conn, number, lock=True)  # as it is now that nobody else books of this journal
            try:
                source = use_of_finding(finding, self._context.zone)
            except CodecError:
                raise not_again(number) from None
            upload = Upload(finding.journal, NO_ROW, (source.row,))
            work = UploadWork(upload, finding.outlet_id, self._context.clock(), "booked", source.row.number)
            if source.link:
                work.links[id(source.row)] = source.link
            judged = [(source.row, proven_use(source.row, prove))]
            contract = self._contract(conn, work, judged)
            day = self._context.day(finding.at)
            self._judge(conn, work, contract, judged, _Judging(day, source.details, by))
            same = any(row["kind"] == finding.kind for row in work.findings)
            if same or not isinstance(judged[0][1], ProvenUse):
                return BookedAgain(number, False, {})
            resolve(conn, [number], work.now, "booked", by=by)
            self._store(conn, work, by, rules)
            booked = bool(work.booked or work.known)
            self._context.audit(conn, by, "finding.book", f"finding:{number}", kind=finding.kind, booked=booked)
        return BookedAgain(number, booked, dict(Counter(str(row["kind"]) for row in work.findings)))

    def to_book(self, *, unproven: bool = True) -> int:
        """How many findings ``again_all`` would look at."""
        with self._context.read() as conn:
            return len(findings_to_book(conn, unproven=unproven))

    def again_all(
        self, prove: Prove, *, by: str = REGISTRY, rules: Rules | None = None, unproven: bool = True
    ) -> tuple[BookedAgain, ...]:
        """The same of every open finding that may be booked now: of those of unknown cards where the card is on record,
        and of all with a wrong cryptogram unless ``unproven`` is false. Only what has changed is in the result."""
        with self._context.read() as conn:
            numbers = findings_to_book(conn, unproven=unproven)
        done = []
        for number in numbers:
            try:
                one = self.again(number, prove, by=by, rules=rules)
            except RegistryConflict as conflict:
                if conflict.reason not in ("finding-closed", "finding-not-again"):
                    raise
                continue  # another program has booked it, or nobody can
            if one.booked or one.findings:
                done.append(one)
        return tuple(done)

    def _contract(
        self, conn: Connection, work: UploadWork, judged: Iterable[tuple[JournalRow, ProvenUse | Mark]]
    ) -> Contract:
        uses = [use for _, use in judged if isinstance(use, ProvenUse)]
        named, listed = {use.merchant for use in uses}, {use.terminal for use in uses}
        return contract_of(conn, work.outlet, named, listed, self._context.day)

    def _store(self, conn: Connection, work: UploadWork, by: str, rules: Rules | None) -> int:
        """Write what was judged; the number of new findings."""
        if work.booked:
            conn.execute(insert(redemptions), work.booked)
        book_given(conn, work)
        take_back(conn, self._context, work, by)
        if rules is not None:
            judge_by_rules(conn, self._context, work, rules)
        return add_findings(conn, work.findings)

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
        rows: Sequence[tuple[JournalRow, ProvenUse | Mark]],
        judging: _Judging,
    ) -> None:
        """Book what is proven, in the order of the rows, with the marks of each."""
        wanted = sorted({use.card for _, use in rows if isinstance(use, ProvenUse)})
        states = locked_cards(conn, wanted)
        ended = self._ended(conn, [card for card, state in states.items() if state in ENDED])
        booked = _booked(conn, [use for _, use in rows if isinstance(use, ProvenUse) and use.card in states])
        missing, numbers = _open_gaps(conn, booked), _numbers_of(conn, work)
        proven = [use for _, use in rows if isinstance(use, ProvenUse)]
        unproven = [row for row, use in rows if isinstance(use, Mark) and use.kind in AGAIN]
        requests = {id(row): request_of(row) or "" for row in unproven}
        intents = Intents.of_upload(conn, work, proven, list(requests.values()))
        _resolve_earlier(conn, work, rows, states, judging.by)
        for row, use in rows:
            request = requests.get(id(row), "") if isinstance(use, Mark) else use.request
            details = judging.details or intents.details(request)
            if isinstance(use, Mark):
                source = source_of_use(row, work.link(row), details) if use.kind in AGAIN else None
                work.mark(row, use, source=source)
                continue
            if use.card not in states:
                source = source_of_use(row, work.link(row), details)
                work.mark(row, Mark(FindingKind.UNKNOWN_CARD), use.card, use.atc, source=source)
                continue
            others = booked[use.card]
            same = next((one for one in others if one.atc == use.atc), None)
            if same is not None:
                if same.cryptogram == use.cryptogram:
                    work.known += 1
                else:
                    work.mark(row, Mark(FindingKind.ATC_DOUBLED), use.card, use.atc)
                continue
            for mark in (*marks_of_place(use, contract, judging.day), *marks_of_order(use, others)):
                work.mark(row, mark, use.card, use.atc)
            others_of_row = (mark_of_clock(row, use, self._context.day), mark_of_ended_card(use, ended.get(use.card)))
            for one in filter(None, others_of_row):
                work.mark(row, one, use.card, use.atc)
            if row.number in numbers:
                work.mark(row, Mark(FindingKind.ROW_DOUBLED, {"row": row.number}), use.card, use.atc)
            numbers.add(row.number)
            work.book(row, use, details)
            insort(others, use.as_booked(), key=lambda one: one.atc)
            missing[use.card].take(use.atc)
        for card, gaps in missing.items():
            resolve(conn, gaps.resolved, work.now, work.why)
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


def _numbers_of(conn: Connection, work: UploadWork) -> set[int]:
    """The row numbers of this upload that have a booked redemption."""
    numbers = [row.number for row in work.upload.rows if row.kind in COUNTED]
    if not numbers:
        return set()
    mine = (redemptions.c.journal == work.upload.journal, redemptions.c.number.in_(numbers))
    return set(conn.execute(select(redemptions.c.number).where(*mine)).scalars())


def _resolve_earlier(
    conn: Connection,
    work: UploadWork,
    rows: Iterable[tuple[JournalRow, ProvenUse | Mark]],
    states: Collection[Card],
    by: str,
) -> None:
    """Close the findings of rows that came before, and are proven now, or whose card is on record now."""
    over = []
    for row, use in rows:
        if row.number <= work.through and isinstance(use, ProvenUse):
            over.append(work.digest(FindingKind.WRONG_CRYPTOGRAM, row))
            if use.card in states:
                over.append(work.digest(FindingKind.UNKNOWN_CARD, row))
    resolve_digests(conn, over, work.now, "booked", by=by)


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
