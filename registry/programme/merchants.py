"""Merchants whose counters take member cards: contract, benefits, outlets with their terminals, and the account.

The account is sealed; everything else is business data in clear. Nothing is deleted: a merchant ends, an outlet closes,
and late uploads still find them. What moves money waits for a second person (``registry.programme.changes``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import merchant_benefits, merchant_changes, merchants, outlets, terminals
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.changes import (
    ChangeState,
    MerchantChange,
    MerchantChangeKind,
    account_of,
    change_on_record,
    request_change,
)
from registry.programme.judgement import Contract, TerminalPlace
from registry.programme.outlets import put_outlet
from terminal.names import all_visible

_NUMBER: Final = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z ._-]{0,13}[0-9A-Za-z])?")
_TERMINAL: Final = re.compile(r"[0-9A-Za-z]{8}")
BENEFIT: Final = re.compile(r"[0-9]{4}|(?=[0-9-]*[a-z])[a-z0-9][a-z0-9-]{0,39}")
"""A class that cards count, or the code of a benefit that the union counts online."""
_ACCOUNT: Final = re.compile(r"[0-9A-Za-z-]{6,34}")
_LONGEST: Final = 100
_WAITING: Final = ChangeState.WAITING.value
RULES: Final = {
    "merchant-number": "a merchant identifier is 1 to 15 letters and digits, with blanks, dots, _ and - between them",
    "merchant-name": "a name is 1 to 100 printable characters",
    "merchant-contract": "the contract ends before it begins",
    "merchant-benefit": "a contract has a benefit: a class of four digits, or the code of one that the union counts",
    "merchant-account": "an account is 6 to 34 letters and digits",
    "outlet-name": "each outlet has a name of its own",
    "outlet-address": "an address is at most 100 printable characters",
    "terminal-number": "a terminal identification is 8 letters and digits, and is listed once",
}
"""The rules of a merchant, by reason."""


@dataclass(frozen=True, slots=True)
class NewOutlet:
    """An outlet with its terminal identifications (tag 9F1C, 8 letters and digits)."""

    name: str
    address: str = ""
    terminals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewMerchant:
    """A merchant as a person enters it. ``number`` is the merchant identifier (tag 9F16): 1 to 15 letters and digits,
    with blanks, dots, _ and - between them. ``benefits`` are classes of four digits, and codes of benefits that the
    union counts online; an empty ``account`` leaves the one on record."""

    number: str
    name: str
    contract_from: date
    contract_until: date
    benefits: tuple[str, ...]
    outlets: tuple[NewOutlet, ...] = ()
    name_en: str = ""
    account: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class OutletView:
    """An outlet on record. ``terminals`` are those in use."""

    id: int
    name: str
    address: str
    closed_at: datetime | None
    terminals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MerchantView:
    """A merchant on record. ``account`` shows the last four characters; it is empty where none is on record.
    ``waiting``: the numbers of its changes that wait for a second person."""

    number: str
    name: str
    name_en: str
    account: str
    contract_from: date
    contract_until: date
    benefits: tuple[str, ...]
    outlets: tuple[OutletView, ...]
    ended_at: datetime | None
    waiting: tuple[int, ...] = ()


class UnsoundMerchant(RegistryConflict):
    """A merchant that breaks one of ``RULES``."""

    def __init__(self, merchant: NewMerchant, fault: str) -> None:
        super().__init__(f"merchant {merchant.number[:15]}: {RULES[fault]}", reason=fault)


def faults_of(merchant: NewMerchant) -> Iterator[str]:
    """The rules that a merchant breaks, as reasons of a refusal; none for a sound one."""
    if not _NUMBER.fullmatch(merchant.number):
        yield "merchant-number"
    if not _text(merchant.name) or (merchant.name_en and not _text(merchant.name_en)):
        yield "merchant-name"
    if merchant.contract_until < merchant.contract_from:
        yield "merchant-contract"
    if not merchant.benefits or not all(map(BENEFIT.fullmatch, merchant.benefits)):
        yield "merchant-benefit"
    if merchant.account and not _ACCOUNT.fullmatch(merchant.account):
        yield "merchant-account"
    names = [outlet.name for outlet in merchant.outlets]
    if not all(map(_text, names)) or len(set(names)) < len(names):
        yield "outlet-name"
    if not all(not outlet.address or _text(outlet.address) for outlet in merchant.outlets):
        yield "outlet-address"
    listed = [terminal for outlet in merchant.outlets for terminal in outlet.terminals]
    if not all(map(_TERMINAL.fullmatch, listed)) or len(set(listed)) < len(listed):
        yield "terminal-number"


class Merchants:
    """Repository of merchants."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def put(self, *wanted: NewMerchant, by: str, reason: str = "") -> list[MerchantView]:
        """Record merchants or change them, all of them or none. Outlets and terminals are added to those on record; a
        terminal of another outlet is refused. Another account, contract or benefits, that a merchant that has ended
        goes on, and that a closed outlet opens again, wait for a second person. The audit counts the accounts that are
        others than before: money goes there.

        Raises RegistryConflict, its reason one of ``faults_of``, ``merchant-twice`` or ``terminal-taken``.
        """
        for merchant in wanted:
            for fault in faults_of(merchant):
                raise UnsoundMerchant(merchant, fault)
        if len({merchant.number for merchant in wanted}) < len(wanted):
            raise RegistryConflict("two of these merchants have one number", reason="merchant-twice")
        if not wanted:
            return []
        why = reason_given(reason) if reason else ""
        with self._context.write() as conn:
            accounts = sum([self._put(conn, merchant, by, why) for merchant in wanted])
            views = [_view(conn, merchant.number) for merchant in wanted]
            subject = f"merchant:{wanted[0].number}" if len(wanted) == 1 else "merchants"
            self._context.audit(conn, by, "merchant.put", subject, why, merchants=len(wanted), accounts=accounts)
            return views

    def end(self, number: str, *, by: str, reason: str) -> MerchantChange:
        """Request that a merchant ends, on the day on which a second person approves. Raises NotOnRecord,
        RegistryConflict for one that has ended."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _merchant(conn, number)
            if row.ended_at is not None:
                raise RegistryConflict(f"merchant {number} has ended already", reason="merchant-ended", merchant=number)
            return self._request(conn, row, MerchantChangeKind.END, {}, by, why)

    def close_outlet(self, outlet: int, *, by: str, reason: str) -> MerchantChange:
        """Request that an outlet closes and its terminals retire, on the day on which a second person approves. Raises
        NotOnRecord, RegistryConflict for one that is closed."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _outlet(conn, outlet)
            if row.closed_at is not None:
                raise RegistryConflict(f"outlet {outlet} is closed", reason="outlet-closed", outlet=outlet)
            facts = {"outlet": outlet, "name": row.name}
            return self._request(conn, _merchant(conn, row.number), MerchantChangeKind.OUTLET_CLOSE, facts, by, why)

    def _request(
        self,
        conn: Connection,
        merchant: Row[Any],
        kind: MerchantChangeKind,
        facts: dict[str, str | int],
        by: str,
        why: str,
    ) -> MerchantChange:
        number = request_change(conn, self._context, merchant, kind, facts, by=by, reason=why)
        subject = f"merchant:{merchant.number}"
        self._context.audit(conn, by, "merchant.change-request", subject, why, number=number, change=kind.value)
        return change_on_record(conn, number)

    def merchant(self, number: str) -> MerchantView:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _view(conn, number)

    def page(self, cursor: str | None = None, limit: int = 50, *, text: str = "") -> Page[MerchantView]:
        """All merchants, or those with this text in number or name, by number. Raises BadCursor."""
        chosen = select(merchants).order_by(merchants.c.number).limit(cut(limit) + 1)
        if text:
            chosen = chosen.where(
                merchants.c.number.contains(text, autoescape=True) | merchants.c.name.contains(text, autoescape=True)
            )
        if cursor is not None:
            chosen = chosen.where(merchants.c.number > read_cursor(cursor, str)[0])
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
            views = dict(zip([row.id for row in rows], _views(conn, rows), strict=True))
        return page_of(rows, limit, lambda row: views[row.id], lambda row: [row.number])

    def account(self, number: str, *, by: str, reason: str) -> str:
        """The account in clear, for a payout; each look is audited. Raises NotOnRecord, RegistryConflict."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _merchant(conn, number)
            if row.sealed is None:
                raise NotOnRecord(f"merchant {number} has no account on record", reason="account", merchant=number)
            account = account_of(self._context, row)
            self._context.audit(conn, by, "merchant.account", f"merchant:{number}", why)
            return account

    def outlet_of(self, merchant: str, terminal: str) -> int:
        """The outlet of a merchant that has this terminal, or had it until it was closed. Raises NotOnRecord."""
        chosen = select(outlets.c.id).join(terminals, terminals.c.outlet_id == outlets.c.id)
        chosen = chosen.join(merchants, merchants.c.id == outlets.c.merchant_id)
        named = (merchants.c.number == merchant, terminals.c.terminal == terminal)
        with self._context.read() as conn:
            outlet = conn.execute(chosen.where(*named)).scalar_one_or_none()
        if outlet is None:
            sentence = f"no outlet of merchant {merchant} has the terminal {terminal}"
            raise NotOnRecord(sentence, reason="terminal", merchant=merchant, terminal=terminal)
        return int(outlet)

    def _put(self, conn: Connection, merchant: NewMerchant, by: str, reason: str) -> bool:
        """Whether another account was requested."""
        names = {"name": merchant.name.strip(), "name_en": merchant.name_en.strip()}
        changed = conn.execute(update(merchants).where(merchants.c.number == merchant.number).values(names))
        if not changed.rowcount:
            _register(conn, merchant, names, self._context.clock())
        row = _merchant(conn, merchant.number)
        account = bool(merchant.account) and merchant.account != account_of(self._context, row)
        wanted: list[tuple[MerchantChangeKind, dict[str, str | int]]] = (
            [(MerchantChangeKind.ACCOUNT, {"was": row.account_masked})] if account else []
        )
        now, then = _terms(conn, row), _terms_of(merchant)
        if now != then:
            wanted.append(
                (MerchantChangeKind.CONTRACT, {**then, **{f"was_{name}": value for name, value in now.items()}})
            )
        if row.ended_at is not None:
            wanted.append((MerchantChangeKind.RESUME, {}))
        for kind, facts in wanted:
            opened = merchant.account if kind is MerchantChangeKind.ACCOUNT else ""
            request_change(conn, self._context, row, kind, facts, by=by, reason=reason, account=opened)
        for outlet in merchant.outlets:
            name, address = outlet.name.strip(), outlet.address.strip()
            reopening = put_outlet(conn, row.id, name, address, outlet.terminals)
            if reopening is not None:
                kind = MerchantChangeKind.OUTLET_OPEN
                request_change(conn, self._context, row, kind, reopening, by=by, reason=reason)
        return account


def _register(conn: Connection, merchant: NewMerchant, names: dict[str, str], now: datetime) -> None:
    """A merchant without an account, with its contract as it is entered: nothing is paid without account and rate."""
    days = {"contract_from": merchant.contract_from.isoformat(), "contract_until": merchant.contract_until.isoformat()}
    values = {"number": merchant.number, "created_at": now, "account_masked": "", **names, **days}
    number: int = conn.execute(insert(merchants).values(values).returning(merchants.c.id)).scalar_one()
    agreed = [{"merchant_id": number, "benefit_class": one} for one in sorted(set(merchant.benefits))]
    conn.execute(insert(merchant_benefits), agreed)


def _terms(conn: Connection, row: Row[Any]) -> dict[str, str | int]:
    """The contract on record."""
    agreed = select(merchant_benefits.c.benefit_class).where(merchant_benefits.c.merchant_id == row.id)
    benefits = " ".join(sorted(conn.execute(agreed).scalars()))
    return {"from": row.contract_from, "until": row.contract_until, "benefits": benefits}


def _terms_of(merchant: NewMerchant) -> dict[str, str | int]:
    """The contract as it is entered."""
    days = {"from": merchant.contract_from.isoformat(), "until": merchant.contract_until.isoformat()}
    return {**days, "benefits": " ".join(sorted(set(merchant.benefits)))}


def contract_of(
    conn: Connection,
    outlet: int,
    named: Collection[str],
    listed: Collection[str],
    day: Callable[[datetime], date],
) -> Contract:
    """The contract behind an outlet, with those of the named merchants and listed terminals that are on record.
    ``day`` is the calendar day of an instant where the merchants are. Raises NotOnRecord."""
    row = _outlet(conn, outlet)
    merchant = _merchant(conn, row.number)
    agreed = select(merchant_benefits.c.benefit_class).where(merchant_benefits.c.merchant_id == merchant.id)
    known = select(merchants.c.number).where(merchants.c.number.in_(list(named)))
    places = select(terminals).where(terminals.c.terminal.in_(list(listed)))
    last = date.fromisoformat(merchant.contract_until)
    if merchant.ended_at is not None:
        last = min(last, day(merchant.ended_at))
    return Contract(
        outlet=outlet,
        merchant=merchant.number,
        first=date.fromisoformat(merchant.contract_from),
        last=last,
        benefits=frozenset(conn.execute(agreed).scalars()),
        terminals={
            row.terminal: TerminalPlace(row.outlet_id, None if row.retired_at is None else day(row.retired_at))
            for row in conn.execute(places)
        },
        merchants=frozenset(conn.execute(known).scalars()),
    )


def _merchant(conn: Connection, number: str) -> Row[Any]:
    row = conn.execute(select(merchants).where(merchants.c.number == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no merchant {number}", reason="merchant", merchant=number)
    return row


def _outlet(conn: Connection, outlet: int) -> Row[Any]:
    chosen = select(outlets, merchants.c.number).join(merchants, merchants.c.id == outlets.c.merchant_id)
    row = conn.execute(chosen.where(outlets.c.id == outlet)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no outlet {outlet}", reason="outlet", outlet=outlet)
    return row


def _view(conn: Connection, number: str) -> MerchantView:
    return _views(conn, [_merchant(conn, number)])[0]


def _views(conn: Connection, rows: Sequence[Row[Any]]) -> list[MerchantView]:
    ids = [row.id for row in rows]
    agreed: dict[int, list[str]] = {number: [] for number in ids}
    chosen = select(merchant_benefits).where(merchant_benefits.c.merchant_id.in_(ids))
    for merchant, benefit in conn.execute(chosen.order_by(merchant_benefits.c.benefit_class)):
        agreed[merchant].append(benefit)
    places = conn.execute(select(outlets).where(outlets.c.merchant_id.in_(ids)).order_by(outlets.c.id)).all()
    used = select(terminals.c.outlet_id, terminals.c.terminal).where(
        terminals.c.outlet_id.in_([place.id for place in places]), terminals.c.retired_at.is_(None)
    )
    waiting: dict[int, list[int]] = {number: [] for number in ids}
    change = merchant_changes.c
    open_ones = select(change.merchant_id, change.id).where(change.merchant_id.in_(ids), change.state == _WAITING)
    for merchant, number in conn.execute(open_ones.order_by(change.id)):
        waiting[merchant].append(number)
    listed: dict[int, list[str]] = {place.id: [] for place in places}
    for outlet, terminal in conn.execute(used.order_by(terminals.c.terminal)):
        listed[outlet].append(terminal)
    views: dict[int, list[OutletView]] = {number: [] for number in ids}
    for place in places:
        view = OutletView(place.id, place.name, place.address, place.closed_at, tuple(listed[place.id]))
        views[place.merchant_id].append(view)
    return [
        MerchantView(
            number=row.number,
            name=row.name,
            name_en=row.name_en,
            account=row.account_masked,
            contract_from=date.fromisoformat(row.contract_from),
            contract_until=date.fromisoformat(row.contract_until),
            benefits=tuple(agreed[row.id]),
            outlets=tuple(views[row.id]),
            ended_at=row.ended_at,
            waiting=tuple(waiting[row.id]),
        )
        for row in rows
    ]


def _text(text: str) -> bool:
    return len(text) <= _LONGEST and all_visible(text)
