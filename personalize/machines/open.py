"""Machine URLs: ``SCHEME:REST``, where each scheme names a driver of some installed package."""

from __future__ import annotations

from personalize.machines.protocols import CardMachine
from terminal.apdu.schemes import open_url, schemes

GROUP = "personalize.machines"


def machine_schemes() -> list[str]:
    """The schemes of machine URLs that drivers of this installation have."""
    return schemes(GROUP)


def open_machine(url: str) -> CardMachine:
    """The machine that ``url`` names, as ``crt571:/dev/ttyUSB0``: any scheme of the entry-point group
    ``personalize.machines`` (a factory ``open_machine(rest) -> CardMachine``).

    Raises ReaderNotFound, and what the factory raises.
    """
    machine: CardMachine = open_url(GROUP, url)
    return machine
