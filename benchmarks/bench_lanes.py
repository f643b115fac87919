"""Lanes that drive machines, in elapsed time: a CRT-571 against its own moves, and four lanes on one batch."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.table import Row
from personalize.line.lanes import LineSettings, PersonalizationLine
from personalize.line.outcome import CardOutcome
from personalize.machines.crt571.machine import Crt571Machine
from personalize.machines.crt571.options import parse_rest
from personalize.machines.reader import MachineReader
from simulators.card.config import CardConfig, ProductionData
from simulators.machines.body import BodyManner, MachineBody
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.link import MemoryLine
from simulators.readers.stock import blank, make_stock
from simulators.readers.timing import TimedCard, TimingModel, Wire
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, Reader, open_reader
from tests.support import issuer
from tests.support.cards.card_bench import Rack
from tests.support.machines.machine import Blank, CountingMachine

MOVE = 1.5
"""Seconds."""
CARDS = 5
EACH = 4
"""Cards of each of the four lanes."""
MOST = 1.05
WORTH = 3.9


def run() -> list[Row]:
    return [_moves(), _lanes()]


def _moves() -> Row:
    """The chip's time is that of a plain reader over the same stock, timing model included."""
    plain = _timed(CARDS, lambda stock: [open_reader(f"sim:{stock}?timing=real")])
    machines: list[SimulatedCrt571] = []

    def machine_at(stock: Path) -> list[Reader]:
        body = MachineBody.at_stock(stock, "crt", BodyManner(seconds=MOVE, wrap=_real))
        machines.append(SimulatedCrt571(body))
        return [MachineReader(Crt571Machine(*parse_rest("crt"), lambda: MemoryLine(machines[0])))]

    took = _timed(CARDS, machine_at)
    moves = sum(command.startswith("32") for command in machines[0].executed)
    ratio = took / (moves * MOVE + plain)
    what = f"{CARDS} cards in a CRT-571 at {MOVE:g} s a move, against its moves and the chips' time"
    measured = f"{took:.1f} s against {moves} moves and {plain:.1f} s"
    return Row(what, measured, ratio, f"≤ {MOST:g}", ratio <= MOST)


def _real(chip: VirtualCard) -> TimedCard:
    return TimedCard(chip, TimingModel(Wire(chip.config.protocol, chip.config.ta1), real=True))


def _lanes() -> Row:
    serials = iter(range(0x1000, 0x2000))

    def chips() -> list[VirtualCard]:
        return [VirtualCard.create(None, CardConfig(ProductionData(next(serials)))) for _ in range(EACH)]

    def machine(name: str) -> Reader:
        one = CountingMachine(map(Blank, chips()), name=name)
        one.around = _slowly
        return MachineReader(one)

    single = [_timed(EACH, lambda stock: [machine("a")]), _timed(EACH, lambda stock: [Hands(chips())])]
    together = _timed(4 * EACH, lambda stock: [machine("a"), machine("b"), Hands(chips()), Hands(chips())])
    worth = 2 * sum(single) / together
    what = "two machines and two manual lanes on one batch, in lanes alone"
    measured = f"{together:.1f} s; alone {single[0]:.1f} s and {single[1]:.1f} s for a fourth of the cards"
    return Row(what, measured, worth, f"≥ {WORTH:g}", worth >= WORTH)


def _slowly(what: str, action: Callable[[], object]) -> object:
    if what == "take" or what.startswith("give"):
        time.sleep(MOVE)
    return action()


class Hands(Rack):
    """A person who changes cards as fast as a machine."""

    def release(self, disposition: Disposition) -> None:
        time.sleep(2 * MOVE)
        super().release(disposition)


def _timed(cards: int, readers: Callable[[Path], Sequence[Reader]]) -> float:
    """Seconds in which these readers make a batch of so many cards."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with issuer.registry(f"sqlite:///{directory / 'registry.db'}") as store:
            batch = issuer.prepared(store, cards, directory)
            list(make_stock(directory / "stock", cards, CardConfig(blank())))
            line = PersonalizationLine(
                issuer.job(store, batch), remake=lambda: None, settings=LineSettings(idle=10 * MOVE)
            )
            opened = readers(directory / "stock")
            began = time.perf_counter()
            results = line.run(opened)
            took = time.perf_counter() - began
            verified = sum(result.counts.get(CardOutcome.VERIFIED, 0) for result in results)
            if verified != cards:
                raise RuntimeError(f"{verified} of {cards} cards were verified: {results}")
            return took
