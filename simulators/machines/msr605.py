"""A simulated MSR605 or MSR606: a stripe reader and writer at a serial port, through whose slot a person swipes cards.

MSR605 Programmer's Manual, revision B (2009), 6 to 9. Commands are ESC and a letter. A command that needs a card is
answered when one was swiped, however long that takes; reset (``ESC a``) ends the wait without an answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulators.machines.clock import MachineClock, WallClock
from simulators.machines.faults import WireFaults
from simulators.machines.stripe.formats import ISO_FORMATS, TrackUnreadable
from simulators.machines.stripe.stripe import HIGH, LOW, TRACKS, RecordedTrack, Stripe, StripeFile
from terminal.errors import CodecError, ReaderFault

ESC, FS = b"\x1b", b"\x1c"
GOOD, UNREADABLE, FORMAT, UNKNOWN, SWIPE, REFUSED = (b"0", b"1", b"2", b"4", b"9", b"A")
"""Status bytes. The last one answers a selection (``b``, ``c``) that there is not."""
_START, _END = ESC + b"s", b"?" + FS
_TRACK: Final = {track: ESC + bytes((track,)) for track in TRACKS}
_DENSITIES: Final = {
    0xD2: (2, 210), 0x4B: (2, 75), 0xA1: (1, 210), 0xA0: (1, 75), 0xC1: (3, 210), 0xC0: (3, 75)
}  # fmt: skip
_MASKS: Final = {0: (1,), 2: (2,), 4: (3,), 3: (1, 2), 5: (1, 3), 6: (2, 3), 7: TRACKS}
_LONGEST: Final = 1024
"""Bytes of a data block."""
_MOST: Final = 255
"""Bytes that the length of a raw track can say."""
_LIGHTS = range(0x81, 0x86)
_SENSOR_TEST, _MEMORY_TEST = 0x86, 0x87
_ARGUMENTS: Final = {ord("c"): 1, ord("b"): 1, ord("o"): 3, ord("z"): 2}
"""Bytes after the letter, of commands of a fixed length."""


@dataclass(frozen=True, slots=True)
class Msr605Manner:
    """What models of the writer do differently.

    ``mirrored``: raw data are read with the first bit of a character as the highest (they are always written with it as
    the lowest). ``marks``: a track without data is read as ``1B 2B``, one that is not readable as ``1B 2A``, instead
    of nothing.
    """

    mirrored: bool = True
    marks: bool = False
    model: str = "3"
    firmware: str = "REVU2.40"


_USUAL: Final = Msr605Manner()


@dataclass(frozen=True, slots=True)
class Swipe:
    """A card that a person swipes; ``bad``: too slow, too fast, or not to its end."""

    card: Path
    bad: bool = False
    coercivity: str = HIGH
    """Of a card whose stripe was never written."""


class SimulatedMsr605:
    """The device, as a :class:`~simulators.machines.device.SimulatedDevice`; ``swipe`` comes from any thread.

    ``faults`` strike at bytes only. A card whose stripe file cannot be read or written is not readable; ``swipe``
    raises ReaderFault.
    """

    def __init__(
        self,
        manner: Msr605Manner = _USUAL,
        *,
        faults: WireFaults | None = None,
        clock: MachineClock | None = None,
    ) -> None:
        self._manner, self._clock = manner, clock or WallClock()
        self._faults = faults or WireFaults()
        self._lock = threading.RLock()
        self._swipes: deque[Swipe] = deque()
        self._powered = True
        self._reset()

    @property
    def clock(self) -> MachineClock:
        return self._clock

    @property
    def due(self) -> None:
        """It does nothing by itself."""
        return None

    def power_off(self) -> None:
        with self._lock:
            self._powered = False
            self._reset()

    def power_on(self) -> None:
        self._powered = True

    def _reset(self) -> None:
        """Everything that can be set is as at first, and a command that waits is forgotten."""
        with self._lock:
            self._out = bytearray()
            self.coercivity = HIGH
            self.density = {track: coding.density for track, coding in ISO_FORMATS.items()}
            self.bits = {track: coding.bits for track, coding in ISO_FORMATS.items()}
            self._buffer = bytearray()
            self._waiting: Callable[[Swipe], bytes] | None = None
            self._zeros = bytes((61, 22))

    @property
    def waiting(self) -> bool:
        """Whether a command waits for a card."""
        return self._waiting is not None

    def swipe(self, card: Path, *, bad: bool = False, coercivity: str = HIGH) -> bool:
        """Swipe a card. False where no command waits for one: the device does not notice it then."""
        with self._lock:
            if self._waiting is None:
                return False
            command, self._waiting = self._waiting, None
            try:
                self._send(command(Swipe(card, bad, coercivity)))
            except ReaderFault:
                self._send(ESC + UNREADABLE)
                raise
            return True

    def swipe_next(self, card: Path, *, bad: bool = False, coercivity: str = HIGH) -> None:
        """Swipe a card as soon as a command waits for one."""
        with self._lock:
            if not self.swipe(card, bad=bad, coercivity=coercivity):
                self._swipes.append(Swipe(card, bad, coercivity))

    def receive(self, data: bytes) -> None:
        with self._lock:
            if not self._powered:
                return
            self._buffer += self._faults.incoming(data)
            while self._step():
                continue

    def tick(self) -> bytes:
        with self._lock:
            out = bytes(self._out)
            self._out.clear()
            return out

    def _send(self, answer: bytes) -> None:
        self._out += self._faults.outgoing(answer)

    # -- commands -----------------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Take one command from the buffer; False where none is complete."""
        start = self._buffer.find(ESC)
        del self._buffer[: len(self._buffer) if start < 0 else start]
        if len(self._buffer) < 2:
            return False
        letter = self._buffer[1]
        if self._waiting is not None:
            del self._buffer[:2]
            if letter == ord("a"):
                self._waiting = None
            return True
        if letter in b"wn":
            return self._block(letter)
        length = 2 + _ARGUMENTS.get(letter, 0)
        if len(self._buffer) < length:
            return False
        arguments = bytes(self._buffer[2:length])
        del self._buffer[:length]
        self._command(letter, arguments)
        return True

    def _command(self, letter: int, arguments: bytes) -> None:
        match chr(letter):
            case "r":
                self._wait(self._read)
            case "m":
                self._wait(self._read_raw)
            case "c":
                self._select_erasure(arguments[0])
            case _ if letter == _SENSOR_TEST:
                self._wait(lambda _: ESC + GOOD)
            case _:
                self._send(self._setting(letter, arguments))

    def _setting(self, letter: int, arguments: bytes) -> bytes:
        """The answer to a command that needs no card."""
        match chr(letter):
            case "a":
                return b""
            case "e":
                return ESC + b"y"
            case "x" | "y":
                self.coercivity = HIGH if letter == ord("x") else LOW
                return ESC + GOOD
            case "d":
                return ESC + (b"H" if self.coercivity == HIGH else b"L")
            case "t":
                return ESC + self._manner.model.encode() + b"S"
            case "v":
                return ESC + self._manner.firmware.encode()
            case "b":
                return ESC + self._select_density(arguments[0])
            case "o":
                return ESC + self._select_bits(arguments)
            case "z":
                self._zeros = arguments
                return ESC + GOOD
            case "l":
                return ESC + self._zeros
            case _ if letter in _LIGHTS:
                return b""
            case _:
                return ESC + (GOOD if letter == _MEMORY_TEST else UNKNOWN)

    def _select_density(self, code: int) -> bytes:
        if code not in _DENSITIES:
            return REFUSED
        track, density = _DENSITIES[code]
        self.density[track] = density
        return GOOD

    def _select_bits(self, bits: bytes) -> bytes:
        if not all(5 <= count <= 8 for count in bits):
            return FORMAT
        self.bits = dict(zip(TRACKS, bits, strict=True))
        return GOOD + bits

    def _select_erasure(self, mask: int) -> None:
        if mask in _MASKS:
            self._wait(lambda swipe: self._record(swipe, dict.fromkeys(_MASKS[mask])))
        else:
            self._send(ESC + REFUSED)

    def _wait(self, command: Callable[[Swipe], bytes]) -> None:
        self._waiting = command
        if self._swipes:
            swipe = self._swipes.popleft()
            with contextlib.suppress(ReaderFault):  # the host has its answer
                self.swipe(swipe.card, bad=swipe.bad, coercivity=swipe.coercivity)

    # -- blocks of data -----------------------------------------------------------------------------------------------

    def _block(self, letter: int) -> bool:
        """A write command with its data block; False while it is not complete."""
        tracks = self._iso_block() if letter == ord("w") else self._raw_block()
        if tracks is None:
            if len(self._buffer) <= _LONGEST:
                return False
            tracks = {}
            self._buffer.clear()
        if tracks:
            self._wait(lambda swipe: self._record(swipe, tracks))
        else:
            self._send(ESC + FORMAT)
        return True

    def _iso_block(self) -> dict[int, RecordedTrack | None] | None:
        """Tracks to write in ISO format; empty for a block of another form, None where its end is missing."""
        end = self._buffer.find(_END)
        if end < 0:
            return None
        block = bytes(self._buffer[2:end])
        del self._buffer[: end + len(_END)]
        if not block.startswith(_START):
            return {}
        texts: dict[int, str] = {}
        rest = block[len(_START) :]
        for track in TRACKS:
            if not rest.startswith(_TRACK[track]):
                return {}
            following = rest.find(ESC, 2)
            following = len(rest) if following < 0 else following
            texts[track], rest = rest[2:following].decode("latin-1"), rest[following:]
        try:
            return {
                track: RecordedTrack(ISO_FORMATS[track].encode(text), self.density[track])
                for track, text in texts.items()
                if text
            }
        except CodecError:
            return {}

    def _raw_block(self) -> dict[int, RecordedTrack | None] | None:
        """Tracks to write as bits: for each its number, its length, and that many bytes."""
        block = bytes(self._buffer[2:])
        if len(block) >= 2 and not block.startswith(_START):
            self._buffer.clear()
            return {}
        tracks: dict[int, RecordedTrack | None] = {}
        place = len(_START)
        for track in TRACKS:
            head = block[place : place + 3]
            if len(head) < 3:
                return None
            if not head.startswith(_TRACK[track]):
                self._buffer.clear()
                return {}
            place += 3 + head[2]
            characters = block[place - head[2] : place]
            if characters:
                bits = "".join(f"{byte:08b}"[::-1][: self.bits[track]] for byte in characters)
                tracks[track] = RecordedTrack(bits, self.density[track])
        if len(block) < place + len(_END):
            return None
        if block[place : place + len(_END)] != _END:
            tracks = {}
        del self._buffer[: 2 + place + len(_END)]
        return tracks

    # -- the card -----------------------------------------------------------------------------------------------------

    def _record(self, swipe: Swipe, tracks: dict[int, RecordedTrack | None]) -> bytes:
        """Write or erase tracks of a card; the device reads back what it wrote."""
        file = StripeFile(swipe.card, swipe.coercivity)
        stripe = file.read()
        if stripe.coercivity == HIGH and self.coercivity == LOW:
            return ESC + UNREADABLE  # the field was too weak: the stripe is as before
        for track, recorded in tracks.items():
            if recorded is not None and swipe.bad:
                recorded = RecordedTrack(recorded.bits[: len(recorded.bits) // 2], recorded.density)
            stripe = stripe.with_track(track, recorded)
        file.write(stripe)
        return ESC + (SWIPE if swipe.bad else GOOD)

    def _read(self, swipe: Swipe) -> bytes:
        stripe = StripeFile(swipe.card, swipe.coercivity).read()
        block, status = _START, GOOD
        for track in TRACKS:
            block += _TRACK[track]
            try:
                text = "" if swipe.bad else stripe.text(track, density=self.density[track])
            except TrackUnreadable:
                status = UNREADABLE
                block += ESC + b"*" if self._manner.marks else b""
                continue
            coding = ISO_FORMATS[track]
            if track in stripe.tracks and not swipe.bad:
                block += f"{coding.start}{text}{coding.end}".encode()
            elif self._manner.marks:
                block += ESC + b"+"
        return block + _END + ESC + (UNREADABLE if swipe.bad else status)

    def _read_raw(self, swipe: Swipe) -> bytes:
        stripe = StripeFile(swipe.card, swipe.coercivity).read()
        block, status = _START, GOOD
        for track in TRACKS:
            characters = b"" if swipe.bad else self._characters(stripe, track)
            if characters is None:
                characters, status = b"", UNREADABLE
            block += _TRACK[track] + bytes((len(characters),)) + characters
        return block + _END + ESC + (UNREADABLE if swipe.bad else status)

    def _characters(self, stripe: Stripe, track: int) -> bytes | None:
        """The bits of a track from its first one on, a byte for each character; None for another density."""
        recorded = stripe.tracks.get(track)
        if recorded is None:
            return b""
        if recorded.density != self.density[track]:
            return None
        count, bits = self.bits[track], recorded.bits.strip("0")
        groups = [bits[place : place + count].ljust(count, "0") for place in range(0, len(bits), count)][:_MOST]
        return bytes(int(group if self._manner.mirrored else group[::-1], 2) for group in groups)
