"""A small application to test the card's operating system with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from simulators.applets.rom import MEMBER, ROM
from simulators.card.applet import Applet, Refuse
from simulators.card.config import CardConfig, ProductionData
from simulators.virtual_card import VirtualCard
from terminal.apdu import OK, Command, Response
from terminal.tlv import tlv


class ToyApplet(Applet):
    """00 01 counts since selection, 00 02 answers P1P2 bytes, 00 03 echoes, 00 04 writes, 00 05 returns a DGI."""

    chaining = frozenset((0x03,))

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.count = 0

    def select(self, p2: int) -> bytes:
        return tlv(0x6F, [tlv(0x84, self.aid)]).encode()

    def deselect(self) -> None:
        self.count = 0

    def process(self, command: Command) -> Response:
        match command.ins:
            case 0x01:
                self.count += 1
                return Response(bytes((self.count,)), OK)
            case 0x02:
                return Response(bytes(range(256)) * 10 if command.p1 else b"\xaa" * command.p2, OK)
            case 0x03:
                return Response(command.data, OK)
            case 0x04:
                with self.host.memory.transaction():
                    self.host.memory["one"] = command.data
                    self.host.memory["two"] = command.data
                return Response(b"", OK)
            case 0x05:
                return Response(self.host.memory.get(f"{command.p1:02X}{command.p2:02X}", b""), OK)
        raise Refuse(0x6D00)

    def begin_personalization(self) -> None:
        self.host.memory.clear()

    def store_data(self, dgis: Iterator[tuple[int, bytes]], *, last: bool) -> None:
        for number, value in dgis:
            if number == 0xDEAD:
                raise Refuse(0x6A88)
            self.host.memory[f"{number:04X}"] = value
        if last:
            self.host.set_personalized()


TOY_ROM = (replace(MEMBER, applet=ToyApplet), *ROM[1:])
"""The ROM of a chip whose member module is the toy."""


def toy_card(**config: object) -> VirtualCard:
    """A powered chip in RAM whose member module is the toy."""
    card = VirtualCard.create(None, CardConfig(ProductionData(7), **config), rom=TOY_ROM)  # type: ignore[arg-type]
    card.power_on()
    return card
