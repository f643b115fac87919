from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from personalize.machines.open import open_machine
from terminal.errors import ReaderNotFound

PLUGGED = EntryPoints(
    [
        EntryPoint("echo", "builtins:str", "personalize.machines"),
        EntryPoint("broken", "no_such_module_here:open_machine", "personalize.machines"),
    ]
)


@pytest.fixture(autouse=True)
def _plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminal.apdu.schemes.entry_points", lambda group: PLUGGED)


@pytest.mark.parametrize("url", ["crt:/dev/ttyUSB0", "nonsense", "", ":x"])
def test_an_unknown_scheme_names_the_known_ones(url: str) -> None:
    with pytest.raises(ReaderNotFound, match=r"is not a URL of this kind: it must start with one of broken:, echo:"):
        open_machine(url)


def test_a_driver_comes_from_its_entry_point() -> None:
    assert open_machine("echo:a:b") == "a:b"  # type: ignore[comparison-overlap]


def test_a_driver_that_does_not_load_says_so() -> None:
    with pytest.raises(ReaderNotFound, match="broken: does not load on this machine: No module"):
        open_machine("broken:/dev/ttyUSB0")
