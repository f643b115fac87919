"""Receipts of redemptions: as lines of a page, as text, as a PDF file, and at the counter's printer."""

from __future__ import annotations

from reader_service.errors import Conflict
from reader_service.parts import ServiceParts
from reader_service.principal import Principal
from reader_service.redemptions.issued import IssuedReceipts
from reader_service.redemptions.journal import FOLDER
from reader_service.redemptions.receipt import ReceiptLine, receipt_lines, slip_text
from reader_service.redemptions.record import CounterRecord
from reader_service.redemptions.slip_paper import slip_bytes, slip_pdf
from reader_service.services.redeeming.redemptions import RedemptionService
from reader_service.services.redeeming.refusals import printed


class ReceiptService:
    """REDEEM. The first receipt of a redemption is the original; every further one, in whatever form, says that it is a
    copy. ``number`` is the row of the journal; every method raises NotFound for another one, Conflict without a
    merchant."""

    def __init__(self, parts: ServiceParts, redemptions: RedemptionService) -> None:
        self._parts, self._redemptions = parts, redemptions
        self._issued = IssuedReceipts(parts.data_dir / FOLDER)

    @property
    def prints(self) -> bool:
        """Whether this counter has a receipt printer."""
        return self._parts.place is not None and self._parts.place.printer is not None

    def lines(self, p: Principal, number: int, language: str) -> list[ReceiptLine]:
        """The receipt as it would be issued now, for a page."""
        record = self._redemptions.record(p, number)
        return self._lines(record, language, copy=self._issued.before(record))

    def text(self, p: Principal, number: int, language: str) -> str:
        """Plain text of 48 columns."""
        record = self._redemptions.record(p, number)
        with self._issued.issue(record) as copy:
            return slip_text(self._lines(record, language, copy=copy))

    def pdf(self, p: Principal, number: int, language: str) -> bytes:
        """A PDF file for paper of 80 mm. Raises Conflict without a Chinese font."""
        record = self._redemptions.record(p, number)
        with self._issued.issue(record) as copy, printed():
            lines = self._lines(record, language, copy=copy)
            return slip_pdf(record.receipt, record.at.date(), lines, record.receipt)

    def escpos(self, p: Principal, number: int, language: str) -> bytes:
        """Bytes for an ESC/POS printer."""
        record = self._redemptions.record(p, number)
        with self._issued.issue(record) as copy:
            return slip_bytes(self._lines(record, language, copy=copy), record.receipt)

    def print(self, p: Principal, number: int, language: str) -> None:
        """Print it, as often as wanted. Raises Conflict (``no-printer``, ``printer``): nothing was issued then."""
        record = self._redemptions.record(p, number)
        printer = self._parts.place.printer if self._parts.place is not None else None
        if printer is None:
            raise Conflict("this counter has no receipt printer: the settings name none", reason="no-printer")
        with self._issued.issue(record) as copy, printed():
            printer.send(slip_bytes(self._lines(record, language, copy=copy), record.receipt))

    def issued(self, p: Principal, number: int) -> None:
        """Note a receipt that another program has printed, such as the browser its page."""
        self._issued.note(self._redemptions.record(p, number))

    def _lines(self, record: CounterRecord, language: str, *, copy: bool) -> list[ReceiptLine]:
        return list(receipt_lines(record, self._redemptions.merchant, language, copy=copy))
