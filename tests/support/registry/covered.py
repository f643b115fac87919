"""Members whose cards and states are written straight into the tables: what tests of covers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import insert, select, update

from programme.programme import Programme, parse_programme
from registry.batches.persons import seal_person
from registry.covers.values import CoverList
from registry.db.tables import (
    ENDED,
    LIVING,
    batches,
    cards,
    chips,
    departures,
    dossiers,
    member_events,
    members,
    units,
)
from registry.store import Registry
from tests.support.programmes import HEAD, ONE_PRODUCT
from tests.support.registry.registrar import row

FIRST = date(2026, 1, 1)
COVER = """\
covers:
  accident:
    name: {zh: 意外保障, en: Accident cover}
    first: 2026-01-01
    %s
"""


def covering_programme(more: str = "on_card: true") -> Programme:
    """A programme with one cover, ``accident``, whose terms are the years from 2026 on."""
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    return parse_programme(HEAD.replace("benefits:\n", f"{COVER % more}benefits:\n") + benefit, "own.yaml").programme


def signed_list(registry: Registry, drawn: CoverList) -> CoverList:
    """Two people sign a list."""
    for person in ("zhang", "li"):
        drawn = registry.cover_lists.sign(drawn.id, drawn.digest, by=person)
    return drawn


@dataclass
class Population:
    """Members of one unit. A card is known by a number of its own."""

    registry: Registry
    cards: int = 0
    people: int = 0
    begun: bool = field(default=False)

    def _context(self) -> Any:
        return self.registry.members._context

    def member(self, category: int = 0) -> int:
        """A registered member without a card."""
        context = self._context()
        self.people += 1
        member, person = self.people, row(self.people).person
        with context.write() as conn:
            if not self.begun:
                self._begin(conn)
            key = context.personal.seal_key()
            values = {
                "id": member,
                "unit_id": 1,
                "id_index": context.personal.indexes([person.id_number])[0],
                "sealed": seal_person(context.personal, key, member, person),
                "seal_key": str(key),
                "id_masked": "1301***********",
                "name_masked": "欧*",
                "mobile_masked": "139****",
                "member_number": f"{130100000000 + member}",
                "category": category,
                "registered_at": context.clock(),
            }
            conn.execute(insert(members).values(values))
        return member

    def card(self, member: int, state: str = "active") -> str:
        """A card of a member; it is the only living one."""
        self.cards += 1
        number, chip = f"6212260000{self.cards:06d}", f"chip{self.cards:06d}"
        with self._context().write() as conn:
            values = {"batch_id": "b", "member_id": member, "card_number": number, "sequence": 1}
            produced = {"profile_name": "default", "profile_digest": "0" * 64, "state": "verified", "token": 1}
            conn.execute(insert(dossiers).values(id=self.cards, **values, **produced))
            bound = {"batch_id": "b", "dossier_id": self.cards, "state": "bound", "from_stock": False, "lane": "1"}
            conn.execute(insert(chips).values(serial=chip, fed_at=datetime(2026, 1, 1, tzinfo=UTC), **bound))
            issued = {"member_id": member, "dossier_id": self.cards, "chip_serial": chip, "state": state}
            at = self._context().clock()
            numbered = {"card_number": number, "sequence": 1, "verified_at": at, "seconds": 1.0, "result": "{}"}
            conn.execute(insert(cards).values(**numbered, **issued))
        return number

    def holder(self, category: int = 0) -> int:
        """A member with a card in use."""
        member = self.member(category)
        self.card(member)
        return member

    def end_card(self, member: int, state: str = "lost") -> None:
        assert state in ENDED
        living = (cards.c.member_id == member, cards.c.state.in_(LIVING))
        with self._context().write() as conn:
            conn.execute(update(cards).where(*living).values(state=state))

    def recategorize(self, member: int, category: int) -> None:
        with self._context().write() as conn:
            conn.execute(update(members).where(members.c.id == member).values(category=category))

    def leave(self, member: int, kind: str, day: date) -> None:
        """The member leaves the union, as ``Members.withdraw`` records it."""
        self.end_card(member, "withdrawn")
        at = self._context().clock()
        with self._context().write() as conn:
            conn.execute(update(members).where(members.c.id == member).values(withdrawn_at=at))
            event = {"member_id": member, "at": at, "event": "withdrawn", "by": "zhang", "reason": "", "detail": ""}
            conn.execute(insert(member_events).values(event))
            last = select(member_events.c.id).order_by(member_events.c.id.desc()).limit(1)
            number = conn.execute(last).scalar_one()
            conn.execute(insert(departures).values(event_id=number, kind=kind, left_on=day.isoformat()))

    def come_back(self, member: int) -> None:
        with self._context().write() as conn:
            conn.execute(update(members).where(members.c.id == member).values(withdrawn_at=None))

    def _begin(self, conn: Any) -> None:
        self.begun = True
        conn.execute(insert(units).values(id=1, name="石家庄市总工会", code="130100000000000001"))
        batch = {
            "id": "b",
            "unit_id": 1,
            "stage": "approved",
            "source": "form.xlsx",
            "digest": "d",
            "approved_by": "li",
        }
        conn.execute(insert(batches).values(**batch, imported_by="zhang", imported_at=self._context().clock()))
