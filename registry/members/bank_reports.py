"""Reports of losses for the bank whose application is on the same chip: each loss once, each unlisting once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, or_, select, update

from registry.batches.pans import pans_of_cards
from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import bank_reports, losses, members, pans
from registry.errors import NotOnRecord, RegistryConflict


@dataclass(frozen=True, slots=True)
class BankReport:
    """A report: its number, when and by whom it was made, and what is in it. ``since`` is the time of the one
    before."""

    number: int
    at: datetime
    by: str
    since: datetime | None
    losses: int
    unlistings: int


@dataclass(frozen=True, slots=True)
class BankLine:
    """A line of a report. ``account`` is the number (PAN) of the bank's application, in clear: the bank knows the card
    by nothing else. ``unlisted``: the card was found."""

    loss: int
    unlisted: bool
    at: datetime
    account: str = field(repr=False)
    name_masked: str


class BankReports:
    """Repository of reports for the bank. A card without the bank's application is in none."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def make(self, *, by: str) -> BankReport:
        """A report of what is new. A loss that was unlisted before any report is in none.

        Raises RegistryConflict where nothing is new.
        """
        with self._context.write() as conn:
            number = allocate(conn, "bank/reports", 1)[0]
            conn.execute(insert(bank_reports).values(id=number, at=self._context.clock(), by=by))
            unlisted = (*_new_unlistings(), losses.c.reported_in.is_not(None))
            count = conn.execute(update(losses).where(*unlisted).values(unlisting_reported_in=number)).rowcount
            count += conn.execute(update(losses).where(*_new_losses()).values(reported_in=number)).rowcount
            if not count:
                raise RegistryConflict("no loss is new since the last report", reason="bank-nothing-new")
            report = _report(conn, number)
            subject = f"report:{number}"
            self._context.audit(conn, by, "bank.report", subject, losses=report.losses, unlistings=report.unlistings)
            return report

    def new(self) -> int:
        """How many losses and unlistings the next report would have."""
        with self._context.read() as conn:
            unlisted = (*_new_unlistings(), losses.c.reported_in.is_not(None))
            return sum(
                conn.execute(select(func.count()).select_from(losses).where(*chosen)).scalar_one()
                for chosen in (_new_losses(), unlisted)
            )

    def lines(self, number: int, *, by: str) -> list[BankLine]:
        """The lines of a report, in the order of their times; each look is audited. Raises NotOnRecord."""
        with self._context.write() as conn:
            _report(conn, number)
            mine = or_(losses.c.reported_in == number, losses.c.unlisting_reported_in == number)
            lines = [
                line
                for line in _lines(conn, self._context, mine)
                if (line[1].unlisting_reported_in if line[0].unlisted else line[1].reported_in) == number
            ]
            self._context.audit(conn, by, "bank.export", f"report:{number}", lines=len(lines))
        return [line for line, _ in lines]

    def since(self, at: datetime, *, by: str) -> list[BankLine]:
        """Every loss and unlisting from a time on, whether a report had it or not; each look is audited."""
        with self._context.write() as conn:
            late = or_(losses.c.at >= at, losses.c.unlisted_at >= at)
            lines = [line for line, _ in _lines(conn, self._context, late) if line.at >= at]
            self._context.audit(conn, by, "bank.export", "losses", lines=len(lines), since=at.isoformat())
        return lines

    def report(self, number: int) -> BankReport:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _report(conn, number)

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[BankReport]:
        """All reports, newest first. Raises BadCursor."""
        chosen = _reports().order_by(bank_reports.c.id.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(bank_reports.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _report_of, lambda row: [row.id])


def _with_account() -> ColumnElement[bool]:
    return losses.c.card_number.in_(select(pans.c.card_number))


def _new_losses() -> tuple[ColumnElement[bool], ...]:
    return losses.c.reported_in.is_(None), losses.c.unlisted_at.is_(None), _with_account()


def _new_unlistings() -> tuple[ColumnElement[bool], ...]:
    return losses.c.unlisting_reported_in.is_(None), losses.c.unlisted_at.is_not(None), _with_account()


def _lines(
    conn: Connection, context: RegistryContext, condition: ColumnElement[bool]
) -> list[tuple[BankLine, Row[*tuple[Any, ...]]]]:
    chosen = select(losses, members.c.name_masked).join(members, members.c.id == losses.c.member_id)
    rows = conn.execute(chosen.where(condition, _with_account()).order_by(losses.c.id)).all()
    accounts = pans_of_cards(conn, context.personal, [row.card_number for row in rows])
    lines = []
    for row in rows:
        account = accounts[row.card_number]
        lines.append((BankLine(row.id, False, row.at, account, row.name_masked), row))
        if row.unlisted_at is not None:
            lines.append((BankLine(row.id, True, row.unlisted_at, account, row.name_masked), row))
    return sorted(lines, key=lambda line: (line[0].at, line[0].loss))


def _reports() -> Select[Any]:
    earlier = bank_reports.alias()
    since = select(func.max(earlier.c.at)).where(earlier.c.id < bank_reports.c.id).scalar_subquery()
    own = select(func.count()).select_from(losses).where(losses.c.reported_in == bank_reports.c.id).scalar_subquery()
    unlisted = losses.c.unlisting_reported_in == bank_reports.c.id
    lifted = select(func.count()).select_from(losses).where(unlisted).scalar_subquery()
    return select(bank_reports, since.label("since"), own.label("losses"), lifted.label("unlistings"))


def _report(conn: Connection, number: int) -> BankReport:
    row = conn.execute(_reports().where(bank_reports.c.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no report {number} for the bank", reason="bank-report", number=number)
    return _report_of(row)


def _report_of(row: Row[*tuple[Any, ...]]) -> BankReport:
    return BankReport(row.id, row.at, row.by, row.since, row.losses, row.unlistings)
