"""docs/api.md: its tables are complete. Its examples run in tests/e2e/test_api_guide.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from reader_service.errors import ServiceError, TooMany
from reader_service.http.errors import CODES, problem_of
from tests.support.paths import ROOT
from tests.support.service.accounts import accounts_app

GUIDE = ROOT / "docs" / "api.md"


def test_every_code_and_every_address_stands_in_the_guide(tmp_path: Path) -> None:
    text = GUIDE.read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([0-9]{3}) \|", text, re.MULTILINE)
    assert sorted(code for code, _ in rows) == sorted(CODES)
    statuses = {code: int(status) for code, status in rows}
    for kind in kinds(ServiceError):
        problem = problem_of(TooMany("why", 1) if kind is TooMany else kind("why"))
        assert problem is not None
        assert (problem.code, problem.status) == (kind.code, statuses[kind.code])
    rig = accounts_app(tmp_path)
    document = rig.app.openapi()["paths"]
    rig.registry.close()
    operations = {
        (method.upper(), path, operation["summary"])
        for path, methods in document.items()
        for method, operation in methods.items()
    }
    assert set(re.findall(r"^\| `([A-Z]+)` \| `([^`]+)` \| (.*) \|$", text, re.MULTILINE)) == operations


def kinds(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield kind
    for heir in kind.__subclasses__():
        yield from kinds(heir)
