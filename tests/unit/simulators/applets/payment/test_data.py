"""The payment application stores its data groupings, checks them, becomes PERSONALIZED, and is read."""

from __future__ import annotations

import pytest

from simulators.applets.payment.applet import PaymentApplet
from simulators.card.applet import Refuse
from tests.support.cards.applet_host import BareHost, send, store
from tests.support.cards.member_specimen import padded, record
from tests.support.cards.payment_specimen import (
    AFL,
    AID,
    AIP,
    CDOL1,
    SM_AFL,
    PaymentSpecimen,
    fci,
    lists,
    options,
    specimen,
)
from tests.support.cards.payment_till import ARQC, Till, given


@pytest.fixture(scope="module")
def card() -> PaymentSpecimen:
    return specimen()


def refusal_of(groups: dict[int, bytes]) -> int:
    host = BareHost()
    with pytest.raises(Refuse) as refused:
        store(PaymentApplet(host, AID, b""), groups.items())
    assert not host.personalized
    return int(refused.value.sw)


def test_a_complete_set_makes_it_personalized(card: PaymentSpecimen) -> None:
    host, applet = card.issued()
    assert host.personalized
    head = bytes.fromhex("6F") + bytes((10 + len(fci()),)) + bytes.fromhex("8408") + AID
    assert applet.select(0) == head + fci()
    assert applet.select_status == 0x9000


def test_nothing_useful_is_answered_before(card: PaymentSpecimen) -> None:
    applet = PaymentApplet(BareHost(), AID, b"")
    store(applet, card.groups.items(), last=False)
    with pytest.raises(Refuse, match="6985"):
        applet.select(0)
    for command in ("80A8000002830000", "00B2010C00", "00880000041122334400", "80CA9F3600", "0084000000"):
        assert send(applet, command).sw == 0x6985


@pytest.mark.parametrize(
    "missing",
    [
        (0x9102,), (0x9200,), (0x9104, 0x9106), (0x8000, 0x9000, 0x8020, 0x9020), (0x8000,), (0x9000,), (0x9020,),
        (0x0101,), (0x0202,), (0x0301,), (0x8201,), (0x8205,), (0x8301,), (0x8104,), (0x8010,), (0x9010,),
    ],
    ids=lambda numbers: " ".join(f"{n:04X}" for n in numbers),
)  # fmt: skip
def test_what_is_missed_at_the_end(card: PaymentSpecimen, missing: tuple[int, ...]) -> None:
    assert refusal_of(card.without(*missing).groups) == 0x6985


@pytest.mark.parametrize(
    "missing",
    [
        (0x8010, 0x9010),
        (0x8020, 0x9020),
        (0x8000, 0x9000),
        (0x8104, 0x9106, 0x0301),
        (0x8201, 0x8202, 0x8203, 0x8204, 0x8205, 0x9104),
        (0x8201, 0x8202, 0x8203, 0x8204, 0x8205, 0x9106),
        (0x8301, 0x8302, 0x8303, 0x8304, 0x8305),
        (0x0D01,),
    ],
)
def test_what_a_profile_may_leave_out(card: PaymentSpecimen, missing: tuple[int, ...]) -> None:
    host, _ = card.without(*missing).issued()
    assert host.personalized


@pytest.mark.parametrize("number", [0x0000, 0x0100, 0x01FF, 0x1F01, 0x7FFF, 0x8101, 0x8030, 0x9105, 0x9FFF])
def test_an_unknown_grouping(number: int) -> None:
    assert refusal_of({number: record(b"")}) == 0x6A88


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (0x0101, record(bytes.fromhex("8C02 9F37"))),
        (0x0101, record(b"") + b"\x00"),
        (0x0D01, bytes.fromhex("9F580203 04")),
        (0x0D01, bytes.fromhex("9F5406 00000000000A")),
        (0x0D01, bytes.fromhex("9F3602 0001")),
        (0x0E01, bytes.fromhex("9F4F03 9F3602 9F")),
        (0x0E01, bytes.fromhex("9F4F02 9F36")),
        (0x9102, bytes.fromhex("A504 9F3801 9F")),
        (0x9104, bytes.fromhex("82023100")),
        (0x9104, bytes.fromhex("8005 7C0008 0101")),
        (0x9104, bytes.fromhex("8006 7C00 08010100 00")),
        (0x9104, bytes.fromhex("7706 82027C00 9400")),
        (0x9200, bytes.fromhex("0701010300")),
        (0x9200, bytes.fromhex("0801010300000001")),
        (0x9200, bytes.fromhex("1F2201") + bytes(28)),
        (0x9201, bytes.fromhex("010204")),
        (0x9201, bytes.fromhex("010003")),
        (0x8020, bytes(47)),
        (0x8104, padded(bytes(32))),
        (0x8104, padded(b"\xff" * 32)),
        (0x8104, b"\x01" * 32),
        (0x9010, bytes((4, 3))),
    ],
    ids=lambda v: f"{v:04X}" if isinstance(v, int) else v.hex()[:24],
)
def test_a_malformed_grouping(number: int, value: bytes) -> None:
    assert refusal_of({number: value}) == 0x6A80


@pytest.mark.parametrize("checks", [0x9000, 0x9020])
def test_keys_that_do_not_have_their_check_values(card: PaymentSpecimen, checks: int) -> None:
    wrong = bytearray(card.groups[checks])
    wrong[4] ^= 1
    assert refusal_of(card.having(checks, bytes(wrong)).groups) == 0x9485
    assert refusal_of({checks: bytes(wrong), **card.without(checks).groups}) == 0x9485, "in whatever order"


@pytest.mark.parametrize("number", [0x8203, 0x8301])
def test_components_of_no_key(card: PaymentSpecimen, number: int) -> None:
    component = bytearray(card.groups[number])
    component[40] ^= 1
    assert refusal_of(card.having(number, bytes(component)).groups) == 0x6A80


def test_options_without_lists_are_no_payment_application(card: PaymentSpecimen) -> None:
    for empty in (lists(cdol1=b""), lists(cdol2=b"")):
        assert refusal_of(card.having(0x0101, empty).groups) == 0x6985


def test_a_key_too_long_for_a_combined_signature() -> None:
    """An answer has 256 bytes: EMV 4.4 Book 2, D1.2. Without CDA the longest key is fine."""
    assert refusal_of(specimen(1984).groups) == 0x6A80
    host, _ = specimen(1984, aip=b"\x7c\x00").issued()
    assert host.personalized


GPO = "80A800000C 830A 00 000000001234 0156 00 00"


def test_options_in_both_formats(card: PaymentSpecimen) -> None:
    """EMV 4.4 Book 3, 6.5.8.4: format 2 for bare objects or a 77, format 1 for an 80."""
    for value, expected in (
        (options(), b"\x77\x0e" + options()),
        (b"\x77\x0e" + options(), b"\x77\x0e" + options()),
        (b"\x80\x0a" + AIP + AFL, b"\x80\x0a" + AIP + AFL),
    ):
        _, applet = card.having(0x9104, value).issued()
        assert send(applet, GPO).data == expected
        assert send(applet, GPO).sw == 0x6985, "one transaction for each selection"


def test_a_long_file_locator(card: PaymentSpecimen) -> None:
    afl = AFL + bytes.fromhex("08010100") * 32
    _, applet = card.having(0x9104, options()[:4] + b"\x94\x81" + bytes((len(afl),)) + afl).issued()
    assert send(applet, GPO).data[-len(afl) :] == afl


def test_the_terminal_chooses_the_algorithms(card: PaymentSpecimen) -> None:
    """DF69 in the PDOL; a card with one algorithm takes that."""
    chinese = GPO[:-5] + "01 00"
    for groups, command, afl in (
        (card, GPO, AFL),
        (card, chinese, SM_AFL),
        (card.without(0x9106), chinese, AFL),
        (card.without(0x9104), GPO, SM_AFL),
    ):
        _, applet = groups.issued()
        assert send(applet, command).data[-8:] == afl


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("80A8000002830000", 0x6700),
        ("80A80000", 0x6A80),
        ("80A80100" + GPO[8:], 0x6A86),
        ("00A80000" + GPO[8:], 0x6E00),
        ("00B2020C00", 0x6A83),
        ("00B2016C00", 0x6A82),
        ("00B2010400", 0x6A82),
        ("00B201FC00", 0x6A82),
        ("00B2000C00", 0x6A86),
        ("00B2010C01AA", 0x6700),
        ("80CA005A00", 0x6A88),
        ("80CA9F3601AA", 0x6700),
        ("0084000100", 0x6A86),
        ("80E2000000", 0x6D00),
        ("00D0000000", 0x6D00),
    ],
)
def test_refusals(card: PaymentSpecimen, command: str, sw: int) -> None:
    _, applet = card.issued()
    assert send(applet, command).sw == sw


def test_records_and_data(card: PaymentSpecimen) -> None:
    _, applet = card.issued()
    assert send(applet, "00B2010C00").data == lists()
    assert send(applet, "00B2011400").data == card.groups[0x0201]
    assert send(applet, "80CA9F3600").data == bytes.fromhex("9F36020000")
    assert send(applet, "80CA9F1300").data == bytes.fromhex("9F13020000")
    assert send(applet, "80CA9F1700").data == bytes.fromhex("9F170103")
    assert send(applet, "80CA9F5800").data == bytes.fromhex("9F580103")
    assert send(applet, "80CA9F5400").data == bytes.fromhex("9F5406000000010000")
    send(applet, GPO)
    assert send(applet, "80CA9F3600").data == bytes.fromhex("9F36020001")


def test_the_atc_ends(card: PaymentSpecimen) -> None:
    host, applet = card.issued()
    applet.state.atc = 0xFFFE
    assert send(applet, GPO).sw.ok
    applet.select(0)
    assert send(applet, GPO).sw == 0x6985
    host.restart()
    assert applet.select_status == 0x6283
    assert applet.state.atc == 0xFFFF


def test_a_contactless_interface_has_its_own_template_and_options(card: PaymentSpecimen) -> None:
    dual = card.having(0x9103, fci(log=b"")).having(0x9207, options(b"\x7c\x00"))
    _, applet = dual.issued(contactless=True)
    assert applet.select(0).endswith(fci(log=b""))
    assert send(applet, GPO).data[:6] == bytes.fromhex("770E82027C00")
    _, contact = dual.issued()
    assert contact.select(0).endswith(fci())
    assert send(contact, GPO).data[4:6] == AIP


def test_lists_are_those_of_the_options_in_use(card: PaymentSpecimen) -> None:
    """Records that the AFL does not name do not count, so that both algorithms may have lists of their own."""
    other = record(b"\x8c\x03\x9f\x37\x04\x8d\x03\x9f\x37\x04")
    _, applet = card.having(0x0302, other).having(0x9106, options(AIP, bytes.fromhex("18010201"))).issued()
    send(applet, GPO[:-5] + "01 00")
    assert applet.transaction is not None
    assert applet.transaction.options.cdol1.encode() == bytes.fromhex("9F3704")
    applet.select(0)
    send(applet, GPO)
    assert applet.transaction is not None
    assert applet.transaction.options.cdol1.encode() == CDOL1


@pytest.mark.parametrize(
    ("number", "value", "sw"),
    [
        (0x9200, bytes.fromhex("9F10080701010300000001 8201AA"), 0x6A80),
        (0x9200, bytes.fromhex("9F1003070101"), 0x6A80),
        (0x9207, options() + bytes.fromhex("9F1003070101"), 0x6A80),
        (0x9207, options() + bytes.fromhex("8A023030"), 0x6A80),
    ],
)
def test_issuer_application_data_as_an_object_are_checked_too(number: int, value: bytes, sw: int) -> None:
    assert refusal_of({number: value}) == sw


def test_the_antenna_has_an_fci_options_and_issuer_data_of_its_own(card: PaymentSpecimen) -> None:
    """As personalization data of the field have them: 9F10 a data object, in 9207 another, no lists behind it."""
    antenna_fci = fci(pdol=bytes.fromhex("9F6604"))
    specimen_ = card.having(0x9103, antenna_fci).having(0x9200, bytes.fromhex("9F10080701010300000001"))
    specimen_ = specimen_.having(
        0x9207, options(b"\x7c\x00", bytes.fromhex("10010200")) + bytes.fromhex("9F100807020103000000 01")
    )
    _, contact = specimen_.issued()
    assert contact.select(0).endswith(fci())
    assert Till(contact).run(ARQC).issuer_data.hex() == "07010103a0100001"
    _, antenna = specimen_.issued(contactless=True)
    assert antenna.select(0).endswith(antenna_fci)
    answer = send(antenna, "80A80000068304F600000000")
    assert answer.data == bytes.fromhex("770A82027C00940410010200")
    own = given(send(antenna, "80AE800000"))
    assert own.issuer_data.hex()[:6] == "070201"


def test_data_objects_are_readable_or_internal(card: PaymentSpecimen) -> None:
    """GET DATA gives what DGI 0D01 names; counters that personalization sends as zeros do no harm."""
    own = bytes.fromhex("9F52028000 9F36020000 9F13020000")
    _, applet = card.having(0x0E01, own).issued()
    assert send(applet, "80CA9F5800").data == bytes.fromhex("9F580103")
    assert send(applet, "80CA9F5200").data == bytes.fromhex("9F52028000"), "0D01 of this card names it"
    _, silent = card.having(0x0D01, bytes.fromhex("9F580103")).having(0x0E01, own).issued()
    assert send(silent, "80CA9F5200").sw == 0x6A88
    assert send(silent, "80CA9F3600").data == bytes.fromhex("9F36020000")
