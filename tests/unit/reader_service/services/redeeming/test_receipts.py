"""Receipts: the first is the original, every further one says that it is a copy, on each kind of paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import cast

import pypdfium2
import pytest

from reader_service.errors import Conflict, Forbidden, NotFound
from reader_service.redemptions.issued import IssuedReceipts
from reader_service.redemptions.printer import PrinterNotReady, ReceiptPrinter
from reader_service.redemptions.record import CounterRecord
from reader_service.services.redeeming.receipts import ReceiptService
from tests.support.service.merchant_rig import MerchantRig, issued_cards, merchant_rig
from tests.support.service.reader_rig import COUNTER, OPERATOR
from tests.unit.reader_service.pages.counter.test_redeeming import RECORD

COPY = {"zh": "重打（副本）", "en": "REPRINT (COPY)"}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    return issued_cards(tmp_path_factory.mktemp("issued"))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, issued: tuple[str, list[Path]]) -> Iterator[MerchantRig]:
    with merchant_rig(tmp_path_factory.mktemp("rig"), issued) as running:
        yield running


@pytest.fixture(scope="module")
def record(rig: MerchantRig) -> CounterRecord:
    return rig.redeem(rig.insert())


@pytest.fixture
def receipts(rig: MerchantRig, record: CounterRecord) -> ReceiptService:
    """As after a start of the counter where no receipt was issued."""
    (rig.service.parts.data_dir / "redemptions" / "receipts").unlink(missing_ok=True)
    return again(rig)


def again(rig: MerchantRig) -> ReceiptService:
    return ReceiptService(rig.service.parts, rig.service.redemptions)


def on_paper(receipts: ReceiptService, number: int, kind: str, language: str) -> str:
    """What stands on a receipt of this kind, which is issued by this."""
    if kind == "text":
        return receipts.text(COUNTER, number, language)
    if kind == "escpos":
        return receipts.escpos(COUNTER, number, language).decode("gb18030", "replace")
    page = pypdfium2.PdfDocument(receipts.pdf(COUNTER, number, language))[0]
    return str(page.get_textpage().get_text_range())


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", ["text", "pdf", "escpos"])
def test_every_receipt_after_the_first_says_that_it_is_a_copy(
    rig: MerchantRig, record: CounterRecord, receipts: ReceiptService, kind: str, language: str
) -> None:
    first, second = (on_paper(receipts, record.number, kind, language) for _ in range(2))
    assert (COPY[language] in first, COPY[language] in second) == (False, True)
    for other in ("text", "pdf", "escpos"):
        assert COPY[language] in on_paper(again(rig), record.number, other, language), "after a restart, in any form"


def test_a_page_that_was_only_looked_at_is_no_receipt(record: CounterRecord, receipts: ReceiptService) -> None:
    for _ in range(2):
        assert COPY["zh"] not in {line.text for line in receipts.lines(COUNTER, record.number, "zh")}
    receipts.issued(COUNTER, record.number)
    assert COPY["zh"] in {line.text for line in receipts.lines(COUNTER, record.number, "zh")}


def test_a_receipt_that_the_printer_did_not_take_was_not_issued(
    rig: MerchantRig, record: CounterRecord, receipts: ReceiptService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Conflict) as none:
        receipts.print(COUNTER, record.number, "zh")
    assert none.value.params["reason"] == "no-printer"
    paper = tmp_path / "lp0"
    for address in (f"file:{tmp_path}/none/lp0", f"file:{paper}", f"file:{paper}"):
        assert rig.service.parts.place is not None
        place = replace(rig.service.parts.place, printer=ReceiptPrinter.of(address))
        monkeypatch.setattr(receipts, "_parts", replace(rig.service.parts, place=place))
        if "none" in address:
            with pytest.raises(Conflict):
                receipts.print(COUNTER, record.number, "zh")
        else:
            copy = paper.exists()
            paper.write_bytes(b"")
            receipts.print(COUNTER, record.number, "zh")
            assert (COPY["zh"].encode("gb18030") in paper.read_bytes()) == copy


@pytest.mark.parametrize("taken", [True, False], ids=["printed", "out-of-paper"])
def test_of_two_receipts_at_once_one_is_a_copy(
    rig: MerchantRig, record: CounterRecord, receipts: ReceiptService, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """The second is wanted while the printer works on the first."""
    during: list[str] = []

    class Printer:
        def send(self, content: bytes) -> None:
            assert COPY["zh"].encode("gb18030") not in content
            during.append(receipts.text(COUNTER, record.number, "zh"))
            if not taken:
                raise PrinterNotReady("out of paper")

    assert rig.service.parts.place is not None
    place = replace(rig.service.parts.place, printer=cast("ReceiptPrinter", Printer()))
    monkeypatch.setattr(receipts, "_parts", replace(rig.service.parts, place=place))
    with nullcontext() if taken else pytest.raises(Conflict):
        receipts.print(COUNTER, record.number, "zh")
    assert [COPY["zh"] in text for text in during] == [True]


def test_nobody_else_has_receipts(record: CounterRecord, receipts: ReceiptService) -> None:
    with pytest.raises(Forbidden):
        receipts.issued(OPERATOR, record.number)
    with pytest.raises(NotFound):
        receipts.text(COUNTER, 999, "zh")


def test_the_receipt_of_a_redemption_that_was_taken_back_is_another_one(tmp_path: Path) -> None:
    before = IssuedReceipts(tmp_path)
    before.note(RECORD)
    back = replace(RECORD, reversed=True)
    later = IssuedReceipts(tmp_path)
    assert (later.before(RECORD), later.before(back)) == (True, False)
    later.note(back)
    assert IssuedReceipts(tmp_path).before(back)
    assert (tmp_path / "receipts").stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_loses_no_other_receipt(tmp_path: Path) -> None:
    IssuedReceipts(tmp_path).note(RECORD)
    with (tmp_path / "receipts").open("a") as file:
        file.write("T0000001-9")
    IssuedReceipts(tmp_path).note(replace(RECORD, number=97))
    assert [IssuedReceipts(tmp_path).before(replace(RECORD, number=number)) for number in (12, 97, 98)] == [
        True,
        True,
        False,
    ]


def test_a_receipt_is_issued_where_that_cannot_be_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "receipts").mkdir()
    receipts = IssuedReceipts(tmp_path)
    assert not receipts.before(RECORD)
    receipts.note(RECORD)
    assert receipts.before(RECORD)
    assert "receipt not noted as issued" in caplog.text
