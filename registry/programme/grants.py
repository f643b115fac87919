"""Grants: uses of benefits that the office counts, asked for by an online counter before the member pays.

A grant is decided on all uses of the member that the office has granted, over all counters and cards, and recorded in
the same transaction. It is named by the counter's journal and the row of its request: asked again, it is the same one.
The member's row is locked, and the database refuses a second grant on the same history (``position``).

A grant counts once it was given and not taken back. One of which no counter says so counts for ``RETURNED_AFTER``, and
then no more; a counter is answered the same for ``REPEATED_FOR``, which is shorter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from registry.db.context import RegistryContext
from registry.db.tables import LIVING, cards, counter_journals, grants, members, redemptions, reversals
from registry.errors import RegistryConflict
from registry.programme.merchants import contract_of
from registry.programme.rules import births_of, written_categories
from terminal.member.journal_rows import NO_ROW

Taken = Callable[[], Mapping[str, int]]
"""Units given out of each stock of a benefit; once it was called no other grant of the benefit is decided."""
REPEATED_FOR: Final = timedelta(days=2)
"""How long a counter may ask again, and give what was granted."""
RETURNED_AFTER: Final = timedelta(days=3)
"""When a grant that nobody has given counts no more."""
_LOCK: Final = 0x4752414E54  # "GRANT": with the benefit, PostgreSQL's advisory lock of its stocks


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """What a counter asks. ``journal`` and ``intent`` name it; amounts in fen. ``price`` is what the counter has
    computed by the programme ``edition``: the grant has the price that counts. ``list_price`` is that of one unit,
    where the cashier entered it; ``answers`` are the questions answered with yes."""

    journal: str
    intent: int
    card_number: str
    sequence: int
    merchant: str
    terminal: str
    benefit: str
    product: str
    quantity: int
    price: int
    edition: int
    list_price: int | None = None
    event: str = ""
    place: str = ""
    answers: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all values."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<GrantRequest {self.journal} {self.intent}>"


@dataclass(frozen=True, slots=True)
class GrantMember:
    """What the office knows of the member. ``issued`` is the day on which the card was made; ``birth`` reads the
    sealed identity number."""

    category: int
    issued: date
    birth: Callable[[], date | None]


@dataclass(frozen=True, slots=True)
class EarlierGrant:
    """A granted use that was not reversed."""

    number: int
    product: str
    quantity: int
    day: date
    saved: int
    event: str


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What was decided for a request. ``place`` is the stock, empty without one; ``edition`` the one that allows it."""

    price: int
    saved: int
    left: int | None
    place: str
    edition: int


@dataclass(frozen=True, slots=True)
class GrantRefused:
    """Why the union grants nothing, in both languages; ``again_on`` is the first day on which it may."""

    code: str
    rule: str
    again_on: date | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class OnlineGrant:
    """A use that the union has counted. ``known``: it had been requested before; ``reversed``: it was taken back, or
    was not given in time, so that nothing may be given for it."""

    number: int
    price: int
    saved: int
    left: int | None
    day: date
    at: datetime
    known: bool
    reversed: bool


class GrantRules(Protocol):
    """The programme's rules (``programme.records.grant_rules``)."""

    def since(self, benefit: str, day: date) -> date | None:
        """The first day whose uses count on that day; None where all of them do."""
        ...

    def decide(
        self, wanted: GrantRequest, member: GrantMember, before: Sequence[EarlierGrant], taken: Taken, at: datetime
    ) -> GrantTerms | GrantRefused:
        """The decision at a local time."""
        ...


class Grants:
    """The grants of one registry."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def ask(self, outlet: int, wanted: GrantRequest, rules: GrantRules, *, by: str) -> OnlineGrant | GrantRefused:
        """Grant a use to a counter of an outlet, or say why not. Repeated, it gives the same grant; what was refused is
        decided anew.

        Raises RegistryConflict for a journal of another outlet (``journal-outlet``) and for another request under the
        name of an earlier one (``grant-request``), NotOnRecord for an unknown outlet.
        """
        with self._context.write() as conn:
            self._of_outlet(conn, outlet, wanted.journal)
            holder = _holder(conn, wanted)
            now = self._context.clock()
            known = _known(conn, wanted, now)
            if known is not None:
                return known
            refusal = self._refusal(conn, outlet, wanted, holder)
            if refusal is not None or holder is None:
                return refusal or _CARD
            at = now.astimezone(self._context.zone)
            member = self._member(conn, wanted, holder)
            before = _before(conn, holder.member_id, wanted.benefit, rules.since(wanted.benefit, at.date()), now)
            terms = rules.decide(wanted, member, before, lambda: _taken(conn, wanted.benefit, now), at)
            if isinstance(terms, GrantRefused):
                return terms
            number = _record(conn, outlet, wanted, holder.member_id, terms, at)
            self._context.audit(conn, by, "grant.make", f"grant:{number}", benefit=wanted.benefit, amount=terms.price)
        return OnlineGrant(number, terms.price, terms.saved, terms.left, at.date(), now, known=False, reversed=False)

    def _of_outlet(self, conn: Connection, outlet: int, journal: str) -> None:
        new = {"name": journal, "outlet_id": outlet, "through": 0, "head": NO_ROW, "uploaded_at": self._context.clock()}
        dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
        conn.execute(dialect.insert(counter_journals).values(new).on_conflict_do_nothing())
        chosen = select(counter_journals.c.outlet_id).where(counter_journals.c.name == journal)
        if conn.execute(chosen).scalar_one() != outlet:
            raise RegistryConflict("this journal is one of another outlet", reason="journal-outlet")

    def _refusal(
        self, conn: Connection, outlet: int, wanted: GrantRequest, holder: Row[*tuple[Any, ...]] | None
    ) -> GrantRefused | None:
        """What is wrong with card or counter, before any rule of the programme."""
        contract = contract_of(conn, outlet, [wanted.merchant], [wanted.terminal], self._context.day)
        today = self._context.day(self._context.clock())
        place = contract.terminals.get(wanted.terminal)
        if contract.merchant != wanted.merchant or place is None or place.outlet != outlet or place.retired is not None:
            return _TERMINAL
        if not contract.first <= today <= contract.last:
            return _CONTRACT
        if wanted.benefit not in contract.benefits:
            return _NOT_AGREED
        if holder is None or holder.state not in LIVING:
            return _CARD
        return None

    def _member(self, conn: Connection, wanted: GrantRequest, holder: Row[*tuple[Any, ...]]) -> GrantMember:
        card = wanted.card_number, wanted.sequence
        written = written_categories(conn, self._context, [card]).get(card, ())
        category = written[-1][1] if written else holder.category
        birth = births_of(conn, self._context)
        return GrantMember(category, self._context.day(holder.verified_at), lambda: birth(holder.member_id))


_CARD: Final = GrantRefused(
    "card-ended",
    "card",
    None,
    "此卡在发卡方已不能使用；请会员到服务窗口办理",
    "The union has ended this card; the member goes to a service window",
)
_CONTRACT: Final = GrantRefused(
    "no-contract",
    "merchant",
    None,
    "本商户今日没有有效合同；请与工会联系",
    "This merchant has no contract today; ask the union",
)
_NOT_AGREED: Final = GrantRefused(
    "benefit-not-agreed",
    "merchant",
    None,
    "本商户的合同没有这项权益；请与工会联系",
    "The contract of this merchant has not this benefit; ask the union",
)
_TERMINAL: Final = GrantRefused(
    "unknown-terminal",
    "terminal",
    None,
    "工会没有登记此终端属于本网点；请与工会联系",
    "The union has not this terminal on record at this outlet; ask the union",
)


def _holder(conn: Connection, wanted: GrantRequest) -> Row[*tuple[Any, ...]] | None:
    """The card with its member, whose row is held until the end of the transaction; None for an unknown card."""
    chosen = (
        select(cards.c.state, cards.c.verified_at, cards.c.member_id, members.c.category)
        .join(members, members.c.id == cards.c.member_id)
        .where(cards.c.card_number == wanted.card_number, cards.c.sequence == wanted.sequence)
        .with_for_update(of=members, key_share=True)
    )
    return conn.execute(chosen).one_or_none()


def _known(conn: Connection, wanted: GrantRequest, now: datetime) -> OnlineGrant | None:
    """The grant of an earlier time at which this was asked. Raises RegistryConflict."""
    chosen = _with_result(grants, redemptions.c.id.label("redemption"), reversals.c.redemption_id.label("over"))
    this = (grants.c.journal == wanted.journal, grants.c.intent == wanted.intent)
    row = conn.execute(chosen.where(*this)).one_or_none()
    if row is None:
        return None
    if row.digest != wanted.digest:
        sentence = "the office has another request under this row of the journal: the journal is a copy"
        raise RegistryConflict(sentence, reason="grant-request")
    over = row.over is not None or (row.redemption is None and now - row.at > REPEATED_FOR)
    day = date.fromisoformat(row.day)
    return OnlineGrant(row.id, row.price, row.saved, row.left, day, row.at, known=True, reversed=over)


def _with_result(*columns: Any) -> Select[Any]:
    """Grants with the redemption that each became, and its reversal."""
    return (
        select(*columns)
        .select_from(grants)
        .join(redemptions, redemptions.c.grant_id == grants.c.id, isouter=True)
        .join(reversals, reversals.c.redemption_id == redemptions.c.id, isouter=True)
    )


def _counts(now: datetime) -> ColumnElement[bool]:
    """It was given and not taken back, or may still be given."""
    given_or_new = or_(redemptions.c.id.is_not(None), grants.c.at >= now - RETURNED_AFTER)
    return and_(reversals.c.redemption_id.is_(None), given_or_new)


def _before(conn: Connection, member: int, benefit: str, since: date | None, now: datetime) -> list[EarlierGrant]:
    this = grants.c
    chosen = (
        _with_result(this.id, this.product, this.quantity, this.day, this.saved, this.event)
        .where(this.member_id == member, this.benefit == benefit, _counts(now))
        .order_by(this.id)
    )
    if since is not None:
        chosen = chosen.where(this.day >= since.isoformat())
    return [
        EarlierGrant(row.id, row.product, row.quantity, date.fromisoformat(row.day), row.saved, row.event)
        for row in conn.execute(chosen)
    ]


def _taken(conn: Connection, benefit: str, now: datetime) -> dict[str, int]:
    if conn.dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(f"{_LOCK} {benefit}".encode()).digest()[:8], "big", signed=True)
        conn.execute(select(func.pg_advisory_xact_lock(key)))
    this = grants.c
    chosen = (
        _with_result(this.place, func.sum(this.quantity))
        .where(this.benefit == benefit, this.place != "", _counts(now))
        .group_by(this.place)
    )
    return {place: int(units) for place, units in conn.execute(chosen)}


def _record(conn: Connection, outlet: int, wanted: GrantRequest, member: int, terms: GrantTerms, at: datetime) -> int:
    this = grants.c
    last = select(func.coalesce(func.max(this.position), 0)).where(
        this.member_id == member, this.benefit == wanted.benefit
    )
    stock = None
    if terms.place:
        newest = select(func.coalesce(func.max(this.stock_position), 0))
        newest = newest.where(this.benefit == wanted.benefit, this.place == terms.place)
        stock = conn.execute(newest).scalar_one() + 1
    row = {
        **{name: getattr(wanted, name) for name in _REQUESTED},
        "digest": wanted.digest,
        "member_id": member,
        "outlet_id": outlet,
        "place": terms.place,
        "price": terms.price,
        "saved": terms.saved,
        "left": terms.left,
        "edition": terms.edition,
        "day": at.date().isoformat(),
        "clock": at.strftime("%H:%M:%S"),
        "at": at,
        "position": conn.execute(last).scalar_one() + 1,
        "stock_position": stock,
    }
    number: int = conn.execute(insert(grants).values(row).returning(this.id)).scalar_one()
    return number


_REQUESTED: Final = (
    "journal", "intent", "card_number", "sequence", "merchant", "terminal", "benefit", "product", "event", "quantity"
)  # fmt: skip
