"""Programme files: what is accepted, how faults are reported, and that what is written is read again."""

from __future__ import annotations

import json
from datetime import date, time
from pathlib import Path

import pytest

from programme.dates import MonthDay
from programme.errors import ProgrammeFileError
from programme.explained import explained
from programme.programme import Programme, example, examples, load_programme, parse_programme
from tests.support.programmes import HEAD, ONE_PRODUCT, offer_of, programme_file

BODY = "counted: none\n" + ONE_PRODUCT


def faults(benefit: str, head: str = HEAD) -> list[str]:
    with pytest.raises(ProgrammeFileError) as caught:
        programme_file(benefit, head)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("benefit", "line", "field", "message"),
    [
        (
            "counted: paper\n" + ONE_PRODUCT,
            12,
            "benefits.benefit.counted",
            "Input should be 'card', 'office' or 'none'",
        ),
        ("counted: card\n" + ONE_PRODUCT, 9, "benefits.benefit", "has a class, and no other has one"),
        ('counted: none\nclass: "0101"\n' + ONE_PRODUCT, 9, "benefits.benefit", "and no other has one"),
        ("counted: none\nlimits: [{count: 0, per: day}]\n" + ONE_PRODUCT, 13, "benefits.benefit.limits.0.count", "1"),
        (
            "counted: none\nlimits: [{count: 1, per: week}]\n" + ONE_PRODUCT,
            13,
            "benefits.benefit.limits.0.per",
            "'day', 'month', 'quarter'",
        ),
        (
            "counted: none\nlimits: [{count: 1, per: season}]\n" + ONE_PRODUCT,
            9,
            "benefits.benefit",
            "needs the seasons",
        ),
        (
            "counted: none\nlimits: [{count: 1, per: event, products: [x]}]\n" + ONE_PRODUCT,
            9,
            "benefits.benefit",
            "limits names x, which this benefit does not have",
        ),
        ("counted: none\nphases: [{product: x}]\n" + ONE_PRODUCT, 9, "benefits.benefit", "phases names x"),
        (
            "counted: none\nsold: [{from: 12-15, through: 02-30}]\n" + ONE_PRODUCT,
            13,
            "benefits.benefit.sold.0.through",
            "write a day as 2026-12-15, or as 12-15 for every year",
        ),
        (
            "counted: none\nsold: [{from: 12-15, through: 2026-12-31}]\n" + ONE_PRODUCT,
            13,
            "benefits.benefit.sold.0",
            "both days with the year, or both without",
        ),
        (
            'counted: none\nsold: [{from: 12-15, through: 01-15, hours: {from: "16:30", through: "08:30"}}]\n'
            + ONE_PRODUCT,
            13,
            "benefits.benefit.sold.0.hours",
            "hours end after they begin",
        ),
        (
            "counted: none\nsold: [{from: 12-15, through: 01-15, hours: {from: noon, through: '13:00'}}]\n"
            + ONE_PRODUCT,
            13,
            "benefits.benefit.sold.0.hours.from",
            "hours and minutes",
        ),
        ("counted: none\nshow: [passport]\n" + ONE_PRODUCT, 1, "file", "names passport, which is not among documents"),
        (
            "counted: none\neligibility: {hardship: false}\n" + ONE_PRODUCT,
            13,
            "benefits.benefit.eligibility.hardship",
            "",
        ),
        (
            "counted: none\nsold: [{from: W52-7, through: 01-15}]\n" + ONE_PRODUCT,
            13,
            "benefits.benefit.sold.0.from",
            "write a day as",
        ),
        (
            "counted: none\nsold: [{from: 2026-W01-1, through: 2026-02-01}]\n" + ONE_PRODUCT,
            13,
            "benefits.benefit.sold.0.from",
            "write a day as",
        ),
        (
            "counted: none\nsold: [{from: 12-15, through: 01-15, hours: {from: 12-31, through: '13:00'}}]\n"
            + ONE_PRODUCT,
            13,
            "benefits.benefit.sold.0.hours.from",
            "hours and minutes",
        ),
        ("counted: none\npin: true\n" + ONE_PRODUCT, 9, "benefits.benefit", "only the card can ask for its PIN"),
        (
            "counted: none\nsold: [{from: 1999-12-31, through: 2026-01-01}]\n" + ONE_PRODUCT,
            13,
            "benefits.benefit.sold.0.from",
            "a day of the years 2000 to 2099",
        ),
        (
            "counted: none\ntext: {zh: " + "长" * 201 + ", en: long}\n" + ONE_PRODUCT,
            13,
            "benefits.benefit.text.zh",
            "200",
        ),
        ("counted: none\ncover: true\n" + ONE_PRODUCT, 13, "benefits.benefit.cover", "no such field"),
        ("counted: none\n", 9, "benefits.benefit.products", "this field is required"),
    ],
)
def test_faults_name_file_line_and_field(benefit: str, line: int, field: str, message: str) -> None:
    (fault, *_) = faults(benefit)
    assert fault.startswith(f"own.yaml:{line}: {field}: ")
    assert message in fault


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ("{percent: 80, fixed: 10}", "a price is one of percent, fixed or off"),
        ("{}", "a price is one of percent, fixed or off"),
        ("{percent: 80, from: 10}", "from is the threshold of off"),
        ("{percent: 80.125}", "at most two decimals"),
        ("{fixed: -1}", "not below zero"),
        ("{fixed: true}", "write a number"),
        ("{fixed: ten}", "write a number"),
        ("{fixed: .inf}", "write a number"),
        ("{fixed: .nan}", "write a number"),
        ("{fixed: '1e999999'}", "at most 10,000,000"),
        ("{fixed: '1e-999999'}", "at most two decimals"),
        ("{fixed: 10000001}", "at most 10,000,000"),
        ("{fixed: 10, cap: {month: 50}}", "a cap on what a member saves needs the list price"),
        ("{percent: 80, cap: {}}", "a cap is one of a use or of a month"),
        ("{list: 10, percent: 80, basis: {zh: 价, en: price}}", "basis names what the cashier enters"),
    ],
)
def test_faults_of_prices(price: str, message: str) -> None:
    listed = faults(f"counted: none\nproducts: {{one: {{name: {{zh: 一, en: One}}, price: {price}}}}}\n")
    assert any(message in fault for fault in listed), listed
    assert all(fault.startswith("own.yaml:13: benefits.benefit.products.one.price") for fault in listed)


@pytest.mark.parametrize("section", ["partners", "roster_forms"])
def test_a_reserved_section_is_refused_until_it_is_in_use(section: str) -> None:
    (fault,) = faults(BODY, HEAD.replace("benefits:", f"{section}: [{{a: 1}}]\nbenefits:"))
    assert fault == f"own.yaml:8: {section}: this section is not in use yet; leave it out"
    assert programme_file(BODY, HEAD.replace("benefits:", f"{section}:\nbenefits:"))


def test_a_format_of_a_later_version_is_refused() -> None:
    (fault,) = faults(BODY, HEAD.replace("format: 1", "format: 2"))
    assert fault.startswith("own.yaml:1: format: ")


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ("{a: {level: district, under: b, name: {zh: 甲, en: A}}}", "under b, which is not in the file"),
        (
            "{a: {level: city, name: {zh: 甲, en: A}}, b: {level: station, under: a, name: {zh: 乙, en: B}}}",
            "not one level above it",
        ),
        ("{a: {level: village, name: {zh: 甲, en: A}}}", "'city', 'district' or 'station'"),
    ],
)
def test_windows_have_three_levels(windows: str, message: str) -> None:
    head = HEAD.replace('division: "110000"', f'division: "110000", windows: {windows}')
    assert message in faults(BODY, head)[0]


def test_every_fault_is_reported_at_once() -> None:
    assert len(faults("counted: paper\nlimits: [{count: 0, per: week}]\n" + ONE_PRODUCT)) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"a: [", "not YAML"),
        (b"- 1", "mapping"),
        (b"a: &a b\nc: *a", "anchors and aliases"),
    ],
)
def test_files_that_are_no_programme(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    with pytest.raises(ProgrammeFileError, match=message):
        load_programme(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProgrammeFileError, match="cannot read the programme file"):
        load_programme(tmp_path / "none.yaml")


def test_amounts_days_and_hours_have_their_types() -> None:
    offer = offer_of(
        "counted: none\nsold: [{from: 12-15, through: 01-15, hours: {from: 08:30, through: 16:30}}]\n"
        "products: {one: {name: {zh: 一, en: One}, price: {list: 12.50, percent: 97.5}}}\n"
    )
    price, window = offer.benefit.products["one"].price, offer.benefit.sold[0]
    assert (price.list_price, price.percent) == (1250, 9750)
    assert (window.first, window.hours and window.hours.first) == (MonthDay(12, 15), time(8, 30))
    assert offer.valid.first == date(2020, 1, 1)


@pytest.mark.parametrize("name", examples())
def test_what_is_written_is_read_again(name: str) -> None:
    programme = example(name).programme
    again = Programme.from_json(json.loads(json.dumps(programme.to_json())))
    assert again == programme
    assert again.digest == programme.digest


def test_what_is_no_programme_of_this_version_is_refused() -> None:
    value = example("beijing").programme.to_json()
    for wrong in ({**value, "format": 2}, {**value, "covers": [1]}, {**value, "more": 1}, {}):
        with pytest.raises(ProgrammeFileError, match="no programme of this version"):
            Programme.from_json(wrong)


def test_the_digest_changes_with_a_value_and_not_with_the_layout() -> None:
    text = HEAD + "  b:\n    name: {zh: 权益, en: B}\n    merchants: [shop]\n    counted: none\n    " + ONE_PRODUCT
    digest = parse_programme(text, "a").programme.digest
    assert parse_programme("# note\n" + text, "b").programme.digest == digest
    assert parse_programme(text.replace("fixed: 10", "fixed: 11"), "c").programme.digest != digest


def test_each_rule_has_one_sentence_in_both_languages() -> None:
    for name in examples():
        for offer in example(name).programme.offers():
            for sentence in explained(offer):
                assert any("\u4e00" <= char <= "\u9fff" for char in sentence.zh), sentence
                assert not any("\u4e00" <= char <= "\u9fff" for char in sentence.en), sentence


def test_the_rules_of_the_park_pass_in_words() -> None:
    sentences = [str(sentence) for sentence in explained(example("beijing").programme.offer("park-pass"))]
    assert sentences[:2] == [
        "新办：原价 200.00 元的 50% / new pass: 50% of the list price of 200.00",
        "新办：会员自带市政交通一卡通的免收，否则另收材料费 3.00 元 / "
        "new pass: material fee of 3.00 added unless the member brings a transit card",
    ]
    assert "每年 12-15 至 01-15 办理，08:30—16:30 / sold from 12-15 through 01-15 every year, 08:30—16:30" in sentences
