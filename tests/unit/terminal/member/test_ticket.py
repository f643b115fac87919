"""A ticket as a signed code: it says what was signed, and every byte that is altered is refused."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date

import pytest

from terminal.crypto import rsa
from terminal.errors import CodecError, CryptoError
from terminal.member.signed import representative
from terminal.member.ticket import LONGEST, Ticket

KEY = rsa.generate(2048, 65537)
OTHER = rsa.generate(2048, 65537)
TICKET = Ticket(7, "ditan-am", 20_017, date(2026, 11, 22), date(2026, 12, 31), "0017")


def sign(message: bytes) -> bytes:
    return rsa.private(KEY, message)


def written(ticket: Ticket = TICKET) -> str:
    return ticket.write(KEY.public, sign)


@pytest.mark.parametrize(
    "ticket",
    [
        TICKET,
        replace(TICKET, lot="-"),
        replace(TICKET, lot="z" * 40, rush=2**32 - 1, number=2**32 - 1, last=date(2099, 12, 31), card_tail="9999"),
        replace(TICKET, lot="0" * 40, first=date(2000, 1, 1), card_tail="0000"),
    ],
)
def test_a_code_says_what_was_signed_and_is_short(ticket: Ticket) -> None:
    code = written(ticket)
    assert Ticket.read(code, KEY.public) == ticket
    assert Ticket.read(f" {code.lower()}\n", KEY.public) == ticket
    assert len(base64.b32decode(code + "=" * (-len(code) % 8))) <= LONGEST


def test_every_byte_that_is_altered_is_refused() -> None:
    code = written()
    whole = bytearray(base64.b32decode(code + "=" * (-len(code) % 8)))
    for place in range(len(whole)):
        whole[place] ^= 1 << place % 8
        with pytest.raises((CodecError, CryptoError)):
            Ticket.read(base64.b32encode(whole).decode().rstrip("="), KEY.public)
        whole[place] ^= 1 << place % 8


def test_every_letter_that_is_altered_or_missing_is_refused() -> None:
    code = written()
    for place, letter in enumerate(code):
        other = "A" if letter != "A" else "B"
        for changed in (code[:place] + other + code[place + 1 :], code[:place] + code[place + 1 :]):
            with pytest.raises((CodecError, CryptoError)):
                Ticket.read(changed, KEY.public)


@pytest.mark.parametrize("code", ["", "A", "票", "A" * 80, "A" * 480, "=" * 8, "1!"])
def test_what_is_no_code_of_a_ticket_is_refused(code: str) -> None:
    with pytest.raises((CodecError, CryptoError)):
        Ticket.read(code, KEY.public)


def test_a_ticket_of_another_key_is_refused() -> None:
    with pytest.raises(CryptoError, match="not signed by this federation"):
        Ticket.read(written(), OTHER.public)


def test_the_signature_of_a_list_is_none_of_a_ticket() -> None:
    code = written()
    content = base64.b32decode(code + "=" * (-len(code) % 8))[: -KEY.public.size]
    bare = content + sign(representative(content, KEY.public.size))
    with pytest.raises(CryptoError, match="not signed by this federation"):
        Ticket.read(base64.b32encode(bare).decode().rstrip("="), KEY.public)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(TICKET, lot=""),
        replace(TICKET, lot="Ditan"),
        replace(TICKET, lot="z" * 41),
        replace(TICKET, number=2**32),
        replace(TICKET, first=date(1999, 12, 31)),
        replace(TICKET, card_tail="x"),
    ],
)
def test_values_without_a_place_in_the_code_are_refused(wrong: Ticket) -> None:
    with pytest.raises(CodecError):
        written(wrong)


def test_a_key_that_is_too_long_for_the_code_is_refused() -> None:
    long = rsa.generate(3072, 65537)
    with pytest.raises(CodecError, match="its key is too long"):
        TICKET.write(long.public, lambda message: rsa.private(long, message))
