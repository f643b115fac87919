"""Payment data preparation: records, certificates, keys, options; checked by arithmetic and foreign code."""

from __future__ import annotations

import warnings
from datetime import date

import pytest
from gmssl import sm2 as foreign_sm2
from gmssl import sm3 as foreign_sm3
from pydantic import ValidationError
from pyemv import kd
from pyemv.tools import key_check_digits

from personalize.certificates.chains import IssuingChains
from personalize.dossiers.dossier import Dossier
from personalize.encoding import mmyy, pack, record
from personalize.errors import PrepareError
from personalize.payment.elements import unsigned
from personalize.payment.prepare import PaymentAccount, PaymentPreparer, expiry
from terminal.emv.data.records import Afl
from terminal.errors import KeyMisuse
from terminal.keys import ApplicationKeys, MemoryCustody, Purpose, Sealed
from terminal.keys.custody import Algorithm
from terminal.member.values import IdType
from terminal.secret import Secret
from terminal.tlv import decode
from tests.support import bank, issuer
from tests.support.bank import Card
from tests.support.unsealed import hidden


@pytest.fixture(scope="module")
def card() -> Card:
    return Card.of()


def elements(card: Card) -> dict[int, bytes]:
    return {
        int(item.tag): item.value
        for place, raw in card.payment.records().items()
        if place[0] not in (0x0D, 0x0E)
        for item in decode(raw)[0].children
    }


def test_the_elements_of_the_account(card: Card) -> None:
    values = elements(card)
    assert values[0x5A].hex().upper() == bank.PAN + "F"
    assert values[0x57].hex().upper() == f"{bank.PAN}D361122000000"
    assert (values[0x5F24].hex(), values[0x5F25].hex(), values[0x5F34].hex()) == ("361130", "261122", "01")
    assert (values[0x5F28].hex(), values[0x9F42].hex(), values[0x5F30].hex()) == ("0156", "0156", "0220")
    assert (values[0x9F14], values[0x9F23]) == (b"\x03", b"\x05")
    assert values[0x5F20] == b" /"


def test_a_card_ends_with_its_month() -> None:
    payment = bank.profile(validity_years=2).payment
    assert payment
    assert expiry(payment, date(2026, 2, 10)) == date(2028, 2, 29)
    assert expiry(payment, date(2028, 2, 29)) == date(2030, 2, 28)


@pytest.mark.parametrize("day", [date(2026, 11, 22), date(2100, 1, 9), date(2099, 12, 31), date(2000, 10, 1)])
def test_months_of_certificates_are_two_digits_a_byte(day: date) -> None:
    assert mmyy(day).hex() == f"{day:%m%y}"


def test_few_full_records() -> None:
    items = [(0xDF50, bytes(90)), (0xDF51, bytes(150)), (0xDF52, bytes(60)), (0xDF53, bytes(170))]
    records = pack(items)
    assert len(records) == 2
    assert max(map(len, records)) <= 254
    assert {int(i.tag) for r in records for i in decode(r)[0].children} == {0xDF50, 0xDF51, 0xDF52, 0xDF53}


@pytest.mark.parametrize(("size", "fits"), [(248, True), (249, False)])
def test_the_longest_element_of_a_record(size: int, fits: bool) -> None:
    if fits:
        assert len(pack([(0x90, bytes(size))])[0]) == 254
    else:
        with pytest.raises(PrepareError, match="90 takes 252 bytes"):
            pack([(0x90, bytes(size))])


def test_a_record_that_is_too_long_is_refused() -> None:
    with pytest.raises(PrepareError, match="255 bytes"):
        record(bytes(252))


@pytest.mark.parametrize("algorithms", ["rsa", "sm", "both"])
def test_the_afl_names_what_is_there(algorithms: str) -> None:
    card = Card.of(algorithms=algorithms, pdol=bank.SM_PDOL)
    named = set()
    for dgi in [0x9104, *([0x9106] if algorithms == "both" else [])]:
        named |= {(sfi, n) for sfi, n, _ in Afl.parse(decode(card.payment.plain(dgi)).need(0x94)).records()}
    assert named == {place for place in card.payment.records() if place[0] not in (0x0D, 0x0E)}


@pytest.mark.parametrize("option", ["A", "B"])
def test_card_keys_are_those_that_a_foreign_library_derives(option: str) -> None:
    custody = MemoryCustody(simulation=True)
    master = bytes(range(1, 17))
    for purpose, name in ((Purpose.AC, "pay-ac"), (Purpose.SMI, "pay-smi"), (Purpose.SMC, "pay-smc")):
        custody.import_key(name, purpose, Algorithm.TDES, Secret(master), by="tests")
    custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="tests")
    payment = bank.profile(
        keys={"option": option}, authentication={"static": False, "dynamic": False, "combined": False}
    ).payment
    assert payment
    unused = IssuingChains(bank.preparer().chain.member)
    application = PaymentPreparer(payment, custody, today=issuer.TODAY, chains=unused).prepare(
        PaymentAccount(bank.PAN, 1, "", ""), None, "test"
    )
    derive = kd.derive_icc_mk_a if option == "A" else kd.derive_icc_mk_b
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyemv imports 3DES from where the next cryptography will not have it
        expected = derive(master, bank.PAN, "01")
        check = key_check_digits(expected, 3)
    keys = next(part.value for part in application.parts if part.number == 0x8000)
    assert isinstance(keys, ApplicationKeys)
    assert keys.option == option
    assert keys.kcvs == (check,) * 3


def test_sm2_certificates_hold_for_a_foreign_library() -> None:
    """gmssl's pure Python: hash with Z_A, then the signature; by the CA, then by the issuer."""
    card = Card.of(algorithms="sm")
    values = elements(card)
    issuer, icc = values[0x90], values[0x9F46]
    assert (len(issuer), len(icc)) == (142, 148)
    authority = bank.authorities().sm
    assert authority
    signed = [raw for place, raw in sorted(card.payment.records().items()) if place[0] == 1]
    static = b"".join(decode(raw)[0].value for raw in signed) + decode(card.payment.plain(0x9104)).need(0x82)
    assert _foreign_verify(authority, issuer[:78], issuer[78:])
    assert _foreign_verify(issuer[14:78], icc[:84] + static, icc[84:])
    assert not _foreign_verify(issuer[14:78], icc[:84] + static[:-1] + b"\x00\x01", icc[84:])
    assert icc[1:11].hex().upper() == bank.PAN + "F"
    assert (issuer[1:5].hex(), issuer[5:7].hex()) == ("62109713", "1138")


def _foreign_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    crypt = foreign_sm2.CryptSM2(private_key="", public_key=public.hex())
    digest = crypt._sm3_z(message)
    assert len(digest) == len(foreign_sm3.sm3_hash([1]))
    return bool(crypt.verify(signature.hex(), bytes.fromhex(digest)))


def test_crt_components_in_the_order_of_the_chip() -> None:
    usual, turned = Card.of(), Card.of(chip_rsa={"crt_order": ["p", "q", "dp", "dq", "qinv"]})
    by_dgi = [[c.payment.parts[i].value for i in _crt(c)] for c in (usual, turned)]
    assert by_dgi[1] == by_dgi[0][::-1]
    with pytest.raises(ValidationError, match="CRT order"):
        bank.profile(chip_rsa={"crt_order": ["p", "q", "dp", "dq", "dq"]})


def _crt(card: Card) -> list[int]:
    numbers = [part.number for part in card.payment.parts]
    return [numbers.index(dgi) for dgi in range(0x8201, 0x8206)]


def test_the_pin_is_a_sealed_block_of_format_2_that_nobody_opens() -> None:
    card = Card.of(pin={"digits": 4, "tries": 5})
    part = next(p for p in card.payment.parts if p.number == 0x8010)
    assert isinstance(part.value, Sealed)
    assert part.padded
    with pytest.raises(KeyMisuse, match="opened by custody alone"):
        issuer.custody().open(part.value)
    block = hidden(issuer.custody(), part.value)
    assert block.hex()[:2] == "24"
    assert block.hex()[6:] == "f" * 10
    assert card.payment.plain(0x9010) == b"\x05\x05"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "0701010000000001"),
        ({"algorithms": "sm"}, "0701010000000004"),
        ({"cryptogram": "cvn10", "derivation_index": "02"}, "06020A00000000"),
        ({"cryptogram": "cvn17"}, "06011100000000"),
        ({"cryptogram": "cvn18"}, "06011200000000"),
        ({"cryptogram": "cvn22"}, "1F2201" + "00" * 29),
        ({"issuer_data": "0102"}, "0102"),
    ],
)
def test_issuer_application_data(changes: dict[str, object], expected: str) -> None:
    """As a data object, which is how personalization data of the field have it."""
    values = decode(Card.of(**changes).payment.plain(0x9200))
    assert [(int(item.tag), item.value.hex().upper()) for item in values] == [(0x9F10, expected)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"algorithms": "sm", "sm4_fold": "left"}, b"\x01\x01\x04"),
        ({"algorithms": "sm"}, None),
        ({"sm4_fold": "left"}, None),
        ({"issuer_data": "07019903000000010A01"}, b"\x01\x00\x04"),
        ({"issuer_data": "07010103000000010A01"}, None),
        ({"script_mac": 8, "cryptogram": "cvn18"}, b"\x12\x00\x08"),
    ],
)
def test_the_key_scheme_says_how_cryptograms_are_folded(changes: dict[str, object], expected: bytes | None) -> None:
    parts = {part.number: part.value for part in Card.of(**changes).payment.parts}
    assert parts.get(0x9201) == expected


@pytest.mark.parametrize("algorithms", ["rsa", "sm", "both"])
def test_e_cash_has_options_and_an_element_of_its_own(algorithms: str) -> None:
    card = Card.of(algorithms=algorithms, e_cash=bank.ECASH, pdol=bank.ECASH_PDOL)
    data = decode(card.payment.plain(0x0D01))[0].children
    assert {tag: (data.get(tag) or b"").hex() for tag in (0x9F77, 0x9F78, 0x9F6D, 0x9F79)} == {
        0x9F77: "000000100000",
        0x9F78: "000000050000",
        0x9F6D: "000000001000",
        0x9F79: "000000000000",
    }
    assert decode(card.payment.plain(0x9102)).get(0xA5, 0xBF0C, 0xDF4D) == b"\x0c\x0a"
    assert data.get(0xDF4F) == bytes.fromhex("9A039F21039F1A029F4E149F3602")
    for usual, purse in [(0x9104, 0x9203), *([(0x9106, 0x9205)] if algorithms == "both" else [])]:
        afl = decode(card.payment.plain(usual)).need(0x94)
        assert decode(card.payment.plain(purse)).need(0x94) == afl + b"\x20\x01\x01\x00"
    assert card.payment.records()[4, 1] == b"\x70\x09\x9f\x74\x06ECC001"


def test_the_antenna_has_an_fci_and_options_of_its_own() -> None:
    card = Card.of(q_pboc={}, algorithms="both", pdol=bank.SM_PDOL)
    contact, antenna = (decode(card.payment.plain(dgi))[0].children for dgi in (0x9102, 0x9103))
    assert antenna.need(0x9F38).hex().upper() == "9F66049F02069F03069F1A0295055F2A029A039C019F3704"
    assert [i for i in antenna if i.tag != 0x9F38] == [i for i in contact if i.tag != 0x9F38]
    for usual, own in ((0x9104, 0x9207), (0x9106, 0x9209)):
        assert card.payment.plain(own) == card.payment.plain(usual) + card.payment.plain(0x9200)


def test_secrets_are_references_or_sealed_and_nothing_prints() -> None:
    card = Card.of(algorithms="both", name="gb18030", identity=True)
    kinds = {part.number: type(part.value) for part in card.payment.parts if part.secret}
    crt = dict.fromkeys(range(0x8201, 0x8206), Sealed)
    assert kinds == {0x8000: ApplicationKeys, 0x8020: ApplicationKeys, 0x8010: Sealed, 0x8104: Sealed, **crt}
    shown = (
        repr(card.dossier)
        + repr(card.payment.parts)
        + repr(PaymentAccount(bank.PAN, 1, "孙波磊", "130102197605153974"))
    )
    for planted in (bank.PAN, "孙波磊", "130102197605153974"):
        assert planted not in shown


def test_a_dossier_with_every_application_survives_storing(card: Card) -> None:
    both = Card.of(algorithms="both", keys={"option": "B"}).dossier
    for dossier in (card.dossier, both):
        assert Dossier.decode(dossier.encode()) == dossier
        assert [a.instance_aid[:6] for a in dossier.applications[2:]] == [b"1PAY.S", b"2PAY.S"]


def test_a_remade_card_has_the_next_sequence_and_other_keys() -> None:
    again = bank.dossier(sequence=2)
    assert again.payment
    assert b"\x5f\x34\x01\x02" in again.payment.records()[1, 1]
    assert again.payment.plain(0x9000) != Card.of().payment.plain(0x9000)


@pytest.mark.parametrize(
    ("changes", "given", "message"),
    [
        ({}, ("", bank.chip_key), "account number"),
        ({}, (bank.PAN, lambda: None), "RSA chip key"),
        ({"preferred_name": "联名卡"}, (bank.PAN, bank.chip_key), "code table 1"),
        ({"chip_rsa": {"bits": 1984}}, (bank.PAN, bank.chip_key), ""),
    ],
)
def test_data_that_fit_no_card(changes: dict[str, object], given: tuple[str, object], message: str) -> None:
    profile = bank.profile(**changes)
    pan, key = given[0], given[1]()  # type: ignore[operator]
    make = lambda: bank.preparer(profile).prepare(issuer.member(), "9156130000000000079", bank.chip_key(), pan, key)  # noqa: E731
    if not message:
        assert make().payment
        return
    with pytest.raises(PrepareError, match=message):
        make()


def test_an_unsound_profile_makes_no_dossier_for_the_line() -> None:
    preparer = bank.preparer(bank.profile(pin=None))
    with pytest.raises(PrepareError, match="pin-missing"):
        preparer.new_dossier(issuer.member(), "9156130000000000079", bank.chip_key(), bank.PAN, bank.chip_key())


LONG = "阿卜杜热合曼·买买提明·吐尔逊江"
"""Two bytes a character."""


@pytest.mark.parametrize(
    ("name", "long_name", "expected"),
    [
        ("张", "extended", {"5F20": "张"}),
        ("A", "extended", {"5F20": "A "}),
        (LONG[:13], "extended", {"5F20": LONG[:13]}),
        (LONG[:14], "extended", {"9F0B": LONG[:14]}),
        (LONG[:14], "both", {"5F20": LONG[:13], "9F0B": LONG[:14]}),
        ("A" + LONG, "both", {"5F20": "A" + LONG[:12], "9F0B": "A" + LONG}),
        ("𠀃" * 7, "both", {"5F20": "𠀃" * 6, "9F0B": "𠀃" * 7}),
        ("𠀃" * 7, "extended", {"9F0B": "𠀃" * 7}),
        ("张" * 30, "extended", {"9F0B": "张" * 22}),
        ("A" + "𠀃" * 12, "both", {"5F20": "A" + "𠀃" * 6, "9F0B": "A" + "𠀃" * 11}),
    ],
)
def test_a_name_is_never_cut_inside_a_character(name: str, long_name: str, expected: dict[str, str]) -> None:
    """5F20 has 26 bytes, 9F0B 27 to 45."""
    card = Card.of(name="gb18030", long_name=long_name)
    profile = card.profile.payment
    assert profile is not None
    items = dict(unsigned(profile, bank.PAN, date(2036, 11, 30), name, ""))
    names = {f"{tag:04X}": value.decode("gb18030") for tag, value in items.items() if tag in (0x5F20, 0x9F0B)}
    assert names == expected


def test_a_payment_application_with_names_has_one() -> None:
    profile = Card.of(name="gb18030").profile.payment
    assert profile is not None
    with pytest.raises(PrepareError, match="no name"):
        unsigned(profile, bank.PAN, date(2036, 11, 30), " ", "")


def test_the_type_of_the_identity_document_follows_the_person() -> None:
    profile = Card.of(name="gb18030", identity=True).profile.payment
    assert profile is not None
    items = dict(unsigned(profile, bank.PAN, date(2036, 11, 30), "JOHN SMITH", "C01X00T47", IdType.PASSPORT))
    assert (items[0x9F61], items[0x9F62]) == (b"C01X00T47", b"\x02")
