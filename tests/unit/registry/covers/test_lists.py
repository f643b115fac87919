"""Lists of changes: drawn up from what is on record, tied to the list before, in force with the second signature."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text

from programme.records.cover_terms import next_list, supplement
from registry.covers.values import Change, ChangeReason, CoverList, CoverListKind, CoverListState, Departure, Uncovered
from registry.db.tables import card_updates
from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.store import Registry
from tests.support.registry.covered import Population, covering_programme, signed_list
from tests.support.registry.registrar import SetClock, audit_entries, carded

PROGRAMME = covering_programme()
NOON = datetime(2026, 1, 1, 4, tzinfo=UTC)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture
def people(registry: Registry) -> Population:
    return Population(registry)


def drawn(registry: Registry, clock: SetClock) -> CoverList:
    """The list that opens the next term."""
    following = next_list(PROGRAMME, "accident", registry.cover_lists.last("accident"), clock.now.date())
    return registry.cover_lists.draw_up(following.terms, by="zhang")


def changes(registry: Registry, clock: SetClock) -> CoverList:
    """A supplement to the term that runs."""
    terms = supplement(PROGRAMME, "accident", registry.cover_lists.last("accident"), clock.now.date())
    return registry.cover_lists.draw_up(terms, by="zhang")


def reasons(registry: Registry, number: int) -> dict[tuple[Change, ChangeReason], int]:
    return {(one.change, one.reason): one.count for one in registry.cover_lists.reasons(number)}


def wanted(registry: Registry) -> dict[str, tuple[str, bytes, str, str | None]]:
    """What is wanted of each card that is not withdrawn."""
    with registry.updates._context.read() as conn:
        rows = conn.execute(select(card_updates).where(card_updates.c.state != "withdrawn"))
        return {row.card_number: (row.state, bytes(row.value), row.wanted_by, row.consented_by) for row in rows}


def test_who_has_a_card_is_covered_with_the_second_signature(
    registry: Registry, people: Population, clock: SetClock
) -> None:
    holder, without = people.holder(), people.member()
    retired, gone = people.holder(category=1), people.holder()
    people.leave(gone, "moved", NOON.date())
    first = drawn(registry, clock)
    assert (first.before, first.added, first.leaving, first.covered) == (0, 1, 0, 1)
    assert (first.kind, first.number, first.term_first, first.term_last, first.effective) == (
        CoverListKind.OPENING,
        1,
        date(2026, 1, 1),
        date(2026, 12, 31),
        date(2026, 1, 1),
    )
    (entry,) = registry.cover_lists.entries(first.id).items
    assert (entry.member_id, entry.change, entry.reason) == (holder, Change.ADDED, ChangeReason.NEW)
    assert registry.member_covers.on("accident", holder, NOON.date()).uncovered is Uncovered.NO_TERM
    first = registry.cover_lists.sign(first.id, first.digest, by="zhang")
    assert (first.state, wanted(registry)) == (CoverListState.SIGNED, {})
    with pytest.raises(RegistryConflict, match="two people"):
        registry.cover_lists.sign(first.id, first.digest, by="Zhang")
    first = registry.cover_lists.sign(first.id, first.digest, by="li")
    assert (first.state, first.signed_by, first.released_by) == (CoverListState.RELEASED, "zhang", "li")
    assert wanted(registry) == {"6212260000000001": ("pending", bytes.fromhex("261231"), "zhang", "li")}
    on = {member: registry.member_covers.on("accident", member, date(2026, 12, 31)) for member in (holder, without)}
    assert (on[holder].list_id, on[holder].uncovered) == (first.id, None)
    assert on[without].uncovered is Uncovered.NOT_LISTED
    for member in (retired, gone):
        assert registry.member_covers.spans("accident", member) == []
    assert [action[0] for action in audit_entries(registry, "cover-list.release")] == ["li"]


def test_the_next_list_says_who_leaves_and_why(registry: Registry, people: Population, clock: SetClock) -> None:
    stays, died, moved, withdrew, retired, promoted, lost, replacing, ended = (people.holder() for _ in range(9))
    signed_list(registry, drawn(registry, clock))
    clock.now = datetime(2026, 12, 17, 4, tzinfo=UTC)
    people.leave(died, "died", date(2026, 6, 1))
    people.leave(moved, "moved", date(2026, 6, 2))
    people.leave(withdrew, "withdrew", date(2026, 6, 3))
    people.recategorize(retired, 1)
    people.recategorize(promoted, 3)
    for member in (lost, replacing):
        people.end_card(member)
    people.card(replacing)
    people.end_card(ended, "damaged")
    new = people.holder()
    second = drawn(registry, clock)
    assert (second.before, second.added, second.leaving, second.covered) == (9, 1, 6, 4)
    assert reasons(registry, second.id) == {
        (Change.ADDED, ChangeReason.NEW): 1,
        (Change.LEFT, ChangeReason.DIED): 1,
        (Change.LEFT, ChangeReason.MOVED): 1,
        (Change.LEFT, ChangeReason.WITHDREW): 1,
        (Change.LEFT, ChangeReason.RETIRED): 1,
        (Change.LEFT, ChangeReason.CARD_LOST): 1,
        (Change.LEFT, ChangeReason.CARD_ENDED): 1,
    }
    signed_list(registry, second)
    days = [(one.first, one.last) for one in registry.member_covers.spans("accident", stays)]
    assert days == [(date(2026, 1, 1), date(2026, 12, 31)), (date(2027, 1, 1), date(2027, 12, 31))]
    assert [one.last for one in registry.member_covers.spans("accident", died)] == [date(2026, 6, 1)]
    assert [one.last for one in registry.member_covers.spans("accident", moved)] == [date(2026, 12, 31)]
    assert [one.first for one in registry.member_covers.spans("accident", new)] == [date(2027, 1, 1)]
    after = registry.member_covers.on("accident", lost, date(2027, 1, 1))
    assert (after.uncovered, after.reason) == (Uncovered.LEFT, ChangeReason.CARD_LOST)
    assert registry.member_covers.on("accident", died, date(2026, 6, 2)).uncovered is Uncovered.DIED
    ends = {value for state, value, _, _ in wanted(registry).values() if state == "pending"}
    assert ends == {bytes.fromhex("271231"), bytes.fromhex("261231")}
    assert wanted(registry)["6212260000000001"][1] == bytes.fromhex("271231")


def test_a_lost_card_that_is_being_replaced_keeps_its_member_in(
    registry: Registry, people: Population, clock: SetClock
) -> None:
    member = people.holder()
    signed_list(registry, drawn(registry, clock))
    people.end_card(member)
    with registry.members._context.write() as conn:
        conn.execute(
            text(
                "INSERT INTO roster_rows (batch_id, sheet_row, verdict, codes, member_id, open, sealed, seal_key) "
                "VALUES ('b', 1, 'accepted', '', :member, :open, :sealed, 'seal/1')"
            ),
            {"member": member, "open": True, "sealed": b""},
        )
    clock.now = datetime(2026, 12, 20, 4, tzinfo=UTC)
    second = drawn(registry, clock)
    assert (second.before, second.leaving, second.covered) == (1, 0, 1)


def test_a_supplement_changes_the_term_that_runs_from_tomorrow_on(
    registry: Registry, people: Population, clock: SetClock
) -> None:
    stays, leaves = people.holder(), people.holder()
    with pytest.raises(RegistryConflict, match="no list opened the term"):
        changes(registry, clock)
    signed_list(registry, drawn(registry, clock))
    with pytest.raises(RegistryConflict, match="nothing has changed"):
        changes(registry, clock)
    clock.now = datetime(2026, 3, 31, 4, tzinfo=UTC)
    people.leave(leaves, "withdrew", clock.now.date())
    new = people.holder()
    more = changes(registry, clock)
    assert (more.kind, more.effective, more.before, more.added, more.leaving, more.covered) == (
        CoverListKind.SUPPLEMENT,
        date(2026, 4, 1),
        2,
        1,
        1,
        2,
    )
    signed_list(registry, more)
    spans = {one: registry.member_covers.spans("accident", one) for one in (stays, leaves, new)}
    assert [(one.first, one.last) for one in spans[stays]] == [(date(2026, 1, 1), date(2026, 12, 31))]
    assert [(one.first, one.last) for one in spans[leaves]] == [(date(2026, 1, 1), date(2026, 3, 31))]
    assert [(one.first, one.last) for one in spans[new]] == [(date(2026, 4, 1), date(2026, 12, 31))]
    assert [one.list_id for one in spans[new]] == [more.id]


def test_who_comes_back_is_covered_again(registry: Registry, people: Population, clock: SetClock) -> None:
    member = people.holder()
    signed_list(registry, drawn(registry, clock))
    people.leave(member, "moved", NOON.date())
    clock.forward(timedelta(days=30))
    signed_list(registry, changes(registry, clock))
    people.come_back(member)
    people.card(member)
    clock.forward(timedelta(days=30))
    third = signed_list(registry, changes(registry, clock))
    assert reasons(registry, third.id) == {(Change.ADDED, ChangeReason.AGAIN): 1}
    spans = [(one.first, one.last) for one in registry.member_covers.spans("accident", member)]
    assert spans == [(date(2026, 1, 1), date(2026, 1, 31)), (date(2026, 3, 3), date(2026, 12, 31))]


def test_one_list_of_a_cover_is_open_at_a_time_and_a_term_opens_once(
    registry: Registry, people: Population, clock: SetClock
) -> None:
    people.holder()
    first = drawn(registry, clock)
    with pytest.raises(RegistryConflict, match="is not signed yet") as refused:
        drawn(registry, clock)
    assert refused.value.params["number"] == first.id
    registry.cover_lists.discard(first.id, by="li", reason="zu früh")
    with pytest.raises(RegistryConflict, match="is discarded"):
        registry.cover_lists.sign(first.id, first.digest, by="li")
    terms = next_list(PROGRAMME, "accident", None, NOON.date()).terms
    again = signed_list(registry, registry.cover_lists.draw_up(terms, by="zhang"))
    with pytest.raises(RegistryConflict, match=f"list {again.id} opened the term"):
        registry.cover_lists.draw_up(terms, by="zhang")
    for number, do in (
        (again.id, lambda: registry.cover_lists.discard(again.id, by="li", reason="x")),
        (again.id, lambda: registry.cover_lists.sign(again.id, again.digest, by="wang")),
    ):
        with pytest.raises(RegistryConflict, match=f"cover list {number} is released"):
            do()


def test_a_term_that_begins_before_the_last_one_ends_is_refused(
    registry: Registry, people: Population, clock: SetClock
) -> None:
    people.holder()
    last = signed_list(registry, drawn(registry, clock))
    shorter = covering_programme("months: 7")
    clock.now = datetime(2026, 12, 20, 4, tzinfo=UTC)
    terms = next_list(shorter, "accident", last, clock.now.date()).terms
    assert terms.first == date(2026, 8, 1)
    with pytest.raises(RegistryConflict, match="before the last one ends on 2026-12-31") as refused:
        registry.cover_lists.draw_up(terms, by="zhang")
    assert refused.value.reason == "cover-overlap"


def test_a_list_is_signed_as_it_was_read_and_sent_once_it_is_signed(
    registry: Registry, people: Population, clock: SetClock
) -> None:
    people.holder()
    first = drawn(registry, clock)
    with pytest.raises(RegistryConflict, match="is not the one that was read"):
        registry.cover_lists.sign(first.id, "0" * 64, by="li")
    for refused in (
        lambda: registry.cover_lists.send(first.id, by="li", reason="Bote"),
        lambda: registry.cover_lists.opened(first.id, by="li"),
    ):
        with pytest.raises(RegistryConflict, match="once two people have signed it"):
            refused()
    signed_list(registry, first)
    (entry,) = registry.cover_lists.opened(first.id, by="li")
    assert entry.person is not None
    assert entry.person.id_number == "130102198001010001"
    assert "130102198001010001" not in repr(entry)
    assert len(audit_entries(registry, "cover-list.file")) == 1
    sent = registry.cover_lists.send(first.id, by="li", reason="Bote")
    assert (sent.state, sent.sent_by, sent.reason) == (CoverListState.SENT, "li", "Bote")
    assert registry.cover_lists.send(first.id, by="wang", reason="again") == sent
    with pytest.raises(NotOnRecord, match="no cover list 99"):
        registry.cover_lists.cover_list(99)


def test_rights_of_two_people_are_ordered_by_the_two_who_sign(
    registry: Registry, people: Population, clock: SetClock
) -> None:
    people.holder()
    registry.rights.put(True, by="wang", reason="Vorschrift")
    signed_list(registry, drawn(registry, clock))
    assert wanted(registry)["6212260000000001"][2:] == ("zhang", "li")


def test_the_database_keeps_lists_entries_and_holders(registry: Registry, people: Population, clock: SetClock) -> None:
    people.holder()
    signed_list(registry, drawn(registry, clock))
    for statement in (
        "UPDATE cover_lists SET covered = 5, added = 5",
        "UPDATE cover_lists SET state = 'drafted', released_at = NULL, released_by = NULL",
        "UPDATE cover_lists SET effective = '2026-02-01'",
        "DELETE FROM cover_lists",
        "UPDATE cover_entries SET reason = 'again'",
        "DELETE FROM cover_entries",
        "UPDATE cover_holders SET entered_list = 2",
        "DELETE FROM cover_holders",
        "INSERT INTO cover_holders (cover, member_id, entered_list) VALUES ('accident', 1, 1)",
    ):
        with pytest.raises(RegistryError), registry.members._context.write() as conn:
            conn.execute(text(statement))
    assert registry.member_covers.on("accident", 1, NOON.date()).list_id == 1


def test_a_member_who_leaves_has_a_reason_and_a_day(registry: Registry, custody: object, clock: SetClock) -> None:
    (card,) = carded(registry, custody)  # type: ignore[arg-type]
    with pytest.raises(RegistryConflict, match="a day to come"):
        registry.members.withdraw(card.member_id, by="li", reason="x", left_on=date(2026, 1, 2))
    gone = registry.members.withdraw(
        card.member_id, by="li", reason="讣告", because=Departure.DIED, left_on=date(2025, 12, 30)
    )
    assert gone.withdrawn_at == NOON
    with registry.members._context.read() as conn:
        assert conn.execute(text("SELECT kind, left_on FROM departures")).all() == [("died", "2025-12-30")]
