"""Latin words on Chinese pages."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

# What is the same in every language: identifiers, units of measure, names of file types, and of people and programs.
ALLOWED = re.compile(
    r"""B[0-9]{8}-[0-9]{3}|[0-9A-F]{8,}|(?:NOT-SEEN|UNREAD)-[0-9]+|[0-9]{6}GH[0-9]+|UTC(?:\+08:00)?|Asia/Shanghai
    |xlsx|xls|csv|PDF|MB|PC/SC|ID|li\.na|wang\.fang|chef|maker|root|tests?|Excel|POST|/[a-z_{}/.-]+|[a-f0-9]{64}|\bp50\b|X\b|station
    |127\.0\.0\.1|English|[a-z]\b|[A-Z]\b|Tab|Esc""",
    re.VERBOSE,
)
WORD = re.compile(r"[A-Za-z][A-Za-z-]+")
VOID = ("area", "br", "hr", "img", "input", "link", "meta")
READ_OUT = ("title", "alt", "placeholder", "aria-label", "data-key-label", "data-empty", "label", "data-announce")


class Shown(HTMLParser):
    """The texts that a page shows or reads out. ``english``: without what is marked as English."""

    def __init__(self, *, english: bool) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._english = english
        self._hidden = 0
        self._in_english: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        if tag not in VOID:
            self._in_english.append(self._english and ("lang", "en") in attrs)
        self.texts += [value for name, value in attrs if name in READ_OUT and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")
        if tag not in VOID and self._in_english:
            self._in_english.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden and not any(self._in_english):
            self.texts.append(data)


def latin(page: str, *, english: bool = False) -> list[str]:
    """Texts with Latin words that are not allowed; with ``english`` those marked as English are."""
    shown = Shown(english=english)
    shown.feed(page)
    return sorted({text.strip() for text in shown.texts if WORD.search(ALLOWED.sub(" ", html.unescape(text)))})
