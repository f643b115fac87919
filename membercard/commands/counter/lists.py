"""`membercard lists`: the signed lists that counters carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import output, settings
from membercard.commands.person_options import ByOrMachine
from membercard.errors import SettingsError
from membercard.language import sentence, text
from membercard.wiring import identity
from membercard.wiring.counter_lists import HOTLIST, LIST_KEY, TRUST, key_file, list_policy, read_key
from membercard.wiring.list_dates import stored_dates
from membercard.wiring.programme_edition import EDITION, PROGRAMME
from membercard.wiring.seen_lists import FOLDER, SeenLists, fingerprint
from reader_service.services.counter.fetched_lists import (
    NAMES,
    FetchNote,
    FetchRound,
    ListDates,
    ListFaultCode,
    ListNotFetched,
    ListState,
    fetch_all,
    read_note,
    write_note,
)
from reader_service.services.counter.fetched_lists import SENTENCES as FAULTS
from terminal import private_files
from terminal.member.hotlist import Hotlist
from terminal.member.lists import HotlistState
from terminal.member.signed import Issue, read
from terminal.member.trust import TrustList

if TYPE_CHECKING:
    from membercard.wiring.list_source import HttpListSource

app = typer.Typer()

REFUSED, AWAY = 1, 3
"""Exit codes of a fetch."""
_IN_FORCE = {True: "current", False: "not in force"}
_OLDER = "refused: older than one used before"


@app.command("publish")
def publish(
    directory: Annotated[Path, typer.Argument(help="Where to write the files.", show_default=False)],
    by: ByOrMachine = None,
) -> None:
    """Write the files that counters need offline: signed trust list, signed hotlist, the newest programme where one was
    published, and the key to verify them.

    Each call is an edition with a higher version than the one before: counters refuse an older one.

    Example: membercard lists publish /srv/counters
    """
    # Imports the registry, which a counter does not need.
    from membercard.wiring.profile import profile_in_use
    from personalize.lists import signed_lists
    from reader_service.principal import Permission

    keystore, profile = settings.open_keystore(), profile_in_use()
    with settings.open_registry(keystore) as registry:
        person = identity.actor_or_machine(registry, by, Permission.LISTS_PUBLISH)
        written = signed_lists(keystore, registry, profile, settings.load().now(), by=person)
        edition = registry.programme_editions.newest()
        if edition is not None and edition.expires > settings.load().now():
            written[PROGRAMME] = edition.signed
    written[LIST_KEY] = key_file(keystore)
    for name, content in written.items():
        output.write_file(directory / name, content, public=True)
        typer.echo(f"{directory / name}")
    identity.note_unproven(person)


@app.command("fetch")
def fetch(
    key: Annotated[
        str | None,
        typer.Option(help="The fingerprint of the list key, as the issuer names it: its first 16 digits or all 64."),
    ] = None,
    json: output.Json = False,
) -> None:
    """Fetch the newest lists of this counter from its office: trust list, hotlist, programme.

    Each is verified with the list key before it replaces the one at hand, and is never older than one used before. A
    running service fetches by itself. The first time the list key is fetched too: compare its fingerprint with the
    issuer's. Exit code 0 when all are the newest; 1 where one is refused; 3 where the office cannot be reached.

    Example: membercard lists fetch --key 3f9a02c41b77e5d8
    """
    from membercard.wiring.list_source import list_source  # speaks HTTP, which other commands do not need

    current, source = settings.load(), list_source()
    if source is None:
        raise SettingsError(
            "lists are fetched from an office: set upload_url and upload_token_file; the office itself makes them with "
            "membercard lists publish DIRECTORY"
        )
    if key is not None or not (current.data_dir / LIST_KEY).exists():
        done = _with_key(source, key)
    else:
        done = fetch_all(source)
    write_note(current.data_dir, read_note(current.data_dir).after(done, current.now()))
    if json:
        faults = [{"list": one.kind, "fault": one.fault, "sentence": str(one)} for one in done.faults]
        output.as_json({"lists": done.fetched, "faults": faults})
    else:
        for one in done.fetched:
            output.say(
                "{name}: version {version} is new" if one.new else "{name}: version {version} is the newest",
                name=text(NAMES[one.kind]),
                version=one.version,
            )
    for fault in done.faults:
        name = text(NAMES[fault.kind]) + text(": ") if fault.kind is not None else ""
        typer.echo(f"{name}{sentence(str(fault))}", err=True)
    if done.faults:
        raise typer.Exit(AWAY if done.faults[0].fault is ListFaultCode.AWAY else REFUSED)


def _with_key(source: HttpListSource, wanted: str | None) -> FetchRound:
    """Take the office's list key, which a person has compared, and fetch by it. Raises BadParameter for another
    fingerprint than was named, SettingsError where nobody can be asked."""
    directory = settings.load().data_dir
    try:
        offered, file = source.offered_key()
    except ListNotFetched as fault:
        return FetchRound((), (fault,))
    mark = fingerprint(offered)
    pinned = SeenLists(directory / FOLDER).record().pinned
    if pinned not in ("", mark):
        return FetchRound((), (ListNotFetched(ListFaultCode.KEY_CHANGED),))
    if wanted is not None and wanted.replace(" ", "").lower() not in (mark, mark[:16]):
        raise typer.BadParameter(
            text("the list key of the office has the fingerprint {mark}, and not {wanted}", mark=mark, wanted=wanted)
        )
    if wanted is None:
        output.say("the list key of the office has the fingerprint {mark}", mark=mark)
        output.confirm("Does the issuer name the same one?")
    directory.mkdir(parents=True, exist_ok=True, mode=private_files.FOLDER_MODE)
    private_files.replace(directory / LIST_KEY, file)
    return fetch_all(source)


@app.command("show")
def show(json: output.Json = False) -> None:
    """Show the lists of this counter: version, age, whether they may be relied on, and the newest that were used.

    Exit code 0: cards can be verified with them; 4: the hotlist is missing or cannot be relied on, or the clock was set
    back; 1: no list is there, or one is refused.

    Example: membercard lists show
    """
    directory, at = settings.load().data_dir, settings.load().now()
    if not (directory / TRUST).exists():
        raise SettingsError(
            f"there are no lists of a counter at {directory}: copy {TRUST}, {HOTLIST} and {LIST_KEY}, which the issuer "
            "makes with membercard lists publish DIRECTORY"
        )
    key = read_key(directory / LIST_KEY)
    mark, path = fingerprint(key), directory / HOTLIST
    trust = TrustList.load((directory / TRUST).read_bytes(), key)
    hotlist = Hotlist.load(path.read_bytes(), key) if path.exists() else None
    record = SeenLists(directory / FOLDER).record()
    policy = list_policy(record.clock)
    state = policy.state(hotlist, at)
    rows = [
        _row("trust list", trust.issue, _IN_FORCE[trust.current(at)], record.newest(mark, "trust")),
        _row("hotlist", None if hotlist is None else hotlist.issue, state.value, record.newest(mark, "hotlist")),
    ]
    programme = directory / PROGRAMME
    if programme.exists():
        issue = read(EDITION, programme.read_bytes(), key)[1]
        rows.append(_row(EDITION, issue, _IN_FORCE[issue.current(at)], record.newest(mark, "programme")))
    behind, other_key = policy.clock_behind(at), record.pinned not in ("", mark)
    note = read_note(directory)
    if json:
        facts = {"key": mark, "key_changed": other_key, "clock_seen": record.clock, "clock_behind": behind}
        facts |= {"fetched_at": note.at, "fault": note.fault, "fault_since": note.since}
        output.as_json({"lists": rows, **facts})
    else:
        cells = [
            (
                text(r.name),
                r.version,
                output.local_time(r.issued),
                output.local_time(r.expires),
                text(r.state),
                r.newest,
            )
            for r in rows
        ]
        heads = ["list", "version", "issued", "expires", "state", "newest used"]
        output.show(output.table("Lists of this counter", heads, cells))
        output.say("list key {mark}", mark=mark)
        for line in list_warnings(stored_dates(directory, at, policy.oldest, programme=False), note):
            typer.echo(line)
        if other_key:
            output.say("refused: another list key was used before, {pinned}", pinned=record.pinned)
        if behind:
            output.say("the clock was set back: it was at {time} before", time=output.local_time(record.clock))
    if other_key or not trust.current(at) or any(row.state == _OLDER for row in rows):
        raise typer.Exit(1)
    if behind or state is not HotlistState.CURRENT:
        raise typer.Exit(4)


def list_warnings(dates: Iterable[ListDates], note: FetchNote) -> Iterator[str]:
    """What a person should know about the lists of this counter: those that end soon, and why none are fetched."""
    for one in dates:
        name = text(NAMES[one.kind])
        if one.state is ListState.ENDING:
            yield text("{name} ends at {time}: fetch the newest", name=name, time=output.local_time(one.ends))
        elif one.state is ListState.OVER:
            yield text("{name} is not in force: fetch the newest, or set the clock right", name=name)
        elif one.state is ListState.MISSING:
            yield text("{name}: none is there, or it cannot be read", name=name)
    if note.fault is not None:
        name = text(NAMES[note.kind]) + text(": ") if note.kind is not None else ""
        fault = name + sentence(FAULTS[note.fault])
        yield text("since {at}: {fault}", at=output.local_time(note.since), fault=fault)


@dataclass(frozen=True)
class _ListRow:
    name: str
    version: int | None
    issued: datetime | None
    expires: datetime | None
    state: str
    newest: int | None


def _row(name: str, issue: Issue | None, state: str, newest: tuple[int, datetime] | None) -> _ListRow:
    version = None if newest is None else newest[0]
    if issue is None:
        return _ListRow(name, None, None, None, state, version)
    older = newest is not None and (issue.version, issue.issued) < newest
    return _ListRow(name, issue.version, issue.issued, issue.expires, _OLDER if older else state, version)


@app.command("reset")
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget which lists this counter has used, and its clock: for a new list key, or after a clock was wrong.

    The next lists are taken as the first ones, so fetch them from the issuer and compare the fingerprint of the key
    (membercard lists show) with the issuer's.

    Example: membercard lists reset
    """
    if not yes:
        output.confirm("Older lists will be accepted again. Are the lists at hand fresh from the issuer?")
    seen = SeenLists(settings.load().data_dir / FOLDER)
    seen.reset()
    output.say("{folder} was removed", folder=seen.folder)
