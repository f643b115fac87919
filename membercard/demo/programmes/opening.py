"""How every year begins: the title of its report, and units whose members are collected and get cards."""

from __future__ import annotations

from collections.abc import Mapping

from membercard.demo.issuing import DemoIssuing
from membercard.demo.people import people
from membercard.demo.programmes.chapters import word
from membercard.demo.programmes.year import DemoYear
from membercard.language import text
from registry.members.identity import Caller, CallerKind, Question
from registry.values import Card

_APART = 100
"""Numbers of people between two units."""


def titled(year: DemoYear) -> None:
    """Give the report its title."""
    year.report.title = text("{name}: the year {year}", name=word(year.programme.name), year=year.clock.year)
    year.report.subtitle = text(
        "{federation}, a scripted year on virtual cards", federation=word(year.programme.federation.name)
    )


def issued(year: DemoYear, units: Mapping[str, int], first: int = 0, issuing: DemoIssuing | None = None) -> list[Card]:
    """Cards for so many members of each unit, made from the forms that the units hand in. People have numbers of their
    own from ``first`` on."""
    cards: list[Card] = []
    for place, (unit, count) in enumerate(units.items(), start=first):
        batch = year.collect(unit, people(year.some(count), 1 + _APART * place))
        cards += year.issue(batch, issuing)
    return cards


def lose(year: DemoYear, card: Card, hotline: str) -> None:
    """The member of a card calls the hotline; the card is listed at once."""
    member = year.registry.members.unmask(card.member_id, by="话务员", reason="核对来电")
    answers = {
        Question.NAME: member.name,
        Question.ID_END: member.id_number[-4:],
        Question.MOBILE_END: member.mobile[-4:],
    }
    caller = Caller(CallerKind.MEMBER, answers)
    year.registry.losses.report(card.card_number, by="话务员", reason="本人来电挂失", place=hotline, caller=caller)
