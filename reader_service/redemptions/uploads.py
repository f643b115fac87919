"""Uploads of a counter: rows to the office in their order until none waits.

The journal notes rows as uploaded only after the office's answer. So a kill at any moment, a cut line and a lost answer
all end alike: the same rows are sent again, of which the office takes those that it has not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.receiver import UploadFaultCode, UploadReceiver, UploadRefused
from terminal import private_files

ROWS: Final = 100
"""Rows of one upload; fewer where the office takes no request of that size."""
NOTE: Final = "redemptions-upload.json"
"""File in the data directory with the fault of the last upload."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came of an upload."""

    rows: int = 0
    booked: int = 0
    known: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UploadFault:
    """Why rows wait, and since when it is so."""

    fault: UploadFaultCode
    since: datetime


class Uploader:
    """The way of one journal to its office. Not safe for two threads."""

    def __init__(self, journal: RedemptionJournal, receiver: UploadReceiver, clock: Callable[[], datetime]) -> None:
        self._journal, self._receiver, self._clock = journal, receiver, clock
        self._rows = ROWS

    def run(self, ended: Callable[[], bool] = lambda: False) -> Uploaded:
        """Upload until nothing waits, or until ``ended``. Where the office has fewer rows than were uploaded, as after
        its restore from a backup, those that it lost are sent again. Where it has more than this journal, which then is
        an older copy, what waits is uploaded all the same, and then it is a fault.

        Raises ReceiverAway, UploadRefused, JournalError; what the office has taken until then stays noted.
        """
        rows = booked = known = 0
        findings = Counter[str]()
        present, newest = self._receiver.through(self._journal.name), self._journal.last
        behind = present if present < self._journal.through else None
        while not ended():
            batch = self._journal.batch(self._rows, after=behind)
            if batch is None:
                break
            try:
                receipt = self._receiver.take(batch)
            except UploadRefused as refused:
                if refused.fault is not UploadFaultCode.TOO_LARGE or len(batch.rows) == 1:
                    raise
                self._rows = max(1, len(batch.rows) // 2)
                continue
            if behind is not None:
                behind = batch.through if batch.through < self._journal.through else None
            self._journal.uploaded(batch.through, self._clock())
            rows, booked, known = rows + len(batch.rows), booked + receipt.booked, known + receipt.known
            findings.update(receipt.findings)
        if present > newest:
            raise UploadRefused(UploadFaultCode.JOURNAL)
        return Uploaded(rows, booked, known, dict(findings))


def fault_on_record(folder: Path) -> UploadFault | None:
    """The fault of the last upload from this data directory; None where there was none, or nobody knows."""
    try:
        note = json.loads((folder / NOTE).read_bytes())
        return UploadFault(UploadFaultCode(note["fault"]), datetime.fromisoformat(note["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_failed(folder: Path, code: UploadFaultCode, at: datetime) -> UploadFault:
    """Put a failed upload on record; the same fault again keeps its first time."""
    before = fault_on_record(folder)
    if before is not None and before.fault is code:
        return before
    fault = UploadFault(code, at)
    note_fault(folder, fault)
    return fault


def note_fault(folder: Path, fault: UploadFault | None) -> None:
    """Put it on record for the next program; a disk that refuses is no reason to stop an upload."""
    path = folder / NOTE
    try:
        if fault is None:
            path.unlink(missing_ok=True)
        else:
            note = {"fault": fault.fault.value, "since": fault.since.isoformat()}
            private_files.replace(path, json.dumps(note).encode())
    except OSError:
        return
