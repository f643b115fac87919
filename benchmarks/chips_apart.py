"""Virtual readers whose chips compute in processes of their own, as real chips do: what a station's process has to bear
with many lanes can only be measured without the chips' own work in it.

One connection a reader over a Unix socket; each request waits for its answer. A frame is its length (4 bytes, big
endian), an operation, and its argument; an answer is a frame with OK or FAULT in the operation's place.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from terminal import errors
from terminal.apdu import Disposition, LinkProtocol, Reader, Transport, open_reader

SCHEME: Final = "apart:"
"""URLs are ``apart:SOCKET:URL``, with the URL of a virtual reader."""

_OK, _FAULT = b"+", b"!"
_OPEN, _WAIT, _CONNECT, _EXCHANGE, _RESET, _POWER_OFF, _RELEASE = (bytes([code]) for code in b"owcxrpl")
_LENGTH: Final = struct.Struct(">I")


def open_apart(url: str) -> Reader:
    """The reader of an ``apart:`` URL; of any other as always."""
    if not url.startswith(SCHEME):
        return open_reader(url)
    place, _, rest = url.removeprefix(SCHEME).partition(":")
    return _FarReader(url, Path(place), rest)


@contextmanager
def chips_apart(directory: Path, processes: int) -> Iterator[tuple[Path, ...]]:
    """The sockets of processes that hold chips. Several, so that chips do not wait for each other either."""
    with ExitStack() as stack:
        yield tuple([stack.enter_context(_process(directory / f"chips-{number}")) for number in range(processes)])


@contextmanager
def _process(place: Path) -> Iterator[Path]:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(place))
    listening.listen(64)
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(listening,), daemon=True)
    process.start()
    try:
        yield place
    finally:
        process.terminate()
        process.join()
        listening.close()


class _Wire:
    """Frames over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, kind: bytes, content: bytes = b"") -> None:
        self._connection.sendall(_LENGTH.pack(1 + len(content)) + kind + content)

    def receive(self) -> tuple[bytes, bytes]:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        frame = self._exactly(length)
        return frame[:1], frame[1:]

    def _exactly(self, size: int) -> bytes:
        found = self._connection.recv(size, socket.MSG_WAITALL)
        if len(found) < size:
            raise EOFError("the other side is gone")
        return found

    def ask(self, operation: bytes, argument: bytes = b"") -> bytes:
        self.send(operation, argument)
        kind, content = self.receive()
        if kind == _OK:
            return content
        name, _, text = content.decode().partition(":")
        raise getattr(errors, name)(text)


class _FarReader:
    """A terminal.apdu.Reader. A wait without end would hold the wire, so the far side's own answer counts."""

    def __init__(self, url: str, place: Path, rest: str) -> None:
        self.url = url
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(place))
        self._wire = _Wire(self._connection)
        self.name = self._wire.ask(_OPEN, rest.encode()).decode()

    def wait_for_card(self, timeout: float | None) -> bool:
        return self._wire.ask(_WAIT, b"" if timeout is None else repr(timeout).encode()) == b"1"

    def connect(self) -> Transport:
        return _FarCard(self._wire, self._wire.ask(_CONNECT))

    def release(self, disposition: Disposition) -> None:
        self._wire.ask(_RELEASE, disposition.value.encode())

    def close(self) -> None:
        self._connection.close()


class _FarCard:
    """A terminal.apdu.Transport."""

    def __init__(self, wire: _Wire, told: bytes) -> None:
        self._wire = wire
        protocol, extended, self.atr = told.split(b":", 2)
        self.protocol = LinkProtocol(protocol.decode())
        self.extended_length = extended == b"1"

    def exchange(self, apdu: bytes) -> bytes:
        return self._wire.ask(_EXCHANGE, apdu)

    def reset(self) -> bytes:
        self.atr = self._wire.ask(_RESET)
        return self.atr

    def close(self) -> None:
        self._wire.ask(_POWER_OFF)


# --- the process with the chips ---------------------------------------------------------------------------------------


def _hold(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_Far(connection).serve, daemon=True).start()


class _Far:
    """One reader, served on a thread of its own until its connection ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._wire = _Wire(connection)
        self._reader: Reader
        self._card: Transport
        self._operations = {
            _OPEN: self._open,
            _WAIT: self._wait,
            _CONNECT: self._connect,
            _EXCHANGE: lambda apdu: self._card.exchange(apdu),
            _RESET: lambda _: self._card.reset(),
            _POWER_OFF: self._power_off,
            _RELEASE: self._release,
        }

    def serve(self) -> None:
        while True:
            try:
                operation, argument = self._wire.receive()
            except EOFError:
                self._reader.close()
                return
            try:
                answer = self._operations[operation](argument)
            except errors.TransportError as fault:
                kind = next(kind for kind in type(fault).__mro__ if hasattr(errors, kind.__name__))
                self._wire.send(_FAULT, f"{kind.__name__}:{fault}".encode())
            else:
                self._wire.send(_OK, answer)

    def _open(self, url: bytes) -> bytes:
        self._reader = open_reader(url.decode())
        return self._reader.name.encode()

    def _wait(self, timeout: bytes) -> bytes:
        return b"1" if self._reader.wait_for_card(float(timeout) if timeout else None) else b"0"

    def _connect(self, _: bytes) -> bytes:
        card = self._card = self._reader.connect()
        return b"%s:%d:%s" % (card.protocol.value.encode(), card.extended_length, card.atr)

    def _power_off(self, _: bytes) -> bytes:
        self._card.close()
        return b""

    def _release(self, disposition: bytes) -> bytes:
        self._reader.release(Disposition(disposition.decode()))
        return b""
