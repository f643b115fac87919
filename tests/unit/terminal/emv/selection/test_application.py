"""GET PROCESSING OPTIONS and the records, one exact conversation for each rule. EMV 4.4 Book 3, 10.1, 10.2, 7.5."""

from __future__ import annotations

import pytest

from terminal.emv.data.records import Afl
from terminal.emv.selection.application import (
    MOST_RECORDS,
    CardRecords,
    Opened,
    card_number,
    initiate,
    open_application,
    read_application,
)
from terminal.emv.selection.selection import Selected, Supported
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.state import TransactionState
from terminal.tlv import decode
from tests.support.cards.kernel_state import (
    CREDIT,
    DEBIT,
    PSE,
    Turn,
    card_with,
    fci,
    gpo,
    new_state,
    read,
    select,
    stops,
    texts,
    tlv,
)

UNIONPAY = Supported(bytes.fromhex("A000000333"))
MANDATORY = {"5A": "6222020000000000012F", "5F24": "301231", "8C": "9F02069F3704", "8D": "8A02"}


def selected(pdol: str = "") -> Selected:
    inside = (tlv("9F38", pdol),) if pdol else ()
    return Selected(bytes.fromhex(DEBIT), UNIONPAY, decode(bytes.fromhex(fci(DEBIT, *inside)[:-4])), "DEBIT")


def opened(afl: str) -> Opened:
    return Opened(selected(), b"", bytes.fromhex("3C00"), Afl.parse(bytes.fromhex(afl)))


def aware() -> TransactionState:
    state = new_state()
    state.aid = bytes.fromhex(DEBIT)
    return state


def content(*leave_out: str, **more: str) -> str:
    return "".join(tlv(tag, value) for tag, value in (MANDATORY | more).items() if tag not in leave_out)


def record(*inside: str) -> str:
    return tlv("70", *inside) + "9000"


def test_format_80() -> None:
    state = aware()
    with card_with(gpo("", tlv("80", "3C00", "08010100", "10010301") + "9000")) as sender:
        result = initiate(state, sender, selected())
    assert result is not None
    assert (result.aip.hex(), result.afl.encode().hex(), result.pdol_data) == ("3c00", "0801010010010301", b"")
    assert state.card == {0x82: bytes.fromhex("3C00"), 0x94: bytes.fromhex("0801010010010301")}


def test_format_77_with_more_inside() -> None:
    inside = tlv("9F36", "0001") + tlv("94", "08010100") + tlv("82", "7D00")
    with card_with(gpo("", tlv("77", inside) + "9000")) as sender:
        result = initiate(aware(), sender, selected())
    assert result is not None
    assert (result.aip.hex(), result.afl.encode().hex()) == ("7d00", "08010100")


def test_the_pdol_is_filled_each_element_by_its_format() -> None:
    pdol = "DF69019F1A039F02049F37069F0902DF7F029505"
    data = "0100015600001234A1B2C3D40000003000000000000000"
    with card_with(gpo(data, tlv("80", "3C00", "08010100") + "9000")) as sender:
        result = initiate(aware(), sender, selected(pdol))
    assert result is not None
    assert result.pdol_data.hex().upper() == data


def test_an_application_that_may_not_be_used_gives_way_to_the_next() -> None:
    state, prepared = new_state(), []
    entries = [tlv("61", tlv("4F", name), tlv("87", rank)) for name, rank in ((DEBIT, "01"), (CREDIT, "02"))]
    turns = [
        select(PSE, fci(PSE, tlv("88", "01"))),
        read(1, 1, tlv("70", *entries) + "9000"),
        read(1, 2, "6A83"),
        select(DEBIT, fci(DEBIT, tlv("5F2D", "7A68"))),
        gpo("", "6985"),
        select(CREDIT, fci(CREDIT, tlv("9F38", "9F0902"))),
        gpo("0102", tlv("80", "0000", "08010100") + "9000"),
    ]

    def prepare(chosen: Selected) -> None:
        prepared.append(chosen.name.hex().upper())
        state.terminal[0x9F09] = b"\x01\x02"

    with card_with(*turns) as sender:
        result = open_application(state, sender, [UNIONPAY], None, prepare=prepare)
    assert prepared == [DEBIT, CREDIT]
    assert result.selected.name.hex().upper() == CREDIT
    assert 0x5F2D not in state.card
    assert "not to be used now: 6985" in texts(state)


def test_no_application_may_be_used() -> None:
    state = new_state()
    turns = [
        select("A000000333", fci(DEBIT)),
        select("A000000333", "6A82", following=True),
        select(DEBIT, fci(DEBIT)),
        gpo("", "6985"),
    ]
    with card_with(*turns) as sender, stops(state, Result.TERMINATED, "opens no application"):
        open_application(state, sender, [UNIONPAY], None, prepare=lambda _: None, pse=False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("6A81", "answered 6A81"),
        ("6283", "answered 6283"),
        ("9000", "no AIP and AFL"),
        ("80023C009000", "no AIP and AFL"),
        ("80053C000801019000", "no AIP and AFL"),
        (tlv("80", "3C00", "0801010008") + "9000", "locator is in error"),
        (tlv("80", "3C00", "00010100") + "9000", "locator is in error"),
        (tlv("80", "3C00", "F8010100") + "9000", "locator is in error"),
        (tlv("80", "3C00", "08000100") + "9000", "locator is in error"),
        (tlv("80", "3C00", "08020100") + "9000", "locator is in error"),
        (tlv("80", "3C00", "08010102") + "9000", "locator is in error"),
        (tlv("77", tlv("82", "3C00")) + "9000", "no AIP and AFL"),
        (tlv("77", tlv("94", "08010100")) + "9000", "no AIP and AFL"),
        (tlv("77", tlv("82", "3C"), tlv("94", "08010100")) + "9000", "no AIP and AFL"),
        (tlv("77", tlv("82", "3C00"), tlv("82", "3C00"), tlv("94", "08010100")) + "9000", "no AIP and AFL"),
        (tlv("77", tlv("82", "3C00"), tlv("94")) + "9000", "no AIP and AFL"),
        (tlv("82", "3C00") + tlv("94", "08010100") + "9000", "no AIP and AFL"),
        ("770482023C9000", "no AIP and AFL"),
    ],
)
def test_what_ends_the_transaction_in_get_processing_options(answer: str, reason: str) -> None:
    state = aware()
    with card_with(gpo("", answer)) as sender, stops(state, Result.TERMINATED, reason):
        initiate(state, sender, selected())


@pytest.mark.parametrize(("pdol", "reason"), [("9F37", "PDOL is out of form"), ("9F02FF", "no command carries")])
def test_a_pdol_out_of_form_ends_the_transaction(pdol: str, reason: str) -> None:
    state = aware()
    with card_with() as sender, stops(state, Result.TERMINATED, reason):
        initiate(state, sender, selected(pdol))


def test_records_are_read_in_the_order_of_the_afl_and_stored_by_tag() -> None:
    state = aware()
    turns = [
        read(2, 3, record(content(**{"5F34": "01", "9F37": "FFFFFFFF", "8A": "3030", "DF7A": "01"}))),
        read(1, 1, record(tlv("8E", "00000000000000001F03"))),
        read(1, 2, record()),
    ]
    with card_with(*turns) as sender:
        result = read_application(state, sender, opened("1003030108010201"))
    assert [(r.sfi, r.number, r.signed) for r in result.records] == [(2, 3, True), (1, 1, True), (1, 2, False)]
    assert result.unfit is None
    assert {f"{tag:X}" for tag in state.card} == {*MANDATORY, "5F34", "8E"}


@pytest.mark.parametrize("missing", list(MANDATORY))
def test_mandatory_data_missing(missing: str) -> None:
    state = aware()
    with card_with(read(1, 1, record(content(missing)))) as sender:
        with stops(state, Result.TERMINATED, f"mandatory data are missing: .*{missing}"):
            read_application(state, sender, opened("08010100"))


@pytest.mark.parametrize(
    "turns",
    [
        [read(1, 1, record(content(), content("5F24", "8C", "8D")))],
        [read(1, 1, record(content())), read(1, 2, record(tlv("5F34", "01"), tlv("5F34", "01")))],
        [read(1, 1, record(content())), read(1, 2, record(tlv("8D", "8A02")))],
    ],
)
def test_an_element_twice(turns: list[Turn]) -> None:
    state = aware()
    with card_with(*turns) as sender, stops(state, Result.TERMINATED, "occurs twice"):
        read_application(state, sender, opened(f"0801{len(turns):02X}00"))


def test_an_unknown_element_twice_is_not_the_terminals_business() -> None:
    state = aware()
    with card_with(read(1, 1, record(content(), tlv("DF7A", "01"), tlv("DF7A", "02")))) as sender:
        read_application(state, sender, opened("08010100"))
    assert 0xDF7A not in state.card


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("6A83", "answered 6A83"),
        ("6281", "answered 6281"),
        ("9000", "not one 70 template"),
        ("5A01129000", "not one 70 template"),
        ("700070009000", "not one 70 template"),
        ("70025A9000", "truncated"),
        ("70045A0512349000", "truncated"),
        ("7000009000", "beside its 70 template"),
    ],
)
def test_records_out_of_form_of_sfi_1_to_10(answer: str, reason: str) -> None:
    state = aware()
    with card_with(read(10, 1, answer)) as sender, stops(state, Result.TERMINATED, reason):
        read_application(state, sender, opened("50010100"))


@pytest.mark.parametrize(("signed", "unfit"), [("01", True), ("00", False)])
def test_a_record_of_sfi_11_to_30_has_its_owners_form(signed: str, unfit: bool) -> None:
    state = aware()
    turns = [read(1, 1, record(content())), read(11, 1, "01020304059000")]
    with card_with(*turns) as sender:
        result = read_application(state, sender, opened(f"08010101580101{signed}"))
    assert isinstance(result, CardRecords)
    assert (result.unfit is not None, len(result.records)) == (unfit, 1)


def test_an_afl_of_thousands_of_records_is_not_read() -> None:
    state = aware()
    with card_with() as sender, stops(state, Result.TERMINATED, f"508 records; {MOST_RECORDS} are the most"):
        read_application(state, sender, opened("0801FE001001FE00"))


@pytest.mark.parametrize(
    ("pan", "digits"),
    [
        ("6222020000000000012F", "6222020000000000012"),
        ("6222020000000008", "6222020000000008"),
        ("62220200", "62220200"),
        ("622202AF", None),
        ("6222F2000000", None),
        ("62220200000000000122", None),
        ("6222", None),
        ("", None),
        ("6222020000000000012FFF", None),
    ],
)
def test_card_numbers(pan: str, digits: str | None) -> None:
    assert card_number(bytes.fromhex(pan)) == digits


def test_a_card_number_out_of_form_ends_the_transaction() -> None:
    state = aware()
    with card_with(read(1, 1, record(content(**{"5A": "62220A"})))) as sender:
        with stops(state, Result.TERMINATED, "card number is out of form"):
            read_application(state, sender, opened("08010100"))
