"""A single key by accident does nothing that one more key does not undo."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

TEMPLATES = ROOT / "reader_service" / "pages" / "templates"
_PRESS = re.compile(r"m\.press\((.*?)\) }}")
_SUBMIT = re.compile(r"m\.button\((.*?)\) }}")
_ACTION = re.compile(r'/([a-z]+)"')

UNDONE_OR_WITHOUT_EFFECT = {"pause", "resume", "watch", "take", "eject", "read", "reset", "again", "print"}
"""Pause and resume, watch, take and eject undo each other; a read, a reset or
a further verdict changes nothing that is stored, nor does a receipt that is printed again."""


def test_a_key_posts_nothing_that_cannot_be_undone() -> None:
    posted = set()
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not [call for call in _SUBMIT.findall(text) if "data-key" in call], path.name
        for call in _PRESS.findall(text):
            if "data-key" in call:
                posted.add(_ACTION.findall(call)[0])
    assert posted == UNDONE_OR_WITHOUT_EFFECT
