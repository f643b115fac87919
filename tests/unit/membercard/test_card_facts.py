"""What `gp info` and `card info` show of cards whose answers are no clean TLV: all that can be read, and the rest."""

from __future__ import annotations

from typing import Any

import pytest

from membercard.commands.counter.card import unauthenticated_facts
from membercard.commands.developers.gp.facts import card_facts
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol

ISD = "A0000001510000000099"
GP = "2A864886FC6B"
RECOGNITION = f"73 24 06 07 {GP}01 60 0B 06 09 {GP}020203 64 0B 06 09 {GP}040255".replace(" ", "")


class OddCard(SimCard):
    """A blank card with other answers to some commands."""

    def __init__(self, answers: dict[str, str]) -> None:
        chip = VirtualCard.create(None, CardConfig(ProductionData(0x1234), LinkProtocol.T1))
        super().__init__(chip, LinkProtocol.T1)
        self._answers = {bytes.fromhex(command): bytes.fromhex(answer) for command, answer in answers.items()}

    def exchange(self, apdu: bytes) -> bytes:
        return self._answers.get(apdu[:4], super().exchange(apdu))


SELECT, CPLC, CARD_DATA, KEYS = "00A40400", "80CA9F7F", "80CA0066", "80CA00E0"
FCI = f"6F 0C 84 0A {ISD} 9000"
ODD = [
    pytest.param({CPLC: "9F7F29" + "4790516842420000010060010000123400" + "11" * 24 + "9000"}, "CPLC", id="short-cplc"),
    pytest.param({KEYS: "00 E0 0B C0 04 01 30 88 10 C0 03 02 30 88 9000"}, "key information", id="cut-keys"),
]


@pytest.mark.parametrize(("answers", "remark"), ODD)
def test_what_can_be_read_is_shown_with_a_remark(answers: dict[str, str], remark: str) -> None:
    for facts in both(answers):
        assert facts["security_domain"] == ISD
        assert len(facts["remarks"]) == 1
        assert remark in facts["remarks"][0]
        assert facts["keys"]
        assert "not available" not in str(facts["keys"])


def test_a_card_without_oddities_has_no_remarks() -> None:
    for facts in both({}):
        assert "remarks" not in facts


@pytest.mark.parametrize("unset", ["FF" * 42, "00" * 42])
def test_production_data_that_were_never_set_name_no_chip(unset: str) -> None:
    of_card, of_gp = both({CPLC: f"9F7F2A{unset}9000"})
    assert "no production data that identify the chip" in of_card["chip_serial"]
    assert of_gp["chip_serial"] == ""
    assert set(of_gp["production"].values()) == {None}


def both(answers: dict[str, str]) -> list[dict[str, Any]]:
    facts = []
    for read in (unauthenticated_facts, card_facts):
        card = OddCard({SELECT: FCI} | answers)
        facts.append(read(card))
        card.close()
    return facts
