"""The size of an upload is one number for the guard, the service, the pages, the API and the guide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reader_service.access.settings import FILE_BYTES, FILE_MB, AccessSettings
from reader_service.errors import RequestTooLarge
from reader_service.pages.shell import TEMPLATES
from reader_service.services.uploads import FORMS, Uploads
from tests.support.paths import ROOT

PIECE = 1024 * 1024


def pieces(size: int) -> Iterator[bytes]:
    for start in range(0, size, PIECE):
        yield bytes(min(PIECE, size - start))


def test_a_file_of_the_limit_is_read_and_one_byte_more_is_refused_with_the_limit() -> None:
    with Uploads().file("form.csv", pieces(FILE_BYTES)) as path:
        assert path.stat().st_size == FILE_BYTES
    with (
        pytest.raises(RequestTooLarge, match=f"^the file is larger than {FILE_MB} MB"),
        Uploads().file("form.csv", pieces(FILE_BYTES + 1)),
    ):
        raise AssertionError("it was read")


def test_the_guard_lets_a_file_of_the_limit_and_its_form_through() -> None:
    assert FORMS.file_bytes == FILE_BYTES
    assert AccessSettings().upload - FILE_BYTES == 64 * 1024


@pytest.mark.parametrize(
    ("page", "limit"),
    [
        ("docs/api.md", f"up to {FILE_MB} MB and {FORMS.rows:,} rows"),
        ("docs/security.md", f"an upload: a file of {FILE_MB} MB"),
    ],
)
def test_the_guides_name_the_limits(page: str, limit: str) -> None:
    assert limit in Path(ROOT, page).read_text("utf-8")


@pytest.mark.parametrize(
    "texts", sorted((TEMPLATES.parent / "i18n").rglob("*.json")), ids=lambda path: "-".join(path.parts[-3:])
)
def test_no_text_of_the_pages_has_a_limit_of_its_own(texts: Path) -> None:
    assert re.findall(r"\d+ ?[KM]i?B\b", texts.read_text("utf-8")) == []
