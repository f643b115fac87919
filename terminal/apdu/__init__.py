"""ISO 7816-4: commands, status words, senders, channels, traces; the transports and their plug point."""

from terminal.apdu.command import Command, Response
from terminal.apdu.readers import open_reader
from terminal.apdu.seams import Disposition, LinkProtocol, Reader, Sender, Transport
from terminal.apdu.senders import (
    Chained,
    ExtendedLength,
    FollowUp,
    Link,
    OnChannel,
    Traced,
    check,
    close_channel,
    logical_channel,
    open_channel,
    stack,
)
from terminal.apdu.status import OK, StatusWord
from terminal.apdu.trace import Trace, TraceEntry
from terminal.apdu.transcript import Transcript

__all__ = [
    "OK",
    "Chained",
    "Command",
    "Disposition",
    "ExtendedLength",
    "FollowUp",
    "Link",
    "LinkProtocol",
    "OnChannel",
    "Reader",
    "Response",
    "Sender",
    "StatusWord",
    "Trace",
    "TraceEntry",
    "Traced",
    "Transcript",
    "Transport",
    "check",
    "close_channel",
    "logical_channel",
    "open_channel",
    "open_reader",
    "stack",
]
