"""Commands for a card without --reader, in the process itself so that the machine's readers can be chosen."""

from __future__ import annotations

import pytest

from membercard import cli
from membercard.wiring import readers
from terminal.apdu.pcsc.events import ReaderInfo

COMMANDS = (("card", "info"), ("card", "read"), ("card", "log"), ("gp", "info"), ("emv", "log"))


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["membercard", *words])
    return cli._status_of(cli.app)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_only_reader_is_taken_and_of_two_one_is_named(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = ReaderInfo(0, "Absent 00 00", "Absent 00 00", None, False)
    connected: list[str] = []

    def open_reader(url: str) -> None:
        connected.append(url)
        raise readers.ReaderNotFound("unplugged")

    monkeypatch.setattr(readers, "open_reader", open_reader)
    monkeypatch.setattr(readers, "list_readers", lambda: [info])
    assert run(monkeypatch, *command) == 3
    assert connected == ["pcsc:Absent 00 00"]
    monkeypatch.setattr(readers, "list_readers", lambda: [info, info])
    assert run(monkeypatch, *command) == 3
    assert "there are 2 readers" in capsys.readouterr().err
    assert len(connected) == 1
