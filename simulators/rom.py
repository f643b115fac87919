"""What every chip has in ROM: the member application, the payment application and its directories."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from simulators.applets.member import MemberApplet
from simulators.applets.payment.applet import PaymentApplet
from simulators.applets.pse import DirectoryApplet
from simulators.card.applet import Applet
from simulators.card.content import LoadFile

MEMBER_PACKAGE: Final = bytes.fromhex("F04D454D424552")
MEMBER_MODULE: Final = bytes.fromhex("F04D454D4245520101")
PAYMENT_PACKAGE: Final = bytes.fromhex("A00000033301")
PAYMENT_MODULE: Final = bytes.fromhex("A000000333010101")
DIRECTORY_PACKAGE: Final = bytes.fromhex("315041592E")
DIRECTORY_MODULE: Final = bytes.fromhex("315041592E01")

FILES: Final = (
    LoadFile(MEMBER_PACKAGE, (MEMBER_MODULE,), version=b"\x01\x01", rom=True),
    LoadFile(DIRECTORY_PACKAGE, (DIRECTORY_MODULE,), rom=True),
    LoadFile(PAYMENT_PACKAGE, (PAYMENT_MODULE,), rom=True),
)
MODULES: Final[Mapping[bytes, type[Applet]]] = MappingProxyType(
    {MEMBER_MODULE: MemberApplet, DIRECTORY_MODULE: DirectoryApplet, PAYMENT_MODULE: PaymentApplet}
)
"""The applets behind the modules."""
