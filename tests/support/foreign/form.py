"""Foreign cards whose data, lists or answers are out of form, and those that set a limit. EMV 4.4 Books 1 and 3."""

from __future__ import annotations

from terminal.tlv import decode
from tests.support.cards.toys.emv_toy_card import AAC, AID, DATA, ToyCard
from tests.support.foreign.kit import (
    APPROVED,
    DECLINED,
    OTHER,
    TERMINATED,
    ForeignCard,
    OverT0,
    answer,
    card,
    changed,
    gpo,
    having,
    record,
    says,
    without,
)
from tests.support.foreign.toy import Card, Make, tlv

BOOK1, BOOK3 = "EMV 4.4 Book 1, ", "EMV 4.4 Book 3, "
CREDIT = bytes.fromhex("A000000333010102")
ZERO = "0000000000"
LIMITS = {"9F14": "01", "9F23": "03"}


def whole(name: str, what: str, source: str, make: Make = Card, result: str = APPROVED, tvr: str = ZERO) -> ForeignCard:
    return ForeignCard(name, what, source, result, tvr, make)


def ended(name: str, what: str, source: str, make: Make) -> ForeignCard:
    """A card that ends the transaction before anything shows in the TVR."""
    return ForeignCard(name, what, source, TERMINATED, ZERO, make)


def counters(**answers: str) -> Make:
    """A card with limits for offline transactions in a row, and its counters for GET DATA."""
    return card(data={**DATA, **LIMITS}, get_data={"9F17": "03", **{tag[1:]: value for tag, value in answers.items()}})


def twice(tag: str) -> Make:
    def make_card() -> ToyCard:
        card = Card()
        content = decode(card.records[1, 1])[0].value
        card.records[1, 1] = tlv("70", content + tlv(tag, str(DATA[tag])))
        return card

    return make_card


def first_refuses() -> ToyCard:
    """The first of two applications answers 6985 to GET PROCESSING OPTIONS."""
    card = Card(apps={AID: "9000", CREDIT: "9000"})
    seen: list[bytes] = []

    def bend(_: int, command: bytes, response: bytes) -> bytes:
        if command[1] == 0xA8:
            seen.append(command)
        return b"\x69\x85" if command[1] == 0xA8 and len(seen) == 1 else response

    card.bend = bend
    return card


SELECTION = (
    ended(
        "blocked",
        "a blocked card: SELECT is answered with 6A81",
        BOOK1 + "12.3.2, step 1",
        answer(b"\xa4", says("6A81")),
    ),
    ended(
        "application-blocked",
        "a blocked application, and no other",
        BOOK1 + "12.3.3, 12.4",
        answer(
            b"\xa4\x04\x00", lambda response: response[:-2] + b"\x62\x83" if response[-2:] == b"\x90\x00" else response
        ),
    ),
    whole(
        "first-application-blocked",
        "two applications, the first of them blocked",
        BOOK1 + "12.3.3",
        card(apps={AID: "6283", CREDIT: "9000"}),
    ),
    whole(
        "first-application-refuses", "two applications, the first is not to be used now", BOOK3 + "10.1", first_refuses
    ),
    whole("no-application", "no application in common", BOOK1 + "12.4", answer(b"\xa4", says("6A82")), OTHER),
    whole(
        "fci-cut",
        "an FCI cut short: its application is no candidate",
        BOOK1 + "12.3.3",
        answer(
            b"\xa4\x04\x00", lambda response: response[:9] + b"\x90\x00" if response[-2:] == b"\x90\x00" else response
        ),
        OTHER,
    ),
    whole(
        "pse", "nothing is wrong with it; its directory lists the application", BOOK1 + "12.3.2", card(directory=True)
    ),
    whole(
        "pse-bent",
        "a directory whose record is no template 70: the list of AIDs is used",
        BOOK1 + "12.3.2",
        answer(b"\xb2\x01\x0c\x00\x70\x18", says("9000"), card(directory=True)),
    ),
)

OPTIONS = (
    whole(
        "gpo-80",
        "nothing is wrong with it; processing options in format 1",
        BOOK3 + "6.5.8.4",
        gpo("800A3D000801010110010200"),
    ),
    ended(
        "gpo-6985",
        "conditions of use not satisfied, and no other application",
        BOOK3 + "10.1",
        answer(b"\xa8", says("6985")),
    ),
    ended("gpo-6f00", "GET PROCESSING OPTIONS fails", BOOK3 + "8.1", answer(b"\xa8", says("6F00"))),
    ended("gpo-6f", "processing options in template 6F", BOOK3 + "6.5.8.4", gpo("6F0E82023D0094080801010110010200")),
    ended("gpo-no-afl", "processing options without an AFL", BOOK3 + "6.5.8.4", gpo("770482023D00")),
    ended("gpo-no-aip", "processing options without an AIP", BOOK3 + "6.5.8.4", gpo("7706940408010101")),
    ended("gpo-empty-afl", "an AFL with no entries", BOOK3 + "7.5", gpo("770682023D009400")),
    ended("gpo-odd-afl", "an AFL of five bytes", BOOK3 + "7.5", gpo("770B82023D0094050801010110")),
    ended("gpo-sfi-0", "an AFL that names file 0", BOOK3 + "7.5", gpo("770A82023D00940400010101")),
    ended("gpo-sfi-31", "an AFL that names file 31", BOOK3 + "7.5", gpo("770A82023D009404F8010101")),
    ended("gpo-record-0", "an AFL that begins with record 0", BOOK3 + "7.5", gpo("770A82023D00940408000101")),
    ended(
        "gpo-first-over-last",
        "an AFL whose first record comes after its last",
        BOOK3 + "7.5",
        gpo("770A82023D00940408020101"),
    ),
    ended(
        "gpo-signed-over",
        "an AFL that signs more records than it names",
        BOOK3 + "7.5",
        gpo("770A82023D00940408010102"),
    ),
    ended("pdol-cut", "a PDOL that ends in the middle of a tag", BOOK3 + "7.5", card(pdol="9F")),
)

RECORDS = (
    ended(
        "record-6a83", "the first record that the AFL names is not there", BOOK3 + "8.1, 10.2", record(1, says("6A83"))
    ),
    ended(
        "record-6a83-late",
        "the last record that the AFL names is not there",
        BOOK3 + "8.1, 10.2",
        record(2, says("6A83"), 2),
    ),
    ended("record-6985", "a record that may not be read", BOOK3 + "8.1", record(1, says("6985"), 2)),
    ended(
        "record-not-70",
        "a record without template 70",
        BOOK3 + "6.5.11.4, 7.5",
        record(1, lambda response: b"\x71" + response[1:]),
    ),
    ended(
        "record-cut",
        "a record cut in the middle of an element",
        BOOK3 + "7.5",
        record(1, lambda response: response[:20] + b"\x90\x00"),
    ),
    ended("record-empty", "a record without a byte", BOOK3 + "6.5.11.4, 7.5", record(1, says("9000"))),
    ended(
        "double-pan",
        "the card number in two records",
        BOOK3 + "10.2",
        changed((2, 2), lambda items: {**items, "5A": str(DATA["5A"])}),
    ),
    ended("double-in-record", "the expiry date twice in one record", BOOK3 + "10.2", twice("5F24")),
    ended("no-expiry", "no expiry date", BOOK3 + "7.2, table 28; 7.5", without("5F24")),
    ended("no-pan", "no card number", BOOK3 + "7.2, table 28; 7.5", without("5A")),
    ended("no-cdol1", "no CDOL1", BOOK3 + "7.2, table 28; 7.5", without("8C")),
    ended("no-cdol2", "no CDOL2", BOOK3 + "7.2, table 28; 7.5", without("8D")),
    ended("cdol1-cut", "a CDOL1 that ends in the middle of a tag", BOOK3 + "7.5", having(T8C="9F02069F")),
    ended("pan-letters", "a letter in the card number", BOOK3 + "4.3, 7.5", having(T5A="62250000A0000006")),
    ended("expiry-month-13", "an expiry date in month 13", BOOK3 + "7.5", having(T5F24="361331")),
    ended("effective-day-32", "an effective date on day 32", BOOK3 + "7.5", having(T5F25="200132")),
    ended("usage-short", "a usage control of one byte", BOOK3 + "7.5, Annex A", having(T9F07="FF")),
    whole(
        "amount-of-its-own",
        "an amount in its records: data of the terminal are not taken from a card",
        BOOK3 + "7.5",
        having(T9F02="000000000001"),
    ),
    whole("unknown-tags", "elements that no terminal knows", BOOK3 + "10.2", having(T9F7F="0102", TDF8101="03")),
    whole(
        "name-bent",
        "a cardholder name of control characters, which no payment hangs on",
        BOOK3 + "7.5, table 34",
        having(T5F20="0001"),
    ),
)

LIMIT = (
    ForeignCard("expired", "expired in 2025", BOOK3 + "10.4.3, 10.7", DECLINED, "0040000000", having(T5F24="251231")),
    ForeignCard(
        "usage-domestic-goods",
        "not valid for goods at home",
        BOOK3 + "10.4.2, 10.7",
        DECLINED,
        "0010000000",
        having(T9F07="0100"),
    ),
    ForeignCard(
        "not-yet-valid",
        "valid from 2030 on; no action code minds",
        BOOK3 + "10.4.3, 10.7",
        APPROVED,
        "0020000000",
        having(T5F25="300101"),
    ),
    ForeignCard(
        "other-version",
        "an application version that the terminal does not know; no action code minds",
        BOOK3 + "10.4.1, 10.7",
        APPROVED,
        "0080000000",
        having(T9F08="0001"),
    ),
    ForeignCard(
        "velocity-lower",
        "two transactions in a row offline where one is the lower limit; the issuer out of reach",
        BOOK3 + "10.6.3, 10.7",
        APPROVED,
        "0000004000",
        counters(T9F36="0007", T9F13="0005"),
    ),
    ForeignCard(
        "velocity-upper",
        "seven in a row where three is the upper limit",
        BOOK3 + "10.6.3, 10.7",
        DECLINED,
        "0000006000",
        counters(T9F36="0008", T9F13="0001"),
    ),
    ForeignCard(
        "velocity-new",
        "a card that was never online",
        BOOK3 + "10.6.3, 10.7",
        DECLINED,
        "0008006000",
        counters(T9F36="0007", T9F13="0000"),
    ),
    ForeignCard(
        "velocity-behind",
        "a transaction counter that is not beyond the last one online",
        BOOK3 + "10.6.3, 10.7",
        DECLINED,
        "0000006000",
        counters(T9F36="0005", T9F13="0005"),
    ),
    ForeignCard(
        "velocity-no-counters",
        "limits for offline transactions, and no counters to compare",
        BOOK3 + "7.5, table 35; 10.6.3",
        DECLINED,
        "2000006000",
        counters(),
    ),
    ForeignCard(
        "declines", "a card that wants none of it", BOOK3 + "9.3.1, 10.8", DECLINED, ZERO, card(first=lambda _: AAC)
    ),
)

CRYPTOGRAM = (
    ended("ac-6985", "GENERATE AC refused", BOOK3 + "8.1", answer(b"\xae", says("6985"))),
    ended("ac-empty", "GENERATE AC answered without data", BOOK3 + "6.5.5.4", answer(b"\xae", says("9000"))),
    ended(
        "ac-no-cid",
        "an answer to GENERATE AC without cryptogram information",
        BOOK3 + "6.5.5.4",
        answer(b"\xae", says("77149F360200079F260801020304050607089F1001009000")),
    ),
    ended("ac-undefined", "a cryptogram of a kind that does not exist", BOOK3 + "9.3", card(first=lambda _: 0xC0)),
    whole(
        "ac-more",
        "a TC where an AAC was asked for",
        BOOK3 + "9.3",
        card(data={**DATA, "5F24": "251231", "9F0E": "0040000000"}, first=lambda _: 0x40),
        TERMINATED,
        "0040000000",
    ),
    ended(
        "ac-service",
        "an AAC that says: service not allowed",
        "EMV 4.4 Book 4, 6.3.7",
        card(first=lambda _: AAC, cid_extra=1),
    ),
)

SOUND = (
    whole("sound", "nothing is wrong with it", BOOK3 + "10"),
    ForeignCard(
        "sound-t0",
        "nothing is wrong with it; it speaks T=0, with GET RESPONSE and 6Cxx",
        BOOK1 + "9.3.1 (T=0 command handling); Book 3, 10",
        APPROVED,
        ZERO,
        Card,
        way=OverT0,
    ),
)

FORM = (*SOUND, *SELECTION, *OPTIONS, *RECORDS, *LIMIT, *CRYPTOGRAM)
