"""Recognizes web pages and XML under the name of a spreadsheet or a text, in all their beginnings."""

from __future__ import annotations

import codecs
import re
from typing import Final

_HEAD: Final = 8_192
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WEB: Final = ("网页", "a web page under another name")
_XML: Final = ("网页或 XML 格式的表格", "a web page or XML under another name")

_BEFORE: Final = re.compile(r"(?:[\s\ufeff\0]+|<!--.*?-->)+", re.DOTALL)
_TAG: Final = re.compile(r"<(?:[a-z][a-z0-9:-]*[\s/>]|/[a-z]|!doctype|!\[|!--|%|\?(?!xml)|$)", re.IGNORECASE)
_PROLOG: Final = re.compile(r"<\?xml", re.IGNORECASE)
_HTML: Final = re.compile(r"<(?:!doctype\s+html|html|table|body)", re.IGNORECASE)
# A page saved whole by a browser or by Excel (.mht): headers of a mail. RFC 2557.
_MAIL: Final = re.compile(
    r"(?:mime-version|content-type|content-location|snapshot-content-location|from|subject|date|x-[a-z-]+|message-id):"
    r"[^\n]*\n.{0,2000}?(?:multipart/related|text/html|message/rfc822)",
    re.IGNORECASE | re.DOTALL,
)


def markup_in(data: bytes) -> tuple[str, str] | None:
    """What a file is that begins as a web page or XML does, in Chinese and English; None for other files.

    Before the first tag there may be a byte order mark, blanks, comments and the headers of a mail.
    """
    head = _head(data)
    start = _BEFORE.match(head)
    text = head[start.end() :] if start else head
    if _PROLOG.match(text):
        return _WEB if _HTML.search(text) else _XML
    if _TAG.match(text) or _MAIL.match(text):
        return _WEB
    return None


def _head(data: bytes) -> str:
    """The first characters; an unknown encoding is read as Latin letters, in which tags look the same."""
    head = data[:_HEAD]
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, "replace")
    if head[1:2] == b"\0" and head[3:4] == b"\0":
        return head.decode("utf-16-le", "replace")
    if head[:1] == b"\0" and head[2:3] == b"\0":
        return head.decode("utf-16-be", "replace")
    return head.decode("latin-1")
