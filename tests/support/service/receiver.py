"""An office in memory for tests of uploads, and journals with redemptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from reader_service.redemptions.intents import IntentResult, UploadBatch
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.receiver import UploadFaultCode, UploadReceipt, UploadRefused
from terminal.member.journal_rows import NO_ROW, JournalRow, RowKind
from tests.support.cards.member_issuer import NOW


@dataclass
class ReceiverInMemory:
    """An office in memory; ``faults`` are raised one by one, those of ``after`` when it has taken the rows."""

    rows: dict[int, JournalRow] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)
    most: int = 10_000
    sent: list[int] = field(default_factory=list)
    head: bytes = NO_ROW

    def through(self, journal: str) -> int:
        return max(self.rows, default=0)

    def take(self, batch: UploadBatch) -> UploadReceipt:
        if self.faults:
            raise self.faults.pop(0)
        if len(batch.rows) > self.most:
            raise UploadRefused(UploadFaultCode.TOO_LARGE)
        self.sent.append(len(batch.rows))
        first, known = batch.rows[0].number, 0
        assert first <= self.through("") + 1, "a gap"
        if first == self.through("") + 1:
            assert batch.previous == self.head
        for row in batch.rows:
            known += row.number in self.rows
            assert self.rows.setdefault(row.number, row) == row
        if batch.through == self.through(""):
            digest = batch.previous
            for row in batch.rows:
                digest = row.link(digest)
            self.head = digest
        if self.after:
            raise self.after.pop(0)
        return UploadReceipt(len(batch.rows) - known, known)


def filled(journal: RedemptionJournal, redemptions: int, at: datetime = NOW) -> None:
    for number in range(redemptions):
        intent = journal.begin(f"62123400000{number:05d}", 1, b"request", at)
        journal.finish(intent, IntentResult(RowKind.REDEEMED, journal.last, b"evidence"), at)
