"""The documentation says what is there: pictures of the rooms, places in the code, links between pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import room_pictures
from tests.support.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = re.compile(
    r"`((?:membercard|reader_service|personalize|programme|registry|terminal|simulators|tests|scripts|docs(?!/_build))/[\w./-]*)`"
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
BUILT = {"docs/api-reference.md"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_pictures_of_the_rooms_are_true() -> None:
    stale = [
        room
        for room, text in room_pictures.pictures().items()
        if (room_pictures.FOLDER / f"{room}.dot").read_text(encoding="utf-8") != text
    ]
    assert stale == [], "draw them anew with: python -m scripts.room_pictures"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_places_in_the_code_that_a_page_names_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if "a new file" not in line]
    named = set(CODE.findall("\n".join(lines)))
    assert {place for place in named if "*" not in place and not (ROOT / place).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    dead = set()
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link) or link.startswith("#"):
            continue
        target = (page.parent / link.partition("#")[0]).resolve()
        if not target.exists() and name(target) not in BUILT:
            dead.add(link)
    assert dead == set()


def test_every_page_is_on_the_site() -> None:
    """A page that no table of contents names is found by nobody."""
    listed = set()
    for page in (ROOT / "docs").rglob("*.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            lines = [line for line in block.splitlines() if line and not line.startswith(":")]
            for line in lines:
                listed |= {name(one) for one in page.parent.glob(f"{line}.md")} | {
                    name((page.parent / f"{line}.md").resolve())
                }
    pages = {name(page) for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts}
    assert pages - listed == {"docs/index.md"}
