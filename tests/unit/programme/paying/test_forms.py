"""Bank files: what is written is what the bank reads, and a return that is cut, altered or another's is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from programme.errors import ProgrammeError
from programme.paying.form import BankForm, PaymentHead, PaymentRow, ReturnRefused, bank_form, bank_forms
from simulators.issuer.payouts import PayoutBank

DAY = date(2026, 11, 23)
FAULT = "账户已销户"
FORMS = pytest.mark.parametrize("name", ["csv", "fixed"])


def payments_mac(digest: bytes) -> bytes:
    return sha256(b"payments" + digest).digest()[:8]


def return_mac(digest: bytes) -> bytes:
    return sha256(b"return" + digest).digest()[:8]


def payments(count: int = 3, *, name: str = "欧阳娜娜", purpose: str = "困难补助，2027") -> list[PaymentRow]:
    return [
        PaymentRow(place, 100 + place, f"62109713{place:011d}", name, 12_345 * place, purpose)
        for place in range(1, count + 1)
    ]


def head_of(rows: list[PaymentRow]) -> PaymentHead:
    return PaymentHead("icbc", 7, DAY, len(rows), sum(row.amount for row in rows))


def written(form: BankForm, rows: list[PaymentRow]) -> bytes:
    return b"".join(form.write(head_of(rows), rows, payments_mac))


def bank(*faults: int) -> PayoutBank:
    return PayoutBank(payments_mac, return_mac, {f"62109713{place:011d}": FAULT for place in faults})


def returned(name: str, *faults: int) -> bytes:
    """What the bank says of three rows, of which it does not pay these."""
    content, paying = written(bank_form(name), payments()), bank(*faults)
    paying.execute(content)
    return paying.answer(content, DAY)


def read(name: str, content: bytes) -> object:
    return bank_form(name).read_return(io.BytesIO(content), return_mac)


def test_both_forms_are_known_by_name_and_others_are_refused() -> None:
    assert set(bank_forms()) >= {"csv", "fixed"}
    with pytest.raises(ProgrammeError, match="there is no form iso of bank files; there are csv, fixed"):
        bank_form("iso")


@FORMS
def test_the_bank_reads_what_was_written(name: str) -> None:
    file = bank().take(written(bank_form(name), payments()))
    assert (file.bank, file.batch, file.form) == ("icbc", 7, name)
    assert [(row.position, row.instruction, row.account, row.amount) for row in file.rows] == [
        (row.position, row.instruction, row.account, row.amount) for row in payments()
    ]


def test_a_fixed_file_has_records_of_one_length_and_a_csv_file_shows_chinese() -> None:
    fixed = written(bank_form("fixed"), payments())
    assert {len(line) for line in fixed.split(b"\r\n")} == {200, 0}
    assert "欧阳娜娜".encode("gb18030") in fixed
    text = written(bank_form("csv"), payments()).decode("utf-8-sig")
    assert text.splitlines()[2] == "1,101,6210971300000000001,欧阳娜娜,123.45,困难补助，2027"


@FORMS
def test_a_return_says_what_was_paid_and_what_was_not(name: str) -> None:
    file = bank_form(name).read_return(io.BytesIO(returned(name, 2)), return_mac)
    assert (file.head.bank, file.head.batch, file.head.day) == ("icbc", 7, DAY)
    assert [(row.position, row.instruction, row.amount, row.fault) for row in file.rows] == [
        (1, 101, 12_345, ""),
        (2, 102, 24_690, FAULT),
        (3, 103, 37_035, ""),
    ]


@FORMS
@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_a_return_with_any_byte_altered_is_refused(name: str, place: int, value: int) -> None:
    content = bytearray(returned(name, 2))
    content[place % len(content)] ^= value
    with pytest.raises(ReturnRefused):
        read(name, bytes(content))


@FORMS
@given(size=st.integers(0, 10_000))
def test_a_return_that_is_cut_is_refused(name: str, size: int) -> None:
    content = returned(name, 2)
    with pytest.raises(ReturnRefused):
        read(name, content[: size % len(content)])


def without(content: bytes, line: int) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:line] + lines[line + 1 :])


@FORMS
def test_a_return_without_one_of_its_rows_or_with_one_twice_is_refused(name: str) -> None:
    content = returned(name)
    with pytest.raises(ReturnRefused, match="counts or sums of the tail"):
        read(name, without(content, 3))
    lines = content.splitlines(keepends=True)
    with pytest.raises(ReturnRefused, match="counts or sums of the tail"):
        read(name, b"".join([*lines[:4], lines[3], *lines[4:]]))
    with pytest.raises(ReturnRefused, match="below the tail"):
        read(name, content + lines[-1])


@FORMS
def test_a_return_with_the_mac_of_a_payment_file_is_refused(name: str) -> None:
    content = written(bank_form(name), payments())
    paying = PayoutBank(payments_mac, payments_mac)
    paying.execute(content)
    with pytest.raises(ReturnRefused, match="the MAC of the tail is wrong"):
        read(name, paying.answer(content, DAY))


@FORMS
def test_a_file_of_another_form_is_refused(name: str) -> None:
    other = "csv" if name == "fixed" else "fixed"
    for content in (returned(other), written(bank_form(name), payments()), b"", b"\x00" * 500, b"x\r\n" * 4):
        with pytest.raises(ReturnRefused):
            read(name, content)


@FORMS
def test_rows_that_are_not_those_of_the_head_make_no_file(name: str) -> None:
    rows = payments()
    with pytest.raises(ProgrammeError, match="has other rows than it was signed with"):
        list(bank_form(name).write(head_of(rows), rows[:2], payments_mac))


def test_what_the_fixed_form_cannot_hold_is_refused() -> None:
    for row in (payments(1, name="欧" * 31), payments(1, purpose="补" * 21)):
        with pytest.raises(ProgrammeError, match="does not fit into"):
            written(bank_form("fixed"), row)
    wide = [PaymentRow(1, 1, "6210", "王", 10**13, "x")]
    with pytest.raises(ProgrammeError, match="does not fit into 13 digits"):
        written(bank_form("fixed"), wide)


@FORMS
@given(name_of_payee=st.text(st.characters(codec="gb18030", exclude_categories=["Cs", "Cc"]), max_size=12))
def test_no_name_moves_a_field(name: str, name_of_payee: str) -> None:
    rows = payments(2, name=name_of_payee)
    assert [row.amount for row in bank().take(written(bank_form(name), rows)).rows] == [12_345, 24_690]


def test_a_large_file_is_written_and_read_in_pieces() -> None:
    form = bank_form("csv")
    rows = payments(500)
    pieces: Iterator[bytes] = form.write(head_of(rows), iter(rows), payments_mac)
    assert sum(1 for _ in pieces) == 503
