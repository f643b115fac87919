"""A virtual card in this process as a Transport, without files, readers or time."""

from __future__ import annotations

from collections.abc import Callable

from simulators.card.config import CardConfig
from simulators.virtual_card import VirtualCard


class Slot:
    """The virtual card as a Transport; ``on_command`` and ``on_answer`` may alter the bytes."""

    extended_length = True

    def __init__(self, config: CardConfig) -> None:
        self.card = VirtualCard.create(None, config)
        self.atr = self.card.power_on()
        self.protocol = config.protocol
        self.exchanges = 0
        self.on_command: Callable[[bytes], bytes] = bytes
        self.on_answer: Callable[[bytes], bytes] = bytes

    def exchange(self, apdu: bytes) -> bytes:
        self.exchanges += 1
        return self.on_answer(self.card.exchange(self.on_command(apdu)))

    def reset(self) -> bytes:
        return self.card.reset()

    def close(self) -> None:
        self.card.power_off()
