"""How old the lists in a counter's data directory are, and until when they may be relied on."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from membercard.errors import SettingsError
from membercard.wiring.counter_lists import HOTLIST, LIST_KEY, TRUST, read_key
from membercard.wiring.programme_edition import PROGRAMME
from reader_service.services.counter.fetched_lists import NAMES, ListDates, ListKind, dates_of
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError, IntegrityError
from terminal.member.signed import Issue, read

FILES: Final = {ListKind.TRUST: TRUST, ListKind.HOTLIST: HOTLIST, ListKind.PROGRAMME: PROGRAMME}
"""Their names in the data directory."""


def stored_dates(folder: Path, at: datetime, oldest: timedelta, *, programme: bool) -> list[ListDates]:
    """The dates of the lists in a data directory; one that cannot be read is missing."""
    dates = []
    for kind, name in FILES.items():
        content = content_of(folder / name)
        if kind is ListKind.PROGRAMME and content is None and not programme:
            continue
        try:
            key = read_key(folder / LIST_KEY)
        except SettingsError:
            content = None
        issue = None if content is None else _issue(kind, content, key)
        dates.append(dates_of(kind, issue, at, oldest if kind is ListKind.HOTLIST else None))
    return dates


def _issue(kind: ListKind, content: bytes, key: RsaPublic) -> Issue | None:
    try:
        return read(NAMES[kind], content, key)[1]
    except (CodecError, IntegrityError):
        return None


def content_of(path: Path) -> bytes | None:
    """None for a file that is not there, or cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None
