"""Base of applications that STORE DATA personalizes once. EMV Card Personalization Specification 1.1, 4.3."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Final

from simulators.card.applet import Applet, Refuse
from terminal.apdu import Command
from terminal.errors import TlvError
from terminal.tlv import Tlvs, decode, tlv

MAX_RECORD: Final = 254
"""Bytes of one record, so that READ RECORD answers it in one short response. EMV 4.4 Book 3, 5.3.2."""


class PersonalizedApplet(Applet):
    """Stores each data grouping under its number (four hex digits) until the last STORE DATA ends personalization.

    Until then a grouping may be sent again and replaces the earlier one. The groupings of one STORE DATA command are
    written in one transaction, with the change to PERSONALIZED if it is the last.
    """

    def begin_personalization(self) -> None:
        self._refuse_once_personalized()
        memory = self.host.memory
        with memory.transaction():
            for name in list(memory):
                del memory[name]

    def store_data(self, dgis: Iterator[tuple[int, bytes]], *, last: bool) -> None:
        """Store groupings. Raises Refuse: 6985 once personalized or with a mandatory grouping missing at the end, 6A88
        for an unknown grouping, 6A80 for a malformed one, 9485 for keys with other check values."""
        self._refuse_once_personalized()
        with self.host.memory.transaction():
            for number, value in dgis:
                self.host.memory[f"{number:04X}"] = self.accept(number, value)
                self.accepted(number)
            if last:
                self.complete()
                self.host.set_personalized()
        self.deselect()

    @abstractmethod
    def accept(self, number: int, value: bytes) -> bytes:
        """The bytes to store of one grouping, padding removed. Raises Refuse."""

    def accepted(self, number: int) -> None:
        """Check a stored grouping against those stored before. Raises Refuse."""

    @abstractmethod
    def complete(self) -> None:
        """Check at the last STORE DATA that all groupings are present and consistent. Raises Refuse."""

    def template(self, p2: int, proprietary: bytes) -> bytes:
        """The FCI (6F) with AID and A5 template. EMV 4.4 Book 1, 11.3.4. Raises Refuse: 6A86."""
        if p2 & ~0x02:
            raise Refuse(0x6A86)
        return tlv(0x6F, tlv(0x84, self.aid).encode() + proprietary).encode()

    def stored(self, number: int) -> bytes | None:
        """The stored bytes of a grouping, or None."""
        return self.host.memory.get(f"{number:04X}")

    def need(self, number: int) -> bytes:
        """The stored bytes of a mandatory grouping. Raises Refuse: 6985."""
        value = self.stored(number)
        if value is None:
            raise Refuse(0x6985)
        return value

    def _refuse_unless_personalized(self) -> None:
        if not self.host.personalized:
            raise Refuse(0x6985)

    def _refuse_once_personalized(self) -> None:
        if self.host.personalized:
            raise Refuse(0x6985)


def well_formed(value: bytes, template: int) -> Tlvs:
    """The objects inside ``value``, which must be this one template. Raises Refuse: 6A80."""
    objects = objects_of(value)
    if len(objects) != 1 or objects[0].tag != template or len(objects.encode()) != len(objects[0].encode()):
        raise Refuse(0x6A80)
    return objects[0].children


def objects_of(value: bytes) -> Tlvs:
    """The data objects in ``value``. Raises Refuse: 6A80."""
    try:
        return decode(value)
    except TlvError:
        raise Refuse(0x6A80) from None


def record_of(value: bytes) -> Tlvs:
    """The objects of a record: a whole 70 template of at most 254 bytes. Raises Refuse: 6A80."""
    if len(value) > MAX_RECORD:
        raise Refuse(0x6A80)
    return well_formed(value, 0x70)


def record_number(command: Command) -> tuple[int, int]:
    """SFI and record number of READ RECORD. EMV 4.4 Book 3, 6.5.11. Raises Refuse: 6700 data, 6A86 other P2."""
    if command.data:
        raise Refuse(0x6700)
    if command.p2 & 0x07 != 0x04 or not command.p1:
        raise Refuse(0x6A86)
    return command.p2 >> 3, command.p1


def unpadded(value: bytes) -> bytes:
    """Remove padding method 2. ISO/IEC 9797-1:2011, 6.3.3. Raises Refuse: 6A80."""
    data = value.rstrip(b"\x00")
    if not data.endswith(b"\x80"):
        raise Refuse(0x6A80)
    return data[:-1]
