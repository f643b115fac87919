"""Data that are empty, stand outside their template or have long lengths. EMV 4.4 Book 3, 5.2, 7.5, Annex B2."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import pytest

from terminal.apdu import stack
from terminal.emv.data.bits import TVR
from terminal.emv.data.dictionary import STANDARD
from terminal.emv.data.elements.annex_a import ANNEX_A, RECORD
from terminal.emv.data.elements.element import Source
from terminal.emv.kernel.reading import read_applications
from terminal.emv.transaction.outcome import Outcome, Result
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.tlv import decode
from tests.support.cards import rsa_signer as make
from tests.support.cards.toys.emv_toy_card import AID, ARQC, CARD, DATA, ToyCard, ToyHost, cryptogram, objects, tlv
from tests.support.cards.toys.emv_toy_terminal import AT, OVER, UNDER, config_with, run

LISTED = {**DATA, "8E": "000000000000000042031F03", "9F14": "00", "9F23": "01", "97": "9F0206", "9F49": "9F3704"}
OF_RECORDS = sorted(f"{e.tag}" for e in ANNEX_A if e.template == RECORD and not e.contextual and not e.tag.constructed)
KEYS = ("8F", "90", "92", "9F32", "9F46", "9F47", "9F48")
"""Elements of the second file of the card: its certificates."""


def facts(outcome: Outcome) -> tuple[object, ...]:
    """What a transaction came to."""
    return outcome.result, outcome.tvr, outcome.tsi, outcome.response_code, outcome.cvm_results, outcome.reversal


def both_ways(card: Callable[[], ToyCard], **how: object) -> list[tuple[object, ...]]:
    """The same card offline and online."""
    ends = [facts(run(card()))]
    online = card()
    return [*ends, facts(run(online, OVER, host=ToyHost(online)))]


def certified(changes: Mapping[str, str], missing: str = "", aip: str = "3D00") -> ToyCard:
    return ToyCard(aip=aip, data={tag: value for tag, value in (LISTED | changes).items() if tag != missing})


def with_keys(change: Callable[[bytes], bytes], tag: str, aip: str) -> ToyCard:
    """The card with one element of its certificates changed, encoded."""
    card = ToyCard(aip=aip, data=LISTED)
    for place in ((2, 1), (2, 2)):
        inside = decode(card.records[place])[0].children
        encoded = [change(item.encode()) if f"{item.tag}" == tag else item.encode() for item in inside]
        card.records[place] = tlv("70", b"".join(encoded))
    return card


@pytest.mark.parametrize("tag", OF_RECORDS)
@pytest.mark.parametrize("aip", ["3D00", "3900", "7D00", "5C00"])
def test_an_empty_element_of_a_record_is_an_absent_one(tag: str, aip: str) -> None:
    assert both_ways(lambda: certified({tag: ""}, aip=aip)) == both_ways(lambda: certified({}, missing=tag, aip=aip))


@pytest.mark.parametrize("tag", KEYS)
@pytest.mark.parametrize("aip", ["3D00", "7D00"])
def test_an_empty_element_of_a_certificate_is_an_absent_one(tag: str, aip: str) -> None:
    absent = both_ways(lambda: with_keys(lambda _: b"", tag, aip))
    assert both_ways(lambda: with_keys(lambda _: tlv(tag, ""), tag, aip)) == absent


@pytest.mark.parametrize("tag", [tag for tag in OF_RECORDS if tag in LISTED])
def test_an_empty_element_beside_a_full_one_is_no_second_one(tag: str) -> None:
    def card() -> ToyCard:
        toy = ToyCard(data=LISTED)
        toy.records[2, 1] = tlv("70", toy.records[2, 1][3:] + tlv(tag, ""))
        return toy

    assert both_ways(card) == both_ways(lambda: ToyCard(data=LISTED))


def test_an_empty_cdol2_is_missed_before_the_issuer_hears_of_it() -> None:
    card = ToyCard(data={**DATA, "8D": ""})
    outcome = run(card, OVER, host=(host := ToyHost(card)))
    assert (outcome.result, host.requests) == (Result.TERMINATED, [])
    assert outcome.reason == "mandatory data are missing: CDOL2 (8D)"


HASHED = {"8D": "8A0298149F3704"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"8D": "8A"}, "the CDOL2 is out of form: a data object list ends inside an entry (at offset 0)"),
        ({"8D": "8A029F37040000"}, "the CDOL2 is out of form: 00 where a tag should begin (at offset 5)"),
        ({"8D": "8A00"}, "CDOL2 asks for 0 bytes, which no command carries"),
        ({"8D": "8A029F1EFF"}, "CDOL2 asks for 257 bytes, which no command carries"),
        ({"8C": "9F0206FF"}, "the CDOL1 is out of form: FF where a tag should begin (at offset 3)"),
        ({"8C": "9F02FF95FF"}, "CDOL1 asks for 510 bytes, which no command carries"),
        ({**HASHED, "97": "9F"}, "the TDOL is out of form: a data object list ends inside an entry (at offset 0)"),
    ],
)
def test_a_list_out_of_form_is_seen_before_the_issuer_hears_of_the_payment(
    changes: dict[str, str], reason: str
) -> None:
    card = ToyCard(data=DATA | changes)
    outcome = run(card, OVER, host=(host := ToyHost(card)))
    assert (outcome.result, outcome.reason, host.requests, outcome.reversal) == (Result.TERMINATED, reason, [], False)
    assert not [apdu for apdu in card.seen if apdu[1] == 0xAE]


def test_a_list_that_nothing_names_is_not_looked_at() -> None:
    card = ToyCard(data=DATA | {"97": "9F"})
    assert run(card, OVER, host=ToyHost(card)).result is Result.APPROVED_ONLINE


@pytest.mark.parametrize(("ddol", "sent"), [("9F3700", False), ("9F0206", False), ("9F3704", True)])
def test_a_ddol_that_asks_for_none_of_the_unpredictable_number_fails_dda(ddol: str, sent: bool) -> None:
    """The signature over such data could be an old one. EMV 4.4 Book 2, 6.5.1."""
    card = ToyCard(aip="3C00", data=DATA | {"9F49": ddol})
    tvr = run(card).tvr
    assert bool([apdu for apdu in card.seen if apdu[1] == 0x88]) is sent
    assert sent or tvr & TVR.DDA_FAILED


@pytest.mark.parametrize("tag", ["50", "87", "5F2D", "9F11", "9F12", "9F38", "BF0C"])
def test_an_empty_element_of_an_fci_is_an_absent_one(tag: str) -> None:
    def card(fci: dict[str, str | bytes]) -> ToyCard:
        return ToyCard(aip="1C00", pdol="", fci=fci)

    assert both_ways(lambda: card({tag: ""})) == both_ways(lambda: card({}))


@pytest.mark.parametrize("tag", ["9F36", "9F13", "9F17"])
def test_an_empty_answer_to_get_data_is_none(tag: str) -> None:
    data = {**DATA, "9F14": "00", "9F23": "09"}
    given = ToyCard().get_data
    empty = both_ways(lambda: ToyCard(data=data, get_data={**given, tag: ""}))
    assert empty == both_ways(lambda: ToyCard(data=data, get_data={t: v for t, v in given.items() if t != tag}))


@pytest.mark.parametrize("inside", ["82009408010101", "82023D009400"])
def test_processing_options_without_one_of_both_are_none(inside: str) -> None:
    outcome = run(ToyCard(status={"A8": tlv("77", inside).hex() + "9000"}))
    assert outcome.reason == "getting processing options: the answer holds no AIP and AFL in format 80 or 77"


def test_empty_processing_options_beside_full_ones_are_absent() -> None:
    answer = tlv("77", "8200" + "9400" + "82021C00" + "940408010101")
    card = ToyCard(aip="1C00", status={"A8": answer.hex() + "9000"})
    assert run(card, config=config_with("tac_online: '0000000000'")).result is not Result.TERMINATED


class Bank:
    """A bank that answers with the given values."""

    def __init__(self, answer: OnlineResponse) -> None:
        self.answer = answer

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable:
        return self.answer


def test_empty_authentication_data_of_the_issuer_are_absent() -> None:
    card = ToyCard()
    outcome = run(card, OVER, host=Bank(OnlineResponse(b"00", b"")))
    assert outcome.result is Result.APPROVED_ONLINE
    assert not [apdu for apdu in card.seen if apdu[1] == 0x82]


BIOMETRIC = tlv(
    "BF4A",
    tlv("7F60", tlv("A1", tlv("81", "08") + tlv("82", "01") + tlv("90", "0102")))
    + tlv("7F60", tlv("A1", tlv("81", "02") + tlv("82", "02") + tlv("90", "0103"))),
)
FOREIGN = {
    "biometric templates": BIOMETRIC,
    "an AIP": tlv("82", "0000"),
    "two AIPs": tlv("82", "0000") * 2,
    "an AFL": tlv("94", "08010100"),
    "a DF name": tlv("84", AID[:5] + b"\x99"),
    "a card number in another template": tlv("61", tlv("5A", "6222020000000000012F")),
    "action codes in a proprietary template": tlv("E1", tlv("9F0E", "FFFFFFFFFF") + tlv("9F0D", "FFFFFFFFFF")),
    "a PDOL": tlv("9F38", "9F0206"),
    "a cryptogram": objects({"9F26": bytes(8), "9F27": "40", "9F36": "0001", "9F10": "00", "9F4B": "00"}),
    "a label": tlv("50", b"OTHER"),
    "counters": objects({"9F13": "0000", "9F17": "00"}),
    "results of a card authentication": objects({"9F45": "0000", "9F4C": "0000"}),
    "an IBAN": tlv("5F53", b"DE00"),
    "data of the terminal": objects({"9F02": bytes(6), "95": bytes(5), "9F37": bytes(4)}),
    "data of the issuer": objects({"8A": b"00", "91": bytes(8), "71": ""}),
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_what_stands_outside_its_template_is_ignored_in_a_record(foreign: bytes) -> None:
    def card() -> ToyCard:
        toy = ToyCard()
        toy.records[2, 1] = tlv("70", toy.records[2, 1][3:] + foreign)
        return toy

    assert both_ways(card) == both_ways(ToyCard)
    requests = []
    for toy in (card(), ToyCard()):
        run(toy, OVER, host=(host := ToyHost(toy)))
        requests.append(host.requests[0].data)
    assert requests[0] == requests[1]


@pytest.mark.parametrize(
    "foreign",
    [
        tlv("5A", "6222020000000000012F"),
        tlv("BF0C", tlv("9F38", "9F0206") + tlv("50", b"OTHER") + tlv("87", "82")),
        tlv("E1", tlv("84", AID + b"\x01") + tlv("9F38", "9F0206") + tlv("9F11", "02")),
        tlv("9F0E", "FFFFFFFFFF"),
    ],
)
def test_what_stands_outside_its_template_is_ignored_in_an_fci(foreign: bytes) -> None:
    inside = objects({"50": b"UNIONPAY DEBIT", "9F38": "9F37049F0206"}) + foreign

    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        selected = command[1] == 0xA4 and answer[-2:] == b"\x90\x00"
        return tlv("6F", tlv("84", AID) + tlv("A5", inside)) + b"\x90\x00" if selected else answer

    assert both_ways(lambda: ToyCard(bend=bend)) == both_ways(ToyCard)


def test_a_mandatory_element_counts_in_its_template_only() -> None:
    card = ToyCard(data={**{t: v for t, v in DATA.items() if t != "5A"}, "E1": tlv("5A", DATA["5A"])})
    assert run(card).reason == "mandatory data are missing: card number (5A)"


def test_elements_of_records_are_known_in_records_only() -> None:
    known = STANDARD.known(AID)
    assert {0x5A, 0x8C, 0x9F61, 0x9F74} <= known.of_a_record
    assert not known.of_a_record & {0x82, 0x84, 0x94, 0x50, 0x9F38, 0x9F26, 0x9F36, 0x9F4C, 0x9F4D}
    assert known.of_an_fci[0xA5] >= {0x50, 0x87, 0x9F38}
    assert known.of_an_fci[0xBF0C] >= {0x9F4D, 0xDF4D}
    assert not known.of_an_fci[0xBF0C] & {0x50, 0x84, 0x9F38, 0x5A}
    assert all(known.elements[tag].source is Source.CARD for tag in known.of_a_record)


def long_form(data: bytes, width: int) -> bytes:
    """The same objects with lengths of ``width`` bytes after the first, at every level."""
    encoded, at = b"", 0
    while at < len(data):
        start = at
        at += 2 if data[at] & 0x1F == 0x1F else 1
        tag, length = data[start:at], data[at]
        at += 1
        if length > 0x80:
            length, at = int.from_bytes(data[at : at + length - 0x80], "big"), at + length - 0x80
        value = data[at : at + length]
        at += length
        if tag[0] & 0x20:
            value = long_form(value, width)
        encoded += tag + bytes((0x80 | width,)) + len(value).to_bytes(width, "big") + value
    return encoded


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("ins", [0xA4, 0xA8, 0xCA, 0xAE])
def test_a_length_in_more_bytes_than_it_needs_is_read_with_a_remark(ins: int, width: int) -> None:
    """A CDA signature covers the bytes of the answer as they came, so the card here signs nothing."""

    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        return long_form(answer[:-2], width) + answer[-2:] if command[1] == ins else answer

    data = {**DATA, "9F14": "00", "9F23": "09"}
    for amount in (UNDER, OVER):
        cards = [ToyCard(aip="1C00", data=data, bend=way) for way in (bend, ToyCard().bend)]
        long, short = (run(card, amount, host=ToyHost(card)) for card in cards)
        assert facts(long) == facts(short)
        assert "more bytes than it needs" in " ".join(step.text for step in long.steps)
        assert "more bytes than it needs" not in " ".join(step.text for step in short.steps)


@pytest.mark.parametrize("width", [1, 2])
def test_records_with_long_lengths_are_authenticated_as_they_are(width: int) -> None:
    """The static data of SFI 1 to 10 are the bytes inside the template, as the card gives them."""

    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        if command[1] != 0xB2:
            return answer
        inside = answer[2:-2] if answer[1] < 0x80 else answer[3:-2]
        return b"\x70\x82" + len(inside).to_bytes(2, "big") + inside + answer[-2:]

    assert facts(run(ToyCard(bend=bend))) == facts(run(ToyCard()))
    outer = run(ToyCard(bend=bend))
    assert outer.result is Result.APPROVED_OFFLINE
    assert [step for step in outer.steps if "more bytes than it needs" in step.text]


def test_a_cda_signature_covers_the_answer_as_it_came() -> None:
    class LongCard(ToyCard):
        """A card that writes its CID with a long length, and signs it so."""

        def _generate(self, p1: int, data: bytes) -> bytes:
            kind, ac = p1 & 0xC0, cryptogram(p1 & 0xC0, 7, data)
            self.arqc = self.arqc or ac
            self._lists += data
            head, cid = b"\x9f\x27\x81\x01" + bytes((kind,)) + b"\x9f\x36\x82\x00\x02\x00\x07", bytes((kind,))
            if not p1 & 0x10:
                return tlv("77", head + tlv("9F26", ac)) + b"\x90\x00"
            hashed = hashlib.sha1(self._pdol_data + self._lists + head).digest()  # noqa: S324
            dynamic = b"\x08" + bytes(range(8)) + cid + ac + hashed
            signature = make.dynamic_signature(CARD, dynamic, self._pdol_data[:4])
            return tlv("77", head + tlv("9F4B", signature)) + b"\x90\x00"

    outcome = run(LongCard())
    assert outcome.result is Result.APPROVED_OFFLINE
    assert outcome.first is not None
    assert outcome.first.verified


def test_a_card_that_requests_goes_online_with_the_name_that_was_selected() -> None:
    card = ToyCard(first=lambda _: ARQC, data={**DATA, "84": AID[:5].hex()})
    run(card, OVER, host=(host := ToyHost(card)))
    assert host.requests[0].data[0x84] == AID


@pytest.mark.parametrize("tag", ["9F38", "50"])
def test_an_empty_element_before_a_full_one_leaves_the_full_one(tag: str) -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        if command[1] != 0xA4 or answer[-2:] != b"\x90\x00":
            return answer
        inside = tlv(tag, "") + objects({"50": b"UNIONPAY DEBIT", "9F38": "9F37049F0206"})
        return tlv("6F", tlv("84", "") + tlv("84", AID) + tlv("A5", inside)) + b"\x90\x00"

    assert both_ways(lambda: ToyCard(bend=bend)) == both_ways(ToyCard)


@pytest.mark.parametrize("before", ["A500", "A500A500"])
def test_an_empty_template_of_an_fci_before_a_full_one_leaves_the_full_one(before: str) -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        if command[1] != 0xA4 or answer[-2:] != b"\x90\x00":
            return answer
        log = tlv("BF0C", "") + tlv("BF0C", tlv("9F4D", "0B0A"))
        inside = tlv("A5", objects({"50": b"UNIONPAY DEBIT", "9F38": "9F37049F0206"}) + log)
        return tlv("6F", tlv("84", AID) + bytes.fromhex(before) + inside) + b"\x90\x00"

    assert both_ways(lambda: ToyCard(bend=bend)) == both_ways(ToyCard)
    (reading,) = read_applications(stack(ToyCard(bend=bend)), config_with(), AT)
    assert (reading.label, reading.data[0x9F4D]) == ("UNIONPAY DEBIT", b"\x0b\x0a")


def test_an_empty_identifier_of_a_script_before_a_full_one_is_absent() -> None:
    script = tlv("71", tlv("9F18", "") + tlv("9F18", "01020304") + tlv("86", "8424000008" + "00" * 8))
    card = ToyCard(script_status={"84240000": "9000"})
    (result,) = run(card, OVER, host=ToyHost(card, scripts=(script,))).scripts
    assert (result.identifier, result.performed, result.failed_at) == (b"\x01\x02\x03\x04", True, None)


def test_an_empty_signature_of_an_answer_before_a_full_one_is_absent() -> None:
    def bend(turn: int, command: bytes, answer: bytes) -> bytes:
        if command[1] != 0xAE:
            return answer
        inside = bytes.fromhex("9F4B00") + decode(answer[:-2])[0].value
        return b"\x77\x81" + bytes((len(inside),)) + inside + answer[-2:]

    assert both_ways(lambda: ToyCard(bend=bend)) == both_ways(ToyCard)
