"""What an edition changes against another, in words."""

from __future__ import annotations

from programme.differences import BenefitChangeKind, differences
from programme.programme import Programme, example, parse_programme
from tests.support.paths import ROOT

BEIJING = (ROOT / "programme" / "examples" / "beijing.yaml").read_text("utf-8")


def changed(old: str, new: str) -> Programme:
    assert old in BEIJING
    return parse_programme(BEIJING.replace(old, new), "own.yaml").programme


def test_the_same_programme_has_no_difference_also_after_it_was_published() -> None:
    programme = example("beijing").programme
    assert differences(programme, programme) == []
    assert differences(Programme.from_json(programme.to_json()), programme) == []


def test_a_changed_price_names_the_sentence_before_and_after() -> None:
    (change,) = differences(example("beijing").programme, changed("list: 200, percent: 50", "list: 200, percent: 40"))
    assert (change.kind, change.benefit, change.name.zh) == (BenefitChangeKind.CHANGED, "park-pass", "公园年票")
    assert next(one.en for one in change.before) == "new pass: 50% of the list price of 200.00"
    assert next(one.zh for one in change.after) == "新办：原价 200.00 元的 40%"


def test_a_benefit_that_is_new_or_ended_has_all_its_rules() -> None:
    whole = example("beijing").programme
    left = whole.model_copy(update={"benefits": {name: one for name, one in whole.benefits.items() if name != "gym"}})
    (ended,) = differences(whole, left)
    (added,) = differences(left, whole)
    assert (ended.kind, added.kind) == (BenefitChangeKind.ENDED, BenefitChangeKind.ADDED)
    assert (ended.after, added.before) == ((), ())
    assert ended.before == added.after != ()
    assert len(differences(None, whole)) == len(whole.benefits)


def test_what_the_whole_programme_says_is_a_difference_too() -> None:
    (change,) = differences(example("beijing").programme, changed("through: 2028-12-31", "through: 2029-12-31"))
    assert (change.benefit, [one.en for one in change.after]) == ("", ["valid from 2026-01-01 through 2029-12-31"])
