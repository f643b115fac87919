"""The driver side of the vpcd protocol, like the real driver: length and body in two sends, one card at a time."""

from __future__ import annotations

import socket
from typing import Self

from tests.support.waiting import PATIENCE


class FakeDriver:
    """A slot that a card connects to. Use as a context manager; ``accept`` waits for the card."""

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.settimeout(PATIENCE)
        self.port: int = self._server.getsockname()[1]
        self._card: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.eject()
        self._server.close()

    def accept(self) -> Self:
        self.eject()
        self._card, _ = self._server.accept()
        self._card.settimeout(PATIENCE)
        return self

    def eject(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None

    def tell(self, body: bytes) -> None:
        """Send a message that has no response."""
        assert self._card is not None
        self._card.send(len(body).to_bytes(2, "big"))
        self._card.send(body)

    def ask(self, body: bytes) -> bytes:
        """Send a message; its response, or b"" when the card disconnects instead."""
        self.tell(body)
        return self._receive(int.from_bytes(self._receive(2), "big"))

    def _receive(self, n: int) -> bytes:
        assert self._card is not None
        data = b""
        while len(data) < n:
            part = self._card.recv(n - len(data))
            if not part:
                return b""
            data += part
        return data

    @property
    def gone(self) -> bool:
        """Whether the card has disconnected."""
        assert self._card is not None
        return self._card.recv(1) == b""
