"""The power fails at every command and at every page write of a personalization; the station dies at every step.

Whatever is torn, the same chip continues and ends issued and verified, or as a reject on record whose card is made
again on another chip. Each test walks forward until its fault strikes no more. In ``make thorough`` no index is left
out; otherwise, of two tests that differ only in the fault or its moment, one has the even indices and one the odd ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from personalize.line.outcome import CardOutcome
from registry.store import Registry
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, LinkProtocol, Transport
from tests.support.cards.card_bench import SCP02, SCP03, Bench, Killed, Rack, card_on, fast_directory
from tests.support.registry.wrapped import Call, wrapped
from tests.support.thorough import repeats

KINDS = [pytest.param(SCP02, id="scp02-t0"), pytest.param(SCP03, id="scp03-t1")]
FEWEST = {SCP02: 60, SCP03: 35}
"""Commands of a whole personalization, at least: a walk that ends sooner has skipped some."""
ROOM = repeats(45, 80)
"""Dossiers in a batch: more than a walk has steps."""
STRIDE = repeats(3, 1)
EVEN, ODD = 0, 1 % STRIDE
"""Where a walk begins."""


@pytest.fixture(scope="module")
def prepared() -> Iterator[Bench]:
    with fast_directory() as directory:
        yield Bench(directory, ROOM)


@pytest.fixture
def bench(prepared: Bench) -> Iterator[Bench]:
    with prepared.copied() as copied:
        yield copied


def judge(bench: Bench, chip: VirtualCard, rack: Rack, where: str) -> bool:
    """Whether the chip was issued; else it must be a reject on record. The accounts balance either way."""
    accounts = bench.accounts
    assert accounts.balanced, where
    assert accounts.claimed == 0, where
    if rack.bins[Disposition.DONE] == [chip]:
        number, sequence = card_on(chip)
        card = bench.registry.cards.card(number)
        assert (card.chip_serial, card.sequence) == (chip.chip_serial, sequence), where
        return True
    assert rack.bins[Disposition.REJECT] == [chip], where
    reject = next(r for r in bench.registry.line.rejects(bench.batch) if r.chip_serial == chip.chip_serial)
    assert reject.reason, where
    assert reject.step, where
    assert reject.bin, where
    return False


def walk(bench: Bench, kind: tuple[int, LinkProtocol], fault: str, first: int, fewest: int) -> list[bool]:
    """The fault at index after index until it finds nothing to strike, which is not before ``fewest``; for each whether
    the chip was issued."""
    issued = []
    for index in count(first, STRIDE):
        where = fault.format(index)
        chip, rack = bench.chip(kind), None
        rack = Rack([chip], [where])
        result = bench.run(rack)
        assert not result.fault, f"{where}: {result.message}"
        issued.append(judge(bench, chip, rack, where))
        torn = rack.faults.tear is not None and rack.faults.tear.done
        if not (torn or rack.faults.struck):
            assert result.counts == {CardOutcome.VERIFIED: 1}
            assert index >= fewest
            return issued[:-1]
    raise AssertionError


@pytest.mark.parametrize("after", ["", "+"], ids=["before-the-commit", "after-the-commit"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tear_at_every_command(bench: Bench, kind: tuple[int, LinkProtocol], after: str) -> None:
    issued = walk(bench, kind, "tear-apdu:{}" + after, ODD if after else EVEN, FEWEST[kind])
    assert all(issued), "a tear alone costs no chip"
    bench.finish(kind)
    bench.check_all_issued()


@pytest.mark.parametrize("after", ["", "+"], ids=["in-the-page", "after-the-write"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tear_at_every_page_that_the_chip_writes(bench: Bench, kind: tuple[int, LinkProtocol], after: str) -> None:
    issued = walk(bench, kind, "tear-page:{}" + after, ODD if after else EVEN, 50)
    assert all(issued), "a tear alone costs no chip"
    bench.finish(kind)
    bench.check_all_issued()


@pytest.mark.parametrize("fault", ["mute:{}", "corrupt:{}"])
@pytest.mark.parametrize("kind", KINDS)
def test_silence_and_a_garbled_answer_at_every_command(
    bench: Bench, kind: tuple[int, LinkProtocol], fault: str
) -> None:
    """A chip that seems to hold wrong keys is given up at once; any other is issued in the end."""
    issued = walk(bench, kind, fault, ODD if fault == "mute:{}" else EVEN, FEWEST[kind])
    rejects = bench.registry.line.rejects(bench.batch)
    assert len(rejects) == issued.count(False)
    if fault == "mute:{}":
        assert all(issued)
    else:
        assert len(rejects) < len(issued) / 2
        assert {r.bin for r in rejects} <= {"2 keys", "3 data"}
    bench.finish(kind)
    bench.check_all_issued()


@pytest.mark.parametrize("kind", KINDS)
def test_a_chip_torn_in_every_attempt_is_rejected_and_its_card_issued_on_another(
    bench: Bench, kind: tuple[int, LinkProtocol]
) -> None:
    for first in range(0, FEWEST[kind], 7):
        chip = bench.chip(kind)
        # Each attempt takes up where the last one was torn, so the later tears come a few commands after the first.
        rack = Rack(
            [chip, bench.chip(kind)], [f"tear-apdu:{first}", f"tear-apdu:{first + 2}", f"tear-apdu:{first + 4}"]
        )
        result = bench.run(rack)
        assert not result.fault, result.message
        assert rack.bins[Disposition.REJECT] == [chip]
        assert len(rack.bins[Disposition.DONE]) == 1
        assert bench.accounts.balanced
    rejects = bench.registry.line.rejects(bench.batch)
    assert {r.bin for r in rejects} == {"1 contact"}
    assert bench.accounts.remade == sum(r.card_number is not None for r in rejects) > 0
    bench.finish(kind)
    bench.check_all_issued()
    reissued = {card.card_number for card in bench.registry.cards.of_batch(bench.batch) if card.sequence == 2}
    assert reissued == {r.card_number for r in rejects if r.card_number}


# --- the station dies -------------------------------------------------------------------------------------------------


class Countdown:
    """Kills at its ``n``-th step, before or after it is done."""

    def __init__(self, n: int, after: bool) -> None:
        self.left, self.after, self.struck = n, after, False

    def around(self, action: Callable[[], object]) -> object:
        self.left -= 1
        if self.left == -1:
            self.struck = True
            if self.after:
                action()
            raise Killed
        return action()


class DyingCard:
    """A transport whose host dies at one of its exchanges."""

    def __init__(self, card: SimCard, countdown: Countdown) -> None:
        self._card, self._countdown = card, countdown
        self.atr, self.protocol, self.extended_length = card.atr, card.protocol, card.extended_length
        self.reset, self.close = card.reset, card.close

    def exchange(self, apdu: bytes) -> bytes:
        return self._countdown.around(lambda: self._card.exchange(apdu))  # type: ignore[return-value]


CALLS_OF_THE_LINE = (
    *("line.claim", "line.journal", "line.verified", "line.reject", "line.reject_chip"),
    *("line.acknowledged", "line.rival_answered", "line.doubled"),
    *("dossiers.add", "batches.accounts"),
)


def dying_registry(bench: Bench, countdown: Countdown) -> Registry:
    """A registry whose user dies at one of the line's calls: before the commit, or before it learns of it."""

    def wrap(name: str, call: Call) -> Call:
        if name not in CALLS_OF_THE_LINE:
            return call
        return lambda *given, **named: countdown.around(lambda: call(*given, **named))

    return wrapped(bench.registry, wrap)


def dies_at(bench: Bench, kind: tuple[int, LinkProtocol], n: int, *, after: bool, at: str) -> bool:
    """One run that dies, then another process with the same chip; whether the first died at all."""
    countdown = Countdown(n, after)
    chip = bench.chip(kind)
    where = f"{at} {n}{'+' if after else ''}"

    def watched(card: SimCard) -> Transport:
        return DyingCard(card, countdown) if at == "command" else card

    job = bench.job() if at == "command" else bench.job(dying_registry(bench, countdown))
    rack = Rack([chip], wrap=watched)
    try:
        bench.run(rack, job=job)
    except Killed:
        rack.close()
    assert bench.accounts.balanced, where
    if rack.chips:
        rack = Rack(rack.chips)
        result = bench.run(rack)
        assert not result.fault, f"{where}: {result.message}"
    assert judge(bench, chip, rack, where), where
    return countdown.struck


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", ["command", "registry call"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_station_dies_at_every_command_and_registry_call(
    bench: Bench, kind: tuple[int, LinkProtocol], at: str, after: bool
) -> None:
    indices = count(ODD if after else EVEN, STRIDE)
    steps = next(n for n in indices if not dies_at(bench, kind, n, after=after, at=at))
    assert steps >= (FEWEST[kind] if at == "command" else 14)
    assert not bench.registry.line.rejects(bench.batch)
    bench.finish(kind)
    bench.check_all_issued()
