"""What of a reader's faults is held against the reader, what against the chip, and what against nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from personalize.line.lanes import LaneResult, LineSettings, PersonalizationLine
from personalize.line.outcome import CardOutcome
from registry.store import Registry
from terminal.apdu import Disposition, LinkProtocol, Transport
from terminal.errors import CardGone, NoCard, ReaderBusy, ReaderFault, ReaderNotFound, TransportError
from tests.support import issuer

DOWN = "the PC/SC service is not running; start it"


class Clock:
    """Time that passes only while a reader is waited for."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Broken:
    """A card that loses contact at its first command."""

    atr, protocol, extended_length = b"\x3b\x00", LinkProtocol.T1, True

    def exchange(self, apdu: bytes) -> bytes:
        raise CardGone("pulled")

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


class ScriptedReader:
    """A reader that follows a plan, one turn for each look at the slot, and has no card after that."""

    name = url = "scripted"

    def __init__(self, clock: Clock, *turns: TransportError | bool) -> None:
        self._clock = clock
        self._turns = iter(turns)
        self.connecting: Callable[[], Transport] = Broken
        self.released: list[Disposition] = []

    def wait_for_card(self, timeout: float | None) -> bool:
        self._clock.now += timeout or 0
        turn = next(self._turns, False)
        if isinstance(turn, TransportError):
            raise turn
        return turn

    def connect(self) -> Transport:
        return self.connecting()

    def release(self, disposition: Disposition) -> None:
        self.released.append(disposition)

    def close(self) -> None:
        pass


class Bench:
    def __init__(self, store: Registry, batch: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.batch, self.clock = store, batch, Clock()
        monkeypatch.setattr(PersonalizationLine, "wait_or_stop", lambda line, seconds: None)

    def run(self, reader: ScriptedReader, settings: LineSettings) -> LaneResult:
        job = issuer.job(self.store, self.batch)
        lanes = PersonalizationLine(job, remake=lambda: None, settings=settings, monotonic=self.clock)
        (result,) = lanes.run([reader])
        return result


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with issuer.registry(f"sqlite:///{tmp_path / 'lane.db'}") as store:
        yield Bench(store, issuer.prepared(store, 1, tmp_path), monkeypatch)


def test_a_fault_that_no_waiting_mends_ends_the_lane_at_once(bench: Bench) -> None:
    result = bench.run(ScriptedReader(bench.clock, ReaderNotFound("no such reader")), LineSettings(idle=30))
    assert (result.fault, result.message) == (True, "no such reader")
    assert bench.clock.now == 0.5


def test_a_card_pulled_before_it_had_power_is_no_dead_chip(bench: Bench) -> None:
    def empty() -> Transport:
        raise NoCard("no card in the reader")

    reader = ScriptedReader(bench.clock, *[True, False] * 4)
    reader.connecting = empty
    result = bench.run(reader, LineSettings(idle=3, tries=1))
    assert not result.counts
    assert bench.store.batches.accounts(bench.batch).chips_fed == 0


def test_a_busy_reader_is_waited_for_and_no_failure(bench: Bench) -> None:
    def busy() -> Transport:
        raise ReaderBusy("another program holds the reader")

    reader = ScriptedReader(bench.clock, *[True] * 9)
    reader.connecting = busy
    result = bench.run(reader, LineSettings(idle=3, max_consecutive_failures=2))
    assert (result.fault, result.message) == (True, "another program holds the reader")
    assert not result.counts


def test_a_pause_of_the_machine_is_no_idle_time(bench: Bench) -> None:
    """A laptop that was closed over lunch: the lane waits its whole idle time after that."""
    reader = ScriptedReader(bench.clock)
    look, looks = reader.wait_for_card, 0

    def paused_once(timeout: float | None) -> bool:
        nonlocal looks
        looks += 1
        bench.clock.now += 3600 if looks == 2 else 0
        return look(timeout)

    reader.wait_for_card = paused_once  # type: ignore[method-assign]
    result = bench.run(reader, LineSettings(idle=30))
    assert (result.fault, result.message) == (False, "no card came within 30 s")
    assert looks > 50


def test_a_service_that_dies_does_not_use_up_a_chips_tries(bench: Bench) -> None:
    """But a chip that brings its reader down every time stops the lane."""
    reader = ScriptedReader(bench.clock, *[True, ReaderFault(DOWN)] * 5)
    result = bench.run(reader, LineSettings(idle=60, tries=2, max_consecutive_failures=4))
    assert result.counts == {CardOutcome.AGAIN: 5}
    assert result.fault
    assert "4 failures in a row" in result.message
