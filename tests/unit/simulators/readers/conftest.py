"""A reader driver in this process, for slots of the vpcd protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.pcsc.fake_vpcd import FakeDriver


@pytest.fixture
def driver() -> Iterator[FakeDriver]:
    with FakeDriver() as fake:
        yield fake
