"""The programme's rules at booking: each redemption against what the office knows of its member.

A counter without a line decides by the card and by its own redemptions. The office has those of all counters and of all
cards of the member, in whatever order they arrive: so every redemption behind a new one is judged again. One that is
allowed now loses its finding; one that is no longer allowed gets it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, and_, delete, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from registry.batches.persons import open_person
from registry.db.context import RegistryContext
from registry.db.privacy import scrub
from registry.db.tables import card_updates, cards, counter_intents, findings, members, redemptions, reversals
from registry.programme.finding_rows import resolve
from registry.programme.judgement import FindingKind, Mark, ProvenUse, RuledUse
from registry.programme.work import UploadWork
from terminal.member.journal_rows import ENDS_INTENT, JournalRow, RowKind

Birth = Callable[[int], date | None]
"""The day of birth of a member by the sealed identity number; None for a document without it."""
_Key = tuple[str, int, int]
"""Card number, sequence and transaction counter."""
_OpenOnes = dict[_Key, list[Row[*tuple[Any, ...]]]]
RULED: Final = (FindingKind.NOT_ALLOWED, FindingKind.PRICE)
"""What the programme's rules find."""
_NAMES: Final = ("benefit", "product", "event", "list", "saved", "edition", "answers", "place")
"""What is kept of the counter's own values about a request."""
_LONGEST: Final = 200
_LARGEST: Final = 2**53
_RESIDENT: Final = re.compile(r"[0-9]{17}[0-9X]")


_R: Final = redemptions.c
_USES: Final = (
    select(_R.card_number, _R.sequence, _R.atc, _R.benefit_class, _R.quantity, _R.amount, _R.day, _R.clock, _R.details)
    .add_columns(_R.journal, _R.number, _R.outlet_id, reversals.c.redemption_id)
    .add_columns(cards.c.member_id, cards.c.verified_at, members.c.category)
    .select_from(redemptions)
    .join(cards, (_R.card_number == cards.c.card_number) & (_R.sequence == cards.c.sequence))
    .join(members, members.c.id == cards.c.member_id)
    .join(reversals, reversals.c.redemption_id == _R.id, isouter=True)
)


class Rules(Protocol):
    """The programme's rules (``programme.booking_rules``)."""

    def mark(self, use: RuledUse, before: Sequence[RuledUse], birth: Birth) -> Mark | None:
        """What the rules say against a use; ``before`` are the member's earlier uses of the same class that were not
        reversed."""

    def since(self, benefit_class: str, day: date) -> date | None:
        """The first day whose uses count for a use on that day or later; None where all of them do."""


@dataclass(slots=True)
class Intents:
    """The counter's own values about requests, found by the values that the card was asked with."""

    known: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_upload(
        cls, conn: Connection, work: UploadWork, uses: Sequence[ProvenUse], unproven: Sequence[str] = ()
    ) -> Intents:
        """Those of the rows, and of earlier uploads whose results come only now. Those without a result are stored, and
        stay so while what comes is not proven: ``unproven`` are the requests of such results."""
        rows = work.upload.rows
        ended = {row.data.get("intent") for row in rows if row.kind in ENDS_INTENT}
        known, open_ones = {}, []
        for row in rows:
            if row.kind is not RowKind.INTENT or row.data.get("counted") == "office":
                continue
            key, values = _digest(str(row.data.get("request", ""))), _details(row)
            known[key] = values
            if row.number not in ended:
                open_ones.append({"request": key, "details": values, "at": work.now})
        if open_ones:
            dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
            conn.execute(dialect.insert(counter_intents).on_conflict_do_nothing(), open_ones)
        proven = [key for use in uses if (key := _digest(use.request)) not in known]
        wanted = [*proven, *(key for request in unproven if (key := _digest(request)) not in known)]
        if wanted:
            this = counter_intents.c.request
            known |= {row.request: row.details for row in conn.execute(select(counter_intents).where(this.in_(wanted)))}
            conn.execute(delete(counter_intents).where(this.in_(proven)))
        return cls(known)

    def details(self, request: str) -> str:
        """As JSON, of the values in hex that the card was asked with."""
        return self.known.get(_digest(request), "{}")


def _digest(request: str) -> str:
    return hashlib.sha256(request.lower().encode()).hexdigest()


def _details(row: JournalRow) -> str:
    values: dict[str, str | int] = {}
    for name in _NAMES:
        value = row.data.get(name)
        if isinstance(value, int) and -_LARGEST < value < _LARGEST:
            values[name] = value
        elif isinstance(value, str) and value:
            text = "".join(letter if letter.isprintable() else " " for letter in value)
            values[name] = scrub(" ".join(text.split())[:_LONGEST])
    return json.dumps(values, ensure_ascii=False)


def judge_by_rules(conn: Connection, context: RegistryContext, work: UploadWork, rules: Rules) -> None:
    """Judge what was booked or reversed, and every later use of the same members and classes."""
    new = {(str(row["card_number"]), int(row["sequence"]), int(row["atc"])) for row in work.booked}
    touched = new | work.taken_back
    if not touched:
        return
    uses = _uses(conn, context, touched, _horizons(conn, work, rules))
    wanted = [use for use, later in uses if later]
    open_ones = _open_findings(conn, [use for use in wanted if (use.card_number, use.sequence, use.atc) not in new])
    birth = births_of(conn, context)
    before: dict[tuple[int, str], list[RuledUse]] = defaultdict(list)
    for use, later in uses:
        earlier = before[use.member, use.benefit_class]
        if later and not use.reversed:
            _judge(conn, work, rules, use, earlier, birth, open_ones)
        if not use.reversed:
            earlier.append(use)


def _judge(
    conn: Connection,
    work: UploadWork,
    rules: Rules,
    use: RuledUse,
    before: Sequence[RuledUse],
    birth: Birth,
    open_ones: Mapping[_Key, list[Row[*tuple[Any, ...]]]],
) -> None:
    mark = rules.mark(use, before, birth)
    over = open_ones.get((use.card_number, use.sequence, use.atc), [])
    resolve(conn, [row.id for row in over if mark is None or row.kind != mark.kind], work.now, work.why)
    if mark is not None:
        work.mark_use(mark, use)


def _horizons(conn: Connection, work: UploadWork, rules: Rules) -> dict[str, date | None]:
    """For each class of what was booked or reversed the first day whose uses count."""
    first: dict[str, str] = {}
    changed = [(str(row["benefit_class"]), str(row["day"])) for row in work.booked]
    if work.taken_back:
        key = tuple_(_R.card_number, _R.sequence, _R.atc)
        rows = conn.execute(select(_R.benefit_class, _R.day).where(key.in_(work.taken_back)))
        changed += [(row.benefit_class, row.day) for row in rows]
    for benefit_class, day in changed:
        first[benefit_class] = min(day, first.get(benefit_class, day))
    return {name: rules.since(name, date.fromisoformat(day)) for name, day in first.items()}


def _uses(
    conn: Connection, context: RegistryContext, touched: set[_Key], horizons: Mapping[str, date | None]
) -> list[tuple[RuledUse, bool]]:
    """The uses of the members of these redemptions, of their classes and since the days that count, in the order of
    time; each with whether it is one of them or behind one of them."""
    keys = [(number, sequence) for number, sequence, _ in touched]
    holders = select(cards.c.member_id).where(tuple_(cards.c.card_number, cards.c.sequence).in_(keys))
    counting = [
        _R.benefit_class == name if since is None else and_(_R.benefit_class == name, _R.day >= since.isoformat())
        for name, since in horizons.items()
    ]
    rows = conn.execute(_USES.where(cards.c.member_id.in_(holders), or_(*counting))).all()
    changed = written_categories(conn, context, keys)
    days = {row.verified_at: context.day(row.verified_at) for row in rows}
    uses = [_use(row, days[row.verified_at], changed.get((row.card_number, row.sequence), ())) for row in rows]
    uses.sort(key=lambda use: use.order)
    met: set[tuple[int, str]] = set()
    judged = []
    for use in uses:
        group = (use.member, use.benefit_class)
        if (use.card_number, use.sequence, use.atc) in touched:
            met.add(group)
        judged.append((use, group in met))
    return judged


def _use(row: Row[*tuple[Any, ...]], issued: date, changed: Sequence[tuple[date, int]]) -> RuledUse:
    day, category = date.fromisoformat(row.day), row.category
    for since, value in changed:
        if since <= day:
            category = value
    return RuledUse(
        member=row.member_id,
        card_number=row.card_number,
        sequence=row.sequence,
        atc=row.atc,
        benefit_class=row.benefit_class,
        quantity=row.quantity,
        amount=row.amount,
        day=day,
        clock=time.fromisoformat(row.clock),
        details=json.loads(row.details),
        reversed=row.redemption_id is not None,
        category=category,
        issued=issued,
        journal=row.journal,
        number=row.number,
        outlet=row.outlet_id,
    )


def written_categories(
    conn: Connection, context: RegistryContext, keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], list[tuple[date, int]]]:
    """The categories that were written to these cards, each with its day."""
    this = card_updates.c
    chosen = select(this.card_number, this.sequence, this.ended_at, this.value).where(
        this.kind == "category", this.state == "done", tuple_(this.card_number, this.sequence).in_(keys)
    )
    changed: dict[tuple[str, int], list[tuple[date, int]]] = defaultdict(list)
    for row in conn.execute(chosen.order_by(this.ended_at)):
        changed[row.card_number, row.sequence].append((context.day(row.ended_at), int.from_bytes(row.value, "big")))
    return changed


def _open_findings(conn: Connection, uses: Sequence[RuledUse]) -> _OpenOnes:
    """The open findings of the rules about these uses."""
    ones: _OpenOnes = defaultdict(list)
    if not uses:
        return ones
    this = findings.c
    keys = {(use.card_number, use.sequence) for use in uses}
    chosen = select(this.id, this.kind, this.card_number, this.sequence, this.atc).where(
        this.closed_at.is_(None),
        this.kind.in_([kind.value for kind in RULED]),
        tuple_(this.card_number, this.sequence).in_(keys),
    )
    for row in conn.execute(chosen):
        ones[row.card_number, row.sequence, row.atc].append(row)
    return ones


def births_of(conn: Connection, context: RegistryContext) -> Birth:
    def birth(member: int) -> date | None:
        row = conn.execute(select(members).where(members.c.id == member)).one()
        number = open_person(context.personal, row).id_number
        return date.fromisoformat(number[6:14]) if _RESIDENT.fullmatch(number) else None

    return birth
