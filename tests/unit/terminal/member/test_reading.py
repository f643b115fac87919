"""Reading a member card without judging it, and the protected record behind the secure channel."""

from __future__ import annotations

import pytest

from terminal.apdu import Command, Response, StatusWord, stack
from terminal.errors import CardMalformed, CardRefused
from terminal.member import elements
from terminal.member.reading import Aip, read_card, read_protected, select
from terminal.member.values import IdType
from tests.support.cards.member_issuer import AID, Issue, objects, tlv

TERMINAL = {0x9F1A: bytes.fromhex("0156"), 0x9F37: bytes.fromhex("A1B2C3D4")}
PROTECTED = {"9F61": b"13010219900101123X", "9F62": "00", "DF2C": "013800138000"}


class Secured:
    """Stands for an SCP03 session: answers READ RECORD of SFI 5 with one record."""

    def __init__(self, answer: bytes, sw: int = 0x9000) -> None:
        self.answer = Response(answer, StatusWord(sw))

    def send(self, command: Command) -> Response:
        assert command.header == bytes.fromhex("00B2012C")
        return self.answer


def test_everything_that_anyone_may_read() -> None:
    scripted = Issue().card()
    card = read_card(stack(scripted), TERMINAL)
    assert card.application.name == AID
    assert card.application.rid == AID[:5]
    assert card.options.can == Aip.DDA | Aip.CDA
    assert card.get(elements.UNIT_NAME) == "省直机关工会"
    assert card.get(elements.CARDHOLDER_NAME) is None
    assert [(r.sfi, r.number) for r in card.records] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1)]
    assert card.unsigned == scripted.contents[1, 2] + scripted.contents[3, 1]
    assert repr(card) == "<MemberCard F04D454D4245520101, 7 records>"


def test_a_missing_element_is_named() -> None:
    card = read_card(stack(Issue().card()), TERMINAL)
    with pytest.raises(CardMalformed, match=r"it has no cardholder name \(5F20\)"):
        card.need(elements.CARDHOLDER_NAME)


def test_a_card_without_a_pdol_gets_an_empty_template() -> None:
    scripted = Issue().card()
    scripted.answers["A4"] = tlv("6F", tlv("84", AID) + tlv("A5", objects({"50": b"UNION MEMBER"}))) + b"\x90\x00"
    read_card(stack(scripted), TERMINAL)
    assert scripted.log[1] == "80A8000002830000"


def test_a_longer_name_is_still_the_application() -> None:
    scripted = Issue().card()
    scripted.answers["A4"] = tlv("6F", tlv("84", AID + b"\x02")) + b"\x90\x00"
    assert select(stack(scripted)).name == AID + b"\x02"


def test_an_object_twice_in_two_records() -> None:
    scripted = Issue().card()
    scripted.contents[1, 2] += bytes.fromhex("5F340102")
    with pytest.raises(CardMalformed, match="reading SFI 1, record 2: 5F34 occurs twice"):
        read_card(stack(scripted), TERMINAL)


def test_the_protected_record() -> None:
    data = read_protected(Secured(tlv("70", objects(PROTECTED))))
    assert data.id_number.reveal() == b"13010219900101123X"
    assert data.mobile.reveal() == b"13800138000"
    assert data.id_type is IdType.RESIDENT_ID
    assert "1301" not in repr(data)
    assert "1380" not in repr(data)


def test_the_protected_record_without_the_secure_channel() -> None:
    with pytest.raises(CardRefused, match="reading SFI 5, record 1: card answered 6982"):
        read_protected(Secured(b"", 0x6982))


@pytest.mark.parametrize(("tag", "value"), [("9F61", None), ("DF2C", "113800138000"), ("9F62", "09")])
def test_a_protected_record_out_of_form(tag: str, value: str | None) -> None:
    bent = {t: v for t, v in (PROTECTED | {tag: value}).items() if v is not None}
    with pytest.raises(CardMalformed, match=f"reading the protected record: .*{tag}") as caught:
        read_protected(Secured(tlv("70", objects(bent))))
    assert "1380" not in str(caught.value)
