"""What an edition changes against another, in words."""

from __future__ import annotations

import pytest

from programme.differences import BenefitChangeKind, differences
from programme.linter import findings
from programme.programme import Programme, example, parse_programme
from tests.support.paths import ROOT
from tests.support.programmes import HEAD, ONE_PRODUCT

FAIR = """\
rush:
  fair:
    name: {zh: 庙会, en: Fair}
    text: {zh: 请携带, en: bring it}
    benefit: gift
    price: 1
    opens: "2026-02-01 09:00"
    closes: "2026-02-10 18:00"
    returns: "2026-02-12 18:00"
    limit: 2
    waiting: 5
    eligibility: {age: {from: 18}}
    lots:
      ditan: {name: {zh: 地坛, en: Ditan}, units: 30, limit: 1, days: {from: 2026-02-17, through: 2026-02-23}}
"""
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
    others = (
        len(whole.covers) + len(whole.claims) + len(whole.matters) + len(whole.payouts.banks if whole.payouts else ())
    )
    assert len(differences(None, whole)) == len(whole.benefits) + others


def test_what_the_whole_programme_says_is_a_difference_too() -> None:
    (change,) = differences(example("beijing").programme, changed("through: 2028-12-31", "through: 2029-12-31"))
    assert (change.benefit, [one.en for one in change.after]) == ("", ["valid from 2026-01-01 through 2029-12-31"])


def with_rush(rush: str) -> Programme:
    body = f"gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    return parse_programme(f"{HEAD}  {body}{rush}", "own.yaml").programme


def test_a_rush_that_is_new_changed_or_ended_is_a_difference() -> None:
    none, fair, fewer = with_rush(""), with_rush(FAIR), with_rush(FAIR.replace("units: 30", "units: 20"))
    (added,) = differences(none, fair)
    assert (added.kind, added.benefit, added.name.zh) == (BenefitChangeKind.ADDED, "rush.fair", "庙会")
    assert [one.en for one in added.after] == [
        "Fair",
        "opens 2026-02-01 09:00, closes 2026-02-10 18:00",
        "tickets go back until 2026-02-12 18:00",
        "1.00 yuan a ticket",
        "2 for a member at most",
        "a waiting list of 5 for each lot",
        "Ditan: 30 tickets, valid 2026-02-17 through 2026-02-23, 1 for a member at most",
        "the conditions of benefit gift hold as well",
        "for members from the age of 18",
        "bring it",
    ]
    (change,) = differences(fair, fewer)
    assert [one.zh for one in change.after] == ["地坛：20 张，2026-02-17 至 2026-02-23 有效，每人限 1 张"]
    assert len(change.before) == 1
    (ended,) = differences(fair, none)
    assert (ended.kind, ended.before) == (BenefitChangeKind.ENDED, added.after)
    assert differences(fair, Programme.from_json(fair.to_json())) == []


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("from: 2026-02-17, through: 2026-02-23", "from: 2041-02-17, through: 2041-02-23", "rush.fair.lots.ditan.days"),
        ("2026-02", "2041-02", "rush.fair.opens"),
    ],
)
def test_a_rush_that_never_comes_while_the_programme_is_valid_is_a_finding(old: str, new: str, field: str) -> None:
    assert findings(with_rush(FAIR)) == []
    listed = {".".join(map(str, one.location)): one.text.en for one in findings(with_rush(FAIR.replace(old, new)))}
    assert listed[field] == "these days never come while the programme is valid"


@pytest.mark.parametrize(
    ("old", "new", "part", "before", "after"),
    [
        ("    cap: 3000\n", "    cap: 5000\n", "claims.fire", "3000.00 yuan at most", "5000.00 yuan at most"),
        ("    amount: 20000\n", "    amount: 2000\n", "claims.death", "pays 20000.00 yuan", "pays 2000.00 yuan"),
        (
            "Grade 10}, amount: 500}",
            "Grade 10}, amount: 400}",
            "claims.disability",
            "Grade 10: 500.00",
            "Grade 10: 400.00",
        ),
        ("    on_card: true\n", "    card: active\n", "covers.accident", "chips have its last day", "activation on"),
        ("en: Legal aid}, days: 30", "en: Legal aid}, days: 3", "matters.legal", "within 30 days", "within 3 days"),
    ],
)
def test_what_is_paid_and_when_is_a_difference(old: str, new: str, part: str, before: str, after: str) -> None:
    (change,) = differences(example("beijing").programme, changed(old, new))
    assert change.benefit.startswith(part)
    assert any(before in one.en for one in change.before)
    assert any(after in one.en for one in change.after)
    assert all(one.zh for one in (*change.before, *change.after))


def test_a_smaller_budget_is_a_difference() -> None:
    text = (ROOT / "programme" / "examples" / "shijiazhuang.yaml").read_text("utf-8")
    less = parse_programme(text.replace("{2026: 5000000,", "{2026: 4000000,"), "own.yaml").programme
    (change,) = differences(example("shijiazhuang").programme, less)
    assert change.benefit == "grants.medical"
    assert [one.zh for one in change.after] == ["2026 年预算 4000000.00 元"]
