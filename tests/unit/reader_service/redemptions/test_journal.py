"""The redemption journal: nothing is asked and nothing given before it is on the disk."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reader_service.redemptions.errors import (
    ClockSetBack,
    JournalBusy,
    JournalFull,
    JournalUnavailable,
    RedemptionPending,
    RedemptionRepeated,
    RowMisplaced,
)
from reader_service.redemptions.intents import Intent, IntentResult
from reader_service.redemptions.journal import RedemptionJournal
from terminal.errors import CodecError
from terminal.member.journal_rows import NO_ROW, JournalRow, RowKind
from tests.support.bad_environment import small_disk

AT = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
CARD, OTHER = "6212260000000000001", "6212260000000000019"
REQUEST, EVIDENCE = bytes(range(60)), bytes(range(256)) * 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "redemptions"


def opened(folder: Path, at: datetime = AT) -> RedemptionJournal:
    return RedemptionJournal.open(folder, at)


def counted(journal: RedemptionJournal, card: str = CARD, counter: int = 1, at: datetime = AT) -> JournalRow:
    intent = journal.begin(card, 1, REQUEST, at, cashier="王芳")
    return journal.finish(intent, IntentResult(RowKind.REDEEMED, counter, EVIDENCE), at)


def kinds(journal: RedemptionJournal) -> list[str]:
    return [str(row.kind) for row in journal.rows()]


def redeem_on(journal: RedemptionJournal, counters: list[int]) -> None:
    """Redeem until the journal refuses; ``counters`` get each transaction counter before it is tried."""
    while True:
        counters.append(counters[-1] + 1)
        counted(journal, counter=counters[-1])


def tear_on(journal: RedemptionJournal, intent: Intent) -> None:
    """Note torn insertions of one card until the journal refuses."""
    while True:
        journal.torn(intent, AT)


def test_a_redemption_is_an_intent_and_a_result(folder: Path) -> None:
    with opened(folder) as journal:
        row = counted(journal)
        assert kinds(journal) == ["opened", "intent", "redeemed"]
        assert journal.open_intents == ()
    with opened(folder) as again:
        assert [one.number for one in again.rows()] == [1, 2, 3]
        intent, result = list(again.rows(2))
        assert intent.data == {"card": CARD, "sequence": 1, "request": REQUEST.hex(), "cashier": "王芳"}
        assert result == row
        assert result.octets("evidence") == EVIDENCE
        assert result.amount("counter") == 1


def test_an_intent_without_a_result_is_open_after_the_program_was_killed(folder: Path) -> None:
    with opened(folder) as journal:
        intent = journal.begin(CARD, 1, REQUEST, AT, cashier="王芳")
    with opened(folder) as again:
        assert again.open_intents == (intent,)
        assert again.open_intent(CARD, 1) == Intent(2, AT, CARD, 1, REQUEST, "王芳")
        assert again.open_intent(CARD, 2) is None
        with pytest.raises(RedemptionPending) as pending:
            again.begin(CARD, 1, REQUEST, AT)
        assert pending.value.intent == 2
        again.begin(OTHER, 1, REQUEST, AT)
        again.finish(intent, IntentResult(RowKind.RECOVERED, 9, EVIDENCE), AT)
        assert again.open_intent(CARD, 1) is None
        again.begin(CARD, 1, REQUEST, AT)


def test_a_torn_redemption_stays_open_until_the_card_is_back(folder: Path) -> None:
    with opened(folder) as journal:
        intent = journal.begin(CARD, 1, REQUEST, AT)
        journal.torn(intent, AT)
        assert journal.open_intents == (intent,)
        journal.finish(intent, IntentResult(RowKind.NOT_COUNTED), AT)
        assert kinds(journal) == ["opened", "intent", "torn", "not-counted"]
        for late in (
            lambda: journal.torn(intent, AT),
            lambda: journal.finish(intent, IntentResult(RowKind.UNKNOWN), AT),
        ):
            with pytest.raises(RowMisplaced, match="the intent of row 2 has ended"):
                late()


@pytest.mark.parametrize("kind", [RowKind.REFUSED, RowKind.NOT_COUNTED, RowKind.UNKNOWN])
def test_a_result_without_a_count_has_its_reason(folder: Path, kind: RowKind) -> None:
    with opened(folder) as journal:
        row = journal.finish(journal.begin(CARD, 1, REQUEST, AT), IntentResult(kind, reason="LIMIT\n EXCEEDED"), AT)
        assert row.data == {"intent": 2, "card": CARD, "sequence": 1, "reason": "LIMIT EXCEEDED"}


def test_a_redemption_that_is_not_proven_stays_open_for_its_recovery(folder: Path) -> None:
    with opened(folder) as journal:
        intent = journal.begin(CARD, 1, REQUEST, AT)
        journal.not_proven(intent, AT, reason="dynamic signature:\n hash")
        assert list(journal.rows())[-1].data == {
            "intent": 2,
            "card": CARD,
            "sequence": 1,
            "reason": "dynamic signature: hash",
        }
    with opened(folder) as again:
        assert again.open_intent(CARD, 1) == intent
        with pytest.raises(RedemptionPending):
            again.begin(CARD, 1, REQUEST, AT)
        again.finish(intent, IntentResult(RowKind.RECOVERED, 1, EVIDENCE), AT)
        assert again.open_intents == ()


def test_an_open_intent_keeps_the_room_for_its_result(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(folder) as journal:
        intent = journal.begin(CARD, 1, REQUEST, AT)
        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(JournalFull):
            tear_on(journal, intent)
        size = (folder / "journal").stat().st_size
        journal.finish(intent, IntentResult(RowKind.RECOVERED, 1, EVIDENCE), AT)
        assert journal.open_intents == ()
        assert (folder / "journal").stat().st_size == size


def test_only_results_end_an_intent(folder: Path) -> None:
    with opened(folder) as journal:
        intent = journal.begin(CARD, 1, REQUEST, AT)
        for kind in (RowKind.REPEATED, RowKind.NOT_PROVEN, RowKind.TORN, RowKind.UPLOADED, RowKind.OPENED):
            with pytest.raises(CodecError, match="no result of an intent"):
                journal.finish(intent, IntentResult(kind), AT)


def test_a_transaction_counter_that_has_a_row_gives_nothing(folder: Path) -> None:
    with opened(folder) as journal:
        first = counted(journal)
        counted(journal, OTHER)
    with opened(folder) as again:
        with pytest.raises(RedemptionRepeated, match="nothing may be given") as repeated:
            counted(again)
        assert repeated.value.number == first.number
        assert kinds(again)[-1] == "repeated"
        assert again.open_intents == ()
        counted(again, counter=2)


def test_a_redemption_is_taken_back_once(folder: Path) -> None:
    with opened(folder) as journal:
        row = counted(journal)
        journal.reverse(row.number, AT, by="王芳", reason="wrong benefit")
    with opened(folder) as again:
        assert list(again.rows())[-1].data == {"redemption": 3, "by": "王芳", "reason": "wrong benefit"}
        with pytest.raises(RowMisplaced, match="taken back before"):
            again.reverse(row.number, AT, by="王芳", reason="again")
        with pytest.raises(RowMisplaced, match="row 2 of the journal is no redemption"):
            again.reverse(2, AT, by="王芳", reason="an intent")


def test_a_second_program_is_refused_until_the_first_has_ended(folder: Path) -> None:
    with opened(folder):
        with pytest.raises(JournalBusy, match="a counter has one service at a time"):
            opened(folder)
    opened(folder).close()


def test_the_journal_shows_its_card_numbers_to_nobody(folder: Path) -> None:
    with opened(folder) as journal:
        intent = journal.begin(CARD, 1, REQUEST, AT)
        assert CARD not in repr(intent)
        with pytest.raises(RedemptionPending) as pending:
            journal.begin(CARD, 1, REQUEST, AT)
        assert CARD not in str(pending.value)
        assert CARD not in repr(IntentResult(RowKind.REDEEMED, 1, CARD.encode()))
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        content = path.read_bytes()
        assert CARD.encode() not in content
        assert REQUEST.hex().encode() not in content


def test_the_folder_is_its_owners_only(folder: Path) -> None:
    opened(folder).close()
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.parent.iterdir()] == ["redemptions"]


@pytest.mark.parametrize("part", ["key", "journal"])
def test_a_journal_of_which_a_part_was_removed_is_refused(folder: Path, part: str) -> None:
    opened(folder).close()
    (folder / part).unlink()
    with pytest.raises(JournalUnavailable, match="a part of it was removed"):
        opened(folder)
    assert not (folder / part).exists(), "nothing takes its place silently"


def test_a_key_of_another_length_is_refused(folder: Path) -> None:
    opened(folder).close()
    (folder / "key").write_bytes(b"short")
    with pytest.raises(JournalUnavailable, match="its key was changed"):
        opened(folder)


def test_a_clock_that_was_set_back_redeems_nothing(folder: Path) -> None:
    with opened(folder) as journal:
        counted(journal)
        early = AT - timedelta(minutes=2)
        with pytest.raises(ClockSetBack, match="set the clock right"):
            journal.begin(CARD, 1, REQUEST, early)
        assert kinds(journal) == ["opened", "intent", "redeemed"]
        journal.begin(CARD, 1, REQUEST, AT - timedelta(seconds=30))
        assert list(journal.rows())[-1].at == AT, "times never fall"


def test_a_clock_that_was_ahead_is_acknowledged_by_a_person(folder: Path) -> None:
    with opened(folder, AT + timedelta(days=400)) as journal:
        with pytest.raises(ClockSetBack):
            journal.begin(CARD, 1, REQUEST, AT)
        with pytest.raises(RowMisplaced, match="a name and a reason"):
            journal.acknowledge(AT, by="王芳", reason=" ")
        journal.acknowledge(AT, by="王芳", reason="the clock was a year ahead")
        assert counted(journal).at == AT
    with opened(folder) as again:
        assert counted(again, counter=2).at == AT


def test_a_full_disk_refuses_before_the_card_is_touched(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1024) as mounted:
        if not mounted:
            pytest.skip("this machine lets nobody mount a file system")
        with opened(tmp_path / "disk" / "redemptions") as journal:
            intent = journal.begin(CARD, 1, REQUEST, AT)
            with open(tmp_path / "disk" / "ballast", "ab", buffering=0) as ballast:
                try:
                    while ballast.write(bytes(4096)):
                        pass
                except OSError:
                    pass
            journal.finish(intent, IntentResult(RowKind.REDEEMED, 1, EVIDENCE), AT)  # its room was reserved
            counters = [1]
            with pytest.raises(JournalFull, match="the disk is full; make room and try again"):
                redeem_on(journal, counters)
            assert journal.open_intents == ()
            rows = len(kinds(journal))
            (tmp_path / "disk" / "ballast").unlink()
            counted(journal, counter=counters[-1])
            assert len(kinds(journal)) == rows + 2


def test_a_disk_without_room_refuses_and_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(folder) as journal:
        room = (folder / "journal").stat().st_size
        monkeypatch.setattr(os, "posix_fallocate", full)
        counters = [0]
        with pytest.raises(JournalFull):
            redeem_on(journal, counters)
        assert counters[-1] > 1
        assert journal.open_intents == ()
        assert (folder / "journal").stat().st_size == room
        monkeypatch.undo()
        counted(journal, counter=counters[-1])


def test_a_disk_that_does_not_confirm_a_row_ends_the_journal_until_it_is_opened_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with opened(folder) as journal:
        intent = journal.begin(CARD, 1, REQUEST, AT)
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(JournalUnavailable, match="Input/output error"):
            journal.finish(intent, IntentResult(RowKind.REDEEMED, 1, EVIDENCE), AT)
        monkeypatch.undo()
        with pytest.raises(JournalUnavailable, match="has to be opened again"):
            journal.begin(OTHER, 1, REQUEST, AT)


def test_a_closed_journal_writes_nothing(folder: Path) -> None:
    journal = opened(folder)
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailable, match="it is closed"):
        journal.begin(CARD, 1, REQUEST, AT)


def test_rows_wait_for_their_upload_in_their_order(folder: Path) -> None:
    with opened(folder) as journal:
        counted(journal)
        batch = journal.batch(2)
        assert batch is not None
        assert [row.number for row in batch.rows] == [1, 2]
        assert batch.previous == NO_ROW
        assert journal.waiting == 3
        journal.uploaded(batch.through, AT)
        assert journal.waiting == 1
        journal.uploaded(batch.through, AT)
        assert kinds(journal)[3:] == ["uploaded"], "a repeated answer changes nothing"
    with opened(folder) as again:
        assert (again.through, again.waiting) == (2, 1)
        rest = again.batch()
        assert rest is not None
        assert [row.number for row in rest.rows] == [3, 4]
        first = batch.rows[0].link(NO_ROW)
        assert rest.previous == batch.rows[1].link(first)
        assert rest.to_json()["rows"][0]["kind"] == "redeemed"
        again.uploaded(rest.through, AT)
        assert again.waiting == 0
        assert again.batch() is None, "a note of an upload alone is no reason for another"
        with pytest.raises(RowMisplaced, match="it is an older copy"):
            again.uploaded(99, AT)


def test_a_journal_keeps_its_name_and_another_has_another(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as journal, opened(tmp_path / "second") as second:
        name = journal.name
        assert len(bytes.fromhex(name)) == 16
        assert second.name != name
    with opened(folder) as again:
        assert again.name == name
