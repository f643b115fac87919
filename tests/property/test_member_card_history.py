"""The life of a member card in any order: redemptions, dates, scripts, PINs and torn power, against a plain model.

The model counts with lists and numbers and knows nothing of the card's code. After each step the card holds what the
model holds; never is more used in a period than its limit.
"""

from __future__ import annotations

from calendar import monthrange
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulators.card.memory import PowerLost, TearAt
from tests.support.cards.member_specimen import specimen
from tests.support.cards.member_till import (
    BLOCK,
    CHANGE_PIN,
    PUT,
    RESET_TRIES,
    TC,
    UNBLOCK,
    VERIFY,
    WRONG_PIN,
    BareCard,
    Redeemed,
    redeeming,
)
from tests.support.thorough import repeats

CARD = redeeming(specimen(1024))
FIRST = {"0101": [12, 0, 2, "261101"], "0201": [4, 0, 3, "261001"], "0301": [2, 0, 1, "261122"]}
FIRST |= {"0401": [1, 0, 5, "200101"], "0501": [3, 0, 0x84, "260101"]}

dates = st.sampled_from(
    "261122 261123 261130 261201 261231 270101 270131 270228 270301 280229 261031 991231 491231 260229 000000".split()
)
near_dates = st.sampled_from(["261122", "261123", "261130", "261201"])
classes = st.sampled_from([*FIRST, "9999"])
starts = st.sampled_from(["261101", "260131", "240229", "261122", "270101", "501201"])
entitlements = st.dictionaries(
    st.sampled_from([*FIRST]),
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from([1, 2, 3, 4, 5, 0x82]), starts),
    max_size=4,
)


def ordinal(day: str) -> tuple[int, int, int] | None:
    year, month, number = int(day[:2]), int(day[2:4]), int(day[4:])
    year += 2000 if year < 50 else 1900
    good = 1 <= month <= 12 and 1 <= number <= monthrange(year, month)[1]
    return (year, month, number) if good else None


def begins(start: str, period: int, day: str) -> str:
    """The start of the period of ``day``."""
    at, to = ordinal(start), ordinal(day)
    assert at is not None
    if to is None or to < at or period & 15 == 5:
        return start
    if period & 15 == 1:
        return day
    while True:
        year, month, number = at
        month += {2: 1, 3: 3, 4: 12}[period & 15]
        year, month = (year + 1, month - 12) if month > 12 else (year, month)
        after = (year, month, min(number, monthrange(year, month)[1]))
        if after > to:
            return f"{at[0] % 100:02d}{at[1]:02d}{at[2]:02d}"
        at = after


class MemberCardHistory(RuleBasedStateMachine):
    """One card and what it should hold."""

    @initialize()
    def issue(self) -> None:
        self.card = BareCard(CARD)
        self.till = self.card.till
        self.left: dict[str, list[Any]] = {name: [*values] for name, values in FIRST.items()}
        self.atc = self.scripts = self.scripts_at_tc = self.number = 0
        self.last = "000000"
        self.blocked = self.mac_failed = self.pin = self.pin_failed = False
        self.activated, self.tries = "261101", 3
        self.right_pin = VERIFY
        self.log: list[str] = []
        self.answer: Redeemed | None = None
        self.request: dict[str, str] = {}
        self.till.begin()

    def expected(self, benefit: str, day: str, quantity: int) -> int:
        """The reasons against a TC, as bytes 2 to 4 of the CVR, and what else the card reports."""
        cvr = 0x200000 * self.pin | 0x100000 * self.pin_failed | 0x080000 * (not self.tries) | 0x040000 * self.blocked
        cvr |= 0x020000 * (self.scripts != self.scripts_at_tc) | 0x010000 * self.mac_failed | self.scripts & 15
        cvr |= 0x000100 * (self.activated == "000000") | 0x000400 * (not quantity)
        to, last = ordinal(day), ordinal(self.last)
        cvr |= 0x000800 if to is None else 0x001000 * (last is not None and to < last)
        if benefit not in self.left:
            return cvr | 0x008000
        limit, used, period, start = self.left[benefit]
        at = ordinal(start)
        assert at is not None
        if to is not None and to < at:
            cvr |= 0x000040
        begun = begins(start, period, day)
        cvr |= 0x004000 * ((used if begun == start else 0) + quantity > limit)
        cvr |= 0x002000 * bool(period & 0x80 and not self.pin)
        if not cvr & 0x04FD40:
            cvr |= 0x400000 | 0x80 * (begun != start)
        return cvr

    def book(self, benefit: str, day: str, quantity: int) -> None:
        entry = self.left[benefit]
        begun = begins(entry[3], entry[2], day)
        entry[1] = (entry[1] if begun == entry[3] else 0) + quantity
        entry[3] = begun
        self.atc += 1
        self.last, self.scripts_at_tc = day, self.scripts
        self.log = [self.request["t9F37"], *self.log][:10]

    def ask(self, benefit: str, day: str, quantity: int) -> None:
        self.number += 1
        self.request = {
            "tDF31": benefit, "t9A": day, "tDF32": f"{quantity:02X}", "t9F37": f"{self.number:08X}",
        }  # fmt: skip

    def power_on(self) -> None:
        self.card.restart()
        self.till.begin()
        self.pin = self.pin_failed = False

    @rule(benefit=classes, day=near_dates | dates, quantity=st.sampled_from([1, 1, 1, 2, 3, 0, 12, 255]))
    def redeem(self, benefit: str, day: str, quantity: int) -> None:
        cvr = self.expected(benefit, day, quantity)
        last = self.request
        self.ask(benefit, day, quantity)
        self.till.options()
        answer = self.till.verified(self.till.generate(TC, **self.request))
        assert answer.cvr == f"{cvr:06X}"
        assert answer.cid == (0x40 if cvr & 0x400000 else 0)
        if answer.cid:
            self.book(benefit, day, quantity)
            self.answer = answer
        else:
            self.request = last
        limit, used, _, start = self.left.get(benefit, [0, 0, 0, "000000"])
        assert answer.count == f"{used:02X}{limit:02X}{start}"
        assert answer.atc == self.atc

    @precondition(lambda self: self.answer)
    @rule()
    def repeat(self) -> None:
        self.till.options()
        again = self.till.verified(self.till.generate(TC, **self.request))
        assert self.answer is not None
        assert again.raw == self.answer.raw

    @rule(benefit=classes, day=near_dates, late=st.booleans(), page=st.integers(0, 6))
    def tear_a_redemption(self, benefit: str, day: str, late: bool, page: int) -> None:
        """The next insertion finds it in the log, or it did not happen."""
        cvr, last = self.expected(benefit, day, 1), self.request
        self.ask(benefit, day, 1)
        self.till.options()
        self.card.host.nvm.tear = TearAt(page, after=late)
        try:
            self.till.generate(TC, **self.request)
            late = True  # not torn: the answer is lost on its way
        except PowerLost:
            pass
        self.power_on()
        happened = late and bool(cvr & 0x400000)
        newest = self.till.record(4, 1).data[27:31].hex().upper()
        assert (newest == self.request["t9F37"]) == happened
        if happened:
            self.book(benefit, day, 1)
            self.till.options()
            self.answer = self.till.verified(self.till.generate(TC, **self.request))
            assert (self.answer.atc, self.answer.cvr) == (self.atc, f"{cvr:06X}")
        else:
            self.request = last

    @rule(changes=entitlements, late=st.booleans(), page=st.none() | st.integers(0, 4))
    def put_entitlements(self, changes: dict[str, tuple[int, int, int, str]], late: bool, page: int | None) -> None:
        value = "".join(f"{name}{v[0]:02X}{v[1]:02X}{v[2]:02X}{v[3]}" for name, v in changes.items())
        if self.run_script(PUT + "DF28", value, None, late, page):
            self.left = {name: [*values] for name, values in changes.items()}

    @rule(day=st.sampled_from(["000000", "261101"]), late=st.booleans(), page=st.none() | st.integers(0, 3))
    def put_activation(self, day: str, late: bool, page: int | None) -> None:
        if self.run_script(PUT + "DF2D", day, None, late, page):
            self.activated = day

    @rule(on=st.booleans(), late=st.booleans(), page=st.none() | st.integers(0, 3))
    def block(self, on: bool, late: bool, page: int | None) -> None:
        if self.run_script(BLOCK if on else UNBLOCK, "", None, late, page):
            self.blocked = on

    @rule(new=st.booleans(), late=st.booleans(), page=st.none() | st.integers(0, 3))
    def change_pin(self, new: bool, late: bool, page: int | None) -> None:
        pin = bytes.fromhex("241357FFFFFFFFFF") if new else None
        if self.run_script(CHANGE_PIN if new else RESET_TRIES, "", pin, late, page):
            self.tries = 3
            self.right_pin = "0020008008241357FFFFFFFFFF" if new else self.right_pin

    def run_script(self, head: str, data: str, pin: bytes | None, late: bool, page: int | None) -> bool:
        """Whether the command ran, by the script counter where the power failed."""
        command = self.till.script(head, data, pin)
        if page is not None:
            self.card.host.nvm.tear = TearAt(page, after=late)
        try:
            assert self.till.exchange(command).sw == 0x9000
            ran = True
            self.card.host.nvm.tear = None
        except PowerLost:
            self.power_on()
            ran = int(self.till.data(0xDF2E), 16) != self.scripts
            assert ran == late
        self.scripts += ran
        self.mac_failed &= not ran
        return ran

    @rule()
    def forge_a_script(self) -> None:
        command = self.till.script(PUT + "DF28", "0101FF0005200101")
        forged = type(command)(0x04, 0xDA, 0xDF, 0x28, command.data[:-1] + bytes((command.data[-1] ^ 1,)))
        assert self.till.exchange(forged).sw == 0x6988
        self.mac_failed = True

    @rule(right=st.booleans())
    def verify(self, right: bool) -> None:
        status = self.card.send(self.right_pin if right else WRONG_PIN)
        if not self.tries:
            assert status == 0x6983
            self.pin_failed = True
        elif right:
            assert status == 0x9000
            self.tries, self.pin, self.pin_failed = 3, True, False
        else:
            self.tries -= 1
            assert status == 0x63C0 | self.tries
            self.pin_failed = True

    @rule()
    def insert_again(self) -> None:
        self.power_on()

    @invariant()
    def card_and_model_agree(self) -> None:
        if not hasattr(self, "card"):
            return
        self.card.host.nvm.tear = None
        value = "".join(f"{name}{v[0]:02X}{v[1]:02X}{v[2]:02X}{v[3]}" for name, v in self.left.items())
        assert self.till.data(0xDF28) == value
        assert (self.till.data(0x9F36), self.till.data(0xDF2E)) == (f"{self.atc:04X}", f"{self.scripts:04X}")
        assert (self.till.data(0xDF2F), self.till.data(0xDF2D)) == (self.last, self.activated)
        assert [entry[27:31].hex().upper() for entry in self.till.log()] == self.log


MemberCardHistory.TestCase.settings = settings(
    max_examples=repeats(25, 1000), stateful_step_count=repeats(25, 60), deadline=None
)
TestMemberCardHistory = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")(
    MemberCardHistory.TestCase
)
