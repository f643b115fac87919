"""Signed editions of the programme, and the programmes that wait for a second person to publish them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.counters import allocate
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import scrub
from registry.db.tables import programme_editions, programme_proposals
from registry.errors import NotOnRecord, RegistryConflict

Sign = Callable[[int, datetime], bytes]
"""Signs an edition: version and time of issue to the signed file."""
_COUNTER: Final = "programme-editions"
_LONGEST_SOURCE: Final = 200
_PROPOSED: Final = programme_proposals.c
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
    """An edition of the programme. ``signed`` is the file as counters read it; ``proposal`` the one that a second
    person published, None where one person was enough."""

    signed: bytes = field(repr=False)
    proposal: int | None = None


class ProposalState(StrEnum):
    """Where a proposal stands."""

    WAITING = "waiting"
    PUBLISHED = "published"
    REFUSED = "refused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ProgrammeProposal:
    """A programme that was handed in to be published. ``days`` is how long the edition may be used, ``source`` the
    file's name, ``version`` the edition that it became."""

    number: int
    at: datetime
    by: str
    programme: str
    division: str
    digest: str
    days: int
    source: str
    state: ProposalState
    decided_at: datetime | None
    decided_by: str | None
    decided_reason: str
    version: int | None


class ProgrammeEditions:
    """Repository of the programme's signed editions. No edition is ever changed or deleted."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def propose(self, published: PublishedProgramme, content: str, source: str, *, by: str) -> ProgrammeProposal:
        """Hand in a programme, whose file is ``content`` with the name ``source``; nothing is published before a second
        person does. Raises RegistryConflict for the same programme that waits already."""
        with self._context.write() as conn:
            allocate(conn, _COUNTER, 1)
            same = (_PROPOSED.state == ProposalState.WAITING.value, _PROPOSED.digest == published.digest)
            other = conn.execute(select(_PROPOSED.id).where(*same)).scalar_one_or_none()
            if other is not None:
                sentence = f"proposal {other} of the same programme waits already"
                raise RegistryConflict(sentence, reason="proposal-waiting", number=other)
            values = {
                "at": self._context.clock(),
                "by": by,
                "programme": published.programme,
                "division": published.division,
                "digest": published.digest,
                "days": published.life.days,
                "source": scrub(source)[:_LONGEST_SOURCE],
                "content": content,
                "state": ProposalState.WAITING.value,
            }
            number = conn.execute(insert(programme_proposals).values(values).returning(_PROPOSED.id)).scalar_one()
            facts = {"name": published.programme, "digest": published.digest[:16]}
            self._context.audit(conn, by, "programme.propose", f"proposal:{number}", **facts)
            return _proposal(_proposed(conn, number))

    def publish(self, number: int, sign: Sign, *, by: str, against: int | None = None) -> ProgrammeEditionFile:
        """The second person publishes a proposal. Versions grow; a version is the Unix time of signing, where that is
        free. ``sign`` is called inside the transaction: what it raises leaves everything as it was. ``against`` is the
        newest edition (0 where there was none) with which that person compared it.

        Raises NotOnRecord, RegistryConflict for one that does not wait, where another edition than ``against`` is the
        newest, and, as OWN_WORK, for who handed it in.
        """
        now = self._context.clock()
        with self._context.write() as conn:
            allocate(conn, _COUNTER, 1)  # one edition after the other
            published = self._waiting(conn, number, by)
            last = conn.execute(select(func.max(_COLUMNS.version))).scalar_one() or 0
            if against is not None and against != last:
                sentence = "another edition was published since these changes were looked at; look at them again"
                raise RegistryConflict(sentence, reason="programme-changed")
            version = max(int(now.timestamp()), last + 1)
            values: dict[str, Any] = {
                "version": version,
                "at": now,
                "by": by,
                "programme": published.programme,
                "division": published.division,
                "digest": published.digest,
                "expires": now + timedelta(days=published.days),
                "signed": sign(version, now),
            }
            conn.execute(insert(programme_editions).values(values | {"proposal_id": number}))
            decided = {"state": ProposalState.PUBLISHED.value, "decided_at": now, "decided_by": by, "version": version}
            conn.execute(update(programme_proposals).where(_PROPOSED.id == number).values(decided))
            facts = {"name": published.programme, "digest": published.digest[:16]}
            self._context.audit(conn, by, "programme.publish", f"programme:{version}", **facts)
            return ProgrammeEditionFile(**values, proposal=number)

    def refuse(self, number: int, *, by: str, reason: str) -> ProgrammeProposal:
        """The second person does not publish it. Raises as ``publish``."""
        return self._end(number, ProposalState.REFUSED, by, reason)

    def cancel(self, number: int, *, by: str, reason: str) -> ProgrammeProposal:
        """Take a proposal back. Raises NotOnRecord, RegistryConflict for one that does not wait."""
        return self._end(number, ProposalState.CANCELLED, by, reason)

    def proposal(self, number: int) -> ProgrammeProposal:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _proposal(_proposed(conn, number))

    def content(self, number: int) -> str:
        """The file of a proposal. Raises NotOnRecord."""
        with self._context.read() as conn:
            return str(_proposed(conn, number).content)

    def proposals(
        self, cursor: str | None = None, limit: int = 50, *, state: ProposalState | None = None
    ) -> Page[ProgrammeProposal]:
        """Proposals, newest first. Raises BadCursor."""
        chosen = select(programme_proposals).order_by(_PROPOSED.id.desc()).limit(cut(limit) + 1)
        if state is not None:
            chosen = chosen.where(_PROPOSED.state == state.value)
        if cursor is not None:
            chosen = chosen.where(_PROPOSED.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _proposal, lambda row: [row.id])

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

    def before(self, version: int) -> ProgrammeEditionFile | None:
        """The edition before a version; None before the first one."""
        chosen = select(programme_editions).where(_COLUMNS.version < version).order_by(_COLUMNS.version.desc()).limit(1)
        with self._context.read() as conn:
            row = conn.execute(chosen).one_or_none()
        return None if row is None else _edition(row)

    def since(self, version: int) -> list[ProgrammeEditionFile]:
        """The editions behind a version, the oldest first."""
        chosen = select(programme_editions).where(_COLUMNS.version > version).order_by(_COLUMNS.version)
        with self._context.read() as conn:
            return [_edition(row) for row in conn.execute(chosen)]

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[ProgrammeEditionLine]:
        """All editions, newest first, without the files. Raises BadCursor."""
        chosen = select(*_BRIEF).order_by(_COLUMNS.version.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(_COLUMNS.version < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
        return page_of(rows, limit, lambda row: ProgrammeEditionLine(*row), lambda row: [row.version])

    def _waiting(self, conn: Connection, number: int, second: str = "") -> Row[*tuple[Any, ...]]:
        """A proposal that waits, for a second person where one is given. Raises NotOnRecord, RegistryConflict."""
        row = _proposed(conn, number)
        if row.state != ProposalState.WAITING:
            sentence = f"proposal {number} is {row.state} and does not wait any more"
            raise RegistryConflict(sentence, reason="proposal-over", number=number, state=row.state)
        if second:
            sentence = f"{second} handed in proposal {number}, in person or by a token; another person publishes it"
            refuse_same_person(conn, row.by, second, sentence, number=number)
        return row

    def _end(self, number: int, state: ProposalState, by: str, reason: str) -> ProgrammeProposal:
        why = reason_given(reason)
        with self._context.write() as conn:
            allocate(conn, _COUNTER, 1)
            self._waiting(conn, number, by if state is ProposalState.REFUSED else "")
            decided = {"state": state.value, "decided_at": self._context.clock(), "decided_by": by}
            conn.execute(
                update(programme_proposals).where(_PROPOSED.id == number).values(**decided, decided_reason=why)
            )
            self._context.audit(conn, by, f"programme.{state}", f"proposal:{number}", why)
            return _proposal(_proposed(conn, number))


def _edition(row: Row[*tuple[Any, ...]]) -> ProgrammeEditionFile:
    values = dict(row._mapping)
    return ProgrammeEditionFile(proposal=values.pop("proposal_id"), **values)


def _proposed(conn: Connection, number: int) -> Row[*tuple[Any, ...]]:
    row = conn.execute(select(programme_proposals).where(_PROPOSED.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no proposal {number} of a programme", reason="proposal", number=number)
    return row


def _proposal(row: Row[*tuple[Any, ...]]) -> ProgrammeProposal:
    return ProgrammeProposal(
        number=row.id,
        at=row.at,
        by=row.by,
        programme=row.programme,
        division=row.division,
        digest=row.digest,
        days=row.days,
        source=row.source,
        state=ProposalState(row.state),
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        decided_reason=row.decided_reason,
        version=row.version,
    )
