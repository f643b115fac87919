"""Decisions of the test bank, with a card played by pyemv."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.issuer.accounts import AccountStatus, OpeningRule
from simulators.issuer.scripts import application_block, pin_change, put_data
from terminal.errors import CodecError
from terminal.secret import Secret
from tests.support.cards.issuer_requests import IAD, PAN, message, purchase
from tests.support.cards.simulated_bank import TODAY, Card, account, bank, objects, pin_block

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def test_a_purchase_is_approved_with_a_response_cryptogram_the_card_accepts() -> None:
    card, there = Card(), account()
    answer = bank(there).answer(card.says(amount=1234))
    assert (answer.approved, answer.code, answer.reason) == (True, "00", "approved")
    data_objects = objects(answer)
    assert data_objects.need(0x8A) == b"00"
    assert data_objects.need(0x91) == card.keys.generate_arpc(card.arqc(), b"00") + b"00"
    assert there.balance == 10_000 - 1234


def test_method_2_answers_with_a_card_status_update() -> None:
    card = Card("cvn18")
    answer = bank(account()).answer(card.says())
    csu = bytes.fromhex("03800000")  # three PIN tries, approved
    assert objects(answer).need(0x91) == card.keys.generate_arpc(card.arqc(), b"\x00\x01", csu) + csu
    declined = bank(account(balance=0)).answer(card.says())
    csu = bytes.fromhex("03000000")
    assert objects(declined).need(0x91) == card.keys.generate_arpc(card.arqc(), b"\x00\x01", csu) + csu


@pytest.mark.parametrize(
    ("changes", "amount", "code", "reason"),
    [
        ({"status": AccountStatus.BLOCKED}, 100, "62", "the card is blocked"),
        ({"status": AccountStatus.LOST}, 100, "41", "the card is lost"),
        ({"status": AccountStatus.STOLEN}, 100, "43", "the card is stolen"),
        ({"status": AccountStatus.CLOSED}, 100, "14", "the card is closed"),
        ({"expires": date(2026, 11, 21)}, 100, "54", "the card has expired"),
        ({}, 5_001, "61", "above the limit of one transaction"),
        ({"balance": 99}, 100, "51", "not enough money"),
    ],
)
def test_a_genuine_card_is_declined_with_proof(changes: dict[str, object], amount: int, code: str, reason: str) -> None:
    card, there = Card(), account(**changes)
    before = there.balance
    answer = bank(there).answer(card.says(amount=amount))
    assert (answer.approved, answer.code, answer.reason) == (False, code, reason)
    arpc = card.keys.generate_arpc(card.arqc(amount=amount), code.encode())
    assert objects(answer).need(0x91) == arpc + code.encode()
    assert there.balance == before


def test_the_last_day_and_the_last_cent_still_count() -> None:
    answer = bank(account(expires=TODAY, balance=5_000)).answer(Card().says(amount=5_000))
    assert answer.approved


@pytest.mark.parametrize("tag", [0x9F02, 0x9F37, 0x9F36, 0x95, 0x9F26, 0x9F10])
def test_a_changed_bit_is_no_cryptogram_of_the_card(tag: int) -> None:
    values = purchase(IAD["cvn10"])
    cryptogram = Card().cryptogram(values)
    if tag == 0x9F26:
        cryptogram = bytes((cryptogram[0] ^ 1,)) + cryptogram[1:]
    else:
        values[tag] = values[tag][:-1] + bytes((values[tag][-1] ^ 1,))
    there = account()
    answer = bank(there).answer(message(values, cryptogram))
    assert (answer.code, answer.reason) == ("88", "the ARQC is not of this card's key")
    assert objects(answer).get(0x91) is None
    assert (there.balance, there.highest_online, there.holds) == (10_000, 0, {})


def test_a_forged_request_gets_no_scripts_and_opens_no_account() -> None:
    there = account()
    there.queue(application_block())
    host = bank(there, opening=OpeningRule("62", 1000))
    forged = message(purchase(IAD["cvn10"]), bytes(8))
    assert objects(host.answer(forged)).get(0x72) is None
    host.answer(message(purchase(IAD["cvn10"]), bytes(8), pan="6217009999999999"))
    assert host.accounts.find("6217009999999999", 1) is None


def test_a_transaction_counter_is_used_once_and_only_upwards() -> None:
    host, card = bank(account()), Card()
    assert host.answer(card.says(atc=5)).approved
    for atc in (5, 4, 1):
        again = host.answer(card.says(atc=atc))
        assert (again.code, objects(again).get(0x91)) == ("94", None)
    assert host.answer(card.says(atc=9)).approved


def test_a_tc_settles_and_an_aac_gives_back() -> None:
    there, card = account(), Card()
    host = bank(there)
    host.answer(card.says(atc=1, amount=1000))
    assert host.answer(card.says(atc=1, amount=1000, kind=0x40)).reason == "settled"
    assert there.balance == 9_000
    host.answer(card.says(atc=2, amount=500))
    assert host.answer(card.says(atc=2, amount=500, kind=0x00)).reason == "noted: declined, the hold is given back"
    assert (there.balance, there.holds) == (9_000, {})
    over = host.answer(card.says(atc=2, amount=500, kind=0x00))
    assert (over.code, there.balance) == ("94", 9_000)


def test_offline_transactions_arrive_late_and_once() -> None:
    there, card = account(), Card()
    host = bank(there)
    host.answer(card.says(atc=8, amount=100))
    assert host.answer(card.says(atc=7, amount=300, kind=0x40)).reason == "settled, approved offline"
    assert host.answer(card.says(atc=7, amount=300, kind=0x40)).code == "94"
    assert host.answer(card.says(atc=6, amount=300, kind=0x00)).reason == "noted: declined"
    assert there.balance == 10_000 - 100 - 300


def test_an_aac_after_a_decline_is_noted() -> None:
    there = account(balance=0)
    host, card = bank(there), Card()
    assert host.answer(card.says(atc=1)).code == "51"
    assert host.answer(card.says(atc=1, kind=0x00)).reason == "noted: declined"
    assert there.balance == 0


def test_a_refund_is_credited_and_an_inquiry_costs_nothing() -> None:
    there, card = account(), Card()
    host = bank(there)
    assert host.answer(card.says(atc=1, amount=700, t9c=b"\x20")).approved
    assert there.balance == 10_700
    assert host.answer(card.says(atc=2, amount=700, t9c=b"\x30")).approved
    assert there.balance == 10_700


@pytest.mark.parametrize("form", [0, 3, 4])
def test_the_online_pin_is_checked_and_tries_run_out(form: int) -> None:
    there, card = account(), Card()
    host = bank(there)
    assert host.answer(card.says(atc=1, t99=pin_block("271828", form))).approved
    for atc in (2, 3, 4):
        assert host.answer(card.says(atc=atc, t99=pin_block("271829", form))).code == "55"
    assert host.answer(card.says(atc=5, t99=pin_block("271828", form))).code == "75"
    assert there.pin_tries == 0


def test_a_right_pin_gives_the_tries_back() -> None:
    there, card = account(pin_tries=1), Card()
    assert bank(there).answer(card.says(t99=pin_block("271828", 0))).approved
    assert there.pin_tries == 3


def test_a_pin_block_under_another_key_costs_no_try() -> None:
    there, card = account(), Card()
    host = bank(there)
    answer = host.answer(card.says(atc=1, t99=bytes(8)))
    assert (answer.code, there.pin_tries) == ("88", 3)
    assert host.answer(card.says(atc=2, t99=bytes(5))).code == "88"
    assert host.answer(card.says(atc=3, t99=pin_block("271828", 0, pan="6217009999999999"))).code == "88"


def test_an_entered_pin_must_come_along() -> None:
    answer = bank(account()).answer(Card().says(t95=bytes.fromhex("0000040000")))
    assert (answer.code, answer.reason) == ("30", "a PIN was entered, but its block (99) did not come")


def test_a_pin_is_refused_where_there_is_none() -> None:
    assert bank(account(pin=None)).answer(Card().says(t99=pin_block("1234", 0))).code == "55"


def test_scripts_go_out_until_the_card_has_done_them() -> None:
    there, card = account(), Card()
    there.queue(pin_change(Secret(b"314159")))
    host = bank(there)
    template = objects(host.answer(card.says(atc=1))).find(0x72)
    assert template is not None
    assert template.children.need(0x9F18) == bytes.fromhex("00000001")
    full = card.keys.generate_pin_change_command("314159", card.arqc(1), b"\x00\x01")
    sent = template.children.need(0x86)
    # Four bytes of MAC: only Lc and the MAC differ from pyemv's, which takes all eight.
    assert (sent[:4], sent[4], sent[5:21]) == (full[:4], 0x14, full[5:21])
    mac = card.keys.generate_command_mac(sent[:5], card.arqc(1), b"\x00\x01", sent[5:21])
    assert sent[21:] == mac[:4]
    host.answer(card.says(atc=1, kind=0x40, t9f5b=bytes.fromhex("1000000001")))
    assert objects(host.answer(card.says(atc=2))).find(0x72) is not None
    host.answer(card.says(atc=2, kind=0x40, t9f5b=bytes.fromhex("2000000001")))
    assert there.scripts == []
    assert objects(host.answer(card.says(atc=3))).find(0x72) is None


def test_a_decline_carries_scripts_too() -> None:
    there = account(status=AccountStatus.STOLEN)
    there.queue(application_block())
    template = objects(bank(there).answer(Card().says())).find(0x72)
    assert template is not None
    assert template.children.need(0x86)[:5] == bytes.fromhex("841E000004")


def test_scripts_that_do_not_fit_wait() -> None:
    there = account()
    for _ in range(4):
        there.queue(put_data(0x9F58, bytes(30)))
    sent = [item for item in objects(bank(there).answer(Card().says())) if item.tag == 0x72]
    assert len(sent) == 2
    assert sum(len(item.encode()) for item in sent) <= 128


def test_a_script_that_never_fits_is_refused_when_it_is_queued() -> None:
    there = account()
    with pytest.raises(CodecError, match="128 are the most"):
        there.queue(*[put_data(0x9F58, bytes(30))] * 4)
    assert there.scripts == []


def test_malformed_script_results_are_declined() -> None:
    host, card = bank(account()), Card()
    assert host.answer(card.says(kind=0x40, t9f5b=b"\x20\x00")).code == "30"


def test_an_account_opens_for_a_genuine_card_of_the_banks_range() -> None:
    host = bank(opening=OpeningRule("6217", 2_000, 1_500))
    assert host.answer(Card().says(atc=1, amount=1_501)).code == "61"
    assert host.answer(Card().says(atc=2, amount=1_500)).approved
    assert host.answer(Card(pan="6225001234567890").says()).code == "14"


def test_sm4_cards_need_sm4_keys() -> None:
    values = purchase(IAD["pboc-sm4"])
    answer = bank(account()).answer(message(values, bytes(8)))
    assert (answer.code, "no keys" in answer.reason) == ("30", True)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "neither a card number"),
        ("5A086217001234567890", "no 9F27"),
        ("9F2701805A086217001234567890", "no 9F26"),
        ("9F2701C05A086217001234567890", "no kind of cryptogram"),
        ("5A0862170012345678905A086217001234567890", "twice"),
        ("5A0462170012", "truncated"),
        ("5A08621700123456", "truncated"),
        ("5A03AABBCC9F270180", "8 to 19 digits"),
    ],
)
def test_an_incomplete_request_is_declined_with_the_missing_tag(data: str, words: str) -> None:
    raw = bytes.fromhex(data)
    answer = bank(account()).answer(raw)
    assert answer.code == "30"
    if words != "truncated":
        assert words in answer.reason


def test_the_number_may_come_from_track_2() -> None:
    card = Card()
    plain = card.says()
    track = bytes.fromhex("5711") + bytes.fromhex(PAN + "D3112201000000000F")[:17]
    answer = bank(account()).answer(plain.replace(bytes.fromhex("5A08" + PAN), track))
    assert answer.approved


@given(st.binary(max_size=120))
def test_any_bytes_are_answered_and_never_approved(data: bytes) -> None:
    answer = bank(account()).answer(data)
    assert answer.code == "30"
    assert objects(answer).need(0x8A) == b"30"


@given(st.data())
def test_a_mutated_request_is_never_approved(data: st.DataObject) -> None:
    raw = bytearray(Card().says())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    answer = bank(account()).answer(bytes(raw))
    # What the cryptogram does not cover: the kind of cryptogram, and in version 10 the key index.
    free = (bytes.fromhex("9F2701"), bytes.fromhex("9F100706"))
    assert not answer.approved or bytes(raw[:at]).endswith(free)
