"""The covers of a programme as the registry draws up their lists: which term comes next, and when its list is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from programme.eligibility import CATEGORIES
from programme.errors import NotInProgramme
from programme.programme import Programme
from programme.sections.covers import Cover, CoverTerm
from registry.covers.values import CoverList, CoverListKind, CoverTerms
from terminal.member.elements import COVER_ENDS

_CARD_STATES = {
    "issued": ("verified", "packed", "delivered", "active", "suspended"),
    "delivered": ("delivered", "active", "suspended"),
    "active": ("active", "suspended"),
}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NextList:
    """The list that opens the next term of a cover, and the day on which it is due."""

    cover: str
    terms: CoverTerms
    due: date


def cover_of(programme: Programme, code: str) -> Cover:
    """Raises NotInProgramme."""
    if code not in programme.covers:
        listed = ", ".join(programme.covers) or "none"
        raise NotInProgramme(f"there is no cover {code} in the programme; it has {listed}")
    return programme.covers[code]


def next_list(programme: Programme, code: str, last: CoverList | None, today: date) -> NextList:
    """The list that opens the term after the last one, or the one that runs where none was opened or it has ended. A
    list that comes late takes effect today. Raises NotInProgramme."""
    cover = cover_of(programme, code)
    after = today if last is None else max(today, last.term_last + _DAY)
    term = cover.term_at(after) or cover.term(1)
    terms = _terms(code, cover, term, CoverListKind.OPENING, max(term.first, today))
    return NextList(code, terms, cover.list_due(term))


def supplement(programme: Programme, code: str, last: CoverList | None, today: date) -> CoverTerms:
    """A supplement to the term that runs, which takes effect tomorrow, or with the last list where that is later.
    Raises NotInProgramme."""
    cover = cover_of(programme, code)
    effective = today + _DAY if last is None else max(today + _DAY, last.effective)
    if last is not None and effective <= last.term_last:
        term = CoverTerm(last.number, last.term_first, last.term_last)
    else:
        term = cover.term_at(effective) or cover.term(1)
    return _terms(code, cover, term, CoverListKind.SUPPLEMENT, max(effective, term.first))


def _terms(code: str, cover: Cover, term: CoverTerm, kind: CoverListKind, effective: date) -> CoverTerms:
    return CoverTerms(
        cover=code,
        number=term.number,
        first=term.first,
        last=term.last,
        effective=effective,
        kind=kind,
        categories=tuple(sorted(CATEGORIES[name].value for name in cover.categories)),
        card_states=_CARD_STATES[cover.card],
        rules=cover.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        chip_value=COVER_ENDS.encode(term.last) if cover.on_card else None,
    )
