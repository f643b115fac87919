"""The PC/SC calls that carry reader names or would return one, with names as bytes. pcsclite.h, winscard.h.

pyscard reads names as UTF-8 and sends them as ASCII: one reader with another name hides all readers from it. So these
calls go to libpcsclite itself, in the instance that pyscard has loaded: contexts and handles are the same numbers.
A name is a str whose bytes outside UTF-8 are surrogates (PEP 383), as the names of files are.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol

from terminal.errors import ReaderFault

_log = logging.getLogger(__name__)
_LIBRARY: Final = "libpcsclite.so.1"
_ATR: Final = 33
_INSUFFICIENT_BUFFER: Final = 0x80100008
_ATTEMPTS: Final = 5
_dword, _long = ctypes.c_ulong, ctypes.c_long  # DWORD and LONG of pcsc-lite on Linux


class NamedCalls(Protocol):
    """Each call returns the PC/SC result code first."""

    def list_readers(self, context: int) -> tuple[int, list[str]]: ...
    def status_change(
        self, context: int, milliseconds: int, query: Sequence[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, bytes]]]:
        """Name, event state and ATR of each queried reader."""
        ...

    def connect(self, context: int, name: str, mode: int, protocols: int) -> tuple[int, int, int]:
        """Handle and active protocol."""
        ...

    def atr(self, handle: int) -> tuple[int, bytes]: ...


class _ReaderState(ctypes.Structure):
    """SCARD_READERSTATE."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("user_data", ctypes.c_void_p),
        ("current_state", _dword),
        ("event_state", _dword),
        ("atr_length", _dword),
        ("atr", ctypes.c_ubyte * _ATR),
    )


class PcscLite:
    """NamedCalls over libpcsclite."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def list_readers(self, context: int) -> tuple[int, list[str]]:
        code, names = 0, b""
        for _ in range(_ATTEMPTS):  # a reader that is plugged in between the two calls makes the list longer
            length = _dword(0)
            code = self._call("SCardListReaders", _long(context), None, None, ctypes.byref(length))
            if code:
                break
            buffer = ctypes.create_string_buffer(length.value)
            code = self._call("SCardListReaders", _long(context), None, buffer, ctypes.byref(length))
            names = buffer.raw[: length.value]
            if code != _INSUFFICIENT_BUFFER:
                break
        return code, [_text(name) for name in names.split(b"\0") if name] if not code else []

    def status_change(
        self, context: int, milliseconds: int, query: Sequence[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, bytes]]]:
        states = (_ReaderState * len(query))()
        for state, (name, current) in zip(states, query, strict=True):
            state.name, state.current_state = _raw(name), current
        count = _dword(len(query))
        code = self._call("SCardGetStatusChange", _long(context), _dword(milliseconds), states, count)
        results = [
            (name, int(state.event_state), bytes(state.atr[: state.atr_length] if state.atr_length <= _ATR else b""))
            for state, (name, _) in zip(states, query, strict=True)
        ]
        return code, results

    def connect(self, context: int, name: str, mode: int, protocols: int) -> tuple[int, int, int]:
        handle, protocol = _long(0), _dword(0)
        code = self._call(
            "SCardConnect",
            _long(context),
            ctypes.c_char_p(_raw(name)),
            _dword(mode),
            _dword(protocols),
            ctypes.byref(handle),
            ctypes.byref(protocol),
        )
        return code, handle.value, protocol.value

    def atr(self, handle: int) -> tuple[int, bytes]:
        buffer, length = ctypes.create_string_buffer(_ATR), _dword(_ATR)
        # Without a buffer for it, the name is not returned.
        code = self._call("SCardStatus", _long(handle), None, None, None, None, buffer, ctypes.byref(length))
        return code, buffer.raw[: length.value] if not code else b""

    def _call(self, function: str, *arguments: Any) -> int:
        return int(getattr(self._library, function)(*arguments)) & 0xFFFFFFFF


class PyscardCalls:
    """NamedCalls over pyscard's module ``scard``, for systems without libpcsclite: readers whose names are not ASCII
    are left out, once with a line in the log."""

    def __init__(self, scard: Any) -> None:
        self._scard = scard
        self._left_out: set[str] = set()

    def list_readers(self, context: int) -> tuple[int, list[str]]:
        try:
            code, names = self._scard.SCardListReaders(context, [])
        except (SystemError, UnicodeError) as error:
            raise ReaderFault("listing readers: the name of one is not UTF-8, which hides all; unplug it") from error
        strange = {name for name in names if not name.isascii()}
        for name in sorted(strange - self._left_out):
            _log.warning("the reader %s is left out: its name is not ASCII", ascii(name))
        self._left_out = strange
        return code, [name for name in names if name not in strange]

    def status_change(
        self, context: int, milliseconds: int, query: Sequence[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, bytes]]]:
        code, states = self._scard.SCardGetStatusChange(context, milliseconds, list(query))
        return code, [(name, state, bytes(atr)) for name, state, atr in states]

    def connect(self, context: int, name: str, mode: int, protocols: int) -> tuple[int, int, int]:
        code, handle, protocol = self._scard.SCardConnect(context, name, mode, protocols)
        return code, handle, protocol

    def atr(self, handle: int) -> tuple[int, bytes]:
        code, *values = self._scard.SCardStatus(handle)
        return code, bytes(values[3])


def pcsc_lite() -> PcscLite | None:
    """The calls over libpcsclite; None on systems without it, where readers go by ASCII names."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    for function in ("SCardListReaders", "SCardGetStatusChange", "SCardConnect", "SCardStatus"):
        getattr(library, function).restype = _long
    return PcscLite(library)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
