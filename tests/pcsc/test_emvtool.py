"""A bank card from the line in a real PC/SC slot at T=0: a foreign terminal reads it, and this program pays with it.

The foreign terminal is emvtool of PyPI's `emv`, in an environment of its own (scripts/setup.sh). It can neither fill a
PDOL nor print a card number of odd length, so that this card's profile has no PDOL and numbers of 16 digits. What it
makes the card sign is checked by pyemv: of that transaction nothing but the card is ours.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyemv.cvn import VisaCVN18
from smartcard.System import readers

from simulators.readers.vpcd import VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from terminal.emv.data.masking import masked_pan
from tests.support import bank_issuer
from tests.support.bank_issuer import MASTERS, PIN, BankIssuer
from tests.support.paths import ROOT
from tests.support.pcsc.pcscd import Pcscd, Slot
from tests.support.waiting import PATIENCE

pytestmark = [
    pytest.mark.pcsc,
    pytest.mark.xdist_group("pcsc"),
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
]

EMVTOOL = ROOT / ".venv-emvtool" / "bin" / "emvtool"
PAN = "6210971300000010"
CHANGES = {
    "pdol: 9F1A029F3704 ": 'pdol: "" ',
    'prefix: "62109713"\n    length: 19': 'prefix: "62109713"\n    length: 16',
    "cryptogram: pboc-des ": "cryptogram: cvn18 ",
}
_FRAME = re.compile(r"\x1b\(0(.*?)\x1b\(B")
"""Lines of a table in the drawing characters of the terminal; x is the vertical one."""


@dataclass
class Emvtool:
    """The program, on one slot."""

    reader: int

    def run(self, *words: str, pin: str | None = None) -> subprocess.CompletedProcess[str]:
        options = ["--reader", str(self.reader), "--loglevel", "debug", *(("--pin", pin) if pin else ())]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(
            [EMVTOOL, *options, *words], capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment
        )

    def cells(self, *words: str) -> list[list[str]]:
        """The rows of every table that a command prints."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        lines = [_FRAME.sub(lambda match: "|" if match[1] == "x" else "", line) for line in done.stdout.splitlines()]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> BankIssuer:
    return bank_issuer.issue_bank_card(tmp_path_factory.mktemp("paying"), LinkProtocol.T0, CHANGES)


@pytest.fixture
def slot(bank: BankIssuer, pcscd: Pcscd, tmp_path: Path) -> Iterator[Slot]:
    """A slot with the issued card."""
    slot = pcscd.next_slot()
    slot.wait(present=False)
    with VpcdSlot(slot.host, slot.port) as virtual:
        virtual.insert(VirtualCard.open(bank.card(tmp_path)))
        slot.wait(present=True)
        yield slot


@pytest.fixture
def emvtool(slot: Slot) -> Emvtool:
    return Emvtool([str(reader) for reader in readers()].index(slot.reader_name))


def test_it_lists_the_application(emvtool: Emvtool) -> None:
    assert emvtool.cells("listapps")[1:] == [["0", '"UNIONPAY DEBIT"', "[A0 00 00 03 33 01 01 01]"]]


def test_it_reads_directories_application_and_counters(emvtool: Emvtool) -> None:
    rows = emvtool.cells("info")
    assert ["[88]", "Short File Identifier", "[01]"] in rows
    assert ["[50]", "Application Label", '"UNIONPAY DEBIT"'] in rows
    assert ["[5A]", "Application Primary Account Number (PAN)", PAN] in rows
    assert ["pin_retries", "3"] in rows
    assert any(row[0] == "atc" and int(row[1]) > 0 for row in rows), "the line itself has paid with the card"


def test_it_takes_the_processing_options_and_reads_the_application(emvtool: Emvtool) -> None:
    rows = {row[0]: row[-1] for row in emvtool.cells("appdata", "0")}
    assert rows["AIP"] == "[61, 0]"
    assert rows["AFL"] == "[8, 1, 1, 1, 16, 1, 2, 0]"
    assert rows["[5A]"] == PAN
    assert rows["[5F 34]"] == "1"
    assert rows["[5F 28]"] == "CN"
    assert rows["[9F 07]"].startswith("<AUC: Valid for domestic cash transactions")
    assert {"[57]", "[5F 24]", "[8C]", "[8D]", "[8E]", "[8F]", "[90]", "[9F 46]"} <= set(rows)


def test_a_wrong_pin_costs_a_try(emvtool: Emvtool) -> None:
    done = emvtool.run("cap", pin="000000")
    assert (done.returncode, done.stdout) == (1, "Invalid PIN\n")
    assert ["pin_retries", "2"] in emvtool.cells("info")


def test_it_has_the_card_sign_and_pyemv_knows_the_signature(emvtool: Emvtool, bank: BankIssuer) -> None:
    done = emvtool.run("cap", "--challenge", "12345678", "--amount", "12.34", pin=bank.offline_pin())
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[0-9]+\n", done.stdout), "the one-time code that it makes of the cryptogram"
    sent, received = (re.findall(rf"{way}: \[([0-9A-F ]*)\]", done.stderr) for way in ("Tx", "Rx"))
    at = next(number for number, command in enumerate(sent) if command.startswith("80 AE 80"))
    data = bytes.fromhex(sent[at])[5:]
    answer = bytes.fromhex(received[at + 1])
    assert answer[:5].hex() == "771e9f2701", "GET RESPONSE gives cryptogram and counter in format 2"
    atc, arqc, issuer_data = answer[9:11], answer[14:22], answer[25:]
    names = {"9f02": 6, "9f03": 6, "9f1a": 2, "95": 5, "5f2a": 2, "9a": 3, "9c": 1, "9f37": 4}
    values, place = {}, 0
    for name, length in names.items():
        values[f"tag_{name}"] = data[place : place + length]
        place += length
    assert values["tag_9f02"].hex() == "000000001234"
    assert values["tag_9f37"].hex() == "12345678"
    issuer = VisaCVN18(*(MASTERS["3des", name] for name in ("ac", "smi", "smc")), PAN, "01")
    aip = bytes.fromhex("3D00")
    assert arqc == issuer.generate_ac(**values, tag_82=aip, tag_9f36=atc, tag_9f10=issuer_data)


def test_our_own_terminal_pays_online_in_the_same_slot(slot: Slot, bank: BankIssuer, tmp_path: Path) -> None:
    """`membercard emv run` as typed, PIN and issuer included."""
    reader = f"pcsc:{slot.reader_name}"
    with bank.issuer(bank.bank(tmp_path, pan=PAN)) as url:
        words = ("emv", "run", "--reader", reader, "--amount", "612.34", "--pin", "--online", url)
        done = bank.cli.run(*words, input=f"{PIN}\n")
    assert done.status == 0, done.out + done.err
    assert "APPROVED: approved online" in done.out
    assert "the card answered 9000" in done.out, "issuer authentication"
    assert PAN not in done.out
    assert masked_pan(PAN)[-4:] in done.out
    log = bank.cli.ok("emv", "log", "--reader", reader, "--json").json
    assert [record["values"]["9F02"] for record in log["transactions"]] == ["000000061234"]
