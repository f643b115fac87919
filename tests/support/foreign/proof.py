"""Foreign cards that cannot prove themselves, with RSA and with SM2, and those that can. EMV Book 2; JR/T 0025.17."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.cards.toys.emv_toy_card import ARQC, PAN, ToyCard
from tests.support.cards.toys.emv_toy_terminal import OVER
from tests.support.foreign.form import BOOK3, ZERO
from tests.support.foreign.kit import (
    APPROVED,
    DECLINED,
    TERMINATED,
    ForeignCard,
    answer,
    bit_at,
    card,
    changed,
    dropped,
    flipped,
    having,
    says,
)
from tests.support.foreign.toy import NUMBER, OLD_CA, REVOKED, Bank, Card, Make, RsaProof, tlv

BOOK2, JRT = "EMV 4.4 Book 2, ", "JR/T 0025.17; "
CDA_FAILED, CDA_MISSING = "0400000000", "2400000000"
SDA, DDA, NO_PROOF = "5C00", "3C00", "1C00"


def fails(name: str, what: str, source: str, make: Make, tvr: str = CDA_FAILED) -> ForeignCard:
    """A card that the action codes then want online, and that is declined because the issuer is out of reach."""
    return ForeignCard(name, what, f"{source}; Book 3, 10.3, 10.7", DECLINED, tvr, make)


def proves(name: str, what: str, source: str, make: Make, tvr: str = ZERO) -> ForeignCard:
    return ForeignCard(name, what, source, APPROVED, tvr, make)


def certified(**how: object) -> Make:
    return card(proof=RsaProof(**how))  # type: ignore[arg-type]


def poked(at: int, value: int) -> Callable[[bytes], bytes]:
    """A bend that puts a byte somewhere."""
    return lambda body: body[:at] + bytes((value,)) + body[at + 1 :]


def of_another() -> ToyCard:
    """A card that returns the signature for another terminal."""
    card = Card(aip=DDA)
    card.bend = lambda _, command, response: (
        tlv("77", tlv("9F4B", card.proof.sign(NUMBER, b"\x00\x00\x00\x00"))) + b"\x90\x00"
        if command[1] == 0x88
        else response
    )
    return card


def unsigned() -> ToyCard:
    """GENERATE AC requests a signature and gets a plain cryptogram."""
    return Card(format_1=True)


CERTIFICATES = (
    fails(
        "no-ca-index", "no index of its CA key", BOOK3 + "7.5, table 35", changed((2, 1), dropped("8F")), CDA_MISSING
    ),
    fails(
        "no-issuer-certificate",
        "no issuer certificate",
        BOOK3 + "7.5, table 35",
        changed((2, 1), dropped("90")),
        CDA_MISSING,
    ),
    fails(
        "no-issuer-exponent",
        "no exponent of the issuer's key",
        BOOK3 + "7.5, table 35",
        changed((2, 1), dropped("9F32")),
        CDA_MISSING,
    ),
    fails(
        "no-issuer-remainder",
        "no remainder of an issuer key that has one",
        BOOK3 + "7.5, table 35",
        changed((2, 1), dropped("92")),
        CDA_MISSING,
    ),
    fails(
        "no-icc-certificate",
        "no certificate of its own",
        BOOK3 + "7.5, table 35",
        changed((2, 2), dropped("9F46")),
        CDA_MISSING,
    ),
    fails(
        "no-icc-exponent",
        "no exponent of its own key",
        BOOK3 + "7.5, table 35",
        changed((2, 2), dropped("9F47")),
        CDA_MISSING,
    ),
    fails(
        "no-icc-remainder",
        "no remainder of its own key",
        BOOK3 + "7.5, table 35",
        changed((2, 2), dropped("9F48")),
        CDA_MISSING,
    ),
    fails("unknown-ca", "certified under a CA key that the terminal has not", BOOK2 + "6.2", certified(index="09")),
    fails(
        "ca-expired",
        "certified under a CA key whose time is over",
        BOOK2 + "6.2, 11.2.3",
        certified(index=f"{OLD_CA:02}"),
    ),
    fails(
        "issuer-certificate-bent",
        "a bit of the issuer certificate changed",
        BOOK2 + "6.3",
        changed((2, 1), flipped("90")),
    ),
    fails(
        "issuer-certificate-short",
        "an issuer certificate shorter than the CA key",
        BOOK2 + "6.3, step 1",
        changed((2, 1), lambda items: {**items, "90": items["90"][:-1]}),
    ),
    fails(
        "issuer-trailer",
        "an issuer certificate with trailer BD",
        BOOK2 + "6.3, step 2",
        certified(seal_issuer=poked(143, 0xBD)),
    ),
    fails(
        "issuer-header",
        "an issuer certificate with header 6B",
        BOOK2 + "6.3, step 3",
        certified(seal_issuer=poked(0, 0x6B)),
    ),
    fails(
        "issuer-format",
        "an issuer certificate with format byte 04",
        BOOK2 + "6.3, step 4",
        certified(issuer_head="04622500FF1236000001"),
    ),
    fails(
        "issuer-hash-algorithm",
        "an issuer certificate with a hash algorithm that does not exist",
        BOOK2 + "6.3, step 6; B2",
        certified(bend_issuer=poked(10, 0x7F)),
    ),
    fails(
        "issuer-hash",
        "an issuer certificate whose hash is of something else",
        BOOK2 + "6.3, step 7",
        certified(seal_issuer=poked(130, 0x00)),
    ),
    fails(
        "issuer-other-bin",
        "an issuer certificate for another issuer's numbers",
        BOOK2 + "6.3, step 8",
        certified(issuer_head="02622600FF1236000001"),
    ),
    fails(
        "issuer-expired",
        "an issuer certificate that expired in 2025",
        BOOK2 + "6.3, step 9",
        certified(issuer_head="02622500FF1225000001"),
    ),
    fails(
        "issuer-revoked",
        "an issuer certificate on the revocation list",
        BOOK2 + "6.3, step 10",
        certified(issuer_head=f"02622500FF1236{REVOKED}"),
    ),
    fails(
        "issuer-key-algorithm",
        "an issuer certificate for a key algorithm that does not exist",
        BOOK2 + "6.3, step 11",
        certified(bend_issuer=poked(11, 0x7F)),
    ),
    fails(
        "icc-certificate-bent", "a bit of its own certificate changed", BOOK2 + "6.4", changed((2, 2), flipped("9F46"))
    ),
    fails(
        "icc-format",
        "a certificate of its own with format byte 02",
        BOOK2 + "6.4, step 4",
        certified(icc_head=f"02{PAN}FFFF1236000002"),
    ),
    fails(
        "static-data-bent",
        "an action code changed after it was signed",
        BOOK2 + "6.4, step 7",
        changed((1, 1), lambda items: {**items, "9F0E": bytes(5)}),
    ),
    fails(
        "icc-other-pan",
        "a certificate for another card number",
        BOOK2 + "6.4, step 8",
        certified(icc_head="046225000000000014FFFF1236000002"),
    ),
    fails(
        "icc-expired",
        "a certificate of its own that expired in 2025",
        BOOK2 + "6.4, step 9",
        certified(icc_head=f"04{PAN}FFFF1225000002"),
    ),
    fails(
        "tag-list-wrong",
        "a static data authentication tag list that names another tag than 82",
        BOOK3 + "10.3",
        having(T9F4A="5A"),
    ),
    fails(
        "no-proof", "a card without any offline data authentication", BOOK3 + "10.3", card(aip=NO_PROOF), "8000000000"
    ),
)

STATIC = (
    proves(
        "sda",
        "nothing is wrong with it; static authentication",
        BOOK2 + "5",
        card(aip=SDA, proof=RsaProof(static_only=True)),
        "0200000000",
    ),
    fails(
        "sda-bent",
        "a bit of the static signature changed",
        BOOK2 + "5.4",
        changed((2, 2), flipped("93"), card(aip=SDA, proof=RsaProof(static_only=True))),
        "4200000000",
    ),
    fails(
        "sda-data-bent",
        "data changed after they were signed",
        BOOK2 + "5.4, step 7",
        changed((1, 1), lambda items: {**items, "9F0E": bytes(5)}, card(aip=SDA, proof=RsaProof(static_only=True))),
        "4200000000",
    ),
    fails(
        "sda-missing",
        "no static signature",
        BOOK3 + "7.5, table 35",
        changed((2, 2), lambda items: {"9F46": items["93"]}, card(aip=SDA, proof=RsaProof(static_only=True))),
        "6200000000",
    ),
)

DYNAMIC = (
    proves("dda", "nothing is wrong with it; dynamic authentication", BOOK2 + "6.5", card(aip=DDA)),
    proves(
        "dda-80",
        "nothing is wrong with it; its signature comes in format 1",
        BOOK3 + "6.5.9.4",
        card(aip=DDA, dda_format=0x80),
    ),
    fails(
        "dda-bent",
        "a bit of the dynamic signature changed",
        BOOK2 + "6.5.2",
        answer(b"\x88", bit_at(40), card(aip=DDA)),
        "0800000000",
    ),
    fails(
        "dda-replayed",
        "a dynamic signature over another unpredictable number",
        BOOK2 + "6.5.2, step 7",
        of_another,
        "0800000000",
    ),
    fails(
        "dda-list",
        "a DDOL without the unpredictable number",
        BOOK2 + "6.5.1",
        having(DDA, T9F49="9F0206"),
        "0800000000",
    ),
    ForeignCard(
        "dda-6985",
        "INTERNAL AUTHENTICATE refused",
        BOOK3 + "8.1",
        TERMINATED,
        ZERO,
        answer(b"\x88", says("6985"), card(aip=DDA)),
    ),
    ForeignCard(
        "dda-missing",
        "an answer in format 2 without the signature",
        BOOK3 + "6.5.9.4",
        TERMINATED,
        ZERO,
        answer(b"\x88", says("77059F360200079000"), card(aip=DDA)),
    ),
)

COMBINED = (
    fails(
        "ac-signature-bent",
        "a bit of the signature over a TC changed: no second GENERATE AC",
        BOOK2 + "6.6.2; Book 4, 6.3.2.1",
        answer(b"\xae", bit_at(60)),
    ),
    fails(
        "ac-signature-short",
        "a signature shorter than the card's key",
        BOOK2 + "6.6.2, step 1",
        answer(
            b"\xae",
            lambda response: tlv("77", response[3:12] + tlv("9F4B", response[16:143]) + response[144:-2]) + b"\x90\x00",
        ),
    ),
    fails("ac-unsigned", "a TC without the signature that was asked for", BOOK2 + "6.6, 6.6.3, figure 3", unsigned),
    fails(
        "ac-counter-bent",
        "a transaction counter changed on its way, so that the hash over the answer is wrong",
        BOOK2 + "6.6.2, step 12",
        answer(b"\xae", lambda response: response.replace(bytes.fromhex("9F36020007"), bytes.fromhex("9F36020008"))),
    ),
    ForeignCard(
        "ac-kind-bent",
        "an ARQC turned into a TC on its way: the signed kind counts, and an AAC ends it",
        BOOK2 + "6.6.2, step 6; Book 4, 6.3.2.1",
        DECLINED,
        CDA_FAILED,
        answer(
            b"\xae",
            lambda response: response.replace(b"\x9f\x27\x01\x80", b"\x9f\x27\x01\x40"),
            card(first=lambda _: ARQC),
        ),
    ),
    ForeignCard(
        "ac-request-bent",
        "a bit of the signature over an ARQC changed: the card is asked for an AAC, the issuer never",
        BOOK2 + "6.6.2; Book 4, 6.3.2.1",
        DECLINED,
        "0400008000",
        answer(b"\xae\x90", bit_at(60)),
        amount=OVER,
        bank=Bank,
        goes_online=False,
    ),
)


PROOF = (*CERTIFICATES, *STATIC, *DYNAMIC, *COMBINED)
