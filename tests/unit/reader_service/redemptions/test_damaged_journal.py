"""A journal that was cut or changed at any byte: what is lost is named, and nothing else is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reader_service.redemptions.errors import JournalDamaged
from reader_service.redemptions.intents import IntentResult
from reader_service.redemptions.journal import RedemptionJournal
from terminal.member.journal_rows import JournalRow, RowKind
from tests.support.paths import ROOT
from tests.unit.reader_service.redemptions.test_journal import AT, CARD, OTHER, REQUEST, counted, kinds, opened

EVIDENCE = bytes(range(100))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a journal with five rows: opened, a redemption of two rows, and another one."""
    with opened(tmp_path / "redemptions") as journal:
        for counter, card in enumerate((CARD, OTHER), 1):
            intent = journal.begin(card, 1, REQUEST, AT)
            journal.finish(intent, IntentResult(RowKind.REDEEMED, counter, EVIDENCE), AT)
    return tmp_path / "redemptions"


def content_of(folder: Path) -> bytes:
    """The journal without the room that is reserved."""
    return (folder / "journal").read_bytes().rstrip(b"\0")


def rows_of(folder: Path) -> list[JournalRow]:
    with opened(folder) as journal:
        return list(journal.rows())


def test_a_journal_cut_at_any_byte_of_its_last_rows_has_every_whole_row(folder: Path) -> None:
    whole, rows = content_of(folder), rows_of(folder)
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 0x0A]
    assert len(ends) == len(rows) == 5
    for cut in range(ends[2], len(whole) + 1):
        for reserved in (b"", bytes(500)):
            (folder / "journal").write_bytes(whole[:cut] + reserved)
            complete = sum(1 for end in ends if end - 1 <= cut)  # the end of a line alone is no loss
            half = cut - ([0, *ends][complete]) if complete < 5 else 0
            with opened(folder) as journal:
                present = list(journal.rows())
                assert present[:complete] == rows[:complete]
                assert journal.damage == ()
                assert journal.cut == max(half, 0)
                assert [row.kind for row in present[complete:]] == ([RowKind.CUT] if journal.cut else [])
                if journal.cut:
                    assert present[-1].data == {"bytes": half}
                for intent in journal.open_intents:
                    journal.finish(intent, IntentResult(RowKind.RECOVERED, 2, EVIDENCE), AT)
                counted(journal, counter=3)


def test_a_byte_changed_anywhere_is_named_and_costs_no_other_row(folder: Path) -> None:
    whole, rows = content_of(folder), rows_of(folder)
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 0x0A]
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        (folder / "journal").write_bytes(changed + bytes(300))
        line = sum(1 for end in ends if end <= at)
        lost = {line + 1, line + 2} if at + 1 in ends else {line + 1}  # a changed end joins two lines
        with opened(folder) as journal:
            present = [row for row in journal.rows() if row.kind is not RowKind.CUT]
            if at + 1 == len(whole):
                assert (present, journal.damage) == (rows, ())  # the end of the last line alone
                continue
            assert present == [row for row in rows if row.number not in lost]
            assert journal.damage, f"byte {at}"
            assert journal.damage[0].after == line
            with pytest.raises(JournalDamaged, match="changed or damaged after row"):
                journal.begin("6212260000000000027", 1, REQUEST, AT)


def test_a_byte_changed_in_the_reserved_room_is_cut_or_named(folder: Path) -> None:
    whole, rows = content_of(folder), rows_of(folder)
    for value in (b"\n", b"x"):
        (folder / "journal").write_bytes(whole + bytes(9) + value + bytes(300))
        with opened(folder) as journal:
            assert list(journal.rows())[:5] == rows
            assert bool(journal.damage) is (value == b"\n")
            assert journal.cut == (10 if value == b"x" else 0)


@pytest.mark.parametrize("line", range(4))
def test_a_row_that_was_removed_is_missed(folder: Path, line: int) -> None:
    lines, rows = content_of(folder).splitlines(keepends=True), rows_of(folder)
    (folder / "journal").write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
    with opened(folder) as journal:
        assert list(journal.rows()) == rows[:line] + rows[line + 1 :]
        assert [damage.after for damage in journal.damage] == [line]


def test_rows_in_another_order_or_twice_are_named(folder: Path) -> None:
    lines, rows = content_of(folder).splitlines(keepends=True), rows_of(folder)
    for order, sound in (
        ([0, 2, 1, 3, 4], [1, 3, 4, 5]),
        ([0, 1, 1, 2, 3, 4], [1, 2, 3, 4, 5]),
        ([0, 1, 2, 3, 4, 2], [1, 2, 3, 4, 5]),
    ):
        (folder / "journal").write_bytes(b"".join(lines[place] for place in order))
        with opened(folder) as journal:
            assert list(journal.rows()) == [row for row in rows if row.number in sound]
            assert journal.damage


def test_a_row_of_another_counter_is_no_row_of_this_one(folder: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "second") as second:
        counted(second)
    foreign = (tmp_path / "second" / "journal").read_bytes().rstrip(b"\0").splitlines(keepends=True)
    (folder / "journal").write_bytes(content_of(folder) + foreign[2])
    with opened(folder) as journal:
        assert [damage.after for damage in journal.damage] == [5]


def test_a_person_takes_note_of_damage_and_the_counter_goes_on(folder: Path) -> None:
    whole = bytearray(content_of(folder))
    first, *_ = (at + 1 for at, byte in enumerate(whole) if byte == 0x0A)
    whole[first + 50] ^= 1
    (folder / "journal").write_bytes(whole)
    with opened(folder) as journal:
        journal.acknowledge(AT, by="王芳", reason="the disk was replaced")
        assert journal.damage == ()
        counted(journal, counter=3)
    with opened(folder) as again:
        assert again.damage == (), "it stays acknowledged"
        assert kinds(again) == ["opened", "redeemed", "intent", "redeemed", "acknowledged", "intent", "redeemed"]
        acknowledged = list(again.rows())[4]
        assert acknowledged.data == {"by": "王芳", "reason": "the disk was replaced", "places": str(first)}
        with pytest.raises(Exception, match="was redeemed before"):
            counted(again, counter=1)  # the result knows its card without its intent
    whole = bytearray(content_of(folder))
    whole[first - 5] ^= 1
    (folder / "journal").write_bytes(whole)
    with opened(folder) as third:
        assert [damage.offset for damage in third.damage] == [0], "later damage is another one"


def test_many_damaged_places_are_acknowledged_together(folder: Path) -> None:
    lines = content_of(folder).splitlines(keepends=True)
    (folder / "journal").write_bytes(lines[0] + b"x\n" * 250 + b"".join(lines[1:]))
    with opened(folder) as journal:
        assert len(journal.damage) == 250
        journal.acknowledge(AT, by="王芳", reason="the disk was replaced")
    with opened(folder) as again:
        assert again.damage == ()


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from reader_service.redemptions.intents import IntentResult
from reader_service.redemptions.journal import RedemptionJournal
from terminal.member.journal_rows import RowKind
at = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
journal = RedemptionJournal.open(Path(sys.argv[1]), at)
start = int(sys.argv[2])
for intent in journal.open_intents:
    journal.finish(intent, IntentResult(RowKind.NOT_COUNTED), at)
for counter in range(start, start + 5000):
    intent = journal.begin("6212260000000000001", 1, bytes(60), at)
    journal.finish(intent, IntentResult(RowKind.REDEEMED, counter, bytes(300)), at)
    sys.stdout.write(f"{counter}\\n")
    sys.stdout.flush()
"""


def test_what_was_confirmed_before_a_kill_is_there_and_nothing_twice(tmp_path: Path) -> None:
    folder, confirmed = tmp_path / "redemptions", []
    for turn in range(8):
        command = [sys.executable, "-c", KILLED, str(folder), str(turn * 10000 + 1)]
        program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        for _ in range(3 + 7 * turn):
            confirmed.append(int(program.stdout.readline()))
        os.kill(program.pid, signal.SIGKILL)
        confirmed += [int(line) for line in program.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        program.wait()
        program.stdout.close()
    with RedemptionJournal.open(folder, AT) as journal:
        assert journal.damage == ()
        rows = list(journal.rows())
        counters = [row.amount("counter") for row in rows if row.kind is RowKind.REDEEMED]
        assert len(set(counters)) == len(counters)
        assert set(confirmed) <= set(counters)
        assert len(counters) - len(confirmed) <= 8, "at most the one in work at each kill"
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        assert len(journal.open_intents) <= 1
