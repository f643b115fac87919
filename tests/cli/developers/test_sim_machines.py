"""``membercard sim machine``: machines as processes, killed and started again, and persons at them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulators.card.config import CardConfig
from simulators.cli import app
from simulators.machines.process import MachineProcess
from simulators.readers.stock import blank, make_stock
from terminal.errors import ReaderBusy, ReaderNotFound
from tests.support.waiting import PATIENCE

INITIALIZE, CONTACTS = bytes.fromhex("F200000343303303B2"), bytes.fromhex("F200000343323103B2")
STATUS, REJECT = bytes.fromhex("F200000343313003B0"), bytes.fromhex("F200000343323303B0")


@contextmanager
def running(port: Path, stock: Path) -> Iterator[subprocess.Popen[str]]:
    """The machine as a process, which is killed at the end if it is still there."""
    code = "from simulators.cli import app; app()"
    command = [sys.executable, "-c", code, "machine", "crt571", "--serial", port, "--stock", stock]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


def exchange(port: Path, command: bytes) -> bytes:
    """The answer without its acknowledgement, which follows it."""
    handle = os.open(port, os.O_RDWR | os.O_NOCTTY)
    settings = termios.tcgetattr(handle)
    settings[4] = settings[5] = termios.B9600
    termios.tcsetattr(handle, termios.TCSANOW, settings)
    try:
        os.write(handle, command)
        answer = b""
        while len(answer) < 5 or len(answer) < 7 + int.from_bytes(answer[3:5], "big"):
            assert select.select([handle], [], [], PATIENCE)[0], f"only {answer.hex()} came"
            answer += os.read(handle, 64)
        os.write(handle, b"\x06")
    finally:
        os.close(handle)
    assert answer[:1] == b"\x06"
    return answer[1:]


def test_a_killed_machine_finds_its_card_again_and_ends_by_a_signal(tmp_path: Path) -> None:
    stock, port = tmp_path / "blanks", tmp_path / "crt-1"
    list(make_stock(stock, 1, CardConfig(blank())))
    with running(port, stock) as first:
        assert f"is at the serial port {port}" in ready(first)
        assert exchange(port, INITIALIZE)[7:10] == b"010"
        assert exchange(port, CONTACTS)[7:10] == b"200"
        with pytest.raises(ReaderBusy, match="another process runs the machine crt-1"):
            MachineProcess(stock / "machines" / "crt-1")
        first.kill()
    assert port.is_symlink()

    with running(port, stock) as second:
        assert f"is at the serial port {port}" in ready(second)
        assert exchange(port, STATUS)[4:9] == b"N10B0"
        assert exchange(port, INITIALIZE)[7:10] == b"200"
        control = stock / "machines" / "crt-1" / "control"
        control.write_text("damage jam\n")
        assert ready(second) == "done: damage jam\n"
        assert exchange(port, REJECT)[4:9] == b"N2310"
        control.write_text("repair\nwhistle\n")
        assert (ready(second), ready(second)) == ("done: repair\n", "nothing to do for: whistle\n")
        assert exchange(port, REJECT)[7:10] == b"000"
        second.send_signal(signal.SIGTERM)
        _, lines = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0
    assert lines.splitlines()[-1] == "cards fed: 1, given out: 0, in the error bin: 1"
    assert len(list((stock / "rejects").glob("*.card"))) == 1
    assert not port.is_symlink()
    assert not control.exists()


def test_a_machine_that_cannot_be_started(tmp_path: Path) -> None:
    def refused(*words: str | Path) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["machine", "crt571", *(str(word) for word in words)])
        return done.exit_code, " ".join(done.output.replace("│", " ").split())

    (tmp_path / "stock").mkdir()
    (tmp_path / "taken").touch()
    here = ("--serial", tmp_path / "crt", "--stock", tmp_path / "stock")
    assert "no fault of a machine" in refused(*here, "--fault", "melt:1")[1]
    assert "can strike only by itself" in refused(*here, "--fault", "nak:1", "--fault", "twice:1")[1]
    code, text = refused("--serial", tmp_path / "taken", "--stock", tmp_path / "stock")
    assert (code, "cannot be created" in text) == (2, True)
    done = CliRunner().invoke(app, ["machine", "crt571", "--serial", "x", "--stock", str(tmp_path / "none")])
    assert isinstance(done.exception, ReaderNotFound)


def test_help_teaches_how_a_machine_is_started() -> None:
    help_text = CliRunner().invoke(app, ["machine", "crt571", "--help"]).stdout
    assert "Example: membercard sim machine crt571" in help_text
