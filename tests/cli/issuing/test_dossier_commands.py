"""`membercard dossier`: prepared cards from a bank into a batch and out again, looked at and compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from membercard import settings
from membercard.commands.issuing.dossier import app
from membercard.wiring import profile as wiring_profile
from personalize.dossiers.diff import Difference, diff, stripe_differences
from personalize.dossiers.dossier import Dossier
from personalize.errors import BankFileError, BankFileRefused, DossierError, PrepareError, StripeError
from personalize.payment import bankfile_lint
from personalize.payment.bankfile import BankFileExchange, PreparedCard
from personalize.payment.bankfile_batch import take_in
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
class BatchCli:
    """A batch of two dossiers without payment applications, and a bank that shares the issuer's transport key."""

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
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchCli]:
    url = f"sqlite:///{tmp_path}/registry.db"
    monkeypatch.setattr(settings, "open_keystore", issuer.custody)
    monkeypatch.setattr(settings, "open_registry", lambda custody: Registry.open(url, custody))
    # The bank's cards of these tests are a few groupings; that imports are linted is in tests/e2e/test_bank_cards.py.
    monkeypatch.setattr(bankfile_lint, "linter_of", lambda profile, known: lambda dossier: [])
    here = settings.Settings(data_dir=tmp_path)
    monkeypatch.setattr(settings, "load", lambda: here)
    with issuer.registry(url) as store:
        yield BatchCli(store, issuer.prepared(store, 2, tmp_path), tmp_path)


def test_a_banks_cards_are_joined_with_the_members(cli: BatchCli) -> None:
    done = cli.run("import", cli.batch, cli.file(*cli.cards()))
    assert done.stdout.split(": ", 1)[1] == f"2 cards from FIRST BANK, file 7; their dossiers wait in {cli.batch}\n"
    for sent in cli.cards():
        got = cli.dossier(sent.reference)
        assert got.payment is not None
        assert [p.number for p in got.payment.parts] == [p.number for p in sent.payment.parts]
        assert got.directories == sent.directories
        assert got.member.parts, "the member application is still there"
    assert cli.store.pans.of_cards(cli.numbers) == dict(zip(cli.numbers, (PAN, OTHER_PAN), strict=True))


def test_what_was_imported_goes_out_again(cli: BatchCli) -> None:
    cli.run("import", cli.batch, cli.file(*cli.cards()))
    out = cli.root / "to-bank.dp"
    done = cli.run("export", cli.batch, out, "--sender", "HOUSE", "--number", 9, "--json")
    assert json.loads(done.stdout) == {"file": str(out), "cards": 2}
    with out.open("rb") as stream:
        head, cards = DpFormat().read(stream, cli.bank)
        assert [(one.reference, one.pan) for one in cards] == list(zip(cli.numbers, (PAN, OTHER_PAN), strict=True))
    assert (head.sender, head.number) == ("HOUSE", 9)
    assert sorted(path.name for path in cli.root.glob("*.dp*")) == ["from-bank.dp", "to-bank.dp"]


def test_a_batch_without_payment_applications_is_not_exported(cli: BatchCli) -> None:
    with pytest.raises(DossierError, match="has no payment application to export"):
        cli.run("export", cli.batch, cli.root / "out.dp")
    assert list(cli.root.glob("*.dp*")) == []


def test_keys_go_out_as_key_blocks_where_the_bank_reads_them(cli: BatchCli) -> None:
    cli.run("import", cli.batch, cli.file(*cli.cards()))
    out = cli.root / "blocks.dp"
    assert cli.run("export", cli.batch, out, "--format", "dp-tr31").exit_code == 0
    assert out.read_bytes().count(b"B0096E0TX") == 2
    again = cli.run("import", cli.batch, out)
    assert again.exit_code == 0, "either way is read, whatever --format says"


def test_importing_the_same_file_again_changes_nothing_else(cli: BatchCli) -> None:
    path = cli.file(*cli.cards())
    cli.run("import", cli.batch, path)
    before = [cli.dossier(number) for number in cli.numbers]
    assert cli.run("import", cli.batch, path).exit_code == 0
    for old, new in zip(before, (cli.dossier(number) for number in cli.numbers), strict=True):
        assert old.payment
        assert new.payment
        assert diff(old.payment, new.payment, dictionary(), issuer.custody()) == []
    assert cli.store.batches.accounts(cli.batch).dossiers == 2


def _unchanged(cli: BatchCli) -> bool:
    return all(cli.dossier(number).payment is None for number in cli.numbers)


def test_a_damaged_file_changes_nothing(cli: BatchCli) -> None:
    path = cli.file(*cli.cards())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BankFileError, match=r"record 3, authenticator: the file ends here"):
        cli.run("import", cli.batch, path)
    assert _unchanged(cli)


def test_a_card_for_nobody_changes_nothing(cli: BatchCli) -> None:
    first, _ = cli.cards()
    with pytest.raises(BankFileError, match="record 2, reference: it is for no dossier that waits in this batch"):
        cli.run("import", cli.batch, cli.file(first, card(cli.bank, "9156130000000009999", OTHER_PAN)))
    assert _unchanged(cli)


@pytest.mark.parametrize("again", ["reference", "pan"])
def test_a_card_that_comes_twice_changes_nothing(cli: BatchCli, again: str) -> None:
    number, other = cli.numbers
    second = card(cli.bank, number, OTHER_PAN) if again == "reference" else card(cli.bank, other, PAN)
    with pytest.raises(BankFileError, match="record 2, reference: this card was in the file before"):
        cli.run("import", cli.batch, cli.file(card(cli.bank, number, PAN), second))
    assert _unchanged(cli)


def test_a_dossier_that_a_chip_has_is_not_changed(cli: BatchCli) -> None:
    cli.store.line.claim(cli.batch, "lane 1", "station", "0123456789ABCDEF0123", timedelta(minutes=1))
    with pytest.raises(BankFileError, match="record 1, reference: it is for no dossier that waits"):
        cli.run("import", cli.batch, cli.file(*cli.cards()))
    assert _unchanged(cli)


def test_the_registry_itself_refuses_what_a_chip_has(cli: BatchCli) -> None:
    """Between the look and the change a lane may have been faster."""
    path = cli.file(*cli.cards())
    replace = cli.store.dossiers.replace
    cli.run("import", cli.batch, path)
    stored = cli.store.dossiers.stored(cli.batch)[0]
    new = _as_new(stored)
    cli.store.line.claim(cli.batch, "lane 1", "station", "0123456789ABCDEF0123", timedelta(minutes=1))
    with pytest.raises(RegistryConflict, match="is claimed: a chip has it already"):
        replace(cli.batch, [new])
    with pytest.raises(NotOnRecord, match="has no dossier of card"):
        replace("B20000101-001", [new])


def _as_new(stored: object) -> object:
    from registry.values import NewDossier, StoredDossier

    assert isinstance(stored, StoredDossier)
    fields = (stored.member_id, stored.card_number, stored.sequence, stored.sealed)
    return NewDossier(*fields, stored.profile_name, stored.profile_digest, PAN)


def test_a_card_keeps_its_account_number(cli: BatchCli) -> None:
    cli.run("import", cli.batch, cli.file(*cli.cards()))
    cli.run("import", cli.batch, cli.file(*cli.cards(), name="again.dp"))
    number = cli.numbers[0]
    with pytest.raises(BankFileError, match="record 1, reference: this member card has another account number"):
        cli.run("import", cli.batch, cli.file(card(cli.bank, number, "6217001234567999"), name="other.dp"))
    assert cli.store.pans.of_cards([number]) == {number: PAN}


def test_an_account_number_of_another_card_is_refused(cli: BatchCli) -> None:
    cli.run("import", cli.batch, cli.file(*cli.cards()))
    other = issuer.prepared(cli.store, 1, cli.root / "more", start=90)
    [number] = cli.store.dossiers.waiting_cards(other)
    with pytest.raises(BankFileError, match="record 1, reference: its account number belongs to another card"):
        cli.run("import", other, cli.file(card(cli.bank, number, PAN), name="other.dp"))
    assert cli.store.pans.of_cards([number]) == {}


def test_a_batch_in_which_nothing_waits(cli: BatchCli) -> None:
    empty = issuer.batch(cli.store, 1, start=50)
    with pytest.raises(DossierError, match=f"no dossier waits in batch {empty}"):
        cli.run("export", empty, cli.root / "out.dp")
    with pytest.raises(DossierError, match=f"no dossier waits in batch {empty}"):
        cli.run("import", empty, cli.file())
    assert [path.name for path in cli.root.glob("*.dp*")] == ["from-bank.dp"]
    with pytest.raises(NotOnRecord, match="there is no batch B20000101-001"):
        cli.run("export", "B20000101-001", cli.root / "out.dp")


def test_a_dossier_is_shown_in_words(cli: BatchCli) -> None:
    cli.run("import", cli.batch, cli.file(*cli.cards()))
    number = cli.numbers[0]
    shown = cli.run("show", cli.batch, number).stdout
    assert f"application {AID.hex().upper()}" in shown
    assert "8010 offline PIN: secret, 8 bytes" in shown
    assert "5A Application Primary Account Number (PAN): 621700******7890" in shown
    member = issuer.id_number(1)
    for personal in (PAN, number, member, f"138{1:08d}", issuer.NAMES[1]):
        assert personal not in shown
    printed = json.loads(cli.run("show", cli.batch, number, "--json").stdout)
    payment = next(one for one in printed["applications"] if one["aid"] == AID.hex().upper())
    keys = next(group for group in payment["groups"] if group["dgi"] == "8000")
    assert (keys["secret"], len(keys["kcvs"]), keys["content"]) == (True, 3, [])


def test_a_card_of_a_bank_file_is_shown_before_it_is_imported(cli: BatchCli) -> None:
    path, number = cli.file(*cli.cards()), cli.numbers[1]
    assert "8020 card keys, SM4: secret, 48 bytes" in cli.run("show", path, number).stdout
    with pytest.raises(DossierError, match="no card with the reference 1"):
        cli.run("show", path, "1")
    with pytest.raises(DossierError, match="has no dossier of card 1"):
        cli.run("show", cli.batch, "1")


def test_the_cards_of_a_batch_and_of_a_file_are_listed(cli: BatchCli) -> None:
    """For a newcomer, who knows no number to ask for."""
    path = cli.file(*cli.cards())
    for source, state in ((cli.batch, "waiting"), (path, "in the file")):
        printed = json.loads(cli.run("show", source, "--json").stdout)["cards"]
        assert sorted(card["card"] for card in printed) == sorted(cli.numbers)
        assert {card["state"] for card in printed} == {state}
        assert all(number in cli.run("show", source).stdout for number in cli.numbers)
    with pytest.raises(NotOnRecord, match="there is no batch B20000101-001"):
        cli.run("show", "B20000101-001")
    with pytest.raises(DossierError, match="has no dossiers: a batch has them from its preparation"):
        cli.run("show", issuer.batch(cli.store, 1, start=90))


def test_a_dossier_is_compared_with_the_file_it_came_from(cli: BatchCli) -> None:
    path, number = cli.file(*cli.cards()), cli.numbers[0]
    cli.run("import", cli.batch, path)
    same = cli.run("diff", path, number, "--with", path)
    assert (same.exit_code, same.stdout) == (0, "no difference\n")
    done = cli.run("diff", cli.batch, number, "--with", path)
    [only, count] = done.stdout.splitlines()
    assert only.endswith(" application: only on the left"), "the member application is not the bank's"
    assert (done.exit_code, count) == (1, "1 difference")
    back = cli.run("diff", path, number, "--with", cli.batch).stdout
    assert "application: only on the right" in back


def test_two_cards_differ_in_places_that_show_no_values(cli: BatchCli) -> None:
    path = cli.file(*cli.cards())
    done = cli.run("diff", path, *cli.numbers, "--json")
    printed = json.loads(done.stdout)
    assert (done.exit_code, printed["same"]) == (1, False)
    assert {one["dgi"][:4] for one in printed["differences"]} == {"0101", "9000", "8000", "8020"}
    assert PAN not in done.stdout
    assert OTHER_PAN not in done.stdout


def test_what_to_compare_with_is_required(cli: BatchCli) -> None:
    assert cli.run("diff", cli.batch, cli.numbers[0]).exit_code == 2
    assert cli.run("diff", cli.batch, *cli.numbers, "--reader", "sim:x").exit_code == 2


def test_an_unknown_format_is_a_fault_of_usage(cli: BatchCli) -> None:
    assert cli.run("export", cli.batch, cli.root / "x", "--format", "visa").exit_code == 2


def test_what_this_issuer_prepares_goes_to_a_bank_and_comes_back(cli: BatchCli) -> None:
    """Every grouping of the shipped bank profile with both algorithms, certificates and chip keys included."""
    profile = bank.profile(algorithms="both", pdol=bank.SM_PDOL)
    batch = issuer.prepared(cli.store, 1, cli.root / "more", profile=profile, start=70)
    [stored] = cli.store.dossiers.stored(batch)
    before = Dossier.decode(issuer.custody().open(stored.sealed).reveal())
    out = cli.root / "all.dp"
    cli.run("export", batch, out)
    assert cli.run("import", batch, out).exit_code == 0
    [stored] = cli.store.dossiers.stored(batch)
    after = Dossier.decode(issuer.custody().open(stored.sealed).reveal())
    assert before.payment is not None
    assert after.payment is not None
    assert diff(before.payment, after.payment, dictionary(), issuer.custody()) == []
    assert (after.member, after.directories) == (before.member, before.directories)


CA_FILE = """
keys:
  - {{rid: A000000333, index: "{index}", modulus: {modulus}, exponent: "03", sha1: {sha1}}}
"""


def test_certificates_are_followed_to_the_schemes_keys(cli: BatchCli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The issuer's own where it is also the bank; else those of a file in the data directory."""
    profile = bank.profile()
    monkeypatch.setattr(bankfile_lint, "linter_of", linter_of)
    batch = issuer.prepared(cli.store, 1, cli.root / "more", profile=profile, start=70)
    out = cli.root / "all.dp"
    cli.run("export", batch, out)
    with pytest.raises(PrepareError, match="the profile union-member has no payment section"):
        cli.run("import", batch, out)
    monkeypatch.setattr(wiring_profile, "profile_in_use", lambda: profile)
    assert cli.run("import", batch, out).exit_code == 0
    assert profile.payment
    for name, right in (("pay-ca", True), ("scheme-ca", False)):
        info = issuer.custody().info(issuer.custody().latest(name))
        assert info.modulus
        key = CaKey(bytes.fromhex("A000000333"), int(profile.payment.trust.ca_index, 16), RsaPublic(info.modulus, 3))
        fields = {"index": f"{key.index:02X}", "modulus": f"{info.modulus:X}", "sha1": key.checksum.hex()}
        (cli.root / "ca-keys.yaml").write_text(CA_FILE.format(**fields), encoding="utf-8")
        if right:
            assert cli.run("import", batch, out).exit_code == 0
        else:
            with pytest.raises(BankFileRefused, match=r"record 1, application A000000333010101.*certificate:"):
                cli.run("import", batch, out)


def test_a_banks_stripe_comes_in_and_goes_out_and_is_shown_masked(cli: BatchCli) -> None:
    cards = [replace(one, stripe=("", f"{one.pan}=3611220000007", "")) for one in cli.cards()]
    cli.run("import", cli.batch, cli.file(*cards))
    number = cli.numbers[0]
    assert cli.dossier(number).stripe == ("", f"{PAN}=3611220000007", "")
    out = cli.root / "out.dp"
    cli.run("export", cli.batch, out)
    for source in (cli.batch, out):
        shown = cli.run("show", source, number).stdout
        assert "  track 2: ;621700******7890=3611220******?" in shown
        assert PAN not in shown
        assert json.loads(cli.run("show", source, number, "--json").stdout)["stripe"][1].startswith(";621700***")
    assert "stripe" not in cli.run("diff", cli.batch, number, "--with", out).stdout


def test_stripes_that_differ_are_named_without_their_values(cli: BatchCli) -> None:
    first, second = cli.cards()
    cards = [replace(first, stripe=("", f"{PAN}=3611220", "")), replace(second, stripe=("", "", ""))]
    cli.run("import", cli.batch, cli.file(*cards))
    done = cli.run("diff", cli.batch, *cli.numbers)
    assert done.exit_code == 1
    assert "magnetic stripe track 2: only on the left" in done.stdout
    assert stripe_differences(("1", "2", ""), ("1", "33", "4")) == [
        Difference("magnetic stripe", "track 2", "", "1 and 2 characters that differ"),
        Difference("magnetic stripe", "track 3", "", "only on the right"),
    ]


def test_a_card_whose_file_has_no_stripe_gets_one_and_one_that_it_does_not_fit_is_refused(cli: BatchCli) -> None:
    first, second = cli.cards()
    cards = [replace(first, stripe=("", f"{PAN}=3612220", "")), second]

    def restripe(dossier: Dossier, pan: str) -> Dossier:
        return replace(dossier, stripe=("", f"{pan}=3611220", ""))

    def unfit(dossier: Dossier, pan: str) -> Dossier:
        raise StripeError("the chip has no 5F30, which the stripe needs")

    with pytest.raises(BankFileRefused, match="record 2, stripe: the chip has no 5F30, which the stripe needs"):
        take_in(cli.store, cli.bank, cli.batch, cards, lambda dossier: [], restripe=unfit)
    assert _unchanged(cli)
    assert take_in(cli.store, cli.bank, cli.batch, cards, lambda dossier: [], restripe=restripe) == 2
    assert [cli.dossier(number).stripe[1] for number in cli.numbers] == [f"{PAN}=3612220", f"{OTHER_PAN}=3611220"]
