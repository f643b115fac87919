from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from membercard.commands.counter.readers import about
from terminal.apdu import open_reader
from terminal.errors import ReaderNotFound


@pytest.mark.parametrize("url", ["usb:1", "nonsense", "", ":x"])
def test_an_unknown_scheme_names_the_known_ones(url: str) -> None:
    with pytest.raises(ReaderNotFound, match=r"pcsc:, serial:, sim:"):
        open_reader(url)


def test_a_transport_comes_from_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged = EntryPoints([EntryPoint("echo", "builtins:str", "terminal.transports")])
    monkeypatch.setattr("terminal.apdu.schemes.entry_points", lambda group: plugged)
    assert open_reader("echo:a:b") == "a:b"  # type: ignore[comparison-overlap]


def test_a_transport_that_does_not_load_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoints([EntryPoint("serial", "no_such_module_here:open_reader", "terminal.transports")])
    monkeypatch.setattr("terminal.apdu.schemes.entry_points", lambda group: broken)
    with pytest.raises(ReaderNotFound, match="serial: does not load on this machine: No module"):
        open_reader("serial:/dev/ttyUSB0")


@pytest.mark.parametrize(
    ("atr", "words"),
    [
        ("3BF81800008131FE454A434F5076323431BC", "T=1, 129 kbit/s"),
        ("3B67000086602222278001", "T=0, 11 kbit/s"),
        ("3B8F8001804F0CA000000306030001000000006A", "MIFARE Classic 1K"),
        ("3B8D8001003180718E6452D90400829000BB", "contactless"),
        ("3B1070", "T=0"),
        ("3B01", "3B01 (1 historical bytes promised, 0 follow (at offset 2))"),
    ],
)
def test_answers_to_reset_in_words(atr: str, words: str) -> None:
    assert about(bytes.fromhex(atr)) == words
