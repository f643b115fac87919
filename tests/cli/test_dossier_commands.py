"""`membercard dossier`: prepared cards from a bank into a batch and out again, looked at and compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from membercard import settings
from membercard.commands import dossier as dossier_commands
from membercard.commands.dossier import app
from personalize.dossiers.diff import diff
from personalize.dossiers.dossier import Dossier
from personalize.errors import BankFileError, BankFileRefused, DossierError, PrepareError
from personalize.payment.bankfile import BankFileExchange, PreparedCard
from personalize.payment.bankfile_dp import DpFormat
from personalize.payment.bankfile_lint import linter_of
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey
from terminal.member.elements import dictionary
from tests.support import bank, issuer
from tests.support.cards.bank_cards import AID, HEAD, PAN, card

OTHER_PAN = "6217001234567809"


@dataclass
class Desk:
    """A batch of two dossiers without payment applications, and a bank that shares the house's transport key."""

    store: Registry
    batch: str
    root: Path

    @property
    def bank(self) -> BankFileExchange:
        keys = issuer.custody()
        return BankFileExchange(keys, keys.latest("zmk"), keys.latest("seal"))

    @property
    def numbers(self) -> list[str]:
        return [one.card_number for one in self.store.dossiers.stored(self.batch)]

    def dossier(self, number: str) -> Dossier:
        [one] = [one for one in self.store.dossiers.stored(self.batch) if one.card_number == number]
        return Dossier.decode(issuer.custody().open(one.sealed).reveal())

    def file(self, *cards: PreparedCard, name: str = "from-bank.dp") -> Path:
        path = self.root / name
        with path.open("wb") as stream:
            DpFormat().write(stream, HEAD, cards, self.bank)
        return path

    def cards(self) -> list[PreparedCard]:
        return [card(self.bank, number, pan) for number, pan in zip(self.numbers, (PAN, OTHER_PAN), strict=True)]

    def run(self, *words: object) -> Result:
        done = CliRunner().invoke(app, list(map(str, words)))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    url = f"sqlite:///{tmp_path}/registry.db"
    monkeypatch.setattr(settings, "open_keystore", issuer.custody)
    monkeypatch.setattr(settings, "open_registry", lambda custody: Registry.open(url, custody))
    # The bank's cards of these tests are a few groupings; that imports are linted is in tests/e2e/test_bank_cards.py.
    monkeypatch.setattr(dossier_commands, "linter_of", lambda profile, known: lambda dossier: [])
    here = settings.Settings(data_dir=tmp_path)
    monkeypatch.setattr(settings, "load", lambda: here)
    with issuer.registry(url) as store:
        yield Desk(store, issuer.prepared(store, 2, tmp_path), tmp_path)


def test_a_banks_cards_are_joined_with_the_members(desk: Desk) -> None:
    done = desk.run("import", desk.batch, desk.file(*desk.cards()))
    assert done.stdout.split(": ", 1)[1] == f"2 cards from FIRST BANK, file 7; their dossiers wait in {desk.batch}\n"
    for sent in desk.cards():
        got = desk.dossier(sent.reference)
        assert got.payment is not None
        assert [p.number for p in got.payment.parts] == [p.number for p in sent.payment.parts]
        assert got.directories == sent.directories
        assert got.member.parts, "the member application is still there"
    assert desk.store.pans.of_cards(desk.numbers) == dict(zip(desk.numbers, (PAN, OTHER_PAN), strict=True))


def test_what_was_imported_goes_out_again(desk: Desk) -> None:
    desk.run("import", desk.batch, desk.file(*desk.cards()))
    out = desk.root / "to-bank.dp"
    done = desk.run("export", desk.batch, out, "--sender", "HOUSE", "--number", 9, "--json")
    assert json.loads(done.stdout) == {"file": str(out), "cards": 2}
    with out.open("rb") as stream:
        head, cards = DpFormat().read(stream, desk.bank)
        assert [(one.reference, one.pan) for one in cards] == list(zip(desk.numbers, (PAN, OTHER_PAN), strict=True))
    assert (head.sender, head.number) == ("HOUSE", 9)
    assert sorted(path.name for path in desk.root.glob("*.dp*")) == ["from-bank.dp", "to-bank.dp"]


def test_a_batch_without_payment_applications_is_not_exported(desk: Desk) -> None:
    with pytest.raises(DossierError, match="has no payment application to export"):
        desk.run("export", desk.batch, desk.root / "out.dp")
    assert list(desk.root.glob("*.dp*")) == []


def test_keys_go_out_as_key_blocks_where_the_bank_reads_them(desk: Desk) -> None:
    desk.run("import", desk.batch, desk.file(*desk.cards()))
    out = desk.root / "blocks.dp"
    assert desk.run("export", desk.batch, out, "--format", "dp-tr31").exit_code == 0
    assert out.read_bytes().count(b"B0096E0TX") == 2
    again = desk.run("import", desk.batch, out)
    assert again.exit_code == 0, "either way is read, whatever --format says"


def test_importing_the_same_file_again_changes_nothing_else(desk: Desk) -> None:
    path = desk.file(*desk.cards())
    desk.run("import", desk.batch, path)
    before = [desk.dossier(number) for number in desk.numbers]
    assert desk.run("import", desk.batch, path).exit_code == 0
    for old, new in zip(before, (desk.dossier(number) for number in desk.numbers), strict=True):
        assert old.payment
        assert new.payment
        assert diff(old.payment, new.payment, dictionary(), issuer.custody()) == []
    assert desk.store.batches.accounts(desk.batch).dossiers == 2


def _unchanged(desk: Desk) -> bool:
    return all(desk.dossier(number).payment is None for number in desk.numbers)


def test_a_damaged_file_changes_nothing(desk: Desk) -> None:
    path = desk.file(*desk.cards())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BankFileError, match=r"record 3, authenticator: the file ends here"):
        desk.run("import", desk.batch, path)
    assert _unchanged(desk)


def test_a_card_for_nobody_changes_nothing(desk: Desk) -> None:
    first, _ = desk.cards()
    with pytest.raises(BankFileError, match="record 2, reference: it is for no dossier that waits in this batch"):
        desk.run("import", desk.batch, desk.file(first, card(desk.bank, "9156130000000009999", OTHER_PAN)))
    assert _unchanged(desk)


@pytest.mark.parametrize("again", ["reference", "pan"])
def test_a_card_that_comes_twice_changes_nothing(desk: Desk, again: str) -> None:
    number, other = desk.numbers
    second = card(desk.bank, number, OTHER_PAN) if again == "reference" else card(desk.bank, other, PAN)
    with pytest.raises(BankFileError, match="record 2, reference: this card was in the file before"):
        desk.run("import", desk.batch, desk.file(card(desk.bank, number, PAN), second))
    assert _unchanged(desk)


def test_a_dossier_that_a_chip_has_is_not_changed(desk: Desk) -> None:
    desk.store.line.claim(desk.batch, "lane 1", "station", "0123456789ABCDEF0123", timedelta(minutes=1))
    with pytest.raises(BankFileError, match="record 1, reference: it is for no dossier that waits"):
        desk.run("import", desk.batch, desk.file(*desk.cards()))
    assert _unchanged(desk)


def test_the_registry_itself_refuses_what_a_chip_has(desk: Desk) -> None:
    """Between the look and the change a lane may have been faster."""
    path = desk.file(*desk.cards())
    replace = desk.store.dossiers.replace
    desk.run("import", desk.batch, path)
    stored = desk.store.dossiers.stored(desk.batch)[0]
    new = _as_new(stored)
    desk.store.line.claim(desk.batch, "lane 1", "station", "0123456789ABCDEF0123", timedelta(minutes=1))
    with pytest.raises(RegistryConflict, match="is claimed: a chip has it already"):
        replace(desk.batch, [new])
    with pytest.raises(NotOnRecord, match="has no dossier of card"):
        replace("B20000101-001", [new])


def _as_new(stored: object) -> object:
    from registry.values import NewDossier, StoredDossier

    assert isinstance(stored, StoredDossier)
    fields = (stored.member_id, stored.card_number, stored.sequence, stored.sealed)
    return NewDossier(*fields, stored.profile_name, stored.profile_digest, PAN)


def test_a_card_keeps_its_account_number(desk: Desk) -> None:
    desk.run("import", desk.batch, desk.file(*desk.cards()))
    desk.run("import", desk.batch, desk.file(*desk.cards(), name="again.dp"))
    number = desk.numbers[0]
    with pytest.raises(BankFileError, match="record 1, reference: this member card has another account number"):
        desk.run("import", desk.batch, desk.file(card(desk.bank, number, "6217001234567999"), name="other.dp"))
    assert desk.store.pans.of_cards([number]) == {number: PAN}


def test_an_account_number_of_another_card_is_refused(desk: Desk) -> None:
    desk.run("import", desk.batch, desk.file(*desk.cards()))
    other = issuer.prepared(desk.store, 1, desk.root / "more", start=90)
    [number] = desk.store.dossiers.waiting_cards(other)
    with pytest.raises(BankFileError, match="record 1, reference: its account number belongs to another card"):
        desk.run("import", other, desk.file(card(desk.bank, number, PAN), name="other.dp"))
    assert desk.store.pans.of_cards([number]) == {}


def test_a_batch_in_which_nothing_waits(desk: Desk) -> None:
    empty = issuer.batch(desk.store, 1, start=50)
    with pytest.raises(DossierError, match=f"no dossier waits in batch {empty}"):
        desk.run("export", empty, desk.root / "out.dp")
    with pytest.raises(DossierError, match=f"no dossier waits in batch {empty}"):
        desk.run("import", empty, desk.file())
    assert [path.name for path in desk.root.glob("*.dp*")] == ["from-bank.dp"]
    with pytest.raises(NotOnRecord, match="there is no batch B20000101-001"):
        desk.run("export", "B20000101-001", desk.root / "out.dp")


def test_a_dossier_is_shown_in_words(desk: Desk) -> None:
    desk.run("import", desk.batch, desk.file(*desk.cards()))
    number = desk.numbers[0]
    shown = desk.run("show", desk.batch, number).stdout
    assert f"application {AID.hex().upper()}" in shown
    assert "8010 offline PIN: secret, 8 bytes" in shown
    assert "5A Application Primary Account Number (PAN): 621700******7890" in shown
    member = issuer.id_number(1)
    for personal in (PAN, number, member, f"138{1:08d}", issuer.NAMES[1]):
        assert personal not in shown
    told = json.loads(desk.run("show", desk.batch, number, "--json").stdout)
    payment = next(one for one in told["applications"] if one["aid"] == AID.hex().upper())
    keys = next(group for group in payment["groups"] if group["dgi"] == "8000")
    assert (keys["secret"], len(keys["kcvs"]), keys["content"]) == (True, 3, [])


def test_a_card_of_a_bank_file_is_shown_before_it_is_imported(desk: Desk) -> None:
    path, number = desk.file(*desk.cards()), desk.numbers[1]
    assert "8020 card keys, SM4: secret, 48 bytes" in desk.run("show", path, number).stdout
    with pytest.raises(DossierError, match="no card with the reference 1"):
        desk.run("show", path, "1")
    with pytest.raises(DossierError, match="has no dossier of card 1"):
        desk.run("show", desk.batch, "1")


def test_the_cards_of_a_batch_and_of_a_file_are_listed(desk: Desk) -> None:
    """For a newcomer, who knows no number to ask for."""
    path = desk.file(*desk.cards())
    for source, state in ((desk.batch, "waiting"), (path, "in the file")):
        told = json.loads(desk.run("show", source, "--json").stdout)["cards"]
        assert sorted(card["card"] for card in told) == sorted(desk.numbers)
        assert {card["state"] for card in told} == {state}
        assert all(number in desk.run("show", source).stdout for number in desk.numbers)
    with pytest.raises(NotOnRecord, match="there is no batch B20000101-001"):
        desk.run("show", "B20000101-001")
    with pytest.raises(DossierError, match="has no dossiers: a batch has them from its preparation"):
        desk.run("show", issuer.batch(desk.store, 1, start=90))


def test_a_dossier_is_compared_with_the_file_it_came_from(desk: Desk) -> None:
    path, number = desk.file(*desk.cards()), desk.numbers[0]
    desk.run("import", desk.batch, path)
    same = desk.run("diff", path, number, "--with", path)
    assert (same.exit_code, same.stdout) == (0, "no difference\n")
    done = desk.run("diff", desk.batch, number, "--with", path)
    [only, count] = done.stdout.splitlines()
    assert only.endswith(" application: only on the left"), "the member application is not the bank's"
    assert (done.exit_code, count) == (1, "1 difference")
    back = desk.run("diff", path, number, "--with", desk.batch).stdout
    assert "application: only on the right" in back


def test_two_cards_differ_in_places_that_show_no_values(desk: Desk) -> None:
    path = desk.file(*desk.cards())
    done = desk.run("diff", path, *desk.numbers, "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["same"]) == (1, False)
    assert {one["dgi"][:4] for one in told["differences"]} == {"0101", "9000", "8000", "8020"}
    assert PAN not in done.stdout
    assert OTHER_PAN not in done.stdout


def test_what_to_compare_with_must_be_said(desk: Desk) -> None:
    assert desk.run("diff", desk.batch, desk.numbers[0]).exit_code == 2
    assert desk.run("diff", desk.batch, *desk.numbers, "--reader", "sim:x").exit_code == 2


def test_an_unknown_format_is_a_fault_of_usage(desk: Desk) -> None:
    assert desk.run("export", desk.batch, desk.root / "x", "--format", "visa").exit_code == 2


def test_what_this_house_prepares_goes_to_a_bank_and_comes_back(desk: Desk) -> None:
    """Every grouping of the shipped bank profile with both algorithms, certificates and chip keys included."""
    profile = bank.profile(algorithms="both", pdol=bank.SM_PDOL)
    batch = issuer.prepared(desk.store, 1, desk.root / "more", profile=profile, start=70)
    [stored] = desk.store.dossiers.stored(batch)
    before = Dossier.decode(issuer.custody().open(stored.sealed).reveal())
    out = desk.root / "all.dp"
    desk.run("export", batch, out)
    assert desk.run("import", batch, out).exit_code == 0
    [stored] = desk.store.dossiers.stored(batch)
    after = Dossier.decode(issuer.custody().open(stored.sealed).reveal())
    assert before.payment is not None
    assert after.payment is not None
    assert diff(before.payment, after.payment, dictionary(), issuer.custody()) == []
    assert (after.member, after.directories) == (before.member, before.directories)


CA_FILE = """
keys:
  - {{rid: A000000333, index: "{index}", modulus: {modulus}, exponent: "03", sha1: {sha1}}}
"""


def test_certificates_are_followed_to_the_schemes_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The house's own where the bank is this house; those of a file in the data directory where it is not."""
    profile = bank.profile()
    monkeypatch.setattr(dossier_commands, "linter_of", linter_of)
    batch = issuer.prepared(desk.store, 1, desk.root / "more", profile=profile, start=70)
    out = desk.root / "all.dp"
    desk.run("export", batch, out)
    with pytest.raises(PrepareError, match="the profile union-member has no payment section"):
        desk.run("import", batch, out)
    monkeypatch.setattr(dossier_commands, "profile_in_use", lambda: profile)
    assert desk.run("import", batch, out).exit_code == 0
    assert profile.payment
    for name, right in (("pay-ca", True), ("scheme-ca", False)):
        info = issuer.custody().info(issuer.custody().latest(name))
        assert info.modulus
        key = CaKey(bytes.fromhex("A000000333"), int(profile.payment.trust.ca_index, 16), RsaPublic(info.modulus, 3))
        fields = {"index": f"{key.index:02X}", "modulus": f"{info.modulus:X}", "sha1": key.checksum.hex()}
        (desk.root / "ca-keys.yaml").write_text(CA_FILE.format(**fields), encoding="utf-8")
        if right:
            assert desk.run("import", batch, out).exit_code == 0
        else:
            with pytest.raises(BankFileRefused, match=r"record 1, application A000000333010101.*certificate:"):
                desk.run("import", batch, out)
