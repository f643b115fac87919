"""The state machine of a transaction and card risk management: TC, ARQC or AAC, and the CVR."""

from __future__ import annotations

import pytest

from simulators.applets.payment.state import Indicator
from tests.support.cards.applet_host import send
from tests.support.cards.payment_specimen import INTERNAL, PIN_BLOCK, PaymentSpecimen, fci, options, specimen
from tests.support.cards.payment_till import AAC, ARQC, TC, Till

RIGHT, WRONG = "0020008008" + PIN_BLOCK.hex(), "0020008008249999FFFFFFFFFF"


@pytest.fixture(scope="module")
def card() -> PaymentSpecimen:
    """Online for a second or third transaction since the last online one: LCOL 3, UCOL 5; no default actions."""
    return specimen()


def till(card: PaymentSpecimen, internal: str = "", **values: str) -> Till:
    """``internal`` replaces data objects of card risk management."""
    return Till((card.having(0x0E01, bytes.fromhex(internal)) if internal else card).issued()[1], **values)


def test_the_order_of_commands(card: PaymentSpecimen) -> None:
    """EMV 4.4 Book 3, 6.5.4 and 6.5.5."""
    t = till(card)
    generate, authenticate = "80AE400034" + "00" * 52 + "00", "008200000A" + "00" * 10
    for command in (generate, authenticate, "841E000004" + "00" * 4, "04DA9F580500" + "00" * 4):
        assert send(t.applet, command).sw == 0x6985, "before the options"
    t.begin()
    for command in (authenticate, "841E000004" + "00" * 4):
        assert send(t.applet, command).sw == 0x6985, "before the first cryptogram"
    assert t.first(ARQC).kind == ARQC
    assert send(t.applet, "00880000041122334400").sw == 0x6985, "no proof after it"
    assert t.generate(ARQC, second=True).sw == 0x6985
    for wrong, sw in (("008201000A" + "00" * 10, 0x6A86), ("0082000007" + "00" * 7, 0x6700), ("00820000", 0x6700)):
        assert send(t.applet, wrong).sw == sw, "that was no try"
    assert send(t.applet, authenticate).sw == 0x6300
    assert send(t.applet, authenticate).sw == 0x6985, "once only"
    assert t.second(TC).kind == TC
    for kind in (AAC, TC, ARQC):
        assert t.generate(kind, second=True).sw == 0x6985, "twice and no more"
    assert t.run(AAC).kind == AAC
    assert t.generate(AAC, second=True).sw == 0x6985, "a decline ends it"
    assert t.run(TC).kind in (TC, ARQC)


@pytest.mark.parametrize(
    ("p1", "p2", "cut", "sw"),
    [(0xC0, 0, 0, 0x6A86), (0x41, 0, 0, 0x6A86), (0x60, 0, 0, 0x6A86), (0x40, 1, 0, 0x6A86), (0x40, 0, 1, 0x6700)],
)
def test_generate_ac_refusals(card: PaymentSpecimen, p1: int, p2: int, cut: int, sw: int) -> None:
    t = till(card)
    t.begin()
    data = t.fill(t.options.cdol1)
    head = f"80AE{p1:02X}{p2:02X}{len(data) - cut:02X}"
    assert send(t.applet, head + data[cut:].hex()).sw == sw
    assert t.first(TC).kind == TC, "the transaction goes on"
    assert t.applet.state.atc == 1


def test_a_new_card_pays_offline_until_a_limit(card: PaymentSpecimen) -> None:
    t = till(card)
    seen = [(t.run(TC).kind, t.applet.state.offline_amount) for _ in range(4)]
    assert seen == [(TC, 1234), (TC, 2468), (TC, 3702), (ARQC, 3702)]
    assert t.second(TC, t8A="5933").cvr == "03613000", "approved offline below the upper limit: Y3"
    assert t.run(TC).cvr == "03A0B000"
    assert t.second(TC, t8A="5933").cvr == "0361B000"
    assert t.run(TC).kind == ARQC
    final = t.second(TC, t8A="5A33")
    assert (final.kind, final.cvr[:4]) == (AAC, "0321"), "UCOL is 5"


def test_online_starts_counting_over(card: PaymentSpecimen) -> None:
    t = till(card)
    t.run(TC)
    assert t.applet.state.offline_amount == 1234
    assert t.online(t8A="3030").cvr == "03601400", "no response came, and none is needed"
    state = t.applet.state
    assert (state.offline_amount, state.last_online_atc, state.offline) == (0, 2, 0)
    assert send(t.applet, "80CA9F1300").data == bytes.fromhex("9F13020002")
    assert t.run(TC).cvr == "03900000", "no new card any more"


@pytest.mark.parametrize(("amounts", "kinds"), [((10001,), [ARQC]), ((9999, 1, 1), [TC, TC, ARQC])])
def test_cumulative_amount(card: PaymentSpecimen, amounts: tuple[int, ...], kinds: list[int]) -> None:
    t = till(card, "9F5406000000010000")
    assert [t.run(TC, t9F02=f"{amount:012d}").kind for amount in amounts] == kinds


def test_upper_cumulative_amount(card: PaymentSpecimen) -> None:
    t = till(card, "9F5406000000001000 9F5C06000000002000")
    assert t.run(TC).kind == ARQC
    assert t.second(TC, t8A="5933").kind == TC
    assert t.run(TC).kind == ARQC
    assert t.second(TC, t8A="5933").kind == AAC


@pytest.mark.parametrize("values", [{"t5F2A": "0840"}, {"t9F1A": "0840"}])
def test_foreign_transactions_have_limits_of_their_own(card: PaymentSpecimen, values: dict[str, str]) -> None:
    """9F53 allows two in a foreign currency, 9F72 two abroad."""
    t = till(card)
    kinds = [t.run(TC, **values).kind for _ in range(3)]
    assert kinds == [TC, TC, ARQC]
    assert t.applet.state.offline_amount == (0 if "t5F2A" in values else 2468)


def test_a_card_without_limits_never_asks(card: PaymentSpecimen) -> None:
    t = till(card.without(0x0D01))
    assert {t.run(TC, t9F02="999999999999").kind for _ in range(20)} == {TC}


def test_an_online_transaction_that_was_cut_short(card: PaymentSpecimen) -> None:
    t = till(card)
    t.run(ARQC)
    answer = t.run(TC)
    assert (answer.kind, answer.cvr) == (ARQC, "03A09000")
    t.second(TC, t8A="3030")
    assert t.run(TC).cvr == "03900000"


@pytest.mark.parametrize(("default", "kind"), [("0000", TC), ("0200", ARQC)])
def test_new_card(card: PaymentSpecimen, default: str, kind: int) -> None:
    t = till(card, "9F5202" + default)
    assert t.run(TC).kind == kind


@pytest.mark.parametrize(("default", "kind"), [("0000", TC), ("0100", AAC)])
def test_new_card_that_cannot_go_online(card: PaymentSpecimen, default: str, kind: int) -> None:
    t = till(card, "9F5202" + default)
    assert t.run(ARQC).kind == ARQC
    assert t.second(TC, t8A="5933").kind == kind


def test_issuer_authentication_that_failed(card: PaymentSpecimen) -> None:
    for default, kind in (("0000", ARQC), ("8000", ARQC)):
        t = till(card, "9F5202" + default)
        t.run(ARQC)
        send(t.applet, "008200000A" + "11" * 10)
        assert t.second(TC).kind == TC
        assert t.applet.state.indicators == Indicator.ISSUER_AUTHENTICATION_FAILED | Indicator.ONLINE_NOT_COMPLETED
        answer = t.run(TC)
        assert (answer.kind, answer.cvr[-4:]) == (kind, "9800")


@pytest.mark.parametrize(
    ("indicator", "default", "kind", "marks"),
    [
        ("00", "2000", TC, Indicator(0)),
        ("80", "0000", TC, Indicator.ISSUER_AUTHENTICATION_FAILED | Indicator.ONLINE_NOT_COMPLETED),
        ("80", "2000", AAC, Indicator.ISSUER_AUTHENTICATION_FAILED | Indicator.ONLINE_NOT_COMPLETED),
    ],
)
def test_mandatory_issuer_authentication(
    card: PaymentSpecimen, indicator: str, default: str, kind: int, marks: Indicator
) -> None:
    t = till(card, f"9F5601{indicator} 9F5202{default}")
    t.run(ARQC)
    answer = t.second(TC)
    assert (answer.kind, answer.cvr[4:]) == (kind, "1400")
    assert t.applet.state.indicators == marks


def test_a_card_without_issuer_authentication(card: PaymentSpecimen) -> None:
    t = till(card.having(0x9104, options(b"\x79\x00")), "9F560180 9F52022000")
    assert t.online().cvr == "03601000"
    assert t.applet.state.last_online_atc == 1


@pytest.mark.parametrize(
    ("default", "kind", "blocked"), [("0000", TC, 0), ("0040", AAC, 0), ("0020", ARQC, 0), ("0004", AAC, 1)]
)
def test_pin_tries_were_exceeded_before(card: PaymentSpecimen, default: str, kind: int, blocked: int) -> None:
    own = card.having(0x0E01, bytes.fromhex("9F5202" + default)).having(0x9010, bytes((0, 3)))
    t = Till(own.issued()[1])
    answer = t.run(TC)
    assert (answer.kind, answer.cvr[4:6]) == (kind, "50")
    assert answer.cid & 7 == (2 if kind == AAC else 0), "the CID says why"
    assert t.applet.select_status == (0x6283 if blocked else 0x9000)


def test_pin_tries_exceeded_and_unable_to_go_online(card: PaymentSpecimen) -> None:
    own = card.having(0x0E01, bytes.fromhex("9F52020010")).having(0x9010, bytes((0, 3)))
    t = Till(own.issued()[1])
    t.run(ARQC)
    assert t.second(TC, t8A="5933").kind == AAC


def test_the_pin_shows_in_the_results(card: PaymentSpecimen) -> None:
    t = till(card)
    t.begin()
    send(t.applet, RIGHT)
    assert t.first(TC).cvr == "03941000"
    t.begin()
    send(t.applet, WRONG)
    assert t.first(TC).cvr == "03961000"
    t.begin()
    send(t.applet, WRONG)
    send(t.applet, RIGHT)
    assert t.first(TC).cvr == "03941000"
    t.begin()
    send(t.applet, "00880000041122334400")
    assert t.first(ARQC).cvr == "03A03002", "DDA was performed"


def test_the_last_wrong_pin_may_block(card: PaymentSpecimen) -> None:
    t = till(card, "9F52020080")
    t.begin()
    assert [send(t.applet, WRONG).sw for _ in range(4)] == [0x63C2, 0x63C1, 0x63C0, 0x6983]
    answer = t.first(TC)
    assert (answer.kind, answer.cvr) == (AAC, "03865200")
    assert t.applet.select_status == 0x6283
    assert t.run(ARQC).kind == AAC, "a blocked application only declines"


def test_offline_declines_after_failed_authentication_are_reported(card: PaymentSpecimen) -> None:
    for results, reported in (("4000000000", "1100"), ("0800000000", "1004"), ("0400000000", "1004")):
        t = till(card)
        t.run(AAC, t95=results)
        assert t.run(TC, t95="0000000000").cvr[4:] == reported
        t.online()
        assert t.run(TC).cvr[4:] == "0000"


def test_advice(card: PaymentSpecimen) -> None:
    t = till(card, "9F52021000")
    assert t.run(AAC).cid == 0x08
    assert till(card).run(AAC).cid == 0x00


ECASH = "9F7906000000005000 9F7806000000002000 9F7706000000010000 9F51020156"


def purse(card: PaymentSpecimen) -> Till:
    ecash_card = card.having(0x9203, options(b"\x7d\x80")).having(0x0D01, bytes.fromhex(ECASH) + INTERNAL)
    return till(ecash_card, t9F7A="01")


def test_ecash_pays_from_its_balance(card: PaymentSpecimen) -> None:
    """JR/T 0025.13: no limit of debit binds, the balance falls with the answer."""
    t = purse(card)
    for _ in range(4):
        assert t.run(TC).kind == TC
        assert t.options.ecash
    assert send(t.applet, "80CA9F7900").data == bytes.fromhex("9F7906000000000064")
    assert t.applet.state.offline_amount == 0
    t.begin()
    assert not t.options.ecash, "what is left does not suffice"


@pytest.mark.parametrize("values", [{"t9F02": "000000002001"}, {"t5F2A": "0840"}, {"t9F7A": "00"}])
def test_what_is_no_ecash_payment(card: PaymentSpecimen, values: dict[str, str]) -> None:
    t = purse(card)
    t.begin(**values)
    assert not t.options.ecash
    assert t.options.aip == b"\x7d\x00"


@pytest.mark.parametrize(
    "values",
    [{"t9F02": "000000005001"}, {"t9F02": "000000002001"}, {"t5F2A": "0840"}, {"t9F02": "00000000000A"}],
    ids=["balance", "limit", "currency", "no figures"],
)
def test_a_payment_that_changed_after_the_options_goes_online(card: PaymentSpecimen, values: dict[str, str]) -> None:
    """What the balance was asked for first is not what is paid: then by debit, also when the bank is out of reach."""
    t = purse(card)
    t.begin()
    assert t.first(TC, **values).kind == ARQC
    assert t.second(TC, t8A="5933").kind == TC
    state = t.applet.state
    assert state.object(0x9F79) == bytes.fromhex("000000005000")
    assert (state.offline_amount, state.offline_foreign_currency) != (0, 0) or values == {"t9F02": "00000000000A"}


def test_e_cash_pays_when_the_bank_is_out_of_reach(card: PaymentSpecimen) -> None:
    """The terminal asked online because of the reset threshold, and could not."""
    t = purse(card)
    t.begin()
    assert t.first(ARQC).kind == ARQC
    assert t.second(TC, t8A="5933").kind == TC
    assert t.applet.state.object(0x9F79) == bytes.fromhex("000000003766")
    assert t.applet.state.offline_amount == 0


@pytest.mark.parametrize(
    ("results", "reported"), [("4000000000", 0x000100), ("0800000000", 0x000004), ("0400000000", 0x000004)]
)
@pytest.mark.parametrize("online", [False, True], ids=["at once", "bank out of reach"])
def test_a_failed_authentication_is_reported_after_an_offline_decline(
    card: PaymentSpecimen, results: str, reported: int, online: bool
) -> None:
    t = till(card)
    t.begin(t95=results)
    if online:
        assert t.first(ARQC).kind == ARQC
        assert t.second(AAC, t8A="5A33").kind == AAC
    else:
        assert t.first(AAC).kind == AAC
    assert int(t.run(ARQC).cvr, 16) & 0x000104 == reported


def test_the_transaction_log(card: PaymentSpecimen) -> None:
    """EMV 4.4 Book 3, D4: approved transactions, the newest first, ten of them."""
    t = till(card.without(0x0D01))
    assert send(t.applet, "80CA9F4F00").data.hex().upper() == "9F4F199A039F21039F02069F03069F1A025F2A029F4E149C019F3602"
    assert send(t.applet, "00B2015C00").sw == 0x6A83
    t.run(AAC)
    for n in range(1, 13):
        t.run(TC, t9F02=f"{n:012d}")
    records = [send(t.applet, f"00B2{n:02X}5C00").data for n in range(1, 11)]
    assert [int(r[6:12].hex()) for r in records] == list(range(12, 2, -1))
    assert [int(r[-2:].hex(), 16) for r in records] == list(range(13, 3, -1))
    assert records[0][:6].hex() == "261122123456"
    assert send(t.applet, "00B20B5C00").sw == 0x6A83


def test_a_log_of_another_form_and_none(card: PaymentSpecimen) -> None:
    own = card.having(0x0E01, bytes.fromhex("9F4F06 9F3602 9F0206".replace(" ", "")))
    t = Till(own.issued()[1])
    t.run(TC)
    assert send(t.applet, "00B2015C00").data.hex() == "0001000000001234"
    _, without = card.having(0x9102, fci(log=b"")).issued()
    assert send(without, "00B2015C00").sw == 0x6A83
    assert send(without, "80CA9F4F00").sw == 0x6A88
