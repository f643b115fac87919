"""Security levels of a secure channel, and those of each protocol."""

from __future__ import annotations

from enum import IntFlag

from terminal.errors import SecureChannelError
from terminal.keys.custody import Scp


class SecurityLevel(IntFlag):
    """One byte, P1 of EXTERNAL AUTHENTICATE. GPC 2.3.1, E.5.2.3; GPC 2.3.1 Amendment D 1.2, 7.1.2.3."""

    NONE = 0x00
    C_MAC = 0x01
    C_DECRYPTION = 0x02
    R_MAC = 0x10
    R_ENCRYPTION = 0x20

    def __str__(self) -> str:
        if not self:
            return "no secure messaging"
        names = {1: "C-MAC", 2: "C-DECRYPTION", 0x10: "R-MAC", 0x20: "R-ENCRYPTION"}
        return " + ".join(name for bit, name in names.items() if self & bit)


C_MAC = SecurityLevel.C_MAC
C_ENC = SecurityLevel.C_MAC | SecurityLevel.C_DECRYPTION
FULL = C_ENC | SecurityLevel.R_MAC | SecurityLevel.R_ENCRYPTION
"""33: every protection of SCP03."""

LEGAL = {
    Scp.SCP02: frozenset({0x00, 0x01, 0x03, 0x10, 0x11, 0x13}),
    Scp.SCP03: frozenset({0x00, 0x01, 0x03, 0x11, 0x13, 0x33}),
}
_SCP02_KIND, _SCP02_EXPLICIT = 0x0F, 0x05
"""Three keys, explicit initiation, C-MAC on the modified command, first ICV zero. GPC 2.3.1, E.1.1."""
_RESPONSES = {SecurityLevel.R_MAC: 0x20, SecurityLevel.R_ENCRYPTION: 0x60}
"""Protection of responses, and the bits of the SCP03 ``i`` that a card with it has. Amendment D 1.2, table 5-1."""


def supported(scp: Scp, i: int, level: SecurityLevel) -> SecurityLevel:
    """The level without the protection of responses that the card does not have.

    SCP02 cards sign responses only after BEGIN R-MAC SESSION, and never encrypt them. GPC 2.3.1, E.4.5.
    """
    for bit, support in _RESPONSES.items():
        if scp is Scp.SCP02 or i & support != support:
            level &= ~bit
    return level


def check_level(scp: Scp, i: int, level: SecurityLevel) -> None:
    """Raises SecureChannelError for a level that the protocol does not define or this card does not support.

    SCP03 cards report R-MAC and R-ENCRYPTION in ``i`` (20, 40). SCP02 cards do not report ``i`` while authenticating:
    there only the combination is checked.
    """
    if level not in LEGAL[scp]:
        raise SecureChannelError(f"SCP{scp} has no security level {int(level):02X} ({level})")
    if scp is Scp.SCP02:
        if i & _SCP02_KIND != _SCP02_EXPLICIT:
            raise SecureChannelError(f"SCP02 with i={i:02X} is not supported; i=15 and i=55 are")
        return
    missing = [str(bit) for bit, support in _RESPONSES.items() if level & bit and i & support != support]
    if missing:
        raise SecureChannelError(f"this card (SCP03, i={i:02X}) does not support {' and '.join(missing)}")
