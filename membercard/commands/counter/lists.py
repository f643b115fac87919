"""`membercard lists`: the signed lists that counters carry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from membercard import output, settings
from membercard.errors import SettingsError
from membercard.language import text
from membercard.wiring import identity
from membercard.wiring.counter_lists import HOTLIST, LIST_KEY, TRUST, key_file, list_policy, read_key
from membercard.wiring.programme_edition import EDITION, PROGRAMME
from membercard.wiring.seen_lists import FOLDER, SeenLists, fingerprint
from terminal.member.hotlist import Hotlist
from terminal.member.lists import HotlistState
from terminal.member.signed import Issue, read
from terminal.member.trust import TrustList

app = typer.Typer()

_IN_FORCE = {True: "current", False: "not in force"}
_OLDER = "refused: older than one used before"


@app.command("publish")
def publish(
    directory: Annotated[Path, typer.Argument(help="Where to write the files.", show_default=False)],
    by: Annotated[
        str | None,
        typer.Option(help="Who does this, with a password if there are users; a token or the machine, if not given."),
    ] = None,
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
    if json:
        facts = {"key": mark, "key_changed": other_key, "clock_seen": record.clock, "clock_behind": behind}
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
        if other_key:
            output.say("refused: another list key was used before, {pinned}", pinned=record.pinned)
        if behind:
            output.say("the clock was set back: it was at {time} before", time=output.local_time(record.clock))
    if other_key or not trust.current(at) or any(row.state == _OLDER for row in rows):
        raise typer.Exit(1)
    if behind or state is not HotlistState.CURRENT:
        raise typer.Exit(4)


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
