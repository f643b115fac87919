"""`membercard amendment`: a member's new name or mobile number, requested by one person and decided by a second."""

from __future__ import annotations

from typing import Annotated

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity

app = typer.Typer()

_STATES = {
    "waiting": "waits for a decision",
    "approved": "amended",
    "refused": "not approved",
    "cancelled": "cancelled",
}

Number = Annotated[int, typer.Argument(help="The number of the amendment.", min=1, show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]


@app.command("request")
def request(
    member: Annotated[str, typer.Argument(help="The member number, 12 digits.", show_default=False)],
    reason: Reason,
    name: Annotated[str, typer.Option(help="The new name.", show_default=False)] = "",
    mobile: Annotated[str, typer.Option(help="The new mobile number.", show_default=False)] = "",
    new_card: Annotated[
        bool, typer.Option("--new-card", help="Withdraw the card with the approval, and make a new one.")
    ] = False,
    by: By = None,
) -> None:
    """Request an amendment of a member's name or mobile number; a second person decides.

    Name and number on a chip cannot be rewritten: a new name takes a new card.

    Example: membercard amendment request 130000000001 --name 司马相如 --new-card --reason "deed poll seen"
    """
    from reader_service.principal import Permission
    from reader_service.services.window.amendments import checked_data
    from registry.errors import NotOnRecord

    new = checked_data(name, mobile)
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        matches = registry.members.find(member).items
        if len(matches) != 1 or matches[0].member_number != member:
            raise NotOnRecord(f"there is no member with the number {member}", reason="member", member=member)
        done = registry.amendments.request(matches[0].member_id, new, by=person, reason=reason, new_card=new_card)
    output.say(
        "amendment {number} waits for a second person: membercard amendment approve {number} --by NAME",
        number=done.number,
    )
    identity.note_unproven(person)


@app.command("list")
def show_all(
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for a decision.")] = False,
    json: output.Json = False,
) -> None:
    """List amendments, newest first; personal data are masked."""
    from registry.members.amendments import AmendmentState

    state = AmendmentState.WAITING if waiting else None
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.amendments.page(cursor, 500, state=state))
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say("no amendment was requested")
        return
    rows = [
        (
            one.number,
            output.local_time(one.at),
            one.member_number,
            f"{one.name_now} → {one.name_after}" if "name" in one.fields else one.name_now,
            f"{one.mobile_now} → {one.mobile_after}" if "mobile" in one.fields else one.mobile_now,
            text(_STATES[one.state.value]),
            language.person(one.by),
        )
        for one in listed
    ]
    columns = ["number", "time", "member number", "name", "mobile number", "state", "who"]
    output.show(output.table("Amended data", columns, rows))


@app.command("approve")
def approve(number: Number, by: By = None) -> None:
    """Approve an amendment: the record changes, and the card is replaced where that was requested.

    Example: membercard amendment approve 5 --by "Wang Fang"
    """
    from membercard.wiring.profile import profile_in_use
    from reader_service.principal import Permission

    profile = profile_in_use()
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_APPROVE, in_person=True)
        done = registry.amendments.approve(
            number, by=person, scheme=profile.scheme, member_prefix=profile.member_prefix
        )
    output.say("amendment {number}: the data are amended", number=number)
    if done.batch is not None:
        output.say("the new card is made of batch {batch}. Next: membercard batch prepare {batch}", batch=done.batch)
    identity.note_unproven(person)


@app.command("refuse")
def refuse(number: Number, reason: Reason, by: By = None) -> None:
    """Refuse an amendment; nothing changes."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_APPROVE, in_person=True)
        registry.amendments.refuse(number, by=person, reason=reason)
    output.say("amendment {number}: refused", number=number)
    identity.note_unproven(person)


@app.command("cancel")
def cancel(number: Number, reason: Reason, by: By = None) -> None:
    """Cancel an amendment that waits; nothing changes."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        registry.amendments.cancel(number, by=person, reason=reason)
    output.say("amendment {number}: cancelled", number=number)
    identity.note_unproven(person)
