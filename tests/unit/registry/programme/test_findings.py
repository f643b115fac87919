"""The work list of findings: open ones are decided once, by a person with a reason."""

from __future__ import annotations

import pytest

from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from terminal.member.journal_rows import RowKind
from tests.support.registry.redeemed import Till, park
from tests.support.registry.registrar import audit_entries


@pytest.fixture
def numbers(registry: Registry) -> list[int]:
    """Four findings of one journal: three cuts and an acknowledgement."""
    east, _ = park(registry)
    till = Till()
    for _ in range(3):
        till.add(RowKind.CUT, bytes=7)
    till.add(RowKind.ACKNOWLEDGED, by="王芳", reason="the disk was replaced")
    registry.booking.book(east, till.upload(), lambda evidence: True, by="till")
    return [one.id for one in registry.findings.page().items]


def test_open_findings_come_in_pages_the_oldest_first(registry: Registry, numbers: list[int]) -> None:
    first = registry.findings.page(limit=3)
    assert [one.id for one in first.items] == numbers[:3]
    assert [one.id for one in registry.findings.page(first.next, 3).items] == numbers[3:]
    assert [one.id for one in registry.findings.page(kind="journal-cut").items] == numbers[:3]
    assert registry.findings.page(outlet=99).items == ()


def test_a_finding_is_decided_once(registry: Registry, numbers: list[int]) -> None:
    closed = registry.findings.close(numbers[0], "accepted", by="li", reason="a power cut; ring 13931177777")
    assert (closed.decision, closed.closed_by, closed.reason) == ("accepted", "li", "a power cut; ring ****7777")
    assert closed.closed_at is not None
    assert registry.findings.finding(numbers[0]) == closed
    assert [one.id for one in registry.findings.page().items] == numbers[1:]
    assert registry.findings.page(closed=True).items == (closed,)
    with pytest.raises(RegistryConflict) as twice:
        registry.findings.close(numbers[0], "refused", by="wang", reason="no")
    assert twice.value.reason == "finding-closed"
    subject = f"finding:{numbers[0]}"
    assert audit_entries(registry, "finding.close") == [("li", subject, "a power cut; ring ****7777")]


def test_a_decision_needs_a_reason_and_one_of_two_words(registry: Registry, numbers: list[int]) -> None:
    with pytest.raises(RegistryConflict) as wordless:
        registry.findings.close(numbers[0], "accepted", by="li", reason=" ")
    with pytest.raises(RegistryConflict) as other:
        registry.findings.close(numbers[0], "resolved", by="li", reason="it is")
    assert (wordless.value.reason, other.value.reason) == ("reason-missing", "finding-decision")
    with pytest.raises(NotOnRecord, match="there is no finding 999"):
        registry.findings.close(999, "accepted", by="li", reason="x")


@pytest.fixture
def held(registry: Registry) -> int:
    """A finding that holds: a row without evidence."""
    east, _ = park(registry)
    till = Till()
    till.add(RowKind.REDEEMED, card="6212260000000000012", sequence=1)
    registry.booking.book(east, till.upload(), lambda evidence: True, by="till")
    (finding,) = registry.findings.page().items
    assert finding.holds
    return finding.id


def test_a_finding_that_holds_is_accepted_by_two_people(registry: Registry, held: int) -> None:
    first = registry.findings.close(held, "accepted", by="li", reason="looked at")
    assert (first.decision, first.closed_at, first.first_by, first.first_reason) == (None, None, "li", "looked at")
    assert registry.findings.page(half=True).items == (first,)
    with pytest.raises(RegistryConflict) as own:
        registry.findings.close(held, "accepted", by="li (command line)", reason="again")
    assert own.value.reason == "own-work"
    closed = registry.findings.close(held, "accepted", by="wang", reason="looked too")
    assert (closed.decision, closed.closed_by, closed.first_by) == ("accepted", "wang", "li")
    assert registry.findings.page(half=True).items == ()
    assert [entry[0] for entry in audit_entries(registry, "finding.accept")] == ["li"]


def test_a_finding_that_holds_is_refused_by_one_person_also_after_another_accepted_it(
    registry: Registry, held: int
) -> None:
    registry.findings.close(held, "accepted", by="li", reason="looked at")
    closed = registry.findings.close(held, "refused", by="wang", reason="no such card")
    assert (closed.decision, closed.closed_by) == ("refused", "wang")
