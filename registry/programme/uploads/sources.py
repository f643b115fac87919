"""Rows of a counter that were not booked, as their findings have them: what a later booking needs, and no more."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, Row, exists, select

from registry.db.tables import cards, findings
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.judgement import AGAIN, FindingKind
from terminal.errors import CodecError
from terminal.member.journal_rows import JournalRow, RowKind
from terminal.member.redemption.evidence import RedemptionEvidence

MOST_AT_ONCE: Final = 500
"""Findings that are booked again by one call."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row that waits in a finding. ``link`` is the hash of the row as the counter had it, empty for a finding of an
    earlier version; ``details`` are the counter's own values about the request, as JSON. ``late``: it was put among
    rows on record, or was dated back."""

    finding: int
    row: JournalRow
    link: str = ""
    details: str = "{}"
    late: bool = False


def source_of_use(row: JournalRow, link: str, details: str) -> str:
    """Of a redemption; its evidence stands beside it."""
    return _text(row, link, details=details)


def source_of_reversal(row: JournalRow, link: str, own: dict[str, str], late: bool) -> str | None:
    """Of a reversal, with the values ``by`` and ``reason`` as they may be stored; None where it names no row."""
    number = row.data.get("redemption")
    return _text(row, link, redemption=number, late=late, **own) if isinstance(number, int) else None


def _text(row: JournalRow, link: str, **values: object) -> str:
    named = {"at": row.at.isoformat(), "kind": row.kind.value, "link": link}
    return json.dumps({**named, **values}, ensure_ascii=False)


def request_of(row: JournalRow) -> str | None:
    """The values in hex that a card was asked with, by evidence that is not proven; None where it has none."""
    try:
        return RedemptionEvidence.decode(row.octets("evidence")).request.encode().hex()
    except CodecError:
        return None


def use_of_finding(finding: Row[Any], zone: tzinfo) -> SourceRow:
    """The row of a redemption that was not booked. Of a finding of an earlier version it has the time of the request,
    in this zone. Raises CodecError for evidence in no form."""
    encoded = bytes(finding.evidence or b"").decode("ascii", "replace")
    try:
        evidence = RedemptionEvidence.decode(bytes.fromhex(encoded))
    except ValueError:
        raise CodecError("the finding has no evidence") from None
    data: dict[str, str | int] = {"card": evidence.card_number, "sequence": evidence.sequence}
    data |= {"counter": evidence.counter, "evidence": encoded}
    if finding.source is None:
        request = evidence.request
        at = datetime.combine(request.day, request.clock, zone)
        return SourceRow(finding.id, JournalRow(finding.number, at, RowKind.REDEEMED, data))
    source = json.loads(finding.source)
    row = JournalRow(finding.number, datetime.fromisoformat(source["at"]), RowKind(source["kind"]), data)
    return SourceRow(finding.id, row, source["link"], source["details"])


def waiting_reversals(conn: Connection, journal: str, numbers: Collection[int]) -> Iterator[SourceRow]:
    """Reversals of these rows of a journal that came while the redemption was not booked, in their order."""
    if not numbers:
        return
    this = findings.c
    chosen = select(this.id, this.number, this.source).where(
        this.kind == FindingKind.REVERSAL_UNKNOWN.value,
        this.journal == journal,
        this.closed_at.is_(None),
        this.source.is_not(None),
    )
    for one in conn.execute(chosen.order_by(this.number, this.id)).all():
        source = json.loads(one.source)
        if source["redemption"] not in numbers:
            continue
        data = {name: source[name] for name in ("redemption", "by", "reason") if name in source}
        row = JournalRow(one.number, datetime.fromisoformat(source["at"]), RowKind.REVERSED, data)
        yield SourceRow(one.id, row, source["link"], late=source["late"])


def finding_to_book(conn: Connection, number: int, *, lock: bool = False) -> Row[Any]:
    """A finding whose redemption may be booked yet; with ``lock`` nobody decides it from here on. Raises NotOnRecord,
    RegistryConflict."""
    chosen = select(findings).where(findings.c.id == number)
    finding = conn.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if finding is None:
        raise NotOnRecord(f"there is no finding {number}", reason="finding", finding=number)
    if finding.kind not in AGAIN:
        raise not_again(number)
    if finding.closed_at is not None:
        raise RegistryConflict(f"finding {number} is closed already", reason="finding-closed", finding=number)
    return finding


def not_again(number: int) -> RegistryConflict:
    """A finding that has no redemption to book."""
    sentence = f"finding {number} has no redemption that could be booked"
    return RegistryConflict(sentence, reason="finding-not-again", finding=number)


def findings_to_book(conn: Connection, *, unproven: bool) -> list[int]:
    """Open findings whose redemption may be booked now, the oldest first: of unknown cards that are on record; with
    ``unproven`` also those whose cryptogram was wrong."""
    this = findings.c
    on_record = exists().where(cards.c.card_number == this.card_number, cards.c.sequence == this.sequence)
    wanted = (this.kind == FindingKind.UNKNOWN_CARD.value) & on_record
    if unproven:
        wanted |= this.kind == FindingKind.WRONG_CRYPTOGRAM.value
    chosen = select(this.id).where(this.closed_at.is_(None), wanted).order_by(this.id).limit(MOST_AT_ONCE)
    return list(conn.execute(chosen).scalars())
