"""The whole way of a form, by five people at the browser: uploaded, returned, sent again, approved, prepared, made into
cards, and one of those taken by a counter."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from reader_service.principal import Principal, Role
from registry.values import BatchState
from tests.support.service.pages import Served, Sessions, opener

pytestmark = pytest.mark.slow

UNIT = "省地质局工会"
CLERK = Principal("registrar", frozenset({Role.REGISTRAR}))


def reason(page: Page, dialog: str, text: str) -> None:
    """Fill in and send a dialog that asks why."""
    page.click(opener(dialog))
    page.fill(f"dialog#{dialog} textarea", text)
    page.click(f"dialog#{dialog} button[type=submit]")


def upload(sessions: Sessions, at: Served, tmp_path: Path) -> str:
    """The clerk's part; gives the batch."""
    page, _ = sessions.open_page("registrar", path="/intake")
    page.set_input_files("#form", at.station.fresh_form)
    assert page.inner_text("#chosen") == at.station.fresh_form.name
    page.click("#upload button[type=submit]")
    page.wait_for_url(re.compile(r"/intake/B\d{8}-\d{3}$"))
    expect(page.locator("#messages")).to_contain_text("通过 4 行，退回 5 行")
    rows = page.locator("section[aria-labelledby=rows-title] tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("身份证号校验位不对")
    with page.expect_download() as download:
        page.get_by_role("link", name="下载批注文件").click()
    copy = tmp_path / "copy.xlsx"
    download.value.save_as(copy)
    assert download.value.suggested_filename == f"{UNIT}-审核.xlsx"
    cells = [str(cell) for row in load_workbook(copy).active.iter_rows(values_only=True) for cell in row]
    assert any("校验位" in cell for cell in cells)
    page.get_by_role("button", name="送审").click()
    expect(page.locator(".badge").first).to_contain_text("待审核")
    return page.url.rpartition("/")[2]


def review(sessions: Sessions, batch: str) -> None:
    """Returned with a reason, mended, approved."""
    page, _ = sessions.open_page("reviewer", path="/intake")
    page.get_by_role("link", name=batch).click()
    changes = page.locator("section[aria-labelledby=changes-title] tbody tr")
    expect(changes).to_have_count(4)
    expect(changes.first).to_contain_text("新会员")
    reason(page, "return", "请核对手机号后重新送审")
    expect(page.locator("#messages")).to_contain_text("已退回")
    clerk, _ = sessions.open_page("registrar", path=f"/intake/{batch}")
    expect(clerk.locator(".story")).to_contain_text("请核对手机号后重新送审")
    clerk.get_by_role("button", name="送审").click()
    expect(clerk.locator("#messages")).to_contain_text("已送审")
    page.reload()
    page.get_by_role("button", name="审核通过").click()
    expect(page.locator("dialog#approve")).to_contain_text("不能撤回")
    page.click("dialog#approve button[type=submit]")
    expect(page.locator("#messages")).to_contain_text("已审核通过")


def make(sessions: Sessions, at: Served, batch: str) -> None:
    """The operator prepares the batch and runs it over all lanes, and hears of the stranger among the blanks."""
    page, _ = sessions.open_page("operator", path="/station")
    page.click(f"#prepare-{batch}")
    page.wait_for_selector(f"#prepare-{batch}", state="detached")
    expect(page.locator(f"article:has(#batch-{batch})")).to_contain_text("待制卡")
    registry = at.service.registry
    page.locator(opener("start")).first.click()
    page.locator(f"label:has(input[value='{batch}'])").click()
    expect(page.locator("#start-choices input[name=reader]:checked")).to_have_count(4)
    page.click("dialog#start button[type=submit]")
    card = page.locator(f"article:has(#batch-{batch})")
    expect(card).to_contain_text("已完成")
    assert registry.batches.batch(batch).state is BatchState.DONE
    assert registry.batches.accounts(batch).balanced
    page.click(f"#batch-{batch}")
    refused = page.locator("main table tbody tr", has_text="2 号废卡盒")
    expect(refused).to_have_count(len(registry.line.rejects(batch)))
    assert registry.line.rejects(batch)


def verdict(sessions: Sessions, at: Served, batch: str) -> None:
    """One of the new cards is carried to the counter, before it is handed over and when a window has activated it."""
    card = at.service.registry.cards.of_batch(batch)[0]
    shutil.copyfile(
        at.station.home / "stock" / "issued" / f"chip-{card.chip_serial}.card", at.station.slot_cards / "new.card"
    )
    counter, _ = sessions.open_page("counter", path="/counter?reader=counter")
    expect(counter.locator("#verdict")).to_contain_text("请插入会员卡")
    hand, _ = sessions.open_page("developer", path="/developer?reader=counter")
    hand.select_option("select[name=card]", "new.card")
    hand.get_by_role("button", name="插入").click()
    shown = counter.locator("#verdict")
    expect(shown).to_have_attribute("data-verdict", "NOT_ACTIVATED")
    expect(shown.locator(".word")).to_have_text("未发放")
    for state in ("packed", "delivered"):
        at.service.registry.cards.change(card.card_number, state, "registrar", "")
    at.service.updates.activate(CLERK, "counter", "居民身份证")
    expect(shown).to_have_attribute("data-verdict", "ACTIVE")
    expect(shown).to_contain_text(UNIT)
    expect(shown.locator(".word")).to_have_text("有效")
    hand.locator("button[data-key=e]").click()
    expect(hand.locator("#reader-counter")).to_contain_text("没有卡片")


def test_a_counter_shows_no_verdict_that_may_be_of_another_card(sessions: Sessions, at: Served) -> None:
    """Neither while it hears nothing of its reader, nor of a card that was judged before the page came."""
    page, _ = sessions.open_page("counter", path="/counter?reader=counter")
    shown, slot = page.locator("#verdict"), at.service.readers.slot("counter")
    expect(shown).to_have_attribute("data-waits", "insert")
    slot.insert(at.station.slot_cards / "1-good.card")
    try:
        expect(shown).to_have_attribute("data-verdict", "ACTIVE")
        expect(page.locator("#announce")).to_contain_text("有效。可以享受会员服务。")
        page.evaluate("document.dispatchEvent(new Event('htmx:sendError'))")
        expect(shown).to_have_attribute("data-waits", "nothing")
        expect(shown).to_contain_text("暂时不能验卡")
        page.reload()
        expect(shown).to_contain_text("请取出卡片，重新插入")
    finally:
        slot.eject()
    expect(shown).to_contain_text("请插入会员卡")


def test_from_a_form_to_a_card_that_a_counter_takes(sessions: Sessions, at: Served, tmp_path: Path) -> None:
    batch = upload(sessions, at, tmp_path)
    review(sessions, batch)
    make(sessions, at, batch)
    verdict(sessions, at, batch)
    assert at.service.registry.audit.verify().whole
