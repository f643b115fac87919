"""How commands print: tables for people, JSON for machines."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from terminal.apdu import StatusWord


class Tree(Protocol):
    """What ``terminal.emv.explain`` says of a value."""

    def lines(self, before: str = "") -> Iterator[str]: ...


Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


def as_json(value: Any) -> None:
    """Print values, dataclasses and dates as JSON."""
    typer.echo(json_text(plain(value)))


def json_text(value: Any, indent: int | None = 1) -> str:
    """JSON with Chinese as it is, where standard output can carry it; ``indent`` None: one line, and fast."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not unicode, indent=indent)


def plain(value: Any) -> Any:
    """Dataclasses, enums, dates and bytes as what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, StatusWord):
        return f"{value:04X}"
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    return value


_WHOLE = ("batch", "card", "chip", "key", "date", "time", "amount")
"""Columns that are copied into the next command or read at a glance, and so are never broken over lines."""
_LONG = re.compile(r"\b[0-9A-F]{98,}\b")
"""Certificates and signatures: more than 48 bytes in hex."""
_PIPE_WIDTH = 160
"""Columns that a table may take where there is no terminal to measure."""


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> Table:
    """A table with a left title; columns named in ``right`` are set to the right, for numbers.

    Brackets in a cell are what they are, as in the names of readers and units; give a Text where colour is wanted.
    """
    heading = Text(title, "bold") if title else None
    made = Table(title=heading, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        justify: JustifyMethod = "right" if column in right else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    return made


def console() -> Console:
    """Standard output; into a pipe or a file wide enough that other programs find a row on one line."""
    made = Console(highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPE_WIDTH
    return made


def show(renderable: RenderableType) -> None:
    console().print(renderable)


def trees(said: Iterable[Tree], before: str = "") -> None:
    """Values and what they say, below each other; certificates are for machines, and --json has them whole."""
    for tree in said:
        for line in tree.lines(before):
            typer.echo(_LONG.sub(lambda found: f"{found[0][:32]}… ({len(found[0]) // 2} bytes)", line))


def write_file(path: Path, content: bytes) -> None:
    """Write a file in one go: a reader never sees half of it, and a full disk leaves none. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def local_time(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else ""
