"""MSR605 and MSR606: stripe encoders at a serial port, through which a person swipes each card.

Commands are ESC and a letter, answers ESC and a status; tracks are ``ESC s ESC 01 … ESC 02 … ESC 03 … ? FS``.
MSR605 Programmer's Manual, revision B. Not tried on hardware.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from personalize.errors import StripeError
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.links import ByteLink, open_serial_link
from personalize.machines.protocols import SWIPE_AGAIN, SWIPE_TO_READ, SWIPE_TO_WRITE, StripeTracks
from personalize.stripe.characters import TRACK_CODES
from terminal.apdu.url_options import UrlOption, number, options_url, parse_options
from terminal.errors import ReaderNotFound

_T = TypeVar("_T")

SCHEME: Final = "msr605"
RATE: Final = 9600.0

_ESC, _END = b"\x1b", b"?\x1c"
_RESET, _TEST, _READ, _WRITE, _COERCIVITY = b"a", b"e", b"r", b"w", b"d"
_GOOD, _FAILED, _BAD_SWIPE = b"0", b"1", b"9"
_REPLY_SECONDS = 2.0
"""Until an answer that waits for no person is complete, and between the bytes of one."""
_TEST_TIMES = 3
_LONGEST = 400
"""Bytes: three full tracks with their marks have 240."""
_BLANK, _UNREADABLE = b"\x1b+", b"\x1b*"
_STATUS_TEXTS: Final = {
    _FAILED: "the encoder reports a read or write error",
    b"2": "the encoder does not take the form of the command",
    b"4": "the encoder does not know the command",
    _BAD_SWIPE: "the card was not swiped evenly",
    b"A": "the encoder does not take the setting",
}
_TRACKS = re.compile(rb"\x1bs\x1b\x01(.*?)\x1b\x02(.*?)\x1b\x03(.*?)\?\x1c\x1b(.)", re.DOTALL)


class Coercivity(StrEnum):
    """The magnetic strength of the cards' stripe: HIGH 2,750 to 4,000 Oe, LOW 300 Oe."""

    HIGH = "high"
    LOW = "low"


_SET = {Coercivity.HIGH: b"x", Coercivity.LOW: b"y"}
_SHOWN = {b"h": Coercivity.HIGH, b"l": Coercivity.LOW, b"H": Coercivity.HIGH, b"L": Coercivity.LOW}
"""Sources differ in the case of the letters."""


@dataclass(frozen=True, slots=True)
class Msr605Options:
    """``swipe``: seconds that a person has for one swipe; ``tries``: swipes for one writing or reading."""

    coercivity: Coercivity = Coercivity.HIGH
    swipe: float = 60.0
    tries: int = 3


def _tries(value: str) -> int:
    if value not in map(str, range(1, 11)):
        raise ValueError(value)
    return int(value)


_OPTIONS: Final[dict[str, UrlOption]] = {
    "coercivity": (Coercivity, ", ".join(Coercivity)),
    "swipe": (number(1, 3600), "1 ... 3600 s"),
    "tries": (_tries, "1 ... 10"),
}


def parse_rest(rest: str) -> tuple[str, Msr605Options]:
    """Port and options of ``/dev/ttyUSB1?coercivity=high``. Raises ReaderNotFound."""
    device, values = parse_options(SCHEME, rest, _OPTIONS)
    if not device or "\0" in device:
        raise ReaderNotFound(f"{SCHEME}:{rest} names no port; give one, as in {SCHEME}:/dev/ttyUSB1")
    return device, Msr605Options(**values)


def open_msr605(rest: str, prompt: Callable[[str], None] = lambda sentence: None) -> Msr605:
    """The encoder of an ``msr605:`` URL, without its scheme. Raises ReaderNotFound, ReaderBusy, ReaderFault,
    MachineFault."""
    device, options = parse_rest(rest)
    link = open_serial_link(device, RATE)
    try:
        return Msr605(link, options_url(SCHEME, device, options), options, prompt)
    except BaseException:
        link.close()
        raise


class Msr605:
    """One encoder at an open link: a StripeEncoder. ``prompt`` gets an English sentence whenever a person is to swipe.

    Used by one thread; ``close`` may come from any other. Raises MachineFault, ReaderFault.
    """

    def __init__(
        self,
        link: ByteLink,
        name: str,
        options: Msr605Options | None = None,
        prompt: Callable[[str], None] = lambda sentence: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self._clock = name, clock
        self._link, self._options, self._prompt = link, options or Msr605Options(), prompt
        self._connect()

    def write_stripe(self, tracks: StripeTracks) -> None:
        """Write the tracks that are not empty; others get no data. Raises MachineFault: STRIPE_WRITE after ``tries``
        swipes, or for a text that a track cannot hold; NO_ANSWER where nobody swipes, and the order is withdrawn."""
        texts = tracks.track1, tracks.track2, tracks.track3
        if not tracks:
            return
        for at, (code, text) in enumerate(zip(TRACK_CODES, texts, strict=True), 1):
            try:
                code.check(text)
            except StripeError as fault:
                raise self._fault(MachineFaultCode.STRIPE_WRITE, f"track {at}: {fault}") from None
        self._set_coercivity()
        marked = b"".join(_ESC + bytes((at,)) + text.encode("ascii") for at, text in enumerate(texts, 1))
        command = _WRITE + _ESC + b"s" + marked + _END
        for again in range(self._options.tries):
            status = self._swiped(command, SWIPE_AGAIN if again else SWIPE_TO_WRITE, _status)
            if status == _GOOD:
                return
            self._refuse_other(status)
        raise self._fault(MachineFaultCode.STRIPE_WRITE, _STATUS_TEXTS[status])

    def read_stripe(self) -> StripeTracks:
        """The three tracks; a blank one is empty. Raises MachineFault: STRIPE_READ after ``tries`` swipes, NO_ANSWER
        where nobody swipes."""
        for again in range(self._options.tries):
            status, parts = self._swiped(_READ, SWIPE_AGAIN if again else SWIPE_TO_READ, _stripe)
            if status != _GOOD:
                self._refuse_other(status)
            if (texts := _texts(parts, status)) is not None:
                return StripeTracks(*texts)
        raise self._fault(MachineFaultCode.STRIPE_READ, _STATUS_TEXTS.get(status, _STATUS_TEXTS[_FAILED]))

    @property
    def open(self) -> bool:
        """Whether its link was not lost, and it was not closed."""
        return self._link.open

    def close(self) -> None:
        self._link.close()

    def _connect(self) -> None:
        """Withdraw what was ordered before, and look whether an encoder is there."""
        for _ in range(_TEST_TIMES):
            self._withdraw()
            self._send(_TEST)
            try:
                if self._answer(_status, _REPLY_SECONDS) == b"y":
                    return
            except MachineFault as fault:
                if fault.code not in (MachineFaultCode.NO_ANSWER, MachineFaultCode.LINK):
                    raise
        raise self._fault(MachineFaultCode.NO_ANSWER, "there is no MSR605 at this port, or it is off")

    def _set_coercivity(self) -> None:
        wanted = self._options.coercivity
        if self._coercivity() is wanted:
            return
        self._send(_SET[wanted])
        status = self._answer(_status, _REPLY_SECONDS)
        if status != _GOOD or self._coercivity() is not wanted:
            raise self._fault(MachineFaultCode.COMMAND, f"the encoder does not switch to {wanted} coercivity")

    def _coercivity(self) -> Coercivity | None:
        self._send(_COERCIVITY)
        return _SHOWN.get(self._answer(_status, _REPLY_SECONDS))

    def _swiped(self, command: bytes, sentence: str, complete: Callable[[bytes], _T | None]) -> _T:
        """The answer to a command that waits for a swipe. After a fault the order is withdrawn, so that the next card
        that somebody swipes is not written."""
        self._send(command)
        self._prompt(sentence)
        try:
            return self._answer(complete, self._options.swipe)
        except MachineFault as fault:
            self._withdraw()
            if fault.code is MachineFaultCode.NO_ANSWER:
                text = f"no card was swiped within {self._options.swipe:g} seconds"
                raise self._fault(MachineFaultCode.NO_ANSWER, text) from None
            raise

    def _send(self, command: bytes) -> None:
        self._link.discard()
        self._link.write(_ESC + command)

    def _withdraw(self) -> None:
        """Reset, which the encoder does not answer. What stands before it ends data whose end was lost on the way."""
        self._link.discard()
        self._link.write(_END + _ESC + _RESET)

    def _answer(self, complete: Callable[[bytes], _T | None], seconds: float) -> _T:
        """The answer, as soon as ``complete`` takes what arrived. Raises MachineFault: NO_ANSWER where nothing came
        within ``seconds``, LINK where it came in part or too long."""
        received = b""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            if data := self._link.read(left):
                received += data
                if (answer := complete(received)) is not None:
                    return answer
                if len(received) > _LONGEST:
                    break
                end = self._clock() + _REPLY_SECONDS
        if received:
            raise self._fault(MachineFaultCode.LINK, "the encoder's answer is damaged")
        raise self._fault(MachineFaultCode.NO_ANSWER, "the encoder does not answer")

    def _refuse_other(self, status: bytes) -> None:
        """Raises MachineFault for a status that another swipe does not mend."""
        if status in (_FAILED, _BAD_SWIPE):
            return
        if status in _STATUS_TEXTS:
            raise self._fault(MachineFaultCode.COMMAND, _STATUS_TEXTS[status])
        raise self._fault(MachineFaultCode.LINK, f"the encoder answers with an unknown status {status.hex().upper()}")

    def _fault(self, code: MachineFaultCode, detail: str) -> MachineFault:
        return MachineFault(self.name, code, detail)


def _status(received: bytes) -> bytes | None:
    """The byte after ESC; None before it came."""
    _, escape, rest = received.partition(_ESC)
    return rest[:1] if escape and rest else None


def _stripe(received: bytes) -> tuple[bytes, tuple[bytes, ...]] | None:
    """Status and tracks of an answer to reading, or a status alone; None before it is complete."""
    if match := _TRACKS.search(received):
        return match[4], match.groups()[:3]
    status = _status(received)
    return (status, ()) if status is not None and status in _STATUS_TEXTS else None


def _texts(parts: tuple[bytes, ...], status: bytes) -> tuple[str, str, str] | None:
    """The texts of three tracks; None where one is not readable. Encoders report a failure where they mark a track as
    blank, too; one that is empty without a mark counts as not readable then."""
    texts = []
    for part, code in zip(parts, TRACK_CODES, strict=False):
        text = part.decode("ascii", "replace").removeprefix(code.start)
        text = text.removesuffix(code.end)
        if part == _BLANK or (not text and status == _GOOD):
            texts.append("")
        elif not text or not set(text) <= code.letters or len(text) > code.longest:
            return None
        else:
            texts.append(text)
    return (texts[0], texts[1], texts[2]) if len(texts) == len(TRACK_CODES) else None
