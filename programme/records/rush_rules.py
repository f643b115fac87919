"""The rushes of a programme as the registry announces them, and the conditions for their tickets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo

from programme.eligibility import Eligibility
from programme.errors import NotInProgramme
from programme.facts import Beneficiary
from programme.programme import Programme
from programme.sections.rush import TicketRush
from programme.sentences import reason
from registry.rush.values import Claimant, ClaimRefused, LotTerms, RushTerms, RushView
from terminal.member.values import Category


def rush_terms(programme: Programme, code: str, edition: int, zone: tzinfo) -> RushTerms:
    """A rush of an edition, to be announced; its times are those of the zone. Raises NotInProgramme."""
    if code not in programme.rush:
        listed = ", ".join(programme.rush) or "none"
        raise NotInProgramme(f"there is no rush {code} in the programme; it has {listed}")
    rush = programme.rush[code]
    common = programme.offer(next(iter(programme.benefits))).common
    conditions = [common, rush.eligibility]
    if rush.benefit is not None:
        conditions.append(programme.benefits[rush.benefit].eligibility)
    rules = {
        "rush": rush.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "conditions": [one.model_dump(mode="json", by_alias=True, exclude_defaults=True) for one in conditions],
        "federation": programme.federation.division,
    }
    return RushTerms(
        programme=programme.programme,
        code=code,
        edition=edition,
        rules=rules,
        opens=_aware(rush.opens, zone),
        closes=_aware(rush.closes, zone),
        returns=_aware(rush.returns or rush.closes, zone),
        price=rush.price,
        most=rush.limit,
        longest=rush.waiting,
        lots=tuple(LotTerms(name, lot.units, rush.limit_at(name)) for name, lot in rush.lots.items()),
    )


def section_of(view: RushView) -> TicketRush:
    """What the programme said of a rush when it was announced."""
    return TicketRush.model_validate(view.rules["rush"])


@dataclass(slots=True)
class ProgrammeRushRules:
    """Implements ``registry.rush.values.RushRules`` by the conditions that were announced with the rush."""

    _read: dict[int, tuple[str, tuple[Eligibility, ...]]] = field(default_factory=dict)

    def refusal(self, rush: RushView, member: Claimant, on: date) -> ClaimRefused | None:
        conditions = self._conditions(rush)
        asks_age = any(one.age is not None for one in conditions)
        person = Beneficiary(
            federation=rush.rules["federation"],
            category=Category(member.category),
            unit=member.unit,
            issued=member.issued,
            birth=member.birth() if asks_age else None,
        )
        return _first(conditions, person, on)

    def _conditions(self, rush: RushView) -> tuple[Eligibility, ...]:
        known = self._read.get(rush.number)
        if known is None or known[0] != rush.digest:
            read = tuple(Eligibility.model_validate_json(json.dumps(one)) for one in rush.rules["conditions"])
            known = self._read[rush.number] = rush.digest, read
        return known[1]


def _first(conditions: Iterable[Eligibility], person: Beneficiary, on: date) -> ClaimRefused | None:
    for one in conditions:
        ruling = one.refusal(person, on)
        if ruling is not None:
            why = reason(ruling)
            return ClaimRefused(str(ruling.code), why.zh, why.en)
    return None


def _aware(at: datetime, zone: tzinfo) -> datetime:
    return at.replace(tzinfo=zone)
