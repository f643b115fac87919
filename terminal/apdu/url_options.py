"""Options of a URL of a reader or machine: ``SCHEME:TARGET?key=value&key=value``, where each option may be left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl

from terminal.errors import ReaderNotFound

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?(e[0-9]{1,2})?", re.IGNORECASE)

UrlOption: TypeAlias = tuple[Callable[[str], Any], str]
"""A parser, which raises ValueError, and the possible values, for the sentence that refuses others."""


def number(least: float, most: float) -> Callable[[str], float]:
    """A parser of numbers from ``least`` to ``most``."""

    def parse(value: str) -> float:
        if not _NUMBER.fullmatch(value) or not least <= float(value) <= most:
            raise ValueError(value)
        return float(value)

    return parse


def choice(values: Mapping[str, Any]) -> UrlOption:
    """The option that is one of these words, with what each stands for."""

    def parse(value: str) -> Any:
        if value not in values:
            raise ValueError(value)
        return values[value]

    return parse, ", ".join(values)


def parse_options(scheme: str, rest: str, options: Mapping[str, UrlOption]) -> tuple[str, dict[str, Any]]:
    """Target and options of ``TARGET?key=value``; the last question mark divides them, and the target may be empty.

    Raises ReaderNotFound, which names what is wrong and what is allowed.
    """
    target, mark, tail = rest.rpartition("?")
    if not mark:
        target, tail = rest, ""
    values: dict[str, Any] = {}
    for key, value in parse_qsl(tail, keep_blank_values=True):
        if key not in options:
            raise ReaderNotFound(f"{key} is not an option of {scheme}: (it has {', '.join(options)})")
        parse, allowed = options[key]
        if key in values:
            raise ReaderNotFound(f"{key} is given twice in {scheme}:{rest}")
        try:
            values[key] = parse(value)
        except ValueError as wrong:
            raise ReaderNotFound(f"{key}={value} is not possible for {scheme}: (possible: {allowed})") from wrong
    if tail and not values:
        raise ReaderNotFound(f"{tail} is not an option of {scheme}: (it has {', '.join(options)})")
    return target, values


def options_url(scheme: str, target: str, options: DataclassInstance) -> str:
    """The URL that opens ``target`` with these options, whose defaults are left out."""
    default = type(options)()
    given = []
    for name in (field.name for field in fields(options)):
        value = getattr(options, name)
        if value != getattr(default, name):
            given.append(f"{name.replace('_', '-')}={_written(value)}")
    # A target whose own name has a question mark needs one behind it as well.
    return f"{scheme}:{target}" + ("?" + "&".join(given) if given or "?" in target else "")


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)
