"""Stable reader ids: made from the device's name, and the same after a restart or a re-plug."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from terminal.apdu.pcsc.names import base_name, printable

LONGEST: Final = 48
_OTHER: Final = re.compile(r"[^\w]+")


def slug(device: str) -> str:
    """A name for URLs: ``ACS ACR122U #2`` becomes ``acs-acr122u-2``; of a path only the last part counts."""
    last = device.rstrip("/").rpartition("/")[2].removesuffix(".card")
    return _OTHER.sub("-", last.casefold()).strip("-_")[:LONGEST].strip("-_") or "reader"


def distinct(wanted: str, taken: Container[str]) -> str:
    """``wanted``, or with the first number appended that makes it unique."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def reader_named(url: str, device: str) -> bool:
    """Whether a PC/SC URL names this reader: by its name, a part of it, or the whole name that the PC/SC service gives
    it, with plug order and slot."""
    scheme, _, rest = url.partition(":")
    named = rest.partition("?")[0]
    if scheme != "pcsc" or not named:
        return False
    whole = base_name(named)
    if whole != printable(named):
        return whole.casefold() == device.casefold()
    return named.casefold() in device.casefold()
