"""The grants of a programme as lists of them are taken in."""

from __future__ import annotations

from programme.eligibility import CATEGORIES
from programme.errors import NotInProgramme
from programme.programme import Programme
from programme.sections.grants import GrantKind
from registry.aid.values import AidTerms


def grant_kind(programme: Programme, code: str) -> GrantKind:
    """Raises NotInProgramme."""
    if code not in programme.grants:
        listed = ", ".join(programme.grants) or "none"
        raise NotInProgramme(f"there is no grant {code} in the programme; it has {listed}")
    return programme.grants[code]


def aid_terms(programme: Programme, code: str, year: int) -> AidTerms:
    """A kind of grant for lists of a year. Raises NotInProgramme."""
    kind = grant_kind(programme, code)
    table: dict[str, tuple[str, int]] = {}
    for choice, row in kind.table.items():
        table |= {written: (choice, row.amount) for written in (choice, row.name.zh, row.name.en) if written}
    return AidTerms(
        kind=code,
        year=year,
        amount=kind.amount,
        table=table,
        most=kind.most,
        once=kind.once,
        budget=budget_of(programme, code, year),
        categories=None if kind.categories is None else tuple(CATEGORIES[name].value for name in kind.categories),
        purpose=kind.name.zh,
        rules=kind.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    )


def budget_of(programme: Programme, code: str, year: int) -> int | None:
    """The budget of a year in fen: none without a bound, 0 where the file has one for other years. Raises
    NotInProgramme."""
    budget = grant_kind(programme, code).budget
    return None if budget is None else budget.get(year, 0)
