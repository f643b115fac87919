"""What pages say and load: every text in both languages, none written into a template, nothing inline or foreign."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from reader_service.http.errors import CODES
from reader_service.pages.shell import STATIC, TEMPLATES
from reader_service.pages.words import LANGUAGES, words
from reader_service.principal import Role
from registry.db.context import UNNAMED_ACTOR

PAGES = TEMPLATES.parent
SOURCES = sorted(TEMPLATES.rglob("*.html"))
CODE = sorted(PAGES.rglob("*.py"))
_NO_TEXT = re.compile(
    r"\{% block (width|live) %\}.*?\{% endblock %\}|\{% macro (_described|attributes)\(.*?\{% endmacro %\}", re.DOTALL
)
"""Attributes, not texts."""
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_TAG = re.compile(r"<!?/?([a-zA-Z][a-zA-Z0-9]*)?([^>]*)>", re.DOTALL)
_READ_OUT = re.compile(r"\b(?:title|alt|placeholder|aria-label|data-key-label|data-empty|label)=\"([^\"]*)\"")
_WORD = re.compile(r"[A-Za-z一-鿿]{2,}")
_UNITS = {"ms"}
_KEY = re.compile(r"""(?<![\w.])t(?:\.either)?\(\s*["']([a-z]+\.[\w.-]+)["']""")
_DONE = re.compile(r"""["']([a-z]+\.done-[\w-]+)["']""")
_COMPOSED = re.compile(r"""t(?:\.either)?\(\s*f?["']([a-z]+\.[\w.-]*?)(?:["']\s*~|\{)""")


def _plain(key: str) -> str:
    return key.removesuffix(".one")


def test_every_text_is_there_in_both_languages() -> None:
    chinese, english = ({_plain(key) for key in words(language).keys()} for language in LANGUAGES)
    assert chinese == english
    assert len(chinese) > 300


def test_a_text_asks_for_the_same_values_in_both_languages() -> None:
    odd = []
    for key in words("zh").keys() & words("en").keys():
        placeholders = [set(re.findall(r"\{(\w+)\}", words(language)._texts[key])) for language in LANGUAGES]
        if placeholders[0] != placeholders[1]:
            odd.append(key)
    assert odd == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_text_stands_in_a_template(source: Path) -> None:
    text = _JINJA.sub(" ", _NO_TEXT.sub(" ", source.read_text()))
    shown = [read for _, attributes in _TAG.findall(text) for read in _READ_OUT.findall(attributes)]
    shown.append(_TAG.sub(" ", text))
    assert [word for part in shown for word in _WORD.findall(part) if word not in _UNITS] == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(source: Path) -> None:
    text = source.read_text()
    plain = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    assert not re.search(r"<script(?![^>]*\ssrc=)", plain)
    assert not re.search(r"<style|\sstyle=|\son(?!ce=)[a-z]+=|\shx-on|javascript:|https?://", plain)
    assert not re.search(r"hx-vals=['\"]?js:|hx-headers=['\"]?js:|hx-vars|\|\s*safe\b|autoescape", plain)


def test_every_key_that_is_used_has_a_text() -> None:
    known = {_plain(key) for key in words("en").keys()}
    used = {
        key for path in (*SOURCES, *CODE) for key in (*_KEY.findall(path.read_text()), *_DONE.findall(path.read_text()))
    }
    used = {key for key in used if not key.endswith(("-", "."))}
    assert sorted(used - known) == []
    assert len(used) > 150


def test_parts_of_composed_keys_name_texts() -> None:
    """Keys that are put together from a part and a value: there is at least one text under each part."""
    parts = {part for path in SOURCES for part in _COMPOSED.findall(path.read_text())}
    keys = words("en").keys()
    assert [part for part in sorted(parts) if not any(key.startswith(part) for key in keys)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_has_a_sentence(language: str) -> None:
    assert [code for code in sorted(CODES) if f"problem.{code}" not in words(language)] == []


def test_roles_have_names() -> None:
    assert all(f"role.{role}" in words(language) for role in Role for language in LANGUAGES)


@pytest.mark.parametrize("actor", [UNNAMED_ACTOR, "not told", "first start"])
def test_actors_that_are_no_users_have_names(actor: str) -> None:
    """``not told`` is in audit rows that an earlier version wrote."""
    for language in LANGUAGES:
        assert f"audit.actor-{actor.replace(' ', '-')}" in words(language)


def test_vendored_files_are_what_their_table_says() -> None:
    table = (STATIC / "vendor" / "PROVENANCE.md").read_text()
    scripts = sorted((STATIC / "vendor").glob("*.js"))
    assert len(scripts) == 2
    for script in scripts:
        row = next(line for line in table.splitlines() if f"`{script.name}`" in line)
        assert hashlib.sha256(script.read_bytes()).hexdigest() in row
        licence = re.search(r"`(LICENSE-[\w.]+)`", row)
        assert licence is not None
        assert (STATIC / "vendor" / licence[1]).stat().st_size > 400


def test_own_scripts_evaluate_nothing_and_ask_nobody_else() -> None:
    for script in STATIC.glob("*.js"):
        text = script.read_text()
        assert not re.search(r"\beval\(|new Function|document\.write|https?://|setTimeout\(['\"]", text), script.name
    for sheet in STATIC.glob("*.css"):
        assert not re.search(r"@import|url\(|https?://", sheet.read_text()), sheet.name


def test_icons_that_are_used_are_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([a-z]+)"', (STATIC / "icons" / "icons.svg").read_text()))
    used = {name for path in SOURCES for name in re.findall(r'icon\("([a-z]+)"', path.read_text())}
    assert used
    assert used <= drawn


def test_values_are_written_as_people_write_them() -> None:
    zh, en = words("zh"), words("en")
    assert (zh.number(1234567), en.number(3.14159, 2)) == ("1,234,567", "3.14")
    assert (zh.day(date(2026, 3, 1)), en.day(date(2026, 3, 1))) == ("2026年3月1日", "2026-03-01")
    assert (zh.span(59), zh.span(timedelta(minutes=90)), zh.span(3 * 86400)) == ("59 秒", "1 小时 30 分", "3 天")
    assert (en.span(86400), en.span(7200), en.span(-5)) == ("1 day", "2 h", "0 s")
    now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    assert en.since(now - timedelta(minutes=5), now) == "5 min ago"
    assert en.since(now + timedelta(minutes=5), now) == "0 s ago"
    assert (en.share(1, 3), en.share(1, 0)) == ("33%", "–")


def test_a_value_is_never_taken_for_a_text() -> None:
    t = words("en")
    assert t("shell.station", name="{name}{0.__class__}") == "Station: {name}{0.__class__}"
    assert t.either("station.bin.9", "tray 9") == "tray 9"
    with pytest.raises(KeyError):
        t("station.nothing-of-the-kind")
    assert words("xx").language == "zh"
