"""A card is replaced by the next sequence of its number; reasons of card events name nobody."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from registry.batches.reviews import ChangeKind
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import audit_entries, carded, claimed, prepare

OTHER = "唐山市总工会"


def test_a_replacement_has_the_same_number_and_the_next_sequence(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    batch = registry.cards.replace(card.card_number, by="王", reason="欧阳001 丢失", because="lost")
    assert (batch.state.value, batch.accepted, batch.imported_by) == ("draft", 1, "王")
    assert registry.cards.card(card.card_number).state is CardState.REPLACED
    assert [(entry.sequence, entry.reason) for entry in registry.hotlist.entries()] == [(1, "lost")]
    assert [change.kind for change in registry.reviews.changes(batch.id).items] == [ChangeKind.REPLACEMENT]
    with pytest.raises(RegistryConflict, match=f"this member is in batch {batch.id}"):
        registry.cards.replace(card.card_number, by="王", reason="again")
    with pytest.raises(RegistryConflict, match="second person"):
        registry.batches.approve(batch.id, "王")
    registry.batches.approve(batch.id, "李")
    (wanted,) = registry.dossiers.to_prepare(batch.id)
    assert (wanted.card_number, wanted.sequence) == (card.card_number, 2)
    prepare(registry, custody, batch.id)
    registry.line.reject(claimed(registry, batch.id, 2), "dead", "install", "red")
    (wanted,) = registry.dossiers.to_prepare(batch.id)
    assert (wanted.card_number, wanted.sequence) == (card.card_number, 3)
    prepare(registry, custody, batch.id)
    second = registry.line.verified(claimed(registry, batch.id, 3), {}, 1.0)
    assert (second.card_number, second.sequence, second.member_id) == (card.card_number, 3, 1)
    assert registry.batches.accounts(batch.id).balanced
    assert registry.members.member(1).card_state is CardState.VERIFIED
    reasons = [event.reason for event in registry.members.history(1)]
    assert reasons.count("欧**** 丢失") == 2
    third = registry.cards.replace(card.card_number, by="王", reason="坏了")
    registry.batches.approve(third.id, "李")
    assert registry.dossiers.to_prepare(third.id)[0].sequence == 4


def test_a_discarded_replacement_can_be_repeated(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    registry.cards.change(card.card_number, "lost", "前台", "挂失")
    draft = registry.cards.replace(card.card_number, by="王", reason="挂失")
    registry.batches.discard(draft.id, "王")
    assert registry.cards.replace(card.card_number, by="王", reason="挂失").state.value == "draft"
    with pytest.raises(RegistryConflict, match="a card ends as"):
        registry.cards.replace(card.card_number, by="王", reason="x", because="active")
    with pytest.raises(NotOnRecord):
        registry.cards.replace("62", by="王", reason="x")


def test_the_hundredth_card_gets_a_new_number(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    with registry._context.database.write() as conn:
        conn.execute(text("UPDATE dossiers SET sequence = 99"))
    batch = registry.cards.replace(card.card_number, by="王", reason="坏").id
    registry.batches.approve(batch, "李")
    (wanted,) = registry.dossiers.to_prepare(batch)
    assert (wanted.card_number, wanted.sequence) == (None, 1)


def test_reasons_of_card_events_name_nobody(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    registry.cards.change(card.card_number, "lost", "前台", "欧阳001 身份证 130102198001010001 挂失")
    assert registry.cards.events(card.card_number)[-1].reason == "欧**** 身份证 ****0001 挂失"
    assert audit_entries(registry, "card.lost") == [
        ("前台", f"card:{card.card_number}-1", "欧**** 身份证 ****0001 挂失")
    ]
