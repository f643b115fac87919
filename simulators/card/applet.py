"""The interface between the card operating system and its applications."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol

from terminal.apdu import OK, Command, Response, StatusWord


class Refuse(Exception):
    """Raised inside the card to respond with a status word and no data. An outcome of the command, not a fault."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = StatusWord(sw)


class AppletMemory(MutableMapping[str, bytes]):
    """Non-volatile memory of one application: named byte strings. A single assignment is atomic, a transaction makes
    several atomic: after a tear the memory holds the old state or the new one."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]: ...


class AppletHost(Protocol):
    """The card operating system as an application sees it."""

    @property
    def memory(self) -> AppletMemory: ...
    @property
    def contactless(self) -> bool: ...
    def random(self, n: int) -> bytes: ...
    @property
    def personalized(self) -> bool:
        """Whether the registry says PERSONALIZED for this instance."""
        ...

    def set_personalized(self) -> None: ...
    def block_card(self) -> None:
        """Let no application be selected any more. EMV 4.4 Book 3, 6.5.3."""
        ...

    def count_work(self, operation: str, blocks: int = 1) -> None:
        """Meter a cryptographic operation: ``des``, ``aes``, ``sha`` blocks, ``rsa`` private powers."""
        ...


class Applet(ABC):
    """An application instance. Volatile state is in attributes and ends with the power; ``host.memory`` lasts."""

    chaining: ClassVar[frozenset[int]] = frozenset()
    """Instructions with command chaining (ISO/IEC 7816-4:2020, 5.3.3); the card joins the parts. Others: 6884."""

    @property
    def select_status(self) -> StatusWord:
        """The status word of the FCI: 9000, or 6283 for a blocked application."""
        return OK

    def __init__(self, host: AppletHost, aid: bytes, parameters: bytes) -> None:
        self.host = host
        self.aid = aid
        self.parameters = parameters

    @abstractmethod
    def select(self, p2: int) -> bytes:
        """The FCI, a whole 6F template. Raises Refuse (6283 comes with data: see ``select_status``)."""

    @abstractmethod
    def process(self, command: Command) -> Response:
        """Execute any command but SELECT by name. The channel bits of the class byte are cleared. Raises Refuse."""

    def begin_personalization(self) -> None:
        """Block 0 of STORE DATA, before its DGIs: delete the data of an unfinished run. Called inside the transaction
        of that command, and never for an instance that is PERSONALIZED. Raises Refuse."""
        raise Refuse(0x6985)

    def store_data(self, dgis: Iterator[tuple[int, bytes]], *, last: bool) -> None:
        """Personalization through the security domain: the complete DGIs of one STORE DATA command in order, secret
        ones decrypted under the session DEK with their padding; ``last`` when P1 has b8. Raises Refuse.

        EMV CPS 1.1, 4.3.
        """
        raise Refuse(0x6985)

    def deselect(self) -> None:  # noqa: B027
        """Clear volatile state: another application is selected on this channel, or the channel closes."""
