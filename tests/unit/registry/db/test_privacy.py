"""No personal data are stored in clear, and sealed data open only in the row they were sealed for."""

from __future__ import annotations

import logging
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from registry.admin.idempotency import Begun, StoredReply
from registry.batches.originals import Original
from registry.db.tables import metadata
from registry.errors import RegistryConflict, RegistryError, RegistryUnfit
from registry.members.verdicts import VerdictNote
from registry.person import Person
from registry.store import Registry
from registry.values import AcceptedRow, JournalEntry, JournalEvent, RejectedRow
from terminal.keys.memory import MemoryCustody
from terminal.member.values import Sex
from tests.support.registry.registrar import UNIT, claimed, prepare, rows

ID, NAME, MOBILE = "130102198001017774", "司马相如", "13931177777"
PLANTED = AcceptedRow(3, 1, Person(ID, NAME, Sex.MALE, MOBILE), UNIT)
REJECTED = RejectedRow(4, "13010219800101999X", ("ID_CHECKSUM",), "身份证号 13010219800101999X 校验位不符")
SECRETS = (ID, NAME, MOBILE, "13010219800101999X")


def everything_stored(registry: Registry, url: str) -> bytes:
    """Every value of every column; for SQLite the bytes of the files too."""
    with registry._context.database.read() as conn:
        values = [value for table in metadata.sorted_tables for row in conn.execute(table.select()) for value in row]
    stored = b"\n".join(bytes(value) if isinstance(value, bytes) else str(value).encode() for value in values)
    if url.startswith("sqlite"):
        stored += b"".join(path.read_bytes() for path in Path(url.removeprefix("sqlite:///")).parent.iterdir())
    return stored


def test_no_personal_data_stand_in_any_column_or_file(
    registry: Registry, custody: MemoryCustody, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    batch = registry.rosters.import_roster(UNIT, [PLANTED], [REJECTED], source="f.xlsx", digest="d", by="张").id
    registry.batches.approve(batch, "李")
    prepare(registry, custody, batch)
    claim = claimed(registry, batch, 1)
    registry.line.journal(claim, JournalEntry("install", JournalEvent.INTENT))
    card = registry.line.verified(claim, {}, 1.0)
    stored = everything_stored(registry, url)
    assert b"621226" in stored  # the search sees what is there
    printed = caplog.text + repr(
        [card, claim, PLANTED, REJECTED, registry.rosters.rows(batch), registry.batches.batch(batch)]
    )
    for secret in SECRETS:
        assert secret.encode() not in stored
        assert secret.encode("gb18030") not in stored
        assert secret not in printed


def test_administration_writes_no_personal_data_in_clear(
    registry: Registry, custody: MemoryCustody, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    form = Original(f"{NAME}.xlsx", f"{ID},{NAME},{MOBILE}".encode())
    batch = registry.rosters.import_roster(
        UNIT, [PLANTED], [REJECTED], source="f", digest="d", by="张", original=form
    ).id
    why = f"{NAME} {ID} {MOBILE} 要求"
    registry.reviews.submit(batch, by="张")
    registry.reviews.give_back(batch, by="李", reason=f"{ID} {MOBILE} 不对")
    changes = registry.reviews.changes(batch).items
    registry.batches.approve(batch, "李")
    prepare(registry, custody, batch)
    card = registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    begun = registry.idempotency_keys.begin("王", "k", "POST /members/1/unmask", b"digest")
    assert isinstance(begun, Begun)
    shown = registry.members.unmask(1, by="王", reason=why)
    registry.idempotency_keys.finish("王", "k", begun, StoredReply(200, {}, f"{shown.id_number} {shown.name}".encode()))
    registry.members.transfer(1, "别的工会", by="王", reason=why)
    registry.cards.change(card.card_number, "lost", "王", why)
    registry.cards.replace(card.card_number, by="王", reason=why)
    registry.login_failures.failed(MOBILE, forget=timedelta(hours=1))
    registry.verdicts.note(VerdictNote(card.verified_at, "s", "r", "ACTIVE", 1.0, card.card_number))
    stored = everything_stored(registry, url)
    assert "要求".encode() in stored
    matches = [registry.members.find(query).items for query in (ID, NAME, card.card_number)]
    assert all(matches)
    printed = caplog.text + repr([matches, shown, changes, registry.members.history(1), registry.audit.page().items])
    for secret in SECRETS:
        assert secret.encode() not in stored
        assert secret not in printed


def test_a_closed_batch_leaves_no_dossier_behind(registry: Registry, custody: MemoryCustody, url: str) -> None:
    batch = registry.rosters.import_roster(UNIT, [PLANTED], [], source="f.xlsx", digest="d", by="张").id
    registry.batches.approve(batch, "李")
    prepare(registry, custody, batch)
    claim = claimed(registry, batch, 1)
    assert claim.sealed.blob in everything_stored(registry, url)
    registry.line.verified(claim, {}, 1.0)
    registry.batches.close(batch, "甲", "乙")
    assert claim.sealed.blob not in everything_stored(registry, url)


def test_errors_of_the_database_show_no_values(registry: Registry) -> None:
    twins = [PLANTED, AcceptedRow(3, 2, Person("130102198001018881", NAME, Sex.MALE, MOBILE), UNIT)]
    with pytest.raises(RegistryConflict, match="refused a record") as caught:
        registry.rosters.import_roster(UNIT, twins, [], source="f.xlsx", digest="d", by="张")
    printed = "".join(traceback.format_exception(caught.value))
    for secret in (*SECRETS, "130102198001018881"):
        assert secret not in printed


def test_values_the_driver_cannot_take_are_not_echoed(registry: Registry) -> None:
    with pytest.raises((RegistryError, ValueError)) as caught:
        registry.rosters.import_roster(UNIT, [PLANTED], [], source=f"\ud800 {NAME}", digest="d", by="张")
    assert NAME not in str(caught.value)


@pytest.mark.parametrize("change", ["swapped", "cut", "flipped"])
def test_sealed_data_open_only_in_their_own_row(registry: Registry, change: str) -> None:
    batch = registry.rosters.import_roster(UNIT, rows(2), [], source="f", digest="d", by="张").id
    registry.batches.approve(batch, "李")
    with registry._context.database.write() as conn:
        first, second = conn.execute(text("SELECT sealed FROM members ORDER BY id")).scalars()
        forged = {"swapped": second, "cut": first[:20], "flipped": first[:-1] + bytes([first[-1] ^ 1])}[change]
        conn.execute(text("UPDATE members SET sealed = :sealed WHERE id = 1"), {"sealed": forged})
    with pytest.raises(RegistryUnfit, match=r"members\.sealed/1 were changed or moved"):
        registry.dossiers.to_prepare(batch)


def test_the_blind_index_depends_on_the_key(registry: Registry, custody: MemoryCustody) -> None:
    registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by="张")
    with registry._context.database.read() as conn:
        (stored,) = conn.execute(text("SELECT id_index FROM members")).scalars()
    assert bytes(stored) == custody.index(custody.latest("index"), rows(1)[0].person.id_number.encode())


def test_a_rotated_seal_key_still_opens_old_rows(registry: Registry, custody: MemoryCustody) -> None:
    first = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d1", by="张").id
    custody.rotate("seal", by="test")
    second = registry.rosters.import_roster(UNIT, rows(1, 2), [], source="f", digest="d2", by="张").id
    for batch, number in ((first, 1), (second, 2)):
        registry.batches.approve(batch, "李")
        assert registry.dossiers.to_prepare(batch)[0].person.id_number == rows(1, number)[0].person.id_number
    with registry._context.database.read() as conn:
        keys = list(conn.execute(text("SELECT seal_key FROM members ORDER BY id")).scalars())
    assert keys == ["seal/1", "seal/2"]
