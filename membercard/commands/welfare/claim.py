"""`membercard claim`: claims (理赔), filed for one event, reviewed level by level, and paid once."""

from __future__ import annotations

import json as json_text
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from membercard.wiring.programme_edition import published_edition

if TYPE_CHECKING:
    from programme.programme import Programme
    from registry.claims.values import ClaimFacts, ClaimTerms, FiledClaim, Heir

app = typer.Typer()

Number = Annotated[int, typer.Argument(help="The number of the claim.", min=1, show_default=False)]
Kind = Annotated[str, typer.Argument(help="The kind of claim in the programme.", show_default=False)]
EventDay = Annotated[
    datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="The day of the event.", show_default=False)
]
Choice = Annotated[
    str, typer.Option(help="The row of the kind's table, such as a grade of disability.", show_default=False)
]
Loss = Annotated[str, typer.Option(help="What the loss comes to, in yuan.", show_default=False)]
Words = Annotated[
    Path | None,
    typer.Option(
        "--words", help="A text file that says what happened; its content is sealed.", exists=True, show_default=False
    ),
]
Level = Annotated[str, typer.Option(help="The level: station, district or city.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]
_STAGES = {
    "filed": "under review",
    "returned": "returned to its filer",
    "approved": "passed review",
    "refused": "turned down",
    "withdrawn": "taken back",
}
_DECISIONS = {
    "file": "filed",
    "file-again": "filed again",
    "approve": "passed review",
    "return": "returned to its filer",
    "refuse": "turned down",
    "withdraw": "taken back",
}


@app.command("kinds")
def kinds(json: output.Json = False) -> None:
    """List the kinds of claims of the programme: amounts, documents, deadlines and levels of review."""
    from programme.wording import percent_text, yuan

    with settings.open_registry() as registry:
        programme = published_edition(registry).programme
    if json:
        output.as_json({code: kind.model_dump(mode="json", by_alias=True) for code, kind in programme.claims.items()})
        return
    rows = []
    for code, kind in programme.claims.items():
        if kind.amount is not None:
            pays = yuan(kind.amount)
        elif kind.percent is not None and kind.cap is not None:
            pays = f"{percent_text(kind.percent)}% ≤ {yuan(kind.cap)}"
        else:
            pays = ", ".join(f"{choice} {yuan(row.amount)}" for choice, row in kind.table.items())
        name = kind.name.zh if language.current() is language.Language.CHINESE else kind.name.en
        rows.append((code, name, pays, ", ".join(kind.documents), kind.days, " → ".join(map(text, kind.levels))))
    heads = ["claim code", "name", "pays (yuan)", "documents", "days to file", "levels"]
    output.show(output.table("Kinds of claims", heads, rows))


@app.command("file")
def file_claim(
    kind: Kind,
    card: Annotated[str, typer.Argument(help="The number of the member's card.", show_default=False)],
    on: EventDay,
    choice: Choice = "",
    loss: Loss = "",
    words: Words = None,
    heir: Annotated[
        Path | None,
        typer.Option(
            help="For a member who has died: a JSON file with name, id_number, relation and account of the heir.",
            exists=True,
            show_default=False,
        ),
    ] = None,
    by: By = None,
    json: output.Json = False,
) -> None:
    """File a claim of a member. The cover has to be in force on that day, and one event is claimed once.

    Example: membercard claim file fire 6212260000000017 --on 2026-05-01 --loss 25000 --words report.txt
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        terms, facts = _decided(published_edition(registry).programme, kind, on, choice, loss, words)
        member = registry.cards.card(card).member_id
        claim = registry.claims.file(member, terms, facts, by=person, heir=None if heir is None else _heir(heir))
    _show([claim], json=json)
    if not json and claim.missing:
        listed = ", ".join(claim.missing)
        output.say(
            "tick off what is there: membercard claim tick {number} DOCUMENT: {listed}",
            number=claim.number,
            listed=listed,
        )
    identity.note_unproven(person)


@app.command("refile")
def refile(
    number: Number,
    kind: Kind,
    on: EventDay,
    choice: Choice = "",
    loss: Loss = "",
    words: Words = None,
    by: By = None,
    json: output.Json = False,
) -> None:
    """File a returned claim again with other facts. All levels review it anew."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        terms, facts = _decided(published_edition(registry).programme, kind, on, choice, loss, words)
        claim = registry.claims.file_again(number, terms, facts, by=person)
    _show([claim], json=json)
    identity.note_unproven(person)


@app.command("tick")
def tick(
    number: Number,
    document: Annotated[str, typer.Argument(help="The code of the document.", show_default=False)],
    undo: Annotated[bool, typer.Option("--undo", help="Take the tick back.")] = False,
    by: By = None,
) -> None:
    """Tick off a document that is there."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        claim = registry.claims.tick(number, document, by=person, there=not undo)
    if claim.missing:
        output.say("claim {number} still lacks {listed}", number=number, listed=", ".join(claim.missing))
    else:
        output.say("claim {number} has all its documents", number=number)
    identity.note_unproven(person)


@app.command("list")
def show_all(
    stage: Annotated[
        str, typer.Option(help="Only those: filed, returned, approved, refused or withdrawn.", show_default=False)
    ] = "",
    json: output.Json = False,
) -> None:
    """List claims, the newest first. What a claim says of a member's health stands on no list."""
    from registry.claims.values import ClaimStage

    if stage and stage not in set(ClaimStage):
        raise typer.BadParameter(text("{stage} is no stage of a claim; see --help", stage=stage))
    chosen = ClaimStage(stage) if stage else None
    with settings.open_registry() as registry:
        items = every(lambda cursor: registry.claims.page(cursor, 500, stage=chosen))
    _show(items, json=json)


@app.command("open")
def open_claim(number: Number, reason: Reason, by: By = None, json: output.Json = False) -> None:
    """Show a claim in full: what happened, who claims, documents and decisions. The audit keeps who saw it, and why.

    Example: membercard claim open 7 --reason "review at the district"
    """
    from programme.wording import yuan
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_UNMASK)
        claim = registry.claims.opened(number, by=person, reason=reason)
    if json:
        output.as_json(claim)
        return
    _show([claim.view])
    output.say(
        "{kind}: {amount} yuan for {day}", kind=claim.kind, amount=yuan(claim.amount), day=str(claim.facts.event_on)
    )
    if claim.facts.choice:
        output.say("row of the table: {choice}", choice=claim.facts.choice)
    if claim.facts.loss is not None:
        output.say("loss: {loss} yuan", loss=yuan(claim.facts.loss))
    if claim.facts.words:
        output.say("what happened: {words}", words=claim.facts.words)
    if claim.heir is not None:
        who, account = claim.heir, claim.heir.account
        output.say(
            "paid to {name} ({relation}), account {account}", name=who.name, relation=who.relation, account=account
        )
    if claim.similar:
        listed = ", ".join(map(str, claim.similar))
        output.say("other claims of this member for days near it: {listed}", listed=listed)
    rows = [
        (
            step.number,
            output.local_time(step.at),
            language.person(step.by),
            text(step.level or ""),
            text(_DECISIONS[step.decision]),
            step.reason,
        )
        for step in claim.steps
    ]
    output.show(output.table("", ["step", "time", "person", "level", "decision", "reason"], rows))


@app.command("approve")
def approve(
    number: Number,
    level: Level,
    reason: Annotated[str, typer.Option(help="A remark; it goes into the audit.", show_default=False)] = "",
    by: By = None,
) -> None:
    """Approve a claim at a level, each by another person than before. With the last level its payment is ordered.

    Example: membercard claim approve 7 --level station --by 李娜
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_SIGN)
        claim = registry.claims.approve(number, level, by=person, reason=reason)
    if claim.awaited is None:
        output.say("claim {number} is approved; its payment waits for a bank batch", number=number)
    else:
        output.say("claim {number} goes to the {level}", number=number, level=text(claim.awaited))
    identity.note_unproven(person)


@app.command("return")
def give_back(number: Number, level: Level, reason: Reason, by: By = None) -> None:
    """Return a claim to its filer, who mends it and files it again."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_SIGN)
        registry.claims.give_back(number, level, by=person, reason=reason)
    output.say("claim {number} is returned to its filer", number=number)
    identity.note_unproven(person)


@app.command("refuse")
def refuse(number: Number, level: Level, reason: Reason, by: By = None) -> None:
    """Refuse a claim. Another may be filed for the same event."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_SIGN)
        registry.claims.refuse(number, level, by=person, reason=reason)
    output.say("claim {number} is refused", number=number)
    identity.note_unproven(person)


@app.command("withdraw")
def withdraw(number: Number, reason: Reason, by: By = None) -> None:
    """Take a claim back before its last review."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        registry.claims.withdraw(number, by=person, reason=reason)
    output.say("claim {number} is taken back", number=number)
    identity.note_unproven(person)


@app.command("figures")
def figures(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.", show_default=False)],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.", show_default=False)],
    json: output.Json = False,
) -> None:
    """Show how many claims of each kind were filed on these days, what was paid, and how long payment took.

    Example: membercard claim figures --from 2026-01-01 --to 2026-12-31
    """
    from programme.wording import yuan

    with settings.open_registry() as registry:
        items = registry.claim_statistics.by_kind(first.date(), last.date())
    if json:
        output.as_json(items)
        return
    rows = [
        (
            one.kind,
            one.filed,
            one.approved,
            one.refused,
            yuan(one.approved_amount),
            one.paid,
            yuan(one.paid_amount),
            "" if one.days_to_payment is None else f"{one.days_to_payment:.1f}",
        )
        for one in items
    ]
    heads = [
        "claim code",
        "filed",
        "passed review",
        "turned down",
        "sum approved",
        "paid",
        "sum paid",
        "days to payment",
    ]
    output.show(output.table("", heads, rows, right=heads[1:]))


def _decided(
    programme: Programme, kind: str, on: datetime, choice: str, loss: str, words: Path | None
) -> tuple[ClaimTerms, ClaimFacts]:
    """Raises BadParameter where the facts do not decide an amount."""
    from programme.records.claim_rules import claim_terms
    from programme.wording import Sentence, fen_of
    from registry.claims.values import ClaimFacts

    try:
        amount = fen_of(loss) if loss else None
    except ValueError:
        raise typer.BadParameter(text("the loss is an amount in yuan, such as 25000")) from None
    content = "" if words is None else words.read_text("utf-8").strip()
    facts = ClaimFacts(on.date(), content, choice or None, amount)
    terms = claim_terms(programme, kind, facts)
    if isinstance(terms, Sentence):
        raise typer.BadParameter(terms.zh if language.current() is language.Language.CHINESE else terms.en)
    return terms, facts


def _heir(path: Path) -> Heir:
    from registry.claims.values import Heir

    try:
        named = json_text.loads(path.read_text("utf-8"))
        fields = [str(named[name]).strip() for name in ("name", "id_number", "relation", "account")]
    except (ValueError, KeyError, TypeError):
        fields = []
    if not fields or not all(fields):
        raise typer.BadParameter(text("{path} is no JSON file with name, id_number, relation and account", path=path))
    return Heir(*fields)


def _show(items: list[FiledClaim], *, json: bool = False) -> None:
    from programme.wording import yuan

    if json:
        output.as_json(items if len(items) != 1 else items[0])
        return
    rows = [
        (
            one.number,
            one.kind or text("medical"),
            one.name_masked,
            one.unit,
            one.event_on.isoformat(),
            one.filed_on.isoformat(),
            "" if one.amount is None else yuan(one.amount),
            text(_STAGES[one.stage]),
            text(one.awaited or ""),
            ", ".join(one.missing),
        )
        for one in items
    ]
    heads = [
        "number",
        "claim code",
        "name",
        "unit",
        "event day",
        "filed",
        "amount",
        "state",
        "level",
        "missing documents",
    ]
    output.show(output.table("Claims filed", heads, rows, right=["amount"]))
