"""Local time: one time zone dates cards, batches, pages and files, whatever zone the machine is set to.

Instants are aware and in UTC everywhere; this module is about their calendar days and what people read. The zone is an
argument of everything that needs one, and the ``time_zone`` of the settings. IANA time zone database; ISO 8601.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from terminal.errors import CodecError

CHINA: Final = "Asia/Shanghai"
"""The zone of Chinese federations: all of China has Beijing's time."""


def time_zone(name: str) -> ZoneInfo:
    """The zone with this IANA name. Raises CodecError for a name that the database does not have."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CodecError(f"there is no such time zone; an IANA name is wanted, such as {CHINA}") from None


def offset(at: datetime) -> str:
    """The offset from UTC of an aware time: ``+08:00``."""
    return at.isoformat(timespec="seconds")[-6:]


def date_time(at: datetime, zone: tzinfo | None = None) -> str:
    """Date and time to the minute with the offset: ``2026-11-22 14:05 +08:00``. Without a zone, in that of ``at``."""
    local = at.astimezone(zone or at.tzinfo)
    return f"{local:%Y-%m-%d %H:%M} {offset(local)}"


def zone_label(zone: tzinfo, at: datetime) -> str:
    """Name and offset of a zone at that time: ``Asia/Shanghai, UTC+08:00``."""
    return f"{zone}, UTC{offset(at.astimezone(zone))}"
