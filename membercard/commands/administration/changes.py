"""Changes of merchants that move money: `membercard merchant changes`, `approve`, `refuse` and `cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity

if TYPE_CHECKING:
    from registry.programme.changes import MerchantChange

app = typer.Typer()

Number = Annotated[int, typer.Argument(help="The number of the merchant's change.", min=1, show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]
_KINDS = {
    "account": "another account",
    "contract": "another contract",
    "end": "the contract ends",
    "resume": "the merchant goes on",
    "outlet-close": "an outlet closes",
    "outlet-open": "a closed outlet opens again",
    "rate": "rate",
}
_FACTS = {
    "from": "contract from",
    "until": "contract until",
    "benefits": "benefits",
    "outlet": "outlet",
    "name": "outlet name",
    "terminals": "terminals",
    "benefit": "benefit",
    "valid_from": "from",
    "per_unit": "per unit",
    "share": "share",
}
_STATES = {
    "waiting": "to be approved",
    "approved": "approved by a second person",
    "refused": "refused by a second person",
    "cancelled": "given up",
    "replaced": "replaced by a later request",
}


@app.command("changes")
def changes(
    every_state: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
    merchant: Annotated[str | None, typer.Option(help="Only those of this merchant.", show_default=False)] = None,
    json: output.Json = False,
) -> None:
    """List changes of merchants that move money and wait for a second person."""
    from registry.programme.changes import ChangeState

    state = None if every_state else ChangeState.WAITING
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.merchant_changes.page(cursor, 500, state=state, merchant=merchant))
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say("no change of a merchant waits")
        return
    rows = [
        (
            one.number,
            one.merchant,
            text(_KINDS[one.kind]),
            _content(one),
            text(_STATES[one.state]),
            language.person(one.by),
            output.local_time(one.at),
            one.reason,
        )
        for one in listed
    ]
    heads = ["change number", "merchant", "what", "content", "state", "who", "time", "reason"]
    output.show(output.table("Changes of merchants", heads, rows))


@app.command("approve")
def approve(number: Number, by: By = None) -> None:
    """Approve a change that another person requested; it is in force then.

    Example: membercard merchant approve 4 --by "Wang Fang"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MERCHANTS_APPROVE, in_person=True)
        registry.merchant_changes.approve(number, by=person)
    output.say("change {number} is in force", number=number)
    identity.note_unproven(person)


@app.command("refuse")
def refuse(number: Number, reason: Reason, by: By = None) -> None:
    """Refuse a change that another person requested."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MERCHANTS_APPROVE, in_person=True)
        registry.merchant_changes.refuse(number, by=person, reason=reason)
    output.say("change {number} is refused", number=number)
    identity.note_unproven(person)


@app.command("cancel")
def cancel(number: Number, reason: Reason, by: By = None) -> None:
    """Give up a change that waits."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MERCHANTS_CHANGE)
        registry.merchant_changes.cancel(number, by=person, reason=reason)
    output.say("change {number} is cancelled", number=number)
    identity.note_unproven(person)


@app.command("end")
def end(
    merchant: Annotated[str, typer.Argument(help="The merchant identifier (tag 9F16).", show_default=False)],
    reason: Reason,
    by: By = None,
) -> None:
    """Request that a merchant ends; its contract ends on the day on which a second person approves.

    Example: membercard merchant end PARK-EAST --reason "moved away"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MERCHANTS_CHANGE)
        change = registry.merchants.end(merchant, by=person, reason=reason)
    say_next(change)
    identity.note_unproven(person)


@app.command("close-outlet")
def close_outlet(
    outlet: Annotated[int, typer.Argument(help="The number of the outlet, as show prints it.", min=1)],
    reason: Reason,
    by: By = None,
) -> None:
    """Request that an outlet closes and its terminals retire, on the day on which a second person approves.

    Example: membercard merchant close-outlet 3 --reason "rebuilt"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MERCHANTS_CHANGE)
        change = registry.merchants.close_outlet(outlet, by=person, reason=reason)
    say_next(change)
    identity.note_unproven(person)


def say_next(change: MerchantChange) -> None:
    """Who is to do what with a change that was requested."""
    output.say(
        "change {number} waits for a second person: membercard merchant approve {number} --by NAME",
        number=change.number,
    )


def _content(change: MerchantChange) -> str:
    if change.account:
        return f"{change.facts['was'] or '–'} → {change.account}"
    shown = [(text(_FACTS[name]), value) for name, value in change.facts.items() if not name.startswith("was_")]
    return ", ".join(f"{name} {value}" for name, value in shown)
