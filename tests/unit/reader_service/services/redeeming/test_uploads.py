"""The upload of a counter in the background: it goes on by itself, and books in its own registry where that is the
office."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reader_service.redemptions.journal import IntentResult, RedemptionJournal
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadRefused
from reader_service.redemptions.uploads import Uploader, fault_on_record
from reader_service.services.redeeming.registry_receiver import RegistryReceiver
from reader_service.services.redeeming.uploads import Pace, UploadLoop
from terminal.keys import MemoryCustody
from terminal.member.journal_rows import RowKind
from tests.support.cards.member_issuer import NOW
from tests.support.registry import databases
from tests.support.registry.redeemed import CountingChip, chips_of, masters, park, two_cards
from tests.support.registry.registrar import SetClock, custodian
from tests.support.service.receiver import ReceiverInMemory, filled
from tests.support.waiting import eventually

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
QUICK = Pace(look=0.01, first=0.01, longest=0.05, refused=0.01)


def clock() -> datetime:
    return NOW + timedelta(minutes=1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[RedemptionJournal]:
    with RedemptionJournal.open(tmp_path / "redemptions", NOW) as opened:
        yield opened


@contextmanager
def running(
    journal: RedemptionJournal, receiver: ReceiverInMemory, folder: Path, pace: Pace = QUICK
) -> Iterator[UploadLoop]:
    loop = UploadLoop(journal, receiver, folder, clock, pace=pace)
    loop.start()
    try:
        yield loop
    finally:
        loop.close()


def test_what_comes_is_uploaded_by_itself(journal: RedemptionJournal, tmp_path: Path) -> None:
    receiver = ReceiverInMemory()
    with running(journal, receiver, tmp_path) as loop:
        filled(journal, 3)
        assert eventually(lambda: journal.waiting == 0)
        filled(journal, 2, clock())
        assert eventually(lambda: journal.waiting == 0)
    assert loop.fault is None
    assert [receiver.rows[number] for number in sorted(receiver.rows)] == [
        row for row in journal.rows() if row.number <= journal.through
    ]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (ReceiverAway("down"), UploadFaultCode.AWAY),
        (UploadRefused(UploadFaultCode.TOKEN), UploadFaultCode.TOKEN),
        (RuntimeError("a bug"), UploadFaultCode.AWAY),
    ],
)
def test_it_goes_on_when_the_fault_is_over(
    fault: Exception, kind: UploadFaultCode, journal: RedemptionJournal, tmp_path: Path
) -> None:
    filled(journal, 1)
    receiver = ReceiverInMemory(faults=[fault] * 3)
    with running(journal, receiver, tmp_path):
        assert eventually(lambda: journal.waiting == 0)
    assert fault_on_record(tmp_path) is None
    receiver.faults = [fault] * 1000
    filled(journal, 1, clock())
    with running(journal, receiver, tmp_path) as loop:
        assert eventually(lambda: loop.fault is not None and loop.next_at is not None)
    recorded = fault_on_record(tmp_path)
    assert recorded is not None
    assert (recorded.fault, journal.waiting > 0) == (kind, True)
    assert UploadLoop(journal, receiver, tmp_path, clock).fault == recorded


def test_whoever_does_not_want_to_wait_tries_at_once(journal: RedemptionJournal, tmp_path: Path) -> None:
    receiver = ReceiverInMemory(faults=[ReceiverAway("down")])
    with running(journal, receiver, tmp_path, Pace(look=0.01, first=3600, longest=3600)) as loop:
        assert eventually(lambda: loop.next_at is not None)
        assert journal.waiting == 1
        loop.now()
        assert eventually(lambda: journal.waiting == 0)


# --- the office in the same installation -----------------------------------------------------------------------------


@contextmanager
def registry_receiver(
    tmp_path: Path, terminal: str = "T0000001"
) -> Iterator[tuple[RegistryReceiver, CountingChip, MemoryCustody]]:
    own, keys = custodian(), masters()
    with databases.registry(databases.fresh(tmp_path), own, SetClock()) as registry:
        chip = next(iter(chips_of(keys, two_cards(registry, own))))
        park(registry)
        yield RegistryReceiver(registry, keys, "PARK-EAST", terminal, UTC), chip, keys


def redeem(journal: RedemptionJournal, chip: CountingChip) -> None:
    intent = journal.begin(chip.card_number, chip.sequence, b"request", clock())
    evidence = chip.redeem()
    journal.finish(intent, IntentResult(RowKind.REDEEMED, evidence.counter, evidence.encode()), clock())


def test_a_counter_in_the_receiver_books_without_http(journal: RedemptionJournal, tmp_path: Path) -> None:
    with registry_receiver(tmp_path) as (receiver, chip, _):
        for _ in range(3):
            redeem(journal, chip)
        uploaded = Uploader(journal, receiver, clock).run()
        assert (uploaded.booked, uploaded.findings, journal.waiting) == (3, {}, 0)
        assert receiver.through(journal.name) == journal.through


def test_changes_of_cards_are_expected_before_rows_count_as_uploaded(
    journal: RedemptionJournal, tmp_path: Path
) -> None:
    waiting: list[int] = []
    with registry_receiver(tmp_path) as (receiver, chip, custody):
        redeem(journal, chip)
        listening = RegistryReceiver(
            receiver._registry, custody, "PARK-EAST", "T0000001", UTC, booked=lambda: waiting.append(journal.waiting)
        )
        Uploader(journal, listening, clock).run()
    assert (waiting, journal.waiting) == ([3], 0)


def test_a_terminal_that_is_not_on_record_waits_for_somebody(journal: RedemptionJournal, tmp_path: Path) -> None:
    with registry_receiver(tmp_path, "X9999999") as (receiver, chip, _):
        redeem(journal, chip)
        with pytest.raises(UploadRefused) as refused:
            Uploader(journal, receiver, clock).run()
    assert (refused.value.fault, journal.waiting) == (UploadFaultCode.TERMINAL, 3)


def test_a_journal_of_another_outlet_waits_for_somebody(journal: RedemptionJournal, tmp_path: Path) -> None:
    with registry_receiver(tmp_path) as (receiver, chip, custody):
        redeem(journal, chip)
        Uploader(journal, receiver, clock).run()
        moved = RegistryReceiver(receiver._registry, custody, "PARK-EAST", "T0000003", UTC)
        redeem(journal, chip)
        with pytest.raises(UploadRefused) as refused:
            Uploader(journal, moved, clock).run()
        assert (refused.value.fault, journal.waiting) == (UploadFaultCode.OUTLET, 2)
        assert Uploader(journal, receiver, clock).run().booked == 1


def test_without_the_key_nothing_is_booked_and_nothing_lost(journal: RedemptionJournal, tmp_path: Path) -> None:
    with registry_receiver(tmp_path) as (receiver, chip, _):
        redeem(journal, chip)
        keyless = RegistryReceiver(receiver._registry, MemoryCustody(simulation=True), "PARK-EAST", "T0000001", UTC)
        with pytest.raises(UploadRefused) as refused:
            Uploader(journal, keyless, clock).run()
        assert (refused.value.fault, journal.waiting) == (UploadFaultCode.KEY, 3)
        assert Uploader(journal, receiver, clock).run().booked == 1
