"""Commands in words: the name of the instruction by its class, and the meaning of P1 and P2.

ISO/IEC 7816-4:2020, Table 4 and clause 11; GPC 2.3.1, chapter 11; EMV 4.4 Book 3, 6.5.
"""

from __future__ import annotations

from terminal.apdu import cla as class_byte
from terminal.apdu.command import Command

_ISO = {
    0x0E: "ERASE BINARY",
    0x20: "VERIFY",
    0x22: "MANAGE SECURITY ENVIRONMENT",
    0x24: "CHANGE REFERENCE DATA",
    0x2A: "PERFORM SECURITY OPERATION",
    0x2C: "RESET RETRY COUNTER",
    0x44: "ACTIVATE FILE",
    0x46: "GENERATE ASYMMETRIC KEY PAIR",
    0x70: "MANAGE CHANNEL",
    0x82: "EXTERNAL AUTHENTICATE",
    0x84: "GET CHALLENGE",
    0x86: "GENERAL AUTHENTICATE",
    0x88: "INTERNAL AUTHENTICATE",
    0xA4: "SELECT",
    0xB0: "READ BINARY",
    0xB2: "READ RECORD",
    0xC0: "GET RESPONSE",
    0xC2: "ENVELOPE",
    0xCA: "GET DATA",
    0xCB: "GET DATA",
    0xD0: "WRITE BINARY",
    0xD6: "UPDATE BINARY",
    0xDA: "PUT DATA",
    0xDC: "UPDATE RECORD",
    0xE2: "APPEND RECORD",
}
_PROPRIETARY = {
    0x16: "CARD BLOCK",
    0x18: "APPLICATION UNBLOCK",
    0x1E: "APPLICATION BLOCK",
    0x24: "PIN CHANGE/UNBLOCK",
    0x50: "INITIALIZE UPDATE",
    0x78: "END R-MAC SESSION",
    0x7A: "BEGIN R-MAC SESSION",
    0x82: "EXTERNAL AUTHENTICATE",
    0xA8: "GET PROCESSING OPTIONS",
    0xAE: "GENERATE AC",
    0xCA: "GET DATA",
    0xCB: "GET DATA",
    0xD8: "PUT KEY",
    0xDA: "PUT DATA",
    0xE2: "STORE DATA",
    0xE4: "DELETE",
    0xE6: "INSTALL",
    0xE8: "LOAD",
    0xF0: "SET STATUS",
    0xF2: "GET STATUS",
}
_INSTALL = {
    0x02: "load",
    0x04: "install",
    0x08: "make selectable",
    0x10: "extradition",
    0x20: "personalization",
    0x40: "registry update",
}
"""P1 of INSTALL, bit by bit. GPC 2.3.1, Table 11-42."""
_STATUS_SCOPE = {0x80: "security domain", 0x40: "applications", 0x20: "load files", 0x10: "load files and modules"}
_CRYPTOGRAM = {0x00: "AAC", 0x40: "TC", 0x80: "ARQC"}


def names_application(command: Command) -> bool:
    """Whether the command is a SELECT by application name, whose data field is public."""
    return command.ins == 0xA4 and command.p1 == 0x04 and not class_byte.secured(command.cla) and command.cla < 0x80


def describe(cla: int, ins: int, p1: int, p2: int) -> str:
    """A command header in words, such as ``READ RECORD (SFI 1, record 2)``; ``INS xx`` for an unknown instruction."""
    proprietary = bool(cla & 0x80)
    name = (_PROPRIETARY if proprietary else _ISO).get(ins, f"INS {ins:02X}")
    remarks = [_parameters(proprietary, ins, p1, p2)]
    if class_byte.secured(cla):
        remarks.append("secured")
    if cla & class_byte.CHAINING:
        remarks.append("chained")
    if channel := class_byte.channel_of(cla):
        remarks.append(f"channel {channel}")
    details = ", ".join(filter(None, remarks))
    return f"{name} ({details})" if details else name


def _parameters(proprietary: bool, ins: int, p1: int, p2: int) -> str:
    meaning = _proprietary(ins, p1, p2) if proprietary else _iso(ins, p1, p2)
    if meaning is not None:
        return meaning
    return f"P1 {p1:02X}, P2 {p2:02X}" if p1 or p2 else ""


def _iso(ins: int, p1: int, p2: int) -> str | None:
    match ins:
        case 0xA4 if p1 == 0x04:
            return "by name" + (", next" if p2 & 0x03 == 0x02 else "")
        case 0xA4:
            return "by file identifier" if p1 == 0 else None
        case 0xB2 | 0xDC if p2 & 0x07 == 0x04:
            return f"SFI {p2 >> 3}, record {p1}"
        case 0xCA | 0xCB:
            return f"tag {p1:02X}{p2:02X}" if p1 else f"tag {p2:02X}"
        case 0x20 | 0x24 | 0x2C:
            return f"reference {p2:02X}"
        case 0x70:
            return f"close {p2}" if p1 == 0x80 else "open"
        case 0xB0 | 0xD6 if not p1 & 0x80:
            return f"offset {p1 << 8 | p2}"
    return None


def _proprietary(ins: int, p1: int, p2: int) -> str | None:
    match ins:
        case 0x50:
            return f"key version {p1:02X}"
        case 0x82:
            return f"security level {p1:02X}"
        case 0xE2:
            return f"block {p2}" + (", encrypted" if p1 & 0x60 == 0x60 else "") + (", last" if p1 & 0x80 else "")
        case 0xE8:
            return f"block {p2}" + (", last" if p1 & 0x80 else "")
        case 0xE6:
            return _install(p1)
        case 0xF0 | 0xF2:
            scope = _STATUS_SCOPE.get(p1, f"scope {p1:02X}")
            return f"{scope}, state {p2:02X}" if ins == 0xF0 else scope + (", next" if p2 & 0x01 else "")
        case 0xD8:
            return f"replaces version {p1:02X}, key {p2 & 0x7F}" if p1 else f"new version, key {p2 & 0x7F}"
        case 0xCA | 0xCB:
            return f"tag {p1:02X}{p2:02X}" if p1 else f"tag {p2:02X}"
        case 0xAE:
            return _CRYPTOGRAM.get(p1 & 0xC0, "reserved") + (", CDA" if p1 & 0x10 else "")
    return None


def _install(p1: int) -> str:
    uses = [use for bit, use in _INSTALL.items() if p1 & bit]
    return "for " + " and ".join(uses) if uses else f"P1 {p1:02X}"
