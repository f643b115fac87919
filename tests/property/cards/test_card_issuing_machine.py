"""The simulated card issuing machine: no damaged byte becomes another command, and no card is lost or counted twice,
whatever happens in which order."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.card.config import CardConfig
from simulators.machines.body import BodyFault, BodyManner, MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.readers.stock import blank, make_stock
from tests.support.thorough import repeats

INITIALIZE, CONTACTS, COLD, SELECT = (
    "F200000343303303B2", "F200000343323103B2", "F200000343513003D0", "F200000843513900A40400000372"
)  # fmt: skip
HOLDING, REJECT, GIVE = "F200000343323003B3", "F200000343323303B0", "F200000343323903BA"
CAPTURE = "F200000343303503B4"
CONVERSATION = (INITIALIZE, CONTACTS, COLD, SELECT, REJECT)
SENT = [f"{command[10:12]} {command[12:14]}" for command in CONVERSATION]
LENGTH = sum(len(command) // 2 + 1 for command in CONVERSATION)
CARDS = 3


def converse(line: MemoryLine, command: str, seconds: float = 30.0) -> None:
    line.write(bytes.fromhex(command))
    while line.read(seconds):
        continue
    line.write(b"\x06")


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cards")
    list(make_stock(directory, 1, CardConfig(blank())))
    return directory


@pytest.mark.parametrize("kind", ["lose-in", "double-in", "flip-in"])
def test_one_damaged_byte_leaves_a_command_out_and_never_makes_another(cards: Path, tmp_path: Path, kind: str) -> None:
    for place in range(0, LENGTH, repeats(5, 1)):
        (card,) = (path for path in cards.rglob("*.card"))
        body = MachineBody.of_cards(tmp_path / f"{kind}-{place}", [card])
        faults = WireFaults([WireFault.parse(f"{kind}:{place}")])
        machine = SimulatedCrt571(body, clock=VirtualClock(), faults=faults)
        line = MemoryLine(machine)
        for command in CONVERSATION:
            converse(line, command, 4.0)
        executed = iter(SENT)
        assert all(one in executed for one in machine.executed), f"byte {place}: {machine.executed}"
        assert len(machine.executed) >= len(SENT) - 1, f"byte {place}: {machine.executed}"
        (left,) = (tmp_path / f"{kind}-{place}").rglob("*.card") if body.record.fed else (card,)
        if left != card:
            left.rename(card)


COMMANDS = (INITIALIZE, CONTACTS, CONTACTS, COLD, SELECT, HOLDING, REJECT, GIVE, CAPTURE)
ACTIONS = st.sampled_from([*COMMANDS, "cut", "kill", "jam", "repair", "empty", "remove", "moved"])


@given(actions=st.lists(st.tuples(ACTIONS, st.booleans()), max_size=25))
@settings(max_examples=repeats(30, 1000), deadline=None)
def test_the_bins_hold_what_they_count_and_no_card_is_lost(actions: list[tuple[str, bool]]) -> None:
    """Each action may come in the middle of the move before it."""
    with tempfile.TemporaryDirectory() as directory:
        stock = Path(directory) / "stock"
        list(make_stock(stock, CARDS, CardConfig(blank())))
        manner = BodyManner(seconds=1.0, capacity=2)
        machine, taken = SimulatedCrt571(MachineBody.at_stock(stock, "m", manner), clock=VirtualClock()), 0
        line = MemoryLine(machine)
        for action, whole in actions:
            body = machine.body
            if action == "cut":
                machine.power_off()
                machine.power_on()
            elif action == "kill":
                machine = SimulatedCrt571(MachineBody.at_stock(stock, "m", manner), clock=VirtualClock())
                line = MemoryLine(machine)
            elif action == "remove":
                taken += body.remove_card() is not None
            elif action == "empty":
                body.empty_reject()
            elif action == "repair":
                body.repair()
            elif action in ("jam", "moved"):
                body.damage(BodyFault(action))
            else:
                converse(line, action, 30.0 if whole else 0.3)
            check(stock, machine.body, taken)
        again = MachineBody.at_stock(stock, "m", manner)
        check(stock, again, taken)
        assert again.card == machine.body.card


def check(stock: Path, body: MachineBody, taken: int) -> None:
    def count(place: str) -> int:
        return len(list((stock / place).glob("*.card")))

    record, inside = body.record, count("machines/m/inside")
    assert (count("issued"), count("rejects")) == (record.output, record.reject)
    assert inside == (body.card is not None) == (body.place != "none")
    assert record.fed == record.output + record.reject + inside + taken
    assert count(".") + record.fed == CARDS
