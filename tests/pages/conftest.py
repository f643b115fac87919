"""One seeded station, one service and one browser for all tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from membercard.serve_demo import DemoStation, demo_station


@pytest.fixture(scope="session")
def station() -> Iterator[DemoStation]:
    """What `membercard serve --demo` opens, with cards that answer at once."""
    with demo_station(real_time=False) as made:
        yield made
