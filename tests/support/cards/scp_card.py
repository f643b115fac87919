"""The card side of a secure channel as a Sender, and a custody with the same keys: two ends of one session."""

from __future__ import annotations

import copy
from collections.abc import Callable

from simulators.card.applet import Refuse
from simulators.card.keyring import CardKeySet
from simulators.card.security_domain.scp02 import CardScp02
from simulators.card.security_domain.scp03 import CardScp03
from terminal.apdu import OK, Command, Response
from terminal.globalplatform import KeySource, keys_from_master
from terminal.keys import Algorithm, Diversification, MemoryCustody, Purpose
from terminal.secret import Secret

AES_BYTES = {Algorithm.AES128: 16, Algorithm.AES192: 24, Algorithm.AES256: 32}
AID = bytes.fromhex("A000000151000000")
KEY_DATA = bytes.fromhex("00001122334455667788")


def key_bytes(algorithm: Algorithm) -> tuple[bytes, bytes, bytes]:
    """Three different keys, none of them published."""
    size = AES_BYTES.get(algorithm, 16)
    return tuple(bytes((7 * i + start) & 0xFE for i in range(size)) for start in (0x21, 0x55, 0x83))  # type: ignore[return-value]


def host(algorithm: Algorithm) -> tuple[MemoryCustody, KeySource]:
    """A custody and the source of the key set that ``CardEnd`` holds."""
    custody = MemoryCustody(simulation=False)
    keys = tuple(Secret(key) for key in key_bytes(algorithm))
    master = custody.import_key_set("kmc", Purpose.KMC, algorithm, keys, by="test").ref  # type: ignore[arg-type]
    return custody, keys_from_master(custody, master, Diversification.NONE)


def echo(command: Command) -> Response:
    """Respond with the reversed command data, so that a round trip shows every byte."""
    return Response(command.data[::-1], OK)


class CardEnd:
    """A Sender that is a card: handshake, then ``answer(plain command)`` under the session's protection."""

    def __init__(
        self,
        algorithm: Algorithm,
        i: int,
        *,
        version: int = 0x30,
        answer: Callable[[Command], Response] = echo,
        keys: tuple[bytes, bytes, bytes] | None = None,
    ) -> None:
        kind = CardScp02 if algorithm is Algorithm.TDES else CardScp03
        key_set = CardKeySet(version, *(keys or key_bytes(algorithm)))
        self.session = kind(
            key_set, aid=AID, random=lambda n: bytes(range(0xC0, 0xC0 + n)), i=i, key_data=KEY_DATA, counter=5
        )
        self.answer = answer
        self.wire: list[Command] = []
        self.understood: list[Command] = []

    def send(self, command: Command) -> Response:
        self.wire.append(command)
        try:
            if command.ins == 0x50:
                return Response(self.session.initialize_update(command.data), OK)
            if not self.session.authenticated:
                self.session.external_authenticate(command)
                return Response(b"", OK)
            plain = self.session.unwrap(command)
            self.understood.append(plain)
            return self.session.wrap(self.answer(plain))
        except Refuse as refusal:
            return Response(b"", refusal.sw)

    def accepts(self, raw: bytes) -> bool:
        """Whether a copy of this card, in its present state, takes these bytes for a command of the session."""
        try:
            copy.deepcopy(self.session).unwrap(Command.decode(raw))
        except (Refuse, ValueError):
            return False
        return True
