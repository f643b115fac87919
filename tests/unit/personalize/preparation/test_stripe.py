"""The stripe of a prepared card: number, expiry and service code of the chip, and a verification value of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psec
import pytest

from personalize.dossiers.dossier import Dossier
from personalize.errors import PrepareError
from personalize.payment.linter import lint
from personalize.preparation.batch import prepare_chunk, worker_spec
from personalize.preparation.preparer import Preparer
from personalize.preparation.specimen import specimen
from personalize.preparation.stripe import name_on_stripe
from personalize.profiles.profile import Profile
from personalize.protocols import CardToPrepare
from terminal.errors import KeyNotFound
from terminal.keys import Algorithm, MemoryCustody, Purpose
from terminal.secret import Secret
from terminal.tlv import decode
from tests.support import bank, issuer, profiles

CVK = bytes.fromhex("A7C21F5E0B9D3846E1F07A4C2B8D6395")
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def cvk() -> str:
    """A card verification key that psec knows too, in the tests' custody."""
    custody = issuer.custody()
    custody.import_key("test-cvk", Purpose.CVK, Algorithm.TDES, Secret(CVK), by="test")
    return "test-cvk"


def striped(person: str = "孙波磊", **stripe: Any) -> Dossier:
    keys = {"cvv": {"key": "test-cvk"}, "icvv": {"key": "test-cvk"}}
    return bank.dossier(bank.profile(stripe={**keys, **stripe}), name=person)


def value(service_code: str, expiry: str = "3611") -> str:
    computed: str = psec.cvv.generate_cvv(CVK, bank.PAN, expiry, service_code)
    return computed


def chip(dossier: Dossier, tag: int) -> bytes:
    assert dossier.payment
    return next(
        item.value
        for record in dossier.payment.records().values()
        if (item := decode(record)[0].children.find(tag)) is not None
    )


def test_the_stripe_has_the_cvv_and_the_chip_the_icvv() -> None:
    dossier = striped()
    assert dossier.stripe == (
        f"B{bank.PAN}^ /^361122000000{value('220')}",
        f"{bank.PAN}=361122000000{value('220')}",
        "",
    )
    assert chip(dossier, 0x57).hex().upper().rstrip("F") == f"{bank.PAN}D361122000000{value('999')}"
    assert value("220") != value("999")
    assert lint(bank.profile(stripe={}), dossier) == []


def test_a_card_without_a_stripe_has_the_chip_of_before() -> None:
    dossier = bank.dossier()
    assert dossier.stripe == ("", "", "")
    assert chip(dossier, 0x57).hex().upper() == f"{bank.PAN}D361122000000"


def test_places_keys_and_data_are_those_of_the_profile() -> None:
    dossier = striped(
        tracks=(1, 2, 3),
        track1_discretionary="1" * 12,
        track2_discretionary="22",
        cvv={"key": "test-cvk", "position": 3, "track1_position": 8, "expiry": "mmyy"},
        icvv=None,
        track3={"currency": "156", "exponent": "2", "discretionary": "77"},
    )
    cvv = value("220", "1136")
    assert dossier.stripe[0] == f"B{bank.PAN}^ /^361122011111111{cvv}1"
    assert dossier.stripe[1] == f"{bank.PAN}=3611220220{cvv}"
    assert dossier.stripe[2].startswith(f"01{bank.PAN}==1562")
    assert dossier.stripe[2].endswith("36111===0=77")
    assert chip(dossier, 0x57).hex().upper() == f"{bank.PAN}D361122000000"


def test_the_value_is_in_9f1f_where_the_chip_has_it() -> None:
    wanted = bank.profile(track1_discretionary="0" * 10, stripe={"icvv": {"key": "test-cvk", "track1_position": 7}})
    assert chip(bank.dossier(wanted), 0x9F1F).decode() == f"0000000{value('999')}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("John Smith", "JOHN SMITH"),
        ("Jürgen O'Brien-Łuk", " /"),
        ("José María d'Aragon", "JOSE MARIA DARAGON"),
        ("孙波磊", " /"),
        ("买买提·艾力", " /"),
        ("Anne-Marie van der Westhuizen Jr.", "ANNE-MARIE VAN DER WESTHUI"),
    ],
)
def test_a_name_in_latin_letters_is_in_capitals_and_others_are_left_out(name: str, expected: str) -> None:
    assert name_on_stripe(name, "latin") == expected
    assert name_on_stripe(name, "blank") == " /"


def test_a_name_on_the_stripe() -> None:
    assert striped("John Smith", name="latin").stripe[0].startswith(f"B{bank.PAN}^JOHN SMITH^3611220")


def member_profile(**stripe: Any) -> Profile:
    data = profiles.plain().model_dump()
    data["member"]["stripe"] = stripe
    return Profile.model_validate(data)


def test_a_card_without_a_bank_has_its_number_on_the_stripe(tmp_path: Path) -> None:
    for wanted, expected in (
        ({}, ("", "{card}=3611702", "")),
        (
            {"tracks": (1, 2), "number": "member", "discretionary": "42"},
            ("B{member}^ /^361170242", "{member}=361170242", ""),
        ),
    ):
        profile = member_profile(**wanted)
        card, member = profile.card_number.number(7), issuer.member()
        prepared = Preparer(profile, issuer.custody(), today=issuer.TODAY).prepare(
            member, card, issuer.pool(tmp_path).make()
        )
        assert prepared.stripe == tuple(text.format(card=card, member=member.member_number) for text in expected)


def test_a_worker_has_the_key_and_a_missing_one_is_named() -> None:
    profile = bank.profile(stripe={"cvv": {"key": "test-cvk"}, "icvv": {"key": "test-cvk"}})
    preparer = Preparer(profile, issuer.custody(), today=issuer.TODAY)
    assert "test-cvk" in preparer.key_names
    task = CardToPrepare(issuer.member(), profile.card_number.number(7), bank.chip_key(), bank.PAN, bank.chip_key())
    with worker_spec(preparer, issuer.custody()) as spec:
        (new,) = prepare_chunk(spec, [task])
    opened = Dossier.decode(issuer.custody().open(new.sealed).reveal())
    assert opened.stripe == striped().stripe
    with pytest.raises(KeyNotFound, match="no key named absent"):
        striped(cvv={"key": "absent"})


def test_a_specimen_has_a_stripe_with_temporary_keys() -> None:
    profile = bank.profile(stripe={"cvv": {"key": "one"}, "icvv": {"key": "other"}})
    card, _ = specimen(profile, issuer.TODAY)
    assert [bool(track) for track in card.stripe] == [True, True, False]


def test_no_repr_and_no_fault_shows_a_track() -> None:
    dossier = striped()
    assert bank.PAN not in repr(dossier)
    assert value("220") not in repr(dossier).replace(dossier.card_number, "")
    data = bank.profile().model_dump()
    data["payment"]["stripe"] = {"cvv": {"key": "test-cvk"}}
    wanted = Profile.model_validate(data)
    number = wanted.card_number.number(7)
    preparer = Preparer(wanted, issuer.custody(), today=issuer.TODAY)
    with pytest.raises(PrepareError) as caught:
        preparer.prepare(issuer.member(), number, bank.chip_key(), "62109713000000000X6", bank.chip_key())
    assert "62109713" not in str(caught.value)


def test_a_custody_of_yesterday_names_the_key_that_it_lacks() -> None:
    custody = MemoryCustody(simulation=True)
    with pytest.raises(KeyNotFound, match="no key named pay-cvk"):
        custody.latest("pay-cvk")
