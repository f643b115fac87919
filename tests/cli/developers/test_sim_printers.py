"""``membercard sim machine evolis`` and ``msr605``: machines as processes, and persons at them."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulators.card.config import CardConfig
from simulators.cli import app
from simulators.machines.stripe.formats import ISO_FORMATS
from simulators.machines.stripe.stripe import StripeFile, write_text
from simulators.readers.stock import blank, make_stock
from tests.support.waiting import PATIENCE


def start(*words: object) -> subprocess.Popen[str]:
    code = "from simulators.cli import app; app()"
    command = [sys.executable, "-c", code, "machine", *map(str, words)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


def ask(link: socket.socket, command: bytes, length: int) -> bytes:
    link.sendall(b"\x1b" + command + b"\r")
    answer = b""
    while len(answer) < length and (part := link.recv(length - len(answer))):
        answer += part
    return answer


def test_a_printer_prints_rejects_and_runs_out_of_ribbon(tmp_path: Path) -> None:
    stock = tmp_path / "blanks"
    cards = [path.stem for path in make_stock(stock, 2, CardConfig(blank()))]
    with start("evolis", "--stock", stock, "--tcp", "127.0.0.1:0", "--ribbon", "k", "--prints", 1) as process:
        ready = line_of(process)
        address = re.search(r"127\.0\.0\.1:(\d+)", ready)
        assert address is not None, ready
        with socket.create_connection(("127.0.0.1", int(address[1])), timeout=PATIENCE) as link:
            assert "a host at 127.0.0.1 is connected" in line_of(process)
            assert ask(link, b"Pem;4", 1) == b"\x06"
            panel = b"Dbc;k;2;1016;" + b"\xff" * 1016
            assert [ask(link, command, 1) for command in (b"Sis", b"Ss", panel, b"Ser")] == [b"\x06"] * 4
            assert [ask(link, b"Ss", 1), ask(link, panel, 2)] == [b"\x06", b"\x15R"]
            with (stock / "machines" / "evolis" / "control").open("w") as control:
                control.write("ribbon k 5\nclean\nmisfeed\nstripe W\nnonsense\n")
            assert [line_of(process) for _ in range(5)] == [
                "done: ribbon k 5\n", "done: clean\n", "done: misfeed\n", "done: stripe W\n",
                "nothing to do for: nonsense\n",
            ]  # fmt: skip
            assert [ask(link, b"Scs", 1), ask(link, b"Dm;2;12", 1), ask(link, b"Smw", 2)] == [
                b"\x06",
                b"\x06",
                b"\x15W",
            ]
            assert ask(link, b"Se", 1) == b"\x06"
            assert ask(link, b"Sis", 2) == b"\x15F"
        assert "disconnected" in line_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert line_of(process) == "cards fed: 2, given out: 1, rejected: 1\n"
    assert sorted(path.name for path in (stock / "rejects").iterdir()) == [f"{cards[0]}.card", f"{cards[0]}.front.png"]
    assert sorted(path.name for path in (stock / "issued").iterdir()) == [f"{cards[1]}.card", f"{cards[1]}.front.png"]


def test_a_stripe_writer_reads_the_cards_that_are_swiped(tmp_path: Path) -> None:
    card, port = tmp_path / "chip-1.card", tmp_path / "stripe-1"
    card.touch()
    StripeFile(card).write(write_text(StripeFile(card).read(), 2, "12", ISO_FORMATS[2]))
    with start("msr605", "--serial", port, "--swipe", card) as process:
        assert f"is at the serial port {port}" in line_of(process)
        handle = os.open(port, os.O_RDWR | os.O_NOCTTY)
        settings = termios.tcgetattr(handle)
        settings[4] = settings[5] = termios.B9600
        termios.tcsetattr(handle, termios.TCSANOW, settings)
        expected = bytes.fromhex("1B73 1B01 1B02 3B31323F 1B03 3F1C 1B30")
        assert process.stdin is not None
        for swipe in ("", f"{card}\n"):
            os.write(handle, b"\x1br")
            process.stdin.write(swipe)
            process.stdin.flush()
            answer = b""
            while len(answer) < len(expected):
                assert select.select([handle], [], [], PATIENCE)[0], answer
                answer += os.read(handle, 64)
            assert answer == expected
        os.close(handle)
        assert line_of(process) == "chip-1.card was swiped\n"
        process.stdin.write(f"{card}\nbad nowhere.card\n")
        process.stdin.close()
        assert line_of(process) == "chip-1.card was swiped, and no command waits for a card\n"
        assert line_of(process) == "there is no card file nowhere.card\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert not port.is_symlink()


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["evolis", "--stock", "."], "--tcp or a port with --serial"),
        (["evolis", "--stock", ".", "--tcp", "1:2", "--serial", "p"], "--tcp or a port with --serial"),
        (["evolis", "--stock", ".", "--tcp", "here"], "'here' is not HOST:PORT"),
        (["evolis", "--stock", ".", "--tcp", "192.0.2.1:9100"], "192.0.2.1:9100 cannot be used"),
        (["evolis", "--stock", ".", "--tcp", "127.0.0.1:0", "--fault", "power-page:1"], "reader of its own"),
        (["evolis", "--stock", ".", "--tcp", "127.0.0.1:0", "--fault", "x:1"], "no fault of a machine"),
        (["msr605", "--serial", "p", "--swipe", "nowhere.card"], "there is no card file nowhere.card"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], refusal: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["machine", *words], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert refusal in " ".join(done.output.replace("│", " ").split())
