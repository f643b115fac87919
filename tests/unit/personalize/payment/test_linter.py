"""The linter: each rule has a card that breaks exactly it, and a sound card breaks none."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.errors import PrepareError
from personalize.payment.image import CardImage
from personalize.payment.linter import RULES, BatchLinter, lint
from personalize.preparation.specimen import specimen
from personalize.profiles.fields import luhn_digit
from personalize.profiles.payment import ActionCodes
from personalize.profiles.profile import default_profile, shipped_profile
from personalize.stripe.tracks import StripeTrack3
from terminal.emv.authentication import rsa as oda
from terminal.emv.data.records import Record, static_data
from terminal.keys import Sealed
from terminal.tlv import decode
from tests.support import bank, issuer
from tests.support.bank import Card
from tests.support.thorough import repeats

NONE = {"static": False, "dynamic": False, "combined": False}
WRONG_DIGIT = bank.PAN[:-1] + str((int(bank.PAN[-1]) + 1) % 10)


@cache
def sound() -> Card:
    return Card.of()


def track2(pan: str = bank.PAN, expiry: str = "3611", service: str = "220") -> bytes:
    digits = f"{pan}D{expiry}{service}00000"
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


def purse(**changes: object) -> Card:
    return Card.of(e_cash=bank.ECASH, pdol=bank.ECASH_PDOL, **changes)


def long_chip_key() -> Card:
    custody = issuer.custody()
    part = custody.seal(custody.latest("seal"), bytes(104), "a component of 1664 bits")
    card = sound().judged_by(chip_rsa={"bits": 1664}).element(0x9F46, None)
    card = card.dgi(0x0203, b"\x70\x81\xd4\x9f\x46\x81\xd0" + bytes(208))
    card = card.options(0x94, lambda afl: afl[:6] + b"\x03" + afl[7:])
    for dgi in range(0x8201, 0x8206):
        card = card.dgi(dgi, part)
    return card


def short_issuer_key() -> Card:
    """A certificate of 128 bytes, which only a key of 1024 bits makes, on a chip whose key has 1152."""
    return sound().element(0x9F46, bytes(128))


def pan_with_wrong_digit() -> Card:
    return sound().element(0x5A, bytes.fromhex(WRONG_DIGIT + "F")).element(0x57, track2(pan=WRONG_DIGIT))


def a_record_of_another_template() -> Card:
    return sound().dgi(0x0203, b"\x71\x03\x8a\x01\x00").options(0x94, lambda afl: afl[:6] + b"\x03" + afl[7:])


@cache
def striped(**changes: object) -> Card:
    return Card.of(stripe=changes)


def copied_from_the_chip() -> Card:
    """The stripe has what 57 has: the iCVV where its own value should be."""
    for record in striped().payment.records().values():
        if chip := decode(record)[0].children.find(0x57):
            return striped().stripe(track2=chip.value.hex().upper().rstrip("F").replace("D", "="))
    raise AssertionError("no track 2")


CASES: dict[str, Callable[[], Card]] = {
    "fci": lambda: sound().fci(0x50, None),
    "label": lambda: Card.of(label="UNION-PAY"),
    "preferred-name": lambda: sound().fci(0x9F12, b"Union"),
    "priority": lambda: sound().fci(0x87, b"\x51"),
    "language": lambda: Card.of(language="z1"),
    "options": lambda: sound().dgi(0x9104, sound().payment.plain(0x9104) + b"\x8a\x01\x00"),
    "aip-reserved": lambda: sound().options(0x82, lambda aip: aip[:1] + b"\x01"),
    "afl-format": lambda: sound().options(0x94, lambda afl: afl[:-1]),
    "afl-points-nowhere": lambda: sound().options(0x94, lambda afl: afl[:6] + b"\x03" + afl[7:]),
    "record-unreachable": lambda: sound().dgi(0x0401, b"\x70\x03\x9f\x0b\x00"),
    "record-template": a_record_of_another_template,
    "record-length": lambda: sound().add(0x0101, 0xDF50, bytes(100)),
    "duplicate-element": lambda: sound().add(0x0202, 0x5F28, b"\x01\x56"),
    "mandatory-element": lambda: sound().element(0x8D, None),
    "duplicate-grouping": lambda: sound().twice(0x9200),
    "directory": lambda: sound().directory(
        0, 0x0101, lambda r: r.replace(b"\x03\x33\x01\x01\x01", b"\x03\x33\x01\x01\x02")
    ),
    "directory-file": lambda: sound().directory(0, 0x9102, lambda fci: fci.replace(b"\x88\x01\x01", b"\x88\x01\x02")),
    "element-length": lambda: sound().element(0x9F08, b"\x30"),
    "pan-format": pan_with_wrong_digit,
    "pan-range": lambda: sound().judged_by(pan={"prefix": "62109714"}),
    "track2-format": lambda: sound().element(0x57, bytes.fromhex(bank.PAN + "F")),
    "track2-pan": lambda: sound().element(0x57, track2(pan=WRONG_DIGIT)),
    "track2-expiry": lambda: sound().element(0x57, track2(expiry="3612")),
    "track2-service-code": lambda: sound().element(0x57, track2(service="201")),
    "service-code-chip": lambda: Card.of(service_code="101"),
    "date-format": lambda: sound().element(0x5F25, bytes.fromhex("261322")),
    "antenna-expiry": lambda: Card.of(q_pboc={}).options(0x94, lambda afl: afl[4:] + afl[:4], dgi=0x9207),
    "dates-order": lambda: sound().element(0x5F25, bytes.fromhex("361201")),
    "cardholder-name": lambda: sound().element(0x5F20, b"\xcb\xef"),
    "pan-sequence": lambda: sound().element(0x5F34, b"\x0a"),
    "usage-control-country": lambda: sound().element(0x5F28, None),
    "usage-control": lambda: Card.of(usage_control="FF01"),
    "action-code-length": lambda: Card.of(action_codes={"default": "DC40A8A8"}),
    "action-code-bits": lambda: Card.of(action_codes={"online": "DC60BCF801"}),
    "action-codes-all": lambda: Card.of(action_codes={"denial": ""}),
    "action-codes-cardholder": lambda: Card.of(action_codes={"default": "DC609CA800"}),
    "velocity-limits": lambda: sound().element(0x9F14, b"\x09"),
    "dol-format": lambda: sound().element(0x8C, bytes.fromhex("9F0206 9F03")),
    "dol-duplicate": lambda: Card.of(pdol="9F1A029F37049F1A02"),
    "dol-length": lambda: Card.of(pdol="9F1A039F3704"),
    "cdol1-9f37": lambda: Card.of(cdol1="9F02069F03069F1A0295055F2A029A039C019F21039F4E14"),
    "cdol1-input": lambda: Card.of(cdol1="9F02069F03069F1A025F2A029A039C019F37049F21039F4E14"),
    "cdol2-response-code": lambda: Card.of(cdol2="9F37049F0206"),
    "cda-cdol2": lambda: Card.of(cdol2="8A029505"),
    "issuer-authentication": lambda: Card.of(issuer_authentication=False),
    "dda-ddol": lambda: sound().element(0x9F49, None),
    "ddol-9f37": lambda: Card.of(ddol="9F0206"),
    "sm-indicator": lambda: Card.of(algorithms="both"),
    "e-cash-options": lambda: Card.of(e_cash=bank.ECASH),
    "log-format": lambda: sound().data(0x9F4F, None),
    "log-input": lambda: Card.of(log={"format": "9A039F4C08"}),
    "cvm-format": lambda: Card.of(cvm_list="00000000000000001F038103"),
    "cvm-amounts": lambda: Card.of(cvm_list="00000000000000001F06"),
    "cvm-promised": lambda: sound().element(0x8E, None),
    "pin-missing": lambda: Card.of(pin=None),
    "pin-tries": lambda: sound().dgi(0x9010, b"\x04\x03"),
    "enciphered-pin-key": lambda: Card.of(authentication=NONE, cvm_list="00000000000000004403"),
    "authentication-data": lambda: sound().element(0x9F32, None),
    "static-tag-list": lambda: sound().element(0x9F4A, b"\x82\x94"),
    "unsigned-element": lambda: sound().options(0x94, lambda afl: afl[:3] + b"\x00" + afl[4:]),
    "certificate": lambda: sound().element(0x9F08, b"\x00\x31"),
    "certificate-expiry": lambda: Card.of(trust={"certificate_years": 3}).judged_by(),
    "certificate-years": lambda: sound().judged_by(trust={"certificate_years": 3}),
    "exponent": lambda: sound().element(0x9F47, b"\x05"),
    "key-lengths": short_issuer_key,
    "chip-key": lambda: sound().dgi(0x8203, None),
    "chip-key-sm2": lambda: Card.of(algorithms="sm").dgi(0x8104, None),
    "cda-key-size": long_chip_key,
    "ca-index": lambda: sound().element(0x8F, b"\x09"),
    "ca-scheme": lambda: sound().judged_by(trust={"rid": "A000000003"}),
    "keys": lambda: sound().dgi(0x8000, None),
    "key-check-values": lambda: sound().dgi(0x9000, bytes(9)),
    "issuer-data": lambda: sound().dgi(0x9200, bytes.fromhex("070101")),
    "cryptogram-version": lambda: sound().dgi(0x9200, bytes.fromhex("07010A0000000001")),
    "sm-algorithm": lambda: Card.of(algorithms="sm", cryptogram="cvn18"),
    "sm4-fold": lambda: Card.of(algorithms="sm", sm4_fold="left").dgi(0x9201, None),
    "log-entry": lambda: sound().fci(0x9F4D, b"\x0a\x0a"),
    "card-limits": lambda: sound().data(0x9F58, b"\x09"),
    "default-action": lambda: Card.of(risk={"default_action": "C0"}),
    "home": lambda: sound().data(0x9F57, b"\x08\x40"),
    "e-cash": lambda: purse().data(0x9F78, bytes.fromhex("000000100001")),
    "stripe-tracks": lambda: striped().stripe(track1=""),
    "stripe-format": lambda: striped().stripe(track1=f"B{bank.PAN}^A^3611220"),
    "stripe-pan": lambda: striped().stripe(track2=f"{WRONG_DIGIT}=3611220"),
    "stripe-expiry": lambda: striped().stripe(track2=f"{bank.PAN}=3612220"),
    "stripe-service-code": lambda: striped().stripe(track2=f"{bank.PAN}=3611221"),
    "stripe-cvv": copied_from_the_chip,
    "face": lambda: sound().face(pan=WRONG_DIGIT, valid_until="2036-11-30"),
}
NEEDS_CA_KEYS = {"certificate", "certificate-expiry"}


@pytest.mark.parametrize("rule", CASES)
def test_a_card_that_breaks_exactly_one_rule(rule: str) -> None:
    card = CASES[rule]()
    authorities = bank.authorities() if rule in NEEDS_CA_KEYS else None
    findings = lint(card.profile, card.dossier, authorities)
    assert {finding.rule for finding in findings} == {rule}
    assert all(finding.source and bank.PAN not in str(finding) for finding in findings)


def test_every_rule_is_broken_by_a_test() -> None:
    assert [rule.name for rule in RULES] == list(CASES)


SOUND = {
    "rsa": {},
    "sm": {"algorithms": "sm"},
    "both": {"algorithms": "both", "pdol": bank.SM_PDOL},
    "static too": {"authentication": {"static": True}},
    "sm, static too": {"algorithms": "sm", "authentication": {"static": True}},
    "static only": {"authentication": {"static": True, "dynamic": False, "combined": False}},
    "none": {"authentication": NONE},
    "e-cash": {"e_cash": bank.ECASH, "pdol": bank.ECASH_PDOL},
    "e-cash, no load log": {"e_cash": {**bank.ECASH, "load_log": None}, "pdol": bank.ECASH_PDOL, "algorithms": "both"},
    "antenna": {"q_pboc": {}, "e_cash": bank.ECASH, "pdol": bank.ECASH_PDOL},
    "antenna, both": {"q_pboc": {"pdol": "9F6604DF6901"}, "pdol": bank.SM_PDOL, "algorithms": "both"},
    "a bank's own version": {"issuer_data": "07019903000000010A01"},
    "left fold": {"algorithms": "sm", "sm4_fold": "left"},
    "default action of VIS": {"risk": {"default_action": "C0000000"}},
    "visa": {"cryptogram": "cvn18"},
    "name": {"name": "gb18030", "identity": True, "preferred_name": "Union", "track1_discretionary": "00"},
    "stripe": {"stripe": {}},
    "stripe, three tracks, no values": {"stripe": {"tracks": (3, 1, 2), "cvv": None, "icvv": None}},
    "no log, no antenna": {"log": None, "contactless": False},
}


@pytest.mark.parametrize("changes", SOUND.values(), ids=SOUND)
def test_a_sound_card_breaks_none(changes: dict[str, object]) -> None:
    card = Card.of(**changes)
    assert lint(card.profile, card.dossier, bank.authorities()) == []


ALSO = {
    "service-code-chip": lambda: striped().stripe(track1=f"B{bank.PAN}^ /^3611120"),
    "stripe-tracks": lambda: sound().stripe(track2=f"{bank.PAN}=3611220"),
    "stripe-format": lambda: striped().stripe(track2=f"{bank.PAN}D3611220"),
    "stripe-pan": lambda: striped(tracks=(3,)).stripe(track3=StripeTrack3(WRONG_DIGIT).text),
    "stripe-expiry": lambda: striped().stripe(track1=f"B{bank.PAN}^ /^^220"),
    "face": lambda: sound().face(valid_until="2036-12-31"),
    "cryptogram-version": lambda: Card.of(issuer_data="0701990300000001").dgi(0x9201, None),
    "default-action": lambda: Card.of(risk={"default_action": "C00000"}),
    "directory": lambda: sound().directory(0, 0x0101, _without_label),
    "sm-indicator": lambda: Card.of(algorithms="both", pdol=bank.SM_PDOL, q_pboc={}),
    "fci": lambda: Card.of(q_pboc={}).dgi(0x9103, b"\xa5\x03\x87\x01\x01"),
    "options": lambda: sound().dgi(0x9104, sound().payment.plain(0x9104) + sound().payment.plain(0x9200)),
    "log-entry": lambda: purse().fci(0xDF4D, b"\x0b\x0a"),
    "log-format": lambda: purse().data(0xDF4F, None),
    "key-lengths": lambda: sound().judged_by(chip_rsa={"bits": 1472}).dgi(0x8203, None),
}
"""Further ways to break a rule."""


def _without_label(record: bytes) -> bytes:
    return b"\x70\x0f\x61\x0d" + record[record.index(b"\x4f\x08") :][:10] + b"\x87\x01\x01"


@pytest.mark.parametrize("rule", ALSO)
def test_another_way_to_break_a_rule(rule: str) -> None:
    card = ALSO[rule]()
    assert rule in {finding.rule for finding in lint(card.profile, card.dossier)}


def test_equal_verification_values_are_chance_until_the_third_card_in_a_row() -> None:
    card, other = copied_from_the_chip(), striped()
    linter = BatchLinter(card.profile)
    assert [len(linter.lint(one.dossier)) for one in (card, card, other, card, card)] == [0] * 5
    assert not linter.settled
    assert [finding.rule for finding in linter.lint(card.dossier)] == ["stripe-cvv"]
    assert linter.lint(other.dossier) == []
    assert linter.settled


def test_a_face_that_agrees_breaks_no_rule() -> None:
    card = sound().face(pan=bank.PAN, valid_until="2036-11-30", card_number=sound().dossier.card_number)
    assert lint(card.profile, card.dossier) == []
    wrong = sound().face(card_number=bank.PAN)
    assert [finding.rule for finding in lint(wrong.profile, wrong.dossier)] == ["face"]


NOT_VERIFIED, BLOCKED, PAD, BYPASSED, CAPTURED, UNKNOWN = (
    "cardholder verification",
    "a blocked PIN",
    "a PIN pad that is missing",
    "a PIN that was not entered",
    "what only the issuer can verify",
    "a method that the terminal does not know",
)


def named_in_vain(card: Card) -> list[str]:
    return [
        finding.message for finding in lint(card.profile, card.dossier) if finding.rule == "action-codes-cardholder"
    ]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({"online": "DC409CF800"}, [f"online (9F0F) names {BLOCKED}"]),
        ({"default": "DC403CA800"}, [f"default (9F0D) names {NOT_VERIFIED}"]),
        ({"default": "DC40ACA800"}, [f"default (9F0D) names {PAD}"]),
        ({"default": "DC40B4A800"}, [f"default (9F0D) names {BYPASSED}"]),
        ({"default": "DC40B8A800"}, [f"default (9F0D) names {CAPTURED}"]),
        (
            {"default": "DC4000A800", "online": "DC4000F800"},
            [
                f"{code}) names {what}"
                for what in (NOT_VERIFIED, BLOCKED, PAD, BYPASSED, CAPTURED)
                for code in ("9F0F", "9F0D")
            ],
        ),
        ({"default": "DC4000A800", "online": "DC4004F800", "denial": "0010BC0000"}, []),
        ({"default": "", "denial": "", "online": ""}, []),
    ],
)
def test_a_cardholder_who_was_not_verified_does_not_pay_on(codes: dict[str, str], expected: list[str]) -> None:
    """Without the bits the CVM list goes on to "no CVM", and the card pays offline below the floor limit."""
    messages = named_in_vain(Card.of(action_codes=codes))
    assert len(messages) == len(expected)
    assert all(part in message for part, message in zip(expected, messages, strict=True))


@pytest.mark.parametrize(
    ("rules", "default", "missing"),
    [
        ("1F00", "DC4000A800", []),
        ("1E031F03", "DC4080A800", []),
        ("1E031F03", "DC4000A800", [NOT_VERIFIED]),
        ("42031F03", "DC409CA800", []),
        ("42031F03", "DC40A0A800", [PAD, BYPASSED, CAPTURED]),
        ("41031F03", "DC40B8A800", []),
        ("41031F03", "DC40A8A800", [PAD]),
        ("44035F00", "DC4098A800", [BLOCKED]),
        ("46001F00", "DC4080A800", [UNKNOWN, "a biometric device", "biometric data that", "blocked biometric"]),
        ("46001F00", "DC40C3AC00", []),
        ("47001F00", "DC40C7AC00", []),
        ("60001F00", "DC4080A800", [UNKNOWN]),
        ("6F0041031F03", "DC40F8A800", []),
    ],
)
def test_the_codes_name_every_bit_that_the_list_can_reach(rules: str, default: str, missing: list[str]) -> None:
    online = f"DC60{int(default[4:6], 16) | 0xFF:02X}FC00"
    card = Card.of(cvm_list=f"{0:016X}{rules}", action_codes={"default": default, "online": online})
    messages = named_in_vain(card)
    assert len(messages) == len(missing)
    assert all(f"default (9F0D) names {part}" in text for part, text in zip(missing, messages, strict=True))


def test_the_shipped_codes_name_what_the_public_ones_of_pboc_do() -> None:
    """D8603CA800 and D8683CF800, D8609CA800 and D8689CF800, D0601CA800 and D0681CF800 are in use."""
    payment = shipped_profile("union-member-bank").payment
    assert payment is not None
    codes = payment.action_codes
    assert (codes.default, codes.denial, codes.online) == ("DC60BCA800", "0010000000", "DC60BCF800")
    assert codes == ActionCodes()
    for public in ("D8603CA800", "D8609CA800", "D0601CA800"):
        assert int(public, 16) & ~int(codes.default, 16) == 0


@pytest.mark.parametrize(
    ("dgi", "change", "expected"),
    [
        (0x9203, None, "no options"),
        (0x0401, b"\x70\x06\x9f\x74\x03ECC", "3 bytes"),
        (0x0401, b"\x70\x04\x9f\x0b\x01 ", "leads to no 9F74"),
    ],
)
def test_e_cash_needs_options_and_a_code(dgi: int, change: bytes | None, expected: str) -> None:
    card = purse().dgi(dgi, change)
    assert any(f.rule == "e-cash-options" and expected in f.message for f in lint(card.profile, card.dossier))


def test_card_data_as_banks_have_them() -> None:
    """Bare, without a template."""
    card_data, own = (sound().payment.plain(dgi)[2:] for dgi in (0x0D01, 0x0E01))
    bare = sound().dgi(0x0D01, card_data).dgi(0x0E01, own)
    assert lint(bare.profile, bare.dossier, bank.authorities()) == []
    wrong = bare.dgi(0x0E01, b"\x9f\x57\x02\x08\x40")
    assert {finding.rule for finding in lint(wrong.profile, wrong.dossier)} == {"home"}


CHOICES = st.fixed_dictionaries(
    {
        "algorithms": st.sampled_from(["rsa", "sm", "both"]),
        "cryptogram": st.sampled_from(["pboc-des", "cvn10", "cvn17", "cvn18", "cvn22"]),
        "authentication": st.sampled_from(
            [{}, {"static": True}, {"combined": False}, {"static": True, "dynamic": False}]
        ),
        "sm4_fold": st.sampled_from(["xor", "left"]),
        "script_mac": st.integers(4, 8),
        "e_cash": st.sampled_from([None, bank.ECASH, {**bank.ECASH, "load_log": None}]),
        "q_pboc": st.sampled_from([None, {"pdol": "9F66049F3704DF6901"}]),
        "name": st.sampled_from(["blank", "gb18030"]),
        "identity": st.booleans(),
    }
)


@settings(max_examples=repeats(15, 400), deadline=None)
@given(CHOICES)
def test_whatever_a_profile_chooses_makes_a_sound_card(choices: dict[str, object]) -> None:
    """With a PDOL that asks for all of it; only an SM card must keep to PBOC's issuer application data."""
    card = Card.of(**choices, pdol=bank.ECASH_PDOL)
    findings = {finding.rule for finding in lint(card.profile, card.dossier, bank.authorities())}
    sm4_only = choices["algorithms"] != "rsa" and choices["cryptogram"] != "pboc-des"
    assert findings == ({"sm-algorithm"} if sm4_only else set())


@pytest.mark.parametrize("at", [1, 20, 90, 140])
def test_a_changed_sm2_certificate_is_detected(at: int) -> None:
    card = Card.of(algorithms="sm")
    issuer = next(v for r in card.payment.records().values() if (v := _certificate(r)))
    changed = issuer[: at - 1] + bytes((issuer[at - 1] ^ 1,)) + issuer[at:]
    findings = lint(card.profile, card.element(0x90, changed).dossier, bank.authorities())
    assert {finding.rule for finding in findings} == {"certificate"}


def _certificate(record: bytes) -> bytes | None:
    at = record.find(b"\x90\x81\x8e")
    return record[at + 3 : at + 145] if at >= 0 else None


def test_a_card_without_a_payment_application_is_no_card_to_lint() -> None:
    member_only = default_profile()
    number = member_only.card_number.number(7)
    dossier = issuer.preparer().prepare(issuer.member(), number, bank.chip_key())
    with pytest.raises(PrepareError, match="no payment application"):
        lint(member_only, dossier)


def test_a_specimen_is_checked_with_its_own_ca_keys() -> None:
    profile = bank.profile(algorithms="both", pdol=bank.SM_PDOL, chip_rsa={"bits": 1536})
    dossier, authorities = specimen(profile, issuer.TODAY)
    assert authorities.rsa
    assert authorities.sm
    assert lint(profile, dossier, authorities) == []


def test_check_digits_of_the_range_are_right() -> None:
    assert luhn_digit(bank.PAN[:-1]) == bank.PAN[-1]


@settings(max_examples=repeats(80, 3000), deadline=None)
@given(data=st.data())
def test_no_damage_makes_the_linter_fall(data: st.DataObject) -> None:
    """Whatever bytes stand in a grouping: findings, never a traceback."""
    card = sound()
    plain = [part for part in card.payment.parts if isinstance(part.value, bytes)]
    part = data.draw(st.sampled_from(plain))
    value = bytearray(card.payment.plain(part.number))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(value)))
    changed = bytes(value[:cut]) if data.draw(st.booleans()) else bytes(value)
    findings = lint(card.profile, card.dgi(part.number, changed).dossier, bank.authorities())
    assert all(finding.message and finding.source for finding in findings)
    assert not any(isinstance(p.value, Sealed) and p.value.blob.hex() in str(findings) for p in card.payment.parts)


def test_static_data_are_those_that_a_terminal_puts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of SFI 1 to 10 what is inside the template, of 11 to 30 the whole record. EMV 4.4 Book 3, 10.3."""
    own = b"\x70\x04\x9f\x05\x01\x77"
    card = sound().dgi(0x0B01, own).options(0x94, lambda afl: afl + bytes.fromhex("58010101"))
    image = CardImage(card.profile.payment, card.dossier, bank.authorities())
    options = image.options[0]
    read = [Record.decode(*place, signed, image.records[place]) for place, signed in options.places()]
    seen: list[bytes] = []

    def icc_key(*args: object, static: bytes, **kwargs: object) -> None:
        seen.append(static)
        raise oda.OdaFailed(oda.Signed.ICC, oda.Check.HASH)

    monkeypatch.setattr(oda, "icc_key", icc_key)
    lint(card.profile, card.dossier, bank.authorities())
    assert set(seen) == {static_data(read, aip=options.aip, tag_list=b"\x82")}
    assert seen[0].endswith(own + options.aip)


NAME = "阿卜杜热合曼·买买提明·吐尔逊江".encode("gb18030")


@pytest.mark.parametrize(
    ("long_name", "short", "extended", "expected"),
    [
        ("extended", None, NAME, []),
        ("both", NAME[:26], NAME, []),
        ("extended", NAME[:26], NAME, ["one of both"]),
        ("both", NAME[:25], NAME, ["(5F20) ends inside a character"]),
        ("both", NAME[2:28], NAME, ["not the beginning"]),
        ("extended", None, NAME[:-1], ["(9F0B) ends inside a character"]),
        ("extended", None, NAME[:26], ["not 27 to 45 bytes"]),
    ],
)
def test_long_names(long_name: str, short: bytes | None, extended: bytes, expected: list[str]) -> None:
    card = Card.of(name="gb18030", long_name=long_name)
    place = next(
        sfi << 8 | number
        for (sfi, number), record in card.payment.records().items()
        if decode(record)[0].children.find(0x5F20)
    )
    card = card.element(0x5F20, short).add(place, 0x9F0B, extended)
    messages = [finding.message for finding in lint(card.profile, card.dossier) if finding.rule == "cardholder-name"]
    assert len(messages) == len(expected)
    assert all(part in message for part, message in zip(expected, messages, strict=True))
