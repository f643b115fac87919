"""Ranges of numbers: how full each is, that issued numbers stay, and that no number is given out twice."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import pytest
from sqlalchemy import text

from registry.errors import RegistryConflict
from registry.ranges import RangeKind, RangeUse, SerialRange, member_prefix, member_range
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, approved, prepare, row

_digests = count()


def draft(registry: Registry, numbers: Iterable[int]) -> str:
    digest = f"range-{next(_digests)}"
    rows = [row(number) for number in numbers]
    return registry.rosters.import_roster(UNIT, rows, [], source="f", digest=digest, by="张").id


def set_counter(registry: Registry, name: str, value: int) -> None:
    with registry._context.write() as conn:
        conn.execute(text("DELETE FROM counters WHERE name = :name"), {"name": name})
        conn.execute(text("INSERT INTO counters (name, value) VALUES (:name, :value)"), {"name": name, "value": value})


def numbers_of(registry: Registry, batch: str) -> list[str]:
    return [member.member_number for member in registry.dossiers.to_prepare(batch)]


def approve(registry: Registry, batch: str, **options: str) -> list[str]:
    registry.batches.approve(batch, "李", **options)
    return numbers_of(registry, batch)


@pytest.mark.parametrize(
    ("scheme", "prefix", "capacity"),
    [("130000", "13000", 9_999_999), ("310000", "31000", 9_999_999), ("130100", "130100", 999_999)],
)
def test_a_province_has_room_for_ten_million_members_by_default(scheme: str, prefix: str, capacity: int) -> None:
    """The numbers of a province then stay below those of its first city, those of a city among themselves."""
    assert member_prefix(scheme) == prefix
    assert member_range(scheme) == SerialRange(RangeKind.MEMBER, prefix, capacity)
    assert f"{prefix}{capacity}" < "130100" or scheme != "130000"


def test_numbers_go_on_after_those_of_the_scheme_and_issued_ones_stay(registry: Registry) -> None:
    """A registry of yesterday: its counter is that of the six digits, and its numbers are the first of the range."""
    first = draft(registry, [1, 2])
    set_counter(registry, "member/130000", 999_997)
    assert approve(registry, first, member_prefix="130000") == ["130000999998", "130000999999"]
    assert approve(registry, draft(registry, [3, 4])) == ["130001000000", "130001000001"]
    assert numbers_of(registry, first) == ["130000999998", "130000999999"]
    set_counter(registry, "member/13000", 3_400_000)
    assert approve(registry, draft(registry, [5])) == ["130003400001"]


def test_the_counter_of_the_scheme_counts_where_its_last_number_is_nobodys(registry: Registry) -> None:
    set_counter(registry, "member/130000", 500)
    assert approve(registry, draft(registry, [1])) == ["130000000501"]


@pytest.mark.parametrize(
    ("prefix", "second"), [("13", "130000000002"), ("1300000", "130000000002"), ("13000009", "130000090001")]
)
def test_another_prefix_gives_no_number_twice(registry: Registry, prefix: str, second: str) -> None:
    assert approve(registry, draft(registry, [1]), member_prefix="130000") == ["130000000001"]
    assert approve(registry, draft(registry, [2]), member_prefix=prefix) == [second]
    third = approve(registry, draft(registry, [3]))
    assert third[0] not in ("130000000001", second)


def test_the_last_number_is_given_out_and_none_after_it(registry: Registry) -> None:
    set_counter(registry, "member/13000", 9_999_998)
    assert approve(registry, draft(registry, [1])) == ["130009999999"]
    full = draft(registry, [2, 3])
    with pytest.raises(RegistryConflict, match="under 13000 0 are left and 2 are needed") as refused:
        registry.batches.approve(full, "李")
    assert (refused.value.reason, refused.value.params) == (
        "member-numbers",
        {"prefix": "13000", "left": 0, "needed": 2},
    )
    assert approve(registry, full, member_prefix="1300") == ["130010000000", "130010000001"]


@pytest.mark.parametrize(
    ("used", "needed", "nearly_full", "exceeded"),
    [(0, 79, False, False), (0, 80, True, False), (79, 1, True, False), (90, 10, True, False), (90, 11, True, True)],
)
def test_a_range_warns_from_eighty_percent_on(used: int, needed: int, nearly_full: bool, exceeded: bool) -> None:
    use = RangeUse(RangeKind.CARD, "91561300", 100, used, needed)
    assert (use.nearly_full, use.exceeded) == (nearly_full, exceeded)


def test_what_a_draft_needs_and_what_approved_batches_wait_for(registry: Registry, custody: MemoryCustody) -> None:
    ranges = [member_range("130000"), SerialRange(RangeKind.CARD, "91561300", 1000)]
    first = approved(registry, [row(1), row(2)])
    second = draft(registry, [3, 4, 5])
    uses = registry.batches.range_use(second, ranges, scheme="130000")
    assert [(use.kind, use.used, use.needed) for use in uses] == [(RangeKind.MEMBER, 2, 3), (RangeKind.CARD, 2, 3)]
    registry.cards.allocate_serials("91561300", 2)
    prepare(registry, custody, first)
    uses = registry.batches.range_use(second, ranges, scheme="130000")
    assert [(use.used, use.needed) for use in uses] == [(2, 3), (2, 3)]
    uses = registry.batches.range_use(first, ranges, scheme="130000")
    assert [use.needed for use in uses] == [0, 0]
