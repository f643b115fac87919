"""A PC/SC service in Python, whose readers have any bytes as names: the protocol of pcscd 1.9 and later (4.4).

The client library finds it through PCSCLITE_CSOCK_NAME, which it reads once: start programs with it in their
environment. Cards answer every command with itself and 9000. pcsc-lite, src/winscard_msg.h.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import tempfile
import threading
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType

ATR = bytes.fromhex("3B80800101")
_READERS = 16
_ABSENT, _PRESENT, _POWERED, _NEGOTIABLE = 0x02, 0x04, 0x10, 0x20


class Message(IntEnum):
    """The commands that need an answer of their own. Those of the other ones end with a result."""

    ESTABLISH_CONTEXT = 0x01
    CONNECT = 0x04
    TRANSMIT = 0x09
    VERSION = 0x11
    READER_STATES = 0x12
    WAIT = 0x13
    STOP_WAITING = 0x14


@dataclass(frozen=True)
class FakeSlot:
    """A reader by the bytes of its name, with or without a card."""

    name: bytes
    card: bool = False

    def state(self) -> bytes:
        """READER_STATE."""
        state = _PRESENT | _POWERED | _NEGOTIABLE if self.card else _ABSENT
        atr = ATR if self.card else b""
        return struct.pack("<128sIIi33s3xII", self.name, 1, state, 0, atr, len(atr), 2 if self.card else 0)


class FakeService:
    """Context manager around the service. ``slots`` may be replaced while it runs."""

    def __init__(self, *slots: FakeSlot) -> None:
        # A socket's path has at most 107 bytes, and the directories of tests have long names.
        self._directory = tempfile.TemporaryDirectory(prefix="pcsc-", dir="/tmp")
        self.path = Path(self._directory.name) / "pcscd.comm"
        self.slots = slots
        self._numbers = itertools.count(4711)
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> FakeService:
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._directory.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        return {"PCSCLITE_CSOCK_NAME": str(self.path)}

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, EOFError):
            while True:
                size, command = struct.unpack("<II", _exactly(client, 8))
                client.sendall(self._answer(command, _exactly(client, size), client))

    def _answer(self, command: int, body: bytes, client: socket.socket) -> bytes:
        match command:
            case Message.VERSION:
                return body[:8] + bytes(4)
            case Message.ESTABLISH_CONTEXT:  # scope, context, result
                return body[:4] + struct.pack("<II", next(self._numbers), 0)
            case Message.READER_STATES | Message.WAIT:
                states = [slot.state() for slot in self.slots]
                return b"".join(states) + bytes(len(FakeSlot(b"").state()) * (_READERS - len(states)))
            case Message.STOP_WAITING:  # timeout, result
                return bytes(8)
            case Message.CONNECT:  # context, name, mode, protocols, handle, protocol, result
                name = body[4:132].rstrip(b"\0")
                here = [slot for slot in self.slots if slot.name == name]
                code = 0x80100009 if not here else 0 if here[0].card else 0x8010000C
                return body[:140] + struct.pack("<iII", next(self._numbers), 2, code)
            case Message.TRANSMIT:
                data = _exactly(client, struct.unpack_from("<I", body, 12)[0]) + b"\x90\x00"
                return body[:24] + struct.pack("<II", len(data), 0) + data
            case _:  # handle and result at the end
                return body[:-4] + bytes(4)


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = client.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
