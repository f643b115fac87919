"""One issuing house for all tests that only look at it."""

from __future__ import annotations

import pytest

from tests.support.cli import House, settle


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house with a done batch of three, a draft of two, and blanks. Not to be changed."""
    return settle(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="session")
def other_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Another federation's house, with keys and cards of its own."""
    return settle(tmp_path_factory.mktemp("other"), 1, spare=0, unit="别省工会")
