"""What tests of the service share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service.services import Office
from tests.support.service.services import office as made


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A registry on SQLite with the parts over it, and every event that was published."""
    opened = made(tmp_path)
    with opened.registry:
        yield opened
        opened.line.hold.set()
        opened.bus.close()
