"""Foreign cards and issuers online, and cards that are too slow. EMV 4.4 Book 3, 10.9 to 10.11; Book 4, 6.3.8, 12.2."""

from __future__ import annotations

from collections.abc import Callable

from terminal.emv.transaction.protocols import OnlineResponse, Unable
from tests.support.cards.toys.emv_toy_card import AAC, ARQC, DATA, TC
from tests.support.cards.toys.emv_toy_terminal import OVER
from tests.support.foreign.form import BOOK3
from tests.support.foreign.kit import (
    APPROVED,
    APPROVED_ONLINE,
    DECLINED,
    DECLINED_ONLINE,
    TERMINATED,
    ForeignCard,
    answer,
    bit_at,
    card,
    says,
)
from tests.support.foreign.toy import Bank, Card, Make, script

BOOK4 = "EMV 4.4 Book 4, "
FLOOR = "0000008000"
"""TVR of a transaction that goes online because of its amount, and of nothing else."""
UNBLOCK, PUT, UPDATE = "8424000000", "84DA9F790300000100", "84DC010C03AABBCC"
FINE = {UNBLOCK[:8]: "9000", PUT[:8]: "9000", UPDATE[:8]: "9000"}
DONE, NOT_DONE = "20A1B2C3D4", "0000000000"


def online(
    name: str,
    what: str,
    source: str,
    result: str,
    *,
    make: Make = Card,
    tvr: str = FLOOR,
    bank: Callable[[], Bank] = Bank,
    **how: object,
) -> ForeignCard:
    """A purchase over the floor limit. ``bank`` alone is an issuer that approves."""
    return ForeignCard(
        name,
        what,
        source,
        result,
        tvr,
        make,
        amount=OVER,
        bank=bank,
        **how,  # type: ignore[arg-type]
    )


def bank(**how: object) -> Callable[[], Bank]:
    return lambda: Bank(**how)  # type: ignore[arg-type]


ISSUER = (
    online(
        "online-approved",
        "approved, with issuer authentication by EXTERNAL AUTHENTICATE",
        BOOK3 + "10.9",
        APPROVED_ONLINE,
    ),
    online(
        "online-approved-cdol2",
        "approved; the issuer's answer goes into CDOL2",
        BOOK3 + "10.9",
        APPROVED_ONLINE,
        make=card(aip="3900"),
    ),
    online(
        "online-approved-silently",
        "approved without issuer authentication data",
        BOOK4 + "12.2.2",
        APPROVED_ONLINE,
        bank=bank(silent=True),
    ),
    online(
        "online-unproven",
        "a card without offline data authentication, approved online",
        BOOK3 + "10.3, 10.9",
        APPROVED_ONLINE,
        make=card(aip="1C00"),
        tvr="8000008000",
    ),
    online(
        "online-declined",
        "declined by the issuer",
        BOOK3 + "9.3.2; Book 4, 6.3.8",
        DECLINED_ONLINE,
        bank=bank(code=b"05"),
    ),
    online(
        "online-referral", "call your bank: nobody here does", BOOK4 + "6.5.2.2", DECLINED_ONLINE, bank=bank(code=b"01")
    ),
    online(
        "online-arpc-wrong",
        "a wrong ARPC, and a card that then declines",
        BOOK3 + "10.9, Annex F; Book 4, 6.3.8",
        DECLINED_ONLINE,
        make=card(second=lambda _: AAC),
        tvr="0000008040",
        bank=bank(wrong=True),
        reversal=True,
    ),
    online(
        "online-arpc-wrong-no-matter",
        "a wrong ARPC, and a card that approves all the same",
        BOOK3 + "10.9, Annex F",
        APPROVED_ONLINE,
        tvr="0000008040",
        bank=bank(wrong=True),
    ),
    online(
        "online-card-declines",
        "approved by the issuer, declined by the card",
        BOOK4 + "6.3.8",
        DECLINED_ONLINE,
        make=card(second=lambda _: AAC),
        reversal=True,
    ),
    online(
        "online-again",
        "a card that asks to go online a second time, which counts as an AAC",
        BOOK3 + "9.3; Book 4, 6.3.8",
        DECLINED_ONLINE,
        make=card(second=lambda _: ARQC),
        reversal=True,
    ),
    online(
        "online-undefined",
        "a second cryptogram of a kind that does not exist, which counts as an AAC",
        BOOK3 + "9.3; Book 4, 6.3.8",
        DECLINED_ONLINE,
        make=card(second=lambda _: 0xC0),
        reversal=True,
    ),
    online(
        "online-contradicts",
        "declined by the issuer, approved by the card, which counts as an AAC",
        BOOK3 + "9.3",
        DECLINED_ONLINE,
        make=card(second=lambda _: TC),
        bank=bank(code=b"05"),
    ),
    online(
        "online-second-6985",
        "the second GENERATE AC refused after the issuer approved",
        BOOK3 + "8.1; Book 4, 6.3.8",
        TERMINATED,
        make=answer(b"\xae\x50", says("6985")),
        reversal=True,
    ),
    online(
        "online-second-bent",
        "a bit of the signature over the final TC changed",
        BOOK4 + "6.3.2.1, 6.3.8",
        DECLINED_ONLINE,
        make=answer(b"\xae\x50", bit_at(60)),
        tvr="0400008000",
        reversal=True,
    ),
    online(
        "online-wanted-by-card",
        "a card that wants online what the terminal would approve",
        BOOK3 + "9.3.1",
        APPROVED_ONLINE,
        make=card(first=lambda _: ARQC),
        tvr=FLOOR,
    ),
    online(
        "unable", "the issuer out of reach", BOOK4 + "12.2.1", DECLINED, bank=bank(answer=Unable("the line is down"))
    ),
    online(
        "unable-approved",
        "the issuer out of reach, and no default code that minds",
        BOOK4 + "12.2.1",
        APPROVED,
        make=card(data={**DATA, "9F0D": "0000000000"}),
        bank=bank(answer=Unable("the line is down")),
        config=("tac_default: '0000000000'",),
    ),
    online(
        "unable-late",
        "an answer of the issuer that never came",
        BOOK4 + "12.2.3",
        DECLINED,
        bank=bank(fault=TimeoutError()),
        reversal=True,
    ),
    online(
        "unable-late-approved",
        "an answer of the issuer that never came, and no default code that minds",
        BOOK4 + "12.2.3",
        APPROVED,
        make=card(data={**DATA, "9F0D": "0000000000"}),
        bank=bank(fault=TimeoutError()),
        reversal=True,
        config=("tac_default: '0000000000'",),
    ),
    online(
        "unable-nonsense",
        "an answer of the issuer that makes no sense",
        BOOK4 + "12.2.3",
        DECLINED,
        bank=bank(answer=OnlineResponse(b"?")),
        reversal=True,
    ),
)


def scripted(
    name: str, what: str, source: str, results: str, *sent: bytes, tvr: str = FLOOR, **how: object
) -> ForeignCard:
    status = {**FINE, **how.pop("status", {})}  # type: ignore[dict-item]
    code = how.pop("code", b"00")
    result = APPROVED_ONLINE if code == b"00" else DECLINED_ONLINE
    make = card(script_status=status)
    return online(
        name, what, source, result, make=make, tvr=tvr, bank=bank(scripts=sent, code=code), scripts=results, **how
    )


SCRIPTS = (
    scripted("script-71", "a script before the final cryptogram", BOOK3 + "10.10", DONE, script("71", UNBLOCK, PUT)),
    scripted("script-72", "a script after it", BOOK3 + "10.10", DONE, script("72", UPDATE)),
    scripted(
        "script-both",
        "one before and one after, sent the other way round",
        BOOK3 + "10.10",
        DONE + "2000000000",
        script("72", UPDATE, identifier=None),
        script("71", PUT),
    ),
    scripted(
        "script-71-fails",
        "a script 71 whose second command fails: the third is not sent",
        BOOK3 + "Annex E1, scenario 2",
        "12A1B2C3D4",
        script("71", UNBLOCK, PUT, UPDATE),
        status={PUT[:8]: "6985"},
        tvr="0000008020",
    ),
    scripted(
        "script-72-fails",
        "a script 72 whose first command fails",
        BOOK3 + "Annex E1, scenario 2",
        "11A1B2C3D4",
        script("72", UNBLOCK, PUT),
        status={UNBLOCK[:8]: "6A80"},
        tvr="0000008010",
    ),
    scripted(
        "script-71-next",
        "a script 71 that fails, and another that does not",
        BOOK3 + "Annex E2",
        "11A1B2C3D42011223344",
        script("71", PUT),
        script("71", UPDATE, identifier="11223344"),
        status={PUT[:8]: "6985"},
        tvr="0000008020",
    ),
    scripted(
        "script-warning",
        "a command answered with a warning: the script goes on",
        BOOK3 + "10.10",
        DONE,
        script("71", UNBLOCK, PUT),
        status={UNBLOCK[:8]: "6283"},
    ),
    scripted(
        "script-71-bent",
        "a script 71 that does not parse",
        BOOK3 + "Annex E1, scenario 3; Book 4, 12.2.4",
        NOT_DONE,
        script("71", UNBLOCK)[:-1],
        tvr="0000008020",
    ),
    scripted(
        "script-72-bent",
        "a script 72 that does not parse",
        BOOK3 + "Annex E1, scenario 3; Book 4, 12.2.4",
        NOT_DONE,
        script("72", UNBLOCK)[:-1],
        tvr="0000008010",
    ),
    scripted(
        "script-declined",
        "declined by the issuer, who blocks something by script",
        BOOK3 + "10.10",
        DONE,
        script("72", UNBLOCK),
        code=b"05",
    ),
)


ONLINE = (*ISSUER, *SCRIPTS)
