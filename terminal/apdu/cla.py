"""The class byte: logical channel, secure messaging, chaining. ISO/IEC 7816-4:2020, 5.4.1; GPC 2.3.1, 11.1.4."""

from __future__ import annotations

from terminal.errors import ApduError

CHAINING = 0x10
_FURTHER = 0x40
_FURTHER_SM = 0x20
_FIRST_SM = 0x0C
LAST_CHANNEL = 19


def channel_of(cla: int) -> int:
    """The logical channel, 0 to 19, that a class byte names."""
    return 4 + (cla & 0x0F) if cla & _FURTHER else cla & 0x03


def secured(cla: int) -> bool:
    """Whether the class byte indicates secure messaging, of ISO or GlobalPlatform."""
    return bool(cla & (_FURTHER_SM if cla & _FURTHER else _FIRST_SM))


def on_channel(cla: int, channel: int) -> int:
    """The class byte ``cla`` for ``channel`` (0 to 19), with the same chaining and secure messaging.

    Channels 4 to 19 have one bit for secure messaging, channels 0 to 3 have two: from a higher to a lower channel,
    secure messaging becomes the proprietary form 04, which GlobalPlatform uses.
    Raises ApduError for a channel that does not exist.
    """
    if not 0 <= channel <= LAST_CHANNEL:
        raise ApduError(f"logical channel {channel}; 0 to {LAST_CHANNEL} exist")
    unchanged = cla & (0x80 | CHAINING)
    if channel >= 4:
        return unchanged | _FURTHER | (_FURTHER_SM if secured(cla) else 0) | (channel - 4)
    if cla & _FURTHER:
        return unchanged | (0x04 if secured(cla) else 0) | channel
    return unchanged | (cla & _FIRST_SM) | channel


def follow_up(cla: int) -> int:
    """The class byte of a GET RESPONSE after ``cla``: the same channel, interindustry, not secured, not chained."""
    return on_channel(0x00, channel_of(cla))
