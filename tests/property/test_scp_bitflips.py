"""A wrapped command in which one bit was changed on its way is refused by the card, whichever bit it is.

Le is left alone: neither protocol signs it, for a T=0 terminal may have to change it.
"""

from __future__ import annotations

import pytest

from terminal.apdu import Command, Response
from terminal.globalplatform import Authentication, Guard, SecurityLevel, open_channel
from terminal.keys import Algorithm
from tests.support.scp_card import CardEnd, host

COMMANDS = (
    Command(0x80, 0xF2, 0x80, 0x02),
    Command(0x80, 0xCA, 0x00, 0x66, ne=256),
    Command(0x80, 0xE2, 0x88, 0x00, bytes(range(40))),
    Command(0x80, 0xF2, 0x40, 0x02, bytes.fromhex("4F00"), 256),
    Command(0x80, 0xE2, 0x88, 0x01, bytes(239)),
)


class Flipper:
    """Offers every one-bit neighbour of each command to copies of the card before the command itself goes through."""

    def __init__(self, card: CardEnd) -> None:
        self.card = card
        self.tried = 0
        self.taken: list[str] = []

    def send(self, command: Command) -> Response:
        if self.card.session.authenticated:
            raw = command.encode()
            signed = len(raw) - (command.ne is not None)
            for bit in range(8 * signed):
                changed = bytearray(raw)
                changed[bit // 8] ^= 0x80 >> bit % 8
                self.tried += 1
                if self.card.accepts(bytes(changed)):
                    self.taken.append(f"{command}, byte {bit // 8}, bit {8 - bit % 8}")
            assert self.card.accepts(raw)
        return self.card.send(command)


@pytest.mark.parametrize(
    ("algorithm", "i", "level"),
    [
        (Algorithm.TDES, 0x15, 0x01),
        (Algorithm.TDES, 0x55, 0x03),
        (Algorithm.AES128, 0x70, 0x01),
        (Algorithm.AES128, 0x70, 0x33),
        (Algorithm.AES256, 0x71, 0x33),
    ],
)
def test_no_one_bit_neighbour_of_a_wrapped_command_is_taken(algorithm: Algorithm, i: int, level: int) -> None:
    custody, keys = host(algorithm)
    flipper = Flipper(CardEnd(algorithm, i))
    channel = open_channel(flipper, Authentication(keys, SecurityLevel(level), scp02_i=i), custody, Guard())
    for command in COMMANDS if channel.max_data >= 239 else COMMANDS[:-1]:
        assert channel.send(command).sw.ok
    assert flipper.taken == []
    assert flipper.tried > 8 * 100
