"""What an application on the virtual card is, and what the card gives it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol

from terminal.apdu import OK, Command, Response, StatusWord


class Refuse(Exception):
    """Raised inside the card to answer a status word with no data. A value of the card's, never a program fault."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = StatusWord(sw)


class AppletMemory(MutableMapping[str, bytes]):
    """Non-volatile memory of one application: named byte strings. A single assignment is atomic;
    a transaction makes several so. Nothing is visible after a tear but the old state or the new."""

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
        """No application is selected on this card any more. EMV 4.4 Book 3, 6.5.3."""
        ...

    def count_work(self, operation: str, blocks: int = 1) -> None:
        """Tell the card's meter of a cryptographic operation: ``des``, ``aes``, ``sha`` blocks, ``rsa`` powers."""
        ...


class Applet(ABC):
    """An application instance. Volatile state lives in attributes, dies with power; the rest in ``host.memory``."""

    chaining: ClassVar[frozenset[int]] = frozenset()
    """Instructions that take command chaining (ISO/IEC 7816-4:2020, 5.3.3); the card joins the parts. Else 6884."""

    @property
    def select_status(self) -> StatusWord:
        """The status word that goes with the FCI: 9000, or 6283 for a blocked application."""
        return OK

    def __init__(self, host: AppletHost, aid: bytes, parameters: bytes) -> None:
        self.host = host
        self.aid = aid
        self.parameters = parameters

    @abstractmethod
    def select(self, p2: int) -> bytes:
        """FCI (the whole 6F template); raises Refuse (6283 travels with data: see ``select_status``)."""

    @abstractmethod
    def process(self, command: Command) -> Response:
        """Any command but SELECT by name. The class byte comes with its channel bits cleared. Raises Refuse."""

    def begin_personalization(self) -> None:
        """Block 0 of a STORE DATA run, before its DGIs: drop what an unfinished run left. The card calls it inside the
        transaction of that command; an instance that is PERSONALIZED is refused before it. Raises Refuse."""
        raise Refuse(0x6985)

    def store_data(self, dgis: Iterator[tuple[int, bytes]], *, last: bool) -> None:
        """Personalization through the security domain: DGIs in order, secret ones already decrypted under the
        session DEK (padding still on). Called once for each whole DGI group of a STORE DATA command;
        with ``last`` for the command that has P1 b8. EMV CPS 1.1, 4.3."""
        raise Refuse(0x6985)

    def deselect(self) -> None:  # noqa: B027
        """Another application was selected on this channel, or the card was reset: forget volatile state."""
