"""Photos of members: sealed, bound to their member, and found by the number of a card."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from registry.errors import NotOnRecord, RegistryConflict, RegistryUnfit
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import approved, audit_entries, claimed, ready, rows

PICTURE = b"\xff\xd8\xff photo of one \xff\xd9"


def test_a_photo_is_stored_for_members_of_an_approved_batch_and_audited(registry: Registry) -> None:
    batch = approved(registry, rows(2), "d1")
    first, second = registry.photos.members(batch)
    assert (first.has_photo, first.waits, first.person.name) == (False, True, "欧阳001")
    registry.photos.store(batch, {first.member_id: PICTURE}, by="李娜")
    assert [one.has_photo for one in registry.photos.members(batch)] == [True, False]
    assert audit_entries(registry, "photos.store") == [("李娜", f"batch:{batch}", "")]
    assert "欧阳" not in repr(second)


def test_a_photo_is_of_the_card_of_its_member(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 2)
    member, other = registry.photos.members(batch)
    registry.photos.store(batch, {member.member_id: PICTURE})
    stored = {one.member_id: one.card_number for one in registry.dossiers.stored(batch)}
    assert registry.photos.of_card(stored[member.member_id]) == PICTURE
    assert registry.photos.of_card(stored[other.member_id]) is None
    registry.photos.store(batch, {member.member_id: b"newer"})
    assert registry.photos.of_card(stored[member.member_id]) == b"newer"


def test_a_member_with_a_dossier_no_longer_waits(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 1)
    assert [one.waits for one in registry.photos.members(batch)] == [False]


def test_no_photo_is_clear_in_the_database_and_one_that_was_moved_does_not_open(
    registry: Registry, custody: MemoryCustody
) -> None:
    batch = ready(registry, custody, 2)
    member, other = registry.photos.members(batch)
    registry.photos.store(batch, {member.member_id: PICTURE, other.member_id: b"other"})
    with registry._context.database.write() as conn:
        chosen = text("SELECT sealed FROM photos WHERE member_id = :id")
        (sealed,) = conn.execute(chosen, {"id": member.member_id}).one()
        assert b"photo of one" not in bytes(sealed)
        conn.execute(
            text("UPDATE photos SET sealed = :sealed WHERE member_id = :id"),
            {"sealed": sealed, "id": other.member_id},
        )
    card = {one.member_id: one.card_number for one in registry.dossiers.stored(batch)}[other.member_id]
    with pytest.raises(RegistryUnfit, match="were changed or moved"):
        registry.photos.of_card(card)


def test_a_photo_is_deleted_with_a_reason(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 1)
    (member,) = registry.photos.members(batch)
    registry.photos.store(batch, {member.member_id: PICTURE})
    with pytest.raises(RegistryConflict, match="needs a reason"):
        registry.photos.remove(member.member_number, by="李娜", reason=" ")
    registry.photos.remove(member.member_number, by="李娜", reason="本人要求")
    assert [one.has_photo for one in registry.photos.members(batch)] == [False]
    assert audit_entries(registry, "photo.remove") == [("李娜", f"member:{member.member_id}", "本人要求")]
    with pytest.raises(NotOnRecord, match=f"no photo of member {member.member_number} is on record"):
        registry.photos.remove(member.member_number, by="李娜", reason="本人要求")


def test_a_closed_batch_takes_no_photos(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 1)
    (member,) = registry.photos.members(batch)
    registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    registry.batches.close(batch, "李娜", "王芳")
    with pytest.raises(RegistryConflict, match="is closed: photos are for batches that are approved"):
        registry.photos.store(batch, {member.member_id: PICTURE})
    with pytest.raises(RegistryConflict, match="is closed"):
        registry.photos.members(batch)
