"""Applications of plain records: selected and read by anyone, with no keys, no PIN and no counters."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from simulators.applets.personalized import PersonalizedApplet, record_number, record_of, well_formed
from simulators.card.applet import Refuse
from terminal.apdu import OK, Command, Response
from terminal.tlv import Tlvs

FCI: Final = 0x9102
_PROPRIETARY: Final = 0xA5
_LAST_SFI: Final = 10
"""Files that EMV leaves to the application. EMV 4.4 Book 1, 10.1.2."""
_READ_RECORD: Final = 0xB2


class RecordApplet(PersonalizedApplet):
    """An application that answers SELECT and READ RECORD. EMV 4.4 Book 1, 11.3; Book 3, 6.5.11.

    Groupings: 9102 the complete A5 template, and the records, DGI 0101 for SFI 1, record 1, and so on to SFI 10.
    """

    def select(self, p2: int) -> bytes:
        self._refuse_unless_personalized()
        return self.template(p2, self.need(FCI))

    def process(self, command: Command) -> Response:
        self._refuse_unless_personalized()
        if command.cla:
            raise Refuse(0x6E00)
        if command.ins != _READ_RECORD:
            raise Refuse(0x6D00)
        sfi, number = record_number(command)
        if sfi not in self.files():
            raise Refuse(0x6A82)
        record = self.stored(sfi << 8 | number)
        if record is None:
            raise Refuse(0x6A83)
        return Response(record, OK)

    def accept(self, number: int, value: bytes) -> bytes:
        if number == FCI:
            self.check_fci(well_formed(value, _PROPRIETARY))
        elif 1 <= number >> 8 <= _LAST_SFI and number & 0xFF:
            self.check_record(record_of(value))
        else:
            raise Refuse(0x6A88)
        return value

    def complete(self) -> None:
        self.need(FCI)
        if not self.records():
            raise Refuse(0x6985)

    def files(self) -> Collection[int]:
        """The SFIs that READ RECORD may name."""
        return {number >> 8 for number in self.records()}

    def records(self) -> list[int]:
        """The groupings that are records: SFI in the first byte, record number in the second."""
        return [int(name, 16) for name in self.host.memory if int(name, 16) != FCI]

    def proprietary(self) -> Tlvs:
        """The objects of the A5 template."""
        return well_formed(self.need(FCI), _PROPRIETARY)

    def check_fci(self, proprietary: Tlvs) -> None:
        """Whether the A5 template suits this application. Raises Refuse with 6A80."""

    def check_record(self, objects: Tlvs) -> None:
        """Whether the objects of a 70 template suit this application. Raises Refuse with 6A80."""
