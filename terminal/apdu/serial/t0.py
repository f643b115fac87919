"""T=0, the half-duplex transmission of characters. ISO/IEC 7816-3:2006, 10 and 12.2; EMV 4.4 Book 1, 9.2.2.

A character with wrong parity, one that is lost and one that the line adds end in a fault. Three cases T=0 as such
cannot tell. Where the line doubles a character of the response, a data byte 60 that is pushed to the place of a
procedure byte is taken for a NULL, and the data have the doubled character in its stead. Where it loses one, and the
card sends a NULL between data and status, the NULL is taken for the last data byte. And a line without echo does not
show that a character was lost or doubled on its way to the card, if the card executes what it received.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from terminal.apdu.serial.characters import SLACK, Characters, lost
from terminal.apdu.serial.parameters import LinkParameters
from terminal.errors import CardGone, CardTooSlow, TransportError

_NULL: Final = 0x60
_STATUS: Final = (0x60, 0x90)
"""Upper halves of a first status byte."""
_LONGEST_SURPLUS = 2
"""Characters for whose time a suspicious end of an answer is listened after."""


class Tpdu(NamedTuple):
    """A command of T=0: header with P3, data to send, number of data bytes expected. 12.2."""

    header: bytes
    body: bytes
    expected: int


def tpdu(apdu: bytes) -> Tpdu:
    """From a short command APDU; the Le of case 4 goes, since its data are fetched with GET RESPONSE. 12.2.2 to 12.2.5.

    Raises TransportError for what T=0 cannot carry: extended lengths, and an INS that is a status byte.
    """
    if len(apdu) < 4 or (len(apdu) > 5 and len(apdu) - 5 - apdu[4] not in (0, 1)) or (len(apdu) > 5 and not apdu[4]):
        raise TransportError("T=0 carries short commands only: a header, Lc, up to 255 data bytes and Le")
    if apdu[1] & 0xF0 in _STATUS:
        raise TransportError(f"T=0 carries no command with INS {apdu[1]:02X}: it would be a status byte")
    if len(apdu) <= 5:
        p3 = apdu[4] if len(apdu) == 5 else 0
        return Tpdu(apdu[:4] + bytes((p3,)), b"", p3 or 256)
    return Tpdu(apdu[:5], apdu[5 : 5 + apdu[4]], 0)


class CharacterLink:
    """Exchanges APDUs with a card at T=0.

    Raises LineFault, CardGone for a card that answers nothing, CardTooSlow when one exchange takes more than
    ``deadline`` seconds; the link is out of step then.
    """

    def __init__(self, characters: Characters, parameters: LinkParameters, deadline: float) -> None:
        self._characters = characters
        self._wait = parameters.work_waiting_time + SLACK
        self._deadline = deadline
        self._until = 0.0

    def exchange(self, apdu: bytes) -> bytes:
        """One command APDU to data || SW1 SW2."""
        command, characters = tpdu(apdu), self._characters
        if characters.surplus():
            raise lost("sending a command at T=0", "characters came that belong to no answer")
        self._until = characters.line.now() + self._deadline
        self._send(command.header)
        data, sent = bytearray(), 0
        ins = command.header[1]
        while True:
            procedure = self._take(1, first=not (data or sent))[0]
            if procedure == _NULL:
                self._check_deadline()
                continue
            if procedure & 0xF0 in _STATUS:
                status = bytes((procedure, self._take(1)[0]))
                missing = command.expected - len(data) or len(command.body) - sent
                self._check_end(status, missing=missing > 0, begun=bool(data))
                return bytes(data) + status
            if procedure not in (ins, ins ^ 0xFF):
                raise lost("reading a procedure byte", f"the card sent {procedure:02X} to INS {ins:02X}")
            rest = (len(command.body) - sent) or (command.expected - len(data))
            if not rest:
                raise lost("reading a procedure byte", "the card asks for more than the command has")
            count = rest if procedure == ins else 1
            if command.body:
                characters.turn()
                self._send(command.body[sent : sent + count])
                sent += count
            else:
                data += self._take(count)

    def _send(self, data: bytes) -> None:
        if not self._characters.send(data):
            raise lost("sending at T=0", "the line returned other characters than were sent")

    def _take(self, count: int, *, first: bool = False) -> bytes:
        characters = self._characters
        left = self._until - characters.line.now()
        taken = characters.take(count, min(self._wait, max(left, 0)))
        if characters.marked:
            raise lost("reading at T=0", "a character has wrong parity")
        if len(taken) == count:
            return taken
        self._check_deadline()
        if first and not taken:
            raise CardGone("exchanging at T=0: the card was taken out or stopped answering")
        raise lost("reading at T=0", f"{count - len(taken)} characters of the answer are missing")

    def _check_deadline(self) -> None:
        if self._characters.line.now() >= self._until:
            raise CardTooSlow(f"exchanging at T=0: no whole answer within {self._deadline:g} s")

    def _check_end(self, status: bytes, *, missing: bool, begun: bool) -> None:
        """Refuse an end that a lost or added character may have made.

        A character too many shifts SW1 into the place of SW2. A data byte may be taken for a status byte where a
        procedure byte was lost: then more is to come. Neither is in doubt for any other end.
        """
        if missing and begun:
            raise lost("reading at T=0", "the answer ends before its data are complete")
        if (missing or status[1] & 0xF0 in _STATUS) and self._characters.surplus(_LONGEST_SURPLUS):
            raise lost("reading at T=0", "characters follow the end of the answer")
