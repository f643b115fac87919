"""`membercard waiting`: what waits for a second person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from membercard import output, settings
from membercard.language import person, text

if TYPE_CHECKING:
    from reader_service.principal import Principal
    from registry.store import Registry

KINDS = {
    "review": "review a roster",
    "correction": "correct a returned roster",
    "closing": "sign to close a batch",
    "consent": "consent to a token",
    "amendment": "decide on amended data",
    "chip": "consent to a change of a card",
    "unlisting": "unlist a card that was found",
    "finding": "accept a finding as the second person",
    "programme": "publish a programme",
    "merchant": "approve a change of a merchant",
    "statement": "sign a statement",
    "dispute": "decide a dispute",
}


def waiting(
    user: Annotated[
        str | None,
        typer.Option(
            "--for", help="Only what this user may sign, and what they wait for themselves.", show_default=False
        ),
    ] = None,
    json: output.Json = False,
) -> None:
    """List what waits for a second person: drafts to approve, batches to close, tokens to consent to.

    Example: membercard waiting --for wang.fang
    """
    from reader_service.services.administration.signatures import missing_signatures  # imports the service

    chosen = settings.load()
    with settings.open_registry() as registry:
        signatures = missing_signatures(registry, chosen.now(), _person(registry, user), unsent=True)
    if json:
        output.as_json(signatures)
        return
    if not signatures:
        output.say("nothing waits for a second person")
        return
    rows = [
        (
            text(KINDS[one.kind.value]),
            one.key,
            one.subject,
            person(one.by),
            output.local_time(one.at),
            text("somebody else signs" if one.own else ""),
        )
        for one in signatures
    ]
    columns = ["what", "batch or token", "unit or label", "who", "since", *([""] if user is not None else [])]
    output.show(output.table("Waiting for a second person", columns, [row[: len(columns)] for row in rows]))
    kinds = {one.kind.value for one in signatures if not one.own}
    if "review" in kinds:
        output.say("approve a draft with: membercard batch approve BATCH --by NAME")
    if "closing" in kinds:
        output.say("close a batch with: membercard batch close BATCH --by NAME --second NAME")
    if "amendment" in kinds:
        output.say("decide on amended data with: membercard amendment approve NUMBER --by NAME")
    if "chip" in kinds:
        output.say("consent to a change of a chip with: membercard card consent NUMBERS --by NAME")
    if "unlisting" in kinds:
        output.say("unlist a card with: membercard loss unlist NUMBER --reason REASON --by NAME")
    if "programme" in kinds:
        output.say("publish a programme with: membercard programme confirm NUMBER --by NAME")
    if "merchant" in kinds:
        output.say("approve a change of a merchant with: membercard merchant approve NUMBER --by NAME")
    if "statement" in kinds:
        output.say("sign a statement with: membercard settlement sign NUMBER DIGEST --by NAME")
    if "dispute" in kinds:
        output.say("decide a dispute with: membercard settlement decide NUMBER accepted|refused --by NAME")
    if "consent" in kinds:
        output.say("a second administrator consents to a token on the Users page")


def _person(registry: Registry, name: str | None) -> Principal:
    """The user of this name; without a name somebody who may sign everything and waits for nothing."""
    from reader_service.principal import Principal, Role

    if name is None:
        return Principal("", frozenset(Role))
    user = registry.users.user(name)
    return Principal(user.name, frozenset(Role(role) for role in user.roles))
