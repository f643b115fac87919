"""`membercard cover`: covers (互助保障), their lists of changes under two signatures, and who is covered on a day."""

from __future__ import annotations

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
    from registry.covers.values import CoverEntry, CoverList

app = typer.Typer()

_LEAST_DIGEST = 8

Number = Annotated[int, typer.Argument(help="The number of the list.", min=1, show_default=False)]
Code = Annotated[str, typer.Argument(help="The code of the cover in the programme.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]


@app.command("list")
def show_all(json: output.Json = False) -> None:
    """List the covers of the programme with the list that is due next, and the lists on record."""
    from programme.records.cover_terms import next_list

    with settings.open_registry() as registry:
        items = every(lambda cursor: registry.cover_lists.page(cursor, 500))
        covers = [] if registry.programme_editions.newest() is None else [*published_edition(registry).programme.covers]
        due = [
            next_list(
                published_edition(registry).programme,
                code,
                registry.cover_lists.last(code),
                settings.load().today(),
            )
            for code in covers
        ]
    if json:
        output.as_json(
            {"due": [{"cover": one.cover, "due": one.due, "term": one.terms.first} for one in due], "lists": items}
        )
        return
    for one in due:
        output.say(
            "{cover}: the list of the term from {first} to {last} is due on {due}",
            cover=one.cover,
            first=one.terms.first.isoformat(),
            last=one.terms.last.isoformat(),
            due=one.due.isoformat(),
        )
    if items:
        _show(items)
    elif not due:
        output.say("the published programme has no covers, and no list is on record")


@app.command("draw-up")
def draw_up(
    code: Code,
    supplement: Annotated[
        bool, typer.Option("--supplement", help="Changes within the term that runs, from tomorrow on.")
    ] = False,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Draw up the list of changes of a cover: who is added, and who leaves and why. Then two people sign it.

    The list that opens a term is drawn up from the day on which it is due, fifteen days before the term unless the
    programme says otherwise. Exit code 1: it is not due yet.

    Example: membercard cover draw-up accident --by 王芳
    """
    from programme.records import cover_terms
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        programme, last, day = (
            published_edition(registry).programme,
            registry.cover_lists.last(code),
            settings.load().today(),
        )
        if supplement:
            terms = cover_terms.supplement(programme, code, last, day)
        else:
            following = cover_terms.next_list(programme, code, last, day)
            terms = following.terms
            if day < following.due:
                output.say(
                    "the list of the term from {first} is drawn up from {due} on; changes before: --supplement",
                    first=terms.first.isoformat(),
                    due=following.due.isoformat(),
                )
                raise typer.Exit(1)
        drawn = registry.cover_lists.draw_up(terms, by=person)
    if json:
        output.as_json(drawn)
    else:
        _show([drawn])
        output.say("digest {digest}", digest=drawn.digest)
    identity.note_unproven(person)


@app.command("show")
def show(
    number: Number,
    entries: Annotated[bool, typer.Option("--entries", help="With every entry, names masked.")] = False,
    json: output.Json = False,
) -> None:
    """Show a list of changes: totals, reasons, signatures, and its entries with masked names."""
    from personalize.sheets.cover_list import CHANGES, REASONS

    with settings.open_registry() as registry:
        one = registry.cover_lists.cover_list(number)
        reasons = registry.cover_lists.reasons(number)
        listed = every(lambda cursor: registry.cover_lists.entries(number, cursor, 500)) if entries else []
    if json:
        output.as_json({"list": one, "reasons": reasons, "entries": listed})
        return
    _show([one])
    if reasons:
        rows = [
            (_one_language(CHANGES[counted.change]), _one_language(REASONS[counted.reason]), counted.count)
            for counted in reasons
        ]
        output.show(output.table("", ["joining or leaving", "reason", "members"], rows, right=["members"]))
    if listed:
        _show_entries(listed)
    output.say("digest {digest}", digest=one.digest)


@app.command("sign")
def sign(
    number: Number,
    digest: Annotated[
        str, typer.Option(help="The list's digest, its first 8 digits at least: what you sign.", show_default=False)
    ],
    by: By = None,
) -> None:
    """Sign a list of changes. With the second signature, of another person, its changes hold, and the last day of the
    cover goes to the chips of all who have it.

    Example: membercard cover sign 3 --digest 1f0c9a2b
    """
    from reader_service.principal import Permission
    from registry.covers.values import CoverListState

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_SIGN)
        one = registry.cover_lists.cover_list(number)
        whole = one.digest if len(digest) >= _LEAST_DIGEST and one.digest.startswith(digest.lower()) else digest
        one = registry.cover_lists.sign(number, whole, by=person)
    if one.state is CoverListState.RELEASED:
        output.say(
            "cover list {number} is signed by two people: {covered} members are covered from {day} on",
            number=number,
            covered=one.covered,
            day=one.effective.isoformat(),
        )
    else:
        output.say("cover list {number} is signed; a second person signs it next", number=number)
    identity.note_unproven(person)


@app.command("send")
def send(number: Number, reason: Reason, by: By = None) -> None:
    """Note that a released list was handed to the insurer, to whom and how.

    Example: membercard cover send 3 --reason "by courier to the mutual insurance office"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        registry.cover_lists.send(number, by=person, reason=reason)
    output.say("cover list {number} is sent", number=number)
    identity.note_unproven(person)


@app.command("discard")
def discard(number: Number, reason: Reason, by: By = None) -> None:
    """Give up a list that two people have not signed. Another may be drawn up."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        registry.cover_lists.discard(number, by=person, reason=reason)
    output.say("cover list {number} is discarded", number=number)
    identity.note_unproven(person)


@app.command("file")
def file(
    number: Number,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the file goes: .pdf or .xlsx.", show_default=False)],
    by: By = None,
) -> None:
    """Write a list of changes: a PDF with masked names to be signed and filed, or a workbook (xlsx) with names and ID
    numbers in clear for the insurer, once two people have signed.

    Example: membercard cover file 3 -o accident-2027.xlsx
    """
    from personalize.sheets.cover_list import cover_list_pdf, cover_list_workbook
    from reader_service.principal import Permission

    kind = out.suffix.lower()
    if kind not in (".pdf", ".xlsx"):
        raise typer.BadParameter(text("the file is a .pdf or an .xlsx"))
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        one = registry.cover_lists.cover_list(number)
        if kind == ".xlsx":
            content = cover_list_workbook(one, registry.cover_lists.opened(number, by=person))
        else:
            name = one.rules.get("name", {})
            listed = every(lambda cursor: registry.cover_lists.entries(number, cursor, 500))
            names = str(name.get("zh", one.cover)), str(name.get("en", one.cover))
            reasons = registry.cover_lists.reasons(number)
            content = cover_list_pdf(one, names, reasons, listed, settings.load().today(), settings.load().zone)
        output.write_file(out, content)
    output.say("written: {path}", path=out)
    identity.note_unproven(person)


@app.command("member")
def member(
    card: Annotated[str, typer.Argument(help="The number of the member's card.", show_default=False)],
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=["%Y-%m-%d"], help="The day; today, if left out.", show_default=False),
    ] = None,
    json: output.Json = False,
) -> None:
    """Show whether a member is covered on a day, by which list, or why not.

    Example: membercard cover member 6212260000000017 --on 2027-03-01
    """
    day = on.date() if on else settings.load().today()
    with settings.open_registry() as registry:
        covers = registry.member_covers.covers_of(registry.cards.card(card).member_id, day)
    if json:
        output.as_json(covers)
        return
    if not covers:
        output.say("no cover has a list yet")
    for code, one in covers.items():
        if one.uncovered is None:
            output.say("{cover}: covered on {day} (list {number})", cover=code, day=str(day), number=one.list_id)
        else:
            why = text(_WHY[one.uncovered.value])
            output.say("{cover}: not covered on {day}: {why}", cover=code, day=str(day), why=why)


_WHY = {
    "no-term": "no list opened a term with this day",
    "not-listed": "entitled only after the list of the term was drawn up",
    "left": "a list left the member out",
    "died": "the member had died",
}


def _one_language(words: tuple[str, str]) -> str:
    return words[0] if language.current() is language.Language.CHINESE else words[1]


def _show(items: list[CoverList]) -> None:
    from personalize.sheets.cover_list import KINDS, STATES

    rows = [
        (
            one.id,
            one.cover,
            _one_language(KINDS[one.kind]),
            f"{one.term_first} – {one.term_last}",
            one.effective.isoformat(),
            one.before,
            one.added,
            one.leaving,
            one.covered,
            _one_language(STATES[one.state]),
            one.digest[:_LEAST_DIGEST],
        )
        for one in items
    ]
    sums = ["covered before", "joining", "leaving", "covered"]
    heads = ["number", "cover code", "list", "term", "from day", *sums, "state", "digest"]
    output.show(output.table("Lists of changes", heads, rows, right=sums))


def _show_entries(items: list[CoverEntry]) -> None:
    from personalize.sheets.cover_list import CHANGES, REASONS

    rows = [
        (
            one.member_number or "",
            one.name_masked,
            one.unit,
            _one_language(CHANGES[one.change]),
            _one_language(REASONS[one.reason]),
        )
        for one in items
    ]
    output.show(output.table("", ["member number", "name", "unit", "joining or leaving", "reason"], rows))
