"""One table shows verdicts: every code has a row, no row looks like another, and nobody else lists codes."""

from __future__ import annotations

import re

import pytest

from terminal.member.outcome import VerdictCode
from terminal.member.presentation import PRESENTATIONS, CountedAs, Tone, presentation
from tests.support.paths import ROOT

ROOMS = ("membercard", "personalize", "programme", "reader_service", "registry", "terminal")
OWN = {"terminal/member/outcome.py", "terminal/member/presentation.py", "terminal/member/verdict.py"}
STYLES = ROOT / "reader_service" / "pages" / "static"


@pytest.mark.parametrize("code", list(VerdictCode))
def test_every_verdict_has_tone_sign_colour_and_words(code: VerdictCode) -> None:
    row = PRESENTATIONS[code]
    assert row is presentation(code.value)
    assert row.tone.sign
    assert all((row.word.zh, row.word.en, row.next.zh, row.next.en))
    assert (row.counted is CountedAs.ACCEPTED) is (code is VerdictCode.ACTIVE) is (row.tone is Tone.OK)
    assert f'"{row.plot}"' in (STYLES / "progress.js").read_text() or row.plot == "idle"


def test_no_two_verdicts_have_one_word_or_one_colour_in_a_plot() -> None:
    for values in ([row.word.zh for row in PRESENTATIONS.values()], [row.plot for row in PRESENTATIONS.values()]):
        assert len(set(values)) == len(VerdictCode)


@pytest.mark.parametrize("code", ["HOTLIST_OUT_OF_DATE", "HOTLIST_NOT_YET_VALID", "HOTLIST_MISSING", "CLOCK_BEHIND"])
def test_a_card_that_was_not_compared_with_a_current_hotlist_has_a_tone_of_its_own(code: str) -> None:
    row = presentation(code)
    assert row is not None
    assert (row.tone, row.counted) == (Tone.DOUBT, CountedAs.UNCHECKED)
    assert ".verdict.doubt" in (STYLES / "app.css").read_text()
    assert "doubt:" in (STYLES / "sound.js").read_text()


def test_a_card_to_be_activated_is_refused_with_a_word_to_its_member() -> None:
    row = presentation("NOT_ACTIVATED")
    assert row is not None
    assert (row.tone, row.counted, row.word.zh) == (Tone.WARN, CountedAs.REFUSED, "未激活")
    assert "窗口" in row.next.zh
    assert "window" in row.next.en


def test_a_code_of_another_version_has_no_row() -> None:
    assert presentation("RECALLED") is None


def test_a_new_verdict_touches_its_code_its_row_and_its_decision() -> None:
    """No other product file lists verdicts; one that decides by a single verdict names only that."""
    listing = {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            codes = set(re.findall(r"VerdictCode\.([A-Z_]+)", path.read_text("utf-8")))
            if len(codes) > 2:
                listing[str(path.relative_to(ROOT))] = codes
    assert set(listing) <= OWN
