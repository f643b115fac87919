"""Values of the member application as words, for every command that shows them."""

from __future__ import annotations

from enum import Enum
from typing import Any

from terminal.member.values import Entitlement
from terminal.tlv import Dol


def value_text(value: Any) -> str:
    """A value of a member application's element for a person."""
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, Dol):
        return " ".join(f"{entry.tag}({entry.length})" for entry in value)
    if isinstance(value, Enum):
        return value.name.lower().replace("_", " ")
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return "\n".join(value_text(item) for item in value)
    if isinstance(value, Entitlement):
        used = f"{value.used} of {value.limit} used"
        return f"{value.benefit_class}: {used}, a {value.period.name.lower()} from {value.start}"
    return str(value)
