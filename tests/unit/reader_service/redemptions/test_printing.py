"""Receipts as PDF and for ESC/POS printers: what is printed, in which bytes, and printers that are not ready."""

from __future__ import annotations

import socket
import threading
from datetime import date
from pathlib import Path

import pypdfium2
import pytest

from reader_service.redemptions.printer import PrinterNotReady, ReceiptPrinter
from reader_service.redemptions.receipt import LineStyle, ReceiptLine, receipt_lines
from reader_service.redemptions.slip_paper import WIDTH, slip_bytes, slip_pdf
from terminal.errors import CodecError
from tests.unit.reader_service.pages.counter.test_redeeming import RECORD

NAME = "北京市某某区某某街道职工文化体育活动中心东门售票处一号窗口"
PAPER, NO_PAPER = b"\x12", b"\x72"
"""Answers to DLE EOT 4."""


class Printer(threading.Thread):
    """A network printer that takes one connection. ``status`` is what it answers to a question; None: nothing."""

    def __init__(self, status: bytes | None) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._status, self.received = status, b""
        self.start()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with connection, self._listener:
            if self._status is not None:
                connection.recv(3)
                connection.sendall(self._status)
            while part := connection.recv(4096):
                self.received += part


@pytest.mark.parametrize(("language", "word"), [("zh", "核销成功"), ("en", "Redeemed")])
def test_a_receipt_is_a_pdf_page_of_80_mm_with_its_number(language: str, word: str) -> None:
    lines = list(receipt_lines(RECORD, NAME, language))
    document = pypdfium2.PdfDocument(slip_pdf(RECORD.receipt, date(2026, 11, 22), lines, RECORD.receipt))
    assert len(document) == 1
    width, height = document[0].get_size()
    assert round(width * 25.4 / 72, 1) == WIDTH
    assert height > width
    text = "".join(document[0].get_textpage().get_text_range().split())
    for part in (word.replace(" ", ""), "7/12", "T0000001-12", "200.00", NAME[:8]):
        assert part in text


def test_a_slip_for_a_printer_is_in_gb_18030_with_a_code_and_a_cut() -> None:
    content = slip_bytes(receipt_lines(RECORD, NAME, "zh"), RECORD.receipt)
    assert content.startswith(b"\x1b@")
    assert b"\x1c&" in content[:8]
    for text in ("核销成功", "公园年票", "王芳"):
        assert text.encode("gb18030") in content
    assert b"\x1d(k" in content, "the printer draws the QR code itself"
    assert content.count(b"T0000001-12") == 3, "on its line, in the code and below it"
    assert b"\x1dV" in content[-8:]


def test_no_text_is_a_command_and_no_letter_is_one_that_printers_lack() -> None:
    lines = [ReceiptLine(LineStyle.PAIR, "\x1b@a\x1d", "\x10\x04"), ReceiptLine(LineStyle.MIDDLE, "𠮷林😀")]
    content = slip_bytes(lines)
    assert content.count(b"\x1b@") == 1
    assert b"\x10\x04" not in content
    assert "〓林〓".encode("gb18030") in content


@pytest.mark.parametrize("status", [PAPER, None])
def test_a_network_printer_gets_the_bytes(monkeypatch: pytest.MonkeyPatch, status: bytes | None) -> None:
    monkeypatch.setattr("reader_service.redemptions.printer.SECONDS", 0.2 if status is None else 60.0)
    printer = Printer(status)
    ReceiptPrinter.of(printer.address).send(b"slip")
    printer.join(60)
    assert printer.received.endswith(b"slip")


def test_a_printer_without_paper_gets_nothing() -> None:
    printer = Printer(NO_PAPER)
    with pytest.raises(PrinterNotReady, match="no paper"):
        ReceiptPrinter.of(printer.address).send(b"slip")
    printer.join(60)
    assert printer.received == b""


def test_a_printer_that_is_away_is_a_fault_of_the_printing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for address in (f"tcp://127.0.0.1:{port}", "serial:/dev/no-such-device", f"file:{tmp_path}/none/lp0"):
        with pytest.raises(PrinterNotReady, match="printed again"):
            ReceiptPrinter.of(address).send(b"slip")


def test_a_device_file_gets_the_bytes(tmp_path: Path) -> None:
    ReceiptPrinter.of(f"file:{tmp_path / 'lp0'}").send(b"slip")
    assert (tmp_path / "lp0").read_bytes() == b"slip"


@pytest.mark.parametrize(
    "address", ["", "tcp://", "tcp://host:0", "tcp://host:99999", "lp0", "serial:ttyUSB0", "http://p"]
)
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(CodecError, match="a receipt printer is"):
        ReceiptPrinter.of(address)


def test_addresses_name_port_and_speed() -> None:
    assert ReceiptPrinter.of("tcp://10.0.0.7") == ReceiptPrinter(host="10.0.0.7", port=9100)
    assert ReceiptPrinter.of("tcp://till.local:4242").port == 4242
    assert ReceiptPrinter.of("serial:/dev/ttyUSB0?baud=115200") == ReceiptPrinter(device="/dev/ttyUSB0", baud=115200)
