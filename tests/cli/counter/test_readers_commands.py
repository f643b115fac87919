"""`membercard readers` as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from terminal.apdu.pcsc.names import base_name
from tests.support.pcsc.pcscd import Pcscd, Slot
from tests.support.pcsc.vpcd_echo import ATR, VpcdCard
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.pcsc, pytest.mark.xdist_group("pcsc")]

MEMBERCARD = [str(Path(sys.executable).with_name("membercard")), "readers"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MEMBERCARD, *arguments], capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture
def slot(pcscd: Pcscd) -> Slot:
    pcscd.slots[0].wait(present=False)
    return pcscd.slots[0]


def test_list(slot: Slot) -> None:
    with VpcdCard(slot.host, slot.port):
        slot.wait(present=True)
        shown, as_json = run("list"), run("list", "--json")
    assert shown.returncode == as_json.returncode == 0
    name = base_name(slot.reader_name)
    line = next(line for line in shown.stdout.splitlines() if f"pcsc:{name} " in line)
    assert "T=1, 43 kbit/s" in line
    assert "free" in line
    listed = {entry["name"]: entry for entry in json.loads(as_json.stdout)}
    assert listed[name]["atr"] == ATR.hex().upper()
    assert listed[name]["url"] == f"pcsc:{name}"
    assert not listed[name]["busy"]
    assert any(not entry["card_present"] and entry["atr"] is None for entry in listed.values())


def test_watch_ends_with_ctrl_c(slot: Slot) -> None:
    name = base_name(slot.reader_name)
    with subprocess.Popen([*MEMBERCARD, "watch", "--json"], stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        seen = []

        def read_until(event: str) -> None:
            assert watching.stdout is not None
            for line in watching.stdout:
                line_json = json.loads(line)
                if line_json["reader"] == name:
                    seen.append((line_json["event"], line_json["atr"]))
                    if line_json["event"] == event:
                        return

        read_until("reader added")
        with VpcdCard(slot.host, slot.port):
            read_until("card inserted")
        read_until("card removed")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE) == 0
    assert seen == [("reader added", None), ("card inserted", ATR.hex().upper()), ("card removed", None)]


def watched_until(words: str) -> str:
    """What `readers watch` prints up to these words, ended with Ctrl-C."""
    with subprocess.Popen([*MEMBERCARD, "watch"], stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        lines = []
        for line in watching.stdout:
            lines.append(line)
            if words in line:
                break
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE) == 0
    return "".join(lines)


def test_watch_in_words(slot: Slot) -> None:
    added = f"reader added: {base_name(slot.reader_name)}"
    assert added in watched_until(added)


@pytest.mark.usefixtures("slot")
def test_watch_for_a_while_ends_by_itself() -> None:
    assert run("watch", "--seconds", "0.3").returncode == 0


def test_no_service_is_one_sentence(pcscd: Pcscd) -> None:
    if not pcscd.ours:
        pytest.skip("pcscd was started by somebody else")
    pcscd.halt()
    try:
        listed, watched = run("list"), watched_until("service lost")
    finally:
        pcscd.restart()
    assert listed.returncode == 3
    assert listed.stderr.count("\n") == 1
    assert "the PC/SC service is not running; start it" in listed.stderr
    assert "service lost" in watched
