"""A redemption at a counter: what is sent, what counts as proof, and that nothing else does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date, time

import pytest
from pyemv import kd
from pyemv.ac import generate_ac

from terminal.apdu import stack
from terminal.errors import CardError, CardGone, CardMalformed, CardRefused, CodecError, NotRedeemable
from terminal.member.cvr import CvrFlag
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.proven import ProvenCard
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.redemption.redeem import Redemption, RedemptionStatus, redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.verdict import verify
from tests.support.cards import rsa_signer as make
from tests.support.cards.member_issuer import (
    AID,
    CARD,
    LIST_ISSUE,
    NOW,
    NUMBER,
    TRUST,
    UNPREDICTABLE,
    hotlist,
    objects,
    tlv,
)
from tests.support.cards.redeeming_card import CDOL1, RedeemingCard, issue, key, split

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

REQUEST = RedemptionRequest(
    benefit_class="0101",
    quantity=2,
    amount=2_000,
    day=date(2026, 11, 22),
    clock=time(10, 30, 5),
    merchant="PARK-EAST",
    terminal="T0000001",
    unpredictable=bytes.fromhex("0BADF00D"),
)
MERCHANT, TERMINAL = "5041524B2D45415354202020202020", "5430303030303031"
VALUES = f"000000002000 0156 0156 261122 103005 00 0BADF00D {TERMINAL} {MERCHANT} 0101 02 0000000000"
SENT = bytes.fromhex(VALUES)


def judge(card: RedeemingCard, hot: Hotlist | None = None) -> Verdict:
    return verify(
        stack(card),
        trust=TRUST,
        hotlist=hotlist() if hot is None else hot,
        at=NOW,
        unpredictable=UNPREDICTABLE,
    )


def proven(card: RedeemingCard) -> ProvenCard:
    verdict = judge(card)
    assert verdict.card is not None, verdict.sentence
    return verdict.card


def redeemed(card: RedeemingCard, request: RedemptionRequest = REQUEST) -> Redemption:
    return redeem(stack(card), proven(card), request)


def test_one_insertion_is_a_verdict_and_one_command_more() -> None:
    card = RedeemingCard()
    redemption = redeemed(card)
    assert (redemption.status, redemption.reasons, redemption.check) == (RedemptionStatus.DONE, (), None)
    assert redemption.done
    assert [turn[2:4] for turn in card.log].count("A8") == 1
    assert len(card.log) == 11
    assert card.log[-1] == f"80AE500034{SENT.hex().upper()}00"


def test_a_redemption_says_what_is_used_and_left() -> None:
    data = redeemed(RedeemingCard(limit=12, used=3)).data
    assert data is not None
    assert (data.used, data.limit, data.start, data.scripts) == (5, 12, date(2026, 1, 1), 0)
    assert (data.key_index, data.version, data.algorithm, data.approved) == (1, 0, 0, True)


def test_the_evidence_holds_what_the_cryptogram_is_computed_over() -> None:
    evidence = redeemed(RedeemingCard()).evidence
    assert evidence is not None
    own = bytes.fromhex("07010003400000 00 05050C260101")
    assert (evidence.aid, evidence.card_number, evidence.sequence) == (AID, NUMBER, 1)
    assert (evidence.aip, evidence.related) == (bytes.fromhex("3100"), bytes.fromhex("0156A1B2C3D4"))
    assert (evidence.wanted, evidence.values) == (bytes.fromhex(CDOL1), SENT)
    assert (evidence.cid, evidence.atc, evidence.counter, evidence.issuer_data) == (0x40, b"\x00\x42", 0x42, own)
    assert len(evidence.signature) == CARD.size
    session = kd.derive_common_sk(key("AC"), bytes.fromhex("0042000000000000"))
    assert evidence.cryptogram == generate_ac(session, SENT + bytes.fromhex("31000042") + own)
    assert evidence.authenticated == SENT + bytes.fromhex("31000042") + own
    assert evidence.request == REQUEST


def test_for_machines_it_has_no_card_number() -> None:
    assert redeemed(RedeemingCard()).to_json() == {
        "status": "DONE",
        "reasons": [],
        "failed_check": None,
        "benefit_class": "0101",
        "quantity": 2,
        "amount": 2000,
        "at": "2026-11-22T10:30:05",
        "merchant": "PARK-EAST",
        "terminal": "T0000001",
        "unpredictable": "0BADF00D",
        "transaction": 0x42,
        "used": 5,
        "limit": 12,
        "period_start": "2026-01-01",
    }


def test_nothing_prints_the_card_number() -> None:
    card = RedeemingCard()
    verdict = judge(card)
    redemption = redeem(stack(card), verdict.card, REQUEST)  # type: ignore[arg-type]
    for printed in (redemption, redemption.evidence, verdict.card, verdict):
        assert NUMBER not in repr(printed)
        assert NUMBER[-8:] not in str(printed)


def test_a_list_in_another_order_is_filled_by_tag() -> None:
    card = RedeemingCard(issue("DF3201 9F3704 9F5301 DF3102 9A03".replace(" ", "")))
    assert redeemed(card).done
    assert card.log[-1] == "80AE50000B020BADF00D00010126112200"


@pytest.mark.parametrize(
    ("bits", "reasons"),
    [
        ("040000", ["BLOCKED"]),
        ("008000", ["NO_SUCH_CLASS"]),
        ("004000", ["LIMIT_EXCEEDED"]),
        ("002000", ["PIN_MISSING"]),
        ("001000", ["DATE_BEFORE_LAST"]),
        ("000800", ["NO_DATE"]),
        ("000400", ["NO_QUANTITY"]),
        ("000200", ["COUNTER_USED_UP"]),
        ("000100", ["NOT_ACTIVATED"]),
        ("000040", ["DATE_BEFORE_PERIOD"]),
        ("000020", ["AAC_REQUESTED"]),
        ("3B008F", []),
        ("044120", ["BLOCKED", "NOT_ACTIVATED", "LIMIT_EXCEEDED", "AAC_REQUESTED"]),
    ],
)
def test_a_refusal_of_the_card_names_its_reasons(bits: str, reasons: list[str]) -> None:
    card = RedeemingCard()
    card.refuses = bytes.fromhex(bits)
    redemption = redeemed(card)
    assert (redemption.status, redemption.done) == (RedemptionStatus.REFUSED, False)
    assert [flag.name for flag in redemption.reasons] == reasons
    assert redemption.to_json()["reasons"] == reasons
    assert redemption.evidence is not None
    assert (redemption.evidence.signature, len(redemption.evidence.cryptogram)) == (b"", 8)
    assert (card.atc, card.used) == (0x41, 3)


def answer_of(card: RedeemingCard, bend: Callable[[bytes], bytes]) -> RedeemingCard:
    """The card whose answer to GENERATE AC is changed on its way."""
    card.tamper = lambda command, answer: bend(answer) if command[1] == 0xAE else answer
    return card


def test_every_bit_of_the_answer_changed_on_its_way_is_refused() -> None:
    card = RedeemingCard()
    chip = proven(card)
    sender = stack(card)
    genuine = card._answer(bytes.fromhex(f"80AE500034{VALUES.replace(' ', '')}00"))
    statuses = []
    for bit in range(8 * (len(genuine) - 2)):
        bent = bytearray(genuine)
        bent[bit // 8] ^= 1 << bit % 8
        card.answers["AE"] = bytes(bent)
        try:
            statuses.append(redeem(sender, chip, REQUEST).status)
        except CardError:
            continue  # the answer is no longer one of GENERATE AC
    assert set(statuses) == {RedemptionStatus.NOT_PROVEN}
    assert len(statuses) >= 8 * (CARD.size + 14 + 2)
    card.answers["AE"] = genuine
    assert redeem(sender, chip, REQUEST).done


def test_every_bit_of_the_signed_data_changed_before_signing_is_refused() -> None:
    """The key is the card's, and what it signs is not what its hash covers."""
    card = RedeemingCard()
    chip, sender = proven(card), stack(card)
    genuine = card._answer(bytes.fromhex(f"80AE500034{VALUES.replace(' ', '')}00"))
    at = genuine.index(bytes.fromhex("9F4B8180")) + 4
    block = pow(int.from_bytes(genuine[at : at + CARD.size], "big"), CARD.e, CARD.n)
    refused = 0
    for bit in range(8 * CARD.size):
        if block ^ 1 << bit >= CARD.n:
            continue
        signature = CARD.sign((block ^ 1 << bit).to_bytes(CARD.size, "big"))
        card.answers["AE"] = genuine[:at] + signature + genuine[at + CARD.size :]
        redemption = redeem(sender, chip, REQUEST)
        assert redemption.status is RedemptionStatus.NOT_PROVEN
        assert (redemption.check or "").startswith("dynamic signature: ")
        refused += 1
    assert refused > 8 * (CARD.size - 1)


@pytest.mark.parametrize(
    ("cid", "hashed", "number", "check"),
    [
        (0x40, SENT, bytes.fromhex("0BADF00E"), "dynamic signature: hash"),
        (0x40, SENT[:-1] + b"\x01", REQUEST.unpredictable, "dynamic signature: transaction data hash"),
        (0x00, SENT, REQUEST.unpredictable, "dynamic signature: cryptogram information data"),
    ],
)
def test_a_signature_over_other_data_proves_nothing(cid: int, hashed: bytes, number: bytes, check: str) -> None:
    def forged(answer: bytes) -> bytes:
        own = bytes.fromhex("070100034000000005050C260101")
        inside = objects({"9F27": b"\x40", "9F36": b"\x00\x42", "9F10": own})
        digest = hashlib.sha1(bytes.fromhex("0156A1B2C3D4") + hashed + inside).digest()  # noqa: S324
        signature = make.dynamic_signature(CARD, b"\x08" + bytes(8) + bytes((cid,)) + bytes(8) + digest, number)
        answered = {"9F27": b"\x40", "9F36": b"\x00\x42", "9F4B": signature, "9F10": own}
        return tlv("77", objects(answered)) + b"\x90\x00"

    redemption = redeemed(answer_of(RedeemingCard(), forged))
    assert (redemption.status, redemption.check) == (RedemptionStatus.NOT_PROVEN, check)


@pytest.mark.parametrize(
    "own",
    [
        "070100030000000005050C260101",  # the results of an AAC
        "070100034040000005050C260101",  # a TC with a reason against it
        "070100034000100005050C260101",  # a bit without meaning
        "070100034000000005010C260101",  # fewer used than were asked for
        "0701000340000000050D0C260101",  # more used than the limit
        "070100034000000005050C26010100",
        "060100034000000005050C260101",
        "070100034000000005050C261301",
    ],
)
def test_a_signed_answer_that_contradicts_itself_proves_nothing(own: str) -> None:
    card = RedeemingCard()
    chip = proven(card)
    card.related = bytes.fromhex("0156A1B2C3D4")
    card.answers["AE"] = card._signed(SENT, b"\x00\x42", bytes.fromhex(own), bytes(8))
    redemption = redeem(stack(card), chip, REQUEST)
    assert (redemption.status, redemption.check) == (RedemptionStatus.NOT_PROVEN, "issuer application data")


def test_a_cryptogram_without_the_requested_signature_proves_nothing() -> None:
    card = RedeemingCard()
    chip = proven(card)
    plain = {"9F27": "40", "9F36": "0042", "9F26": "1122334455667788", "9F10": "070100034000000005050C260101"}
    card.answers["AE"] = tlv("77", objects(plain)) + b"\x90\x00"
    redemption = redeem(stack(card), chip, REQUEST)
    assert (redemption.status, redemption.check) == (
        RedemptionStatus.NOT_PROVEN,
        "dynamic signature: data missing (no 9F4B)",
    )
    assert redemption.evidence is not None
    assert redemption.evidence.cryptogram == bytes.fromhex("1122334455667788")


PLAIN = {"9F27": "00", "9F36": "0041", "9F26": "1122334455667788", "9F10": "0701000300400000 05030C260101"}


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "8001",
        "80" + "0B" + "00004111223344556677881122",
        objects(PLAIN).hex(),
        tlv("77", objects({**PLAIN, "9F36": "41"})).hex(),
        tlv("77", objects({**PLAIN, "9F26": "11"})).hex(),
        tlv("77", objects({**PLAIN, "9F27": "80"})).hex(),
        tlv("77", objects({**PLAIN, "9F10": "07010003004000 00"})).hex(),
        tlv("77", objects({**PLAIN, "9F10": "0701000340400000 05030C260101"})).hex(),
        tlv("77", objects({tag: PLAIN[tag] for tag in ("9F36", "9F27", "9F26", "9F10")})).hex(),
        tlv("77", objects({**PLAIN, "9F37": "00000000"})).hex(),
        tlv("77", objects({tag: PLAIN[tag] for tag in ("9F27", "9F36", "9F10")})).hex(),
        tlv("77", objects(PLAIN)).hex() + "00",
        tlv("77", objects(PLAIN)).hex()[:-2],
    ],
)
def test_an_answer_out_of_form_is_a_fault(answer: str) -> None:
    card = RedeemingCard()
    chip = proven(card)
    card.answers["AE"] = bytes.fromhex(answer) + b"\x90\x00"
    with pytest.raises(CardMalformed, match="redeeming"):
        redeem(stack(card), chip, REQUEST)


@pytest.mark.parametrize("status", ["6985", "6700", "6A86", "6F00", "9100"])
def test_a_status_word_is_a_fault(status: str) -> None:
    card = RedeemingCard()
    chip = proven(card)
    card.answers["AE"] = bytes.fromhex(status)
    with pytest.raises(CardRefused, match=f"redeeming.*{status}"):
        redeem(stack(card), chip, REQUEST)


def test_a_second_redemption_needs_a_new_verdict() -> None:
    card = RedeemingCard()
    chip = proven(card)
    assert redeem(stack(card), chip, REQUEST).done
    with pytest.raises(CardRefused, match="6985"):
        redeem(stack(card), chip, replace(REQUEST, unpredictable=bytes(4)))
    assert redeemed(card, replace(REQUEST, unpredictable=bytes(4))).done


def test_a_card_that_leaves_is_a_fault() -> None:
    card = RedeemingCard()
    chip = proven(card)
    card.vanish_at = len(card.log)
    with pytest.raises(CardGone):
        redeem(stack(card), chip, REQUEST)


@pytest.mark.parametrize(
    ("cdol1", "aip"),
    [
        (CDOL1.replace("9F3704", ""), "3100"),
        (CDOL1.replace("9F3704", "9F3703"), "3100"),
        (CDOL1.replace("9A03", ""), "3100"),
        (CDOL1.replace("DF3102", "DF3101"), "3100"),
        (CDOL1.replace("DF3201", "DF3202"), "3100"),
        (CDOL1 + "9F02FF", "3100"),
        (CDOL1, "3000"),
        ("9F0206", "2100"),
    ],
)
def test_a_card_that_counts_nothing_is_refused_before_anything_is_sent(cdol1: str, aip: str) -> None:
    card = RedeemingCard(issue(cdol1, aip))
    chip, before = proven(card), len(card.log)
    with pytest.raises(NotRedeemable, match="redeeming"):
        redeem(stack(card), chip, REQUEST)
    assert len(card.log) == before


def test_a_card_without_a_dynamic_proof_has_nothing_to_redeem_with() -> None:
    card = RedeemingCard(replace(issue(aip="4000"), static_signature=True, afl="08010101 08020200 08030301 10010400"))
    assert judge(card).card is None
    forged = RedeemingCard()
    forged.answers["88"] = tlv("77", tlv("9F4B", bytes(CARD.size))) + b"\x90\x00"
    assert judge(forged).card is None


def test_a_listed_card_keeps_what_finishes_a_torn_redemption_and_is_not_accepted() -> None:
    listed = Hotlist.of([HotCard(NUMBER, 1, HotlistReason.LOST, date(2026, 11, 20))], LIST_ISSUE)
    verdict = judge(RedeemingCard(), listed)
    assert (verdict.code, verdict.accepted) == (VerdictCode.LOST, False)
    assert verdict.card is not None


def test_evidence_is_read_again_as_it_was_written() -> None:
    refusing = RedeemingCard()
    refusing.refuses = bytes.fromhex("004000")
    for card in (RedeemingCard(), refusing):
        evidence = redeemed(card).evidence
        assert evidence is not None
        assert RedemptionEvidence.decode(evidence.encode()) == evidence


def test_evidence_with_a_byte_more_or_less_or_another_version_is_none() -> None:
    evidence = redeemed(RedeemingCard()).evidence
    assert evidence is not None
    data = evidence.encode()
    assert data.startswith(bytes.fromhex("014F09") + AID)
    bad = [b"", b"\x02" + data[1:], data[:1], data + b"\x00", data[:1] + b"\x00" + data[1:]]
    bad += [data[:cut] for cut in range(1, len(data))]
    for one in bad:
        with pytest.raises(CodecError) as caught:
            RedemptionEvidence.decode(one)
        assert NUMBER not in str(caught.value)


def test_a_request_is_read_again_as_it_was_written() -> None:
    data = REQUEST.encode()
    assert RedemptionRequest.decode(data) == REQUEST
    assert data.hex().upper() == (
        "019F02060000000020009F1A0201565F2A0201569A032611229F21031030059C01009F37040BADF00D"
        "9F1C0854303030303030319F160F5041524B2D45415354202020202020DF31020101DF32010295050000000000"
    )
    for bad in (b"", b"\x02" + data[1:], data + b"\x00", data[:-1], data[:1] + data[10:], data[:-5] + bytes(4)):
        with pytest.raises(CodecError):
            RedemptionRequest.decode(bad)


def test_requests_draw_their_own_numbers() -> None:
    drawn = {replace_number().unpredictable for _ in range(20)}
    assert len(drawn) == 20


def replace_number() -> RedemptionRequest:
    return RedemptionRequest("0101", 1, 0, date(2026, 1, 1), time(8), "M", "T0000001")


@pytest.mark.parametrize(
    "bad",
    [
        {"benefit_class": "101"},
        {"benefit_class": "01A1"},
        {"benefit_class": "٠١٠١"},
        {"quantity": 0},
        {"quantity": 256},
        {"amount": -1},
        {"amount": 10**12},
        {"day": date(1999, 12, 31)},
        {"day": date(2050, 1, 1)},
        {"day": NOW},
        {"clock": time(10, 30, 5, 1)},
        {"clock": NOW.timetz()},
        {"merchant": ""},
        {"merchant": "A" * 16},
        {"merchant": "商户"},
        {"merchant": " A"},
        {"merchant": "A\n"},
        {"terminal": "T000001"},
        {"terminal": "T 000001"},
        {"unpredictable": bytes(3)},
        {"country": "156"},
        {"currency": "CNY "},
        {"transaction_type": "0"},
        {"results": bytes(4)},
    ],
)
def test_a_request_out_of_form_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        replace(REQUEST, **bad)  # type: ignore[arg-type]


def test_every_flag_of_the_results_has_its_place() -> None:
    places = [place for flag in CvrFlag for place in flag.places()]
    assert [(byte, bit) for byte, bit, _ in places] == [
        *((2, bit) for bit in range(6, 0, -1)),
        *((3, bit) for bit in range(8, 0, -1)),
        *((4, bit) for bit in (8, 7, 6)),
    ]


def test_the_values_of_a_request_are_those_of_the_page() -> None:
    assert split(CDOL1, SENT) == {f"{tag:02X}": value for tag, value in REQUEST.values.items()}
