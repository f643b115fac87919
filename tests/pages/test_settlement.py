"""A merchant's month in the office, as two people work on it: rate, dispute, decision, two signatures, files."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from openpyxl import Workbook, load_workbook
from playwright.sync_api import Page, expect

from membercard.demo.station import EVERYTHING
from reader_service.services.programme.booking import prove_with
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.values import CardState
from tests.support.registry.redeemed import CountingChip, Till, approve_all
from tests.support.service.pages import PHONE, Served, Sessions, opener

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
NUMBER, ACCOUNT = "TEAHOUSE", "6222000000004321"
HEADER = ("商户号", "商户名称", "合同起始日", "合同终止日", "权益类别", "账号", "网点名称", "终端号")


def ask(page: Page, dialog: str, why: str) -> None:
    page.click(opener(dialog))
    page.fill(f"dialog#{dialog} textarea", why)
    page.click(f"dialog#{dialog} button[type=submit]")


def expect_message(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.locator("#messages")).to_contain_text(text)


def sheet(path: Path, *rows: tuple[str, ...]) -> Path:
    book = Workbook()
    page: Any = book.active
    for row in (HEADER, *rows):
        page.append(row)
    book.save(path)
    return path


def booked(at: Served, month_end: date, *amounts: int) -> None:
    """Redemptions of the tea house's counter in that month, as its upload books them."""
    registry, custody = at.service.parts.registry, at.service.parts.custody
    cards = [card for card in registry.cards.page(limit=200).items if card.state is CardState.ACTIVE]
    free = [card for card in cards if not registry.redemptions.page(card_number=card.card_number).items]
    chip = CountingChip(custody, free[-1].card_number, free[-1].sequence)  # type: ignore[arg-type]
    till = Till("7e" * 16, datetime.combine(month_end, datetime.min.time(), UTC))
    given: dict[str, Any] = {"day": month_end, "merchant": NUMBER, "terminal": "TEA00001"}
    till.redeemed(*(chip.redeem(amount=amount, **given) for amount in amounts))
    (outlet,) = registry.merchants.merchant(NUMBER).outlets
    done = registry.booking.book(outlet.id, till.upload(), prove_with(custody), by="tea house")
    assert (done.booked, done.findings) == (len(amounts), {})


def test_a_month_of_a_merchant_from_its_rate_to_the_signed_pdf(sessions: Sessions, at: Served, tmp_path: Path) -> None:
    registry = at.service.parts.registry
    contract = date(2020, 1, 1), date(2099, 12, 31)
    tea = NewMerchant(NUMBER, "前门茶馆", *contract, ("0101",), (NewOutlet("大厅", "", ("TEA00001",)),), "", ACCOUNT)
    registry.merchants.put(tea, by="clerk")
    approve_all(registry)
    last = datetime.now(at.service.parts.zone).date().replace(day=1) - timedelta(days=1)
    month = f"{last:%Y-%m}"
    booked(at, last, 1000, 2500)

    clerk, _ = sessions.open_page("registrar", "en", path=f"/merchants/number/{NUMBER}")
    clerk.click(opener("rate"))
    clerk.fill("#rate-unit", "2.50")
    clerk.fill("#rate-share", "-1.5")
    clerk.fill("#rate-reason", "contract 7")
    clerk.click("dialog#rate button[type=submit]")
    clerk.wait_for_url(re.compile(r"/merchants/changes/\d+"))
    expect(clerk.locator("main")).to_contain_text("2.50 yuan for a unit, -1.50 % of the amount")
    assert clerk.locator(opener("approve")).count() == 0, "who asks does not approve"
    change = clerk.url

    second, _ = sessions.open_page("reviewer", path="/waiting")
    expect(second.locator("main")).to_contain_text("前门茶馆")
    second.goto(change)
    second.click(opener("approve"))
    second.click("dialog#approve button[type=submit]")
    expect_message(second, "变更已生效")

    second.goto(f"/settlements/redemptions?merchant={NUMBER}")
    expect(second.locator("main tbody tr")).to_have_count(2)
    second.click(f"main tbody tr:first-child {opener('dispute')}")
    second.fill("#dispute-reason", "会员未到场")
    second.click("dialog#dispute button[type=submit]")
    expect_message(second, "待另一人处理")

    clerk.goto("/settlements")
    clerk.click(opener("draw-up"))
    clerk.fill("#draw-merchant", NUMBER)
    clerk.fill("#draw-month", month)
    clerk.click("dialog#draw-up button[type=submit]")
    clerk.wait_for_url(re.compile(r"/settlements/\d+$"))
    expect(clerk.locator("main")).to_contain_text("0 held (0.00 yuan), 1 disputed (25.00 yuan)")
    ask(clerk, "discard", "the dispute is decided first")
    expect_message(clerk, "Discarded")

    third, _ = sessions.open_page(EVERYTHING, path="/settlements/disputes")
    third.click("main tbody tr:last-child a")
    ask(third, "accept", "有签字单")
    expect_message(third, "已认可")

    clerk.goto("/settlements")
    clerk.click(opener("draw-up"))
    clerk.fill("#draw-merchant", NUMBER)
    clerk.fill("#draw-month", month)
    clerk.click("dialog#draw-up button[type=submit]")
    # 2 x 2.50 less 1.5 % of 10.00 and of 25.00, which is 0.375 and rounded
    expect(clerk.locator("main")).to_contain_text("The union owes the merchant 4.47 yuan")
    clerk.click(opener("sign"))
    clerk.click("dialog#sign button[type=submit]")
    expect_message(clerk, "another person signs")
    assert clerk.locator(opener("sign")).count() == 0
    second.goto(clerk.url)
    second.click(opener("sign"))
    second.click("dialog#sign button[type=submit]")
    expect_message(second, "已签字结清")
    with second.expect_download() as pdf:
        second.click("a[href$='statement.pdf']")
    text = "".join(
        "".join(page.get_textpage().get_text_range().split()) for page in pypdfium2.PdfDocument(pdf.value.path())
    )
    for part in ("前门茶馆", month, "工会应付商户4.47元", "registrar", "reviewer"):
        assert part in text
    with second.expect_download() as xlsx:
        second.click("a[href$='statement.xlsx']")
    xlsx.value.save_as(tmp_path / "statement.xlsx")
    assert "前门茶馆" in str(load_workbook(tmp_path / "statement.xlsx").worksheets[0]["B2"].value)

    clerk.goto("/settlements/payouts")
    clerk.click(opener("draw-up"))
    clerk.fill("#payout-month", month)
    clerk.click("dialog#draw-up button[type=submit]")
    clerk.wait_for_url(re.compile(r"/settlements/payouts/\d+$"))
    expect(clerk.locator("main tbody")).to_contain_text("************4321")
    with clerk.expect_download() as csv:
        clerk.click("a[href$='payout.csv']")
    assert f"{NUMBER},前门茶馆,{ACCOUNT}," in Path(csv.value.path()).read_text("utf-8-sig")
    second.set_viewport_size(PHONE)
    wide, room = second.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= room, "a statement fits a phone"


def test_a_sheet_of_merchants_is_checked_and_another_account_needs_a_second_person(
    sessions: Sessions, at: Served, tmp_path: Path
) -> None:
    row = ("BATHS", "清华池", "2026-01-01", "2027-12-31", "0101", "6222000000001111", "前厅", "BATH0001")
    clerk, _ = sessions.open_page("registrar", path="/merchants/import")
    clerk.set_input_files("#sheet", sheet(tmp_path / "wrong.xlsx", row, ("浴池", *row[1:6], "后厅", "BATH0001")))
    clerk.click("form[action='/merchants/import'] button[type=submit]")
    expect(clerk.locator("#result tbody tr")).to_have_count(2)
    expect(clerk.locator("#result")).to_contain_text("未登记：有 2 处问题")
    clerk.set_input_files("#sheet", sheet(tmp_path / "right.xlsx", row))
    clerk.click("form[action='/merchants/import'] button[type=submit]")
    clerk.wait_for_url("**/merchants")
    expect_message(clerk, "1 项变更待第二人批准")
    clerk.goto("/merchants/number/BATHS")
    expect(clerk.locator("main dl").first).to_contain_text("–")
    clerk.click("section[aria-labelledby=waits-title] tbody a")
    change = clerk.url
    second, _ = sessions.open_page("reviewer", "en", path=change)
    second.click("form[action$='/look'] button")
    expect(second.locator("#unmasked")).to_contain_text("6222000000001111")
    second.click(opener("approve"))
    second.click("dialog#approve button[type=submit]")
    expect_message(second, "The change is in force")
    clerk.goto("/merchants/number/BATHS")
    clerk.click(opener("unmask"))
    clerk.fill("#unmask-reason", "核对合同")
    clerk.click("dialog#unmask button[type=submit]")
    expect(clerk.locator("#unmasked")).to_contain_text("6222000000001111")
    ask(clerk, "end", "停业")
    expect_message(clerk, "待第二人批准")
    assert at.service.parts.registry.merchants.merchant("BATHS").ended_at is None
    (latest, *_) = at.service.parts.registry.audit.page(limit=1).items
    assert latest.entry.action == "merchant.change-request"
