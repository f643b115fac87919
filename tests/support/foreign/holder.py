"""Foreign cards by their way of cardholder verification: every method, condition and PIN. EMV 4.4 Book 3, 10.5."""

from __future__ import annotations

from tests.support.cards.toys.emv_toy_card import DATA
from tests.support.foreign.form import BOOK3, ZERO
from tests.support.foreign.kit import APPROVED, DECLINED, TERMINATED, ForeignCard, answer, card, having, says, without
from tests.support.foreign.toy import Make

CVM, TABLE = BOOK3 + "10.5", "; Book 4, 6.3.4.5, table 2"
NO_AMOUNTS = "0000000000000000"
STRICT = "0010880000"
"""Issuer action code for denial: a service that is not allowed, a cardholder not verified, a PIN not entered."""
NO_PIN_AT_ALL = ("capabilities: E068C8",)
"""A terminal that takes a PIN online only. EMV 4.4 Book 4, Annex A2."""


def rules(text: str, amounts: str = NO_AMOUNTS, **more: str) -> Make:
    return having(T8E=amounts + text.replace(" ", ""), **more)


def path(name: str, what: str, cvm: str, tvr: str, make: Make, source: str = CVM + TABLE, **how: object) -> ForeignCard:
    """A path through the list that no action code minds."""
    return ForeignCard(name, what, source, APPROVED, tvr, make, cvm=cvm, **how)  # type: ignore[arg-type]


def strict(rule: str, **how: object) -> Make:
    """A card with one rule whose issuer refuses a cardholder that was not verified."""
    return card(data={**DATA, "8E": NO_AMOUNTS + rule, "9F0E": STRICT}, **how)


def asks(
    name: str, what: str, pins: tuple[str | None, ...] | None, cvm: str, make: Make, tvr: str = ZERO, **how: object
) -> ForeignCard:
    """A card that has a PIN entered, and declines without one."""
    source = str(how.pop("source", BOOK3 + "10.5.1" + TABLE))
    result = str(how.pop("result", APPROVED if tvr == ZERO else DECLINED))
    return ForeignCard(name, what, source, result, tvr, make, pins=pins, cvm=cvm, **how)  # type: ignore[arg-type]


METHODS = (
    path("cvm-not-asked", "an AIP without cardholder verification", "3F0000", ZERO, card(aip="2D00")),
    ForeignCard(
        "no-cvm-list",
        "no CVM list, though the AIP promises one",
        BOOK3 + "7.5, table 35; 10.5",
        DECLINED,
        "2000000000",
        without("8E"),
        cvm="3F0000",
    ),
    ForeignCard(
        "cvm-empty-list",
        "a CVM list without rules, which counts as none",
        BOOK3 + "7.5, table 35; 10.5",
        DECLINED,
        "2000000000",
        having(T8E=NO_AMOUNTS),
        cvm="3F0000",
    ),
    ForeignCard("cvm-odd-list", "a CVM list with half a rule", CVM, TERMINATED, ZERO, having(T8E=NO_AMOUNTS + "1F")),
    ForeignCard(
        "cvm-short-list", "a CVM list shorter than its amounts", CVM + "; 7.5", TERMINATED, ZERO, having(T8E="00000000")
    ),
    path("cvm-none", "no verification required", "1F0002", ZERO, rules("1F00")),
    path("cvm-signature", "a signature asked for", "1E0000", ZERO, rules("1E00")),
    path("cvm-fails", "a CVM list whose only rule is to fail", "000001", "0000800000", rules("0000")),
    path(
        "cvm-fails-at-once",
        "to fail, and to go on: what comes behind is not looked at",
        "400001",
        "0000800000",
        rules("4000 1F00"),
    ),
    path("cvm-unrecognised", "a method that is reserved", "3F0001", "0000C00000", rules("2A00")),
    path(
        "cvm-unrecognised-next",
        "a method that is reserved, else none required",
        "1F0002",
        "0000400000",
        rules("6A00 1F00"),
    ),
    path(
        "cvm-not-capable",
        "an enciphered PIN where the terminal takes a plaintext one only, else none",
        "1F0002",
        ZERO,
        rules("4400 1F00"),
        config=("capabilities: E0E8C8",),
    ),
    path(
        "cvm-no-pin-capable",
        "a plaintext PIN where the terminal takes none offline, else none",
        "1F0002",
        "0000100000",
        rules("4100 1F00"),
        config=NO_PIN_AT_ALL,
    ),
    path(
        "cvm-if-supported",
        "a plaintext PIN if the terminal supports it, which it does not, else none",
        "1F0002",
        ZERO,
        rules("0103 1F00"),
        config=NO_PIN_AT_ALL,
    ),
    path("cvm-no-condition-met", "rules for cash alone", "3F0001", "0000800000", rules("1F01 1E04 1F05")),
    path(
        "cvm-reserved-condition",
        "a rule with a condition that is reserved, then a signature",
        "1E0000",
        ZERO,
        rules("1F7F 1E00"),
    ),
    path(
        "cvm-under-x", "none required under 20.00", "1F0602", ZERO, rules("1F06 1E00", "000007D000000000", T9F42="0156")
    ),
    path("cvm-over-x", "a signature over 10.00", "1E0700", ZERO, rules("1E07 1F00", "000003E800000000", T9F42="0156")),
    path(
        "cvm-under-y",
        "over 20.00 nothing, under 20.00 a signature",
        "1E0800",
        ZERO,
        rules("1F09 1E08", "00000000000007D0", T9F42="0156"),
    ),
    path(
        "cvm-no-currency",
        "a rule by amount, and no currency to compare",
        "1E0000",
        ZERO,
        rules("1F06 1E00", "000007D000000000"),
    ),
    path(
        "cvm-other-currency",
        "a rule by amount in another currency",
        "1E0000",
        ZERO,
        rules("1F06 1E00", "000007D000000000", T9F42="0840"),
    ),
)

PLAIN = (
    asks("pin-right", "the right plaintext PIN", ("1234",), "010002", strict("0100"), pin_requests=((3, False),)),
    asks(
        "pin-second-try",
        "a wrong PIN, then the right one",
        ("4321", "1234"),
        "010002",
        strict("0100"),
        pin_requests=((3, False), (2, False)),
    ),
    asks(
        "pin-last-try",
        "two wrong PINs, a warning, and the right one",
        ("1111", "2222", "1234"),
        "010002",
        strict("0100"),
        pin_requests=((3, False), (2, False), (1, True)),
    ),
    asks(
        "pin-last-try-first",
        "one try left from before: the warning comes at once",
        ("1234",),
        "010002",
        strict("0100", tries=1),
        pin_requests=((1, True),),
    ),
    asks(
        "pin-tries-exceeded",
        "three wrong PINs",
        ("1111", "2222", "3333"),
        "010001",
        strict("0100"),
        "0000A00000",
        pin_requests=((3, False), (2, False), (1, True)),
    ),
    asks(
        "pin-blocked",
        "a PIN that was blocked before: nobody is asked for it",
        (),
        "010001",
        strict("0100", tries=0),
        "0000A00000",
        source="EMV 4.4 Book 4, 6.3.4.1",
        pin_requests=(),
    ),
    asks(
        "pin-6983",
        "a PIN that was blocked before, and a card that does not tell its tries",
        ("1234",),
        "010001",
        strict("0100", tries=0, get_data={}),
        "0000A00000",
        pin_requests=((None, False),),
    ),
    asks(
        "pin-no-counter",
        "a card that does not tell its tries",
        ("4321", "1234"),
        "010002",
        strict("0100", get_data={}),
        pin_requests=((None, False), (2, False)),
        source="EMV 4.4 Book 4, 6.3.4.1",
    ),
    asks(
        "pin-bypassed",
        "a PIN asked for and not entered",
        (None,),
        "010001",
        strict("0100"),
        "0000880000",
        source="EMV 4.4 Book 4, 6.3.4.3",
    ),
    asks(
        "pin-bypassed-later",
        "a wrong PIN, then none",
        ("4321", None),
        "010001",
        strict("0100"),
        "0000880000",
        source="EMV 4.4 Book 4, 6.3.4.3",
    ),
    asks(
        "pin-bypassed-signature",
        "a PIN not entered, else a signature",
        (None,),
        "1E0000",
        rules("4100 1E00"),
        "0000080000",
        source="EMV 4.4 Book 4, 6.3.4.3",
        result=APPROVED,
    ),
    asks(
        "pin-no-pad",
        "a PIN asked for at a terminal whose PIN pad does not work",
        None,
        "010001",
        strict("0100"),
        "0000900000",
    ),
    asks(
        "pin-6f00",
        "VERIFY answered with a status that nothing explains",
        ("1234",),
        None,  # type: ignore[arg-type]
        answer(b"\x20", says("6F00"), strict("0100")),
        source=BOOK3 + "8.1; 10.5, figure 11",
        result=TERMINATED,
    ),
    asks(
        "pin-and-signature",
        "a plaintext PIN and a signature",
        ("1234",),
        "030000",
        strict("0300"),
        source=BOOK3 + "10.5.4" + TABLE,
    ),
    asks(
        "pin-and-signature-wrong",
        "a plaintext PIN, which is wrong three times, and a signature",
        ("1111",) * 3,
        "030001",
        strict("0300"),
        "0000A00000",
        source=BOOK3 + "10.5.4" + TABLE,
    ),
)

HOLDER = (*METHODS, *PLAIN)
