"""Arguments of `membercard gp`: bytes in hex and their formats. All faults are usage faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import typer

from terminal.errors import CodecError
from terminal.globalplatform import Aid
from terminal.tlv import dgi

T = TypeVar("T")


def hex_bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise typer.BadParameter("not hexadecimal") from None


def typed(text: str, parse: Callable[[bytes], T]) -> T:
    """Parse hex with ``parse``. Raises BadParameter for bytes that break the format."""
    try:
        return parse(hex_bytes(text))
    except CodecError as error:
        raise typer.BadParameter(str(error)) from None


def aid_of(text: str) -> Aid:
    return typed(text, Aid)


def dgis(data: str, encrypted: set[int]) -> list[dgi.Dgi]:
    """The DGIs in hex. Raises BadParameter when one that is to be encrypted is not among them."""
    groups = typed(data, dgi.decode)
    missing = encrypted - {number for number, _ in groups}
    if missing:
        raise typer.BadParameter(f"--secret {', '.join(f'{number:04X}' for number in sorted(missing))}: no such DGI")
    return groups
