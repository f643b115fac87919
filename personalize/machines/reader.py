"""A machine as a reader: its contact station is the slot, its feeder and bins are where cards come from and go to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final, Protocol, runtime_checkable

from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.open import open_machine
from personalize.machines.protocols import CardMachine, MachineBin, MachinePlace
from terminal.apdu import Disposition, InsertedCard, Reader, Transport
from terminal.errors import ReaderBusy

_BINS: Final = {
    Disposition.DONE: MachineBin.OUTPUT,
    Disposition.REJECT: MachineBin.REJECT,
    Disposition.ASIDE: MachineBin.REJECT,
}


def bin_of(disposition: Disposition) -> MachineBin | None:
    """Where a machine moves a released card; None: it stays inside."""
    return _BINS.get(disposition)


class MachineReader:
    """A terminal.apdu.Reader over a machine."""

    def __init__(self, machine: CardMachine) -> None:
        self.machine = machine

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def url(self) -> str:
        return self.machine.url

    def watch(self, notify: Callable[[InsertedCard | None], None]) -> None:
        """See :class:`terminal.apdu.WatchableReader`. Nothing is fed to look at it."""
        notify(None)

    def wait_for_card(self, timeout: float | None) -> bool:
        """Take a card from the feeder, or wait for one that a person inserts, and move it to the contact station. With
        a timeout of 0 nothing is fed: True where a card is inside.

        Raises MachineFault; FEEDER_EMPTY where a feeder has none left, EXIT where a card has to be taken first.
        """
        machine = self.machine
        if timeout == 0:
            present = machine.status().place not in (MachinePlace.NONE, MachinePlace.EXIT)
            if present and not machine.abilities.feeds:
                present = machine.take(0)  # A person takes cards out, too.
        else:
            present = machine.take(timeout)
            if not present and machine.abilities.feeds:
                waits = machine.status().place is MachinePlace.EXIT
                raise MachineFault(machine.name, MachineFaultCode.EXIT if waits else MachineFaultCode.FEEDER_EMPTY)
        if present:
            machine.to_chip()
        return present

    def connect(self) -> Transport:
        return self.machine.reader.connect()

    def release(self, disposition: Disposition) -> None:
        """Move the card to the bin of finished cards, or to that of rejected ones, also a card put aside."""
        self.machine.reader.release(Disposition.KEEP)
        if bin := bin_of(disposition):
            self.machine.give(bin)

    def close(self) -> None:
        self.machine.close()


@runtime_checkable
class _WithMachine(Protocol):
    @property
    def machine(self) -> CardMachine | None: ...


def machine_of(reader: Reader) -> CardMachine | None:
    """The machine behind a reader; None for a slot that a person feeds."""
    return reader.machine if isinstance(reader, _WithMachine) else None


def refuse_shared(reader: Reader, others: Collection[str]) -> None:
    """Raises ReaderBusy for a machine of a name that ``others`` have: it moves one card at a time, and two lanes would
    move each other's. A printer in the network can be open twice."""
    machine = machine_of(reader)
    if machine is not None and machine.name in others:
        raise ReaderBusy(f"{machine.name} is named twice, and a machine serves one lane")


def _open(scheme: str, rest: str) -> MachineReader:
    """The machine of a URL as a reader. Raises ReaderNotFound, and what its driver raises."""
    return MachineReader(open_machine(f"{scheme}:{rest}"))


open_crt571 = partial(_open, "crt571")
open_evolis = partial(_open, "evolis")
open_cups = partial(_open, "cups")
open_manual = partial(_open, "manual")
