"""Documents in a font of the common characters look as in the whole font, and a rare character comes from that one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pypdfium2
import pytest

from personalize.sheets import common_font as module
from personalize.sheets import page
from personalize.sheets.common_font import common_font, write_common_font
from personalize.sheets.fonts import FontFile, chinese_font
from personalize.sheets.page import PaperSheet

COMMON = "石家庄市总工会会员服务卡，第 1 号（½ ℃ → 盒）"
RARE = "㛃䶮"
"""In the fonts of every machine that runs the tests, and not in GB 2312."""


@pytest.fixture(scope="module")
def directory() -> Path:
    """Where the set-up wrote it."""
    return write_common_font().parent


def picture(text: str) -> tuple[bytes, str, set[str]]:
    sheet = PaperSheet("字", date(2026, 12, 1))
    sheet.page()
    sheet.text(10, 10, 190, 10, text)
    document = pypdfium2.PdfDocument(sheet.bytes())
    shown = document[0].render(scale=2).to_numpy().tobytes()
    return shown, document[0].get_textpage().get_text_range(), sheet.lacking


def drawn(text: str, font: FontFile | None, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, str, set[str]]:
    monkeypatch.setattr(page, "common_font", lambda: font)
    return picture(text)


@pytest.mark.parametrize("text", [COMMON, f"{COMMON}{RARE}", "王𠅤"])
def test_a_document_looks_as_in_the_whole_font(text: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    common = common_font(directory)
    assert common is not None
    assert len(common.characters) < len(chinese_font().characters) / 4
    assert drawn(text, common, monkeypatch) == drawn(text, None, monkeypatch)


def test_the_characters_of_gb_2312_are_in_it(directory: Path) -> None:
    common = common_font(directory)
    assert common is not None
    assert {ord(character) for character in COMMON} <= common.characters
    assert not {ord(character) for character in RARE} & common.characters


def test_another_font_or_a_changed_one_is_not_taken_for_it(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "NotoSansCJK-Regular.ttc"
    other.write_bytes(b"another")
    monkeypatch.setattr(module, "first_file", lambda: other)
    assert common_font(directory) is None


def test_it_is_written_once_and_for_every_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_common_characters", lambda: frozenset(map(ord, "工会")))
    path = write_common_font(tmp_path / "share")
    assert path.stat().st_mode & 0o777 == 0o644
    written = common_font(tmp_path / "share")
    assert written is not None
    assert written.characters == set(map(ord, "工会"))
    at = path.stat().st_mtime_ns
    assert write_common_font(tmp_path / "share") == path
    assert path.stat().st_mtime_ns == at


def test_nothing_is_written_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert common_font(tmp_path) is None
    monkeypatch.setattr(module, "first_file", lambda: None)
    assert common_font(tmp_path) is None
