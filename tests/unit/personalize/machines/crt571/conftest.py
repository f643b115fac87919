"""A driver over a model of its machine, in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from personalize.machines.crt571.machine import Crt571Machine
from personalize.machines.crt571.options import parse_rest
from tests.support.machines.crt571_line import CardMover, ModelLink


@pytest.fixture
def mover() -> CardMover:
    return CardMover()


@pytest.fixture
def driver(mover: CardMover) -> Callable[..., Crt571Machine]:
    def opened(options: str = "") -> Crt571Machine:
        line = ModelLink(mover)
        return Crt571Machine(*parse_rest(f"/dev/ttyX?{options}"), lambda: line, line.now)

    return opened
