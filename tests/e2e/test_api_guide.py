"""docs/api.md: its blocks run as they stand against `serve --demo`, and the responses are as it shows them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.guides import Ran, paste
from tests.support.paths import ROOT
from tests.support.service.seeded_demo import copy_of_demo
from tests.support.waiting import PATIENCE

_BLOCK = re.compile(r"```sh\n(?P<command>.*?)\n```(?:\n\n```json\n(?P<answer>.*?)\n```)?", re.DOTALL)
_EXAMPLES = [
    (block["command"], block["answer"]) for block in _BLOCK.finditer((ROOT / "docs" / "api.md").read_text("utf-8"))
]
_PROGRAMS = ("curl", "jq", "bash")


def like(actual: Any, documented: Any, place: str = "answer") -> None:
    """The same fields and kinds; of lists the first ones. The guide may show fewer items than there are."""
    if None in (actual, documented):
        return
    if isinstance(documented, dict):
        assert isinstance(actual, dict), place
        assert set(actual) == set(documented), place
        for name, value in documented.items():
            like(actual[name], value, f"{place}.{name}")
    elif isinstance(documented, list):
        assert isinstance(actual, list), place
        assert not documented or actual, place
        for number, value in enumerate(documented):
            like(actual[number], value, f"{place}[{number}]")
    else:
        assert isinstance(actual, type(documented)) or {type(actual), type(documented)} == {int, float}, place


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, list[Ran]]:
    """The directory and the blocks of one run through the guide, over a station that is there already, as on a second
    start: tests/pages has the first one."""
    for program in _PROGRAMS:
        assert shutil.which(program), f"the guide needs {program}"
    folder = tmp_path_factory.mktemp("guide")
    shared = tmp_path_factory.getbasetemp().parent if hasattr(request.config, "workerinput") else folder
    with copy_of_demo(shared, folder, name="demo-station"):
        return folder, paste([command for command, _ in _EXAMPLES], folder, seconds=2 * PATIENCE)


def test_every_request_of_the_guide_is_answered_as_it_says(day: tuple[Path, list[Ran]]) -> None:
    requests = 0
    for ran in day[1]:
        _, _, wanted = ran.block.partition("/unmask # ")
        for status in ran.statuses:
            assert status == int(wanted) if wanted else 200 <= status < 300, f"{ran.block}\n{ran.out}\n{ran.err}"
            requests += 1
    assert requests > 45


def test_the_blocks_print_nothing_on_standard_error(day: tuple[Path, list[Ran]]) -> None:
    for ran in day[1]:
        assert re.sub(r"^HTTP \d+\n", "", ran.err, flags=re.MULTILINE) == "", ran.block


def test_the_responses_have_the_fields_that_the_guide_shows(day: tuple[Path, list[Ran]]) -> None:
    examples = 0
    for ran, (_, answer) in zip(day[1], _EXAMPLES, strict=True):
        if answer is not None:
            text = ran.out[re.search(r"^[\[{]", ran.out, re.MULTILINE).start() :]  # type: ignore[union-attr]
            like(json.loads(text), json.loads(answer), ran.block.splitlines()[-1])
            examples += 1
    assert examples > 15


def test_the_files_of_the_guide_are_what_their_names_say(day: tuple[Path, list[Ran]]) -> None:
    files = {place: (day[0] / place).read_bytes() for place in ("annotated.xlsx", "report.html", "figures.xlsx")}
    assert [files[place][:2] for place in files] == [b"PK", b"<!", b"PK"]


def test_the_guide_needs_no_program_beside_those_it_names() -> None:
    words = {word for command, _ in _EXAMPLES for word in re.findall(r"(?:^|[|;(]) *([a-z]\w*)\b(?! *\()", command)}
    own = {"password_of", "uuid", "token"}
    shell = {"until", "do", "done", "kill", "printf", "grep", "sed", "date", "cp", "sleep", "export", "python3"}
    assert words - own - shell == {"curl", "jq", "membercard"}
