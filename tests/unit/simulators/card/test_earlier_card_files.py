"""Card files written by an earlier version of this program (tests/data/cards) open and answer as they did then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from simulators.readers.inspect import inspect_card
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from tests.support.cards.gp_host import GpHost
from tests.support.paths import ROOT

CARDS = ROOT / "tests" / "data" / "cards"
RECORDED: dict[str, Any] = json.loads((CARDS / "personalized.json").read_text())


def copied(name: str, directory: Path) -> Path:
    return Path(shutil.copy(CARDS / name, directory / name))


def test_a_blank_card_can_be_personalized(tmp_path: Path) -> None:
    card = VirtualCard.open(copied("blank.card", tmp_path))
    assert card.config.protocol is LinkProtocol.T0
    card.power_on()
    host = GpHost(card)
    assert host.open().ok
    member, module = bytes.fromhex("F04D454D424552"), bytes.fromhex("F04D454D4245520101")
    assert host.install(member, module, module).sw.ok
    assert host.for_personalization(module).sw.ok
    card.power_off()


def test_a_personalized_card_shows_what_it_holds(tmp_path: Path) -> None:
    view = inspect_card(copied("personalized.card", tmp_path)).as_json()
    del view["file"]
    assert json.loads(json.dumps(view)) == RECORDED["view"]


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_personalized_card_answers_as_before(tmp_path: Path, rounds: int) -> None:
    path = copied("personalized.card", tmp_path)
    for _ in range(rounds):
        card = VirtualCard.open(path)
        card.power_on()
        for command, response in RECORDED["exchanges"]:
            assert card.exchange(bytes.fromhex(command)).hex().upper() == response, command
        card.power_off()


def test_a_personalized_card_goes_on_paying(tmp_path: Path) -> None:
    """The counters, marks and log of the payment application are those of the last transaction."""
    card = VirtualCard.open(copied("personalized.card", tmp_path))
    card.power_on()
    card.exchange(bytes.fromhex("00A4040008A00000033301010100"))
    assert card.exchange(bytes.fromhex("80A800000C830A0000000000123401560000")).endswith(b"\x90\x00")
    answer = card.exchange(bytes.fromhex("80AE400034" + "00" * 52 + "00"))
    assert answer.hex().upper().startswith("771F9F2701809F36020003"), "an ARQC, the third ATC"
    card.power_off()
