"""Uploads of redemptions by the counters of an outlet, booked redemptions, and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from programme.booking_rules import BookingRules
from programme.records.grant_rules import ProgrammeGrantRules
from reader_service.errors import Conflict, Forbidden, Invalid
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.db.paging import Page
from registry.programme.booking import BookedAgain, BookingResult
from registry.programme.findings import Finding
from registry.programme.grants import GrantRefused, GrantRequest, OnlineGrant
from registry.programme.judgement import Prove
from registry.programme.redemptions import RedemptionView
from registry.programme.work import Upload
from terminal.errors import CodecError, KeyNotFound
from terminal.keys import KeyCustody, KeyRef
from terminal.member.issuing import proves
from terminal.member.journal_rows import JournalRow
from terminal.member.redemption.evidence import RedemptionEvidence

MASTER: Final = "imk-ac"
"""The master of the keys with which member cards compute their cryptograms."""


class BookingService:
    """Redemptions in the office. A counter uploads with a token of its outlet, and sees nothing of others."""

    def __init__(self, parts: ServiceParts) -> None:
        self._registry = parts.registry
        self._custody = parts.custody
        self._rules = BookingRules(parts.registry.programme_editions, parts.zone)

    def upload(
        self, p: Principal, journal: str, previous: bytes, rows: Sequence[Mapping[str, object]]
    ) -> BookingResult:
        """Book rows of the journal of one of the outlet's counters. Repeated, it changes nothing.

        Raises Conflict without a token of an outlet, for the journal of another outlet, and for rows that do not follow
        each other; Invalid for a row out of form; CustodyError where the key is away.
        """
        outlet = _outlet_of(p)
        upload = Upload(journal, previous, tuple(_rows(rows)))
        with translate_registry_errors():
            prove, rules = prove_with(self._custody), self._rules.refreshed()
            return self._registry.booking.book(outlet, upload, prove, by=p.name, rules=rules)

    def through(self, p: Principal, journal: str) -> int:
        """The number of the last row that the office has of a journal; 0 for a new one. Raises Conflict."""
        outlet = _outlet_of(p)
        with translate_registry_errors():
            return self._registry.booking.through(outlet, journal)

    def ask(self, p: Principal, wanted: GrantRequest) -> OnlineGrant | GrantRefused:
        """Count a use of a benefit that the office counts, for one of the outlet's counters. Repeated, it is the same
        use. Raises Conflict without a token of an outlet, for the journal of another outlet, and for another request
        under the same row."""
        outlet = _outlet_of(p)
        with translate_registry_errors():
            rules = ProgrammeGrantRules(self._rules.refreshed())
            return self._registry.grants.ask(outlet, wanted, rules, by=p.name)

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        merchant: str | None = None,
        outlet: int | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> Page[RedemptionView]:
        """Booked redemptions, the last booked first. Raises WrongCursor."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._registry.redemptions.page(
                cursor, limit, merchant=merchant, outlet=outlet, first=first, last=last
            )

    def findings(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        kind: str | None = None,
        outlet: int | None = None,
        closed: bool = False,
    ) -> Page[Finding]:
        """Open findings or closed ones, the oldest first. Raises WrongCursor."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._registry.findings.page(cursor, limit, kind=kind, outlet=outlet, closed=closed)

    def finding(self, p: Principal, number: int) -> Finding:
        """Raises NotFound."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._registry.findings.finding(number)

    def close_finding(self, p: Principal, number: int, decision: str, reason: str) -> Finding:
        """Accept or refuse, as a person. Raises Forbidden for a token, Invalid, NotFound, Conflict."""
        _need_person(p)
        why = needs_reason(reason)
        with translate_registry_errors():
            rules = self._rules.refreshed()
            return self._registry.findings.close(number, decision, by=p.name, reason=why, rules=rules)

    def book_again(self, p: Principal, number: int) -> BookedAgain:
        """Book the redemption of a finding whose card is on record by now, or its key in custody, as a person. Raises
        Forbidden for a token, NotFound, Conflict, CustodyError."""
        _need_person(p)
        with translate_registry_errors():
            rules = self._rules.refreshed()
            return self._registry.booking.again(number, prove_with(self._custody), by=p.name, rules=rules)

    def book_all_again(self, p: Principal) -> tuple[BookedAgain, ...]:
        """The same of every finding that may be booked now; those of which something came. Raises Forbidden for a
        token, CustodyError."""
        _need_person(p)
        with translate_registry_errors():
            rules = self._rules.refreshed()
            return self._registry.booking.again_all(prove_with(self._custody), by=p.name, rules=rules)

    def to_book(self, p: Principal) -> int:
        """How many findings may be booked now."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._registry.booking.to_book()

    def renew(self) -> tuple[BookedAgain, ...]:
        """For the service itself: book what waited for a card that is on record by now. Raises RegistryError,
        CustodyError."""
        if not self._registry.booking.to_book(unproven=False):
            return ()
        prove, rules = prove_with(self._custody), self._rules.refreshed()
        return self._registry.booking.again_all(prove, rules=rules, unproven=False)


def _need_person(p: Principal) -> None:
    p.need(Permission.FINDINGS_CLOSE)
    if p.token:
        raise Forbidden("a token cannot decide findings; sign in as a person for this")


def prove_with(custody: KeyCustody) -> Prove:
    """Proof by the newest version of the master, then by older ones, for cards that were issued under them. Raises
    CustodyError where there is none."""
    newest = custody.latest(MASTER)
    masters = [newest, *(KeyRef(MASTER, version) for version in range(newest.version - 1, 0, -1))]

    def prove(evidence: RedemptionEvidence) -> bool:
        return any(_proves(custody, master, evidence) for master in masters)

    return prove


def _proves(custody: KeyCustody, master: KeyRef, evidence: RedemptionEvidence) -> bool:
    try:
        return proves(custody, master, evidence)
    except KeyNotFound:
        return False  # an older version that is no more


def _outlet_of(p: Principal) -> int:
    p.need(Permission.REDEMPTIONS_UPLOAD)
    if not p.outlet:
        raise Conflict("this needs a token of an outlet: an administrator issues one", reason="outlet-missing")
    return p.outlet


def _rows(rows: Sequence[Mapping[str, object]]) -> list[JournalRow]:
    taken, wrong = [], {}
    for place, row in enumerate(rows):
        try:
            taken.append(JournalRow.from_json(dict(row)))
        except CodecError as error:
            wrong[f"rows.{place}"] = str(error)
    if wrong:
        raise Invalid("rows of the journal are out of form; nothing was booked", dict(list(wrong.items())[:20]))
    return taken
