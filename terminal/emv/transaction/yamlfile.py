"""Data files for a terminal, in YAML or JSON (which YAML contains): each fault names file, line and field.

Size and depth of a file are bounded, and what lets a small file stand for a large one, or for something else than it
shows, is refused: anchors, aliases, merge keys and tags (YAML 1.2.2, 3.2.2 and 6.9).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.parser import RoundTripParser

from terminal.errors import CodecError

M = TypeVar("M", bound=BaseModel)

MAX_BYTES: Final = 1_000_000
"""Size of a file: hundreds of CA keys of the greatest length are a third of it."""
MAX_DEPTH: Final = 16
"""Lists and mappings inside each other: profiles have five."""
_MOST_FAULTS: Final = 50
_MERGE: Final = "<<"


def read_text(path: Path, kind: str) -> str:
    """The text of a file. Raises CodecError when it cannot be read, is too large or is not UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise CodecError(f"the {kind} {path} has more than {MAX_BYTES:,} bytes")
        return content.decode("utf-8")
    except OSError as fault:
        raise CodecError(f"cannot read the {kind} {path}: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise CodecError(f"the {kind} {path} is not UTF-8 text: {fault.reason} at byte {fault.start}") from None


def parse_model(model: type[M], text: str, name: str, kind: str) -> M:
    """Check the text against the model; ``name`` stands before each line number. Raises CodecError, a line a fault.

    No value of the file is repeated in a message.
    """
    return parse_located(model, text, name, kind)[0]


def parse_located(model: type[M], text: str, name: str, kind: str) -> tuple[M, Callable[[tuple[int | str, ...]], int]]:
    """As ``parse_model``, with a function that gives the line of a field by its path. Raises CodecError."""
    data = _load(text, name)
    if not isinstance(data, dict):
        raise CodecError(f"{name}: a {kind} is a mapping with the fields {', '.join(model.model_fields)}")
    try:
        return model.model_validate(data), partial(_line, data)
    except ValidationError as fault:
        errors = fault.errors(include_input=False, include_url=False)
        lines = [_sentence(name, data, f["loc"], f["msg"], f["type"]) for f in errors[:_MOST_FAULTS]]
        if more := errors[_MOST_FAULTS:]:
            lines.append(f"{name}: and {len(more):,} more faults")
        raise CodecError("\n".join(lines)) from None


def _load(text: str, name: str) -> Any:
    """The values of a file, with their lines. Raises CodecError."""
    if len(text) > MAX_BYTES:
        raise CodecError(f"{name}: more than {MAX_BYTES:,} characters")
    yaml = YAML(typ="rt")
    yaml.Parser = _BoundedParser
    try:
        return yaml.load(text)
    except _Refused as refused:
        raise CodecError(f"{name}:{refused.line}: {refused}") from None
    except YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise CodecError(f"{where}: not YAML: {getattr(fault, 'problem', None) or 'it cannot be read'}") from None
    except (ValueError, OverflowError):  # what looks like a date or a number and is none, such as 2026-13-45
        raise CodecError(f"{name}: a value is no text, date or number; write it in quotation marks") from None


class _BoundedParser(RoundTripParser):
    """Gives only events that build what the file shows: each is looked at before anything is built of it. Raises
    _Refused."""

    depth = 0

    def get_event(self) -> Any:
        event = super().get_event()
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(event, "anchors and aliases (& and *) are not taken; write the value out")
        if isinstance(event, ScalarEvent) and event.value == _MERGE and event.style is None:
            raise _Refused(event, f"merge keys ({_MERGE}) are not taken; write the fields out")
        if _tagged(event):
            raise _Refused(event, "tags (!) are not taken; write the value alone")
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise _Refused(event, f"lists and mappings more than {MAX_DEPTH} deep")
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self.depth -= 1
        return event


class _Refused(Exception):
    """What is not taken, and where."""

    def __init__(self, event: Event, reason: str) -> None:
        super().__init__(reason)
        self.line = event.start_mark.line + 1


def _tagged(event: Event) -> bool:
    return isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent) and bool(event.tag)


def _sentence(name: str, data: Any, loc: tuple[int | str, ...], message: str, kind: str) -> str:
    """One fault with its line."""
    line = _line(data, loc)
    field = ".".join(map(str, loc)) or "file"
    text = {
        "missing": "this field is required",
        "extra_forbidden": "no such field",
        "string_type": "write the value in quotation marks",
        "tuple_type": "write a list, such as [a, b]",
        "model_type": "write a mapping, such as {a: b}",
        "dict_type": "write a mapping, such as {a: b}",
    }.get(kind)
    return f"{name}:{line}: {field}: {text or message.removeprefix('Value error, ')}"


def _line(data: Any, loc: tuple[int | str, ...]) -> int:
    """The line of the deepest place in the file that the field's path reaches."""
    line, node = 1, data
    for key in loc:
        if not (isinstance(node, dict | list) and hasattr(node, "lc")):
            break
        try:
            position = node.lc.key(key) if isinstance(node, dict) else node.lc.item(key)
        except KeyError:
            break
        if position is None:  # an empty mapping or list has no positions
            break
        line, node = position[0] + 1, node[key]  # type: ignore[index]
    return line
