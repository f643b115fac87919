"""Virtual readers whose chips compute in other processes: the load of many lanes on the service's process can only be
measured without the work of the chips in it.

Each reader has one connection over a Unix socket; each request waits for its answer. A frame is its length (4 bytes,
big endian), an operation and its argument; an answer is a frame with OK or FAULT in place of the operation.
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

SCHEME: Final = "remote:"
"""URLs are ``remote:SOCKET:URL``, with the URL of a virtual reader."""

_OK, _FAULT = b"+", b"!"
_OPEN, _WAIT, _CONNECT, _EXCHANGE, _RESET, _POWER_OFF, _RELEASE = (bytes([code]) for code in b"owcxrpl")
_LENGTH: Final = struct.Struct(">I")


def open_remote(url: str) -> Reader:
    """The reader of a ``remote:`` URL; other URLs are opened as usual."""
    if not url.startswith(SCHEME):
        return open_reader(url)
    path, _, rest = url.removeprefix(SCHEME).partition(":")
    return _RemoteReader(url, Path(path), rest)


@contextmanager
def chip_processes(directory: Path, processes: int) -> Iterator[tuple[Path, ...]]:
    """The sockets of processes with chips. There are several, so that chips do not wait for each other."""
    with ExitStack() as stack:
        yield tuple([stack.enter_context(_chip_process(directory / f"chips-{number}")) for number in range(processes)])


@contextmanager
def _chip_process(path: Path) -> Iterator[Path]:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(64)
    process = multiprocessing.get_context("spawn").Process(target=_serve_readers, args=(listening,), daemon=True)
    process.start()
    try:
        yield path
    finally:
        process.terminate()
        process.join()
        listening.close()


class _FrameSocket:
    """Sends and receives frames over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, kind: bytes, content: bytes = b"") -> None:
        self._connection.sendall(_LENGTH.pack(1 + len(content)) + kind + content)

    def receive(self) -> tuple[bytes, bytes]:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        frame = self._exactly(length)
        return frame[:1], frame[1:]

    def _exactly(self, size: int) -> bytes:
        received = self._connection.recv(size, socket.MSG_WAITALL)
        if len(received) < size:
            raise EOFError("the connection was closed")
        return received

    def call(self, operation: bytes, argument: bytes = b"") -> bytes:
        self.send(operation, argument)
        kind, content = self.receive()
        if kind == _OK:
            return content
        name, _, text = content.decode().partition(":")
        raise getattr(errors, name)(text)


class _RemoteReader:
    """A terminal.apdu.Reader; the wait for a card takes place in the other process."""

    def __init__(self, url: str, path: Path, rest: str) -> None:
        self.url = url
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(path))
        self._frames = _FrameSocket(self._connection)
        self.name = self._frames.call(_OPEN, rest.encode()).decode()

    def wait_for_card(self, timeout: float | None) -> bool:
        return self._frames.call(_WAIT, b"" if timeout is None else repr(timeout).encode()) == b"1"

    def connect(self) -> Transport:
        return _RemoteCard(self._frames, self._frames.call(_CONNECT))

    def release(self, disposition: Disposition) -> None:
        self._frames.call(_RELEASE, disposition.value.encode())

    def close(self) -> None:
        self._connection.close()


class _RemoteCard:
    """A terminal.apdu.Transport."""

    def __init__(self, frames: _FrameSocket, parameters: bytes) -> None:
        self._frames = frames
        protocol, extended, self.atr = parameters.split(b":", 2)
        self.protocol = LinkProtocol(protocol.decode())
        self.extended_length = extended == b"1"

    def exchange(self, apdu: bytes) -> bytes:
        return self._frames.call(_EXCHANGE, apdu)

    def reset(self) -> bytes:
        self.atr = self._frames.call(_RESET)
        return self.atr

    def close(self) -> None:
        self._frames.call(_POWER_OFF)


# --- the process with the chips ---------------------------------------------------------------------------------------


def _serve_readers(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_ReaderServer(connection).serve, daemon=True).start()


class _ReaderServer:
    """One reader, served on a thread of its own until its connection ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._frames = _FrameSocket(connection)
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
                operation, argument = self._frames.receive()
            except EOFError:
                self._reader.close()
                return
            try:
                answer = self._operations[operation](argument)
            except errors.TransportError as fault:
                kind = next(kind for kind in type(fault).__mro__ if hasattr(errors, kind.__name__))
                self._frames.send(_FAULT, f"{kind.__name__}:{fault}".encode())
            else:
                self._frames.send(_OK, answer)

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
