"""Payment instructions: one for each reason, kept as they were ordered, paid once at most."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text

from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.paying.instructions import InstructionState, PaymentKind
from registry.paying.returns import BankOutcome
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.payouts import BANK, ordered, paid_members, paying_custody, signed
from tests.support.registry.registrar import audit_entries

DAY = date(2026, 11, 23)


@pytest.fixture
def custody() -> MemoryCustody:
    return paying_custody()


@pytest.fixture
def member(registry: Registry, custody: MemoryCustody) -> int:
    (card,) = paid_members(registry, custody, 1)
    return card.member_id


def failed(registry: Registry, member: int, reference: str = "list/1") -> int:
    """An instruction that the bank could not pay."""
    number = ordered(registry, member, 80_000, reference)
    batch = signed(registry, registry.bank_batches.draw_up(BANK, "csv", lambda _: True, by="zhang").batch)
    outcome = BankOutcome(1, number, 80_000, DAY, "账户已销户")
    registry.bank_returns.book(BANK, batch.id, [outcome], digest=f"{number:064d}", source="r.csv", by="li")
    return number


def test_an_instruction_is_read_back_as_it_was_ordered(registry: Registry, member: int) -> None:
    number = ordered(registry, member, 80_000, "list-7/3")
    one = registry.instructions.instruction(number)
    assert (one.kind, one.reference, one.attempt) == (PaymentKind.GRANT, "list-7/3", 1)
    assert (one.member, one.payee, one.amount) == (member, None, 80_000)
    assert (one.state, one.outcome_on, one.fault) == (InstructionState.WAITING, None, None)
    assert registry.instructions.of("grant", "list-7/3") == one
    assert registry.instructions.of("claim", "list-7/3") is None
    with pytest.raises(NotOnRecord, match="no payment instruction 99"):
        registry.instructions.instruction(99)


def test_a_reason_is_ordered_once_and_another_kind_is_another_reason(registry: Registry, member: int) -> None:
    ordered(registry, member, 80_000, "7")
    with pytest.raises(RegistryConflict, match="the payment for grant 7 was ordered before") as refused:
        ordered(registry, member, 80_000, "7")
    assert refused.value.reason == "payment-ordered"
    ordered(registry, member, 80_000, "7", kind=PaymentKind.CLAIM)
    assert len(registry.instructions.page().items) == 2


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_is_no_payment(registry: Registry, member: int, amount: int) -> None:
    with pytest.raises(RegistryConflict, match="comes to nothing"):
        ordered(registry, member, amount, "7")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE instructions SET amount = 2",
        "UPDATE instructions SET reference = 'other'",
        "UPDATE instructions SET member_id = NULL, payee = 'x'",
        "UPDATE instructions SET state = 'paid', outcome_on = '2026-11-23'",
        "DELETE FROM instructions",
    ],
)
def test_the_database_keeps_an_instruction_as_it_was_ordered(registry: Registry, member: int, change: str) -> None:
    number = ordered(registry, member, 80_000, "7")
    with pytest.raises(RegistryError), registry.instructions._context.write() as conn:
        conn.execute(text(change))
    assert registry.instructions.instruction(number).amount == 80_000


def test_what_failed_is_reissued_once_and_names_the_first(registry: Registry, member: int) -> None:
    first = failed(registry, member)
    assert registry.instructions.instruction(first).fault == "账户已销户"
    second = registry.instructions.reissue(first, by="li", reason="换了新卡")
    assert (second.attempt, second.reissue_of, second.amount) == (2, first, 80_000)
    assert registry.instructions.of("grant", "list/1") == second
    assert audit_entries(registry, "payment.reissue") == [("li", f"payment:{second.id}", "换了新卡")]
    with pytest.raises(RegistryConflict, match="was reissued before"):
        registry.instructions.reissue(first, by="li", reason="再来")
    with pytest.raises(RegistryConflict, match="is waiting: only what the bank could not pay"):
        registry.instructions.reissue(second.id, by="li", reason="再来")


def test_a_reissue_needs_a_reason(registry: Registry, member: int) -> None:
    with pytest.raises(RegistryConflict, match="needs a reason"):
        registry.instructions.reissue(failed(registry, member), by="li", reason=" ")


def test_only_what_waits_is_withdrawn_and_then_it_is_not_ordered_again(registry: Registry, member: int) -> None:
    number = ordered(registry, member, 80_000, "7")
    gone = registry.instructions.withdraw(number, by="li", reason="申请撤回")
    assert (gone.state, gone.reason) == (InstructionState.WITHDRAWN, "申请撤回")
    with pytest.raises(RegistryConflict, match="is withdrawn"):
        registry.instructions.withdraw(number, by="li", reason="再来")
    with pytest.raises(RegistryConflict, match="was ordered before"):
        ordered(registry, member, 80_000, "7")
    with pytest.raises(RegistryConflict, match="is failed: only one that waits"):
        registry.instructions.withdraw(failed(registry, member), by="li", reason="x")


def test_instructions_are_listed_and_summed_by_state(registry: Registry, member: int) -> None:
    first = failed(registry, member)
    ordered(registry, member, 1, "a")
    ordered(registry, member, 2, "b")
    assert {one.state.value: (one.count, one.amount) for one in registry.instructions.totals()} == {
        "failed": (1, 80_000),
        "waiting": (2, 3),
    }
    page = registry.instructions.page(limit=2)
    rest = registry.instructions.page(page.next, limit=2)
    assert [one.id for one in (*page.items, *rest.items)] == [first + 2, first + 1, first]
    assert [one.id for one in registry.instructions.page(state=InstructionState.FAILED).items] == [first]
    assert registry.instructions.page(member=member + 1).items == ()
