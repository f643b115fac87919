"""The keys and accounts of the test bank in a file."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from personalize.profiles.profile import shipped_profile
from simulators.cryptograms.schemes import Cipher
from simulators.issuer.file import load_issuer
from simulators.issuer.scripts import IssuerScript, pin_unblock
from terminal.errors import CodecError
from tests.support.cards.issuer_requests import AC, PAN, SMC, SMI
from tests.support.cards.simulated_bank import KEYS, PEK, Card, account, bank, objects, pin_block

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def bank_file(path: Path, **changes: object) -> Path:
    bank: dict[str, object] = {
        "masters": {"3des": {"ac": AC.hex(), "smi": SMI.hex(), "smc": SMC.hex(), "option": "A"}},
        "pin": {"3des": PEK.hex()},
        "accounts": [{"pan": PAN, "sequence": 1, "balance": "20.00", "pin": "271828", "scripts": ["pin-unblock"]}],
    }
    path.write_text(json.dumps(bank | changes), encoding="utf-8")
    return path


def test_a_bank_from_a_file_derives_card_keys_as_the_profile_does_by_default(tmp_path: Path) -> None:
    """Otherwise a new user's first payment with a number of 19 digits ends in response code 88."""
    masters = {"ac": AC.hex(), "smi": SMI.hex(), "smc": SMC.hex()}
    profile = shipped_profile("union-member-bank").payment
    assert profile is not None
    by_default = load_issuer(bank_file(tmp_path / "bank.json", masters={"3des": masters})).keys.masters[Cipher.TDES]
    assert by_default.option == profile.keys.option
    with_option = load_issuer(bank_file(tmp_path / "option.json", masters={"3des": {**masters, "option": "B"}}))
    assert with_option.keys.masters[Cipher.TDES].option == "B"


def test_a_bank_from_a_file_answers(tmp_path: Path) -> None:
    host = load_issuer(bank_file(tmp_path / "bank.json", mac_length=8))
    card = Card()
    answer = host.answer(card.says(amount=1_999, t99=pin_block("271828", 0)))
    assert answer.approved
    script = objects(answer).find(0x72)
    assert script is not None
    header = bytes.fromhex("8424000008")
    mac = card.keys.generate_command_mac(header, card.arqc(amount=1_999), b"\x00\x01")
    assert script.children.need(0x86) == header + mac
    assert host.answer(card.says(atc=2, amount=2)).code == "51"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"masters": {}}, "masters"),
        ({"masters": {"3des": {"ac": "00", "smi": SMI.hex(), "smc": SMC.hex()}}}, "masters.3des.ac"),
        ({"accounts": [{"pan": "x"}]}, "accounts.0.pan"),
        ({"accounts": [{"pan": PAN, "pin": "27182"}, {"pan": PAN, "pin": "999"}]}, "accounts.1.pin"),
        ({"versions": {"01": "visa"}}, "versions"),
        ({"mac_length": 9}, "mac_length"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_a_bank_file_with_a_fault_names_the_field_and_no_value(
    tmp_path: Path, changes: dict[str, object], place: str
) -> None:
    with pytest.raises(CodecError, match=place) as fault:
        load_issuer(bank_file(tmp_path / "bank.json", **changes))
    assert not any(secret in str(fault.value) for secret in (AC.hex(), SMI.hex(), "27182", "999"))


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "bank.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(CodecError, match=r"bank\.json: the file"):
        load_issuer(path)


def test_nothing_secret_prints(tmp_path: Path) -> None:
    there = account()
    script: IssuerScript = there.queue(pin_unblock())
    shown = f"{KEYS!r} {there!r} {script!r} {bank(there)!r} {bank(there).answer(Card().says())!r}"
    assert not any(secret in shown for secret in (AC.hex(), "271828", PAN))


def test_the_banks_day_is_that_of_its_zone(tmp_path: Path) -> None:
    path = bank_file(tmp_path / "bank.json")
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):  # never on one day: 25 hours apart
        before = datetime.now(ZoneInfo(zone)).date()
        today = load_issuer(path, zone)._today()
        assert before <= today <= datetime.now(ZoneInfo(zone)).date()
    with pytest.raises(CodecError, match="no time zone Nowhere/Else"):
        load_issuer(path, "Nowhere/Else")
