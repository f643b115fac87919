"""`membercard card consent`, `rights-rule`: changes of issued chips that two people order.

These commands belong to the group of ``membercard.commands.counter.card``.
"""

from __future__ import annotations

from typing import Annotated

import typer

from membercard import language, output, settings
from membercard.commands.counter.card_updates import app, second_person
from membercard.commands.counter.card_values import kind_word
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity

__all__ = ["app"]


@app.command("consent")
def consent(
    numbers: Annotated[list[int], typer.Argument(help="The numbers of the changes.", min=1, show_default=False)],
    by: By = None,
) -> None:
    """Consent to changes that two people order, as the second person, to all of them or to none; each runs at the next
    insertion of its card.

    Example: membercard card consent 7 8 9 --by 李娜
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_APPROVE, in_person=True)
        consented = registry.updates.consent_all(numbers, by=person)
    for one in consented:
        output.say("card {card}: {changes} at its next insertion", card=one.card_number, changes=kind_word(one.kind))
    identity.note_unproven(person)


@app.command("rights-rule")
def rights_rule(
    two_people: Annotated[
        bool | None,
        typer.Option("--two-people/--one-person", help="How many people order rights from now on.", show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)] = "",
    second: Annotated[
        str, typer.Option(help="The second person, with their own password; needed for --one-person.")
    ] = "",
    by: By = None,
    json: output.Json = False,
) -> None:
    """Show or set how many people order a member's rights on issued cards: validity, cover, category, entitlements.

    One person suffices unless the federation requires two. What was ordered before stays as it is.

    Example: membercard card rights-rule --two-people --reason "resolution of the federation" --by 李娜
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        if two_people is not None:
            person = identity.actor(registry, by, Permission.ROSTERS_APPROVE, in_person=True)
            other = second_person(second) if second else ""
            registry.rights.put(two_people, by=person, reason=reason, second=other)
            identity.note_unproven(person)
        rules = registry.rights.history()
    if json:
        output.as_json(rules)
        return
    if not rules:
        output.say("one person orders rights on cards")
        return
    rows = [
        (
            output.local_time(one.at),
            text("two people" if one.two_people else "one person"),
            language.person(one.by),
            language.person(one.second) if one.second else "",
            one.reason,
        )
        for one in rules
    ]
    output.show(output.table("Who orders rights on cards", ["since", "needed", "who", "second person", "reason"], rows))
