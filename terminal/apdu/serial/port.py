"""A serial port: the only file that imports pyserial.

pyserial opens the port, locks it and knows its modem lines. Rate, parity and parity marks are set here with one call
for all (termios2, Linux): pyserial switches marks off, and fails at a pseudo-terminal, which has no parity.

:class:`SerialPort` is the line to a chip, where wrong parity marks a character (INPCK and PARMRK): it arrives as
FF 00 X, and FF as FF FF; see :func:`unmarked`. :class:`MachinePort` is the line to a machine: plain bytes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import struct
import termios
import time
from enum import StrEnum
from typing import Any, Final

import serial
from serial.tools import list_ports

from terminal.apdu.serial.line import Arrived
from terminal.apdu.serial.options import PresenceLine, ResetLine, SerialOptions
from terminal.apdu.serial.ports import SerialPortInfo
from terminal.errors import ReaderBusy, ReaderFault, ReaderNotFound, TransportError

_TCGETS2, _TCSETSW2 = 0x802C542A, 0x402C542C
_TERMIOS2 = struct.Struct("=4IB19s2I")
"""c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc, c_ispeed, c_ospeed. Linux, asm-generic/termbits.h."""
_BOTHER, _CBAUD = 0o010000, 0o010017
_CMSPAR, _CRTSCTS = 0o10000000000, 0o20000000000
_TOLERANCE = 0.02
_POWER_OFF = 0.05
"""Seconds for which a port that is opened again stays closed."""
_STUCK = 10.0
"""Seconds after which a port that takes no more characters is given up."""
_MOST = 4096

_OPENING: Final[dict[int, tuple[type[TransportError], str]]] = {
    errno.EACCES: (
        ReaderBusy,
        "no permission to use it; add the user to the group that owns it (usermod -aG dialout USER) and log in again",
    ),
    errno.EPERM: (ReaderBusy, "no permission to use it"),
    errno.EBUSY: (ReaderBusy, "another program uses it; close that program and try again"),
    errno.EAGAIN: (ReaderBusy, "another program holds its lock; close that program and try again"),
    errno.ENOTTY: (ReaderNotFound, "it is not a serial port"),
    errno.EISDIR: (ReaderNotFound, "it is not a serial port"),
    errno.EIO: (ReaderFault, "it has no hardware behind it, or was unplugged; plug it in and try again"),
}
"""Why a port does not open, by errno; any other error is quoted."""
_ABSENT = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOTDIR)


def unmarked(raw: bytes) -> tuple[Arrived, bytes]:
    """Characters without the marks of the line discipline, and the beginning of a mark that is not complete yet.

    FF FF is FF; FF 00 X is X with wrong parity. termios(3), PARMRK.
    """
    if b"\xff" not in raw:
        return Arrived(raw), b""
    marked: list[int] = []
    data, at = bytearray(), 0
    while at < len(raw):
        if raw[at] != 0xFF:
            data.append(raw[at])
            at += 1
            continue
        second = raw[at + 1 : at + 2]
        if second == b"\xff":
            data.append(0xFF)
            at += 2
        elif len(raw) - at < 3:
            return Arrived(bytes(data), tuple(marked)), raw[at:]
        else:
            marked.append(len(data))
            data.append(raw[at + 2])
            at += 3
    return Arrived(bytes(data), tuple(marked)), b""


class _Port:
    """An open port, locked against other programs. ``close`` is safe to call twice.

    ``attached`` is what lies behind it, for sentences; ``rts`` the state of RTS from the moment of opening.
    Raises ReaderNotFound (no such port), ReaderBusy (in use, or no permission), ReaderFault.
    """

    def __init__(self, device: str, attached: str, *, rts: bool) -> None:
        self._device = device
        self._attached = attached
        self._rts = rts
        self._poll = select.poll()
        self._port = self._open()

    def _configure(self, rate: float, flags: int, *, input_flags: int) -> tuple[Any, ...] | None:
        """Set the rate and ``flags`` for parity and stop bits, once everything has been sent. The settings then in
        force; None for a rate that the port does not do within two percent, after which the former are in force."""
        before = self._attributes()
        control = before[2] & ~(
            _CBAUD | _CBAUD << 16 | termios.CSIZE | termios.CSTOPB | termios.PARENB | termios.PARODD
        )
        control &= ~(_CMSPAR | _CRTSCTS)
        control |= _BOTHER | termios.CS8 | termios.CREAD | termios.CLOCAL | flags
        speed = round(rate)
        self._set((input_flags, 0, control, 0, before[4], before[5], speed, speed))
        after = self._attributes()
        if abs(after[7] - rate) > _TOLERANCE * rate:
            self._set(before)
            return None
        return after

    def _attributes(self) -> tuple[Any, ...]:
        raw = bytearray(_TERMIOS2.size)
        try:
            fcntl.ioctl(self._descriptor(), _TCGETS2, raw)
        except OSError as gone:
            raise self._lost(gone) from gone
        return _TERMIOS2.unpack(raw)

    def _set(self, attributes: tuple[Any, ...]) -> None:
        try:
            fcntl.ioctl(self._descriptor(), _TCSETSW2, _TERMIOS2.pack(*attributes))
        except OSError as gone:
            raise self._lost(gone) from gone

    def write(self, data: bytes) -> None:
        descriptor = self._descriptor()
        until = 0.0
        while True:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:
                until = until or time.monotonic() + _STUCK
                if time.monotonic() > until:
                    raise self._lost(f"it sends nothing for {_STUCK:g} s") from None
                time.sleep(_STUCK / 1000)
            except OSError as gone:
                raise self._lost(gone) from gone
            if not data:
                return

    @property
    def open(self) -> bool:
        """Whether the port is still open: a fault of the port closes it."""
        return self._port.is_open

    def close(self) -> None:
        if self._port.is_open:
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._port.fileno())
            self._port.close()

    def _open(self) -> serial.Serial:
        try:
            port = serial.Serial(exclusive=True)
            port.port = self._device
            port.rts = self._rts
            port.open()
        except (OSError, termios.error) as fault:
            raise self._not_opened(fault) from fault
        self._poll.register(port.fileno(), select.POLLIN)
        return port

    def _not_opened(self, fault: OSError | termios.error) -> TransportError:
        code = _errno(fault)
        if code in _ABSENT:
            present = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
            return ReaderNotFound(f"there is no port {self._device}; plug the {self._attached} in (present: {present})")
        if code is None and "Could not configure" in str(fault):
            code = errno.ENOTTY
        kind, sentence = _OPENING.get(code or 0, (ReaderFault, f"{fault}"))
        return kind(f"{self._device} does not open: {sentence}")

    def _descriptor(self) -> int:
        if not self._port.is_open:
            raise ReaderFault(f"{self._device} is closed; its {self._attached} was closed or unplugged")
        return int(self._port.fileno())

    def _lost(self, why: object) -> ReaderFault:
        """The fault of a port that failed in use; the port is closed."""
        self.close()
        return ReaderFault(f"{self._device} was unplugged or failed ({why}); plug the {self._attached} in again")


class SerialPort(_Port):
    """The open port of a chip reader: a SerialLine. Raises what a port does."""

    def __init__(self, device: str, options: SerialOptions) -> None:
        self._present = options.present
        self._paced = True
        self._resettable = options.rts is not ResetLine.NONE
        self._reset_state = options.rts is ResetLine.HIGH
        self._rest = b""
        super().__init__(device, "reader", rts=self._reset_state if self._resettable else True)

    @property
    def paced(self) -> bool:
        return self._paced

    @property
    def resettable(self) -> bool:
        return self._resettable

    def now(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def configure(self, rate: float, *, odd: bool, stop_bits: int) -> bool:
        flags = termios.PARENB | (termios.PARODD if odd else 0) | (termios.CSTOPB if stop_bits == 2 else 0)
        after = self._configure(rate, flags, input_flags=termios.INPCK | termios.PARMRK)
        if after is not None:
            self._paced = bool(after[2] & termios.PARENB)
        return after is not None

    def drain(self) -> None:
        try:
            termios.tcdrain(self._descriptor())
        except termios.error as gone:
            raise self._lost(gone) from gone

    def read(self, seconds: float) -> Arrived:
        descriptor = self._descriptor()
        until = 0.0
        while True:
            if not self._poll.poll(int(seconds * 1000) + 1 if seconds > 0 else 0):
                return Arrived(b"")
            try:
                raw = os.read(descriptor, _MOST)
            except BlockingIOError:
                raw = self._rest  # Somebody else's reading, or nothing but a wake-up: wait on.
            except OSError as gone:
                raise self._lost(gone) from gone
            else:
                if not raw:
                    raise self._lost("it is always ready and gives nothing")
                if not self._rest and 0xFF not in raw:
                    return Arrived(raw)
                raw = self._rest + raw
            arrived, self._rest = unmarked(raw)
            if arrived.data:
                return arrived
            # Only the beginning of a mark came: its end follows at once.
            until = until or time.monotonic() + seconds
            seconds = until - time.monotonic()

    def discard(self) -> None:
        self._rest = b""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._descriptor(), termios.TCIFLUSH)

    def hold_reset(self) -> None:
        if self._resettable:
            self._set_rts(self._reset_state)

    def release_reset(self) -> None:
        if self._resettable:
            self._set_rts(not self._reset_state)
            return
        settings = self._attributes()
        self.close()
        time.sleep(_POWER_OFF)
        self._port = self._open()
        self._rest = b""
        self._set(settings)

    def _set_rts(self, state: bool) -> None:
        try:
            self._port.rts = state
        except OSError as fault:
            if fault.errno not in (errno.ENOTTY, errno.EINVAL):
                raise self._lost(fault) from fault
            self._resettable = False  # A pseudo-terminal has no modem lines.

    def card_present(self) -> bool | None:
        if self._present is PresenceLine.NONE:
            return None
        self._descriptor()
        cts = self._present in (PresenceLine.CTS, PresenceLine.CTS_LOW)
        try:
            asserted = bool(self._port.cts if cts else self._port.dsr)
        except OSError as fault:
            if fault.errno in (errno.ENOTTY, errno.EINVAL):
                raise ReaderFault(f"{self._device} has no modem lines; leave out present=") from fault
            raise self._lost(fault) from fault
        return asserted is (self._present in (PresenceLine.CTS, PresenceLine.DSR))


class Parity(StrEnum):
    """The parity of a machine's line."""

    NONE = "N"
    EVEN = "E"
    ODD = "O"


_PARITY: Final[dict[Parity, int]] = {
    Parity.NONE: 0,
    Parity.EVEN: termios.PARENB,
    Parity.ODD: termios.PARENB | termios.PARODD,
}


class MachinePort(_Port):
    """The open port of a machine that sends and takes bytes: a link as personalize.machines.links has it.

    Eight data bits; no flow control and no parity marks. Raises what a port does, and ReaderFault for a rate that the
    port does not do within two percent.
    """

    def __init__(self, device: str, rate: float, parity: Parity = Parity.NONE, stop_bits: int = 1) -> None:
        super().__init__(device, "machine", rts=True)
        flags = _PARITY[parity] | (termios.CSTOPB if stop_bits == 2 else 0)
        if self._configure(rate, flags, input_flags=0) is None:
            self.close()
            raise ReaderFault(f"{device} cannot do {rate:g} bit/s; set another rate at the machine and in its URL")

    def read(self, seconds: float) -> bytes:
        """What arrived, at least one byte, or nothing within ``seconds``."""
        descriptor = self._descriptor()
        if not self._poll.poll(int(seconds * 1000) + 1 if seconds > 0 else 0):
            return b""
        try:
            raw = os.read(descriptor, _MOST)
        except BlockingIOError:
            return b""
        except OSError as gone:
            raise self._lost(gone) from gone
        if not raw:
            raise self._lost("it is always ready and gives nothing")
        return raw

    def discard(self) -> None:
        """Drop what arrived and was not read."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._descriptor(), termios.TCIFLUSH)


def _errno(fault: OSError | termios.error) -> int | None:
    code = fault.args[0] if fault.args else None
    return code if isinstance(code, int) else None


def serial_ports() -> list[SerialPortInfo]:
    """The ports that the system has now, by name. One may have no hardware behind it."""
    present = sorted(list_ports.comports(), key=lambda port: str(port.device))
    return [SerialPortInfo(port.device, _known(port.description), _hardware(port.vid, port.pid)) for port in present]


def _known(description: str | None) -> str:
    return "" if description in (None, "n/a") else str(description)


def _hardware(vendor: int | None, product: int | None) -> str:
    return "" if vendor is None or product is None else f"{vendor:04x}:{product:04x}"
