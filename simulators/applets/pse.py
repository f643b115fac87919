"""The directories of a payment card: PSE (contact), PPSE (contactless). EMV 4.4 Book 1, 12.2; Contactless B, 3.3."""

from __future__ import annotations

from typing import Final

from simulators.applets.personalized import PersonalizedApplet, record_of, well_formed
from simulators.card.applet import Refuse
from terminal.apdu import OK, Command, Response
from terminal.tlv import Tlvs, tlv

PSE: Final = b"1PAY.SYS.DDF01"
PPSE: Final = b"2PAY.SYS.DDF01"

FCI: Final = 0x9102
_PROPRIETARY: Final = 0xA5
_SFI: Final = 0x88
_DISCRETIONARY: Final = 0xBF0C
_ENTRY: Final = 0x61
_ADF_NAME: Final = 0x4F


class DirectoryApplet(PersonalizedApplet):
    """Both directories: the FCI of a PSE names the file (88) that lists the applications, one or more entries (61) a
    record; the FCI of a PPSE holds the entries itself (BF0C).

    Groupings: 9102 the complete A5 template, and for a PSE its records, DGI 0101 for SFI 1, record 1, and so on.
    """

    def select(self, p2: int) -> bytes:
        if p2 & ~0x02:
            raise Refuse(0x6A86)
        self._refuse_unless_personalized()
        name = tlv(0x84, self.aid).encode()
        return tlv(0x6F, name + self.need(FCI)).encode()

    def process(self, command: Command) -> Response:
        self._refuse_unless_personalized()
        if command.cla:
            raise Refuse(0x6E00)
        if command.ins != 0xB2:
            raise Refuse(0x6D00)
        if command.data:
            raise Refuse(0x6700)
        if command.p2 & 0x07 != 0x04 or not command.p1:
            raise Refuse(0x6A86)
        sfi = command.p2 >> 3
        if sfi != self._directory_file():
            raise Refuse(0x6A82)
        record = self.stored(sfi << 8 | command.p1)
        if record is None:
            raise Refuse(0x6A83)
        return Response(record, OK)

    def accept(self, number: int, value: bytes) -> bytes:
        if number == FCI:
            proprietary = well_formed(value, _PROPRIETARY)
            file, entries = proprietary.find(_SFI), proprietary.find(_DISCRETIONARY)
            if file is not None:  # a PSE: its BF0C, if any, is the issuer's own
                if len(file.value) != 1 or not 1 <= file.value[0] <= 10:
                    raise Refuse(0x6A80)
            elif entries is not None:
                self._check_entries(entries.children, alone=False)
            else:
                raise Refuse(0x6A80)
        elif 0x0101 <= number <= 0x0AFF and number & 0xFF:
            self._check_entries(record_of(value), alone=True)
        else:
            raise Refuse(0x6A88)
        return value

    def complete(self) -> None:
        self.need(FCI)
        sfi = self._directory_file()
        records = [int(name, 16) for name in self.host.memory if int(name, 16) != FCI]
        if any(number >> 8 != sfi for number in records):
            raise Refuse(0x6A80)
        if sfi is not None and not records:
            raise Refuse(0x6985)

    def _check_entries(self, objects: Tlvs, *, alone: bool) -> None:
        """Every entry names an application; a record holds nothing else. Raises Refuse with 6A80."""
        entries = objects.find_all(_ENTRY)
        if not entries or (alone and len(entries) != len(objects)):
            raise Refuse(0x6A80)
        for entry in entries:
            name = entry.children.find(_ADF_NAME)
            if name is None or not 5 <= len(name.value) <= 16:
                raise Refuse(0x6A80)

    def _directory_file(self) -> int | None:
        sfi = well_formed(self.need(FCI), _PROPRIETARY).find(_SFI)
        return sfi.value[0] if sfi else None
