"""A registry of schema 0003 with data in it: its batches get their kinds, and its sealed rows open."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import MetaData

from registry.db.database import Database
from registry.db.privacy import PersonalData
from registry.errors import RegistryConflict
from registry.migrations import migrate
from registry.person import Person
from registry.store import Registry
from registry.values import BatchKind, BatchState
from terminal.keys.memory import MemoryCustody
from terminal.member.values import Sex
from tests.support.registry.registrar import UNIT

AT = datetime(2026, 11, 1, 8, 0)  # as both databases take it: SQLite has no zones, the session of PostgreSQL is in UTC
ROSTER, REPLACEMENT, DISCARDED, EARLIER = "B20261101-001", "B20261101-002", "B20261101-003", "B20261101-004"


def batch(batch_id: str, stage: str, digest: str) -> dict[str, object]:
    approved = {"approved_by": "李", "approved_at": AT} if stage == "approved" else {}
    origin = {"source": "form.xlsx", "digest": digest, "imported_by": "张", "imported_at": AT}
    return {"id": batch_id, "unit_id": 1, "stage": stage, **origin, **approved}


def fill(database: Database, custody: MemoryCustody) -> None:
    """Rows as the program of schema 0003 wrote them, personal data sealed by position."""
    key = custody.latest("seal")

    def seal(place: str, payload: str) -> dict[str, object]:
        return {"sealed": custody.seal(key, payload.encode(), f"registry/{place}").blob, "seal_key": str(key)}

    def member(member_id: int, values: str, number: str | None) -> dict[str, object]:
        masked = {"id_masked": "*" * 14 + "7774", "name_masked": "司***", "mobile_masked": "*" * 7 + "7777"}
        sealed = seal(f"members.sealed/{member_id}", values)
        index = PersonalData(custody).indexes([f"{member_id}"])[0]
        return {
            "id": member_id, "unit_id": 1, "id_index": index, "member_number": number, "category": 0,
            "registered_at": AT, **masked, **sealed,
        }  # fmt: skip

    def row(batch_id: str, sheet_row: int, member_id: int | None, payload: str) -> dict[str, object]:
        verdict = "rejected" if member_id is None else "accepted"
        sealed = seal(f"roster_rows.sealed/{batch_id}/{sheet_row}", payload)
        codes = "" if member_id else "ID_CHECKSUM"
        key = {"batch_id": batch_id, "sheet_row": sheet_row, "member_id": member_id}
        return {**key, "verdict": verdict, "codes": codes, "open": False, **sealed}

    rows = {
        "units": [{"id": 1, "name": UNIT, "code": "130000GH0000000001"}],
        "users": [
            {
                "id": 1,
                "name": "root",
                "folded": "root",
                "display": "",
                "password_hash": "",
                "roles": "administrator",
                "disabled": False,
                "must_change": False,
                "language": "zh",
                "made_at": AT,
                "password_at": AT,
            }
        ],
        "tokens": [
            {
                "id": number,
                "token_hash": bytes([number]) * 32,
                "label": "",
                "roles": roles,
                "made_by": 1,
                "made_at": AT,
                "until": AT.replace(year=2027),
            }
            for number, roles in ((1, "counter registrar"), (2, "counter"))
        ],
        "members": [
            member(1, '["130102198001017774","司马相如","男","13931177777"]', "130000000001"),
            member(2, '["130102198001018881","欧阳","女","13931178888"]', "130000000002"),
        ],
        "batches": [
            batch(ROSTER, "approved", "ab" * 32),
            batch(REPLACEMENT, "draft", "replacement/6212260000000000001-1"),
            batch(DISCARDED, "discarded", "replacement/6212260000000000001-1"),
            batch(EARLIER, "draft", "cd" * 32),
        ],
        "roster_rows": [
            row(ROSTER, 3, 1, "[1]"),
            row(ROSTER, 4, None, '[2,"校验位不符"]'),
            row(EARLIER, 3, 2, '["7","130102198001018881","欧阳新","女","13931179999"]'),
        ],
    }
    tables = MetaData()
    with database.write() as conn:
        tables.reflect(conn)
        for name, values in rows.items():
            for one in values:
                conn.execute(tables.tables[name].insert().values(one))


@pytest.fixture
def earlier(url: str, custody: MemoryCustody) -> str:
    database = Database(url)
    migrate.upgrade(database, "0003")
    fill(database, custody)
    database.close()
    return url


def test_batches_of_an_earlier_registry_have_their_kinds(earlier: str, custody: MemoryCustody) -> None:
    with Registry.open(earlier, custody) as registry:
        kinds = {one.id: (one.kind, one.state) for one in registry.batches.all()}
    assert kinds == {
        ROSTER: (BatchKind.ROSTER, BatchState.APPROVED),
        REPLACEMENT: (BatchKind.REPLACEMENT, BatchState.DRAFT),
        DISCARDED: (BatchKind.REPLACEMENT, BatchState.DISCARDED),
        EARLIER: (BatchKind.ROSTER, BatchState.DRAFT),
    }


def test_digests_of_an_earlier_registry_are_keyed_and_still_recognize_their_files(
    earlier: str, custody: MemoryCustody
) -> None:
    plain = {"ab" * 32, "cd" * 32, "replacement/6212260000000000001-1"}
    with Registry.open(earlier, custody, clock=lambda: AT.replace(tzinfo=UTC)) as registry:
        stored = {batch.digest for batch in registry.batches.all()}
        assert stored == {PersonalData(custody).content_index(digest) for digest in plain}
        with pytest.raises(RegistryConflict, match=f"imported before as {ROSTER}"):
            registry.rosters.refuse_living_batch("ab" * 32)
    with Registry.open(earlier, custody) as registry:
        assert {batch.digest for batch in registry.batches.all()} == stored


def test_sealed_rows_of_an_earlier_registry_open(earlier: str, custody: MemoryCustody) -> None:
    with Registry.open(earlier, custody, clock=lambda: AT.replace(tzinfo=UTC)) as registry:
        (member,) = registry.dossiers.to_prepare(ROSTER)
        assert member.person == Person("130102198001017774", "司马相如", Sex.MALE, "13931177777")
        assert [(line.seq, line.message) for line in registry.rosters.rows(ROSTER)] == [(1, ""), (2, "校验位不符")]
        (change,) = registry.reviews.changes(EARLIER).items
        assert (change.fields, change.name_after) == (("name", "mobile"), "欧**")
        assert [one.member_id for one in registry.members.find("司马相如").items] == [1], "names are indexed"
        assert registry.members.unmask(2, by="王", reason="call back").gender == "女"


def test_a_registrars_token_of_an_earlier_registry_waits_for_consent(earlier: str, custody: MemoryCustody) -> None:
    with Registry.open(earlier, custody, clock=lambda: AT.replace(tzinfo=UTC)) as registry:
        assert [(token.id, token.waits) for token in registry.tokens.page().items] == [(2, False), (1, True)]
        assert [registry.tokens.find(bytes([number]) * 32) is not None for number in (1, 2)] == [False, True]


def test_the_kind_is_taken_back_with_its_migration(earlier: str, custody: MemoryCustody) -> None:
    Registry.open(earlier, custody).close()
    database = Database(earlier)
    migrate.downgrade(database, "0003")
    database.close()
    with Registry.open(earlier, custody) as registry:
        assert registry.batches.batch(REPLACEMENT).kind is BatchKind.REPLACEMENT
