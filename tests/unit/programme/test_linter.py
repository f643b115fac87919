"""The linter: each finding with its place, and none in a sound file."""

from __future__ import annotations

import pytest

from programme.linter import findings, placed
from programme.programme import Programme, example, examples, parse_programme
from tests.support.programmes import HEAD, ONE_PRODUCT, programme_file

CARD = 'counted: card\nclass: "0101"\n'


def lint(benefit: str, head: str = HEAD) -> list[tuple[str, str]]:
    """Fields and English sentences of the findings."""
    return [(row.field.removeprefix("benefits.benefit."), row.text.en) for row in placed(programme_file(benefit, head))]


@pytest.mark.parametrize("name", examples())
def test_the_examples_have_no_finding(name: str) -> None:
    assert placed(example(name)) == []


def test_a_finding_has_its_line() -> None:
    (row,) = placed(programme_file("counted: none\nlimits:\n  - {count: 1, per: day}\n" + ONE_PRODUCT))
    assert (row.file, row.line, row.field) == ("own.yaml", 14, "benefits.benefit.limits.0")
    assert row.text.zh == "须由工会计数（counted: office）"


@pytest.mark.parametrize(
    ("benefit", "field", "sentence"),
    [
        # translations
        (
            "counted: none\nproducts: {one: {name: {zh: 一}, price: {fixed: 1}}}",
            "products.one.name.en",
            "the English text is missing",
        ),
        (
            "counted: none\nproducts: {one: {name: {en: One}, price: {fixed: 1}}}",
            "products.one.name.zh",
            "the Chinese text is missing",
        ),
        (
            "counted: none\nproducts: {one: {name: {zh: 一, en: 一}, price: {fixed: 1}}}",
            "products.one.name.en",
            "the English text is missing",
        ),
        (
            "counted: none\nquestions: {a: {zh: ' ', en: a}}\n" + ONE_PRODUCT,
            "questions.a.zh",
            "the Chinese text is missing",
        ),
        # windows and days
        (
            "counted: none\nsold: [{from: 12-15, through: 01-15}, {from: 01-15, through: 02-01}]\n" + ONE_PRODUCT,
            "sold.1",
            "overlaps another window of sale",
        ),
        (
            "counted: none\nsold: [{from: 12-15, through: 01-15}, {from: 2027-01-01, through: 2027-01-02}]\n"
            + ONE_PRODUCT,
            "sold.1",
            "overlaps another window of sale",
        ),
        (
            "counted: none\nsold: [{from: 2026-02-01, through: 2026-01-01}]\n" + ONE_PRODUCT,
            "sold.0",
            "it ends before it begins",
        ),
        (
            "counted: none\nsold: [{from: 2019-02-01, through: 2019-03-01}]\n" + ONE_PRODUCT,
            "sold.0",
            "these days never come while the programme is valid",
        ),
        (
            "counted: none\nsold: [{from: 02-29, through: 03-01}]\n" + ONE_PRODUCT,
            "sold.0.from",
            "29 February does not come in most years; name another day",
        ),
        (
            "counted: office\nstock: {a: {name: {zh: 甲, en: A}, units: 1, days: {from: 2040-01-01, "
            "through: 2040-02-01}}}\n" + ONE_PRODUCT,
            "stock.a.days",
            "these days never come while the programme is valid",
        ),
        # phases
        (
            "counted: office\nphases: [{product: one}, {product: one, uses: 1}]\n" + ONE_PRODUCT,
            "phases.1",
            "no member reaches this step: one before it never ends",
        ),
        (
            "counted: office\nlimits: [{count: 2, per: lifetime}]\nphases: [{product: one, uses: 3}, {product: one}]\n"
            + ONE_PRODUCT,
            "phases.1",
            "no member reaches this step: one before it never ends",
        ),
        (
            "counted: office\nproducts: {one: {name: {zh: 一, en: One}, price: {fixed: 1}, after: one}}",
            "products.one.after",
            "each of these products comes after the other, so that none ever comes",
        ),
        # the chip
        (CARD + ONE_PRODUCT, "limits", "a benefit that the card counts needs a limit"),
        (CARD + "limits: [{count: 256, per: day}]\n" + ONE_PRODUCT, "limits.0.count", "a card counts 255 at most"),
        (
            CARD + "limits: [{count: 1, per: day}, {count: 5, per: year}]\n" + ONE_PRODUCT,
            "limits.1",
            "the card holds one limit a class",
        ),
        (
            CARD + "limits: [{count: 1, per: day, products: [one]}]\n" + ONE_PRODUCT,
            "limits.0.products",
            "the card counts the class, not some of its products",
        ),
        (
            CARD + "limits: [{count: 1, per: month, starts: 01-29}]\n" + ONE_PRODUCT,
            "limits.0.starts",
            "a period on the card begins on day 28 of a month at the latest",
        ),
        (
            CARD + "sold: [{from: 01-31, through: 03-01}]\nlimits: [{count: 1, per: season}]\n" + ONE_PRODUCT,
            "sold.0.from",
            "a period on the card begins on day 28 of a month at the latest",
        ),
        (
            CARD
            + "sold: [{from: 01-01, through: 02-01}, {from: 06-01, through: 07-01}]\n"
            + "limits: [{count: 1, per: season}]\n"
            + ONE_PRODUCT,
            "limits.0.per",
            "a card counts the season of one window that comes every year",
        ),
        (
            CARD + "limits: [{count: 1, per: day}]\nphases: [{product: one}]\n" + ONE_PRODUCT,
            "phases",
            "only the office can count this (counted: office)",
        ),
        (
            "counted: none\nproducts: {one: {name: {zh: 一, en: One}, price: {percent: 50, cap: {month: 5}}}}",
            "products.one.price.cap.month",
            "only the office can count this (counted: office)",
        ),
        (
            "counted: none\nstock: {a: {name: {zh: 甲, en: A}, units: 1}}\n" + ONE_PRODUCT,
            "stock",
            "only the office can count this (counted: office)",
        ),
        # prices
        (
            "counted: none\nproducts: {one: {name: {zh: 一, en: One}, price: {percent: 101}}}",
            "products.one.price.percent",
            "more than the list price",
        ),
        (
            "counted: none\nproducts: {one: {name: {zh: 一, en: One}, price: {list: 5, fixed: 6}}}",
            "products.one.price.fixed",
            "more than the list price",
        ),
        (
            "counted: none\nproducts: {one: {name: {zh: 一, en: One}, price: {off: 20, from: 19.99}}}",
            "products.one.price.off",
            "more is taken off than the purchase: a price below zero",
        ),
        # conditions
        (
            "counted: none\neligibility: {units: []}\n" + ONE_PRODUCT,
            "eligibility.units",
            "no member fulfils this condition",
        ),
        (
            "counted: none\neligibility: {age: {from: 19, through: 18}}\n" + ONE_PRODUCT,
            "eligibility.age",
            "no member fulfils this condition",
        ),
        (
            'counted: none\neligibility: {districts: ["130102"]}\n' + ONE_PRODUCT,
            "eligibility.districts",
            "no member fulfils this condition",
        ),
        (
            'counted: none\neligibility: {federations: ["130000"]}\n' + ONE_PRODUCT,
            "eligibility.federations",
            "no member fulfils this condition",
        ),
    ],
)
def test_each_fault_is_one_finding_at_its_place(benefit: str, field: str, sentence: str) -> None:
    assert lint(benefit) == [(field, sentence)]


@pytest.mark.parametrize(
    "benefit",
    [
        "counted: none\nlimits: [{count: 2, per: event}]\n" + ONE_PRODUCT,
        CARD + "limits: [{count: 2, per: event}, {count: 255, per: lifetime}]\n" + ONE_PRODUCT,
        CARD + "limits: [{count: 1, per: year, starts: 12-28}]\n" + ONE_PRODUCT,
        CARD + "sold: [{from: 12-15, through: 01-15}]\nlimits: [{count: 1, per: season}]\n" + ONE_PRODUCT,
        'counted: none\nsold: [{from: 03-01, through: 03-31, hours: {from: "08:00", through: "12:00"}}, '
        '{from: 03-01, through: 03-31, hours: {from: "13:00", through: "17:00"}}]\n' + ONE_PRODUCT,
        "counted: none\nproducts: {one: {name: {zh: 一, en: One}, price: {off: 20, from: 20}}}",
    ],
)
def test_what_is_sound_has_no_finding(benefit: str) -> None:
    assert lint(benefit) == []


@pytest.mark.parametrize(
    ("common", "own", "field"),
    [
        ("{categories: [in-post]}", "{categories: [retired]}", "categories"),
        ("{units: [a]}", "{units: [b]}", "units"),
        ('{districts: ["110105"]}', '{districts: ["110101"]}', "districts"),
        ("{age: {from: 60}}", "{age: {through: 59}}", "age"),
        ("{children: {through: 6}}", "{children: {from: 7}}", "children"),
    ],
)
def test_conditions_of_programme_and_benefit_that_exclude_each_other(common: str, own: str, field: str) -> None:
    head = HEAD.replace("benefits:", f"eligibility: {common}\nbenefits:")
    assert lint(f"counted: none\neligibility: {own}\n" + ONE_PRODUCT, head) == [
        (f"eligibility.{field}", "no member fulfils this condition")
    ]


def test_a_programme_that_ends_before_it_begins() -> None:
    head = HEAD.replace("through: 2039-12-31", "through: 2019-12-31")
    assert lint("counted: none\n" + ONE_PRODUCT, head) == [("valid", "it ends before it begins")]


def many(classes: list[str]) -> Programme:
    benefits = "".join(
        f"  b{n}:\n    name: {{zh: 权益, en: B}}\n    merchants: [shop]\n    counted: card\n    class: '{code}'\n"
        f"    limits: [{{count: 1, per: day}}]\n    {ONE_PRODUCT}"
        for n, code in enumerate(classes)
    )
    return parse_programme(HEAD + benefits, "own.yaml").programme


def test_a_class_is_one_benefit_and_a_card_has_room_for_thirty() -> None:
    (double,) = findings(many(["0101", "0102", "0101"]))
    assert (double.location, double.text.en) == (("benefits", "b2", "class"), "benefit b0 has this class already")
    assert findings(many([f"{n:04d}" for n in range(30)])) == []
    (too_many,) = findings(many([f"{n:04d}" for n in range(31)]))
    assert too_many.text.zh == "卡上最多 30 个类别"
