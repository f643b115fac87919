"""Explanations: what they say, and what they keep to themselves."""

from __future__ import annotations

import pytest

from terminal.emv.data.conversation import Conversation
from terminal.emv.data.dictionary import STANDARD
from terminal.emv.data.explain import Explained, Explainer, explain, explain_data
from terminal.emv.data.masking import masked_pan
from terminal.errors import TlvError
from terminal.tlv import Dol, tlv

PBOC = bytes.fromhex("A000000333010101")
VISA = bytes.fromhex("A0000000031010")
MASTERCARD = bytes.fromhex("A0000000041010")
PAN = "6212340000000000011"
TRACK2 = "6212340000000000011D3012220F"
NAME = "张伟"
ID_NUMBER = "13010219900101123X"
SECRETS = (PAN, TRACK2, PAN[6:15], NAME, ID_NUMBER, NAME.encode("gb18030").hex().upper(), ID_NUMBER.encode().hex())


def record() -> bytes:
    return tlv(
        0x70,
        [
            tlv(0x5A, bytes.fromhex(PAN + "F")),
            tlv(0x57, bytes.fromhex(TRACK2)),
            tlv(0x5F20, NAME.encode("gb18030")),
            tlv(0x9F61, ID_NUMBER.encode()),
            tlv(0x9F46, bytes.fromhex("14" + PAN + "F") + bytes(137)),
            tlv(0x9F79, bytes.fromhex("000000001234")),
            tlv(0x9F42, b"\x01\x56"),
        ],
    ).encode()


def text(*trees: Explained) -> str:
    return "\n".join(line for tree in trees for line in tree.lines())


@pytest.mark.parametrize(
    ("tag", "hexes", "aid", "lines"),
    [
        (0x95, "8000040001", None, ["byte 1 bit 8: Offline data", "byte 3 bit 3: Online CVM", "byte 5 bit 1: RFU"]),
        (0x95, "0000000000", None, ["0 bits set"]),
        (0x9B, "E800", None, ["byte 1 bit 8: Offline data authentication was performed"]),
        (0x82, "3C00", None, ["byte 1 bit 6: DDA supported"]),
        (0x9F07, "FF00", None, ["byte 1 bit 1: Valid at terminals other than ATMs"]),
        (0x9F33, "E0F8C8", None, ["byte 3 bit 4: CDA"]),
        (0x9F40, "6000F0A001", None, ["byte 5 bit 1: Code table 1"]),
        (0x9F0F, "F000000000", None, ["byte 1 bit 5: Card appears on terminal exception file"]),
        (
            0x8E,
            "000003E80000000042031F06",
            None,
            ["X: 1000 (smallest units)", "rule 1: Enciphered PIN verified online"],
        ),
        (0x9F34, "420302", None, ["Enciphered PIN verified online: successful", "condition: If terminal supports"]),
        (0x9F34, "3F0009", None, ["No CVM performed: result 09, which is RFU"]),
        (0x9F27, "8A", None, ["ARQC, go online", "advice: required", "reason: PIN Try Limit exceeded"]),
        (0x9F27, "C4", None, ["RFU, reserved", "reason: 4, RFU"]),
        (0x9F27, "50", None, ["payment system's cryptogram: 1"]),
        (0x9F5B, "1F00000001", None, ["script 00000001: processing failed at command 15 or later"]),
        (0x94, "08010200100101 01".replace(" ", ""), None, ["3 records", "SFI 1: record 1 to 2, 0 signed"]),
        (0x9F38, "9F66049F0206", VISA, ["9F66 Terminal Transaction Qualifiers (TTQ): 4 bytes"]),
        (0x9F4A, "82", None, ["82 Application Interchange Profile"]),
        (0x4F, "A000000333010102", None, ["UnionPay / PBOC credit"]),
        (0x9F1A, "0156", None, ["China (156, CN)"]),
        (0x5F2A, "0840", None, ["US Dollar (840, USD)"]),
        (0x9F12, "D2F8C1AABDE8BCC7BFA8", None, ["银联借记卡"]),
        (0x9A, "261122", None, ["2026-11-22"]),
        (0x9F35, "25", None, ["25, unattended, offline with online capability, controlled by the merchant"]),
        (0x9C, "77", None, ["77, a value without a meaning"]),
        (0x8A, "5A33", None, ["Z3, unable to go online, offline declined"]),
        (0x87, "82", None, ["priority 2, only confirmation"]),
        (0x9F4D, "0B0A", None, ["SFI 11, at most 10 records"]),
        (0x5F30, "0220", None, ["220, international with chip, authorization by the issuer, no restrictions"]),
        (0x86, "8424000008AABB", None, ["PIN CHANGE/UNBLOCK"]),
        (0x86, "84", None, ["which is no command"]),
        (0xDF69, "01", PBOC, ["SM algorithms supported"]),
        (0x9F62, "05", PBOC, ["05, other"]),
        (
            0x9F10,
            "07010103A00000040A0100",
            PBOC,
            ["CVN 1 (01, SM4)", "first GENERATE AC: ARQC", "algorithm: 04 (SM4)"],
        ),
        (0x9F10, "06010A03A4A002", VISA, ["CVN 10", "Offline PIN verification performed", "derivation key index: 01"]),
        (0x9F10, "1F2201A000000000" + "00" * 24, VISA, ["CVN '22'"]),
        (0x9F10, "0110A00003220000000000000000000000FF", MASTERCARD, ["script counter: 0", "PIN tries left: 3"]),
        (0x9F10, "0FA501A030000000" + "00" * 8 + "0F" + "00" * 15, None, ["common core, 3DES", "PIN tries left: 3"]),
    ],
)
def test_a_value_is_explained_in_words(tag: int, hexes: str, aid: bytes | None, lines: list[str]) -> None:
    output = text(explain(tag, bytes.fromhex(hexes), aid))
    for line in lines:
        assert line in output


@pytest.mark.parametrize("aid", [None, PBOC, VISA, MASTERCARD, b"\xf0\x00\x00\x00\x01"])
def test_personal_data_stay_masked_whatever_application_is_named(aid: bytes | None) -> None:
    trees = explain_data(record(), aid)
    output = text(*trees) + repr(trees) + str([tree.to_json() for tree in trees])
    for secret in SECRETS:
        assert secret.upper() not in output.upper()
    assert "621234*********0011" in output


def test_personal_data_are_shown_on_request() -> None:
    output = text(*explain_data(record(), PBOC, reveal=True))
    for shown in (PAN, NAME, ID_NUMBER, "expiry: 2030-12"):
        assert shown in output


def test_broken_personal_data_and_templates_stay_masked_too() -> None:
    broken = explain(0x57, bytes.fromhex(TRACK2[:19] + "0" * 9))
    assert (broken.value, bool(broken.fault)) == (None, True)
    cut = bytes.fromhex("5A0A" + PAN[:18])
    inside = explain(0x70, cut)
    assert PAN[:18] not in text(inside)
    assert inside.fault
    assert PAN[:18] in text(explain(0x70, cut, reveal=True))


def test_zeros_that_fill_a_text_up_to_its_list_are_no_part_of_it() -> None:
    """EMV 4.4 Book 3, 5.4: alphanumeric data are padded with zero bytes on the right."""
    dol = Dol.parse(bytes.fromhex("9F4E069C01"))
    merchant, kind = Explainer().filled(dol, b"SHOP\0\0" + b"\0")
    assert (merchant.text, merchant.fault, kind.text) == ("SHOP", "", "00, purchase")
    nothing, _ = Explainer().filled(dol, bytes(7))
    assert nothing.value == bytes(6)


def test_the_currency_beside_an_amount_counts() -> None:
    amounts = tlv(0x77, [tlv(0x9F02, bytes.fromhex("000000001234")), tlv(0x5F2A, b"\x03\x92")]).encode()
    assert "JPY 1,234" in text(*explain_data(amounts))
    odd = tlv(0x77, [tlv(0x9F02, bytes.fromhex("000000001234")), tlv(0x5F2A, b"\xff\x92")]).encode()
    assert "1234 (smallest units)" in text(*explain_data(odd))


def test_an_application_is_known_from_the_data_that_name_it() -> None:
    fci = tlv(0x6F, [tlv(0x84, PBOC), tlv(0xA5, [tlv(0xBF0C, [tlv(0xDF4D, b"\x0c\x0a")])])]).encode()
    assert "Load Log Entry [0C0A]: SFI 12" in text(*explain_data(fci))


def test_a_payment_systems_tag_without_an_application_is_named_as_such() -> None:
    assert "its application is not known" in str(explain(0x9F79, bytes(6)))
    assert "(unknown)" in str(explain(0x9F79, bytes(6), MASTERCARD))
    assert "(unknown)" in str(explain(0xDF7E, b"\x01"))


def test_a_value_that_breaks_its_format_is_shown_with_the_fault() -> None:
    output = explain(0x9A, bytes.fromhex("261301"))
    assert str(output) == "9A Transaction Date: 261301 ! no day of the calendar"


def test_bytes_that_are_no_data_objects_are_refused() -> None:
    with pytest.raises(TlvError):
        explain_data(b"\x5a\x0a\x01")


def test_a_tree_is_drawn_and_goes_into_json() -> None:
    (tree,) = explain_data(bytes.fromhex("7709820201009F36020005"))
    assert list(tree.lines("  ")) == [
        "  77 Response Message Template Format 2",
        "  ├─ 82 Application Interchange Profile [0100]: 1 bit set",
        "  │  └─ byte 1 bit 1: CDA supported",
        "  └─ 9F36 Application Transaction Counter (ATC) [0005]: 5",
    ]
    assert tree.to_json()["children"][1] == {
        "tag": "9F36",
        "name": "Application Transaction Counter (ATC)",
        "value": "0005",
        "text": "5",
    }


@pytest.mark.parametrize(
    ("digits", "masked"),
    [("6212340000000000011", "621234*********0011"), ("123456789012", "********9012"), ("1234", "****"), ("", "****")],
)
def test_card_numbers_are_masked(digits: str, masked: str) -> None:
    assert masked_pan(digits) == masked


def test_values_cut_by_a_list() -> None:
    dol = Dol.of((0x9F02, 6), (0x5F2A, 2))
    output = text(*Explainer().filled(dol, bytes.fromhex("0000000012340156")))
    assert "9F02 Amount, Authorised (Numeric) [000000001234]: CNY 12.34" in output
    with pytest.raises(TlvError):
        Explainer().filled(dol, b"")


class TestConversation:
    """One dialogue with a card that answers in format 1."""

    FCI = tlv(
        0x6F, [tlv(0x84, PBOC), tlv(0xA5, [tlv(0x50, b"PBOC"), tlv(0x9F38, bytes.fromhex("9F0206DF6901"))])]
    ).encode()
    RECORD = tlv(
        0x70, [tlv(0x8C, bytes.fromhex("9F02065F2A02")), tlv(0x8D, bytes.fromhex("8A02")), tlv(0x9F49, b"\x9f\x37\x04")]
    ).encode()

    def test_it_follows_the_cards_lists(self) -> None:
        talk = Conversation(Explainer(dictionary=STANDARD))
        output = text(*talk.exchange(bytes.fromhex("00A40400"), PBOC, self.FCI))
        assert "UnionPay / PBOC debit" in output
        output = text(
            *talk.exchange(
                bytes.fromhex("80A80000"), bytes.fromhex("830700000000123401"), b"\x80\x06\x7c\x00\x08\x01\x01\x00"
            )
        )
        assert "SM algorithms supported" in output
        assert "SFI 1: record 1, 0 signed" in output
        assert "82 Application Interchange Profile [7C00]" in output
        assert "CDOL1" in text(*talk.exchange(bytes.fromhex("00B2010C"), b"", self.RECORD))
        assert "9F37 Unpredictable Number: 01020304" in text(
            *talk.exchange(bytes.fromhex("00880000"), b"\x01\x02\x03\x04", b"\x80\x02\x0a\x0b")
        )
        answer = b"\x80\x13" + bytes.fromhex("800005" + "AA" * 8 + "07010103A4A00001")
        output = text(*talk.exchange(bytes.fromhex("80AE8000"), bytes.fromhex("0000000012340156"), answer))
        assert "CNY 12.34" in output
        assert "ARQC, go online" in output
        assert "CVN 1 (01, 3DES)" in output
        assert "91 Issuer Authentication Data" in text(*talk.exchange(bytes.fromhex("00820000"), bytes(8), b""))
        output = text(
            *talk.exchange(bytes.fromhex("80AE4000"), b"00", answer.replace(b"\x80\x00\x05", b"\x40\x00\x05"))
        )
        assert "00, approved online" in output
        assert "TC, approved" in output

    def test_pins_and_secure_messaging_are_not_explained(self) -> None:
        talk = Conversation(Explainer(reveal=True))
        assert talk.exchange(bytes.fromhex("00200080"), bytes.fromhex("241234FFFFFFFFFF"), b"") == ()
        assert talk.exchange(bytes.fromhex("84A80000"), b"\x83\x00", b"") == ()

    def test_nonsense_is_explained_as_such_and_not_raised(self) -> None:
        talk = Conversation(Explainer())
        assert "!" in text(*talk.exchange(bytes.fromhex("00B2010C"), b"", b"\x70\x05\x5a"))
        assert "!" in text(*talk.exchange(bytes.fromhex("80A80000"), b"\x84\x00", b""))
        assert "for a list that was not seen" in text(*talk.exchange(bytes.fromhex("80AE4000"), b"\x01\x02", b""))
        output = text(*talk.exchange(bytes.fromhex("00B2010C"), b"", b"\x70\x03\x8c\x01\x9f"))
        assert "ends inside an entry" in output


def test_a_length_with_more_bytes_than_it_needs_is_remarked() -> None:
    """EMV 4.4 Book 3, Annex B2."""
    lines = explain_data(bytes.fromhex("70810B 9F27820001C0 9F36020007".replace(" ", "")))
    shown = [str(line) for line in lines]
    assert "(length)" in shown[0]
    assert "810B has more bytes than it needs" in shown[0]
    assert "820001 has more bytes than it needs" in "\n".join(lines[1].lines())
