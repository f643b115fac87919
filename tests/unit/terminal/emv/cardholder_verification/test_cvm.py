"""The CVM list, rule by rule and bit by bit. EMV 4.4 Book 3, 10.5; Book 4, 6.3.4."""

from __future__ import annotations

from datetime import date

import pytest

from terminal.crypto.pinblock import format0
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.chains import RsaChain
from terminal.emv.cardholder_verification.cvm import (
    CardholderVerification,
    OnlinePin,
    encipher_for_card,
    verify_cardholder,
)
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.selection.application import CardRecords
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.protocols import Pin
from terminal.emv.transaction.state import TransactionState
from terminal.errors import CodecError, CryptoError
from tests.support.cards import rsa_signer as make
from tests.support.cards.kernel_state import DEBIT, Person, Turn, card_with, new_state, stops, texts, tlv
from tests.support.cards.payment_issuer import PAN, PIN, RsaIssue, rsa_store

TODAY = date(2026, 11, 22)
X, Y = 10000, 50000
DONE = TSI.CVM_PERFORMED
BLOCK_1234, BLOCK_9999 = "241234FFFFFFFFFF", "249999FFFFFFFFFF"
CHALLENGE = "1122334455667788"


def rules(text: str) -> str:
    return f"{X:08X}{Y:08X}" + text.replace(" ", "")


def state_of(listed: str | None, terminal: dict[int, str] | None = None, **card: str) -> TransactionState:
    elements = {0x82: "1000", 0x5A: PAN + "F", 0x9F42: "0156"} | {int(k[1:], 16): v for k, v in card.items()}
    if listed is not None:
        elements[0x8E] = rules(listed)
    state = new_state(terminal, elements)
    state.aid = bytes.fromhex(DEBIT)
    return state


def verify(
    state: TransactionState,
    *turns: Turn,
    person: Person | None = None,
    online_pin: OnlinePin | None = None,
    pin_pad: bool = True,
) -> CardholderVerification:
    chain = RsaChain(state, CardRecords(()), rsa_store(), TODAY)
    with card_with(*turns) as sender:
        verification = verify_cardholder(
            state,
            sender,
            chain,
            person,
            online_pin=online_pin,
            pin_pad=pin_pad,
            random=lambda n: b"\x5a" * n,
        )
    assert state.terminal[0x9F34] == verification.results
    return verification


def ended(state: TransactionState, verification: CardholderVerification) -> tuple[str, TVR, TSI]:
    return verification.results.hex().upper(), state.tvr, state.tsi


def tries(left: int | None) -> Turn:
    return "80CA9F1700", "6A88" if left is None else tlv("9F17", f"{left:02X}") + "9000"


def plain(answer: str, block: str = BLOCK_1234) -> Turn:
    return f"0020008008{block}", answer


def enciphered(answer: str, block: str = BLOCK_1234) -> Turn:
    size = PIN.size
    clear = bytes.fromhex("7F" + block + CHALLENGE) + b"\x5a" * (size - 17)
    sealed = pow(int.from_bytes(clear, "big"), PIN.e, PIN.n).to_bytes(size, "big")
    return f"00200088{size:02X}{sealed.hex()}", answer


def asks_challenge(answer: str = CHALLENGE + "9000") -> Turn:
    return "0084000000", answer


def with_pin_key(state: TransactionState) -> TransactionState:
    issue = RsaIssue()
    state.card |= issue.elements() | issue.pin_elements()
    return state


# What the list says


def test_a_card_that_asks_for_none() -> None:
    state = state_of("1F00", T82="0000")
    assert ended(state, verify(state)) == ("3F0000", TVR(0), TSI(0))


@pytest.mark.parametrize("listed", [None, ""])
def test_no_list_or_one_without_rules(listed: str | None) -> None:
    state = state_of(listed)
    assert ended(state, verify(state)) == ("3F0000", TVR.ICC_DATA_MISSING, TSI(0))


@pytest.mark.parametrize("value", ["00", "00000000000000", "00000000000000001F"])
def test_a_list_out_of_form_ends_the_transaction(value: str) -> None:
    state = state_of(None, T8E=value)
    with stops(state, Result.TERMINATED, "the CVM list is out of form"):
        verify(state)


def test_no_cvm_required() -> None:
    state = state_of("1F00")
    verification = verify(state)
    assert ended(state, verification) == ("1F0002", TVR(0), DONE)
    assert (verification.signature, verification.pin_block) == (False, None)


def test_a_signature_is_not_known_to_be_right() -> None:
    state = state_of("5E03")
    verification = verify(state)
    assert (ended(state, verification), verification.signature) == (("5E0300", TVR(0), DONE), True)


@pytest.mark.parametrize("code", ["00", "40"])
def test_fail_ends_it_whatever_comes_after(code: str) -> None:
    state = state_of(f"{code}00 1F00")
    assert ended(state, verify(state)) == (f"{code}0001", TVR.CVM_NOT_SUCCESSFUL, DONE)


@pytest.mark.parametrize("code", ["20", "06", "0A", "1D", "3E", "3F"])
def test_unrecognised_methods(code: str) -> None:
    state = state_of(f"{code}00 1F00")
    assert ended(state, verify(state)) == ("3F0001", TVR.CVM_UNRECOGNISED | TVR.CVM_NOT_SUCCESSFUL, DONE)
    passed_on = state_of(f"{int(code, 16) | 0x40:02X}00 1F00")
    assert ended(passed_on, verify(passed_on)) == ("1F0002", TVR.CVM_UNRECOGNISED, DONE)


def test_no_rule_applies() -> None:
    state = state_of("1F05 1E0A 1FFF")
    assert ended(state, verify(state)) == ("3F0001", TVR.CVM_NOT_SUCCESSFUL, DONE)
    assert texts(state).count("its condition is not met") == 3


@pytest.mark.parametrize(
    ("rule", "capabilities", "bits"),
    [
        ("1E00", "E008C8", TVR(0)),
        ("1F00", "E0F0C8", TVR(0)),
        # One form of offline PIN where the other is asked for: there is a PIN pad. EMV 4.4 Book 3, 10.5, figure 9.
        ("0100", "E078C8", TVR(0)),
        ("0300", "E0D8C8", TVR(0)),
        ("0400", "E0E8C8", TVR(0)),
        ("0500", "E0D8C8", TVR(0)),
        ("0100", "E068C8", TVR.PIN_PAD_NOT_WORKING),
        ("0300", "E068C8", TVR.PIN_PAD_NOT_WORKING),
        ("0400", "E068C8", TVR.PIN_PAD_NOT_WORKING),
        ("0500", "E068C8", TVR.PIN_PAD_NOT_WORKING),
        ("0200", "E0B8C8", TVR.PIN_PAD_NOT_WORKING),
    ],
)
def test_what_the_terminal_cannot_do(rule: str, capabilities: str, bits: TVR) -> None:
    state = state_of(rule, {0x9F33: capabilities})
    assert ended(state, verify(state)) == ("3F0001", bits | TVR.CVM_NOT_SUCCESSFUL, DONE)
    conditional = state_of(rule[:2] + "03 1F00", {0x9F33: capabilities[:2] + f"{int(capabilities[2:4], 16) | 8:02X}C8"})
    if rule != "1F00":
        assert ended(conditional, verify(conditional)) == ("1F0002", TVR(0), DONE)


@pytest.mark.parametrize(
    ("condition", "terminal", "applies"),
    [
        ("00", {}, True),
        ("01", {0x9C: "01", 0x9F35: "14"}, True),
        ("01", {0x9C: "01", 0x9F35: "22"}, False),
        ("01", {0x9C: "00", 0x9F35: "14"}, False),
        ("02", {0x9C: "00"}, True),
        ("02", {0x9C: "01"}, False),
        ("02", {0x9C: "01", 0x9F35: "14"}, False),
        ("02", {0x9C: "09"}, False),
        ("03", {}, True),
        ("04", {0x9C: "01", 0x9F35: "11"}, True),
        ("04", {0x9C: "17", 0x9F35: "11"}, True),
        ("04", {0x9C: "01", 0x9F35: "14"}, False),
        ("02", {0x9C: "00", 0x9F03: "000000000100"}, False),
        ("05", {0x9C: "09"}, True),
        ("05", {}, False),
        ("05", {0x9C: "00", 0x9F03: "000000000100"}, True),
        ("05", {0x9C: "01", 0x9F03: "000000000100"}, False),
        ("06", {0x9F02: f"{X - 1:012d}"}, True),
        ("06", {0x9F02: f"{X:012d}"}, False),
        ("07", {0x9F02: f"{X:012d}"}, False),
        ("07", {0x9F02: f"{X + 1:012d}"}, True),
        ("08", {0x9F02: f"{Y - 1:012d}"}, True),
        ("08", {0x9F02: f"{Y:012d}"}, False),
        ("09", {0x9F02: f"{Y:012d}"}, False),
        ("09", {0x9F02: f"{Y + 1:012d}"}, True),
        ("06", {0x5F2A: "0840"}, False),
        ("09", {0x9F02: f"{Y + 1:012d}", 0x5F2A: "0840"}, False),
        ("0A", {}, False),
        ("80", {}, False),
    ],
)
def test_conditions(condition: str, terminal: dict[int, str], applies: bool) -> None:
    state = state_of(f"1F{condition}", terminal)
    expected = (f"1F{condition}02", TVR(0), DONE) if applies else ("3F0001", TVR.CVM_NOT_SUCCESSFUL, DONE)
    assert ended(state, verify(state)) == expected


def test_amounts_count_in_the_application_currency_only() -> None:
    state = state_of("1F06 1F07 1E00")
    del state.card[0x9F42]
    assert ended(state, verify(state)) == ("1E0000", TVR(0), DONE)


# The PIN that the card verifies


def test_a_right_pin() -> None:
    state, person = state_of("0100"), Person("1234")
    verification = verify(state, tries(3), plain("9000"), person=person)
    assert ended(state, verification) == ("010002", TVR(0), DONE)
    assert person.pin_requests == [(3, False)]


def test_a_right_pin_and_a_signature() -> None:
    state = state_of("0300")
    verification = verify(state, tries(3), plain("9000"), person=Person("1234"))
    assert (ended(state, verification), verification.signature) == (("030000", TVR(0), DONE), True)


def test_a_card_that_keeps_its_counter_to_itself() -> None:
    state, person = state_of("0100"), Person("9999", "1234")
    verify(state, tries(None), plain("63C1", BLOCK_9999), plain("9000"), person=person)
    assert person.pin_requests == [(None, False), (1, True)]
    assert "this is the last PIN try" in texts(state)
    assert "the PIN was wrong, 1 try left" in texts(state)


def test_the_last_try_is_warned_of_and_a_wrong_one_exceeds_the_limit() -> None:
    state, person = state_of("4100 1E00"), Person("9999", "9999")
    verification = verify(state, tries(2), plain("63C1", BLOCK_9999), plain("63C0", BLOCK_9999), person=person)
    assert person.pin_requests == [(2, False), (1, True)]
    assert ended(state, verification) == ("1E0000", TVR.PIN_TRY_LIMIT_EXCEEDED, DONE)
    assert "the cardholder is warned" in texts(state)


@pytest.mark.parametrize("answer", ["6983", "6984"])
def test_a_pin_that_is_blocked_at_the_first_verify(answer: str) -> None:
    state = state_of("0100")
    verification = verify(state, tries(None), plain(answer), person=Person("1234"))
    assert ended(state, verification) == ("010001", TVR.PIN_TRY_LIMIT_EXCEEDED | TVR.CVM_NOT_SUCCESSFUL, DONE)


def test_no_try_left_asks_nobody_and_holds_for_every_later_offline_pin() -> None:
    state, person = with_pin_key(state_of("4100 4400 4300 1F00")), Person()
    verification = verify(state, tries(0), person=person)
    assert ended(state, verification) == ("1F0002", TVR.PIN_TRY_LIMIT_EXCEEDED, DONE)
    assert person.pin_requests == []
    assert texts(state).count("its try limit was exceeded before") == 2


def test_a_bypassed_pin_holds_for_every_later_pin() -> None:
    state, person = state_of("4100 4200 4300 1E00"), Person(None)
    verification = verify(state, tries(3), person=person, online_pin=lambda pin, pan: b"block")
    assert ended(state, verification) == ("1E0000", TVR.PIN_NOT_ENTERED, DONE)
    assert len(person.pin_requests) == 1


@pytest.mark.parametrize("pin_pad", [True, False])
def test_no_pin_pad(pin_pad: bool) -> None:
    state = state_of("4100 4200 1F00")
    verification = verify(state, person=None if pin_pad else Person("1234"), pin_pad=pin_pad)
    assert ended(state, verification) == ("1F0002", TVR.PIN_PAD_NOT_WORKING, DONE)


@pytest.mark.parametrize("answer", ["63C3", "63CF"])
def test_a_card_whose_tries_do_not_become_fewer_gets_no_further_pin(answer: str) -> None:
    state, person = state_of("0100"), Person("1234")
    verification = verify(state, tries(3), plain(answer), person=person)
    assert ended(state, verification) == ("010001", TVR.CVM_NOT_SUCCESSFUL, DONE)
    assert "tries do not become fewer" in texts(state)


@pytest.mark.parametrize("answer", ["6A80", "6985", "6300", "6D00"])
def test_an_answer_to_verify_that_nothing_explains_ends_the_transaction(answer: str) -> None:
    state = state_of("4100 1F00")
    with stops(state, Result.TERMINATED, f"verifying the PIN: the card answered {answer}"):
        verify(state, tries(3), plain(answer), person=Person("1234"))


@pytest.mark.parametrize("answer", ["9000", "9F17009000", "9F170203039000", "9F3601039000", "FF9000"])
def test_a_counter_out_of_form_is_none(answer: str) -> None:
    state, person = state_of("0100"), Person("1234")
    verify(state, ("80CA9F1700", answer), plain("9000"), person=person)
    assert person.pin_requests == [(None, False)]


# Enciphered


@pytest.mark.parametrize(("rule", "results"), [("0400", "040002"), ("0500", "050000")])
def test_an_enciphered_pin(rule: str, results: str) -> None:
    state = with_pin_key(state_of(rule))
    verification = verify(state, tries(3), asks_challenge(), enciphered("9000"), person=Person("1234"))
    assert ended(state, verification) == (results, TVR(0), DONE)
    assert verification.signature is (rule == "0500")


def test_every_try_has_its_own_challenge() -> None:
    state, person = with_pin_key(state_of("0400")), Person("9999", "1234")
    turns = (tries(3), asks_challenge(), enciphered("63C2", BLOCK_9999), asks_challenge(), enciphered("9000"))
    assert ended(state, verify(state, *turns, person=person)) == ("040002", TVR(0), DONE)


@pytest.mark.parametrize("answer", ["6D00", "9000", "112233445566779000", "1122334455667788999000", "6985"])
def test_no_challenge_of_eight_bytes(answer: str) -> None:
    state = with_pin_key(state_of("4400 1F00"))
    verification = verify(state, tries(3), asks_challenge(answer), person=Person("1234"))
    assert ended(state, verification) == ("1F0002", TVR(0), DONE)
    assert "no challenge of 8 bytes" in texts(state)


def test_no_key_to_encipher_under() -> None:
    state, person = state_of("0400"), Person()
    assert ended(state, verify(state, person=person)) == ("040001", TVR.CVM_NOT_SUCCESSFUL, DONE)
    assert person.pin_requests == []
    assert "no key to encipher the PIN under: issuer certificate: data missing" in texts(state)


# Online


def test_an_online_pin() -> None:
    state, person = state_of("0200"), Person("1234")
    verification = verify(state, person=person, online_pin=lambda pin, pan: format0(pin, pan).reveal())
    assert ended(state, verification) == ("020000", TVR.ONLINE_CVM_CAPTURED, DONE)
    assert verification.pin_block == format0(Pin(b"1234"), PAN).reveal()
    assert person.pin_requests == [(None, False)]
    assert str(verification.pin_block) not in repr(verification)


def test_an_online_pin_bypassed() -> None:
    state = state_of("0200")
    verification = verify(state, person=Person(None), online_pin=lambda pin, pan: b"block")
    assert ended(state, verification) == ("020001", TVR.PIN_NOT_ENTERED | TVR.CVM_NOT_SUCCESSFUL, DONE)
    assert verification.pin_block is None


def test_the_results_name_the_last_method_carried_out() -> None:
    """A method that the terminal cannot do after one that failed does not hide it. EMV 4.4 Book 4, 6.3.4.5."""
    state = state_of("4200 2000")
    verification = verify(state, person=Person(None), online_pin=lambda pin, pan: b"block")
    assert verification.results.hex() == "420001"


def test_no_step_tells_a_pin() -> None:
    state = state_of("0100")
    verify(state, tries(2), plain("63C1", "26852741FFFFFFFF"), plain("9000"), person=Person("852741", "1234"))
    assert "852741" not in repr(state.steps)


@pytest.mark.parametrize("digits", [b"123", b"1234567890123", b"12a4", b"", "１２３４".encode()])
def test_what_is_no_pin(digits: bytes) -> None:
    with pytest.raises(CodecError, match="4 to 12 decimal digits"):
        Pin(digits)


def test_an_enciphered_pin_opens_with_the_cards_key() -> None:
    key, challenge = make.key("card", 1024), bytes.fromhex("1122334455667788")
    sealed = encipher_for_card(Pin(b"123456"), RsaPublic(key.n, key.e), challenge, lambda n: b"\x5a" * n)
    assert key.sign(sealed) == bytes.fromhex("7F26123456FFFFFFFF1122334455667788") + b"\x5a" * (128 - 17)
    assert encipher_for_card(Pin(b"123456"), RsaPublic(key.n, key.e), challenge) != sealed


def test_a_key_too_small_for_a_pin() -> None:
    with pytest.raises(CryptoError):
        encipher_for_card(Pin(b"1234"), RsaPublic((1 << 127) + 1, 3), bytes(8))


def test_an_empty_try_counter_is_not_read_where_no_pin_can_be_sent() -> None:
    """A PIN pad that is broken, or a PIN that was bypassed before, sets its own bit and no other."""
    state = state_of("0100")
    assert ended(state, verify(state, person=Person("1234"), pin_pad=False)) == (
        "010001",
        TVR.PIN_PAD_NOT_WORKING | TVR.CVM_NOT_SUCCESSFUL,
        DONE,
    )
    state = state_of("4200 0100")
    bypassed = verify(state, person=Person(None), online_pin=lambda pin, number: b"")
    assert ended(state, bypassed) == ("010001", TVR.PIN_NOT_ENTERED | TVR.CVM_NOT_SUCCESSFUL, DONE)


def test_an_empty_try_counter_leaves_nothing_to_bypass() -> None:
    state, person = state_of("0100"), Person(None)
    assert ended(state, verify(state, tries(0), person=person)) == (
        "010001",
        TVR.PIN_TRY_LIMIT_EXCEEDED | TVR.CVM_NOT_SUCCESSFUL,
        DONE,
    )


@pytest.mark.parametrize(("kind", "asks"), [("22", True), ("25", True), ("23", False), ("26", False), ("36", False)])
def test_a_terminal_that_is_offline_only_takes_no_pin_for_the_issuer(kind: str, asks: bool) -> None:
    state, person = state_of("4203 1F00", {0x9F35: kind}), Person("1234")
    verification = verify(state, person=person, online_pin=lambda pin, number: bytes(8))
    assert verification.results.hex() == ("420300" if asks else "1f0002")
    assert bool(person.pin_requests) is asks
