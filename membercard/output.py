"""How commands print: tables for people, JSON for machines."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from membercard import language, settings
from membercard.explained import localized
from membercard.tables import FittingTable
from terminal import private_files
from terminal.apdu import StatusWord
from terminal.localtime import date_time
from terminal.visible import visible

if TYPE_CHECKING:
    from terminal.emv.data.explain import Explained


Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
_YES: Final = ("y", "yes", "是", "是的")
_NO: Final = ("", "n", "no", "否", "不是")


def say(english: str, /, *, err: bool = False, **values: object) -> None:
    """Print a message of the catalogue in the current language."""
    typer.echo(language.text(english, **values), err=err)


def confirm(question: str) -> None:
    """Ask a question of the catalogue, "no" by default. Raises typer.Abort unless it is yes, in either language."""
    answer = ""
    while answer not in _YES:
        prompt = f"{language.text(question)} [{language.text('y/N')}]"
        answer = typer.prompt(prompt, default="", show_default=False).strip().lower()
        if answer in _NO:
            raise typer.Abort
        if answer not in _YES:
            say("answer y for yes or n for no", err=True)


def as_json(value: Any) -> None:
    """Print values, dataclasses and dates as JSON."""
    typer.echo(json_text(plain(value)))


def json_text(value: Any, indent: int | None = 1) -> str:
    """JSON, with unescaped Chinese where standard output has UTF-8; ``indent`` None: on one line."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not unicode, indent=indent)


def plain(value: Any) -> Any:
    """Dataclasses, enums, dates and bytes as JSON values; times are in the zone of the settings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return (value.astimezone(settings.load().zone) if value.tzinfo else value).isoformat()
    if isinstance(value, date):
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
"""Columns that are copied into other commands and so are never wrapped."""
_LONG = re.compile(r"\b[0-9A-F]{98,}\b")
"""Certificates and signatures: more than 48 bytes in hex."""
_PUBLIC_FILE, _PUBLIC_FOLDER = 0o644, 0o755
_PIPE_WIDTH = 160
"""Width of a table in characters where standard output is not a terminal."""


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()
) -> FittingTable:
    """A table with a title and columns in the current language; those named in ``right`` are numbers, right-aligned.

    Brackets in a cell are no markup, as names of readers and units have them; pass a Text for colour.
    """
    heading = Text(language.text(title), "bold") if title else None
    grid = FittingTable(heading, [place for place, column in enumerate(columns) if column in _WHOLE])
    for column in columns:
        grid.add_column(language.text(column), justify="right" if column in right else "left")
    for row in rows:
        grid.add([cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row])
    return grid


class _VisibleConsole(Console):
    """A console that shows the control characters of texts, and sends only its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else visible(segment.text, keep="\n\t")
            yield segment if text == segment.text else Segment(text, segment.style)


def console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Standard output, or standard error; in a pipe or a file wide enough for one row on one line."""
    stream = sys.stderr if stderr else sys.stdout
    stdout = _VisibleConsole(file=getattr(stream, "styled", stream), highlight=False, soft_wrap=soft_wrap)
    if not stdout.is_terminal and "COLUMNS" not in os.environ:
        stdout.width = _PIPE_WIDTH
    return stdout


def show(renderable: RenderableType) -> None:
    console().print(renderable)


def trees(explained: Iterable[Explained], before: str = "") -> None:
    """Print explained values below each other in the current language, long certificates shortened; --json has them
    complete."""
    for tree in explained:
        for line in localized(tree).lines(before):
            typer.echo(_LONG.sub(lambda match: shortened(match[0]), line))


def shortened(digits: str) -> str:
    """The beginning of a long value in hex, and its length."""
    return language.text("{hex}… ({digits} bytes)", hex=digits[:32], digits=len(digits) // 2)


def write_file(path: Path, content: bytes, *, public: bool = False) -> None:
    """Write a file atomically: a reader never sees part of it, and a full disk leaves none. Only its owner reads it,
    unless it is ``public``. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=_PUBLIC_FOLDER if public else private_files.FOLDER_MODE)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        private_files.create(partial)
        partial.write_bytes(content)
        if public:
            partial.chmod(_PUBLIC_FILE)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def local_time(moment: datetime | None) -> str:
    """Date and time in the zone of the settings, with its offset; empty for None."""
    return date_time(moment, settings.load().zone) if moment else ""
