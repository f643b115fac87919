"""A person prints masked, and is sealed by field name; rows sealed by position still open."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Table

from registry.db.tables import members, roster_rows
from registry.person import Person, sex_of
from registry.store import Registry
from registry.values import RejectedRow
from terminal.keys.memory import MemoryCustody
from terminal.member.values import IdType, Sex
from tests.support.registry.registrar import UNIT, approved, row, rows

PERSON = Person("130102198001017774", "司马相如", Sex.MALE, "13931177777")


def test_a_person_prints_masked() -> None:
    assert f"{PERSON} {PERSON!r}" == " ".join(["<Person 司*** **************7774>"] * 2)
    assert (PERSON.name_masked, PERSON.mobile_masked) == ("司***", "*******7777")


def test_a_person_is_sealed_by_field_name() -> None:
    assert PERSON.to_fields() == {
        "id_number": "130102198001017774",
        "name": "司马相如",
        "sex": 1,
        "mobile": "13931177777",
        "document_type": 0,
    }
    passport = Person("E12345678", "王", Sex.FEMALE, "13900000000", IdType.PASSPORT)
    for person in (PERSON, passport):
        stored = json.loads(json.dumps(person.to_fields() | {"a later program's field": 1}))
        assert Person.from_fields(stored) == person


def test_a_person_that_was_sealed_by_position() -> None:
    fields = {"id_number": "130102198001017774", "name": "司马相如", "gender": "男", "mobile": "13931177777"}
    assert Person.from_fields(fields) == PERSON
    assert Person.from_fields(fields | {"gender": "女"}).gender == "女"


def test_the_spellings_of_a_sex() -> None:
    assert [sex_of(person.gender) for person in (PERSON, row(1).person)] == [Sex.MALE, Sex.FEMALE]
    with pytest.raises(KeyError):
        sex_of("M")


def seal_by_position(registry: Registry, custody: MemoryCustody, table: Table, key: str, payload: str) -> None:
    """Seal the row of that key as programs before schema 0004 did: a list of values."""
    sealed = custody.seal(custody.latest("seal"), payload.encode(), f"registry/{table.name}.sealed/{key}")
    values = zip(table.primary_key, key.split("/"), strict=True)
    row = [column == column.type.python_type(value) for column, value in values]
    with registry._context.database.write() as conn:
        conn.execute(table.update().where(*row).values(sealed=sealed.blob, seal_key=str(sealed.key)))


def test_rows_that_were_sealed_by_position_still_open(registry: Registry, custody: MemoryCustody) -> None:
    first = approved(registry, rows(1))
    with registry._context.database.write() as conn:
        conn.execute(roster_rows.update().values(open=False))
    rejected = RejectedRow(9, 7, ("ID_CHECKSUM",), "sentence")
    draft = registry.rosters.import_roster(UNIT, rows(1), [rejected], source="f", digest="d2", by="张").id
    for table, key, payload in (
        (members, "1", '["13010219800101000X","欧阳一","女","13903110001"]'),
        (roster_rows, f"{first}/3", "[1]"),
        (roster_rows, f"{draft}/3", '["001","13010219800101000X","欧阳二","女","13903110002"]'),
        (roster_rows, f"{draft}/9", '[7,"校验位不符"]'),
    ):
        seal_by_position(registry, custody, table, key, payload)
    (member,) = registry.dossiers.to_prepare(first)
    assert member.person == Person("13010219800101000X", "欧阳一", Sex.FEMALE, "13903110001")
    assert [line.seq for line in registry.rosters.rows(first)] == [1]
    assert [(line.seq, line.message) for line in registry.rosters.rows(draft)] == [
        ("001", ""),
        (7, "校验位不符"),
    ]
    (change,) = registry.reviews.changes(draft).items
    assert (change.fields, change.mobile_after) == (("name", "mobile"), "*******0002")
    registry.batches.approve(draft, "李")
    assert registry.members.unmask(1, by="王", reason="call back").name == "欧阳二"


def test_no_field_of_a_person_is_printed_in_clear() -> None:
    person = Person("secret", "secret", Sex.MALE, "secret")
    assert "secret" not in f"{person} {person!r}"
