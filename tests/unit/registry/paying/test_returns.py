"""Returns of a bank: booked once and whole, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from registry.errors import NotOnRecord, RegistryConflict
from registry.paying.batches import BankBatchState
from registry.paying.instructions import InstructionState
from registry.paying.returns import BankOutcome
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.payouts import BANK, ordered, paid_members, paying_custody, signed

DAY = date(2026, 11, 23)
CLOSED = "账户已销户"


@pytest.fixture
def custody() -> MemoryCustody:
    return paying_custody()


@pytest.fixture
def sent(registry: Registry, custody: MemoryCustody) -> list[BankOutcome]:
    """A released batch of three rows, as a bank that pays all of them says."""
    members = [card.member_id for card in paid_members(registry, custody, 3)]
    numbers = [ordered(registry, member, 100 * place, f"r{place}") for place, member in enumerate(members, 1)]
    signed(registry, registry.bank_batches.draw_up(BANK, "csv", lambda _: True, by="zhang").batch)
    return [BankOutcome(place, number, 100 * place, DAY) for place, number in enumerate(numbers, 1)]


def book(
    registry: Registry, outcomes: list[BankOutcome], digest: str = "1", bank: str = BANK, batch: int = 1
) -> object:
    return registry.bank_returns.book(bank, batch, outcomes, digest=digest.rjust(64, "0"), source="r.csv", by="li")


def states(registry: Registry, sent: list[BankOutcome]) -> list[str]:
    return [registry.instructions.instruction(one.instruction).state.value for one in sent]


def test_a_return_tells_what_was_paid_and_what_failed(registry: Registry, sent: list[BankOutcome]) -> None:
    booked = registry.bank_returns.book(
        BANK, 1, [*sent[:2], replace(sent[2], fault=CLOSED)], digest="1" * 64, source="r.csv", by="li"
    )
    assert (booked.paid, booked.paid_amount, booked.failed, booked.failed_amount) == (2, 300, 1, 300)
    assert states(registry, sent) == ["paid", "paid", "failed"]
    last = registry.instructions.instruction(sent[2].instruction)
    assert (last.outcome_on, last.fault) == (DAY, CLOSED)
    assert registry.bank_batches.batch(1).state is BankBatchState.CLOSED


def test_a_partial_return_leaves_the_rest_open(registry: Registry, sent: list[BankOutcome]) -> None:
    book(registry, sent[:1])
    assert states(registry, sent) == ["paid", "batched", "batched"]
    assert registry.bank_batches.batch(1).state is BankBatchState.RELEASED
    book(registry, sent, "2")
    assert states(registry, sent) == ["paid"] * 3
    assert registry.bank_batches.batch(1).state is BankBatchState.CLOSED


def test_the_same_file_again_is_the_same_answer(registry: Registry, sent: list[BankOutcome]) -> None:
    first = book(registry, sent)
    assert book(registry, sent) == first
    assert registry.bank_returns.known("1".rjust(64, "0")) == first
    assert len(registry.bank_returns.page(batch_id=1).items) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"position": 4}, "row 4 of the return was not sent"),
        ({"instruction": 99}, "row 2 of the return was not sent"),
        ({"amount": 201}, "row 2 of the return has another amount"),
        ({"position": 1, "instruction": 0}, "row 1 of the return was not sent"),
    ],
)
def test_a_return_with_a_row_that_was_not_sent_so_books_nothing(
    registry: Registry, sent: list[BankOutcome], change: dict[str, int], sentence: str
) -> None:
    with pytest.raises(RegistryConflict, match=sentence):
        book(registry, [sent[0], replace(sent[1], **change), sent[2]])
    assert states(registry, sent) == ["batched"] * 3
    assert registry.bank_returns.page().items == ()


def test_a_row_twice_a_batch_of_another_bank_and_one_that_was_not_sent_book_nothing(
    registry: Registry, sent: list[BankOutcome]
) -> None:
    with pytest.raises(RegistryConflict, match="row 1 stands twice"):
        book(registry, [sent[0], sent[0]])
    with pytest.raises(RegistryConflict, match="went to bank icbc, and the return is of bank abc"):
        book(registry, sent, bank="abc")
    with pytest.raises(NotOnRecord, match="no bank batch 7"):
        book(registry, sent, batch=7)
    registry.instructions.withdraw(ordered(registry, 1, 5, "x"), by="li", reason="x")
    ordered(registry, 1, 5, "y")
    draft = registry.bank_batches.draw_up(BANK, "csv", lambda _: True, by="zhang").batch
    with pytest.raises(RegistryConflict, match="is drafted: it was not sent"):
        book(registry, sent, batch=draft.id)
    assert states(registry, sent) == ["batched"] * 3


@pytest.mark.parametrize(("first", "second"), [("", CLOSED), (CLOSED, "")])
def test_a_bank_that_says_two_things_is_a_contradiction_and_pays_nothing_again(
    registry: Registry, sent: list[BankOutcome], first: str, second: str
) -> None:
    book(registry, [replace(sent[0], fault=first)])
    booked = registry.bank_returns.book(
        BANK, 1, [replace(sent[0], fault=second)], digest="2" * 64, source="r2.csv", by="li"
    )
    assert (booked.paid, booked.failed, booked.contradictions) == (0, 0, 1)
    was = InstructionState.FAILED if first else InstructionState.PAID
    assert registry.instructions.instruction(sent[0].instruction).state is was
    (one,) = registry.bank_returns.contradictions()
    assert (one.instruction, one.was) == (sent[0].instruction, was)
    settled = registry.bank_returns.settle(one.return_id, one.instruction, by="li", reason="银行更正")
    assert (settled.settled_by, settled.reason) == ("li", "银行更正")
    assert registry.bank_returns.contradictions() == []
    assert registry.bank_returns.contradictions(settled=True) == [settled]
    with pytest.raises(RegistryConflict, match="was settled by li"):
        registry.bank_returns.settle(one.return_id, one.instruction, by="li", reason="再来")
    with pytest.raises(NotOnRecord, match="says nothing new"):
        registry.bank_returns.settle(one.return_id, 99, by="li", reason="x")
