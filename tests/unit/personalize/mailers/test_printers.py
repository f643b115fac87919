"""Where PIN letters go: what is no printer is refused before, and what broke off is a fault."""

from __future__ import annotations

import os
import pty
import socket
import threading
from pathlib import Path

import pytest

from personalize.errors import LetterPrinterFault
from personalize.mailers.printers import PipePrinter, PortPrinter, QueuePrinter, letter_printer

DOCUMENT = b"%PDF" + bytes(300_000)


@pytest.mark.parametrize(
    "wrong", ["", "lp:", "lp:-h", "lp:a b", "lp:a/b", "tcp:host", "tcp:host:0", "tcp:host:65536", "file:/tmp/x", "x"]
)
def test_what_is_no_printer_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="lp:QUEUE"):
        letter_printer(wrong)


def test_printers_are_named_for_the_record() -> None:
    names = ["lp:letters-2", "tcp:192.0.2.1:9100", "tcp:[::1]:9100", "-"]
    assert [letter_printer(name).name for name in names] == names


def commands(folder: Path, monkeypatch: pytest.MonkeyPatch, *, lpstat: int = 0, lp: int = 0) -> None:
    """Commands of CUPS that keep what they are given, in a PATH of their own."""
    for name, status in (("lp", lp), ("lpstat", lpstat)):
        script = folder / name
        taken = f'echo "$@" > {folder}/{name}.arguments\n/bin/cat > {folder}/{name}.in\n'
        script.write_text(f"#!/bin/sh\n{taken}exit {status}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_queue_takes_the_document_by_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands(tmp_path, monkeypatch)
    printer = QueuePrinter("letters")
    printer.ready()
    printer.send(bytearray(DOCUMENT))
    assert (tmp_path / "lpstat.arguments").read_text() == "-a letters\n"
    assert (tmp_path / "lp.arguments").read_text() == "-d letters -t letters\n"
    assert (tmp_path / "lp.in").read_bytes() == DOCUMENT


def test_a_queue_that_does_not_print_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands(tmp_path, monkeypatch, lpstat=1, lp=1)
    with pytest.raises(LetterPrinterFault, match="no printer queue letters"):
        QueuePrinter("letters").ready()
    with pytest.raises(LetterPrinterFault, match="status 1"):
        QueuePrinter("letters").send(bytearray(DOCUMENT))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(LetterPrinterFault, match="cups-client"):
        QueuePrinter("letters").ready()


class PrinterAtPort(threading.Thread):
    """A printer that takes ``most`` bytes of each document, and closes."""

    def __init__(self, most: int) -> None:
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.most, self.taken = self.server.getsockname()[1], most, b""
        self.start()

    def run(self) -> None:
        connected, _ = self.server.accept()
        with connected, self.server:
            while len(self.taken) < self.most and (part := connected.recv(65536)):
                self.taken += part
            if self.taken and len(self.taken) < len(DOCUMENT):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_a_port_takes_a_document_and_closes() -> None:
    there = PrinterAtPort(1 << 30)
    printer = PortPrinter("127.0.0.1", there.port)
    printer.ready()
    printer.send(bytearray(DOCUMENT))
    there.join(10)
    assert there.taken == DOCUMENT


def test_a_port_that_breaks_off_is_a_fault() -> None:
    there = PrinterAtPort(1)
    printer = PortPrinter("127.0.0.1", there.port)
    printer.ready()
    with pytest.raises(LetterPrinterFault, match="broke off"):
        printer.send(bytearray(DOCUMENT * 20))
    there.join(10)
    with pytest.raises(LetterPrinterFault, match="no printer answers"):
        printer.ready()
    with pytest.raises(LetterPrinterFault, match="not connected"):
        printer.send(bytearray(DOCUMENT))


def test_letters_go_into_a_pipe_and_never_to_a_file_a_terminal_or_nowhere(tmp_path: Path) -> None:
    for path in (tmp_path / "letters.pdf", Path(os.devnull), Path("/dev/zero")):
        with path.open("wb") as file, pytest.raises(LetterPrinterFault, match="never to a terminal, a file or nowhere"):
            PipePrinter(file.fileno()).ready()
    controller, terminal = pty.openpty()
    with pytest.raises(LetterPrinterFault, match="never to a terminal"):
        PipePrinter(terminal).ready()
    os.close(controller)
    os.close(terminal)
    with pytest.raises(LetterPrinterFault, match="closed"):
        PipePrinter(terminal).ready()


def test_a_pipe_takes_the_document_and_a_closed_one_is_a_fault() -> None:
    reading, writing = os.pipe()
    printer, taken = PipePrinter(writing), bytearray()
    printer.ready()

    def read() -> None:
        while len(taken) < len(DOCUMENT):
            taken.extend(os.read(reading, 65536))

    reader = threading.Thread(target=read)
    reader.start()
    printer.send(bytearray(DOCUMENT))
    reader.join(10)
    assert bytes(taken) == DOCUMENT
    os.close(reading)
    with pytest.raises(LetterPrinterFault, match="pipe was closed"):
        printer.send(bytearray(DOCUMENT))
    os.close(writing)
