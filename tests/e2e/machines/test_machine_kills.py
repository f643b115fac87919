"""The line dies, or the machine loses power, at every step of a card that gets chip, stripe and face.

A step is a command to the chip, an act of the machine, or a call of the registry. Whatever strikes, before the step or
after it: the accounts balance, the bins hold what the record says, no face is printed twice, and no card is lost. In
``make thorough`` no step is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from personalize.line import lanes
from personalize.line.lanes import LaneResult
from personalize.line.outcome import CardOutcome
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachineBin
from personalize.machines.reader import MachineReader
from registry.store import Registry
from terminal.apdu import Disposition
from terminal.errors import CardGone
from tests.support.cards.card_bench import Bench, Killed, Rack, fast_directory
from tests.support.machines.machine import Blank, CountingMachine, body_preparer, plain_face, run_until_empty
from tests.support.registry.wrapped import Call, wrapped
from tests.support.thorough import repeats

STRIDE = repeats(8, 1)
ROOM = repeats(20, 110)
"""Cards of a batch: more than a walk has steps."""
FEWEST = 60
"""Steps of a card, at least."""
CALLS = (
    *("line.claim", "line.journal", "line.verified", "line.reject", "line.reject_chip", "line.acknowledged"),
    *("line.last_entry", "machine_cards.leaving", "machine_cards.left", "dossiers.add", "dossiers.next_waiting"),
)
HALF_PRINTED = "half-printed"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "POLL", 0.002)
    monkeypatch.setattr(lanes, "CLEAR_AFTER", 0.0)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Bench]:
    with fast_directory() as directory:
        yield Bench(directory, ROOM, make=body_preparer)


@pytest.fixture
def bench(prepared: Bench) -> Iterator[Bench]:
    with prepared.copied() as copied:
        yield copied


class Strike:
    """Strikes at the ``n``-th step, before it or after it."""

    def __init__(self, n: int, machine: CountingMachine, *, after: bool, power: bool) -> None:
        self._left, self._machine, self._after, self._power = n, machine, after, power
        self.struck = ""

    def act(self, what: str, action: Callable[[], object]) -> object:
        self._left -= 1
        if self._left != -1:
            return action()
        self.struck = what
        if self._after:
            action()
        if not self._power:
            raise Killed
        self._machine.cut_power()
        if what == "exchange":
            raise CardGone("the machine has no power")
        raise MachineFault(self._machine.name, MachineFaultCode.POWER)

    def registry(self, inner: Registry) -> Registry:
        """A registry whose calls are steps, too."""
        if self._power:
            return inner

        def wrap(name: str, call: Call) -> Call:
            if name not in CALLS:
                return call
            return lambda *given, **named: self.act(name, lambda: call(*given, **named))

        return wrapped(inner, wrap)


def run(bench: Bench, machine: CountingMachine, registry: Registry | None = None) -> LaneResult:
    """A new process with one lane over the machine, until the feeder is empty or the batch is done."""
    return run_until_empty(bench, MachineReader(machine), bench.job(registry, render=plain_face))


def struck_at(bench: Bench, machine: CountingMachine, n: int, *, after: bool, power: bool) -> str:
    """Feed one card and strike; then go on without. What was struck, or nothing if the card was finished before."""
    card = Blank(bench.chip())
    machine.feeder.append(card)
    strike = Strike(n, machine, after=after, power=power)
    machine.around = strike.act
    try:
        run(bench, machine, strike.registry(bench.registry))
    except Killed:
        assert bench.accounts.balanced
    machine.around = lambda what, action: action()
    result = run(bench, machine)
    where = f"{'power' if power else 'kill'} {'after' if after else 'before'} {n} {strike.struck}"
    assert not result.fault, f"{where}: {result.message}"
    check(bench, machine, where)
    return strike.struck


def check(bench: Bench, machine: CountingMachine, where: str = "") -> None:
    accounts, (machine_account,) = bench.accounts, bench.registry.machine_cards.accounts(bench.batch)
    output, reject = machine.bins[MachineBin.OUTPUT], machine.bins[MachineBin.REJECT]
    assert accounts.balanced, where
    assert (accounts.claimed, machine.inside, len(machine.feeder)) == (0, None, 0), where
    assert (machine_account.output, machine_account.reject) == (len(output), len(reject)), where
    assert (machine_account.inside, machine_account.taken_out) == (0, 0), where
    issued = {card.chip_serial: card for card in bench.registry.cards.of_batch(bench.batch)}
    rejects = {reject.chip_serial for reject in bench.registry.line.rejects(bench.batch)}
    assert {card.serial for card in output} == set(issued), where
    assert {card.serial for card in reject} == rejects, where
    for card in output:
        on_record = issued[card.serial]
        assert card.faces == [f"{on_record.card_number}-{on_record.sequence}"], where
        assert card.stripe.track2 == f"{on_record.card_number}={on_record.sequence:02d}", where
    assert all(len(card.faces) <= 1 for card in reject), where


WALKS = [("kill", False), ("kill", True), ("power", False), ("power", True)]


@pytest.mark.parametrize(("what", "after"), WALKS, ids=[f"{w}-{'after' if a else 'before'}" for w, a in WALKS])
def test_a_kill_and_a_power_cut_at_every_step(bench: Bench, what: str, after: bool) -> None:
    machine, power = CountingMachine(), what == "power"
    first = WALKS.index((what, after)) * 2 % STRIDE
    steps = []
    for n in count(first, STRIDE):
        struck = struck_at(bench, machine, n, after=after, power=power)
        if not struck:
            break
        steps.append(struck)
    assert n >= (FEWEST - 20 if power else FEWEST)
    rejects = bench.registry.line.rejects(bench.batch)
    assert {reject.code for reject in rejects} <= {HALF_PRINTED}, "a kill or a power cut alone costs no chip"
    assert len(rejects) <= 4, "only between the beginning of a print and its end on record"
    missing = bench.accounts.members - bench.accounts.verified
    machine.feeder.extend(Blank(bench.chip()) for _ in range(missing))
    assert run(bench, machine).code == "batch-done"
    check(bench, machine)
    bench.check_all_issued()


def test_the_line_dies_at_each_step_of_a_print_and_of_the_move_after_it(bench: Bench) -> None:
    """The steps that a sample might leave out."""
    for n, after in [(n, after) for n in range(1, 4) for after in (False, True)]:
        machine = CountingMachine([Blank(bench.chip())], name=f"machine {n}{after}")
        card = machine.feeder[0]
        acts = {1: "print", 2: "give output", 3: "write stripe"}

        def dies(what: str, action: Callable[[], object], at: str = acts[n], after: bool = after) -> object:
            if what == at:
                if after:
                    action()
                raise Killed
            return action()

        machine.around = dies
        with pytest.raises(Killed):
            run(bench, machine)
        machine.around = lambda what, action: action()
        run(bench, machine)
        assert len(card.faces) == (0 if (n, after) == (1, False) else 1)
        bin = MachineBin.REJECT if n == 1 else MachineBin.OUTPUT
        assert machine.bins[bin] == [card]


def test_two_machines_and_two_manual_lanes_make_one_batch() -> None:
    with fast_directory() as directory:
        bench = Bench(directory, repeats(16, 50))
        machines = [CountingMachine((Blank(bench.chip()) for _ in range(bench.members)), name=n) for n in ("a", "b")]
        for machine in machines:
            machine.feeder[1].mute = True
        hands = [Rack(bench.chip() for _ in range(bench.members)) for _ in range(2)]
        results = bench.line(idle=0.05).run([*map(MachineReader, machines), *hands])
        assert not any(result.fault for result in results), results
        accounts = {account.machine: account for account in bench.registry.machine_cards.accounts(bench.batch)}
        for machine in machines:
            bins = {bin: len(cards) for bin, cards in machine.bins.items()}
            account = accounts[machine.name]
            assert (account.output, account.reject) == (bins[MachineBin.OUTPUT], bins[MachineBin.REJECT])
            assert len(machine.feeder) + (machine.inside is not None) + sum(bins.values()) == bench.members
        by_hand = sum(len(rack.bins[Disposition.DONE]) for rack in hands)
        assert sum(len(machine.bins[MachineBin.OUTPUT]) for machine in machines) + by_hand == bench.members
        assert sum(result.counts.get(CardOutcome.VERIFIED, 0) for result in results) == bench.members
        bench.check_all_issued()
        bench.registry.close()
