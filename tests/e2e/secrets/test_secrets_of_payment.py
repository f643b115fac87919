"""Nothing that the program writes betrays a bank card's keys, PIN, account number or track 2.

``test_secrets`` looks into what every card has; here is what only bank cards have.

The bank's keys are known, the others are looked up inside custody; then a card is prepared, sent to a bank and back,
put on a chip past faults, and paid with. All that was printed is searched, and every file of the house. Left out are,
and must be: virtual card files, which *are* the chip; the test bank's own file; and of the file for a bank the account
numbers, which stand in the records of the card as they will on the chip.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from personalize.dossiers.dossier import Dossier
from registry.store import Registry
from simulators.card.config import CardConfig
from simulators.cryptograms.algorithms import IssuerMasters, card_keys
from simulators.cryptograms.schemes import Cipher
from simulators.readers.stock import blank, make_stock
from terminal.keys import Sealed
from terminal.secret import Secret
from tests.support.bank_issuer import BOTH_ALGORITHMS, MASTERS, PAN, PEK, PIN, BankIssuer, custody, new_bank_issuer
from tests.support.cli import PASSPHRASE, Cli, Done
from tests.support.leaks import Leak, LeakSearch
from tests.support.unsealed import hidden
from tests.support.waiting import PATIENCE

# Twelve digits stand nowhere by chance.
LONG_PINS = {
    "pin: {digits: 6, tries: 3}\n\npayment": "pin: {digits: 12, tries: 3}\n\npayment",
    "pin: {digits: 6, tries: 3}  # random": "pin: {digits: 12, tries: 3}  # random",
}
STRIPE = {"stripe: null  ": "stripe: {}  "}
"""Tracks with the account number and verification values, prepared and sent to the bank."""
ELSEWHERE = ("--body", "elsewhere")
WRONG_PIN = "975310864213"
CONTAINERS = ("zmk", "zmk-sm4", "seal", "index", "pay-cvk")


@dataclass
class Recorder(Cli):
    """Keeps what every command said."""

    runs: list[Done] = field(default_factory=list)

    def run(self, *args: object, env: Mapping[str, str] | None = None, **options: Any) -> Done:
        done = super().run(*args, env=env, **options)
        self.runs.append(done)
        return done


@dataclass
class Work:
    cli: Recorder
    root: Path
    card: Path
    log: bytes
    exported: list[Path]
    issuer: str
    spy: LeakSearch


def plant(spy: LeakSearch, dossiers: list[Dossier]) -> None:
    """Keys that are known, keys derived from them outside custody, and what custody sealed."""
    spy.plant_text("passphrase", PASSPHRASE)
    spy.plant_text("PAN", PAN[:-1])  # as a number, and packed before F and before the D of track 2
    spy.plant_bytes("pek", PEK)
    for (cipher, name), value in MASTERS.items():
        spy.plant_bytes(f"master {name} {cipher}", value)
    for name in CONTAINERS:
        spy.plant_bytes(name, custody()._table.get(custody().latest(name)).secret)
    for cipher, sequence in itertools.product(Cipher, {dossier.sequence for dossier in dossiers}):
        ac, smi, smc = (Secret(MASTERS[cipher.value, name]) for name in ("ac", "smi", "smc"))
        for name, key in card_keys(IssuerMasters(ac, smi, smc, "A"), cipher, PAN, sequence)._asdict().items():
            spy.plant_bytes(f"UDK {name} {cipher} {sequence}", key)
    for dossier in dossiers:
        assert dossier.payment is not None
        for number, track in enumerate(dossier.stripe, 1):
            if track:
                spy.plant_text(f"track {number}", track[-20:])
        for application in (dossier.member, dossier.payment):
            for part in application.parts:
                if isinstance(part.value, Sealed) and part.number != 0x0501:
                    plant_sealed(spy, f"{application.instance_aid.hex()} {part.number:04X}", part)


def plant_sealed(spy: LeakSearch, name: str, part: Any) -> None:
    secret = hidden(custody(), part.value)
    if part.number == 0x8010:
        assert secret[0] == 0x2C
        spy.plant_pin(f"PIN {name}", secret.hex()[2:14])
    else:
        spy.plant_bytes(f"key {name}", secret)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    root, spy = tmp_path_factory.mktemp("payment"), LeakSearch()
    cli, batch = new_bank_issuer(root, BOTH_ALGORITHMS | LONG_PINS | STRIPE, Recorder)
    assert isinstance(cli, Recorder)
    stock, exported = root / "stock", [root / "to-bank.dp", root / "again.dp"]
    assert len(list(make_stock(stock, 3, CardConfig(blank())))) == 3
    # An open reader keeps the write-ahead log on the disk, to be searched with everything else.
    with Registry.open(f"sqlite:///{cli.data / 'membercard.db'}", custody()) as registry:
        cli.ok("batch", "prepare", batch)
        [stored] = registry.dossiers.stored(batch)
        opened = [Dossier.decode(custody().open(stored.sealed).reveal())]
        assert [bool(track) for track in opened[0].stripe] == [True, True, False]
        number = stored.card_number
        cli.ok("dossier", "export", batch, exported[0])
        bank_file(cli, batch, number, exported[0])
        cli.ok("dossier", "import", batch, exported[0])
        cli.ok("dossier", "export", batch, exported[1], "--transport", "zmk-sm4")
        cli.run("perso", "run", batch, "--reader", f"sim:{stock}?fault=corrupt:15", "--tries", 1, *ELSEWHERE)
        cli.run("batch", "prepare", batch)
        cli.ok("perso", "run", batch, "--reader", f"sim:{stock}", *ELSEWHERE)
        opened += [Dossier.decode(custody().open(s.sealed).reveal()) for s in registry.dossiers.stored(batch)]
        log = (cli.data / "membercard.db-wal").read_bytes()
        assert registry.batches.accounts(batch).verified == 1
    plant(spy, opened)
    (card,) = (stock / "issued").glob("*.card")
    look(cli, batch, number, card)
    issuer = pay(BankIssuer(cli, root, batch), root, card, opened[-1].sequence)
    return Work(cli, root, card, log, exported, issuer, spy)


def bank_file(cli: Recorder, batch: str, number: str, file: Path) -> None:
    """Shown, compared, and with faults that have to do with secrets."""
    cli.ok("dossier", "show", batch, number, "--json")
    cli.ok("dossier", "show", file, number)
    assert cli.run("dossier", "diff", batch, number, "--with", file).status == 1, "the member application"
    damaged, raw = file.with_name("damaged.dp"), file.read_bytes()
    damaged.write_bytes(raw[:600] + bytes((raw[600] ^ 1,)) + raw[601:])
    assert cli.run("dossier", "import", batch, damaged, env={"MEMBERCARD_TRACEBACK": "1"}).status == 1
    assert cli.run("dossier", "import", batch, file, "--transport", "zmk-sm4").status == 1


def look(cli: Recorder, batch: str, number: str, card: Path) -> None:
    """Commands that show something of such a card."""
    reader = f"sim:{card}"
    cli.ok("batch", "report", batch, "--json")
    cli.ok("card", "trace", "--reader", reader, "--explain")
    cli.run("dossier", "diff", batch, number, "--reader", reader)


def pay(paying: BankIssuer, root: Path, card: Path, sequence: int) -> str:
    """With a wrong PIN, online, and at a bank whose file is in error. Gives what the bank printed."""
    cli, reader = paying.cli, f"sim:{card}"
    bank = paying.bank(root, sequence=sequence, scripts=["pin-unblock"])
    run = ("emv", "run", "--reader", reader, "--pin", "--trace", "--amount")
    cli.run(*run, "12.34", "--json", input=WRONG_PIN + "\n\n")
    with printing(cli, bank) as (url, lines):
        assert cli.run(*run, "612.34", "--online", url, input=PIN + "\n").status == 0
        cli.run(*run, "612.34", "--online", url, input=WRONG_PIN + "\n")
    cli.ok("emv", "log", "--reader", reader)
    bank.write_text(bank.read_text().replace('"sequence"', '"sequenz"'))
    assert cli.run("sim", "issuer", "--keys", bank, env={"MEMBERCARD_TRACEBACK": "1"}).status == 1
    return "".join(lines)


@contextlib.contextmanager
def printing(cli: Cli, bank: Path) -> Iterator[tuple[str, list[str]]]:
    """The bank as a process: where it is, and what it has printed once it is gone."""
    with cli.start("sim", "issuer", "--keys", bank, "--listen", "127.0.0.1:0") as process:
        try:
            assert process.stderr is not None
            lines = [process.stderr.readline()]
            (url,) = re.findall(r"http://[^;]+", lines[0])
            yield url, lines
            process.terminate()
            lines += process.communicate(timeout=PATIENCE)
        finally:
            process.kill()


def test_the_search_finds_what_is_there(work: Work) -> None:
    """The chip holds it all, and the file for the bank what stands in the records."""
    on_chip = {leak.secret for leak in work.spy.look_through([work.card])}
    assert {name.split()[0] for name in on_chip} >= {"PAN", "UDK", "PIN", "key"}
    assert {leak.secret for leak in work.spy.look("", f";{PAN}=30122010000")} == {"PAN"}
    assert {leak.secret for leak in work.spy.look("", bytes.fromhex(f"{PAN}D30122010000F"))} == {"PAN"}


def test_no_command_prints_a_secret(work: Work) -> None:
    own = LeakSearch()
    own.plant_pin("wrong PIN", WRONG_PIN)
    own.plant_pin("online PIN", PIN)
    leaks: list[Leak] = []
    for done in work.cli.runs:
        for spy in (work.spy, own):
            leaks += spy.look(" ".join(done.args), done.out + done.err)
    assert leaks == []
    assert len(work.cli.runs) == 20


def test_the_bank_prints_no_secret(work: Work) -> None:
    assert "approved" in work.issuer
    assert work.spy.look("issuer", work.issuer) == []


def test_no_file_of_the_issuer_holds_a_secret(work: Work) -> None:
    files = [path for path in work.cli.data.rglob("*") if path.is_file()]
    assert {"keystore", "membercard.db"} <= {path.name for path in files}
    assert work.spy.look_through(files) == []
    assert len(work.log) > 50_000
    assert work.spy.look("write-ahead log", work.log) == []


def test_a_file_for_a_bank_holds_no_key_and_no_pin(work: Work) -> None:
    leaks = work.spy.look_through(work.exported)
    assert {leak.secret for leak in leaks} == {"PAN"}
