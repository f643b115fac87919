"""What a lane does with chips, readers, operators and registries that fail, case by case."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from personalize.errors import PrepareError
from personalize.line.lanes import LaneEvent, LaneState
from personalize.line.outcome import CardOutcome
from registry.errors import RegistryConflict, RegistryUnavailable
from registry.store import Registry
from simulators.card import cardfile
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.reader import SimCard
from simulators.readers.stock import make_stock
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, LinkProtocol, Transport, open_reader
from terminal.errors import NoCard, ReaderBusy, ReaderFault, ReaderNotFound
from terminal.secret import Secret
from tests.support import issuer
from tests.support.cards.card_bench import SCP02, SCP03, Bench, Killed, Rack, card_on
from tests.support.registry.wrapped import Call, wrapped
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("quick")

MEMBERS = 6
AGAIN, VERIFIED, REJECTED = CardOutcome.AGAIN, CardOutcome.VERIFIED, CardOutcome.REJECTED
LEASE = timedelta(minutes=2)
OTHER_MASTER = Secret(bytes(range(0x60, 0x70)))


# --- faults of one chip, by reader URL --------------------------------------------------------------------------------

FAULTS = [
    # what fails, as a reader URL writes it                  what comes of it                    bin
    pytest.param(["tear-apdu:12"], [AGAIN, VERIFIED], "", id="pulled-in-the-middle"),
    pytest.param(["tear-apdu:0"], [AGAIN, VERIFIED], "", id="pulled-at-once"),
    pytest.param(["tear-apdu:9", "tear-apdu:20+"], [AGAIN, AGAIN, VERIFIED], "", id="pulled-twice"),
    pytest.param(["mute:14"], [AGAIN, VERIFIED], "", id="mute-once"),
    pytest.param(["mute:8", "mute:9", "mute:10"], [AGAIN, AGAIN, REJECTED], "1 contact", id="mute-for-good"),
    pytest.param(["mute:0", "mute:1", "mute:2"], [AGAIN, AGAIN, REJECTED], "1 contact", id="mute-from-the-start"),
    pytest.param(["corrupt:13"], [AGAIN, VERIFIED], "", id="one-garbled-answer"),
    pytest.param(["corrupt:1", "corrupt:3", "corrupt:5"], [AGAIN, AGAIN, REJECTED], "4 foreign", id="garbled-for-good"),
    pytest.param([f"corrupt:{n}" for n in (5, 11, 17)], [AGAIN, AGAIN, REJECTED], "3 data", id="garbled-later-on"),
    pytest.param(["corrupt:4"], [REJECTED], "2 keys", id="garbled-authentication"),
    pytest.param(["slow:10:30", "slow:20:30"], [VERIFIED], "", id="slow"),
]


@pytest.mark.parametrize(("faults", "outcomes", "bin"), FAULTS)
def test_faults_of_a_chip(bench: Bench, faults: list[str], outcomes: list[CardOutcome], bin: str) -> None:
    """The same chip goes on with the same dossier; one that does not is on record and its card is made again."""
    chip, spare = bench.chip(), bench.chip()
    reports: list[CardOutcome] = []
    rack = Rack([chip], faults)
    bench.run(rack, on_event=lambda event: reports.append(event.report.outcome) if event.report else None)
    assert reports == outcomes
    assert bench.accounts.balanced
    assert bench.accounts.claimed == 0
    rejects = bench.registry.line.rejects(bench.batch)
    assert [reject.bin for reject in rejects] == ([bin] if bin else [])
    if bin:
        assert rack.bins[Disposition.REJECT] == [chip]
        bench.run(Rack([spare]))
    assert bench.accounts.verified == 1
    assert bench.accounts.waiting == 5


def test_a_chip_that_comes_back_keeps_its_dossier(bench: Bench) -> None:
    chip, other = bench.chip(), bench.chip()
    with pytest.raises(Killed):
        bench.run(Rack([chip], ["tear-apdu:12"]), on_event=dies_after_its_first_card)
    (bound,) = [b for b in bench.registry.line.bound_chips(bench.batch) if b.chip_serial == chip.chip_serial]
    bench.run(Rack([other]))
    bench.run(Rack([chip]))
    card = bench.registry.cards.card(bound.card_number)
    assert (card.chip_serial, card.dossier_id, card.sequence) == (chip.chip_serial, bound.dossier_id, 1)
    bench.finish()
    bench.check_all_issued()


def dies_after_its_first_card(event: LaneEvent) -> None:
    """The station is switched off when a lane tells of its first card."""
    if event.report:
        raise Killed


# --- dead, wrong, foreign, known --------------------------------------------------------------------------------------


class DeadRack(Rack):
    """A rack in which some chips give no answer to reset."""

    dead: tuple[VirtualCard, ...] = ()

    def connect(self) -> Transport:
        if self.chips and self.chips[0] in self.dead:
            raise NoCard("the card does not answer to reset")
        return super().connect()


def test_a_dead_chip_goes_to_the_contact_bin_after_all_its_tries(bench: Bench) -> None:
    dead, good = bench.chip(), bench.chip()
    rack = DeadRack([dead, good])
    rack.dead = (dead,)
    result = bench.run(rack)
    assert result.counts == {REJECTED: 1, VERIFIED: 1}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.bin, reject.step, reject.card_number) == ("1 contact", "connect", None)
    assert reject.chip_serial.startswith("UNREAD-")
    accounts = bench.accounts
    assert accounts.balanced
    assert (accounts.chips_fed, accounts.remade) == (2, 0)


def test_a_chip_that_dies_half_done_is_one_chip_and_its_card_is_remade(bench: Bench) -> None:
    """It cannot tell its serial any more, but it has not left the slot: counted once, and no dossier waits for it."""
    chip, good = bench.chip(), bench.chip()
    rack = DeadRack([chip, good], ["tear-apdu:12"])

    def dies(event: LaneEvent) -> None:
        if event.report and event.report.outcome is AGAIN:
            rack.dead = (chip,)

    result = bench.run(rack, on_event=dies)
    assert result.counts == {AGAIN: 1, REJECTED: 1, VERIFIED: 1}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.chip_serial, reject.bin, reject.sequence) == (chip.chip_serial, "1 contact", 1)
    accounts = bench.accounts
    assert accounts.balanced
    assert (accounts.chips_fed, accounts.remade, accounts.claimed) == (2, 1, 0)
    bench.finish()
    bench.check_all_issued()


@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
def test_wrong_stock_keys_spend_no_try_of_the_chip(bench: Bench, kind: tuple[int, LinkProtocol]) -> None:
    """The chip proves its keys first: what it says is wrong, so ours are never sent."""
    chip = bench.chip(kind, kmc=OTHER_MASTER)
    result = bench.run(Rack([chip]))
    assert result.counts == {REJECTED: 1}
    assert bench.registry.line.rejects(bench.batch)[0].bin == "2 keys"
    assert tries_spent(chip) == 0


@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
def test_a_refused_authentication_spends_one_try_and_is_never_repeated(
    bench: Bench, kind: tuple[int, LinkProtocol]
) -> None:
    chip = bench.chip(kind)
    spoilt: list[bytes] = []

    def spoil(apdu: bytes) -> bytes:
        if apdu[1] == 0x82:
            spoilt.append(apdu)
            return apdu[:5] + bytes(8) + apdu[13:]
        return apdu

    rack = Rack([chip], wrap=lambda card: Tampered(card, command=spoil))
    assert bench.run(rack, tries=5).counts == {REJECTED: 1}
    assert (len(spoilt), tries_spent(chip)) == (1, 1)
    assert bench.registry.line.rejects(bench.batch)[0].bin == "2 keys"
    assert bench.run(Rack([chip])).counts == {CardOutcome.REFUSED: 1}
    assert tries_spent(chip) == 1


def tries_spent(chip: VirtualCard) -> int:
    """The try counter of the chip's only key set, as its memory has it."""
    isd = chip._nvm.scope("isd")
    (counters,) = [isd[name] for name in isd if name.startswith("counters/")]
    return counters[0]


class Tampered:
    """A transport that changes commands or answers."""

    def __init__(
        self,
        card: SimCard,
        command: Callable[[bytes], bytes] = lambda apdu: apdu,
        answer: Callable[[bytes, bytes], bytes] = lambda apdu, answer: answer,
    ) -> None:
        self._card, self._command, self._answer = card, command, answer
        self.atr, self.protocol, self.extended_length = card.atr, card.protocol, card.extended_length
        self.reset, self.close = card.reset, card.close

    def exchange(self, apdu: bytes) -> bytes:
        return self._answer(apdu, self._card.exchange(self._command(apdu)))


FOREIGN = [
    pytest.param(b"", b"\x6a\x82", id="transit-card-without-a-domain"),
    pytest.param(b"\x00\xa4", b"\x6d\x00", id="bank-card-without-production-data"),
]


@pytest.mark.parametrize(("knows", "refusal"), FOREIGN)
def test_a_foreign_card_gets_no_dossier_and_does_not_count_as_stock(bench: Bench, knows: bytes, refusal: bytes) -> None:
    def answer(apdu: bytes, answer: bytes) -> bytes:
        return answer if knows and apdu.startswith(knows) else refusal

    bench.registry.stock.receive(10, "delivery", "clerk")
    card = bench.chip()
    rack = Rack([card], wrap=lambda chip: Tampered(chip, answer=answer))
    assert bench.run(rack).counts == {AGAIN: 2, REJECTED: 1}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.bin, reject.step, reject.card_number) == ("4 foreign", "identify", None)
    stock = bench.registry.stock.accounts()
    assert (stock.foreign, stock.left, stock.fed, stock.balanced) == (1, 10, 0, True)
    assert bench.accounts.waiting == 6


def test_a_chip_verified_before_goes_to_the_good_bin_untouched(bench: Bench) -> None:
    """It proves its keys, which moves its counters, and nothing is written to it."""
    chip = bench.chip()
    bench.run(Rack([chip]))
    before, sent = card_on(chip), []
    rack = Rack([chip], wrap=lambda card: Tampered(card, command=lambda apdu: sent.append(apdu[1]) or apdu))
    assert bench.run(rack).counts == {CardOutcome.KNOWN: 1}
    assert rack.bins[Disposition.DONE] == [chip]
    assert not {0xE6, 0xE2, 0xD8, 0xF0, 0xE4, 0x82} & set(sent)
    assert card_on(chip) == before
    assert bench.accounts.verified == 1


def test_a_chip_rejected_before_is_refused_for_ever(bench: Bench) -> None:
    chip = bench.chip()
    bench.registry.line.reject_chip(bench.batch, chip.chip_serial, "bent", "look", "1 contact", "lane 1")
    rack = Rack([chip])
    assert bench.run(rack).counts == {CardOutcome.REFUSED: 1}
    assert rack.bins[Disposition.REJECT] == [chip]
    assert len(bench.registry.line.rejects(bench.batch)) == 1


def test_a_chip_of_another_batch_is_put_aside_and_goes_on_there(bench: Bench) -> None:
    chip = bench.chip()
    claim = bench.registry.line.claim(bench.batch, "lane 1", "station", chip.chip_serial, LEASE)
    other = Bench.__new__(Bench)
    other.__dict__ = {**bench.__dict__, "members": 1}
    other.batch = issuer.prepared(bench.registry, 1, bench.directory, profile=bench.profile, start=100)
    rack = Rack([chip])
    assert other.run(rack).counts == {CardOutcome.ASIDE: 1}
    assert rack.bins[Disposition.ASIDE] == [chip]
    assert other.accounts.waiting == 1
    assert bench.run(Rack([chip])).counts == {VERIFIED: 1}
    assert bench.registry.cards.card(claim.card_number).chip_serial == chip.chip_serial  # type: ignore[union-attr]


# --- how a lane ends and goes on --------------------------------------------------------------------------------------


def test_a_lane_stops_after_so_many_failures_in_a_row(bench: Bench) -> None:
    bad = [bench.chip(kmc=OTHER_MASTER) for _ in range(5)]
    rack = Rack([*bad[:2], bench.chip(), *bad[2:], bench.chip()])
    result = bench.run(rack, max_consecutive_failures=3)
    assert result.counts == {REJECTED: 5, VERIFIED: 1}
    assert result.fault
    assert "3 failures in a row" in result.message
    assert len(rack.chips) == 1, "the chip after the last failure is not touched"
    bench.finish()
    bench.check_all_issued()


def test_stop_ends_every_lane_after_the_card_in_hand(bench: Bench) -> None:
    racks = [Rack([bench.chip() for _ in range(3)]) for _ in range(2)]
    the_line = bench.line(on_event=lambda event: the_line.stop() if event.step == "store" else None)
    results = the_line.run(racks)
    assert {result.message for result in results} == {"stopped"}
    accounts = bench.accounts
    assert accounts.verified == sum(result.counts.get(VERIFIED, 0) for result in results)
    assert 1 <= accounts.verified <= 2
    assert accounts.claimed == 0


def test_pause_holds_the_lane_between_cards_and_resume_lets_it_go_on(bench: Bench) -> None:
    paused = threading.Event()

    def hear(event: LaneEvent) -> None:
        if event.report and bench.accounts.verified == 1:
            the_line.pause()
        if event.state is LaneState.PAUSED:
            paused.set()

    the_line = bench.line(on_event=hear)
    worker = threading.Thread(target=the_line.run, args=([Rack([bench.chip() for _ in range(3)])],))
    worker.start()
    assert paused.wait(PATIENCE)
    assert the_line.paused
    time.sleep(0.1)
    assert bench.accounts.verified == 1
    the_line.resume()
    worker.join(PATIENCE)
    assert bench.accounts.verified == 3


def test_stop_ends_a_paused_lane(bench: Bench) -> None:
    the_line = bench.line()
    the_line.pause()
    results: list[str] = []
    worker = threading.Thread(target=lambda: results.append(the_line.run([Rack([bench.chip()])])[0].message))
    worker.start()
    time.sleep(0.05)
    assert not results
    the_line.stop()
    worker.join(PATIENCE)
    assert results == ["stopped"]


class HandFed(Rack):
    """A slot in which a person changes cards: it is empty for a while, as a wait with its full time-out."""

    def wait_for_card(self, timeout: float | None) -> bool:
        if self.chips:
            return True
        time.sleep(timeout or 0)
        return False


def test_a_lane_without_cards_ends_after_its_idle_time(bench: Bench) -> None:
    result = bench.run(HandFed([bench.chip()]), idle=0.1)
    assert result.message == "no card came within 0.1 s"
    assert not result.fault
    assert result.counts == {VERIFIED: 1}


def test_a_hand_fed_lane_ends_when_others_finish_the_batch(bench: Bench) -> None:
    results = bench.line(idle=60).run([HandFed([]), Rack([bench.chip() for _ in range(6)])])
    assert results[0].message == "the batch is done"


def test_a_chip_taken_out_is_not_taken_for_the_dead_one_put_in_after_it(bench: Bench) -> None:
    """The slot was empty in between: the dead chip is another one, and the first may still come back."""
    chip, dead = bench.chip(), bench.chip()

    class Swapped(HandFed):
        def release(self, disposition: Disposition) -> None:
            super().release(disposition)
            if disposition is Disposition.KEEP and self.chips[0] is chip:
                self.chips.popleft()
                threading.Timer(0.1, lambda: self.chips.append(dead)).start()

        def connect(self) -> Transport:
            if self.chips[0] is dead:
                raise NoCard("the card does not answer to reset")
            return super().connect()

    result = bench.run(Swapped([chip], ["tear-apdu:12"]), idle=0.5)
    assert result.counts == {AGAIN: 1, REJECTED: 1}
    assert bench.registry.line.rejects(bench.batch)[0].card_number is None
    assert bench.accounts.claimed == 1
    assert bench.run(Rack([chip])).counts == {VERIFIED: 1}


# --- readers that fail ------------------------------------------------------------------------------------------------


class Troubled(Rack):
    """A rack whose reader fails: each entry of ``trouble`` names a method and what it raises, once."""

    trouble: list[tuple[str, Exception]]

    def _strike(self, where: str) -> None:
        if self.trouble and self.trouble[0][0] == where:
            raise self.trouble.pop(0)[1]

    def wait_for_card(self, timeout: float | None) -> bool:
        self._strike("wait")
        return super().wait_for_card(timeout)

    def connect(self) -> Transport:
        self._strike("connect")
        return super().connect()

    def release(self, disposition: Disposition) -> None:
        self._strike("release")
        super().release(disposition)


LOST, BUSY = ReaderFault("the PC/SC service was stopped"), ReaderBusy("another program holds the reader")
TROUBLES = [
    pytest.param([("wait", LOST), ("wait", LOST)], {VERIFIED: 2}, id="service-restarts"),
    pytest.param([("connect", BUSY), ("connect", BUSY)], {VERIFIED: 2}, id="reader-in-use"),
    pytest.param([("release", LOST)], {VERIFIED: 2, CardOutcome.KNOWN: 1}, id="reader-fails-letting-go"),
]


@pytest.mark.parametrize(("trouble", "counts"), TROUBLES)
def test_a_lane_waits_for_a_reader_that_comes_back(
    bench: Bench, trouble: list[tuple[str, Exception]], counts: dict[CardOutcome, int]
) -> None:
    rack = Troubled([bench.chip(), bench.chip()])
    rack.trouble = list(trouble)
    messages: list[str] = []
    result = bench.run(rack, on_event=lambda event: messages.append(event.message))
    assert (result.counts, result.fault, rack.trouble) == (counts, False, [])
    assert str(trouble[0][1]) in messages
    assert bench.accounts.balanced


def test_a_reader_that_stays_away_ends_its_lane_with_its_own_words(bench: Bench) -> None:
    rack = Troubled([bench.chip()])
    rack.trouble = [("wait", LOST)] * 1000
    result = bench.run(rack, idle=0.1)
    assert (result.fault, result.message) == (True, "the PC/SC service was stopped")


@pytest.mark.parametrize("fault", [ReaderNotFound("no reader is plugged in"), BUSY])
def test_a_reader_lost_in_the_middle_costs_the_chip_nothing(bench: Bench, fault: Exception) -> None:
    chip, exchanges = bench.chip(), 0

    def lose(apdu: bytes) -> bytes:
        nonlocal exchanges
        exchanges += 1
        if exchanges == 15:
            raise fault
        return apdu

    bench.run(Rack([chip], wrap=lambda card: Tampered(card, command=lose)), idle=0.1)
    assert not bench.registry.line.rejects(bench.batch)
    assert str(fault) in [entry.detail for entry in bench.registry.line.journal_of(bench.batch)]
    bench.run(Rack([chip]))
    assert bench.accounts.verified == 1


def test_a_fault_ends_its_own_lane_only(bench: Bench) -> None:
    broken = Troubled([bench.chip()])
    broken.trouble = [("wait", ReaderNotFound("no reader is plugged in"))]
    results = bench.line().run([broken, Rack([bench.chip() for _ in range(6)])])
    assert [result.fault for result in results] == [True, False]
    assert results[1].counts == {VERIFIED: 6}


# --- the registry and the preparation fail ----------------------------------------------------------------------------


def failing(bench: Bench, failing_call: str, n: int, error: Exception) -> Registry:
    """A registry in which one method raises at its ``n``-th call."""
    numbers = count()

    def wrap(name: str, call: Call) -> Call:
        def failing_at_n(*given: object, **named: object) -> object:
            if next(numbers) == n:
                raise error
            return call(*given, **named)

        return failing_at_n if name == failing_call else call

    return wrapped(bench.registry, wrap)


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("line.claim", 1),
        ("line.journal", 3),
        ("line.journal", 12),
        ("line.verified", 1),
        ("line.reject", 0),
        ("line.reject_chip", 0),
        ("batches.accounts", 0),
    ],
)
def test_a_registry_that_fails_ends_the_lane_with_a_sentence_and_loses_nothing(bench: Bench, name: str, n: int) -> None:
    locked = RegistryUnavailable("the registry is locked by another program; try again", retryable=True)
    rejecting = ["mute:10", "mute:16", "mute:22"]
    faults = {"line.reject": rejecting, "line.claim": [], "line.journal": [], "line.verified": []}.get(
        name, ["mute:10", "mute:11", "mute:12"]
    )
    rack = Rack([bench.chip() for _ in range(3)], faults)
    result = bench.run(rack, job=bench.job(failing(bench, name, n, locked)))
    assert (result.fault, result.message) == (True, str(locked))
    assert bench.accounts.balanced
    rack.close()
    bench.run(Rack(rack.chips))
    bench.finish()
    bench.check_all_issued()


def test_a_locked_database_is_reported_in_a_sentence(bench: Bench) -> None:
    impatient = Registry.open(f"sqlite:///{bench.directory / 'registry.db'}", issuer.custody(), busy_seconds=0.05)
    holder = sqlite3.connect(bench.directory / "registry.db", isolation_level=None, check_same_thread=False)
    chip = bench.chip()

    def lock(event: LaneEvent) -> None:
        if event.step == "keys":
            holder.execute("BEGIN IMMEDIATE")

    result = bench.run(Rack([chip]), job=bench.job(impatient), on_event=lock)
    holder.execute("ROLLBACK")
    holder.close()
    impatient.close()
    assert result.fault
    assert "is locked by another program" in result.message
    assert bench.accounts.claimed == 1
    assert bench.run(Rack([chip])).counts == {VERIFIED: 1}


def test_dossiers_that_a_crash_left_missing_are_prepared_by_the_next_run(bench: Bench) -> None:
    """Rejected, and dead before the card was made again: no waiting dossier, one member without."""
    bench.run(Rack(bench.chip() for _ in range(5)))
    chip = bench.chip()
    claim = bench.registry.line.claim(bench.batch, "lane 1", "station", chip.chip_serial, LEASE)
    bench.registry.line.reject(claim, "bent", "store", "3 data")  # type: ignore[arg-type]
    assert (bench.accounts.waiting, bench.accounts.to_prepare) == (0, 1)
    result = bench.run(Rack([bench.chip()]))
    assert not result.fault
    bench.check_all_issued()


def test_a_batch_never_prepared_is_not_prepared_by_the_line(bench: Bench) -> None:
    batch = issuer.batch(bench.registry, 1, start=200)
    remade: list[int] = []
    job = replace(bench.job(), batch_id=batch)
    result = bench.run(Rack([bench.chip()]), job=job, remake=lambda: remade.append(1))
    assert result.counts == {CardOutcome.NOTHING_LEFT: 1}
    assert "membercard batch prepare" in result.message
    assert not remade


def test_two_stations_may_make_the_same_dossiers_again(bench: Bench) -> None:
    calls = 0

    def remake() -> None:
        nonlocal calls
        calls += 1
        issuer.prepare(bench.registry, bench.batch, bench.directory, bench.profile)
        if calls == 1:
            raise RegistryConflict("another station was first", reason="prepared-elsewhere")

    result = bench.run(Rack([bench.chip(), bench.chip()], ["mute:10", "mute:11", "mute:12"]), remake=remake)
    assert (result.fault, calls) == (False, 2)
    bench.finish()
    bench.check_all_issued()


def test_a_dossier_that_cannot_be_remade_ends_the_lane_after_the_reject_is_recorded(bench: Bench) -> None:
    def fail() -> None:
        raise PrepareError("the name does not fit")

    chip = bench.chip()
    rack = Rack([chip, bench.chip()], ["mute:10", "mute:11", "mute:12"])
    result = bench.run(rack, remake=fail)
    assert (result.fault, result.message) == (True, "the name does not fit")
    assert rack.bins[Disposition.REJECT] == [chip]
    assert (bench.accounts.remade, bench.accounts.to_prepare) == (1, 1)
    bench.finish()
    bench.check_all_issued()


# --- a lane that froze ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["install", "store", "keys", "secure", "read back"])
def test_a_frozen_lane_that_wakes_up_may_not_write_and_its_chip_is_looked_at_anew(bench: Bench, moment: str) -> None:
    """While it sleeps, another lane claims the chip; what the sleeper then writes is refused."""
    chip, stolen = bench.chip(), False
    messages: list[str] = []

    def steal(event: LaneEvent) -> None:
        nonlocal stolen
        messages.append("fell out" if event.report else event.step)
        if event.step == moment and not stolen:
            stolen = True
            bench.registry.line.claim(bench.batch, "lane 9", "other station", chip.chip_serial, LEASE)

    result = bench.run(Rack([chip]), on_event=steal)
    assert result.counts == {AGAIN: 1, VERIFIED: 1}
    assert bench.accounts.balanced
    assert bench.accounts.claimed == 0
    lanes_of = {entry.lane for entry in bench.registry.line.journal_of(bench.batch)}
    assert lanes_of == {"lane 1"}
    assert messages[messages.index("fell out") - 1] == moment, "nothing more is done to a chip that another lane holds"


@pytest.mark.parametrize("fault", ["mute:19", "tear-apdu:19+"])
def test_the_fence_may_be_lost_while_a_fault_is_noted(bench: Bench, fault: str) -> None:
    chip = bench.chip()

    def exchange(apdu: bytes) -> bytes:
        nonlocal count
        count += 1
        if count == 20:
            bench.registry.line.claim(bench.batch, "lane 9", "other station", chip.chip_serial, LEASE)
        return apdu

    count = 0
    rack = Rack([chip], [fault], wrap=lambda card: Tampered(card, command=exchange))
    result = bench.run(rack)
    assert (result.fault, result.counts) == (False, {AGAIN: 1, VERIFIED: 1})


def test_a_chip_given_up_by_the_operator_is_refused_when_the_sleeper_wakes(bench: Bench) -> None:
    chip, given_up = bench.chip(), False

    def give_up(event: LaneEvent) -> None:
        nonlocal given_up
        if event.step == "keys" and not given_up:
            given_up = True
            bench.registry.line.release_missing(bench.batch, chip.chip_serial, "operator", reason="chip lost")

    rack = Rack([chip])
    result = bench.run(rack, job=bench.job(lease=timedelta(0)), on_event=give_up)
    assert result.counts == {AGAIN: 1, CardOutcome.REFUSED: 1}
    assert rack.bins[Disposition.REJECT] == [chip]
    assert bench.accounts.remade == 1


# --- a stock directory ------------------------------------------------------------------------------------------------


@pytest.fixture
def stock(bench: Bench) -> Path:
    list(make_stock(bench.directory / "stock", 8, CardConfig(ProductionData(0))))
    return bench.directory / "stock"


def bins(stock: Path) -> tuple[int, int, int]:
    """Blanks left, issued, rejected."""
    return len(list(stock.glob("*.card"))), len(list((stock / "issued").glob("*"))), len(
        list((stock / "rejects").glob("*"))
    )  # fmt: skip


def test_a_feeder_keeps_what_fell_out_and_bins_what_is_done(bench: Bench, stock: Path) -> None:
    first = min(stock.glob("*.card")).name
    seen: list[tuple[CardOutcome, str]] = []
    reader = open_reader(f"sim:{stock}?fault=mute:10&fault=mute:11&fault=mute:12&fault=tear-apdu:40")
    bench.line(
        on_event=lambda event: seen.append((event.report.outcome, event.report.chip_serial)) if event.report else None
    ).run([reader])
    reader.close()
    assert [outcome for outcome, _ in seen[:4]] == [AGAIN, AGAIN, REJECTED, AGAIN]
    assert seen[0][1] == bench.registry.line.rejects(bench.batch)[0].chip_serial
    assert seen[3][1] == seen[4][1]
    assert (stock / "rejects" / first).exists()
    assert bins(stock) == (1, 6, 1)
    bench.check_all_issued()


def test_half_done_cards_come_first_after_a_crash(bench: Bench, stock: Path) -> None:
    """The station is switched off in the middle of two lanes' cards; then the stock grows by cards that sort before."""
    names = sorted(path.name for path in stock.glob("*.card"))
    readers = [open_reader(f"sim:{stock}?fault=tear-apdu:20") for _ in range(2)]
    for reader in readers:
        with pytest.raises(Killed):
            bench.line(on_event=dies_after_its_first_card).run([reader])
    bound = {b.chip_serial for b in bench.registry.line.bound_chips(bench.batch)}
    assert len(bound) == 2
    for reader in readers:
        reader.close()
    early = VirtualCard.create(stock / "chip-0.card", CardConfig(ProductionData(7)))
    seen: list[str] = []
    reader = open_reader(f"sim:{stock}")
    bench.line(on_event=lambda event: seen.append(event.report.chip_serial) if event.report else None).run([reader])
    reader.close()
    assert set(seen[:2]) == bound
    assert seen[2] == early.chip_serial
    assert sorted(path.name for path in (stock / "issued").iterdir())[1:3] == names[:2]
    bench.check_all_issued()


def test_a_chip_with_work_on_it_comes_before_one_only_looked_at(bench: Bench, stock: Path) -> None:
    """One dossier waits for its chip and no other is left: a lane that met a blank first would end there."""
    bench.run(Rack(bench.chip() for _ in range(5)))
    held, begun = open_reader(f"sim:{stock}"), open_reader(f"sim:{stock}?fault=tear-apdu:20")
    assert held.wait_for_card(0)
    with pytest.raises(Killed):
        bench.line(on_event=dies_after_its_first_card).run([begun])
    looked_at = min(stock.glob("*.card")).name
    held.close()
    begun.close()
    (stock / ".begun" / looked_at).touch()  # as a killed process leaves it
    reader = open_reader(f"sim:{stock}")
    (result,) = bench.line().run([reader])
    reader.close()
    assert result.counts[VERIFIED] == 1
    bench.check_all_issued()


def test_a_damaged_chip_is_a_dead_chip(bench: Bench, stock: Path) -> None:
    first = min(stock.glob("*.card"))
    first.write_bytes(b"not a chip's memory")
    reader = open_reader(f"sim:{stock}")
    (result,) = bench.line().run([reader])
    reader.close()
    assert not result.fault
    assert bins(stock) == (1, 6, 1)
    assert (stock / "rejects" / first.name).exists()
    bench.check_all_issued()


def test_a_full_disk_under_a_card_file_is_a_chip_that_cannot_store(
    bench: Bench, stock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card answers 6581 and keeps its old state; given up after its tries, its dossier is made on another."""
    first, write = min(stock.glob("*.card")), cardfile.os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) > 200 and Path(f"/proc/self/fd/{fd}").readlink() == first:
            raise OSError(28, "No space left on device")
        return write(fd, data)

    monkeypatch.setattr(cardfile.os, "write", full)
    reader = open_reader(f"sim:{stock}")
    (result,) = bench.line().run([reader])
    reader.close()
    assert not result.fault
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.bin, reject.step) == ("3 data", "install")
    assert "6581" in reject.reason
    assert bins(stock) == (1, 6, 1)
    bench.check_all_issued()
