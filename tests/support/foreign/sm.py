"""Foreign cards with certificates of SM2 and cryptograms of SM4. JR/T 0025.17."""

from __future__ import annotations

from tests.support.cards.toys.emv_toy_card import PAN
from tests.support.cards.toys.emv_toy_terminal import OVER
from tests.support.foreign.kit import APPROVED_ONLINE, ForeignCard, answer, bit_at, card, changed, flipped
from tests.support.foreign.proof import CDA_FAILED, DDA, JRT, SDA, fails, proves
from tests.support.foreign.toy import REVOKED, Bank, Make, SmProof


def sm(name: str, what: str, make: Make, tvr: str = CDA_FAILED) -> ForeignCard:
    return fails(name, what, JRT + "EMV 4.4 Book 2, 6", make, tvr)


def with_sm(aip: str = "3D00", **how: object) -> Make:
    return card(aip=aip, pdol="9F37049F0206DF6901", proof=SmProof(**how))  # type: ignore[arg-type]


CHINESE = (
    proves("sm", "nothing is wrong with it; certificates with SM2", JRT + "EMV 4.4 Book 2, 6.6", with_sm()),
    proves(
        "sm-dda", "nothing is wrong with it; dynamic authentication with SM2", JRT + "EMV 4.4 Book 2, 6.5", with_sm(DDA)
    ),
    proves(
        "sm-sda",
        "nothing is wrong with it; static authentication with SM2",
        JRT + "EMV 4.4 Book 2, 5",
        with_sm(SDA, static_only=True),
        "0200000000",
    ),
    ForeignCard(
        "sm-online",
        "nothing is wrong with it; its request cryptogram is made with SM4",
        JRT + "EMV 4.4 Book 3, 10.9",
        APPROVED_ONLINE,
        "0000008000",
        with_sm(),
        amount=OVER,
        bank=lambda: Bank(sm=True),
    ),
    sm("sm-unknown-ca", "certified under an SM2 key that the terminal has not", with_sm(index="09")),
    sm("sm-issuer-bent", "a bit of the issuer certificate changed", changed((2, 1), flipped("90"), with_sm())),
    sm(
        "sm-issuer-other-bin",
        "an issuer certificate for another issuer's numbers",
        with_sm(issuer_head="12622600FF1236000001"),
    ),
    sm("sm-issuer-expired", "an issuer certificate that expired in 2025", with_sm(issuer_head="12622500FF1225000001")),
    sm(
        "sm-issuer-revoked",
        "an issuer certificate on the revocation list",
        with_sm(issuer_head=f"12622500FF1236{REVOKED}"),
    ),
    sm("sm-curve", "certificates for a curve that does not exist", with_sm(tail="04007F40")),
    sm("sm-icc-bent", "a bit of its own certificate changed", changed((2, 2), flipped("9F46", 30), with_sm())),
    sm(
        "sm-icc-other-pan",
        "a certificate for another card number",
        with_sm(icc_head="146225000000000014FFFF1236000002"),
    ),
    sm("sm-icc-expired", "a certificate of its own that expired in 2025", with_sm(icc_head=f"14{PAN}FFFF1225000002")),
    sm(
        "sm-icc-short",
        "a certificate of its own that is a byte short",
        changed((2, 2), lambda items: {"9F46": items["9F46"][:-1]}, with_sm()),
    ),
    sm(
        "sm-static-bent",
        "an action code changed after it was signed",
        changed((1, 1), lambda items: {**items, "9F0E": bytes(5)}, with_sm()),
    ),
    sm(
        "sm-signature-bent",
        "a bit of the signature over its cryptogram changed",
        answer(b"\xae", bit_at(60), with_sm()),
    ),
    sm(
        "sm-dda-bent",
        "a bit of the dynamic signature changed",
        answer(b"\x88", bit_at(40), with_sm(DDA)),
        "0800000000",
    ),
    sm(
        "sm-sda-bent",
        "a bit of the static signature changed",
        changed((2, 2), flipped("93"), with_sm(SDA, static_only=True)),
        "4200000000",
    ),
)
