"""Data files for a terminal, in YAML or JSON (which YAML contains): each fault names file, line and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from terminal.errors import CodecError

M = TypeVar("M", bound=BaseModel)


def read_text(path: Path, kind: str) -> str:
    """The text of a file. Raises CodecError when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as fault:
        raise CodecError(f"cannot read the {kind} {path}: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise CodecError(f"the {kind} {path} is not UTF-8 text: {fault.reason} at byte {fault.start}") from None


def parse_model(model: type[M], text: str, name: str, kind: str) -> M:
    """Check the text against the model; ``name`` stands before each line number. Raises CodecError, a line a fault.

    No value of the file is repeated in a message.
    """
    try:
        data = YAML(typ="rt").load(text)
    except YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise CodecError(f"{where}: not YAML: {getattr(fault, 'problem', None) or 'it cannot be read'}") from None
    if not isinstance(data, dict):
        raise CodecError(f"{name}: a {kind} is a mapping with the fields {', '.join(model.model_fields)}")
    try:
        return model.model_validate(data)
    except ValidationError as fault:
        errors = fault.errors(include_input=False, include_url=False)
        raise CodecError("\n".join(_sentence(name, data, f["loc"], f["msg"], f["type"]) for f in errors)) from None


def _sentence(name: str, data: Any, loc: tuple[int | str, ...], message: str, kind: str) -> str:
    """One fault with the line of the deepest place in the file that the field's path reaches."""
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
    field = ".".join(map(str, loc)) or "file"
    text = {
        "missing": "this field is required",
        "extra_forbidden": "no such field",
        "string_type": "write the value in quotation marks",
    }.get(kind)
    return f"{name}:{line}: {field}: {text or message.removeprefix('Value error, ')}"
