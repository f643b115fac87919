"""Terms of covers by date: which list comes next, when it is due, and from when it holds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from programme.errors import NotInProgramme, ProgrammeFileError
from programme.records.cover_terms import next_list, supplement
from programme.sections.covers import Cover
from registry.covers.values import CoverList, CoverListKind, CoverListState
from tests.support.registry.covered import covering_programme

PROGRAMME = covering_programme()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def cover(**fields: object) -> Cover:
    return Cover.model_validate({"name": {"zh": "保障", "en": "Cover"}, "first": date(2026, 1, 31), **fields})


def last_list(first: date, last: date, effective: date) -> CoverList:
    counts = (0, 1, 0, 1, "0" * 64)
    signatures = (NOW, "zhang", NOW, "li", None, None, None, None, "")
    return CoverList(
        1,
        "accident",
        CoverListKind.OPENING,
        1,
        first,
        last,
        effective,
        NOW,
        "z",
        {},
        CoverListState.RELEASED,
        *counts,
        *signatures,
    )


def test_terms_follow_each_other_without_a_gap() -> None:
    months = cover(months=1)
    terms = [months.term(number) for number in range(1, 15)]
    assert [str(term.first) for term in terms[:4]] == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]
    for one, following in pairwise(terms):
        assert (following.first - one.last).days == 1
    assert cover().term(2).first == date(2027, 1, 31)


@pytest.mark.parametrize("months", [1, 5, 12])
def test_every_day_lies_in_one_term(months: int) -> None:
    this = cover(months=months)
    assert this.term_at(date(2026, 1, 30)) is None
    for ordinal in range(date(2026, 1, 31).toordinal(), date(2029, 6, 1).toordinal()):
        day = date.fromordinal(ordinal)
        term = this.term_at(day)
        assert term is not None
        assert term.first <= day <= term.last


def test_a_list_is_due_fifteen_days_before_its_term() -> None:
    assert cover().list_due(cover().term(1)) == date(2026, 1, 16)
    assert cover(list_days=0).list_due(cover().term(1)) == date(2026, 1, 31)
    last = last_list(date(2026, 1, 1), date(2026, 12, 31), date(2026, 1, 1))
    following = next_list(PROGRAMME, "accident", last, date(2026, 5, 1))
    assert (following.terms.first, following.terms.effective) == (date(2027, 1, 1), date(2027, 1, 1))
    assert following.due == date(2026, 12, 17)


def test_a_list_that_is_late_takes_effect_today() -> None:
    first = next_list(PROGRAMME, "accident", None, date(2026, 3, 4))
    assert (first.terms.first, first.terms.effective) == (date(2026, 1, 1), date(2026, 3, 4))
    before = next_list(PROGRAMME, "accident", None, date(2025, 12, 20))
    assert (before.terms.first, before.terms.effective) == (date(2026, 1, 1), date(2026, 1, 1))
    skipped = last_list(date(2026, 1, 1), date(2026, 12, 31), date(2026, 1, 1))
    late = next_list(PROGRAMME, "accident", skipped, date(2028, 2, 1))
    assert (late.terms.number, late.terms.effective) == (3, date(2028, 2, 1))


def test_a_supplement_takes_effect_tomorrow_in_the_term_that_runs() -> None:
    last = last_list(date(2026, 1, 1), date(2026, 12, 31), date(2026, 1, 1))
    terms = supplement(PROGRAMME, "accident", last, date(2026, 12, 30))
    assert (terms.kind, terms.first, terms.effective) == (
        CoverListKind.SUPPLEMENT,
        date(2026, 1, 1),
        date(2026, 12, 31),
    )
    assert supplement(PROGRAMME, "accident", last, date(2026, 12, 31)).first == date(2027, 1, 1)
    early = last_list(date(2027, 1, 1), date(2027, 12, 31), date(2027, 1, 1))
    assert supplement(PROGRAMME, "accident", early, date(2026, 12, 20)).effective == date(2027, 1, 1)


def test_what_the_registry_needs_comes_from_the_file() -> None:
    terms = next_list(PROGRAMME, "accident", None, date(2026, 1, 1)).terms
    assert (terms.categories, terms.chip_value) == ((0, 2, 3, 4), bytes.fromhex("261231"))
    assert terms.card_states == ("verified", "packed", "delivered", "active", "suspended")
    active = next_list(covering_programme("card: active"), "accident", None, date(2026, 1, 1)).terms
    assert (active.card_states, active.chip_value) == (("active", "suspended"), None)
    with pytest.raises(NotInProgramme, match="no cover fire in the programme; it has accident"):
        next_list(PROGRAMME, "fire", None, date(2026, 1, 1))


def test_chips_have_the_last_day_of_one_cover() -> None:
    fire = "fire: {name: {zh: 火灾, en: Fire}, first: 2026-01-01, on_card: true}"
    with pytest.raises(ProgrammeFileError, match="covers accident, fire are on_card"):
        covering_programme(f"on_card: true\n  {fire}")
