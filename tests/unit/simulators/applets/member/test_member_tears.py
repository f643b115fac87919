"""The power fails at every APDU and at every page write of a redemption and of each script: nothing happened, or once.

What the counter does afterwards is docs/redemption.md, A torn redemption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pyemv import ac, kd

from simulators.card.memory import PowerLost, TearAt
from terminal.apdu import Command
from tests.support.cards.member_specimen import Specimen, specimen
from tests.support.cards.member_till import (
    AIP,
    BLOCK,
    CDA,
    CHANGE_PIN,
    PUT,
    RESET_TRIES,
    TC,
    UNBLOCK,
    USUAL,
    VERIFY,
    WRONG_PIN,
    BareCard,
    MemberTill,
    redeeming,
    request,
)

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

NEW_PIN = bytes.fromhex("241357FFFFFFFFFF")
UNPREDICTABLE = bytes.fromhex(USUAL["9F37"])


@pytest.fixture(scope="module")
def card() -> Specimen:
    return redeeming(specimen(1024))


def fresh(card: Specimen) -> BareCard:
    return BareCard(card)


def used(card: Specimen) -> BareCard:
    """A card with a full log, a script behind it and the last count of the period left."""
    one = BareCard(card)
    for n in range(11):
        one.till.redeem(TC, t9F37=f"{n:08X}", t9A="261105")
    assert one.till.run(PUT + "DF27", "321231") == 0x9000
    return one


def steps(one: BareCard, kind: int, values: dict[str, str]) -> Iterator[Callable[[], object]]:
    """The commands of a redemption with a PIN, one after another."""
    select, exchange = Command(0x00, 0xA4, 4, 0, one.applet.aid, 256), one.till.exchange
    yield lambda: exchange(select)
    yield one.till.options
    yield lambda: one.send(VERIFY)
    yield lambda: one.till.generate(kind, **values)


def count_of(one: BareCard) -> tuple[str, str, int]:
    """DF28, the ATC, and the log records of this request."""
    one.till.begin()
    hits = sum(entry[27:31] == UNPREDICTABLE for entry in one.till.log())
    return one.till.data(0xDF28), one.till.data(0x9F36), hits


def recover(till: MemberTill, kind: int, values: dict[str, str]) -> int:
    """What a counter does at the next insertion; returns the ATC of its one redemption."""
    till.begin()
    newest = till.record(4, 1)
    logged = newest.sw.ok and newest.data[27:31] == UNPREDICTABLE
    answer = till.redeem(kind, **values)
    assert answer.cid == 0x40
    if logged:
        assert answer.atc == int.from_bytes(newest.data[:2], "big")
        assert answer.issuer_data == newest.data[39:]
        assert newest.data[31:39] == (till.cryptogram_in(answer) if kind == CDA else answer.ac)
    return answer.atc


STATES = pytest.mark.parametrize("state", [fresh, used])
KINDS = pytest.mark.parametrize("kind", [CDA, TC])
REQUESTS = pytest.mark.parametrize(
    "values", [{}, {"t9A": "261201"}, {"tDF31": "0301", "t9A": "261201", "tDF32": "02"}], ids=["usual", "month", "day"]
)


@STATES
@KINDS
@REQUESTS
def test_power_lost_at_every_page_of_a_redemption(
    card: Specimen, state: Callable[[Specimen], BareCard], kind: int, values: dict[str, str]
) -> None:
    clean = state(card)
    clean.till.begin()
    before, pages = clean.host.state, clean.host.nvm.pages_written
    assert clean.till.generate(kind, **values).sw.ok
    after, pages = clean.host.state, clean.host.nvm.pages_written - pages
    expected = count_of(clean)
    assert pages >= 2
    for page in range(pages):
        for late in (False, True):
            one = state(card)
            one.till.begin()
            one.host.nvm.tear = TearAt(page, after=late)
            with pytest.raises(PowerLost):
                one.till.generate(kind, **values)
            one.restart()
            assert one.host.state == (after if late else before), (page, late)
            assert count_of(one)[2] == int(late)
            assert recover(one.till, kind, values) == int(expected[1], 16)
            assert count_of(one) == expected, "once, whatever was torn"


@STATES
@KINDS
def test_power_lost_between_the_commands_of_a_redemption(
    card: Specimen, state: Callable[[Specimen], BareCard], kind: int
) -> None:
    """Before each command, and after the last one, whose answer is lost on the way."""
    clean = state(card)
    untouched = count_of(clean)
    clean.till.redeem(kind)
    expected = count_of(clean)
    for stop in range(5):
        one = state(card)
        for number, step in enumerate(steps(one, kind, {})):
            if number < stop:
                step()
        one.restart()
        assert count_of(one) == (expected if stop == 4 else untouched)
        recover(one.till, kind, {})
        recover(one.till, kind, {})
        assert count_of(one) == expected


@STATES
def test_a_torn_aac_or_repetition_writes_nothing_to_tear(card: Specimen, state: Callable[[Specimen], BareCard]) -> None:
    one = state(card)
    one.till.redeem()
    before = one.host.state
    one.host.nvm.tear = TearAt(0)
    one.till.redeem(), one.till.redeem(t9F37="00000001", tDF32="FF"), one.till.redeem(0x00)
    assert one.host.state == before


SCRIPTS: dict[str, tuple[str, str, bytes | None]] = {
    "entitlements": (PUT + "DF28", "0101180002270101" + "0777FFFF85500101", None),
    "thirty": (PUT + "DF28", "".join(f"{n:04d}010001261101" for n in range(30)), None),
    "validity": (PUT + "DF27", "321231", None),
    "cover": (PUT + "DF29", "281122", None),
    "category": (PUT + "DF26", "04", None),
    "activation": (PUT + "DF2D", "261122", None),
    "same value": (PUT + "DF2D", "261101", None),
    "last date": (PUT + "DF2F", "261101", None),
    "block": (BLOCK, "", None),
    "unblock": (UNBLOCK, "", None),
    "tries": (RESET_TRIES, "", None),
    "pin": (CHANGE_PIN, "", NEW_PIN),
}


@STATES
@pytest.mark.parametrize("name", SCRIPTS)
def test_power_lost_at_every_page_of_a_script(card: Specimen, state: Callable[[Specimen], BareCard], name: str) -> None:
    """The counter says whether the command ran: sent again where it did not, it has run once."""
    head, data, pin = SCRIPTS[name]

    def ready() -> tuple[BareCard, Command]:
        one = state(card)
        one.till.begin()
        one.send(WRONG_PIN)
        if name == "unblock":
            assert one.till.run(BLOCK) == 0x9000
        wrong = one.till.script(head, data, pin)
        assert one.exchange(Command(wrong.cla, wrong.ins, wrong.p1, wrong.p2, bytes(8))).sw == 0x6988
        return one, one.till.script(head, data, pin)

    clean, command = ready()
    before, counter, pages = clean.host.state, clean.till.data(0xDF2E), clean.host.nvm.pages_written
    assert clean.exchange(command).sw == 0x9000
    after, pages = clean.host.state, clean.host.nvm.pages_written - pages
    for page in range(pages):
        for late in (False, True):
            one, command = ready()
            one.host.nvm.tear = TearAt(page, after=late)
            with pytest.raises(PowerLost):
                one.exchange(command)
            one.restart()
            assert one.host.state == (after if late else before), (page, late)
            one.till.begin()
            ran = one.till.data(0xDF2E) != counter
            assert ran == late
            assert one.exchange(command).sw == (0x6988 if ran else 0x9000)
            assert {**one.host.state, "script mac failed": b""} == {**after, "script mac failed": b""}


def test_power_lost_while_a_wrong_mac_is_noted(card: Specimen) -> None:
    for late in (False, True):
        one = fresh(card)
        one.till.begin()
        before = one.host.state
        one.host.nvm.tear = TearAt(0, after=late)
        with pytest.raises(PowerLost):
            one.exchange(Command(0x84, 0x1E, 0, 0, bytes(8)))
        one.restart()
        assert one.host.state == before | ({"script mac failed": b"\x01"} if late else {})


def test_a_script_between_a_torn_redemption_and_its_recovery(card: Specimen) -> None:
    """The card is updated at a window before the counter sees it again: the redemption is still found."""
    one = fresh(card)
    one.till.begin()
    one.host.nvm.tear = TearAt(0, after=True)
    with pytest.raises(PowerLost):
        one.till.generate()
    one.restart()
    one.till.begin()
    assert one.till.run(PUT + "DF28", "01010C0102261101") == 0x9000
    assert one.till.run(BLOCK) == 0x9000
    assert recover(one.till, CDA, {}) == 1
    assert one.till.data(0xDF28) == "01010C0102261101"


def test_a_redemption_elsewhere_before_the_recovery(card: Specimen) -> None:
    """The record of the torn one is an older one then: it has the cryptogram of that TC."""
    one = fresh(card)
    one.till.begin()
    one.host.nvm.tear = TearAt(0, after=True)
    with pytest.raises(PowerLost):
        one.till.generate()
    one.restart()
    one.till.redeem(t9F37="00000009")
    one.till.begin()
    older = one.till.log()[1]
    assert older[27:31] == UNPREDICTABLE
    assert (older[:2], older[26]) == (b"\x00\x01", 0x40)
    one.till.sent = request()
    key = kd.derive_common_sk(one.till.keys[:16], older[:2] + bytes(6))
    assert older[31:39] == ac.generate_ac(key, request() + AIP + older[:2] + older[39:])
