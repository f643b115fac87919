"""What a counter fetches from its office: trust list, hotlist, programme.

Each is verified before it replaces the one at hand, and is never older than one used before. Whatever is wrong, the
counter goes on with what it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from terminal import private_files
from terminal.errors import MembercardError
from terminal.member.signed import Issue

NOTE: Final = "lists-fetch.json"
"""File in the data directory: when the office was last asked with success, and the fault since then."""


class ListKind(StrEnum):
    """The lists of a counter, in the order in which they are fetched."""

    TRUST = "trust"
    HOTLIST = "hotlist"
    PROGRAMME = "programme"


NAMES: Final = {ListKind.TRUST: "trust list", ListKind.HOTLIST: "hotlist", ListKind.PROGRAMME: "programme edition"}
_SOON: Final = {
    ListKind.TRUST: timedelta(days=30),
    ListKind.HOTLIST: timedelta(days=2),
    ListKind.PROGRAMME: timedelta(days=14),
}
"""How long before the end of a list a counter says that it ends."""
_PART: Final = 3
"""The warning comes in the last third of a life at the earliest."""


class ListState(StrEnum):
    """Whether a list may be relied on."""

    CURRENT = "current"
    ENDING = "ending"
    """It ends soon."""
    OVER = "over"
    """It ended, or is not in force yet."""
    MISSING = "missing"
    """There is none, or none that can be read."""


@dataclass(frozen=True, slots=True)
class ListDates:
    """How old a list of this counter is, and until when it may be relied on."""

    kind: ListKind
    state: ListState
    version: int | None = None
    issued: datetime | None = None
    ends: datetime | None = None
    seconds: int | None = None
    """Its age."""


def dates_of(kind: ListKind, issue: Issue | None, at: datetime, oldest: timedelta | None = None) -> ListDates:
    """The dates of a list at a time. ``oldest``: the highest age at which the counter relies on it."""
    if issue is None:
        return ListDates(kind, ListState.MISSING)
    ends = issue.expires if oldest is None else min(issue.expires, issue.issued + oldest)
    soon = min(_SOON[kind], (ends - issue.issued) / _PART)
    state = ListState.ENDING if at > ends - soon else ListState.CURRENT
    if at > ends or not issue.current(at):
        state = ListState.OVER
    return ListDates(kind, state, issue.version, issue.issued, ends, max(0, int(issue.age(at).total_seconds())))


class ListFaultCode(StrEnum):
    """Why a list was not fetched. Those of the line have the names that they have for uploads."""

    AWAY = "office-away"
    TOKEN = "office-token"  # noqa: S105  # a name
    TOKEN_FILE = "office-token-file"  # noqa: S105  # a name
    ROLE = "office-role"
    ADDRESS = "office-address"
    ANSWER = "office-answer"
    NONE = "list-none"
    FORGED = "list-forged"
    FORM = "list-form"
    OLDER = "list-older"
    NOT_IN_FORCE = "list-not-in-force"
    CLOCK = "list-clock"
    KEY = "list-key"
    KEY_CHANGED = "list-key-changed"
    RECORD = "list-record"
    DISK = "list-disk"


OF_THE_LINE: Final = frozenset(code for code in ListFaultCode if code.value.startswith("office-"))
"""Faults after which no other list is asked for."""
SENTENCES: Final[Mapping[ListFaultCode, str]] = {
    ListFaultCode.AWAY: "the office cannot be reached; this counter goes on with the lists that it has",
    ListFaultCode.TOKEN: "the office does not accept this counter's token: ask it for a new one, and put it into "
    "the file of upload_token_file",
    ListFaultCode.TOKEN_FILE: "the file of upload_token_file cannot be read, holds no token, or is open to others: "
    "put the office's token into it",
    ListFaultCode.ROLE: "the token of this counter has not the role counter: ask the office for one that has",
    ListFaultCode.ADDRESS: "there is no office at the address of upload_url: correct the setting",
    ListFaultCode.ANSWER: "what answers at upload_url is not an office: correct the setting, or look for a proxy "
    "between",
    ListFaultCode.NONE: "the office has published none yet: ask it to",
    ListFaultCode.FORGED: "what the office sent is not signed by this counter's list key, or was changed on the way; "
    "the one at hand stays in use",
    ListFaultCode.FORM: "what the office sent cannot be read: bring both programs to one version",
    ListFaultCode.OLDER: "the office has an older one than this counter has used, which is refused; ask the office "
    "to publish again",
    ListFaultCode.NOT_IN_FORCE: "what the office sent is not in force now: it is over, or the clock of the office or "
    "of this counter is wrong",
    ListFaultCode.CLOCK: "the clock of this counter was set back: set it right",
    ListFaultCode.KEY: "this counter has no list key yet: run membercard lists fetch once, and compare the "
    "fingerprint with the issuer's",
    ListFaultCode.KEY_CHANGED: "the list key of this counter is another than before: compare the fingerprint with the "
    "issuer's, and run membercard lists reset",
    ListFaultCode.RECORD: "the record of the lists that this counter has used was changed or cannot be read: see who "
    "had access, and run membercard lists reset",
    ListFaultCode.DISK: "the list cannot be written to the disk: make room, or see who may write the data directory",
}
"""What to do, by fault."""


class ListNotFetched(MembercardError):
    """A list was not fetched; the one at hand stays. ``kind`` is None where the fault is not that of one list."""

    def __init__(self, fault: ListFaultCode, kind: ListKind | None = None) -> None:
        super().__init__(SENTENCES[fault])
        self.fault, self.kind = fault, kind


@dataclass(frozen=True, slots=True)
class FetchedList:
    """A list that was asked for: the version at hand now, and whether it is new."""

    kind: ListKind
    version: int
    new: bool


class ListSource(Protocol):
    """Where a counter's lists come from."""

    def fetch(self, kind: ListKind) -> FetchedList | None:
        """Fetch a list, verify it, and put it in the place of the one at hand; None for one that this counter does not
        need and the office does not have. Raises ListNotFetched."""
        ...


@dataclass(frozen=True, slots=True)
class FetchRound:
    """What came of asking for all lists."""

    fetched: tuple[FetchedList, ...]
    faults: tuple[ListNotFetched, ...]

    @property
    def new(self) -> tuple[ListKind, ...]:
        """The lists that have a new edition."""
        return tuple(one.kind for one in self.fetched if one.new)


def fetch_all(source: ListSource) -> FetchRound:
    """Ask for every list. One that is refused does not keep the others away; a fault of the line does."""
    fetched: list[FetchedList] = []
    faults: list[ListNotFetched] = []
    for kind in ListKind:
        try:
            one = source.fetch(kind)
        except ListNotFetched as fault:
            faults.append(fault)
            if fault.fault in OF_THE_LINE:
                break
        else:
            fetched += [] if one is None else [one]
    return FetchRound(tuple(fetched), tuple(faults))


@dataclass(frozen=True, slots=True)
class FetchNote:
    """When every list was last fetched, and what has been wrong since."""

    at: datetime | None = None
    fault: ListFaultCode | None = None
    kind: ListKind | None = None
    since: datetime | None = None

    def after(self, done: FetchRound, at: datetime) -> FetchNote:
        """The note after a round; the same fault again keeps its first time."""
        if not done.faults:
            return FetchNote(at)
        first = done.faults[0]
        same = (self.fault, self.kind) == (first.fault, first.kind) and self.since is not None
        return FetchNote(self.at, first.fault, first.kind, self.since if same else at)


def read_note(folder: Path) -> FetchNote:
    """The note of this data directory; an empty one where there is none, or nobody can read it."""
    try:
        note = json.loads((folder / NOTE).read_bytes())
        at, since = (note[name] and datetime.fromisoformat(note[name]) for name in ("at", "since"))
        return FetchNote(
            at, note["fault"] and ListFaultCode(note["fault"]), note["kind"] and ListKind(note["kind"]), since
        )
    except (OSError, ValueError, KeyError, TypeError):
        return FetchNote()


def write_note(folder: Path, note: FetchNote) -> None:
    """Store it for the next program; a disk that refuses is no reason to stop."""
    moments = {"at": note.at and note.at.isoformat(), "since": note.since and note.since.isoformat()}
    try:
        private_files.replace(folder / NOTE, json.dumps(moments | {"fault": note.fault, "kind": note.kind}).encode())
    except OSError:
        return
