"""Broken payment cards, each recorded once as a conversation: ``python -m tests.support.foreign_cards DIRECTORY``.

What must come of each is written here by hand from the books; the recording only keeps the bytes, and says where the
program differs. Keys are made anew at each recording, so all files and their CA key (``ca.json``) belong together.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from terminal.apdu import Transport, stack
from terminal.apdu.transcript import turns
from terminal.emv.cakeys import CaStore
from terminal.emv.kernel import run_transaction
from terminal.emv.outcome import Outcome
from terminal.emv.transaction import Transaction
from terminal.tlv import decode
from tests.support.emv_toy_card import AID, CA, DATA, ToyCard, objects, tlv, toy_keys
from tests.support.emv_toy_terminal import AT, UNDER, config_with
from tests.support.kernel_front import Person

APPROVED, DECLINED, TERMINATED, OTHER = (
    "approved offline",
    "declined offline",
    "terminated",
    "try another interface",
)


@dataclass(frozen=True)
class ForeignCard:
    """``result`` and ``tvr`` are what EMV says of it; ``source`` says where."""

    name: str
    what: str
    source: str
    result: str
    tvr: str
    make: Callable[[], ToyCard]
    pins: tuple[str | None, ...] = ()
    """What the cardholder enters, one PIN a question; None for a PIN that was bypassed."""

    def meet(self, transport: Transport, keys: CaStore) -> Outcome:
        """A purchase below the floor limit at the shipped terminal, with fixed date and randomness."""
        return run_transaction(
            stack(transport),
            config_with(),
            Transaction(UNDER, AT),
            keys=keys,
            cardholder=Person(*self.pins) if self.pins else None,
            draw=lambda: 99,
            random=lambda size: bytes(range(0xA0, 0xA0 + size)),
        )


def record(number: int, bend: Callable[[bytes], bytes], sfi: int = 1) -> Callable[[], ToyCard]:
    """A card whose record is bent on its way: the whole answer, status word included."""
    return answer(bytes((0xB2, number, sfi << 3 | 4)), bend)


def answer(head: bytes, bend: Callable[[bytes], bytes]) -> Callable[[], ToyCard]:
    def changed(_: int, command: bytes, told: bytes) -> bytes:
        return bend(told) if command[1 : 1 + len(head)] == head else told

    return lambda: ToyCard(bend=changed)


def without(*tags: str) -> Callable[[], ToyCard]:
    """A sound card that was personalized without these elements."""
    return lambda: ToyCard(data={tag: value for tag, value in DATA.items() if tag not in tags})


def having(**values: str) -> Callable[[], ToyCard]:
    return lambda: ToyCard(data={**DATA, **{tag[1:]: value for tag, value in values.items()}})


def certificates(bend: Callable[[ToyCard], None]) -> Callable[[], ToyCard]:
    """A card whose records were changed after they were signed."""

    def made() -> ToyCard:
        card = ToyCard()
        bend(card)
        return card

    return made


def _without(card: ToyCard, place: tuple[int, int], tag: str) -> None:
    kept = {item: value for item, value in _items(card.records[place]).items() if item != tag}
    card.records[place] = tlv("70", objects(dict(kept)))


def _flipped(card: ToyCard, place: tuple[int, int], tag: str) -> None:
    items = _items(card.records[place])
    value = items[tag]
    card.records[place] = tlv("70", objects({**items, tag: value[:-1] + bytes((value[-1] ^ 1,))}))


def _replaced(card: ToyCard, place: tuple[int, int], tag: str, value: str) -> None:
    card.records[place] = tlv("70", objects({**_items(card.records[place]), tag: value}))


def _items(whole: bytes) -> dict[str, bytes]:
    return {str(item.tag): item.value for item in decode(whole)[0].children}


def gpo(options: str) -> Callable[[], ToyCard]:
    return answer(b"\xa8", lambda _: bytes.fromhex(options) + b"\x90\x00")


def pin(*statuses: str) -> Callable[[], ToyCard]:
    """A card that takes a plaintext PIN and nothing else, and declines without it; its answers to VERIFY in order."""

    def made() -> ToyCard:
        left = list(statuses)

        def verified(_: int, command: bytes, told: bytes) -> bytes:
            return bytes.fromhex(left.pop(0)) if command[1] == 0x20 else told

        return ToyCard(data={**DATA, "8E": "00000000000000000100", "9F0E": "0010880000"}, bend=verified)

    return made


BOOK3 = "EMV 4.4 Book 3, "
CARDS = (
    ForeignCard("sound", "nothing is wrong with it", BOOK3 + "10", APPROVED, "0000000000", ToyCard),
    ForeignCard(
        "record-6a83",
        "a record that the AFL names is not there",
        BOOK3 + "10.2",
        TERMINATED,
        "0000000000",
        record(1, lambda _: b"\x6a\x83"),
    ),
    ForeignCard(
        "record-not-70",
        "a record without template 70",
        BOOK3 + "6.5.11.4",
        TERMINATED,
        "0000000000",
        record(1, lambda told: b"\x71" + told[1:]),
    ),
    ForeignCard(
        "record-cut",
        "a record cut in the middle of an element",
        BOOK3 + "7.5",
        TERMINATED,
        "0000000000",
        record(1, lambda told: told[:20] + b"\x90\x00"),
    ),
    ForeignCard(
        "double-pan",
        "the card number twice",
        BOOK3 + "10.2",
        TERMINATED,
        "0000000000",
        certificates(
            lambda c: c.records.update({(2, 2): tlv("70", objects({**_items(c.records[2, 2]), "5A": str(DATA["5A"])}))})
        ),
    ),
    ForeignCard("no-expiry", "no expiry date", BOOK3 + "7.2", TERMINATED, "0000000000", without("5F24")),
    ForeignCard("no-pan", "no card number", BOOK3 + "7.2", TERMINATED, "0000000000", without("5A")),
    ForeignCard("no-cdol1", "no CDOL1", BOOK3 + "7.2", TERMINATED, "0000000000", without("8C")),
    ForeignCard("no-cdol2", "no CDOL2", BOOK3 + "7.2", TERMINATED, "0000000000", without("8D")),
    ForeignCard(
        "gpo-6985",
        "conditions of use not satisfied, and no other application",
        BOOK3 + "10.1",
        OTHER,
        "0000000000",
        answer(b"\xa8", lambda _: b"\x69\x85"),
    ),
    ForeignCard(
        "gpo-odd-afl",
        "an AFL of five bytes",
        BOOK3 + "10.2",
        TERMINATED,
        "0000000000",
        gpo("770B 8202 3D00 9405 08010101 10"),
    ),
    ForeignCard(
        "gpo-sfi-0",
        "an AFL that names file 0",
        BOOK3 + "10.2",
        TERMINATED,
        "0000000000",
        gpo("770A 8202 3D00 9404 00010101"),
    ),
    ForeignCard(
        "gpo-first-over-last",
        "an AFL whose first record comes after its last",
        BOOK3 + "10.2",
        TERMINATED,
        "0000000000",
        gpo("770A 8202 3D00 9404 08020101"),
    ),
    ForeignCard(
        "gpo-record-0",
        "an AFL that begins with record 0",
        BOOK3 + "10.2",
        TERMINATED,
        "0000000000",
        gpo("770A 8202 3D00 9404 08000101"),
    ),
    ForeignCard(
        "gpo-no-afl",
        "processing options without an AFL",
        BOOK3 + "6.5.8.4",
        TERMINATED,
        "0000000000",
        gpo("7704 8202 3D00"),
    ),
    ForeignCard(
        "gpo-no-aip",
        "processing options without an AIP",
        BOOK3 + "6.5.8.4",
        TERMINATED,
        "0000000000",
        gpo("7706 9404 08010101"),
    ),
    ForeignCard(
        "expired", "expired in 2025", BOOK3 + "10.4.3, Annex C5", DECLINED, "0040000000", having(t5F24="251231")
    ),
    ForeignCard(
        "usage-domestic-goods",
        "not valid for goods at home",
        BOOK3 + "10.4.2, Annex C5",
        DECLINED,
        "0010000000",
        having(t9F07="0000"),
    ),
    ForeignCard(
        "not-yet-valid",
        "valid from 2030 on",
        BOOK3 + "10.4.3, Annex C5",
        APPROVED,
        "0020000000",
        having(t5F25="300101"),
    ),
    ForeignCard(
        "other-version",
        "an application version that the terminal does not know",
        BOOK3 + "10.4.1, Annex C5",
        APPROVED,
        "0080000000",
        having(t9F08="0001"),
    ),
    ForeignCard(
        "no-issuer-certificate",
        "no issuer certificate",
        BOOK3 + "7.2, 10.3",
        DECLINED,
        "2400000000",
        certificates(lambda c: _without(c, (2, 1), "90")),
    ),
    ForeignCard(
        "no-ca-index",
        "no index of its CA key",
        BOOK3 + "7.2, 10.3",
        DECLINED,
        "2400000000",
        certificates(lambda c: _without(c, (2, 1), "8F")),
    ),
    ForeignCard(
        "no-icc-certificate",
        "no certificate of its own",
        BOOK3 + "7.2, 10.3",
        DECLINED,
        "2400000000",
        certificates(lambda c: _without(c, (2, 2), "9F46")),
    ),
    ForeignCard(
        "no-icc-exponent",
        "no exponent of its own key",
        BOOK3 + "7.2, 10.3",
        DECLINED,
        "2400000000",
        certificates(lambda c: _without(c, (2, 2), "9F47")),
    ),
    ForeignCard(
        "unknown-ca",
        "certified under a CA key that the terminal has not",
        "EMV 4.4 Book 2, 6.2",
        DECLINED,
        "0400000000",
        certificates(lambda c: _replaced(c, (2, 1), "8F", "09")),
    ),
    ForeignCard(
        "issuer-certificate-bent",
        "a bit of the issuer certificate changed",
        "EMV 4.4 Book 2, 6.3",
        DECLINED,
        "0400000000",
        certificates(lambda c: _flipped(c, (2, 1), "90")),
    ),
    ForeignCard(
        "icc-certificate-bent",
        "a bit of its own certificate changed",
        "EMV 4.4 Book 2, 6.4",
        DECLINED,
        "0400000000",
        certificates(lambda c: _flipped(c, (2, 2), "9F46")),
    ),
    ForeignCard(
        "static-data-bent",
        "an action code changed after it was signed",
        "EMV 4.4 Book 2, 6.4",
        DECLINED,
        "0400000000",
        certificates(lambda c: _replaced(c, (1, 1), "9F0E", "0000000000")),
    ),
    ForeignCard(
        "tag-list-wrong",
        "a static data authentication tag list that names another tag than 82",
        "EMV 4.4 Book 2, 6.4",
        DECLINED,
        "0400000000",
        having(t9F4A="5A"),
    ),
    ForeignCard(
        "no-cvm-list",
        "no CVM list, though the AIP promises one",
        BOOK3 + "7.5, 10.5",
        DECLINED,
        "2000000000",
        without("8E"),
    ),
    ForeignCard(
        "cvm-empty-list",
        "a CVM list without rules, which counts as none",
        BOOK3 + "10.5",
        DECLINED,
        "2000000000",
        having(t8E="0000000000000000"),
    ),
    ForeignCard(
        "cvm-fails",
        "a CVM list whose only rule is to fail, which no action code minds",
        BOOK3 + "10.5.5, Annex C3",
        APPROVED,
        "0000800000",
        having(t8E="00000000000000000000"),
    ),
    ForeignCard(
        "cvm-signature",
        "a signature asked for",
        BOOK3 + "10.5.3",
        APPROVED,
        "0000000000",
        having(t8E="00000000000000001E00"),
    ),
    ForeignCard(
        "ac-6985",
        "GENERATE AC refused",
        BOOK3 + "9.3.1",
        TERMINATED,
        "0000000000",
        answer(b"\xae", lambda _: b"\x69\x85"),
    ),
    ForeignCard(
        "ac-empty",
        "GENERATE AC answered without data",
        BOOK3 + "6.5.5.4",
        TERMINATED,
        "0000000000",
        answer(b"\xae", lambda _: b"\x90\x00"),
    ),
    ForeignCard(
        "ac-no-cid",
        "an answer to GENERATE AC without cryptogram information",
        BOOK3 + "6.5.5.4",
        TERMINATED,
        "0000000000",
        answer(b"\xae", lambda _: bytes.fromhex("77149F360200079F260801020304050607089F1001009000")),
    ),
    ForeignCard(
        "ac-signature-bent",
        "a bit of the combined signature changed",
        "EMV 4.4 Book 2, 6.6.2",
        DECLINED,
        "0400000000",
        answer(b"\xae", lambda told: told[:60] + bytes((told[60] ^ 1,)) + told[61:]),
    ),
    ForeignCard(
        "declines",
        "a card that wants none of it",
        BOOK3 + "9.3",
        DECLINED,
        "0000000000",
        lambda: ToyCard(first=lambda _: 0x00),
    ),
    ForeignCard(
        "blocked",
        "a blocked card",
        "EMV 4.4 Book 1, 12.3",
        TERMINATED,
        "0000000000",
        answer(b"\xa4", lambda _: b"\x6a\x81"),
    ),
    ForeignCard(
        "application-blocked",
        "a blocked application, and no other",
        "EMV 4.4 Book 1, 12.4",
        OTHER,
        "0000000000",
        answer(b"\xa4\x04\x00", lambda told: told[:-2] + b"\x62\x83" if told[-2:] == b"\x90\x00" else told),
    ),
    ForeignCard(
        "no-application",
        "no application in common",
        "EMV 4.4 Book 1, 12.4",
        OTHER,
        "0000000000",
        answer(b"\xa4", lambda _: b"\x6a\x82"),
    ),
    ForeignCard(
        "fci-cut",
        "an FCI cut short",
        BOOK3 + "7.5",
        OTHER,
        "0000000000",
        answer(b"\xa4\x04\x00", lambda told: told[:9] + b"\x90\x00" if told[-2:] == b"\x90\x00" else told),
    ),
    ForeignCard(
        "pin-right", "the right plaintext PIN", BOOK3 + "10.5.1", APPROVED, "0000000000", pin("9000"), ("1234",)
    ),
    ForeignCard(
        "pin-second-try",
        "a wrong PIN, then the right one",
        BOOK3 + "10.5.1",
        APPROVED,
        "0000000000",
        pin("63C2", "9000"),
        ("4321", "1234"),
    ),
    ForeignCard(
        "pin-tries-exceeded",
        "three wrong PINs",
        BOOK3 + "10.5.1, Annex C5",
        DECLINED,
        "0000A00000",
        pin("63C2", "63C1", "63C0"),
        ("1111", "2222", "3333"),
    ),
    ForeignCard(
        "pin-bypassed",
        "a PIN asked for and not entered",
        BOOK3 + "10.5.1, Annex C5",
        DECLINED,
        "0000880000",
        pin(),
        (None,),
    ),
    ForeignCard(
        "pin-blocked",
        "a PIN that was blocked before",
        BOOK3 + "10.5.1, Annex C5",
        DECLINED,
        "0000A00000",
        lambda: replace(pin()(), get_data={"9F36": "0007", "9F13": "0005", "9F17": "00"}),
        ("1234",),
    ),
    ForeignCard(
        "pin-6983",
        "a card that blocks its PIN without telling of tries",
        BOOK3 + "10.5.1, Annex C5",
        DECLINED,
        "0000A00000",
        lambda: replace(pin("6983")(), get_data={"9F36": "0007", "9F13": "0005"}),
        ("1234",),
    ),
)


def record_all(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    ca = {"rid": AID[:5].hex().upper(), "index": 1, "modulus": f"{CA.n:X}", "exponent": CA.e}
    (directory / "ca.json").write_text(json.dumps(ca, indent=1) + "\n")
    for card in CARDS:
        said: list[tuple[bytes, bytes]] = []
        made = card.make()
        outcome = card.meet(recorded(made, said), toy_keys())
        text = f"# {card.what}\n# {card.source}\natr: {made.atr.hex().upper()}\nprotocol: T=1\nextended: no\n"
        (directory / f"{card.name}.txt").write_text(text + turns(said), encoding="utf-8")
        if (outcome.result, f"{int(outcome.tvr):010X}") != (card.result, card.tvr):
            sys.stderr.write(f"{card.name}: {outcome.result}, {int(outcome.tvr):010X}, {outcome.reason}\n")


def recorded(card: ToyCard, said: list[tuple[bytes, bytes]]) -> ToyCard:
    """The same card, every turn of which is kept."""
    bend = card.bend

    def kept(turn: int, command: bytes, told: bytes) -> bytes:
        bent = bend(turn, command, told)
        said.append((command, bent))
        return bent

    records = card.records
    made = replace(card, bend=kept)
    made.records = records
    return made


if __name__ == "__main__":
    record_all(Path(sys.argv[1]))
