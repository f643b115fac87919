"""Readers whose names are not ASCII, or no text at all, through the client library of PC/SC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from terminal.apdu.pcsc.named_calls import PyscardCalls
from terminal.apdu.pcsc.names import ReaderNames, base_name, choose
from terminal.errors import ReaderFault
from tests.support.paths import ROOT
from tests.support.pcsc.fake_service import ATR, FakeService, FakeSlot
from tests.support.waiting import PATIENCE

NAMES = {
    b"ACS ACR122U 00 00": "ACS ACR122U",
    "读卡器 01 00".encode(): "读卡器",
    "读卡器 02 00".encode("gbk"): "\\xb6\\xc1\\xbf\\xa8\\xc6\\xf7",
    b"M\xfcller\x1b[2J 03 01": "M\\xfcller\\x1b[2J slot 2",
    b"\xff\xfe": "\\xff\\xfe",
}
PROGRAM = """
import json, threading
from terminal.apdu import list_readers, open_reader, watch_readers
stop, events = threading.Event(), []
watch = threading.Thread(target=lambda: events.extend((e.kind, e.reader) for e in watch_readers(stop)))
watch.start()
results = {"listed": [(i.name, (i.atr or b"").hex()) for i in list_readers()], "answers": [], "events": events}
for info in list_readers():
    reader = open_reader(info.url)
    card = reader.connect() if reader.wait_for_card(0) else None
    results["answers"].append((reader.name, card.atr.hex(), card.exchange(bytes.fromhex("00A40400")).hex()))
    reader.close()
while len(events) < 2 * len(results["listed"]) and watch.is_alive():
    stop.wait(0.02)
stop.set()
watch.join()
print(json.dumps(results))
"""


def run(service: FakeService, *command: str) -> str:
    done = subprocess.run(
        command, env=os.environ | service.environment, capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_reader_with_any_name_is_listed_watched_and_used() -> None:
    with FakeService(*(FakeSlot(name, card=True) for name in NAMES)) as service:
        results = json.loads(run(service, sys.executable, "-c", PROGRAM))
    names = list(NAMES.values())
    assert results["listed"] == [[name, ATR.hex()] for name in names]
    assert results["answers"] == [[name, ATR.hex(), "00a404009000"] for name in names]
    assert [reader for kind, reader in results["events"] if kind == "reader added"] == names
    assert [reader for kind, reader in results["events"] if kind == "card inserted"] == names


def test_the_command_line_lists_a_reader_with_any_name(tmp_path: Path) -> None:
    with FakeService(*(FakeSlot(name) for name in NAMES)) as service:
        text = run(service, sys.executable, "-c", "from membercard.cli import main; main()", "readers", "list")
    assert all(f"pcsc:{name}" in text for name in NAMES.values())
    assert "\x1b[2J" not in text


def test_names_that_look_the_same_are_numbered() -> None:
    assert ReaderNames().assign(["R\udcff 00 00", "R\\xff 01 00"]) == {
        "R\\xff 01 00": "R\\xff",
        "R\udcff 00 00": "R\\xff #2",
    }
    assert base_name("\u3000 00 00") == "00 00"
    assert base_name("\t") == "reader"
    assert choose("müll", ["Müller", "ACS"]) == "Müller"


def scard(**functions: Any) -> PyscardCalls:
    return PyscardCalls(SimpleNamespace(**functions))


def test_without_the_library_readers_with_other_names_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    calls = scard(SCardListReaders=lambda context, groups: (0, ["ACS 00 00", "读卡器 01 00"]))
    for _ in range(3):
        assert calls.list_readers(1) == (0, ["ACS 00 00"])
    assert [record.getMessage() for record in caplog.records] == [
        "the reader '\\u8bfb\\u5361\\u5668 01 00' is left out: its name is not ASCII"
    ]


@pytest.mark.parametrize(
    "error", [SystemError("returned a result with an exception set"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "")]
)
def test_without_the_library_a_name_that_hides_all_is_a_sentence(error: Exception) -> None:
    def fail(context: int, groups: list[str]) -> Any:
        raise error

    with pytest.raises(ReaderFault, match="is not UTF-8, which hides all; unplug it"):
        scard(SCardListReaders=fail).list_readers(1)
