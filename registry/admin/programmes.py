"""Signed editions of the programme: what counters were given, when and by whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, func, insert, select

from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import programme_editions
from registry.errors import NotOnRecord

Sign = Callable[[int, datetime], bytes]
"""Signs an edition: version and time of issue to the signed file."""
_COUNTER: Final = "programme-editions"
_COLUMNS: Final = programme_editions.c
_BRIEF = (
    _COLUMNS.version,
    _COLUMNS.at,
    _COLUMNS.by,
    _COLUMNS.programme,
    _COLUMNS.division,
    _COLUMNS.digest,
    _COLUMNS.expires,
)


@dataclass(frozen=True, slots=True)
class PublishedProgramme:
    """What is published: the programme's name, the division of its federation, the digest of its values, and how long
    the edition may be used."""

    programme: str
    division: str
    digest: str
    life: timedelta


@dataclass(frozen=True, slots=True)
class ProgrammeEditionLine:
    """An edition of the programme, without its file."""

    version: int
    at: datetime
    by: str
    programme: str
    division: str
    digest: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class ProgrammeEditionFile(ProgrammeEditionLine):
    """An edition of the programme. ``signed`` is the file as counters read it."""

    signed: bytes = field(repr=False)


class ProgrammeEditions:
    """Repository of the programme's signed editions. No edition is ever changed or deleted."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def publish(self, published: PublishedProgramme, sign: Sign, *, by: str) -> ProgrammeEditionFile:
        """Sign an edition. Versions grow; a version is the Unix time of signing, where that is free.

        ``sign`` is called inside the transaction: what it raises leaves everything as it was.
        """
        now = self._context.clock()
        with self._context.write() as conn:
            allocate(conn, _COUNTER, 1)  # one edition after the other
            last = conn.execute(select(func.max(_COLUMNS.version))).scalar_one() or 0
            version = max(int(now.timestamp()), last + 1)
            values: dict[str, Any] = {
                "version": version,
                "at": now,
                "by": by,
                "programme": published.programme,
                "division": published.division,
                "digest": published.digest,
                "expires": now + published.life,
                "signed": sign(version, now),
            }
            conn.execute(insert(programme_editions).values(values))
            facts = {"name": published.programme, "digest": published.digest[:16]}
            self._context.audit(conn, by, "programme.publish", f"programme:{version}", **facts)
            return ProgrammeEditionFile(**values)

    def newest(self) -> ProgrammeEditionFile | None:
        """The newest edition; None before the first one."""
        chosen = select(programme_editions).order_by(_COLUMNS.version.desc()).limit(1)
        with self._context.read() as conn:
            row = conn.execute(chosen).one_or_none()
        return None if row is None else _edition(row)

    def edition(self, version: int) -> ProgrammeEditionFile:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            row = conn.execute(select(programme_editions).where(_COLUMNS.version == version)).one_or_none()
        if row is None:
            sentence = f"there is no edition {version} of the programme"
            raise NotOnRecord(sentence, reason="programme-edition", version=version)
        return _edition(row)

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[ProgrammeEditionLine]:
        """All editions, newest first, without the files. Raises BadCursor."""
        chosen = select(*_BRIEF).order_by(_COLUMNS.version.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(_COLUMNS.version < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
        return page_of(rows, limit, lambda row: ProgrammeEditionLine(*row), lambda row: [row.version])


def _edition(row: Row[*tuple[Any, ...]]) -> ProgrammeEditionFile:
    return ProgrammeEditionFile(**row._mapping)
