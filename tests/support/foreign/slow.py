"""Cards that give no answer in time, or are pulled out. EMV 4.4 Book 4, 6.6.1."""

from __future__ import annotations

from terminal.emv.transaction.protocols import Unable
from tests.support.cards.toys.emv_toy_terminal import UNDER
from tests.support.foreign.form import BOOK3, ZERO
from tests.support.foreign.holder import strict
from tests.support.foreign.kit import APPROVED_ONLINE, NONE, TERMINATED, ForeignCard, pulled, silent
from tests.support.foreign.online import BOOK4, FLOOR, UNBLOCK, bank, online
from tests.support.foreign.toy import script


def slow(
    name: str, what: str, result: str, way: object, source: str = BOOK4 + "6.6.1; 11.2, table 8 (0F)", **how: object
) -> ForeignCard:
    """A card that gives no answer within its waiting time and all extensions: it is powered down and stays silent."""
    how.setdefault("tvr", FLOOR)
    return online(name, what, source, result, way=way, **how)  # type: ignore[arg-type]


SLOW = (
    slow("slow-select", "no answer to the first command", NONE, silent(0xA4), tvr=ZERO),
    slow("slow-options", "no answer to GET PROCESSING OPTIONS", TERMINATED, silent(0xA8), tvr=ZERO),
    slow("slow-record", "no answer to the last READ RECORD", TERMINATED, silent(0xB2, 2), tvr=ZERO),
    ForeignCard(
        "slow-pin",
        "no answer to VERIFY",
        BOOK4 + "6.6.1; 11.2, table 8 (0F)",
        TERMINATED,
        ZERO,
        strict("0100"),
        pins=("1234",),
        way=silent(0x20),
        amount=UNDER,
    ),
    slow(
        "slow-first-cryptogram",
        "no answer to the first GENERATE AC: the issuer is not asked",
        TERMINATED,
        silent(0xAE),
        goes_online=False,
    ),
    slow(
        "slow-issuer-authentication",
        "no answer to EXTERNAL AUTHENTICATE after the issuer approved",
        TERMINATED,
        silent(0x82),
        BOOK4 + "6.3.8, 6.6.1",
        reversal=True,
    ),
    slow(
        "slow-second-cryptogram",
        "no answer to the second GENERATE AC after the issuer approved",
        TERMINATED,
        silent(0xAE, 1),
        BOOK4 + "6.3.8, 6.6.1",
        reversal=True,
    ),
    slow(
        "slow-second-declined",
        "no answer to the second GENERATE AC after the issuer declined",
        TERMINATED,
        silent(0xAE, 1),
        BOOK4 + "6.3.8, 6.6.1",
        bank=bank(code=b"05"),
    ),
    slow(
        "slow-second-unable",
        "no answer to the second GENERATE AC, the issuer out of reach",
        TERMINATED,
        silent(0xAE, 1),
        BOOK4 + "6.6.1, 12.2.1",
        bank=bank(answer=Unable("the line is down")),
    ),
    slow(
        "slow-second-late",
        "no answer to the second GENERATE AC, and none of the issuer",
        TERMINATED,
        silent(0xAE, 1),
        BOOK4 + "6.6.1, 12.2.3",
        bank=bank(fault=TimeoutError()),
        reversal=True,
    ),
    slow(
        "slow-script-71",
        "no answer to a script 71, nor to anything behind it",
        TERMINATED,
        silent(0x24),
        BOOK3 + "10.10; Book 4, 6.3.8, 6.6.1",
        bank=bank(scripts=(script("71", UNBLOCK),)),
        tvr="0000008020",
        reversal=True,
        scripts="11A1B2C3D4",
    ),
    slow(
        "slow-script-72",
        "no answer to a script 72: the payment is made already",
        APPROVED_ONLINE,
        silent(0x24),
        BOOK3 + "10.10, 10.11",
        bank=bank(scripts=(script("72", UNBLOCK),)),
        tvr="0000008010",
        scripts="11A1B2C3D4",
    ),
    slow("pulled-record", "pulled out while its records are read", TERMINATED, pulled(0xB2, 1), tvr=ZERO),
    slow(
        "pulled-second-cryptogram",
        "pulled out after the issuer approved",
        TERMINATED,
        pulled(0xAE, 1),
        BOOK4 + "6.3.8, 6.6.1",
        reversal=True,
    ),
)
