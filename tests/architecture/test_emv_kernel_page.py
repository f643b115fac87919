"""docs/emv-kernel.md tells the truth: its tests exist, its example runs, its configuration is one."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import terminal.apdu
from terminal.emv.transaction.config import parse_config
from terminal.emv.transaction.outcome import Outcome, Result
from terminal.emv.transaction.step import KernelStage
from tests.support.cards.toys.emv_toy_card import CA, ToyCard, toy_keys
from tests.support.cards.toys.emv_toy_terminal import SHIPPED
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "emv-kernel.md").read_text(encoding="utf-8")
TABLE = [line for line in PAGE.partition("| section | rule |")[2].splitlines() if line.startswith("| ")][1:]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


def block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert match is not None
    return match[1]


def test_every_row_names_a_test_or_says_why_there_is_none() -> None:
    assert len(TABLE) > 60
    for row in TABLE:
        section, rule, how = (cell.strip() for cell in row.strip("| ").split(" | "))
        assert section
        assert rule
        assert "::test_" in how or how.startswith(("not covered: ", "ignored, ", "covered by ", "the card's ")), row


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_test_that_is_named_exists(path: str) -> None:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert {test for where, test in NAMED if where == path} <= there


def test_every_file_and_module_that_is_named_exists() -> None:
    for path in re.findall(r"`((?:contract|unit|property|transcripts)/[\w/]+\.py|terminal/[\w/]+\.py)`", PAGE):
        assert (ROOT / path).exists() or (ROOT / "tests" / path).exists(), path
    for name in re.findall(r"`(\w+)`", PAGE.partition("## Calling it")[0].partition("| --- |")[2]):
        assert list((ROOT / "terminal" / "emv").glob(f"*/{name}.py")), name


def test_the_steps_are_those_of_the_kernel_in_its_order() -> None:
    steps = PAGE.partition("## The steps")[2].partition("## Calling it")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in steps.splitlines() if line.startswith("| ")]
    assert rows[2:] == [stage.value for stage in KernelStage]


def test_every_field_of_an_outcome_is_documented() -> None:
    table = PAGE.partition("## Fields of an outcome")[2].partition("## Configuration")[0]
    for name in Outcome.__dataclass_fields__:
        assert f"`{name}`" in table, name


def test_the_configuration_is_one() -> None:
    config = parse_config(block("yaml"), "the page")
    assert config.applications[0].random.maximum == 50
    assert config.cda_mode == 1
    assert config.exception_file == "exceptions.txt"


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Slot:
        def connect(self) -> ToyCard:
            return ToyCard()

    (key,) = toy_keys().rsa.values()
    entry = {"rid": key.rid.hex(), "index": "01", "modulus": CA.modulus.hex(), "exponent": CA.exponent.hex()}
    (tmp_path / "ca-keys.yaml").write_text(json.dumps({"keys": [entry | {"sha1": key.checksum.hex()}]}))
    (tmp_path / "terminal.yaml").write_text(SHIPPED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(terminal.apdu, "open_reader", lambda url: Slot())
    names: dict[str, object] = {}
    exec(compile(block("python"), "docs/emv-kernel.md", "exec"), names)  # noqa: S102
    outcome = names["outcome"]
    assert isinstance(outcome, Outcome)
    assert outcome.result is Result.APPROVED_OFFLINE
    shown = capsys.readouterr().out
    assert shown.startswith("APPROVED approved offline terminal and card approved\n")
    assert len(shown.splitlines()) == 1 + len(outcome.steps)
