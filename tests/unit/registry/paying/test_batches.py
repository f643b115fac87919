"""Bank batches: drawn up of what waits, frozen under two signatures, each instruction in one of them."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.members.losses import Loss
from registry.paying.batches import BankBatchState
from registry.paying.instructions import InstructionState
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.payouts import BANK, PANS, ordered, paid_members, paying_custody, signed
from tests.support.registry.registrar import audit_entries, carded


@pytest.fixture
def custody() -> MemoryCustody:
    return paying_custody()


@pytest.fixture
def members(registry: Registry, custody: MemoryCustody) -> list[int]:
    return [card.member_id for card in paid_members(registry, custody, 3)]


def everything(_account: str) -> bool:
    return True


def test_a_batch_has_what_waits_in_its_order(registry: Registry, members: list[int]) -> None:
    numbers = [ordered(registry, member, 100 * place, f"r{place}") for place, member in enumerate(members, 1)]
    draft = registry.bank_batches.draw_up(BANK, "csv", everything, by="zhang")
    assert (draft.batch.rows, draft.batch.amount, draft.batch.state) == (3, 600, BankBatchState.DRAFTED)
    rows = registry.bank_batches.rows(draft.batch.id).items
    assert [(row.position, row.instruction, row.amount) for row in rows] == [
        (place, number, 100 * place) for place, number in enumerate(numbers, 1)
    ]
    assert {row.account for row in rows}.isdisjoint(PANS)
    assert {registry.instructions.instruction(number).state for number in numbers} == {InstructionState.BATCHED}
    with pytest.raises(RegistryConflict, match="no instruction waits for bank icbc"):
        registry.bank_batches.draw_up(BANK, "csv", everything, by="zhang")


def test_accounts_of_other_banks_and_members_without_one_wait(
    registry: Registry, custody: MemoryCustody, members: list[int]
) -> None:
    mine = ordered(registry, members[0], 1, "a")
    ordered(registry, members[1], 2, "b")
    draft = registry.bank_batches.draw_up(BANK, "csv", lambda account: account == PANS[0], by="zhang")
    assert (draft.batch.rows, draft.elsewhere, draft.without_account) == (1, 1, ())
    assert registry.bank_batches.rows(draft.batch.id).items[0].instruction == mine


def test_a_member_without_a_card_of_the_bank_in_use_waits(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)
    number = ordered(registry, card.member_id, 1, "a")
    with pytest.raises(RegistryConflict, match="1 wait for an account") as refused:
        registry.bank_batches.draw_up(BANK, "csv", everything, by="zhang")
    assert refused.value.params["without"] == 1
    assert registry.instructions.instruction(number).state is InstructionState.WAITING


def test_who_lost_the_card_waits_for_the_new_one(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = paid_members(registry, custody, 1)
    ordered(registry, card.member_id, 1, "a")
    lost = registry.losses.report(card.card_number, by="zhang", reason="丢失")
    assert isinstance(lost, Loss)
    with pytest.raises(RegistryConflict, match="wait for an account"):
        registry.bank_batches.draw_up(BANK, "csv", everything, by="zhang")


def test_two_people_sign_a_batch_before_anybody_has_its_accounts(registry: Registry, members: list[int]) -> None:
    ordered(registry, members[0], 5, "a")
    batch = registry.bank_batches.draw_up(BANK, "csv", everything, by="zhang").batch
    with pytest.raises(RegistryConflict, match="a file is made once two people have signed it"):
        registry.bank_batches.opened(batch.id, by="zhang")
    with pytest.raises(RegistryConflict, match="its digest is"):
        registry.bank_batches.sign(batch.id, "0" * 64, by="zhang")
    first = registry.bank_batches.sign(batch.id, batch.digest, by="zhang")
    assert (first.state, first.signed_by) == (BankBatchState.SIGNED, "zhang")
    with pytest.raises(RegistryConflict, match="signatures of two people"):
        registry.bank_batches.sign(batch.id, batch.digest, by="ZHANG")
    second = registry.bank_batches.sign(batch.id, batch.digest, by="li")
    assert (second.state, second.released_by) == (BankBatchState.RELEASED, "li")
    with pytest.raises(RegistryConflict, match="nothing to sign"):
        registry.bank_batches.sign(batch.id, batch.digest, by="wang")
    (row,) = registry.bank_batches.opened(batch.id, by="zhang")
    assert (row.account, row.name, row.amount) == (PANS[0], "欧阳001", 5)
    assert PANS[0] not in repr(row)
    assert audit_entries(registry, "bank-batch.file") == [("zhang", f"bank-batch:{batch.id}", "")]


def test_a_discarded_batch_gives_its_instructions_back_and_a_released_one_does_not(
    registry: Registry, members: list[int]
) -> None:
    number = ordered(registry, members[0], 5, "a")
    batch = registry.bank_batches.draw_up(BANK, "csv", everything, by="zhang").batch
    gone = registry.bank_batches.discard(batch.id, by="li", reason="金额有误")
    assert (gone.state, gone.discarded_by, gone.reason) == (BankBatchState.DISCARDED, "li", "金额有误")
    assert registry.instructions.instruction(number).state is InstructionState.WAITING
    again = signed(registry, registry.bank_batches.draw_up(BANK, "csv", everything, by="zhang").batch)
    with pytest.raises(RegistryConflict, match="only the bank's return ends it"):
        registry.bank_batches.discard(again.id, by="li", reason="x")
    assert [one.id for one in registry.bank_batches.page(bank=BANK).items] == [again.id, batch.id]
    with pytest.raises(NotOnRecord, match="no bank batch 99"):
        registry.bank_batches.batch(99)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE bank_batches SET amount = 1",
        "UPDATE bank_batches SET state = 'released', released_at = at, released_by = 'x'",
        "UPDATE bank_batch_rows SET amount = 1",
        "UPDATE bank_batch_rows SET position = 7",
        "DELETE FROM bank_batch_rows",
        "DELETE FROM bank_batches",
        "INSERT INTO bank_batch_rows SELECT batch_id, 9, instruction_id, amount, account_masked, sealed, seal_key, "
        "living FROM bank_batch_rows",
    ],
)
def test_the_database_keeps_a_batch_as_it_was_drawn_up(registry: Registry, members: list[int], change: str) -> None:
    ordered(registry, members[0], 5, "a")
    batch = registry.bank_batches.draw_up(BANK, "csv", everything, by="zhang").batch
    with pytest.raises(RegistryError), registry.instructions._context.write() as conn:
        conn.execute(text(change))
    assert registry.bank_batches.batch(batch.id) == batch
