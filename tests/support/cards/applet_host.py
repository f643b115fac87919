"""A minimal AppletHost over the real card memory, to test an application without the operating system."""

from __future__ import annotations

import random
from collections.abc import Iterable

from simulators.card.applet import Applet, Refuse
from simulators.card.memory import Nvm, RamImage
from terminal.apdu import Command, Response


class BareHost:
    """One instance on one chip; ``restart`` is a power cycle."""

    def __init__(self, *, contactless: bool = False, seed: int = 1) -> None:
        self.nvm = Nvm(RamImage())
        self.nvm.load()
        self.contactless = contactless
        self.memory = self.nvm.scope("instance")
        self._life = self.nvm.scope("life")
        self._random = random.Random(seed)
        self.operations: dict[str, int] = {}

    def random(self, n: int) -> bytes:
        return self._random.randbytes(n)

    @property
    def personalized(self) -> bool:
        return "personalized" in self._life

    def set_personalized(self) -> None:
        self._life["personalized"] = b"\x01"

    def block_card(self) -> None:
        self._life["blocked"] = b"\x01"

    def count_work(self, operation: str, blocks: int = 1) -> None:
        self.operations[operation] = self.operations.get(operation, 0) + blocks

    def restart(self) -> None:
        self.nvm.tear = None
        self.nvm.load()

    @property
    def state(self) -> dict[str, bytes]:
        return {**self.memory, **self._life}


def store(applet: Applet, groups: Iterable[tuple[int, bytes]], *, group_size: int = 3, last: bool = True) -> None:
    """Personalize as the card does: each STORE DATA a transaction, block 0 announced."""
    todo = list(groups)
    commands = [todo[i : i + group_size] for i in range(0, len(todo), group_size)]
    for number, command in enumerate(commands):
        with applet.host.memory.transaction():
            if number == 0:
                applet.begin_personalization()
            applet.store_data(iter(command), last=last and number == len(commands) - 1)


def send(applet: Applet, command: str | Command) -> Response:
    """One command; a refusal becomes the response of the card."""
    try:
        return applet.process(Command.decode(bytes.fromhex(command)) if isinstance(command, str) else command)
    except Refuse as refusal:
        return Response(b"", refusal.sw)
