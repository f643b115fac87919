"""What a kind of claim pays for what happened, at the edges of each rule."""

from __future__ import annotations

from datetime import date

import pytest

from programme.errors import NotInProgramme
from programme.records.claim_rules import claim_amount, claim_terms
from programme.sections.claims import ClaimKind
from programme.wording import Sentence
from registry.claims.values import ClaimFacts
from tests.support.registry.claiming import PROGRAMME

DAY = date(2026, 5, 1)


def kind(**fields: object) -> ClaimKind:
    return ClaimKind.model_validate({"name": {"zh": "理赔", "en": "Claim"}, **fields})


@pytest.mark.parametrize(
    ("loss", "amount"),
    [(10, 1), (5, 1), (4, None), (0, None), (2_999_995, 300_000), (2_999_994, 299_999), (99_999_999, 300_000)],
)
def test_a_percent_of_a_loss_ends_at_its_cap(loss: int, amount: int | None) -> None:
    paid = claim_amount(kind(percent=10, cap=3000), ClaimFacts(DAY, loss=loss))
    assert (None if isinstance(paid, Sentence) else paid) == amount


def test_a_table_needs_a_row_that_it_has() -> None:
    table = kind(table={"grade-1": {"name": {"zh": "一级", "en": "Grade 1"}, "amount": 5000}})
    assert claim_amount(table, ClaimFacts(DAY, choice="grade-1")) == 500_000
    for facts in (ClaimFacts(DAY), ClaimFacts(DAY, choice="grade-2"), ClaimFacts(DAY, choice="grade-1", loss=1)):
        assert isinstance(claim_amount(table, facts), Sentence)


def test_a_fixed_amount_depends_on_nothing() -> None:
    assert claim_amount(kind(amount=5000), ClaimFacts(DAY)) == 500_000
    for facts in (ClaimFacts(DAY, choice="grade-1"), ClaimFacts(DAY, loss=1)):
        assert isinstance(claim_amount(kind(amount=5000), facts), Sentence)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "one of amount, percent and table"),
        ({"amount": 1, "percent": 10, "cap": 1}, "one of amount, percent and table"),
        ({"percent": 10}, "has a cap"),
        ({"percent": 101, "cap": 1}, "at most 100"),
        ({"amount": 1, "cap": 1}, "a cap is that of a percent"),
        ({"amount": 1, "levels": ["city", "station"]}, "in this order"),
        ({"amount": 1, "levels": ["city", "city"]}, "in this order"),
        ({"amount": 1, "documents": ["id-card", "id-card"]}, "listed twice"),
    ],
)
def test_a_kind_that_decides_nothing_is_refused(fields: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        kind(**fields)


def test_terms_are_those_of_the_file() -> None:
    terms = claim_terms(PROGRAMME, "disability", ClaimFacts(DAY, choice="grade-10"))
    assert not isinstance(terms, Sentence)
    assert (terms.event, terms.amount, terms.cover, terms.documents, terms.medical, terms.purpose) == (
        "accident",
        50_000,
        "accident",
        ("id-card",),
        True,
        "理赔",
    )
    with pytest.raises(NotInProgramme, match="no kind of claim flood in the programme; it has death, disability, fire"):
        claim_terms(PROGRAMME, "flood", ClaimFacts(DAY))
