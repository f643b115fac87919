"""The drivers that pyproject.toml names for machine URLs."""

from __future__ import annotations

import tomllib
from importlib import import_module

import pytest

from terminal.errors import ReaderNotFound
from tests.support.paths import ROOT

DRIVERS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][
    "personalize.machines"
]


@pytest.mark.parametrize("scheme", DRIVERS)
def test_each_driver_loads_and_refuses_a_url_that_names_nothing(scheme: str) -> None:
    module, _, name = DRIVERS[scheme].partition(":")

    with pytest.raises(ReaderNotFound):
        getattr(import_module(module), name)("")
