"""What every chip has in ROM: the member application and the payment directories."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from simulators.applet import Applet
from simulators.content import LoadFile
from simulators.member import MemberApplet
from simulators.pse import DirectoryApplet

MEMBER_PACKAGE: Final = bytes.fromhex("F04D454D424552")
MEMBER_MODULE: Final = bytes.fromhex("F04D454D4245520101")
DIRECTORY_PACKAGE: Final = bytes.fromhex("315041592E")
DIRECTORY_MODULE: Final = bytes.fromhex("315041592E01")

FILES: Final = (
    LoadFile(MEMBER_PACKAGE, (MEMBER_MODULE,), version=b"\x01\x01", rom=True),
    LoadFile(DIRECTORY_PACKAGE, (DIRECTORY_MODULE,), rom=True),
)
MODULES: Final[Mapping[bytes, type[Applet]]] = MappingProxyType(
    {MEMBER_MODULE: MemberApplet, DIRECTORY_MODULE: DirectoryApplet}
)
"""The applets behind the modules."""
