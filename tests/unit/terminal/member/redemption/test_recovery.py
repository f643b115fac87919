"""A redemption whose answer never came: nothing happened, or it happened once and is chip again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, time

import pytest

from terminal.apdu import stack
from terminal.errors import CardError, CardGone, CardMalformed, CardRefused, CodecError
from terminal.member.contents import redemption_rows
from terminal.member.outcome import Proof, VerdictCode
from terminal.member.proven import ProvenCard
from terminal.member.reading import select
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.redemption.recovery import read_log, recover
from terminal.member.redemption.redeem import Redemption, RedemptionStatus, redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.verdict import verify
from tests.support.cards.member_issuer import NOW, TRUST, hotlist, tlv
from tests.support.cards.redeeming_card import CDOL1, LOG_FORMAT, RedeemingCard, issue

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

REQUEST = RedemptionRequest(
    "0101", 1, 500, date(2026, 11, 22), time(10, 30), "PARK-EAST", "T0000001", bytes.fromhex("0BADF00D")
)
LATER = replace(REQUEST, merchant="CINEMA", clock=time(11, 0))


def proven(card: RedeemingCard) -> ProvenCard:
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW)
    assert verdict.card is not None, verdict.sentence
    return verdict.card


def redeemed(card: RedeemingCard, request: RedemptionRequest) -> Redemption:
    return redeem(stack(card), proven(card), request)


def elsewhere(card: RedeemingCard, times: int, request: RedemptionRequest = LATER) -> None:
    for number in range(times):
        assert redeemed(card, replace(request, unpredictable=number.to_bytes(4, "big"))).done


def recovered(card: RedeemingCard, request: RedemptionRequest = REQUEST) -> Redemption | None:
    return recover(stack(card), proven(card), request)


def torn(card: RedeemingCard, *, counted: bool) -> None:
    """A redemption whose answer never comes, and which the card counts or does not."""
    chip = proven(card)
    if counted:
        card.lost = {len(card.log)}
    else:
        card.vanish_at = len(card.log)
    with pytest.raises(CardGone):
        redeem(stack(card), chip, REQUEST)
    card.lost, card.vanish_at = set(), None


def test_a_redemption_that_the_card_counted_is_finished_with_its_whole_proof() -> None:
    card = RedeemingCard(used=3)
    torn(card, counted=True)
    redemption = recovered(card)
    assert redemption is not None
    assert redemption.done
    assert redemption.evidence is not None
    assert redemption.evidence.counter == 0x42
    assert redemption.request == REQUEST
    assert (card.used, card.atc) == (4, 0x42)


def test_a_card_that_was_blocked_meanwhile_is_recovered_all_the_same() -> None:
    card = RedeemingCard()
    torn(card, counted=True)
    fci = card._answer(bytes.fromhex("00A40400"))[:-2]
    card.answers["A4"] = fci + bytes.fromhex("6283")
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW)
    assert (verdict.code, verdict.proof) == (VerdictCode.SUSPENDED, Proof.OFFLINE_DYNAMIC)
    assert verdict.card is not None
    redemption = recover(stack(card), verdict.card, REQUEST)
    assert redemption is not None
    assert redemption.done


@pytest.mark.parametrize("before", [0, 1, 9, 10, 12])
def test_a_redemption_that_the_card_did_not_count_did_not_happen(before: int) -> None:
    card = RedeemingCard(limit=50)
    elsewhere(card, before, replace(REQUEST, clock=time(9, 0)))
    torn(card, counted=False)
    generated = len([turn for turn in card.log if turn[2:4] == "AE"])
    assert recovered(card) is None
    assert len([turn for turn in card.log if turn[2:4] == "AE"]) == generated
    assert redeemed(card, REQUEST).done


@pytest.mark.parametrize("after", [1, 5, 9])
def test_a_card_that_was_used_elsewhere_meanwhile_has_it_in_its_log(after: int) -> None:
    card = RedeemingCard(limit=50, used=3)
    torn(card, counted=True)
    elsewhere(card, after)
    redemption = recovered(card)
    assert redemption is not None
    assert (redemption.status, redemption.done) == (RedemptionStatus.LOGGED, False)
    evidence = redemption.evidence
    assert evidence is not None
    assert (evidence.counter, evidence.signature, evidence.related) == (0x42, b"", b"")
    assert evidence.data.used == 4
    assert evidence.cryptogram == card.cryptogram(evidence.values, evidence.atc, evidence.issuer_data)
    assert RedemptionEvidence.decode(evidence.encode()) == evidence
    assert card.used == 4 + after


def test_ten_later_redemptions_hide_whether_it_happened() -> None:
    card = RedeemingCard(limit=50)
    torn(card, counted=True)
    elsewhere(card, 10)
    redemption = recovered(card)
    assert redemption is not None
    assert (redemption.status, redemption.evidence, redemption.data) == (RedemptionStatus.UNKNOWN, None, None)
    assert redemption.to_json()["transaction"] is None


def test_a_counter_whose_clock_is_slow_does_not_hide_it() -> None:
    """Records of the same day are not taken for older ones before the last has been read."""
    card = RedeemingCard(limit=50)
    torn(card, counted=True)
    elsewhere(card, 3, replace(LATER, clock=time(8, 0)))
    redemption = recovered(card)
    assert redemption is not None
    assert redemption.status is RedemptionStatus.LOGGED


def test_reading_ends_at_an_earlier_day() -> None:
    card = RedeemingCard(limit=50)
    elsewhere(card, 5, replace(REQUEST, day=date(2026, 11, 21), clock=time(23, 59)))
    torn(card, counted=False)
    before = len(card.log)
    assert recovered(card) is None
    assert len([turn for turn in card.log[before:] if turn.startswith("00B2") and turn[6:8] == "24"]) == 1


@pytest.mark.parametrize("set_back", ["", "000000", "261121"])
def test_a_date_that_was_set_back_before_the_request_changes_nothing(set_back: str) -> None:
    card = RedeemingCard(limit=50)
    elsewhere(card, 10, replace(REQUEST, day=date(2026, 11, 21)))
    card.set_back = set_back
    torn(card, counted=False)
    assert recovered(card) is None


def test_a_redemption_of_a_wrong_clock_stands_in_the_log_behind_earlier_days() -> None:
    """The card counted it on a day to come, and a script set its last date back."""
    card = RedeemingCard(limit=50)
    torn(card, counted=True)
    card.set_back = "261122"
    elsewhere(card, 3, replace(LATER, day=date(2026, 11, 1)))
    redemption = recovered(card)
    assert redemption is not None
    assert redemption.status is RedemptionStatus.LOGGED


@pytest.mark.parametrize("day", [date(2026, 11, 1), REQUEST.day])
@pytest.mark.parametrize("counted", [True, False])
def test_ten_records_of_earlier_days_prove_nothing_of_a_date_that_was_set_back(day: date, counted: bool) -> None:
    card = RedeemingCard(limit=50)
    torn(card, counted=counted)
    card.set_back = "261122"
    elsewhere(card, 10, replace(LATER, day=day, clock=time(9, 0)))
    redemption = recovered(card)
    assert redemption is not None
    assert redemption.status is RedemptionStatus.UNKNOWN


def test_a_log_with_room_says_that_nothing_happened_whatever_was_set_back() -> None:
    card = RedeemingCard(limit=50)
    torn(card, counted=False)
    card.set_back = "261122"
    elsewhere(card, 9, replace(LATER, day=date(2026, 11, 1)))
    assert recovered(card) is None


def test_without_the_time_in_the_list_a_record_of_the_day_is_not_older() -> None:
    card = RedeemingCard(issue(CDOL1.replace("9F2103", "")), limit=50)
    elsewhere(card, 10, REQUEST)
    torn(card, counted=False)
    redemption = recovered(card)
    assert redemption is not None
    assert redemption.status is RedemptionStatus.UNKNOWN


def test_a_card_that_refuses_the_repetition_leaves_what_the_log_says() -> None:
    card = RedeemingCard()
    torn(card, counted=True)
    card.last, card.refuses = None, bytes.fromhex("040000")
    redemption = recovered(card)
    assert redemption is not None
    assert redemption.status is RedemptionStatus.LOGGED


def test_a_card_that_counts_the_repetition_again_proves_nothing() -> None:
    card = RedeemingCard()
    torn(card, counted=True)
    card.last = None
    redemption = recovered(card)
    assert redemption is not None
    assert (redemption.status, redemption.check) == (
        RedemptionStatus.NOT_PROVEN,
        "application transaction counter against the log",
    )


@pytest.mark.parametrize(
    "other",
    [
        {"clock": time(10, 31)},
        {"merchant": "PARK"},
        {"benefit_class": "0201"},
        {"quantity": 2},
        {"day": date(2026, 11, 23)},
    ],
)
def test_a_record_of_another_request_with_the_same_number_is_not_it(other: dict[str, object]) -> None:
    card = RedeemingCard()
    torn(card, counted=True)
    assert recovered(card, replace(REQUEST, **other)) is None  # type: ignore[arg-type]
    assert card.atc == 0x42


def test_a_tear_during_recovery_loses_nothing() -> None:
    card = RedeemingCard(limit=50)
    elsewhere(card, 2, replace(REQUEST, clock=time(9, 0)))
    torn(card, counted=True)
    card_before = (card.atc, card.used)
    for pulled in range(3):
        chip = proven(card)
        card.vanish_at = len(card.log) + pulled
        with pytest.raises(CardGone):
            recover(stack(card), chip, REQUEST)
        card.vanish_at = None
        chip = proven(card)
        card.lost = {len(card.log) + pulled}
        with pytest.raises(CardGone):
            recover(stack(card), chip, REQUEST)
        card.lost = set()
    redemption = recovered(card)
    assert redemption is not None
    assert redemption.done
    assert (card.atc, card.used) == card_before


def test_the_log_is_read_newest_first_and_only_as_far_as_needed() -> None:
    card = RedeemingCard(limit=50)
    elsewhere(card, 4)
    proven(card)
    before = len(card.log)
    records = read_log(stack(card))
    newest = next(records)
    assert (newest.number, newest.atc, newest.values[0xDF31], newest.values[0x9F16]) == (
        1,
        b"\x00\x45",
        b"\x01\x01",
        b"CINEMA         ",
    )
    assert len(card.log) == before + 2
    assert [record.atc[1] for record in records] == [0x44, 0x43, 0x42]


def log_format(dol: str) -> str:
    return tlv("9F4F", bytes.fromhex(dol)).hex() + "9000"


def test_the_log_in_words() -> None:
    card = RedeemingCard(limit=50)
    elsewhere(card, 2)
    record = bytearray(card.log_records[1])
    record[2:8] = bytes.fromhex("261399106000")
    record[8:11] = b"\x1b\xff "
    record[-14:] = bytes(14)
    card.log_records[1] = bytes(record)
    sender = stack(card)
    assert list(redemption_rows(sender, select(sender))) == [
        (1, 0x43, "2026-11-22 11:00:00", "CINEMA", "0101", 1, "5/50"),
        (2, 0x42, "261399106000", "\x1b\\xff EMA", "0101", 1, "0" * 28),
    ]


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ({"80CA9F4F": "6A88"}, CardRefused),
        ({"80CA9F4F": "9F4F009000"}, CardMalformed),
        ({"80CA9F4F": tlv("9F4F", bytes.fromhex(LOG_FORMAT.replace("9F3704", ""))).hex() + "9000"}, CardMalformed),
        (
            {"80CA9F4F": tlv("9F4F", bytes.fromhex(LOG_FORMAT.replace("9F3602", "9F3601"))).hex() + "9000"},
            CardMalformed,
        ),
        ({"80CA9F4F": "9F36020041" + "9000"}, CardMalformed),
        ({"00B20124": "6985"}, CardRefused),
        ({"00B20124": "6F00"}, CardRefused),
        ({"00B20224": "6700"}, CardRefused),
        ({"00B20224": "00" * 52 + "9000"}, CardMalformed),
        ({"00B20224": "FF" * 53 + "9000"}, CardMalformed),
    ],
)
def test_a_log_out_of_form_is_a_fault_and_no_answer(answers: Mapping[str, str], fault: type[CardError]) -> None:
    card = RedeemingCard(limit=50)
    elsewhere(card, 3)
    card.answers |= {header: bytes.fromhex(answer) for header, answer in answers.items()}
    with pytest.raises(fault, match="reading the"):
        recovered(card)


def test_a_record_that_is_no_transaction_is_a_fault() -> None:
    card = RedeemingCard()
    torn(card, counted=True)
    elsewhere(card, 1)
    record = bytearray(card.log_records[1])
    record[26] = 0x00
    card.log_records[1] = bytes(record)
    with pytest.raises(CardMalformed, match="00 is no TC"):
        recovered(card)


def test_a_request_that_a_journal_has_in_part_is_none() -> None:
    with pytest.raises(CodecError):
        RedemptionRequest.decode(REQUEST.encode()[:-1])
