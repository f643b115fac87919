"""Lists of changes (增减): drawn up from what is on record, signed by two people, sent to the insurer.

States: ``drafted -> signed -> released -> sent``, and ``discarded`` before it is released. With the second signature
the changes hold: who is added is covered from the day on which the list takes effect, who left is not. The totals of a
list tie to those of the list before it, and the database refuses one whose totals do not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from registry.batches.persons import open_person
from registry.covers.drawing import carry_out, count_entries, covered_now, order_on_chips, write_entries
from registry.covers.values import (
    Change,
    ChangeReason,
    CoverEntry,
    CoverList,
    CoverListKind,
    CoverListState,
    CoverTerms,
    ReasonCount,
)
from registry.db.actors import refuse_same_person
from registry.db.audit_chain import Fact
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import cover_entries, cover_lists, members, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.rights import rights_by_two

_L: Final = cover_lists.c
_E: Final = cover_entries.c
_OPEN: Final = (CoverListState.DRAFTED.value, CoverListState.SIGNED.value)
_IN_FORCE: Final = (CoverListState.RELEASED.value, CoverListState.SENT.value)
_PIECE: Final = 500


class CoverLists:
    """Repository of lists of changes."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def draw_up(self, terms: CoverTerms, *, by: str) -> CoverList:
        """Draw up the list that opens a term, or a supplement to one that runs, from who is entitled now.

        Raises RegistryConflict while another list of the cover is not signed (``cover-list-open``), for a term that was
        opened before (``cover-term-open``), one that begins before the last one ends (``cover-overlap``), a supplement
        to a term that no list opened (``cover-no-term``), and one that changes nothing (``cover-nothing``).
        """
        with self._context.write() as conn:
            if (open_list := conn.execute(_of(terms.cover, _OPEN)).first()) is not None:
                sentence = f"list {open_list.id} of cover {terms.cover} is not signed yet: sign or discard it first"
                raise RegistryConflict(sentence, reason="cover-list-open", number=open_list.id, cover=terms.cover)
            last = conn.execute(_of(terms.cover, _IN_FORCE).order_by(_L.id.desc()).limit(1)).one_or_none()
            self._refuse_unfit(terms, last)
            before = covered_now(conn, terms.cover)
            row = self._values(terms, before, by)
            number: int = conn.execute(insert(cover_lists).values(row).returning(_L.id)).scalar_one()
            write_entries(conn, number, terms)
            added, leaving, digest = count_entries(conn, number)
            if terms.kind is CoverListKind.SUPPLEMENT and not added + leaving:
                sentence = f"nothing has changed in cover {terms.cover}: there is no supplement to draw up"
                raise RegistryConflict(sentence, reason="cover-nothing", cover=terms.cover)
            sums = {"added": added, "leaving": leaving, "covered": before + added - leaving}
            counted = update(cover_lists).where(_L.id == number)
            conn.execute(counted.values(**sums, digest=digest, state=CoverListState.DRAFTED.value))
            facts: dict[str, Fact] = {"cover": terms.cover, "digest": digest, **sums}
            self._context.audit(conn, by, "cover-list.draw-up", f"cover-list:{number}", "", **facts)
            return cover_list_of(_on_record(conn, number))

    def sign(self, number: int, digest: str, *, by: str) -> CoverList:
        """Sign a list with this digest. The second signature, of another person, releases it: its changes hold, and the
        last day of the cover is ordered on chips.

        Raises NotOnRecord, RegistryConflict for another digest, for a list that is released or discarded, and for the
        person who has signed before.
        """
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.digest != digest:
                sentence = f"cover list {number} is not the one that was read: its digest is {row.digest[:8]}"
                raise RegistryConflict(sentence, reason="cover-other-digest", number=number)
            now, chips = self._context.clock(), None
            if row.state == CoverListState.DRAFTED:
                values = {"state": CoverListState.SIGNED.value, "signed_at": now, "signed_by": by}
                action = "cover-list.sign"
            elif row.state == CoverListState.SIGNED:
                sentence = f"cover list {number} needs the signatures of two people"
                refuse_same_person(conn, row.signed_by, by, sentence, number=number)
                values = {"state": CoverListState.RELEASED.value, "released_at": now, "released_by": by}
                action = "cover-list.release"
                chips = self._release(conn, row, by)
            else:
                sentence = f"cover list {number} is {row.state}: there is nothing to sign"
                raise RegistryConflict(sentence, reason="cover-list-ended", number=number, state=row.state)
            conn.execute(update(cover_lists).where(_L.id == number).values(values))
            self._context.audit(conn, by, action, f"cover-list:{number}", "", digest=digest, chips=chips)
            return cover_list_of(_on_record(conn, number))

    def send(self, number: int, *, by: str, reason: str) -> CoverList:
        """Note that a released list was handed to the insurer; ``reason`` says how and to whom. Noted again it stays as
        it is. Raises NotOnRecord, RegistryConflict for a list without two signatures."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.state == CoverListState.SENT:
                return cover_list_of(row)
            if row.state != CoverListState.RELEASED:
                raise _not_released(number, row.state)
            values = {
                "state": CoverListState.SENT.value,
                "sent_at": self._context.clock(),
                "sent_by": by,
                "reason": why,
            }
            conn.execute(update(cover_lists).where(_L.id == number).values(values))
            self._context.audit(conn, by, "cover-list.send", f"cover-list:{number}", why)
            return cover_list_of(_on_record(conn, number))

    def discard(self, number: int, *, by: str, reason: str) -> CoverList:
        """Give up a list that is not released; another may be drawn up. Raises NotOnRecord, RegistryConflict."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.state not in _OPEN:
                sentence = f"cover list {number} is {row.state}: it is not discarded any more"
                raise RegistryConflict(sentence, reason="cover-list-ended", number=number, state=row.state)
            ended = {"discarded_at": self._context.clock(), "discarded_by": by, "reason": why}
            conn.execute(
                update(cover_lists).where(_L.id == number).values(state=CoverListState.DISCARDED.value, **ended)
            )
            self._context.audit(conn, by, "cover-list.discard", f"cover-list:{number}", why)
            return cover_list_of(_on_record(conn, number))

    def cover_list(self, number: int) -> CoverList:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return cover_list_of(_on_record(conn, number))

    def last(self, cover: str) -> CoverList | None:
        """The newest list of a cover that was not discarded."""
        chosen = _of(cover, (*_OPEN, *_IN_FORCE)).order_by(_L.id.desc()).limit(1)
        with self._context.read() as conn:
            row = conn.execute(chosen).one_or_none()
            return None if row is None else cover_list_of(row)

    def page(self, cursor: str | None = None, limit: int = 50, *, cover: str | None = None) -> Page[CoverList]:
        """Lists, the newest first. Raises BadCursor."""
        chosen = select(cover_lists).order_by(_L.id.desc()).limit(cut(limit) + 1)
        if cover is not None:
            chosen = chosen.where(_L.cover == cover)
        if cursor is not None:
            chosen = chosen.where(_L.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, cover_list_of, lambda row: [row.id])

    def reasons(self, number: int) -> list[ReasonCount]:
        """How many entries of a list have each reason. Raises NotOnRecord."""
        counted = select(_E.change, _E.reason, func.count()).where(_E.list_id == number)
        with self._context.read() as conn:
            _on_record(conn, number)
            rows = conn.execute(counted.group_by(_E.change, _E.reason).order_by(_E.change, _E.reason))
            return [ReasonCount(Change(change), ChangeReason(reason), count) for change, reason, count in rows]

    def entries(
        self, number: int, cursor: str | None = None, limit: int = 100, *, change: Change | None = None
    ) -> Page[CoverEntry]:
        """Entries of a list with masked data, in the order of the members. Raises NotOnRecord, BadCursor."""
        after = 0 if cursor is None else read_cursor(cursor, int)[0]
        chosen = _entries(number).where(_E.member_id > after).limit(cut(limit) + 1)
        if change is not None:
            chosen = chosen.where(_E.change == change.value)
        with self._context.read() as conn:
            _on_record(conn, number)
            return page_of(conn.execute(chosen).all(), limit, _entry, lambda row: [row.member_id])

    def opened(self, number: int, *, by: str) -> Iterator[CoverEntry]:
        """The entries of a list with names and identity numbers in clear, for the insurer; audited before the first.

        Raises NotOnRecord, RegistryConflict for a list without two signatures.
        """
        with self._context.write() as conn:
            row = _on_record(conn, number)
            if row.state not in _IN_FORCE:
                raise _not_released(number, row.state)
            self._context.audit(conn, by, "cover-list.file", f"cover-list:{number}", "", rows=row.added + row.leaving)
        return self._pieces(number)

    def _pieces(self, number: int) -> Iterator[CoverEntry]:
        after = 0
        while True:
            chosen = _entries(number).where(_E.member_id > after).limit(_PIECE)
            with self._context.read() as conn:
                rows = conn.execute(chosen).all()
            if not rows:
                return
            for row in rows:
                yield _entry(row, open_person(self._context.personal, row))
            after = rows[-1].member_id

    def _values(self, terms: CoverTerms, before: int, by: str) -> dict[str, Any]:
        return {
            "cover": terms.cover,
            "kind": terms.kind.value,
            "number": terms.number,
            "term_first": terms.first.isoformat(),
            "term_last": terms.last.isoformat(),
            "effective": terms.effective.isoformat(),
            "at": self._context.clock(),
            "by": by,
            "rules": json.dumps(terms.rules, sort_keys=True, ensure_ascii=False),
            "state": CoverListState.DRAFTING.value,
            "before": before,
            "added": 0,
            "leaving": 0,
            "covered": before,
            "digest": "",
            "chip_value": terms.chip_value,
            "reason": "",
        }

    def _refuse_unfit(self, terms: CoverTerms, last: Row[Any] | None) -> None:
        if terms.kind is CoverListKind.SUPPLEMENT:
            if last is None or (last.term_first, last.term_last) != (terms.first.isoformat(), terms.last.isoformat()):
                sentence = f"no list opened the term of cover {terms.cover} that begins on {terms.first}"
                raise RegistryConflict(sentence, reason="cover-no-term", cover=terms.cover, first=str(terms.first))
            if terms.effective < date.fromisoformat(last.effective):
                sentence = f"list {last.id} of cover {terms.cover} takes effect on {last.effective}, which is later"
                raise RegistryConflict(sentence, reason="cover-earlier", number=last.id, effective=last.effective)
            return
        if last is None:
            return
        if last.term_first == terms.first.isoformat():
            sentence = f"list {last.id} opened the term of cover {terms.cover} that begins on {terms.first}"
            raise RegistryConflict(sentence, reason="cover-term-open", number=last.id, first=str(terms.first))
        if terms.first <= date.fromisoformat(last.term_last):
            sentence = (
                f"a term of cover {terms.cover} would begin on {terms.first}, before the last one ends on "
                f"{last.term_last}: nobody is covered twice"
            )
            raise RegistryConflict(sentence, reason="cover-overlap", first=str(terms.first), last=last.term_last)

    def _release(self, conn: Connection, row: Row[Any], by: str) -> int | None:
        """The changes hold; gives how many chips are to have the last day of the cover, None where none have it."""
        carry_out(conn, row.cover, row.id)
        if (covered := covered_now(conn, row.cover)) != row.covered:
            sentence = (
                f"cover list {row.id} comes to {row.covered} members, and {covered} would be covered: discard it and "
                "draw it up again"
            )
            raise RegistryConflict(sentence, reason="cover-totals", number=row.id, covered=covered)
        if row.chip_value is None:
            return None
        ended = {"ended_at": self._context.clock(), "ended_by": by, "place": ""}
        opening, two = row.kind == CoverListKind.OPENING, rights_by_two(conn)
        return order_on_chips(conn, row, opening=opening, two_people=two, ended=ended, second=by)


def cover_list_of(row: Row[Any]) -> CoverList:
    """The value of a row of ``cover_lists``."""
    fields = {name: getattr(row, name) for name in CoverList.__slots__}
    days = {name: date.fromisoformat(fields[name]) for name in ("term_first", "term_last", "effective")}
    read = {"kind": CoverListKind(row.kind), "state": CoverListState(row.state), "rules": json.loads(row.rules)}
    return CoverList(**{**fields, **days, **read})


def _of(cover: str, states: tuple[str, ...]) -> Select[Any]:
    return select(cover_lists).where(_L.cover == cover, _L.state.in_(states))


def _entries(number: int) -> Select[Any]:
    names = (members.c.member_number, members.c.name_masked, members.c.id_masked, members.c.id)
    chosen = select(cover_entries, *names, members.c.sealed, members.c.seal_key, units.c.name.label("unit"))
    chosen = chosen.join_from(cover_entries, members, members.c.id == _E.member_id)
    return chosen.join(units, units.c.id == members.c.unit_id).where(_E.list_id == number).order_by(_E.member_id)


def _entry(row: Row[Any], person: Any = None) -> CoverEntry:
    return CoverEntry(
        row.member_id,
        row.member_number,
        row.name_masked,
        row.id_masked,
        row.unit,
        Change(row.change),
        ChangeReason(row.reason),
        row.card_number,
        person,
    )


def _on_record(conn: Connection, number: int, *, lock: bool = False) -> Row[Any]:
    chosen = select(cover_lists).where(_L.id == number)
    row = conn.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no cover list {number}", reason="cover-list", number=number)
    return row


def _not_released(number: int, state: str) -> RegistryConflict:
    sentence = f"cover list {number} is {state}: it goes to the insurer once two people have signed it"
    return RegistryConflict(sentence, reason="cover-not-released", number=number, state=state)
