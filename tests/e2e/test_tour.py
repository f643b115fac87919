"""docs/tour.md: its commands run as they stand, one after the other, and print what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.guides import Ran, paste
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE

NEEDS_PCSC = "sim attach"
"""The block with a real PC/SC slot, whose commands tests/pcsc has."""


def blocks() -> list[str]:
    """The commands of each block: what follows a prompt, or all of a block without output."""
    texts = re.findall(r"```\n(.*?)```", (ROOT / "docs" / "tour.md").read_text("utf-8"), re.DOTALL)
    typed = [re.findall(r"^\$ (.*)$", text, re.MULTILINE) for text in texts]
    return ["\n".join(lines) or text for lines, text in zip(typed, texts, strict=True) if NEEDS_PCSC not in text]


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> list[Ran]:
    folder: Path = tmp_path_factory.mktemp("tour")
    (folder / "membercard").symlink_to(ROOT / "membercard")
    return paste(blocks(), folder, seconds=3 * PATIENCE)


def test_the_tour_prints_what_it_shows(tour: list[Ran]) -> None:
    expected = (
        "Keystore ",
        "roster-messy.xlsx · 河北师范大学工会 · accepted 63 · rejected 21\nannotated copy: checked.xlsx",
        "63 members approved by Wang Fang (unproven)",
        "blank chips received 70 = verified 63 + rejected 0 + in reader 0 + left 7   ✓ balanced",
        "✓ 有效  ACTIVE",
        "APPROVED: approved offline",
    )
    assert len(tour) == len(expected)
    for ran, text in zip(tour, expected, strict=True):
        assert text in ran.out, f"{ran.block}\n{ran.out}\n{ran.err}"
        assert "membercard: " not in ran.err, ran.err
