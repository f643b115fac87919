"""Benefits that demand the PIN, and cards that a script has blocked, at the counter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reader_service.redemptions.counter import CounterRedemptions, PinRefused
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from terminal.apdu import stack
from terminal.crypto.pinblock import format2
from terminal.errors import CryptoError, NotRedeemable, TransportError
from terminal.member.cvr import CvrFlag
from terminal.member.journal_rows import RowKind
from terminal.member.redemption.presentation import REFUSALS
from terminal.member.verdict import verify
from terminal.secret import Secret
from tests.support.cards.member_issuer import NOW, TRUST, hotlist, objects
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.service.merchant import choice, counter

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
PIN, WRONG = Secret(b"246810"), Secret(b"111111")


class PinCard(RedeemingCard):
    """Its one class demands the PIN."""

    tries = 3
    verified = False

    def _count(self) -> None:
        entitlement = bytes.fromhex("0101") + bytes((self.limit, self.used, 0x84)) + bytes.fromhex("260101")
        self.contents[3, 1] = objects({"DF28": entitlement})

    def _answer(self, apdu: bytes) -> bytes:
        if apdu[1] != 0x20:
            return super()._answer(apdu)
        if not self.tries:
            return b"\x69\x83"
        self.verified = apdu[5:13] == format2(PIN).reveal()
        self.tries = 3 if self.verified else self.tries - 1
        return b"\x90\x00" if self.verified else b"\x63" + bytes((0xC0 + self.tries,))


@pytest.fixture
def till(tmp_path: Path) -> Iterator[CounterRedemptions]:
    opened = counter(tmp_path / "redemptions", NOW)
    yield opened
    opened.journal.close()


def redeem(till: CounterRedemptions, card: RedeemingCard, pin: Secret | None = None) -> object:
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW)
    return till.redeem(stack(card), verdict, choice(), NOW, cashier="王芳", pin=pin)


def wanted(till: CounterRedemptions) -> list[RowKind]:
    return [row.kind for row in till.journal.rows(2)]


def test_the_offer_says_that_the_pin_is_needed_and_takes_no_single_press(till: CounterRedemptions) -> None:
    verdict = verify(stack(PinCard()), trust=TRUST, hotlist=hotlist(), at=NOW)
    park = till.offers(verdict, NOW)[0]
    assert (park.pin, park.possible, park.at_once) == (True, True, False)


def test_the_right_pin_redeems(till: CounterRedemptions) -> None:
    record = redeem(till, PinCard(), PIN)
    assert isinstance(record, CounterRecord)
    assert record.outcome is CounterOutcome.DONE


def test_a_wrong_pin_costs_a_try_and_asks_nothing_of_the_journal(till: CounterRedemptions) -> None:
    card = PinCard()
    assert [redeem(till, card, WRONG) for _ in range(4)] == [PinRefused(2), PinRefused(1), PinRefused(0), PinRefused(0)]
    assert redeem(till, card, PIN) == PinRefused(0)
    assert (wanted(till), card.used) == ([], 3)


def test_without_a_pin_nothing_goes_to_the_card(till: CounterRedemptions) -> None:
    card = PinCard()
    with pytest.raises(NotRedeemable, match="needs the PIN"):
        redeem(till, card)
    with pytest.raises(CryptoError):
        redeem(till, card, Secret(b"12"))
    assert (card.tries, wanted(till)) == (3, [])


def test_a_card_pulled_while_its_pin_is_wanted_is_not_open(till: CounterRedemptions) -> None:
    card = PinCard()
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW)
    card.vanish_at = len(card.log)
    with pytest.raises(TransportError):
        till.redeem(stack(card), verdict, choice(), NOW, cashier="", pin=PIN)
    assert (wanted(till), till.journal.open_intents) == ([], ())


def test_a_card_that_a_script_blocked_counts_nothing_and_says_so(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    card.refuses = bytes((0x04, 0x00, 0x00))
    record = redeem(till, card)
    assert isinstance(record, CounterRecord)
    assert (record.outcome, record.reasons, card.used) == (CounterOutcome.REFUSED, ("BLOCKED",), 3)
    assert wanted(till) == [RowKind.INTENT, RowKind.REFUSED]
    word = REFUSALS[CvrFlag.BLOCKED].word
    assert (word.zh, word.en) == ("会员应用已锁定", "The member application is blocked")
