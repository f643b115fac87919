"""A command without --reader takes the only reader of the machine."""

import pytest

from membercard.wiring import readers
from terminal.apdu.pcsc.events import ReaderInfo
from terminal.errors import ReaderNotFound


def plugged(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    infos = [ReaderInfo(index, name, name, None, False) for index, name in enumerate(names)]
    monkeypatch.setattr(readers, "list_readers", lambda: infos)


def test_the_only_reader_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, "ACS ACR39U 00 00")
    assert readers.only_reader() == "pcsc:ACS ACR39U 00 00"


def test_without_a_reader_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch)
    with pytest.raises(ReaderNotFound) as refused:
        readers.only_reader()
    assert str(refused.value) == "no reader is plugged in; virtual cards need none: --reader sim:CARDFILE"


def test_several_readers_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, "Lane A", "Lane B")
    with pytest.raises(ReaderNotFound) as refused:
        readers.only_reader()
    assert str(refused.value) == "there are 2 readers, so name one with --reader: pcsc:Lane A, pcsc:Lane B"
