"""`membercard readers` as a user runs it."""

from __future__ import annotations

import json
import signal

import pytest

from terminal.apdu.pcsc.names import base_name
from tests.support.cli import Cli, Done
from tests.support.paths import ROOT
from tests.support.pcsc.pcscd import Pcscd, Slot
from tests.support.pcsc.vpcd_echo import ATR, VpcdCard
from tests.support.zygote import ForkedCommand

pytestmark = [pytest.mark.pcsc, pytest.mark.xdist_group("pcsc")]

CLI = Cli(ROOT / "data", passphrase=None, bare=True)


def run(*arguments: str) -> Done:
    return CLI.run("readers", *arguments)


def watch(*arguments: str) -> ForkedCommand:
    return CLI.start("readers", "watch", *arguments)


@pytest.fixture
def slot(pcscd: Pcscd) -> Slot:
    slot = pcscd.next_slot()
    slot.wait(present=False)
    return slot


def test_list(slot: Slot) -> None:
    with VpcdCard(slot.host, slot.port):
        slot.wait(present=True)
        shown, as_json = run("list"), run("list", "--json")
    assert shown.status == as_json.status == 0
    name = base_name(slot.reader_name)
    line = next(line for line in shown.out.splitlines() if f"pcsc:{name} " in line)
    assert "T=1, 43 kbit/s" in line
    assert "free" in line
    listed = {entry["name"]: entry for entry in as_json.json}
    assert listed[name]["atr"] == ATR.hex().upper()
    assert listed[name]["url"] == f"pcsc:{name}"
    assert not listed[name]["busy"]
    assert any(not entry["card_present"] and entry["atr"] is None for entry in listed.values())


def test_watch_ends_with_ctrl_c(slot: Slot) -> None:
    name = base_name(slot.reader_name)
    with watch("--json") as watching:
        seen = []

        def read_until(event: str) -> None:
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
        assert watching.wait() == 0
    assert seen == [("reader added", None), ("card inserted", ATR.hex().upper()), ("card removed", None)]


def watched_until(words: str) -> str:
    """What `readers watch` prints up to these words, ended with Ctrl-C."""
    with watch() as watching:
        lines = []
        for line in watching.stdout:
            lines.append(line)
            if words in line:
                break
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == 0
    return "".join(lines)


def test_watch_in_words(slot: Slot) -> None:
    added = f"reader added: {base_name(slot.reader_name)}"
    assert added in watched_until(added)


@pytest.mark.usefixtures("slot")
def test_watch_for_a_while_ends_by_itself() -> None:
    assert run("watch", "--seconds", "0.3").status == 0


def test_no_service_is_one_sentence(pcscd: Pcscd) -> None:
    if not pcscd.ours:
        pytest.skip("pcscd was started by somebody else")
    pcscd.halt()
    try:
        listed, watched = run("list"), watched_until("service lost")
    finally:
        pcscd.restart()
    assert listed.status == 3
    assert listed.err.count("\n") == 1
    assert "the PC/SC service is not running; start it" in listed.err
    assert "service lost" in watched
