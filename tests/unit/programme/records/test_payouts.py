"""From a batch to a bank's file and back: two forms, two databases, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from programme.errors import NotInProgramme
from programme.paying.form import ReturnRefused
from programme.records.payouts import draw_up, file_name, payment_file, take_return
from registry.paying.instructions import InstructionState
from registry.store import Registry
from simulators.issuer.payouts import PayoutBank
from tests.support.registry.payouts import (
    BANK,
    PANS,
    PayingUnion,
    bank_of,
    ordered,
    paid_members,
    paying_custody,
    paying_programme,
    signed,
)
from tests.support.registry.registrar import SetClock, new_registry

DAY = date(2026, 11, 24)
CUSTODY = paying_custody()


@pytest.fixture(params=["csv", "fixed"])
def union(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PayingUnion]:
    """Three members are to be paid 1, 2 and 3 yuan."""
    (tmp_path / "registry.db").write_bytes(new_registry())
    with Registry.open(f"sqlite:///{tmp_path}/registry.db", CUSTODY, clock=SetClock()) as registry:
        for place, card in enumerate(paid_members(registry, CUSTODY, 3), 1):
            ordered(registry, card.member_id, 100 * place, f"r{place}")
        yield PayingUnion(registry, CUSTODY, paying_programme(request.param))


def sent(union: PayingUnion) -> bytes:
    return union.file(signed(union.registry, draw_up(union.registry, union.programme, BANK, by="zhang").batch).id)


def taken(union: PayingUnion, content: bytes, bank: str = BANK) -> object:
    return take_return(union.registry, CUSTODY, union.programme, bank, content, "/home/li/return.txt", by="li")


def states(union: PayingUnion) -> list[InstructionState]:
    return [one.state for one in union.registry.instructions.page().items][::-1]


def test_union_and_bank_have_the_same_sums_to_the_fen(union: PayingUnion) -> None:
    bank = bank_of(CUSTODY)
    bank.faults[PANS[1]] = "账户已销户"
    content = sent(union)
    assert sent_again(union) == content
    assert bank.execute(content) == {2: "账户已销户"}
    first = take_return(union.registry, CUSTODY, union.programme, BANK, bank.answer(content, DAY), "r.txt", by="li")
    assert (first.booked.paid_amount, first.booked.failed_amount, first.again) == (400, 200, False)
    assert sum(bank.balances.values()) == 400
    again = take_return(union.registry, CUSTODY, union.programme, BANK, bank.answer(content, DAY), "r.txt", by="li")
    assert (again.booked, again.again) == (first.booked, True)
    (failed,) = union.registry.instructions.page(state=InstructionState.FAILED).items
    union.registry.instructions.reissue(failed.id, by="li", reason="换卡")
    bank.faults.clear()
    second = sent(union)
    bank.execute(second)
    taken(union, bank.answer(second, DAY))
    assert sum(bank.balances.values()) == 600
    assert sum(one.amount for one in union.registry.instructions.page(state=InstructionState.PAID).items) == 600


def sent_again(union: PayingUnion) -> bytes:
    return union.file(1)


def test_a_return_of_another_bank_is_refused_with_nothing_booked(union: PayingUnion) -> None:
    content = sent(union)
    ours, other = bank_of(CUSTODY), bank_of(CUSTODY, "abc")
    ours.execute(content)
    with pytest.raises(ReturnRefused, match="the MAC of the tail is wrong"):
        taken(union, PayoutBank(ours.mac, other.return_mac).answer(content, DAY))
    with pytest.raises(ReturnRefused):
        taken(union, ours.answer(content, DAY), "abc")
    with pytest.raises(NotInProgramme, match="the programme has no bank boc; it has icbc, abc"):
        taken(union, ours.answer(content, DAY), "boc")
    assert states(union) == [InstructionState.BATCHED] * 3


def test_a_file_has_a_name_and_its_accounts_only_inside(union: PayingUnion) -> None:
    content = sent(union)
    assert union.programme.payouts is not None
    suffix = {"csv": ".csv", "fixed": ".txt"}[union.programme.payouts.banks[BANK].form]
    assert file_name(union.registry, 1) == f"icbc-1{suffix}"
    assert all(account.encode() in content for account in PANS[:3])
    rows = union.registry.bank_batches.rows(1).items
    assert not any(account in str(rows) for account in PANS[:3])
    audited = " ".join(str(row.entry) for row in union.registry.audit.page().items)
    assert not any(account in audited for account in PANS[:3])


def test_who_has_no_bank_in_the_programme_gets_no_batch(union: PayingUnion) -> None:
    bare = union.programme.model_copy(update={"payouts": None})
    with pytest.raises(NotInProgramme, match="the programme has no bank icbc; it has -"):
        draw_up(union.registry, bare, BANK, by="zhang")
    with pytest.raises(NotInProgramme):
        payment_file(
            union.registry,
            CUSTODY,
            bare,
            signed_batch(union),
            zone=union.registry.instructions._context.zone,
            by="x",
        )


def signed_batch(union: PayingUnion) -> int:
    return signed(union.registry, draw_up(union.registry, union.programme, BANK, by="zhang").batch).id
