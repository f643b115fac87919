"""Senders that stack: each has one task on commands and their responses.

The order of :func:`stack` is ``ExtendedLength(FollowUp(Traced(TransportSender(transport))))``. A secure channel
goes on top: its wrapped commands may be split, repeated and followed by GET RESPONSE below it, which does not change
what it has signed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from terminal.apdu import cla
from terminal.apdu.atr import Atr
from terminal.apdu.command import Command, Response
from terminal.apdu.protocols import LinkProtocol, Sender, Transport
from terminal.apdu.status import OK
from terminal.apdu.trace import Trace
from terminal.awake import AwakeClock
from terminal.errors import ApduError, AtrError, CardMalformed, CardRefused, CardTooSlow, ResponseLost

_WRONG_LENGTH = 0x6700
_MAX_RESPONSE = 65536
"""The largest Ne of an extended command: no response is longer."""
_MAX_ROUNDS = 1024
FOLLOW_UP_SECONDS: Final = 8.0
"""The longest that a card may take over the rest of one response; the slowest link (9600 baud) carries 7 KB in it."""


def check(response: Response, operation: str, allow: Collection[int] = ()) -> bytes:
    """The data of a response that succeeded.

    ``operation`` is what the command was for ("reading the member record (SFI 1, record 2)"); ``allow`` names status
    words other than 9000 that count as success here. Raises CardRefused.
    """
    if response.sw.ok or response.sw in allow:
        return response.data
    raise CardRefused(operation, response.sw)


class TransportSender:
    """The lowest sender: encodes commands and decodes responses, over one transport.

    At T=0 a command is mapped to its TPDU: no Le beside data, P3 = 00 where there is neither, and P3 = 00 for an Le
    beyond 256. ISO/IEC 7816-3:2006, 12.2. Raises CardMalformed for an answer without a status word, ApduError
    for data that T=0 cannot carry in one command, and what the transport raises.
    """

    def __init__(self, transport: Transport) -> None:
        self._exchange = transport.exchange
        self._t0 = transport.protocol is LinkProtocol.T0

    def send(self, command: Command) -> Response:
        raw = self._exchange(_tpdu(command) if self._t0 else command.encode())
        try:
            return Response.decode(raw)
        except ApduError as error:
            raise CardMalformed(f"sending {command}: {error}") from error


def _tpdu(command: Command) -> bytes:
    if len(command.data) > 255:
        raise ApduError(f"T=0 carries 255 data bytes in one command, not {len(command.data)}")
    if command.data:
        return command.header + bytes((len(command.data),)) + command.data
    return command.header + bytes(((command.ne or 0) & 0xFF if (command.ne or 0) <= 256 else 0,))


class FollowUp:
    """Fetches pending response data (61xx, GET RESPONSE) and repeats a command with the Le that the card names (6Cxx).

    The response carries all data and the last status word. 61xx says that the command was executed: what GET RESPONSE
    is refused with afterwards is no status of the command. A command that expects no data (no Le) has then succeeded;
    for any other ResponseLost is raised. A command is repeated once; fetching stops with
    CardMalformed when a round returns no data or the total exceeds 65,536 bytes, and with CardTooSlow after ``limit``
    seconds, so that no card can keep the terminal busy without end. ``clock`` returns seconds; by default a
    pause of the machine does not count. With ``after_warning``
    the data of a case 4 command that ended in 62xx or 63xx at T=0 are fetched too; the response keeps the warning.

    ISO/IEC 7816-4:2020, 5.3.4 and 5.6; ISO/IEC 7816-3:2006, 12.2; EMV 4.4 Book 1, 9.3.1.1 and 9.3.1.2.
    """

    def __init__(
        self,
        inner: Sender,
        *,
        after_warning: bool = False,
        limit: float = FOLLOW_UP_SECONDS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._inner = inner
        self._after_warning = after_warning
        self._limit = limit
        self._clock = clock or AwakeClock(limit / 2)
        self._until = 0.0

    def send(self, command: Command) -> Response:
        response = self._inner.send(command)
        if response.sw == OK:
            return response
        self._until = self._clock() + self._limit
        response = self._right_length(command, response)
        if response.sw.more is not None:
            return self._gather(command, response)
        if self._after_warning and response.sw.warning and not response.data and command.case == 4:
            fetched = self._get_response(command, 256)
            if fetched.sw.more is not None:
                fetched = self._gather(command, fetched)
            return Response(fetched.data, response.sw) if _given(fetched) else response
        return response

    def _right_length(self, command: Command, response: Response) -> Response:
        wanted = response.sw.right_length
        return response if wanted is None else self._inner.send(replace(command, ne=wanted))

    def _get_response(self, command: Command, ne: int) -> Response:
        fetch = Command(cla.follow_up(command.cla), 0xC0, ne=ne)
        return self._right_length(fetch, self._inner.send(fetch))

    def _gather(self, command: Command, response: Response) -> Response:
        """The whole response of a command that was answered 61xx."""
        data = bytearray(response.data)
        for _ in range(_MAX_ROUNDS):
            if response.sw.more is None:
                return Response(bytes(data), response.sw) if _given(response) else _lost(command, response, len(data))
            if self._clock() > self._until:
                raise CardTooSlow(
                    f"sending {command}: the card is too slow, or defective: "
                    f"after {self._limit:g} s its response is not complete ({len(data)} bytes so far)"
                )
            response = self._get_response(command, response.sw.more)
            data += response.data
            if len(data) > _MAX_RESPONSE or (not response.data and response.sw.more is not None):
                break
        raise CardMalformed(f"sending {command}: the card announces more data without end ({len(data)} bytes so far)")


def _given(fetched: Response) -> bool:
    """Whether GET RESPONSE was executed: a warning describes the data that come with it."""
    return fetched.sw.ok or (fetched.sw.warning and bool(fetched.data))


def _lost(command: Command, refusal: Response, count: int) -> Response:
    if command.ne is None:
        return Response(b"", OK)
    raise ResponseLost(
        f"sending {command}: the card executed the command, but its response is lost after {count} bytes: "
        f"GET RESPONSE was answered {refusal.sw}"
    )


class Chained:
    """Splits data longer than ``max_data`` bytes over a chain of commands; all but the last have the chaining bit.

    The chain ends early with the response of a command that the card refuses. ISO/IEC 7816-4:2020, 5.3.3.
    """

    def __init__(self, inner: Sender, max_data: int = 255) -> None:
        if not 1 <= max_data <= 65535:
            raise ValueError(f"{max_data} data bytes per command; 1 to 65535 are possible")
        self._inner = inner
        self._max = max_data

    def send(self, command: Command) -> Response:
        data, size = command.data, self._max
        if len(data) <= size:
            return self._inner.send(command)
        last = (len(data) - 1) // size * size
        for at in range(0, last, size):
            part = replace(command, cla=command.cla | cla.CHAINING, data=data[at : at + size], ne=None)
            response = self._inner.send(part)
            if not response.sw.ok:
                return response
        return self._inner.send(replace(command, data=data[last:]))


class ExtendedLength:
    """Sends extended commands where link and card support them, else chained ones with a short Le.

    ``possible``: True or False where it is known (reader, ATR), None to try: a card that answers 6700 to its first
    extended command has not executed it and receives short commands from then on. ISO/IEC 7816-4:2020, 5.2 and 12.1.1.
    """

    def __init__(self, inner: Sender, possible: bool | None = None) -> None:
        self._inner = inner
        self._chained = Chained(inner)
        self.possible = possible

    def send(self, command: Command) -> Response:
        if len(command.data) <= 255 and (command.ne or 0) <= 256:
            return self._inner.send(command)
        if self.possible is not False:
            response = self._inner.send(command)
            if self.possible or response.sw != _WRONG_LENGTH:
                # Only success proves support: a card may answer 6D00 or 6982 before it checks the length.
                self.possible = self.possible or response.sw.ok or None
                return response
            self.possible = False
        short = command if command.ne is None else replace(command, ne=min(command.ne, 256))
        return self._chained.send(short)


class OnChannel:
    """Moves every command to one logical channel, 0 to 19, with its chaining and secure messaging bits.

    Raises ApduError for a command that already names another channel.
    """

    def __init__(self, inner: Sender, channel: int) -> None:
        cla.on_channel(0, channel)
        self._inner = inner
        self.channel = channel

    def send(self, command: Command) -> Response:
        named = cla.channel_of(command.cla)
        if named == self.channel:
            return self._inner.send(command)
        if named:
            raise ApduError(f"a command for logical channel {named} sent on channel {self.channel}")
        return self._inner.send(replace(command, cla=cla.on_channel(command.cla, self.channel)))


def open_channel(sender: Sender) -> int:
    """Open the next free logical channel and return its number. MANAGE CHANNEL, ISO/IEC 7816-4:2020, 11.1.2.

    ``sender`` works on the basic channel. Raises CardRefused (6A81: no channel is free), CardMalformed.
    """
    data = check(sender.send(Command(0x00, 0x70, ne=1)), "opening a logical channel")
    if len(data) != 1 or not 1 <= data[0] <= cla.LAST_CHANNEL:
        raise CardMalformed("opening a logical channel: the card names no channel from 1 to 19")
    return data[0]


def close_channel(sender: Sender, channel: int) -> None:
    """Close a logical channel, 1 to 19, from the basic channel. Raises CardRefused."""
    check(sender.send(Command(0x00, 0x70, 0x80, channel)), f"closing logical channel {channel}")


@contextmanager
def logical_channel(sender: Sender) -> Iterator[OnChannel]:
    """A logical channel that is closed at the end, unless the body raised: the card may be gone then."""
    number = open_channel(sender)
    yield OnChannel(sender, number)
    close_channel(sender, number)


class Traced:
    """Records every command, its response and the time between in a trace; a fault is recorded and raised again.

    ``clock`` returns seconds. The trace redacts by default: see :class:`terminal.apdu.trace.Trace`.
    """

    def __init__(self, inner: Sender, trace: Trace, clock: Callable[[], float] = time.perf_counter) -> None:
        self._inner = inner
        self._trace = trace
        self._clock = clock

    def send(self, command: Command) -> Response:
        start = self._clock()
        try:
            response = self._inner.send(command)
        except Exception as fault:
            self._trace.add(command, None, self._clock() - start, type(fault).__name__)
            raise
        self._trace.add(command, response, self._clock() - start)
        return response


def stack(transport: Transport, trace: Trace | None = None) -> Sender:
    """The usual senders over ``transport``: GET RESPONSE and Le, extended length or chaining, and a trace if given."""
    lowest: Sender = TransportSender(transport)
    if trace is not None:
        lowest = Traced(lowest, trace)
    t0 = transport.protocol is LinkProtocol.T0
    return ExtendedLength(FollowUp(lowest, after_warning=t0), possible=_extended(transport, t0))


def _extended(transport: Transport, t0: bool) -> bool | None:
    # T=0 has no extended TPDU: long data would need ENVELOPE, which fewer cards support than chaining.
    if t0 or not transport.extended_length:
        return False
    try:
        indicated = Atr.parse(transport.atr).history.extended_length
    except AtrError:
        return None
    # A card that indicates support is tried all the same: after 6700 short commands are used.
    return False if indicated is False else None
