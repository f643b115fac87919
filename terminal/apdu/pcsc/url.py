"""The ``pcsc:`` reader URL: ``pcsc:NAME?share=1&deadline=10``, where each option may be left out."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from terminal.errors import ReaderNotFound

DEADLINE = 30.0
"""The longest that one call to a reader may take, in seconds, where the URL does not say."""
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")


def reader_url(name: str, *, share: bool, deadline: float) -> str:
    """The ``pcsc:`` URL that opens this reader with these options; defaults are left out."""
    options = (["share=1"] if share else []) + ([f"deadline={deadline:g}"] if deadline != DEADLINE else [])
    return f"pcsc:{name}" + ("?" + "&".join(options) if options else "")


def parse_rest(rest: str) -> tuple[str, bool, float]:
    """Name, ``share`` and ``deadline`` (seconds) of ``NAME?share=1&deadline=10``; a name may have question marks of its
    own. Raises ReaderNotFound."""
    name, mark, tail = rest.rpartition("?")
    if not mark or (tail and "=" not in tail):
        return rest, False, DEADLINE
    share, deadline = False, DEADLINE
    for key, value in parse_qsl(tail, keep_blank_values=True):
        if key == "share" and value in ("0", "1"):
            share = value == "1"
        elif key == "deadline" and _SECONDS.fullmatch(value) and float(value) > 0:
            deadline = float(value)
        else:
            raise ReaderNotFound(f"{key}={value} is not an option of pcsc: (share=0 or 1, deadline=SECONDS)")
    return name, share, deadline
