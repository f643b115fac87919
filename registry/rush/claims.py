"""Claims of tickets: first come first served by the order of the database, each key once, never more than the stock.

Many claims are decided in one transaction, in the order in which they came; the row of the rush is held meanwhile. What
the transaction decides the database verifies once more: stock, limits and the order of the waiting list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from registry.db.context import RegistryContext
from registry.db.tables import LIVING, cards, members, rush_claims, ticket_uses, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.rules import births_of
from registry.rush import refusals
from registry.rush.gathering import Gathering
from registry.rush.rows import claim_view, held_rush, hold_rushes, positions, rush_views
from registry.rush.values import (
    Claimant,
    Claimed,
    ClaimRefused,
    ClaimRequest,
    ClaimState,
    ClaimView,
    RushRules,
    RushState,
    RushView,
)

Answer = Claimed | ClaimRefused
_C: Final = rush_claims.c
_DAY: Final = "%Y-%m-%d %H:%M"
_SHORTEST_KEY, _LONGEST_KEY = 8, 80


@dataclass(slots=True)
class _Round:
    """One transaction: what was on record, and what is decided so far."""

    now: datetime
    rushes: Mapping[int, RushView]
    holders: Mapping[str, Claimant]
    places: dict[tuple[int, int], set[int]]
    lot_places: dict[tuple[int, str, int], set[int]]
    last: dict[tuple[int, str], int]
    taken: dict[tuple[int, str], int] = field(default_factory=dict)
    waiting: dict[tuple[int, str], int] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)


class RushClaims:
    """Repository of claims."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context
        self._gathering = Gathering(self.decide)

    def claim(self, wanted: ClaimRequest, rules: RushRules) -> Answer:
        """Give a ticket, a place on the waiting list, or say why not. Asked again under its key, the same answer.

        Claims of several threads share a transaction where they pass the same rules object."""
        return self._gathering.claim(wanted, rules)

    def decide(self, wanted: Sequence[ClaimRequest], rules: RushRules) -> list[Answer]:
        """The same for many claims, in their order, in one transaction."""
        with self._context.write() as conn:
            held = hold_rushes(conn, {one.rush for one in wanted})
            now = self._context.clock()
            known = _known(conn, {one.key for one in wanted})
            work = self._round(conn, rush_views(conn, held, now), wanted, now)
            answers: list[Answer | None] = []
            added: dict[str, tuple[int, ClaimRequest]] = {}
            repeats: list[tuple[int, ClaimRequest]] = []
            for place, one in enumerate(wanted):
                if not _SHORTEST_KEY <= len(one.key) <= _LONGEST_KEY:
                    answers.append(refusals.SHORT_KEY)
                elif one.key in known:
                    answers.append(_again(one, known[one.key]))
                elif one.key in added:
                    repeats.append((place, one))
                    answers.append(None)
                else:
                    refusal = self._decide(work, one, rules)
                    answers.append(refusal)
                    if refusal is None:
                        added[one.key] = (place, one)
            if work.rows:
                for claimed in self._store(conn, work):
                    answers[added[claimed.key][0]] = claimed
            for place, one in repeats:
                answers[place] = _repeated(one, added[one.key], answers)
            if work.rows:
                self._note(conn, work.rows)
        return [one for one in answers if one is not None]

    def give_back(self, number: int, *, by: str) -> ClaimView:
        """Return a ticket, which goes to the first on the waiting list at once; or leave the waiting list. Repeated, it
        stays as it is.

        Raises NotOnRecord; RegistryConflict for a ticket that was used (``ticket-used``), after the last time of
        returns (``returns-over``) and for one that is void (``claim-void``).
        """
        with self._context.write() as conn:
            rush = held_rush(conn, _claim(conn, number).rush_id)
            row = _claim(conn, number)
            now = self._context.clock()
            before = ClaimState(row.state)
            if before is ClaimState.VOID:
                raise RegistryConflict(f"ticket {number} is void: its rush was cancelled", reason="claim-void")
            if before in (ClaimState.RETURNED, ClaimState.WITHDRAWN):
                return claim_view(row, None)
            if before is ClaimState.GRANTED:
                self._refuse_return(conn, row, rush, now)
            after = ClaimState.RETURNED if before is ClaimState.GRANTED else ClaimState.WITHDRAWN
            ended = {"state": after.value, "place": None, "lot_place": None, "ended_at": now, "ended_by": by}
            conn.execute(update(rush_claims).where(_C.id == number).values(ended))
            next_one = _advance(conn, row.rush_id, row.lot, now) if after is ClaimState.RETURNED else None
            facts = {"lot": row.lot, "state": after.value} | ({} if next_one is None else {"goes_to": next_one})
            self._context.audit(conn, by, "rush.return", f"claim:{number}", "", **facts)
            return claim_view(_claim(conn, number), None)

    def view(self, number: int) -> ClaimView:
        """A claim with its position on the waiting list. Raises NotOnRecord."""
        with self._context.read() as conn:
            row = _claim(conn, number)
            return claim_view(row, positions(conn, [row]).get(number))

    def of_card(self, card_number: str) -> list[ClaimView]:
        """All claims of the member who has the card, the newest first. An unknown card has none."""
        holder = select(cards.c.member_id).where(cards.c.card_number == card_number)
        with self._context.read() as conn:
            rows = conn.execute(select(rush_claims).where(_C.member_id.in_(holder)).order_by(_C.id.desc())).all()
            places = positions(conn, rows)
            return [claim_view(row, places.get(row.id)) for row in rows]

    def _refuse_return(self, conn: Connection, row: Row[Any], rush: Row[Any], now: datetime) -> None:
        if conn.execute(select(ticket_uses.c.id).where(ticket_uses.c.claim_id == row.id)).first() is not None:
            raise RegistryConflict(f"ticket {row.id} was used; it cannot go back", reason="ticket-used", number=row.id)
        if now >= rush.returns_at:
            last = rush.returns_at.astimezone(self._context.zone).strftime(_DAY)
            sentence = f"tickets of this rush could be returned until {last}"
            raise RegistryConflict(sentence, reason="returns-over", until=last)

    def _round(
        self, conn: Connection, views: Sequence[RushView], wanted: Sequence[ClaimRequest], now: datetime
    ) -> _Round:
        holders = self._holders(conn, {one.card_number for one in wanted})
        numbers, people = [view.number for view in views], {one.member for one in holders.values()}
        places: dict[tuple[int, int], set[int]] = defaultdict(set)
        lot_places: dict[tuple[int, str, int], set[int]] = defaultdict(set)
        chosen = select(_C.rush_id, _C.member_id, _C.lot, _C.place, _C.lot_place)
        mine = (_C.rush_id.in_(numbers), _C.member_id.in_(people), _C.place.is_not(None))
        for row in conn.execute(chosen.where(*mine)):
            places[row.rush_id, row.member_id].add(row.place)
            lot_places[row.rush_id, row.lot, row.member_id].add(row.lot_place)
        last: dict[tuple[int, str], int] = {}
        if any(lot.left == 0 or lot.waiting or lot.left < len(wanted) for view in views for lot in view.lots):
            newest = select(_C.rush_id, _C.lot, func.max(_C.position).label("last"))
            listed = newest.where(_C.rush_id.in_(numbers), _C.position.is_not(None)).group_by(_C.rush_id, _C.lot)
            last = {(row.rush_id, row.lot): row.last for row in conn.execute(listed)}
        work = _Round(now, {view.number: view for view in views}, holders, places, lot_places, last)
        for view in views:
            for lot in view.lots:
                work.taken[view.number, lot.code] = lot.taken
                work.waiting[view.number, lot.code] = lot.waiting
        return work

    def _holders(self, conn: Connection, numbers: set[str]) -> dict[str, Claimant]:
        birth = births_of(conn, self._context)
        chosen = (
            select(cards.c.card_number, cards.c.member_id, cards.c.verified_at, members.c.category, units.c.code)
            .join(members, members.c.id == cards.c.member_id)
            .join(units, units.c.id == members.c.unit_id)
            .where(cards.c.card_number.in_(numbers), cards.c.state.in_(LIVING), members.c.withdrawn_at.is_(None))
        )
        return {
            row.card_number: Claimant(
                row.member_id,
                row.category,
                row.code,
                self._context.day(row.verified_at),
                lambda member=row.member_id: birth(member),  # type: ignore[misc]
            )
            for row in conn.execute(chosen)
        }

    def _decide(self, work: _Round, wanted: ClaimRequest, rules: RushRules) -> ClaimRefused | None:
        """Add the row of a claim, or say why there is none."""
        rush = work.rushes.get(wanted.rush)
        if rush is None:
            return refusals.UNKNOWN
        if (over := self._over(rush)) is not None:
            return over
        lot, holder = rush.lot(wanted.lot), work.holders.get(wanted.card_number)
        if lot is None:
            return refusals.NO_LOT
        if holder is None:
            return refusals.CARD
        place = _free(work.places[rush.number, holder.member], rush.most)
        lot_place = _free(work.lot_places[rush.number, lot.code, holder.member], lot.most)
        if place is None:
            return refusals.limit(rush.most)
        if lot_place is None:
            return refusals.lot_limit(lot.most)
        if (refused := rules.refusal(rush, holder, self._context.day(work.now))) is not None:
            return refused
        this = rush.number, lot.code
        position = None
        if work.taken[this] >= lot.units or work.waiting[this]:
            if work.waiting[this] >= rush.longest:
                return refusals.LIST_FULL if rush.longest else refusals.SOLD_OUT
            position = work.last[this] = work.last.get(this, 0) + 1
        counted = work.taken if position is None else work.waiting
        counted[this] += 1
        work.places[rush.number, holder.member].add(place)
        work.lot_places[rush.number, lot.code, holder.member].add(lot_place)
        work.rows.append(
            {
                "key": wanted.key,
                "rush_id": rush.number,
                "lot": lot.code,
                "member_id": holder.member,
                "card_number": wanted.card_number,
                "rush_most": rush.most,
                "lot_most": lot.most,
                "place": place,
                "lot_place": lot_place,
                "state": (ClaimState.GRANTED if position is None else ClaimState.WAITING).value,
                "position": position,
                "at": work.now,
                "by": wanted.by,
                "granted_at": work.now if position is None else None,
            }
        )
        return None

    def _over(self, rush: RushView) -> ClaimRefused | None:
        if rush.state is RushState.ANNOUNCED:
            return refusals.not_open(rush.opens_at.astimezone(self._context.zone).strftime(_DAY))
        if rush.state is RushState.CANCELLED:
            return refusals.CANCELLED
        return refusals.CLOSED if rush.state is RushState.CLOSED else None

    def _store(self, conn: Connection, work: _Round) -> list[Claimed]:
        stored = insert(rush_claims).returning(_C.id, _C.key, sort_by_parameter_order=True)
        numbers = {row.key: row.id for row in conn.execute(stored, work.rows)}
        ahead: dict[tuple[int, str], int] = {}
        for view in work.rushes.values():
            ahead |= {(view.number, lot.code): lot.waiting for lot in view.lots}
        claimed = []
        for row in work.rows:
            this, position = (row["rush_id"], row["lot"]), None
            if row["position"] is not None:
                position = ahead[this] = ahead[this] + 1
            state = ClaimState(row["state"])
            claimed.append(Claimed(numbers[row["key"]], row["key"], *this, state, work.now, position))
        return claimed

    def _note(self, conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """One line of the audit for each rush and actor of the transaction."""
        counts: dict[tuple[int, str], dict[str, int]] = {}
        for row in rows:
            count = counts.setdefault((row["rush_id"], row["by"]), {"granted": 0, "waiting": 0})
            count[row["state"]] += 1
        for (number, by), count in counts.items():
            self._context.audit(conn, by, "rush.claim", f"rush:{number}", "", **count)


def _free(places: set[int], most: int) -> int | None:
    return next((place for place in range(1, most + 1) if place not in places), None)


def _claim(conn: Connection, number: int) -> Row[Any]:
    row = conn.execute(select(rush_claims).where(_C.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no ticket {number}", reason="ticket", number=number)
    return row


def _known(conn: Connection, keys: set[str]) -> dict[str, tuple[Row[Any], int | None]]:
    rows = conn.execute(select(rush_claims).where(_C.key.in_(keys))).all()
    places = positions(conn, rows)
    return {row.key: (row, places.get(row.id)) for row in rows}


def _again(wanted: ClaimRequest, known: tuple[Row[Any], int | None]) -> Answer:
    row, position = known
    if (row.rush_id, row.lot, row.card_number) != (wanted.rush, wanted.lot, wanted.card_number):
        return refusals.OTHER_REQUEST
    return Claimed(row.id, row.key, row.rush_id, row.lot, ClaimState(row.state), row.at, position, known=True)


def _repeated(wanted: ClaimRequest, first: tuple[int, ClaimRequest], answers: Sequence[Answer | None]) -> Answer:
    """The answer to a claim that came twice in one transaction."""
    place, other = first
    if (other.rush, other.lot, other.card_number) != (wanted.rush, wanted.lot, wanted.card_number):
        return refusals.OTHER_REQUEST
    answer = answers[place]
    return answer if answer is not None else refusals.UNKNOWN


def _advance(conn: Connection, rush: int, lot: str, now: datetime) -> int | None:
    """Give a ticket that came back to the first on the waiting list."""
    mine = (_C.rush_id == rush, _C.lot == lot, _C.state == ClaimState.WAITING.value)
    first = conn.execute(select(_C.id).where(*mine).order_by(_C.position).limit(1)).scalar_one_or_none()
    if first is not None:
        granted = {"state": ClaimState.GRANTED.value, "granted_at": now}
        conn.execute(update(rush_claims).where(_C.id == first).values(granted))
    return first
