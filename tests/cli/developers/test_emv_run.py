"""`membercard emv`: whole transactions with a chip that the line personalized and a bank in a process of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from membercard import settings
from membercard.commands.developers.emv import commands as emv_commands
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.emv.data.bits import TSI, TVR
from tests.support import bank_issuer
from tests.support.bank_issuer import PAN, PIN, BankIssuer
from tests.support.cli import PASSPHRASE

BOTH = pytest.mark.parametrize("chinese", [False, True], ids=["RSA and 3DES", "SM2 and SM4"])
UNDER, OVER = "12.34", "612.34"
"""Below and above the floor limit of the terminal."""


@pytest.fixture(scope="module")
def paying(tmp_path_factory: pytest.TempPathFactory) -> BankIssuer:
    return bank_issuer.issue_bank_card(tmp_path_factory.mktemp("paying"))


@pytest.fixture
def till(paying: BankIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    monkeypatch.setenv("MEMBERCARD_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("COLUMNS", "160")
    settings.activate(None, data_dir=paying.cli.data, simulation=True)
    yield Till(paying, tmp_path)
    settings.activate(None)


class Till:
    """Commands in this process, on a card that no other test has used."""

    def __init__(self, paying: BankIssuer, directory: Path) -> None:
        self.issuer, self.directory = paying, directory
        self.card = paying.card(directory)

    def emv(self, *args: str, typed: str | None = None) -> Result:
        words = [args[0], "--reader", f"sim:{self.card}", *args[1:]]
        return CliRunner().invoke(emv_commands.app, words, input=typed)

    def run(self, amount: str, *args: str, typed: str | None = None) -> Result:
        return self.emv("run", "--amount", amount, *args, typed=typed)

    def run_json(self, amount: str, *args: str, typed: str | None = None) -> dict[str, Any]:
        done = self.run(amount, *args, "--json", typed=typed)
        assert done.exit_code in (0, 1, 3), done.output
        result_json: dict[str, Any] = json.loads(done.stdout)
        assert result_json["approved"] is (done.exit_code == 0)
        return result_json

    def algorithm(self, *, chinese: bool) -> tuple[str, str]:
        return "--terminal", str(self.issuer.terminal(self.directory, chinese=chinese))


def stages(outcome: dict[str, Any], stage: str) -> str:
    return " | ".join(step["text"] for step in outcome["steps"] if step["stage"] == stage)


@BOTH
def test_an_approval_offline(till: Till, chinese: bool) -> None:
    outcome = till.run_json(UNDER, *till.algorithm(chinese=chinese))
    assert (outcome["result"], outcome["response_code"]) == ("approved offline", "Y1")
    assert f"CDA with {'SM2' if chinese else 'RSA'}" in stages(outcome, "offline data authentication")
    assert [(one["kind"], one["verified"]) for one in outcome["cryptograms"]] == [("TC", True)]
    assert not TVR(int(outcome["tvr"], 16)) & (TVR.CDA_FAILED | TVR.ODA_NOT_PERFORMED)


@BOTH
def test_an_online_pin_an_approval_and_a_script(till: Till, chinese: bool) -> None:
    bank = till.issuer.bank(till.directory, scripts=["pin-unblock"])
    with till.issuer.issuer(bank) as url:
        outcome = till.run_json(OVER, *till.algorithm(chinese=chinese), "--pin", "--online", url, typed=f"{PIN}\n")
    assert (outcome["result"], outcome["response_code"]) == ("approved online", "00")
    assert TVR(int(outcome["tvr"], 16)) & TVR.ONLINE_CVM_CAPTURED
    assert TSI(int(outcome["tsi"], 16)) & TSI.ISSUER_AUTHENTICATION_PERFORMED
    assert outcome["cvm_results"] == "420300"
    assert outcome["script_results"][0] == "2", "the card carried the script out"
    assert [one["kind"] for one in outcome["cryptograms"]] == ["ARQC", "TC"]


def test_steps_are_written_for_people(till: Till) -> None:
    """Amounts in the terminal's currency, one thing in the singular."""
    with till.issuer.issuer(till.issuer.bank(till.directory, scripts=["pin-unblock"])) as url:
        outcome = till.run_json(OVER, "--online", url)
    course = " | ".join(step["text"] for step in outcome["steps"])
    assert "the amount of CNY 612.34 is not below the floor limit of CNY 500.00" in course
    assert "names 1 application, the terminal knows 1" in course
    assert "and sends 1 script" in course
    assert "1 transaction since the last one online" in course
    assert not re.search(r"\b1 (applications|scripts|records|transactions|tries)\b", course)


def test_the_bank_declines(till: Till) -> None:
    with till.issuer.issuer(till.issuer.bank(till.directory, balance="1.00")) as url:
        wrong = till.run_json(OVER, "--pin", "--online", url, typed="314159\n")
        poor = till.run_json(OVER, "--pin", "--online", url, typed=f"{PIN}\n")
        shown = till.run(OVER, "--pin", "--online", url, typed=f"{PIN}\n")
    assert [(outcome["result"], outcome["response_code"]) for outcome in (wrong, poor)] == [
        ("declined online", "55"),
        ("declined online", "51"),
    ]
    assert shown.exit_code == 1
    assert "DECLINED: declined online" in shown.stdout


def test_a_bank_that_is_not_there_leaves_the_decision_to_the_action_codes(till: Till) -> None:
    outcome = till.run_json(OVER, "--online", "http://127.0.0.1:9/authorize")
    assert (outcome["result"], outcome["response_code"]) == ("declined offline", "Z3")
    assert "127.0.0.1 is not there" in stages(outcome, "online processing")


def test_offline_pin_tries_run_out_after_a_warning(till: Till) -> None:
    done = till.run(UNDER, "--pin", typed="000000\n" * 3)
    prompts = done.stderr.split("PIN, ")
    assert [prompt[:1] for prompt in prompts[1:]] == ["3", "2", "1"]
    assert prompts[2].endswith("That PIN was wrong.\nLAST TRY: a wrong PIN now blocks it.\n")
    assert "TVR byte 3 bit 6: PIN Try Limit exceeded" in done.stdout
    again = till.run_json(UNDER, "--pin")
    assert "the card has no PIN try left" in stages(again, "cardholder verification")
    assert (done.exit_code, again["result"]) == (1, "declined offline"), "a blocked PIN pays nothing without the bank"
    with till.issuer.issuer(till.issuer.bank(till.directory)) as url:
        online_again = till.run_json(UNDER, "--pin", "--online", url, typed=f"{PIN}\n")
    assert online_again["result"] == "approved online", "the bank, which knows the online PIN, may still say yes"


def test_commands_and_answers_without_anything_personal(till: Till) -> None:
    shown = till.run(UNDER, "--pin", "--trace", typed="135790\n\n")
    assert "VERIFY" in shown.stdout
    assert "8C Card Risk Management Data Object List 1" in shown.stdout
    assert "9F4E Merchant Name and Location [4D45524348414E54]: MERCHANT" in shown.stdout
    assert re.search(r"9F4B Signed Dynamic Application Data: [0-9A-F]{32}… \(\d+ bytes\)", shown.stdout)
    assert not re.search(r"[0-9A-F]{98}", shown.stdout), "certificates are for machines"
    assert "5A Application Primary Account Number (PAN): 621097*********0016" in shown.stdout
    outcome = till.run_json(UNDER, "--pin", "--trace", typed="135790\n\n")
    assert [exchange["header"] for exchange in outcome["exchanges"]].count("00200080") == 1
    for secret in (PAN, "135790", "246135790"):
        assert secret not in shown.output
        assert secret not in json.dumps(outcome)


def test_a_blocked_application_is_over(till: Till) -> None:
    with till.issuer.issuer(till.issuer.bank(till.directory, scripts=["application-block"])) as url:
        assert till.run_json(OVER, "--online", url)["result"] == "approved online"
    after = till.run(UNDER)
    assert after.exit_code == 3
    assert "application blocked" in " ".join(after.stdout.split())


def test_the_log_reads_in_words(till: Till) -> None:
    with till.issuer.issuer(till.issuer.bank(till.directory)) as url:
        for amount, kind in ((UNDER, "purchase"), (OVER, "cash")):
            assert till.run(amount, "--type", kind, "--online", url).exit_code == 0
    shown = till.emv("log")
    assert shown.exit_code == 0, shown.output
    newest, before = [line.split() for line in shown.stdout.splitlines() if line.strip()[:2] in ("1 ", "2 ")]
    assert newest[3:5] == ["CNY", "612.34"]
    assert before[3:5] == ["CNY", "12.34"]
    assert ("cash" in newest, "cash" in before, "purchase" in before) == (True, False, True)
    assert "other amount" not in shown.stdout, "nobody took cash back"
    assert "currency" not in shown.stdout, "it stands beside the amounts"
    assert "balance (9F79)" in shown.stdout
    outcome = json.loads(till.emv("log", "--json").stdout)
    assert outcome["ecash"]["balance"] == 0
    assert [record["values"]["9F02"] for record in outcome["transactions"]] == ["000000061234", "000000001234"]
    assert [record["values"]["9C"] for record in outcome["transactions"]] == ["01", "00"]


def test_exit_codes_as_a_shell_sees_them(paying: BankIssuer, tmp_path: Path) -> None:
    """0 approved, 1 declined, 3 nothing to decide on; 2 is usage, as everywhere."""
    card = f"sim:{paying.card(tmp_path)}"
    approved = paying.cli.run("emv", "run", "--reader", card, "--amount", UNDER)
    assert (approved.status, "APPROVED" in approved.out, approved.err) == (0, True, "")
    declined = paying.cli.run("emv", "run", "--reader", card, "--amount", OVER, "--json")
    assert (declined.status, declined.json["result"]) == (1, "declined offline")
    (empty,) = make_stock(tmp_path / "blanks", 1, CardConfig(blank()))
    strange = paying.cli.run("emv", "run", "--reader", f"sim:{empty}", "--amount", UNDER, "--json")
    assert (strange.status, strange.json["result"]) == (3, "try another interface")


def test_a_bank_with_other_keys_is_not_believed(till: Till) -> None:
    path = till.issuer.bank(till.directory)
    bank = json.loads(path.read_text())
    bank["masters"]["sm4"]["ac"] = "00" * 16
    path.write_text(json.dumps(bank))
    with till.issuer.issuer(path) as url:
        outcome = till.run_json(OVER, "--online", url)
    assert (outcome["result"], outcome["response_code"]) == ("declined online", "88")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_payment_and_its_log_fit_80_columns_in_both_languages(
    till: Till, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("MEMBERCARD_LANG", lang)
    paid, log = till.run(UNDER).stdout, till.emv("log").stdout
    assert max(cell_len(line) for line in (paid + log).splitlines()) <= 80
    chinese = lang == "zh"
    assert ("脱机批准：终端和卡片批准" in paid, "approved offline" in paid) == (chinese, not chinese)
    assert ("交易日志" in log, "Transaction log" in log) == (chinese, not chinese)
    if chinese:
        assert re.findall(r"\b[a-z]+(?: [a-z]+){2,}\b", paid + log) == []
