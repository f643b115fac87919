"""What a developer types after `membercard gp`: bytes in hex, and what they must be. All faults are faults of usage."""

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
    """What a developer typed in hex, read by ``parse``; bytes that break its format are a fault of usage."""
    try:
        return parse(hex_bytes(text))
    except CodecError as error:
        raise typer.BadParameter(str(error)) from None


def aid_of(text: str) -> Aid:
    return typed(text, Aid)


def dgis(data: str, encrypted: set[int]) -> list[dgi.Dgi]:
    """The DGIs that were typed; each that is to be encrypted must be among them."""
    groups = typed(data, dgi.decode)
    missing = encrypted - {number for number, _ in groups}
    if missing:
        raise typer.BadParameter(f"--secret {', '.join(f'{number:04X}' for number in sorted(missing))}: no such DGI")
    return groups
