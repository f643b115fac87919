"""Stable reader ids: made from the device's name, and the same after a restart or a re-plug."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

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
    """Whether a PC/SC URL names this reader, by its name or a part of it."""
    scheme, _, rest = url.partition(":")
    named = rest.partition("?")[0].casefold()
    return scheme == "pcsc" and bool(named) and named in device.casefold()
