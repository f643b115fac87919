"""A line over real PC/SC slots: two lanes, pulled cards, a restarted service, foreign cards, response times."""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from personalize.line.lanes import LaneEvent, LaneResult, LaneState
from personalize.line.outcome import CardOutcome
from simulators.card.config import CardConfig
from simulators.readers.stock import blank
from simulators.readers.vpcd import VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu.pcsc.names import base_name
from tests.support.cli import Cli
from tests.support.pcsc.pcsc_line import PcscLine, Trap, attached, fed, readers
from tests.support.pcsc.pcscd import Pcscd
from tests.support.pcsc.vpcd_echo import VpcdCard
from tests.support.thorough import repeats
from tests.support.waiting import PATIENCE, eventually

pytestmark = [pytest.mark.pcsc, pytest.mark.xdist_group("pcsc")]

SELECT = bytes.fromhex("00A4040000")

# -- 1: two lanes over two slots, as typed ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def typed(pcscd: Pcscd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PcscLine, dict[str, object]]]:
    """A batch run from the command line over two fed slots; the station and what was printed."""
    station = PcscLine(tmp_path_factory.mktemp("station"), repeats(4, 8))
    urls = [word for slot in pcscd.slots[:2] for word in ("--reader", f"pcsc:{slot.reader_name}")]
    with attached(station.cli, station.stock, *pcscd.slots[:2]):
        done = station.cli.ok("perso", "run", station.batch, *urls, "--idle", PATIENCE, "--json")
    yield station, done.json
    station.registry.close()


def test_two_slots_carry_a_batch_to_its_end(typed: tuple[PcscLine, dict[str, object]]) -> None:
    station, summary = typed
    members = repeats(4, 8)
    station.check_finished(members)
    assert station.accounts.chips_fed == members
    lanes = summary["lanes"]
    assert isinstance(lanes, list)
    assert [lane["message"] for lane in lanes] == ["the batch is done"] * 2
    assert not any(lane["fault"] for lane in lanes)
    # No chip counted as new while it was still in the slot, and none was lost.
    counts = [lane["counts"] for lane in lanes]
    assert {outcome for lane in counts for outcome in lane} == {"verified"}
    assert all(lane["verified"] >= 1 for lane in counts)
    assert len(list((station.stock / "issued").glob("*.card"))) == members


def test_a_finished_card_is_not_touched_until_it_is_taken_out(pcscd: Pcscd, tmp_path: Path) -> None:
    station, slot = PcscLine(tmp_path, 2), pcscd.next_slot()
    slot.wait(present=False)
    first, second = (VirtualCard.open(path) for path in station.paths)
    ended: list[LaneResult] = []
    with VpcdSlot(slot.host, slot.port) as virtual:
        runner = threading.Thread(target=lambda: ended.extend(station.run([slot])))
        runner.start()
        virtual.insert(first)
        assert eventually(lambda: station.outcomes[CardOutcome.VERIFIED] == 1)
        busy, looks = time.process_time(), len(station.events)
        time.sleep(1.5)
        assert time.process_time() - busy < 0.4
        assert len(station.events) - looks <= 5
        for card in (first, second):
            virtual.pull()
            slot.wait(present=False)
            virtual.insert(card)
            assert eventually(lambda: len(station.outcomes) == 2)
        runner.join(PATIENCE)
    assert station.outcomes == {CardOutcome.VERIFIED: 2, CardOutcome.KNOWN: 1}
    assert [result.message for result in ended] == ["the batch is done"]
    station.check_finished(2)


# -- 2: pulled during a job -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_cards_pulled_at_any_command_go_on_with_their_dossiers(pcscd: Pcscd, tmp_path: Path, seed: int) -> None:
    station, draw = PcscLine(tmp_path, 4), random.Random(seed)
    traps: list[Trap] = []

    def trap(chip: VirtualCard) -> Trap:
        traps.append(Trap(chip, [draw.randint(1, 40)], late=draw.random() < 0.5))
        return traps[-1]

    with fed(pcscd.slots[:2], station.stock, trap):
        results = station.run(pcscd.slots[:2])
    assert [result.message for result in results] == ["the batch is done"] * 2
    assert sum(trap.broke for trap in traps) == 4
    assert station.outcomes[CardOutcome.AGAIN] >= 4
    station.check_finished(4)
    # The same dossier each time: nothing was reissued, no second chip was used.
    assert (station.accounts.remade, station.accounts.dossiers, station.accounts.chips_fed) == (0, 4, 4)


# -- 3: the service stops ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_lanes_outlive_the_service(pcscd: Pcscd, tmp_path: Path, how: signal.Signals) -> None:
    if not pcscd.ours:
        pytest.skip("this pcscd was started by somebody else")
    members = repeats(4, 6)
    station = PcscLine(tmp_path, members)
    strike, dead = threading.Event(), threading.Event()
    noticed: list[bool] = []

    def troubled() -> bool:
        return any(event.state is LaneState.WAITING and "PC/SC" in event.message for event in list(station.events))

    def hear(event: LaneEvent) -> None:
        # The third card is in its session, and continues once the service has stopped.
        if event.step == "store" and station.outcomes[CardOutcome.VERIFIED] >= 2 and not strike.is_set():
            strike.set()
            assert dead.wait(PATIENCE)

    def kill_it() -> None:
        assert strike.wait(PATIENCE)
        pcscd.halt(how)
        dead.set()
        noticed.append(eventually(troubled))
        pcscd.restart()

    killer = threading.Thread(target=kill_it)
    killer.start()
    with fed(pcscd.slots[:2], station.stock):
        results = station.run(pcscd.slots[:2], hear)
        killer.join()
    assert [result.fault for result in results] == [False, False]
    assert noticed == [True]
    station.check_finished(members)
    assert (station.accounts.remade, station.accounts.chips_rejected) == (0, 0)


def test_a_lane_waits_for_a_reader_that_another_program_holds(pcscd: Pcscd, tmp_path: Path) -> None:
    station, slot = PcscLine(tmp_path, 1), pcscd.next_slot()
    slot.wait(present=False)
    with VpcdSlot(slot.host, slot.port) as virtual, readers([slot]) as (other,):
        virtual.insert(VirtualCard.open(station.paths[0]))
        assert other.wait_for_card(PATIENCE)
        other.connect()
        held = threading.Event()

        def hear(event: LaneEvent) -> None:
            if "another program holds the reader" in event.message:
                held.set()

        def let_go() -> None:
            assert held.wait(PATIENCE)
            other.close()

        owner = threading.Thread(target=let_go)
        owner.start()
        (result,) = station.run([slot], hear)
        owner.join()
    assert (result.message, held.is_set()) == ("the batch is done", True)
    assert station.outcomes == {CardOutcome.VERIFIED: 1}


# -- 4: the other commands, as typed ----------------------------------------------------------------------------------


def test_commands_find_a_card_in_a_slot(pcscd: Pcscd, typed: tuple[PcscLine, dict[str, object]]) -> None:
    station, slot = typed[0], pcscd.slots[1]
    issued = sorted((station.stock / "issued").glob("*.card"))[0]
    cli = station.cli
    with attached(cli, issued, slot):
        slot.wait(present=True)
        listed = {reader["name"]: reader for reader in cli.ok("readers", "list", "--json").json}
        mine = listed[base_name(slot.reader_name)]
        assert mine["atr"] == VirtualCard.open(issued).atr.hex().upper()
        assert len(listed) >= 2
        by_index = cli.ok("card", "verify", "--reader", f"pcsc:{mine['index']}", "--json").json
        by_name = cli.ok("card", "verify", "--reader", mine["url"], "--json").json
        assert by_index["verdict"] == by_name["verdict"] == "ACTIVE"
        facts = cli.ok("gp", "info", "--reader", mine["url"], "--json")
        (serial,) = re.findall(r"chip-([0-9A-F]{20})", issued.name)
        assert serial in facts.out


def test_watch_reports_a_card_inserted_and_removed(pcscd: Pcscd, tmp_path: Path) -> None:
    slot = pcscd.next_slot()
    slot.wait(present=False)
    watch = Cli(tmp_path / "data").start("readers", "watch", "--json")
    seen: list[str] = []
    assert watch.stdout is not None
    lines = iter(watch.stdout)
    listener = threading.Thread(target=lambda: seen.extend(json.loads(text)["event"] for text in lines))
    listener.start()

    try:
        assert eventually(lambda: seen.count("reader added") >= len(pcscd.slots))
        with VpcdSlot(slot.host, slot.port) as virtual:
            virtual.insert(VirtualCard.create(None, CardConfig(blank())))
            assert eventually(lambda: "card inserted" in seen)
            virtual.pull()
            assert eventually(lambda: "card removed" in seen)
    finally:
        watch.send_signal(signal.SIGINT)
        listener.join(PATIENCE)
        _, complaint = watch.communicate(timeout=PATIENCE)
    assert (watch.returncode, complaint) == (0, "")


# -- 5: cards that are not blank --------------------------------------------------------------------------------------


def test_a_foreign_card_goes_to_its_own_bin(pcscd: Pcscd, tmp_path: Path) -> None:
    station, slot = PcscLine(tmp_path, 1), pcscd.next_slot()
    slot.wait(present=False)
    card = VpcdCard(slot.host, slot.port, answer=lambda apdu: b"\x6d\x00")
    with card, readers([slot]) as opened:
        results = station.line(max_consecutive_failures=1).run(opened)
    (reject,) = station.registry.line.rejects(station.batch)
    assert reject.bin == "4 foreign"
    assert "6D00" in reject.reason
    assert "1 failures in a row" in results[0].message
    accounts = station.accounts
    assert (accounts.waiting, accounts.remade, accounts.chips_rejected, accounts.balanced) == (1, 0, 1, True)


def test_a_chip_with_a_garbled_answer_to_reset_goes_to_the_contact_bin(pcscd: Pcscd, tmp_path: Path) -> None:
    station, slot = PcscLine(tmp_path, 1), pcscd.next_slot()
    slot.wait(present=False)
    with VpcdCard(slot.host, slot.port, atr=bytes(2)), readers([slot]) as opened:
        station.line(max_consecutive_failures=1).run(opened)
    (reject,) = station.registry.line.rejects(station.batch)
    assert reject.bin == "1 contact"
    assert "turn or clean it" in reject.reason
    assert station.accounts.balanced


def test_a_chip_that_falls_mute_every_time_goes_to_the_contact_bin(pcscd: Pcscd, tmp_path: Path) -> None:
    """An operator takes the card out and inserts it again, until its tries are used up."""
    station, slot = PcscLine(tmp_path, 1), pcscd.next_slot()
    slot.wait(present=False)
    ended: list[LaneResult] = []
    with readers([slot], "?deadline=2") as opened:
        runner = threading.Thread(target=lambda: ended.extend(station.line(max_consecutive_failures=1).run(opened)))
        runner.start()
        for presented in range(1, 4):
            with VpcdCard(slot.host, slot.port, answer=lambda apdu: None):
                assert eventually(lambda count=presented: sum(station.outcomes.values()) == count)
            slot.wait(present=False)
        runner.join(PATIENCE)
    assert station.outcomes == {CardOutcome.AGAIN: 2, CardOutcome.REJECTED: 1}
    (reject,) = station.registry.line.rejects(station.batch)
    assert reject.bin == "1 contact"
    assert "no answer within 2 seconds" in reject.reason
    assert station.accounts.balanced


def test_an_absent_reader_is_reported_with_those_present(
    pcscd: Pcscd, typed: tuple[PcscLine, dict[str, object]]
) -> None:
    station = typed[0]
    done = station.cli.run("perso", "run", station.batch, "--reader", "pcsc:No Such Reader")
    assert done.status == 3
    assert "No Such Reader" in done.complaint
    assert "Virtual" in done.complaint


# -- 6: response time -------------------------------------------------------------------------------------------------


def test_a_command_takes_no_forty_milliseconds(pcscd: Pcscd) -> None:
    """Length and body come in two writes; a card that does not acknowledge at once waits 40 ms for each command."""
    slot = pcscd.next_slot()
    slot.wait(present=False)
    with VpcdSlot(slot.host, slot.port) as virtual, readers([slot]) as (reader,):
        virtual.insert(VirtualCard.create(None, CardConfig(blank())))
        assert reader.wait_for_card(PATIENCE)
        transport = reader.connect()
        took = []
        for _ in range(100):
            began = time.perf_counter()
            answer = transport.exchange(SELECT)
            took.append(time.perf_counter() - began)
            assert answer[-2:] == b"\x90\x00"
        transport.close()
    assert min(took) < 0.040, "the quickest of many: a busy machine delays some of them, not all"
