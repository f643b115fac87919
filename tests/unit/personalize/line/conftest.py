from __future__ import annotations

from collections.abc import Iterator

import pytest

from personalize.line import lanes
from tests.support.cards.card_bench import Bench, fast_directory


@pytest.fixture(scope="module")
def prepared(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A prepared batch of as many members as the module names in ``MEMBERS``. Only its copies are run."""
    with fast_directory() as directory:
        yield Bench(directory, request.module.MEMBERS)


@pytest.fixture
def bench(prepared: Bench) -> Iterator[Bench]:
    with prepared.copied() as copied:
        yield copied


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody changes cards here, so lanes need not wait for them for long."""
    monkeypatch.setattr(lanes, "POLL", 0.02)
