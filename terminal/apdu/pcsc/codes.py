"""PC/SC result codes as exceptions, each with a sentence that says what to do. PC/SC Part 5; pcsclite.h."""

from __future__ import annotations

from terminal.errors import (
    CardGone,
    DeadlineExceeded,
    NoCard,
    ReaderBusy,
    ReaderFault,
    ReaderNotFound,
    TransportError,
)

SUCCESS = 0
TIMEOUT = 0x8010000A
UNKNOWN_READER = 0x80100009
NO_READERS = 0x8010002E
CANCELLED = 0x80100002
COMM_ERROR = 0x80100013
NOT_TRANSACTED = 0x80100016
READER_UNAVAILABLE = 0x80100017

START_SERVICE = "start it (systemctl start pcscd.socket, or run pcscd), or install it (apt-get install pcscd)"

# After these the context is void: the next call needs a new one.
SERVICE_LOST = frozenset(
    {0x80100001, 0x80100003, 0x80100012, 0x80100013, 0x80100014, 0x8010001D, 0x8010001E, 0x80100018}
)

_MEANING: dict[int, tuple[type[TransportError], str]] = {
    0x80100001: (ReaderFault, "the PC/SC service failed inside; try again"),
    CANCELLED: (ReaderFault, "the wait was cancelled"),
    0x80100003: (ReaderFault, "the PC/SC service has forgotten this connection (it was restarted); try again"),
    0x80100004: (ReaderFault, "the PC/SC service refused a parameter"),
    0x80100006: (ReaderFault, "the PC/SC service has no memory left"),
    0x80100008: (ReaderFault, "the reader cannot carry an answer or command of this length"),
    UNKNOWN_READER: (ReaderFault, "the reader is not there any more; plug it in again"),
    TIMEOUT: (DeadlineExceeded, "no answer in time"),
    0x8010000B: (ReaderBusy, "another program holds the reader; close it and try again"),
    0x8010000C: (NoCard, "no card in the reader"),
    0x8010000D: (NoCard, "the reader does not know this card"),
    0x8010000F: (NoCard, "the card offers no transmission protocol that a smart card has; turn or clean it"),
    0x80100010: (ReaderFault, "the reader is not ready; try again"),
    0x80100012: (ReaderFault, "the system is shutting the PC/SC service down"),
    COMM_ERROR: (ReaderFault, "the connection to the PC/SC service or to the card broke; try again"),
    0x80100014: (ReaderFault, "the PC/SC service failed inside; try again"),
    0x80100015: (NoCard, "the card's answer to reset is not valid; turn or clean the card"),
    NOT_TRANSACTED: (ReaderFault, "the exchange was broken off; try again"),
    READER_UNAVAILABLE: (ReaderFault, "the reader was unplugged; plug it in again"),
    0x80100018: (ReaderFault, "the PC/SC service is shutting down"),
    0x80100019: (ReaderFault, "the reader's driver is too old"),
    0x8010001A: (ReaderFault, "the reader's driver has a name that is already taken"),
    0x8010001C: (NoCard, "the reader does not support this card"),
    0x8010001D: (ReaderFault, f"the PC/SC service is not running; {START_SERVICE}"),
    0x8010001E: (ReaderFault, "the PC/SC service was stopped; start it again"),
    0x8010001F: (ReaderFault, "the reader does not support this operation"),
    0x80100027: (ReaderBusy, "access denied: the system's policy lets other users at this reader only"),
    NO_READERS: (ReaderNotFound, "no reader is plugged in"),
    0x80100031: (ReaderFault, "the PC/SC service is too busy; try again"),
    0x80100065: (NoCard, "the reader does not support this card"),
    0x80100066: (NoCard, "the card does not answer to reset; turn it or clean its contacts"),
    0x80100067: (CardGone, "the card lost power"),
    0x80100068: (CardGone, "another program reset the card"),
    0x80100069: (CardGone, "the card was taken out"),
    0x8010006A: (ReaderBusy, "access denied by the system's policy"),
}


def fault(code: int, operation: str) -> TransportError:
    """The exception for a PC/SC result code; ``operation`` is what failed ("connecting to the card in X")."""
    kind, sentence = _MEANING.get(code, (ReaderFault, "the PC/SC service answered an unknown code"))
    return kind(f"{operation}: {sentence} (PC/SC {code:08X})")
