"""ISO 7816-4: commands, status words, senders, channels, traces; the transports and their plug point."""

from terminal.apdu.command import Command, Response
from terminal.apdu.seams import Disposition, LinkProtocol, Reader, Sender, Transport
from terminal.apdu.status import OK, StatusWord

__all__ = ["OK", "Command", "Disposition", "LinkProtocol", "Reader", "Response", "Sender", "StatusWord", "Transport"]
