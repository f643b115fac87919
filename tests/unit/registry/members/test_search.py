"""The search for members by what people have at hand: a surname, a part of a number, a part of the unit's name."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, text

from registry.db.database import Database
from registry.migrations import migrate
from registry.store import Registry
from registry.surnames import surname
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, approved, carded, prepare, row

COLLEGE = "石家庄铁道大学工会"
PEOPLE = [
    row(1, name="张三", mobile="13900001234"),
    row(2, name="欧阳建国", mobile="13800005678"),
    row(3, name="欧小明", mobile="13700009999"),
    row(4, name="买买提·艾力", mobile="13600001234", unit=f"{COLLEGE} / 后勤处"),
    row(5, name="SMITH JOHN", mobile="13500000000", unit=f"{COLLEGE} / 100%图书馆"),
]


@pytest.fixture
def filled(registry: Registry, custody: MemoryCustody) -> Registry:
    prepare(registry, custody, approved(registry, PEOPLE))
    return registry


def ids(registry: Registry, query: str) -> list[int]:
    return [member.member_id for member in registry.members.find(query).items]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("张", [1]),
        ("欧", [2, 3]),
        ("欧阳", [2]),
        ("买买提", [4]),
        ("smith", [5]),
        ("王", []),
        ("张*", [1]),
        ("欧***", [2]),
        ("13800005678", [2]),
        ("+86 138-0000-5678", [2]),
        ("8613800005678", [2]),
        ("008613800005678", [2]),
        ("1234", [1, 4]),
        ("*******1234", [1, 4]),
        ("139****1234", [1, 4]),  # the beginning is sealed: whose end it is
        ("138****5678", [2]),
        ("138*5678", [2]),
        ("138…5678", [2]),
        ("138xxxx5678", [2]),
        ("138 ×××× 5678", [2]),
        ("+86 138****5678", [2]),
        ("0086138****5678", [2]),
        ("138*****678", [2]),
        ("138000*5678", [2]),
        ("138****5670", []),
        ("999999****5678", []),
        ("130102********0003", [3]),
        ("130102xxxxxxxx0003", [3]),
        ("130102********0009", []),
        ("138****0003", []),  # the end of an ID number
        ("5678", [2]),
        ("0003", [3]),
        ("铁道大学", [4, 5]),
        ("后勤", [4]),
        ("100%", [5]),
        ("10_%", []),
        ("13800005679", []),
    ],
)
def test_members_are_searched_by_what_people_have_at_hand(filled: Registry, query: str, wanted: list[int]) -> None:
    assert ids(filled, query) == wanted


def test_a_card_is_searched_as_it_is_shown(filled: Registry) -> None:
    batch = filled.batches.all()[0]
    number = filled.dossiers.waiting_cards(batch.id)[1]
    for query in (
        f"{number}-1",
        f"{number[:6]}…{number[-4:]}",
        f"{number[:6]} **** {number[-4:]}-1",
        f"…{number[-6:]}",
    ):
        assert 2 in ids(filled, query), query
    assert ids(filled, f"{number}-1") == ids(filled, f"…{number[-8:]}") == [2]
    assert ids(filled, f"999999…{number[-4:]}") == []


def test_members_are_filtered_by_a_part_of_the_unit_and_by_what_their_badge_says(
    registry: Registry, custody: MemoryCustody
) -> None:
    carded(registry, custody)
    registry.members.withdraw(1, by="王", reason="退休")
    approved(registry, PEOPLE[2:4], "d2")
    assert [one.member_id for one in registry.members.page(only="withdrawn").items] == [1]
    assert [one.member_id for one in registry.members.page(only="no card").items] == [2, 3]
    assert [one.member_id for one in registry.members.page(unit_part="铁道").items] == [3]
    assert [one.member_id for one in registry.cards.page(unit_part=UNIT[:4]).items] == [1]
    assert registry.cards.page(unit_part="铁道").items == ()
    assert registry.members.units_with("铁道") == [COLLEGE, f"{COLLEGE} / 后勤处"]
    assert registry.members.units_with("%") == []


def test_a_changed_name_and_number_is_searched_as_changed(filled: Registry) -> None:
    batch = filled.batches.all()[0].id
    filled.batches.discard(batch, "王", reason="重来")
    again = filled.rosters.import_roster(
        UNIT, [row(1, name="李四", mobile="13300000000")], [], source="f", digest="x", by="张"
    )
    filled.batches.approve(again.id, "李")
    assert ids(filled, "李") == ids(filled, "13300000000")
    assert ids(filled, "张") == ids(filled, "13900001234") == []


def test_a_registry_of_before_is_searched_by_surname_and_mobile_number(url: str, custody: MemoryCustody) -> None:
    with Registry.open(url, custody) as registry:
        approved(registry, PEOPLE)
    database = Database(url)
    migrate.downgrade(database, "0007")
    assert "surname_index" not in {one["name"] for one in inspect(database.engine).get_columns("members")}
    database.close()
    with Registry.open(url, custody) as registry:
        assert (ids(registry, "欧阳"), ids(registry, "13800005678")) == ([2], [2])


def test_nothing_that_is_stored_says_a_surname_of_two_characters_or_a_mobile_number(filled: Registry) -> None:
    with filled._context.read() as conn:
        stored = conn.execute(text("SELECT surname_index, mobile_index FROM members ORDER BY id")).all()
    digests = [bytes(value) for one in stored for value in one]
    assert {len(value) for value in digests} == {32}
    assert len(set(digests)) == len(digests), "nobody's surname is another's number"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("张三", "张"),
        ("欧阳娜娜", "欧阳"),
        ("欧阳", "欧"),
        ("诸葛亮", "诸葛"),
        ("张 三", "张"),
        ("爱新觉罗溥仪", "爱新觉罗"),
        ("买买提·艾力", "买买提"),
        ("John Smith", "john"),
        ("Ｌｉ Na", "li"),
        ("𠮷田", "𠮷"),
        ("", ""),
    ],
)
def test_surnames(name: str, wanted: str) -> None:
    assert surname(name) == wanted
