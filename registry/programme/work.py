"""What one upload comes to: the rows to insert, gathered before they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from registry.db.privacy import scrub
from registry.programme.finding_rows import finding_digest
from registry.programme.judgement import HOLDS, NOT_BOOKED, Facts, FindingKind, Mark, ProvenUse, RuledUse
from terminal.member.journal_rows import NO_ROW, JournalRow

Card = tuple[str, int]
"""Card number and sequence."""
_LONGEST_EVIDENCE: Final = 4096
_LONGEST_TEXT: Final = 200
_NO_PLACE: Final[Mapping[str, Any]] = dict.fromkeys(
    ("card_number", "sequence", "atc", "atc_until", "journal", "number", "evidence", "source")
)


@dataclass(frozen=True, slots=True)
class Upload:
    """Rows of one counter's journal, whose numbers follow each other, and the hash of the row before the first."""

    journal: str
    previous: bytes
    rows: tuple[JournalRow, ...]


@dataclass(slots=True)
class UploadWork:
    """Rows for the tables, from one upload of an outlet."""

    upload: Upload
    outlet: int
    now: datetime
    why: str = "uploaded"
    """Why findings are over that it resolves."""
    through: int = 0
    """The last row of the journal that was on record before."""
    booked: list[dict[str, Any]] = field(default_factory=list)
    known: int = 0
    reversed: list[dict[str, Any]] = field(default_factory=list)
    given: int = 0
    """Redemptions that the office has counted itself."""
    taken_back: set[tuple[str, int, int]] = field(default_factory=set)
    findings: list[dict[str, Any]] = field(default_factory=list)
    dated_back: dict[int, Facts] = field(default_factory=dict)
    """Numbers of rows that are dated before what they follow, with what that is."""
    links: dict[int, str] = field(default_factory=dict)
    """Hashes of rows that were read from a finding, by ``id``: those of the rows as the counter had them."""

    def book(self, row: JournalRow, use: ProvenUse, details: str = "{}") -> None:
        """A redemption to insert."""
        self.booked.append(
            {
                "card_number": use.card_number,
                "sequence": use.sequence,
                "atc": use.atc,
                "outlet_id": self.outlet,
                "merchant": use.merchant,
                "terminal": use.terminal,
                "benefit_class": use.benefit_class,
                "quantity": use.quantity,
                "amount": use.amount,
                "day": use.day.isoformat(),
                "clock": use.clock.isoformat(),
                "used": use.used,
                "limit": use.limit,
                "period_start": use.start and use.start.isoformat(),
                "scripts": use.scripts,
                "signed": use.signed,
                "cryptogram": use.cryptogram,
                "evidence": use.evidence,
                "journal": self.upload.journal,
                "number": row.number,
                "at": row.at,
                "booked_at": self.now,
                "details": details,
            }
        )

    def digest(self, kind: FindingKind, row: JournalRow) -> str:
        """The key of a finding about a row, which is named by its number and its hash: a journal whose older copy went
        on has two rows of one number."""
        return finding_digest(kind, self.upload.journal, row.number, self.link(row))

    def link(self, row: JournalRow) -> str:
        """The hash of a row alone, in hex."""
        return self.links.get(id(row)) or row.link(NO_ROW).hex()

    def mark(
        self,
        row: JournalRow,
        mark: Mark,
        card: Card | None = None,
        atc: int | None = None,
        *,
        about: int = 0,
        source: str | None = None,
    ) -> None:
        """Note what is wrong with a row. ``about`` is the row of the redemption, where that is another one and no card
        has counted it; ``source`` is what a later booking of it needs (``registry.programme.uploads.sources``)."""
        number, sequence = card or (None, None)
        evidence = str(row.data.get("evidence", "")).encode()[:_LONGEST_EVIDENCE] if mark.kind in NOT_BOOKED else None
        place = {"card_number": number, "sequence": sequence, "atc": atc, "evidence": evidence, "source": source}
        place |= {"journal": self.upload.journal, "number": about or row.number}
        self._add(mark.kind, self.digest(mark.kind, row), mark.facts, **place)

    def mark_use(self, mark: Mark, use: RuledUse) -> None:
        """Note what the programme's rules say against a booked redemption, which is named by its card: it may be of an
        earlier upload, and of another outlet."""
        place = {"card_number": use.card_number, "sequence": use.sequence, "atc": use.atc}
        digest = finding_digest(mark.kind, use.card_number, use.sequence, use.atc, str(mark.facts.get("rule", "")))
        self._add(mark.kind, digest, mark.facts, **place, journal=use.journal, number=use.number, outlet_id=use.outlet)

    def mark_journal(self, kind: FindingKind, first: int, last: int) -> None:
        """Note what is wrong with the journal between two rows."""
        digest = finding_digest(kind, self.upload.journal, first, last, self.upload.previous.hex())
        self._add(kind, digest, {"first": first, "last": last}, journal=self.upload.journal, number=last)

    def mark_gap(self, card: Card, first: int, last: int) -> None:
        """Note transaction counters of a card that nobody has uploaded."""
        place = {"card_number": card[0], "sequence": card[1], "atc": first, "atc_until": last}
        self._add(FindingKind.ATC_GAP, finding_digest(FindingKind.ATC_GAP, *card, first, last), {}, **place)

    def _add(self, kind: FindingKind, digest: str, facts: Facts, **place: object) -> None:
        text = json.dumps(dict(facts), ensure_ascii=False)
        row = {"digest": digest, "kind": kind.value, "at": self.now, "holds": kind in HOLDS, "outlet_id": self.outlet}
        self.findings.append({**_NO_PLACE, **row, "facts": text, **place})


def clean(value: object) -> str | int:
    """A value of a counter's row as it may be stored and shown: printable, short, without personal numbers."""
    if isinstance(value, int):
        return value
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    return scrub(" ".join(text.split())[:_LONGEST_TEXT])
