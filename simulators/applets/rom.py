"""The applets in ROM of every chip: one row for each. A new application on the card is a row here and its applet.

Load files are written to the card's registry when the chip is made, so that a chip knows the applets of its own ROM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulators.applets.member.applet import MemberApplet
from simulators.applets.payment.applet import PaymentApplet
from simulators.applets.pse import DirectoryApplet
from simulators.card.applet import Applet
from simulators.card.content import LoadFile


@dataclass(frozen=True, slots=True)
class RomApplet:
    """An applet in ROM: its package (executable load file), the one module in it, and the class that runs it.

    An application of plain records needs no class of its own: see simulators.applets.records.RecordApplet.
    """

    package: bytes
    module: bytes
    applet: type[Applet]
    version: bytes = b"\x01\x00"

    @property
    def load_file(self) -> LoadFile:
        return LoadFile(self.package, (self.module,), version=self.version, rom=True)


MEMBER: Final = RomApplet(
    bytes.fromhex("F04D454D424552"), bytes.fromhex("F04D454D4245520101"), MemberApplet, version=b"\x01\x01"
)
DIRECTORY: Final = RomApplet(bytes.fromhex("315041592E"), bytes.fromhex("315041592E01"), DirectoryApplet)
PAYMENT: Final = RomApplet(bytes.fromhex("A00000033301"), bytes.fromhex("A000000333010101"), PaymentApplet)

ROM: Final = (MEMBER, DIRECTORY, PAYMENT)
