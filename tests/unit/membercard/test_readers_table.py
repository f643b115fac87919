"""`membercard readers list` with readers of long names, on 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from membercard import language
from membercard.commands.counter import readers
from membercard.language import Language
from terminal.apdu import ReaderInfo

NAMES = (
    "ACS ACR1281 1S Dual Reader [ACR1281 Dual Reader ICC] 00 00",
    "深圳明华澳汉科技 URF-R330 双界面读卡器 01 00",
)


@pytest.fixture(autouse=True)
def _unset() -> Iterator[None]:
    yield
    language.choose(None)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (Language.CHINESE, ("读卡器", "空闲", "无", "无应答")),
        (Language.ENGLISH, ("Readers", "free", "none", "answer;")),
    ],
)
def test_long_names_of_readers_fit_80_columns_in_both_languages(
    chosen: Language, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [ReaderInfo(0, NAMES[0], NAMES[0], None, False), ReaderInfo(1, NAMES[1], NAMES[1], b"", False)]
    monkeypatch.setattr(readers, "list_readers", lambda: listed)
    monkeypatch.setenv("COLUMNS", "80")
    language.choose(chosen)
    readers.list_()
    shown = capsys.readouterr().out
    assert max(map(cell_len, shown.splitlines())) <= 80, shown
    assert "…" not in shown
    for word in words:
        assert word in shown
