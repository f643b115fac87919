"""`membercard programme publish`, `confirm` and more: editions for counters, by two people.

These commands belong to the group of ``membercard.commands.counter.programme``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.counter.programme import app, word
from membercard.commands.listing import every
from membercard.commands.person_options import ByOrMachine
from membercard.language import text
from membercard.wiring import identity
from membercard.wiring.counter_lists import LIST_KEY, key_file
from membercard.wiring.programme_edition import PROGRAMME

if TYPE_CHECKING:
    from programme.differences import BenefitChange
    from programme.programme import Programme
    from registry.admin.programmes import ProgrammeEditionFile
    from registry.store import Registry

__all__ = ["app"]

_FILE = typer.Argument(help="A programme file (YAML).", show_default=False)
_Proposal = Annotated[
    int, typer.Argument(metavar="NUMBER", help="The number of a proposal.", min=1, show_default=False)
]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]
_PROPOSALS = {
    "waiting": "waits for a second person",
    "published": "published as an edition",
    "refused": "refused",
    "cancelled": "taken back",
}


_DIFFERENCES = {"added": "new", "changed": "changed", "ended": "taken out"}


@app.command("publish")
def publish(
    file: Annotated[Path, _FILE],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long counters may use the edition.")] = 90,
    by: ByOrMachine = None,
) -> None:
    """Hand in a programme to be published; another person confirms it. A file with findings is not taken.

    What it changes is shown.

    Example: membercard programme publish beijing.yaml --by 王芳
    """
    # Imports the registry, which a counter does not need.
    from programme.programme import load_programme
    from programme.publishing import changes_against, propose
    from reader_service.principal import Permission

    read = load_programme(file)
    with settings.open_registry() as registry:
        person = identity.actor_or_machine(registry, by, Permission.LISTS_PUBLISH)
        compared = changes_against(registry.programme_editions.newest(), read.programme)
        proposal = propose(registry, read, file.read_text("utf-8"), by=person, days=days)
    if compared.unreadable:
        output.say(
            "this version of the program cannot read edition {version}: all rules are listed as new",
            version=compared.before,
        )
    _show(compared.changes)
    output.say(
        "proposal {number} waits for a second person: membercard programme confirm {number} --by NAME",
        number=proposal.number,
    )
    identity.note_unproven(person)


@app.command("confirm")
def confirm(
    number: _Proposal,
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIRECTORY", help="Also write the files that counters need there.", show_default=False),
    ] = None,
    by: ByOrMachine = None,
) -> None:
    """Publish what another person handed in: it is signed as a new edition for counters.

    Each edition has a higher version than the one before: counters refuse an older one.

    Example: membercard programme confirm 3 --to /srv/counters --by 李娜
    """
    from personalize.lists import public_key
    from programme.publishing import publish as published
    from reader_service.principal import Permission

    keystore = settings.open_keystore()
    signer = keystore.latest("list-signer")
    key = public_key(keystore.info(signer))
    with settings.open_registry(keystore) as registry:
        person = identity.actor_or_machine(registry, by, Permission.PROGRAMMES_APPROVE)
        edition = published(
            registry,
            number,
            key,
            lambda message: keystore.sign(signer, message),
            by=person,
            zone=settings.load().zone,
        )
    output.say(
        "{programme}: published as edition {version}, to be used until {expires}",
        programme=edition.programme,
        version=edition.version,
        expires=output.local_time(edition.expires),
    )
    if to is not None:
        _write(to, edition.signed, key_file(keystore))
    identity.note_unproven(person)


@app.command("refuse")
def refuse(number: _Proposal, reason: Reason, by: ByOrMachine = None) -> None:
    """Refuse, as the second person, what another one handed in.

    Example: membercard programme refuse 3 --reason "the price of the pass is last year's" --by 李娜
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor_or_machine(registry, by, Permission.PROGRAMMES_APPROVE)
        registry.programme_editions.refuse(number, by=person, reason=reason)
    output.say("proposal {number} is refused", number=number)
    identity.note_unproven(person)


@app.command("cancel")
def cancel(number: _Proposal, reason: Reason, by: ByOrMachine = None) -> None:
    """Take back a programme that was handed in and waits.

    Example: membercard programme cancel 3 --reason "the wrong file" --by 王芳
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor_or_machine(registry, by, Permission.LISTS_PUBLISH)
        registry.programme_editions.cancel(number, by=person, reason=reason)
    output.say("proposal {number} is taken back", number=number)
    identity.note_unproven(person)


@app.command("proposals")
def proposals(json: output.Json = False) -> None:
    """List the programmes that were handed in, newest first.

    Example: membercard programme proposals
    """
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.programme_editions.proposals(cursor, 500))
    if json:
        output.as_json({"proposals": listed})
        return
    if not listed:
        output.say("no programme was handed in")
        return
    rows = [
        (
            one.number,
            output.local_time(one.at),
            language.person(one.by),
            one.programme,
            text(_PROPOSALS[one.state.value]),
            language.person(one.decided_by or ""),
            one.version or "",
        )
        for one in listed
    ]
    heads = ["proposal", "time", "who", "programme", "state", "decided by", "edition"]
    output.show(output.table("Programmes handed in", heads, rows))


@app.command("compare")
def compare(
    old: Annotated[int, typer.Argument(help="The version of an edition.", show_default=False)],
    new: Annotated[
        int | None, typer.Argument(help="The version of a later one; the newest, if none is given.", show_default=False)
    ] = None,
    json: output.Json = False,
) -> None:
    """Show in words what one edition changes against another: benefits added, changed and ended.

    Example: membercard programme compare 1796000000
    """
    from programme.differences import differences

    with settings.open_registry() as registry:
        before, after = (_programme(_edition(registry, version)) for version in (old, new))
    changes = differences(before, after)
    if json:
        output.as_json({"differences": changes})
        return
    _show(changes)


@app.command("export")
def export(
    directory: Annotated[Path, typer.Argument(help="Where the files for counters go.", show_default=False)],
    edition: Annotated[
        int | None, typer.Option(help="The version; the newest, if none is given.", show_default=False)
    ] = None,
) -> None:
    """Write a published edition and the list key as files for counters.

    Example: membercard programme export /srv/counters
    """
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        chosen = _edition(registry, edition)
    _write(directory, chosen.signed, key_file(keystore))


@app.command("editions")
def editions(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 20,
    json: output.Json = False,
) -> None:
    """List the editions that were published, newest first.

    Example: membercard programme editions
    """
    with settings.open_registry() as registry:
        lines = registry.programme_editions.page(limit=limit).items
    if json:
        output.as_json({"editions": lines})
        return
    if not lines:
        output.say("No edition yet. Publish one with: membercard programme publish FILE")
        return
    rows = [
        (
            line.version,
            output.local_time(line.at),
            language.person(line.by),
            line.programme,
            output.local_time(line.expires),
            line.digest[:16],
        )
        for line in lines
    ]
    heads = ["version", "published", "who", "programme", "expires", "digest"]
    output.show(output.table("Editions of the programme", heads, rows))


def _edition(registry: Registry, version: int | None) -> ProgrammeEditionFile:
    """An edition; the newest, if no version is given. Raises NotOnRecord, RegistryConflict before the first one."""
    from registry.errors import RegistryConflict

    edition = registry.programme_editions.newest() if version is None else registry.programme_editions.edition(version)
    if edition is None:
        raise RegistryConflict("no programme was published yet", reason="programme-missing")
    return edition


def _programme(edition: ProgrammeEditionFile) -> Programme:
    from programme.editions import ProgrammeEdition

    return ProgrammeEdition.on_record(edition.signed).programme


def _write(directory: Path, signed: bytes, key: bytes) -> None:
    for name, content in ((PROGRAMME, signed), (LIST_KEY, key)):
        output.write_file(directory / name, content, public=True)
        typer.echo(f"{directory / name}")


def _show(changes: Sequence[BenefitChange]) -> None:
    if not changes:
        output.say("the same rules as before")
        return
    rows = []
    for one in changes:
        lines = [f"- {word(sentence)}" for sentence in one.before] + [f"+ {word(sentence)}" for sentence in one.after]
        rows.append((text(_DIFFERENCES[one.kind.value]), f"{one.benefit}\n{word(one.name)}".strip(), "\n".join(lines)))
    output.show(output.table("Changes against the edition before", ["difference", "benefit", "rules"], rows))
