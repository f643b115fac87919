"""Text from people, readers and cards as it may be shown: nothing in it moves a cursor, ends a line or turns the text.

Every output has its own escaping beside this (HTML, JSON, sheets, headers); this is for what none of them escapes.
Unicode 17.0, 23.2 (layout controls); UAX 9 (bidirectional controls); ECMA-48 (terminal controls).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TextIO

_UNSEEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0001\U000e0020-\U000e007f]"
)
"""Control, format and separator characters of the basic plane, and tags. Joiners (200C, 200D) are parts of words."""


def visible(text: str, *, keep: str = "") -> str:
    r"""The text with control and layout characters as ``\uXXXX``, but for those in ``keep`` (say line feeds).

    The result fits on one line of a terminal, a log, a page or a file name. In JSON it is an escape of the same
    character. Idempotent; raises nothing.
    """
    return _UNSEEN.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


class VisibleStream:
    """A text stream of a command: control characters of what is printed are shown, not sent to the terminal.

    ``styled`` is the stream itself, for a console whose colours are control characters too.
    """

    def __init__(self, styled: TextIO) -> None:
        self.styled = styled

    def write(self, text: str) -> int:
        self.styled.write(visible(text, keep="\n\t"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.styled, name)
