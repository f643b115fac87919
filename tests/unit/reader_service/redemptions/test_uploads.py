"""Rows on their way to the office: in order, none lost and none twice, whatever ends an upload."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from membercard import language
from membercard.language import Language
from reader_service.pages.words import LANGUAGES, words
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.receiver import SENTENCES, ReceiverAway, UploadFaultCode, UploadRefused
from reader_service.redemptions.uploads import ROWS, Uploader, UploadFault, fault_on_record, note_fault
from terminal.member.journal_rows import NO_ROW, JournalRow, RowKind
from tests.support.cards.member_issuer import NOW
from tests.support.service.receiver import ReceiverInMemory, filled


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[RedemptionJournal]:
    with RedemptionJournal.open(tmp_path / "redemptions", NOW) as opened:
        yield opened


def clock() -> datetime:
    return NOW + timedelta(minutes=1)


def test_rows_go_in_their_order_until_none_waits(journal: RedemptionJournal) -> None:
    filled(journal, 120)
    receiver = ReceiverInMemory()
    uploaded = Uploader(journal, receiver, clock).run()
    assert (uploaded.rows, uploaded.booked, journal.waiting) == (243, 243, 0)  # the rows about uploads go along
    assert receiver.sent == [ROWS, ROWS, 43]
    assert list(receiver.rows) == sorted(receiver.rows)
    assert journal.waiting_since is None
    assert journal.uploaded_at == clock()
    assert Uploader(journal, receiver, clock).run().rows == 0
    filled(journal, 1, NOW + timedelta(hours=1))
    assert journal.waiting_since == NOW + timedelta(hours=1)


def test_a_lost_answer_sends_the_same_rows_again(journal: RedemptionJournal) -> None:
    filled(journal, 3)
    receiver = ReceiverInMemory(after=[ReceiverAway("cut")])
    uploader = Uploader(journal, receiver, clock)
    with pytest.raises(ReceiverAway):
        uploader.run()
    assert (journal.waiting, len(receiver.rows)) == (7, 7)
    assert (uploader.run().known, journal.waiting) == (7, 0)


@pytest.mark.parametrize("seed", range(5))
def test_an_upload_that_is_interrupted_anywhere_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    dice, receiver = random.Random(seed), ReceiverInMemory()
    for round_ in range(12):
        at = NOW + timedelta(minutes=round_)
        with RedemptionJournal.open(tmp_path / "redemptions", at) as journal:
            filled(journal, dice.randrange(8), at)
            fault = ReceiverAway("away") if dice.random() < 0.5 else UploadRefused(UploadFaultCode.TOKEN)
            dice.choice((receiver.faults, receiver.after)).append(fault)
            receiver.most = dice.choice((1, 3, 10_000))
            with pytest.raises((ReceiverAway, UploadRefused)):
                keep_uploading(journal, receiver, at)
    receiver.faults, receiver.after = [], []
    with RedemptionJournal.open(tmp_path / "redemptions", at) as journal:
        Uploader(journal, receiver, lambda: at).run()
        assert journal.waiting == 0
        wanted = {row.number: row for row in journal.rows() if row.number <= journal.through}
    assert receiver.rows == wanted


def keep_uploading(journal: RedemptionJournal, receiver: ReceiverInMemory, at: datetime) -> None:
    for _ in range(3):
        Uploader(journal, receiver, lambda: at).run()
        filled(journal, 1, at)


def test_an_receiver_of_an_older_backup_gets_again_what_it_lost(journal: RedemptionJournal) -> None:
    filled(journal, 130)
    receiver = ReceiverInMemory()
    Uploader(journal, receiver, clock).run()
    rows, receiver.rows = receiver.rows, {number: receiver.rows[number] for number in range(1, 11)}
    receiver.head = NO_ROW
    for number in range(1, 11):
        receiver.head = rows[number].link(receiver.head)
    Uploader(journal, receiver, clock).run()
    assert {number: receiver.rows[number] for number in rows} == rows


def test_an_older_copy_of_the_journal_is_a_fault_and_loses_nothing(journal: RedemptionJournal) -> None:
    filled(journal, 2)
    receiver = ReceiverInMemory(rows={50: JournalRow(50, NOW, RowKind.OPENED)})
    with pytest.raises(UploadRefused) as refused:
        Uploader(journal, receiver, clock).run()
    assert (refused.value.fault, journal.waiting, len(receiver.rows)) == (UploadFaultCode.JOURNAL, 0, 6)


def test_smaller_uploads_go_where_the_receiver_takes_no_large_ones(journal: RedemptionJournal) -> None:
    filled(journal, 30)
    receiver = ReceiverInMemory(most=20)
    Uploader(journal, receiver, clock).run()
    assert (journal.waiting, max(receiver.sent)) == (0, 15)
    filled(journal, 1, clock())
    receiver.most = 0
    with pytest.raises(UploadRefused) as refused:
        Uploader(journal, receiver, clock).run()
    assert (refused.value.fault, journal.waiting) == (UploadFaultCode.TOO_LARGE, 2)


def test_the_fault_is_on_record_for_the_next_program(tmp_path: Path) -> None:
    assert fault_on_record(tmp_path) is None
    fault = UploadFault(UploadFaultCode.TOKEN, NOW)
    note_fault(tmp_path, fault)
    assert fault_on_record(tmp_path) == fault
    note_fault(tmp_path, None)
    assert fault_on_record(tmp_path) is None


def test_each_fault_of_the_receiver_has_a_sentence_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(SENTENCES) == set(UploadFaultCode)
    monkeypatch.setattr(language, "current", lambda: Language.CHINESE)
    for fault, english in SENTENCES.items():
        assert words("en")(f"redeem.fault.{fault}").lower() == english.lower()
        assert words("zh")(f"redeem.fault.{fault}") == language.sentence(english) != english
    assert set(LANGUAGES) == {"zh", "en"}
