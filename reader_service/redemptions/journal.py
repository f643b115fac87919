"""The redemption journal of a counter: what it is about to ask of a card, and what came of it, on the disk first.

``begin`` writes the request, and only then may the card be asked; ``finish`` writes the result, and only then may
anything be given. Where no answer came, or the program was killed in between, the intent is still open at the next
opening, and the card says at its next insertion what became of it (docs/redemption.md, A torn redemption).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from reader_service.redemptions.errors import (
    ClockSetBack,
    JournalDamaged,
    JournalUnavailable,
    RedemptionPending,
    RedemptionRepeated,
    RowMisplaced,
)
from reader_service.redemptions.intents import GrantedUse, Intent, IntentResult, UploadBatch
from reader_service.redemptions.sealed_log import Damage, SealedLog
from terminal.errors import CodecError
from terminal.localtime import date_time
from terminal.member.journal_rows import COUNTED, ENDS_INTENT, GIVES, JournalRow, RowKind

FOLDER: Final = "redemptions"
"""Folder in the data directory."""
CLOCK_STEP: Final = timedelta(minutes=1)
"""How far a clock may be set back, as a time service does it."""
LONGEST_TEXT: Final = 200
"""Characters of a reason or a name."""
_WORK: Final = frozenset((RowKind.OPENED, RowKind.INTENT, RowKind.ACKNOWLEDGED))
"""Rows that somebody writes: an upload by itself confirms no clock."""
_PLACES: Final = 100
"""Damaged places in one row."""
_ROWS_OF_INTENT: Final = 4
"""Rows that an intent needs room for: itself, one more while it is open, its result, a reversal."""


class RedemptionJournal:
    """The open journal. Safe for many threads of one process; a second process is refused."""

    def __init__(self, log: SealedLog, at: datetime) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._open: dict[int, Intent] = {}
        self._counted: dict[tuple[str, int, int], int] = {}
        self._of_card: dict[tuple[str, int], list[tuple[int, int]]] = {}
        self._about: dict[int, int] = {}
        self._granted: dict[int, GrantedUse] = {}
        self._redemptions: set[int] = set()
        self._reversed: set[int] = set()
        self._through = 0
        self._waiting: list[tuple[int, datetime]] = []
        self._uploaded_at: datetime | None = None
        self._clock: datetime | None = None
        self._worked = at
        self._unseen = {damage.offset: damage for damage in log.damage}
        for row in log.rows:
            self._follow(row)
        if log.next_number == 1:
            self._log.reserve(_ROWS_OF_INTENT)
            self._append(RowKind.OPENED, at)
        if log.cut:
            self._log.reserve(_ROWS_OF_INTENT)
            self._append(RowKind.CUT, at, bytes=log.cut)
        self.cut = log.cut
        """Bytes of a half-written last row, which was removed at this opening."""

    @classmethod
    def open(cls, folder: Path, at: datetime) -> RedemptionJournal:
        """Open the journal in a folder, or create it. A damaged journal opens too: ``damage`` names what is.

        Raises JournalBusy, JournalUnavailable, JournalFull.
        """
        log = SealedLog.open(folder)
        try:
            return cls(log, at)
        except BaseException:
            log.close()
            raise

    def close(self) -> None:
        """Close it, for another program to open. Safe to call twice."""
        with self._lock:
            self._log.close()

    def __enter__(self) -> RedemptionJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """32 hex digits that name this journal."""
        return self._log.name

    @property
    def damage(self) -> tuple[Damage, ...]:
        """Damaged places that nobody has acknowledged, in their order."""
        return tuple(self._unseen[offset] for offset in sorted(self._unseen))

    @property
    def open_intents(self) -> tuple[Intent, ...]:
        """Intents without a result, the oldest first: their cards are asked at their next insertion."""
        with self._lock:
            return tuple(self._open.values())

    def open_intent(self, card_number: str, sequence: int) -> Intent | None:
        """The open intent of a card."""
        with self._lock:
            return self._intent_of(card_number, sequence)

    def intent(self, number: int) -> Intent:
        """An open intent. Raises RowMisplaced."""
        with self._lock:
            if number not in self._open:
                raise RowMisplaced(f"the intent of row {number} has ended, or is of another journal")
            return self._open[number]

    def begin(
        self,
        card_number: str,
        sequence: int,
        request: bytes,
        at: datetime,
        *,
        cashier: str = "",
        details: Mapping[str, str | int] | None = None,
    ) -> Intent:
        """Write down what a card is about to be asked, and return when the disk has it.

        Raises, before anything is written: JournalDamaged, ClockSetBack, RedemptionPending where an earlier intent of
        this card is open, JournalFull where not even the result would have room, JournalUnavailable.
        """
        with self._lock:
            self._check(at)
            pending = self._intent_of(card_number, sequence)
            if pending is not None:
                raise RedemptionPending(
                    "an earlier redemption of this card got no answer; it is recovered first", pending.number
                )
            self._log.reserve(_ROWS_OF_INTENT * (len(self._open) + 1))
            card: dict[str, str | int] = {"card": card_number, "sequence": sequence}
            own = {name: _short(value) if isinstance(value, str) else value for name, value in (details or {}).items()}
            row = self._append(RowKind.INTENT, at, **card, request=request.hex(), cashier=_short(cashier), **own)
            return self._open[row.number]

    def torn(self, intent: Intent, at: datetime) -> None:
        """Note that no answer came, or none in form; the intent stays open. Raises RowMisplaced, JournalFull,
        JournalUnavailable."""
        self._stays_open(intent, RowKind.TORN, at)

    def not_proven(self, intent: Intent, at: datetime, *, reason: str) -> None:
        """Note that the answer proves nothing; the card may have counted, so that the intent stays open. Raises as
        ``torn``."""
        self._stays_open(intent, RowKind.NOT_PROVEN, at, **_card_of(intent), reason=_short(reason))

    def _stays_open(self, intent: Intent, kind: RowKind, at: datetime, **data: str | int) -> None:
        with self._lock:
            self._need(intent)
            self._log.reserve(_ROWS_OF_INTENT * (len(self._open) + 1))
            self._append(kind, at, intent=intent.number, **data)

    def finish(self, intent: Intent, result: IntentResult, at: datetime) -> JournalRow:
        """Write down what came of an intent, and return when the disk has it: only then anything may be given.

        Raises RedemptionRepeated where the card's transaction counter has a row already (the result is on the disk,
        and nothing may be given), RowMisplaced for an intent that has ended, JournalUnavailable.
        """
        if result.kind not in ENDS_INTENT - {RowKind.REPEATED, RowKind.GIVEN}:
            raise CodecError(f"a row of kind {result.kind} is no result of an intent")
        data: dict[str, str | int] = {"intent": intent.number, **_card_of(intent)}
        with self._lock:
            self._need(intent)
            if result.kind not in COUNTED:
                return self._append(result.kind, at, **data, reason=_short(result.reason))
            data |= {"counter": result.counter, "evidence": result.evidence.hex()}
            earlier = self._counted.get((intent.card_number, intent.sequence, result.counter))
            if earlier is None:
                return self._append(result.kind, at, **data)
            self._append(RowKind.REPEATED, at, **data)
        raise RedemptionRepeated(
            f"this card counted nothing new: its transaction {result.counter} was redeemed before, in row {earlier} of "
            f"the journal; nothing may be given for it",
            earlier,
        )

    def granted(self, intent: Intent) -> GrantedUse | None:
        """What the office has granted for an open intent; None as far as this counter knows."""
        with self._lock:
            return self._granted.get(intent.number)

    def grant(self, intent: Intent, use: GrantedUse, at: datetime) -> None:
        """Note that the office has counted what an intent asks; the intent stays open. Raises as ``torn``."""
        self._stays_open(intent, RowKind.GRANTED, at, **_card_of(intent), **use.values)

    def give(self, intent: Intent, at: datetime, *, recovered: bool = False) -> JournalRow:
        """Write down that a granted benefit is given, and return when the disk has it. Raises RowMisplaced for an
        intent that has ended or has no grant, JournalUnavailable."""
        with self._lock:
            self._need(intent)
            use = self._granted.get(intent.number)
            if use is None:
                raise RowMisplaced(f"the office has granted nothing for row {intent.number}")
            again = {"recovered": 1} if recovered else {}
            return self._append(RowKind.GIVEN, at, intent=intent.number, **_card_of(intent), **use.values, **again)

    def reverse(self, number: int, at: datetime, *, by: str, reason: str) -> JournalRow:
        """Note that the redemption of row ``number`` was taken back. Raises RowMisplaced, JournalFull,
        JournalDamaged, ClockSetBack, JournalUnavailable."""
        with self._lock:
            self._check(at)
            if number not in self._redemptions:
                raise RowMisplaced(f"row {number} of the journal is no redemption")
            if number in self._reversed:
                raise RowMisplaced(f"the redemption of row {number} was taken back before")
            self._log.reserve(_ROWS_OF_INTENT * (len(self._open) + 1))
            return self._append(RowKind.REVERSED, at, redemption=number, by=_short(by), reason=_short(reason))

    def acknowledge(self, at: datetime, *, by: str, reason: str) -> None:
        """A person takes note of damage, or of a clock that was set back, and the counter goes on: the office gets the
        row. Raises RowMisplaced without name or reason, JournalFull, JournalUnavailable."""
        if not by.strip() or not reason.strip():
            raise RowMisplaced("this needs a name and a reason")
        with self._lock:
            offsets = sorted(self._unseen)
            for start in range(0, max(1, len(offsets)), _PLACES):
                self._log.reserve(_ROWS_OF_INTENT * (len(self._open) + 1))
                places = " ".join(map(str, offsets[start : start + _PLACES]))
                self._append(RowKind.ACKNOWLEDGED, at, by=_short(by), reason=_short(reason), places=places)

    @property
    def waiting(self) -> int:
        """The number of rows that the office does not have."""
        with self._lock:
            return len(self._waiting)

    @property
    def waiting_since(self) -> datetime | None:
        """The time of the oldest row that the office does not have."""
        with self._lock:
            return self._waiting[0][1] if self._waiting else None

    @property
    def uploaded_at(self) -> datetime | None:
        """When the office last took rows."""
        return self._uploaded_at

    @property
    def through(self) -> int:
        """The number of the last row that the office has."""
        return self._through

    @property
    def worked_at(self) -> datetime:
        """When a card was last asked, or a person last took note; the opening of a new journal."""
        return self._worked

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self._log.next_number - 1

    def batch(self, rows: int = 100, *, after: int | None = None) -> UploadBatch | None:
        """The next rows for the office; None where it has all of them. ``after``: the rows behind that one, uploaded
        before or not. Raises JournalUnavailable."""
        with self._lock:
            if not self._waiting and after is None:
                return None
            taken: list[JournalRow] = []
            previous = last = b""
            for row, before in self._log.read((self._through if after is None else after) + 1):
                if taken and (len(taken) == rows or row.number != taken[-1].number + 1 or before != last):
                    break  # the rows of a batch follow each other
                previous = previous or before
                last = row.link(before)
                taken.append(row)
            return UploadBatch(self.name, previous, tuple(taken)) if taken else None

    def uploaded(self, through: int, at: datetime) -> None:
        """Note that the office has every row up to ``through``; repeated, it changes nothing. Raises RowMisplaced for
        a row that is not on record, JournalFull, JournalUnavailable."""
        with self._lock:
            if through <= self._through:
                return
            if through >= self._log.next_number:
                raise RowMisplaced(
                    f"the office has row {through}, and this journal ends before it: it is an older copy"
                )
            self._log.reserve(_ROWS_OF_INTENT * (len(self._open) + 1))
            self._append(RowKind.UPLOADED, at, through=through)

    def counted_of(self, card_number: str, sequence: int) -> list[tuple[Intent, JournalRow]]:
        """The redemptions of a card, each with its intent, in their order, without those that were taken back. Raises
        JournalUnavailable."""
        with self._lock:
            places = self._of_card.get((card_number, sequence), [])
            return [
                (Intent.of(self._row(intent)), self._row(number))
                for intent, number in places
                if number not in self._reversed
            ]

    def last_of(self, intent: Intent) -> JournalRow:
        """The last row about an intent: torn, not proven or its result. Raises RowMisplaced, JournalUnavailable."""
        with self._lock:
            return self._row(self._about.get(intent.number, 0))

    def row(self, number: int) -> JournalRow:
        """One sound row. Raises RowMisplaced for one that is not on record, JournalUnavailable."""
        with self._lock:
            return self._row(number)

    def _row(self, number: int) -> JournalRow:
        row = next((row for row, _ in self._log.read(number)), None)
        if row is None or row.number != number:
            raise RowMisplaced(f"row {number} of the journal is not on record")
        return row

    def was_reversed(self, number: int) -> bool:
        """Whether the redemption of row ``number`` was taken back."""
        return number in self._reversed

    def rows(self, first: int = 1) -> Iterator[JournalRow]:
        """The sound rows from a number on. Raises JournalUnavailable."""
        with self._lock:
            rows = [row for row, _ in self._log.read(first)]
        yield from rows

    def _intent_of(self, card_number: str, sequence: int) -> Intent | None:
        wanted = (card_number, sequence)
        return next((one for one in self._open.values() if (one.card_number, one.sequence) == wanted), None)

    def _need(self, intent: Intent) -> None:
        if self._open.get(intent.number) != intent:
            raise RowMisplaced(f"the intent of row {intent.number} has ended, or is of another journal")

    def check_clock(self, at: datetime) -> None:
        """Raises ClockSetBack."""
        with self._lock:
            self._check_clock(at)

    def _check(self, at: datetime) -> None:
        """Whether a card may be asked now."""
        if self._unseen:
            first = self.damage[0]
            raise JournalDamaged(
                f"the redemption journal was changed or damaged after row {first.after} (byte {first.offset}, "
                f"{len(self._unseen)} places in all); its other rows are sound. Nothing is redeemed before a person "
                f"takes note of it, with a reason that the office sees"
            )
        self._check_clock(at)

    def _check_clock(self, at: datetime) -> None:
        if self._clock is not None and at < self._clock - CLOCK_STEP:
            zone = at.tzinfo or UTC
            raise ClockSetBack(
                f"the clock stands at {date_time(at, zone)}, and the last row of the redemption journal is of "
                f"{date_time(self._clock, zone)}: set the clock right"
            )

    def _append(self, kind: RowKind, at: datetime, **data: str | int) -> JournalRow:
        """Write a row and take note of it. A result is never before its intent, whatever the clock says."""
        if self._clock is not None and kind is not RowKind.ACKNOWLEDGED:
            at = max(at, self._clock)
        at = at.astimezone(UTC)
        row = JournalRow(self._log.next_number, at.replace(microsecond=at.microsecond // 1000 * 1000), kind, data)
        self._log.append(row)
        self._follow(row)
        return row

    def _follow(self, row: JournalRow) -> None:
        """The state after a row. Raises JournalUnavailable for a sealed row without what its kind has."""
        try:
            self._change(row)
        except CodecError as error:
            raise JournalUnavailable(str(error)) from error
        self._clock = row.at
        if row.kind in _WORK:
            self._worked = row.at
        if row.kind is not RowKind.UPLOADED and row.number > self._through:
            self._waiting.append((row.number, row.at))

    def _change(self, row: JournalRow) -> None:
        if row.kind in ENDS_INTENT or row.kind in (RowKind.TORN, RowKind.NOT_PROVEN, RowKind.GRANTED):
            self._about[row.amount("intent")] = row.number
        if row.kind is RowKind.INTENT:
            self._open[row.number] = Intent.of(row)
        elif row.kind is RowKind.GRANTED:
            self._granted[row.amount("intent")] = GrantedUse.of(row)
        elif row.kind in ENDS_INTENT:
            self._open.pop(row.amount("intent"), None)
            self._granted.pop(row.amount("intent"), None)
            if row.kind in GIVES:
                self._redemptions.add(row.number)
            if row.kind in COUNTED:
                card = row.text("card"), row.amount("sequence")
                self._counted[(*card, row.amount("counter"))] = row.number
                self._of_card.setdefault(card, []).append((row.amount("intent"), row.number))
        elif row.kind is RowKind.REVERSED:
            self._reversed.add(row.amount("redemption"))
        elif row.kind is RowKind.UPLOADED:
            self._through, self._uploaded_at = row.amount("through"), row.at
            self._waiting = [one for one in self._waiting if one[0] > self._through]
        elif row.kind is RowKind.ACKNOWLEDGED:
            for place in row.text("places").split():
                self._unseen.pop(int(place), None)


def _card_of(intent: Intent) -> dict[str, str | int]:
    return {"card": intent.card_number, "sequence": intent.sequence}


def _short(text: str) -> str:
    """A text as a row has it: on one line, of bounded length."""
    return " ".join(text.split())[:LONGEST_TEXT]
