"""docs/programme.md: its examples are read, and its sentences are those that the program says."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from programme.benefit import PriceRule, UseLimit
from programme.explained import price_text
from programme.linter import placed
from programme.programme import parse_programme
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "programme.md").read_text("utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|")) for line in PAGE.splitlines() if line.startswith("|")
]
PRICES = [(cells[1].strip("`"), cells[2]) for cells in ROWS if re.match(r"`\{(list|percent|fixed|off)", cells[1])]
LIMITS = [match[0] for cells in ROWS if (match := re.match(r"`(\{count[^`]*\})`", cells[1])) is not None]


@pytest.mark.parametrize(("rule", "sentence"), PRICES)
def test_each_price_has_its_sentence(rule: str, sentence: str) -> None:
    text = price_text(PriceRule.model_validate(YAML(typ="safe").load(rule)))
    chinese, _, english = sentence.partition(" · ")
    assert chinese in text.zh
    assert english in text.en


def test_the_page_has_every_kind_of_price_and_limit() -> None:
    rules = [PriceRule.model_validate(YAML(typ="safe").load(rule)) for rule, _ in PRICES]
    assert {(rule.percent is None, rule.fixed is None, rule.off is None, rule.cap is None) for rule in rules} >= {
        (False, True, True, True),
        (True, False, True, True),
        (True, True, False, True),
        (False, True, True, False),
    }
    listed = [re.search(r"\{count[^}]*\}", limit) for limit in LIMITS]
    periods = {UseLimit.model_validate(YAML(typ="safe").load(row[0])).per for row in listed if row}
    assert periods == {"year", "season", "lifetime", "event"}


def test_the_head_and_the_benefit_of_the_page_are_one_sound_programme() -> None:
    head, benefits = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[:2]
    assert head.endswith("benefits: …\n")
    assert placed(parse_programme(head.removesuffix("benefits: …\n") + benefits, "page")) == []
