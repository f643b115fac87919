"""The tests that `make fast` runs for a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.touched_tests import touched


@pytest.mark.parametrize(
    ("changed", "test"),
    [
        ("registry/line/claims.py", "tests/unit/registry/line/test_line.py"),
        ("reader_service/pages/i18n/zh/administration/audit.json", "tests/unit/reader_service/pages/test_texts.py"),
        ("reader_service/pages/templates/administration/audit.html", "tests/unit/reader_service/pages/test_texts.py"),
        ("personalize/line/report.html.j2", "tests/unit/personalize/line/test_plan.py"),
        ("docs/recipes.md", "tests/architecture/test_documentation.py"),
        ("terminal/member/verdict.py", "tests/architecture/test_words.py"),
        ("tests/cli/test_commands.py", "tests/cli/test_commands.py"),
    ],
)
def test_a_change_touches_the_tests_of_its_room(changed: str, test: str) -> None:
    assert Path(test) in touched([Path(changed)])


def test_a_style_sheet_touches_the_pages_and_nothing_else() -> None:
    tests = touched([Path("reader_service/pages/static/app.css")])
    assert tests
    assert {test.parts[:4] for test in tests} == {("tests", "unit", "reader_service", "pages")}


def test_a_picture_touches_no_test() -> None:
    assert touched([Path("docs/images/report.png")]) == set()
