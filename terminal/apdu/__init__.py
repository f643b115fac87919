"""ISO 7816-4: commands, status words, senders, logical channels, traces; transports and their reader URLs."""

from terminal.apdu.atr import Atr
from terminal.apdu.command import Command, Response
from terminal.apdu.pcsc.events import EventKind, ReaderEvent, ReaderInfo
from terminal.apdu.protocols import (
    CardSlot,
    Disposition,
    InsertedCard,
    LinkProtocol,
    Reader,
    Sender,
    Transport,
    WatchableReader,
)
from terminal.apdu.readers import list_readers, open_reader, watch_readers
from terminal.apdu.senders import (
    Chained,
    ExtendedLength,
    FollowUp,
    OnChannel,
    Traced,
    TransportSender,
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
    "Atr",
    "CardSlot",
    "Chained",
    "Command",
    "Disposition",
    "EventKind",
    "ExtendedLength",
    "FollowUp",
    "InsertedCard",
    "LinkProtocol",
    "OnChannel",
    "Reader",
    "ReaderEvent",
    "ReaderInfo",
    "Response",
    "Sender",
    "StatusWord",
    "Trace",
    "TraceEntry",
    "Traced",
    "Transcript",
    "Transport",
    "TransportSender",
    "WatchableReader",
    "check",
    "close_channel",
    "list_readers",
    "logical_channel",
    "open_channel",
    "open_reader",
    "stack",
    "watch_readers",
]
