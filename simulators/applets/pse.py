"""The directories of a payment card: PSE (contact), PPSE (contactless). EMV 4.4 Book 1, 12.2; Contactless B, 3.3."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from simulators.applets.records import RecordApplet
from simulators.card.applet import Refuse
from terminal.tlv import Tlv, Tlvs

PSE: Final = b"1PAY.SYS.DDF01"
PPSE: Final = b"2PAY.SYS.DDF01"

_SFI: Final = 0x88
_DISCRETIONARY: Final = 0xBF0C
_ENTRY: Final = 0x61
_ADF_NAME: Final = 0x4F


class DirectoryApplet(RecordApplet):
    """Both directories: the FCI of a PSE names the file (88) that lists the applications, one or more entries (61) a
    record; the FCI of a PPSE holds the entries itself (BF0C) and there are no records.
    """

    def complete(self) -> None:
        files, records = self.files(), self.records()
        if any(number >> 8 not in files for number in records):
            raise Refuse(0x6A80)
        if files and not records:
            raise Refuse(0x6985)

    def files(self) -> Collection[int]:
        sfi = self.proprietary().find(_SFI)
        return (sfi.value[0],) if sfi else ()

    def check_fci(self, proprietary: Tlvs) -> None:
        file, entries = proprietary.find(_SFI), proprietary.find(_DISCRETIONARY)
        if file is not None:  # a PSE: its BF0C, if any, is the issuer's own
            if len(file.value) != 1 or not 1 <= file.value[0] <= 10:
                raise Refuse(0x6A80)
        elif entries is not None:
            _check_entries(entries.children.find_all(_ENTRY))
        else:
            raise Refuse(0x6A80)

    def check_record(self, objects: Tlvs) -> None:
        """A record holds entries and nothing else."""
        entries = objects.find_all(_ENTRY)
        if len(entries) != len(objects):
            raise Refuse(0x6A80)
        _check_entries(entries)


def _check_entries(entries: Collection[Tlv]) -> None:
    """At least one entry, and each names an application. Raises Refuse with 6A80."""
    if not entries:
        raise Refuse(0x6A80)
    for entry in entries:
        name = entry.children.find(_ADF_NAME)
        if name is None or not 5 <= len(name.value) <= 16:
            raise Refuse(0x6A80)
