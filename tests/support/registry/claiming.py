"""Members who are covered, and kinds of claims: what tests of claims share."""

from __future__ import annotations

from datetime import date

from programme.programme import Programme, parse_programme
from programme.records.claim_rules import claim_terms
from programme.wording import Sentence
from registry.claims.values import ClaimFacts, ClaimTerms, FiledClaim, Heir
from registry.store import Registry
from tests.support.programmes import HEAD, ONE_PRODUCT
from tests.support.registry.covered import COVER

KINDS = """\
claims:
  death:
    name: {zh: 意外身故, en: Death by accident}
    cover: accident
    event: accident
    amount: 20000
    documents: [id-card]
    death: true
  disability:
    name: {zh: 意外伤残, en: Disability by accident}
    cover: accident
    event: accident
    table:
      grade-1: {name: {zh: 一级, en: Grade 1}, amount: 5000}
      grade-10: {name: {zh: 十级, en: Grade 10}, amount: 500}
    documents: [id-card]
    medical: true
  fire:
    name: {zh: 家庭火灾, en: Fire at home}
    percent: 10
    cap: 3000
    days: 60
    levels: [city]
"""
HEIR = Heir("李继承", "130102199001010014", "子", "6222020000000000017")


def claiming_programme() -> Programme:
    """A programme with a cover of the year 2026 and three kinds of claims."""
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    section = COVER % "months: 12"
    text = HEAD.replace("benefits:\n", f"{section}{KINDS}benefits:\n") + benefit
    return parse_programme(text, "own.yaml").programme


PROGRAMME = claiming_programme()


def kind_terms(kind: str, facts: ClaimFacts) -> ClaimTerms:
    terms = claim_terms(PROGRAMME, kind, facts)
    assert not isinstance(terms, Sentence), terms
    return terms


def filed(
    registry: Registry,
    member: int,
    kind: str,
    day: date,
    *,
    choice: str | None = None,
    loss: int | None = None,
    heir: Heir | None = None,
    by: str = "wang",
) -> FiledClaim:
    """A claim of that kind with every document there."""
    facts = ClaimFacts(day, "摔伤右手", choice, loss)
    one = registry.claims.file(member, kind_terms(kind, facts), facts, by=by, heir=heir)
    for document in one.missing:
        registry.claims.tick(one.number, document, by=by)
    return registry.claims.claim(one.number)


def reviewed(registry: Registry, number: int, *people: tuple[str, str]) -> FiledClaim:
    """The claim after each level (level, person) has approved."""
    for level, person in people:
        registry.claims.approve(number, level, by=person)
    return registry.claims.claim(number)


ALL_LEVELS = (("station", "li"), ("district", "zhao"), ("city", "qian"))
