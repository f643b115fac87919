"""The counter of a merchant in Chromium: from the verdict to the receipt, by mouse, by keyboard and by scanner."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from reader_service.errors import NotFound
from reader_service.principal import Principal, Role
from reader_service.redemptions.journal import FOLDER
from reader_service.services.counter.fetched_lists import ListFaultCode, ListKind, dates_of
from reader_service.services.counter.fetching import FetchState
from terminal.errors import NoCard
from terminal.member.journal_rows import RowKind
from terminal.member.signed import Issue
from terminal.secret import Secret
from tests.pages.test_every_page import problems
from tests.pages.test_first_paint import painted
from tests.support.registry.redeemed import PARK
from tests.support.service.merchant import Edition, place
from tests.support.service.pages import Served, Sessions, served
from tests.support.service.reader_rig import COUNTER
from tests.support.service.seeded_demo import copy_of_demo
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def merchant(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Served]:
    """A demo station that is a park's counter."""
    own = tmp_path_factory.mktemp("merchant")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    now = datetime.now(UTC)
    edition = Edition(issue=Issue(7, now - timedelta(days=1), now + timedelta(days=89)))
    with copy_of_demo(shared, own) as copy:
        shutil.rmtree(copy.home / FOLDER)  # the journal of the demo's merchant: another counter has its own
        with served(copy, place=place(edition)) as running:
            yield running


@pytest.fixture
def sessions(browser: object, merchant: Served) -> Iterator[Sessions]:
    opened = Sessions(browser.started(), merchant)  # type: ignore[attr-defined]
    yield opened
    assert opened.close_all() == []


@pytest.fixture
def reader(merchant: Served) -> Iterator[str]:
    """The counter's slot, empty again at the end."""
    name = next(view.id for view in merchant.service.readers.views() if view.url == merchant.station.counter)
    yield name
    with suppress(NoCard):
        merchant.service.readers.slot(name).eject()


OTHER = "5-good"


def offered(merchant: Served, reader: str) -> bool:
    """Whether the card in the reader was verified."""
    try:
        return bool(merchant.service.redemptions.offers(COUNTER, reader).offers)
    except NotFound:
        return False


def insert(merchant: Served, reader: str, card: str = "1-good") -> None:
    """A good card."""
    merchant.service.readers.slot(reader).insert(merchant.station.slot_cards / f"{card}.card")


def redeem_one(page: Page, benefit: str) -> str:
    """Redeem one unit of a benefit for the card that is in the reader; the number of its receipt."""
    page.locator(".offer").filter(has_text=benefit).get_by_role("button").first.click()
    page.locator("dialog[open] .units button").first.click()
    expect(page.locator("#redeem.result.ok")).to_be_visible()
    return f"T0000001-{(page.get_attribute('#receipt', 'href') or '').rpartition('/')[2]}"


def shot(page: Page, name: str) -> None:
    """A picture for people, where they ask for one."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_from_the_verdict_to_the_receipt_in_three_clicks(
    sessions: Sessions, merchant: Served, reader: str, language: str
) -> None:
    page, _ = sessions.open_page("counter", language, path="/counter")
    insert(merchant, reader)
    offer = page.locator(".offer").filter(has_text={"zh": "公园年票", "en": "Park pass"}[language])
    expect(offer).to_be_visible()
    shot(page, f"offers-{language}")
    assert problems(page) == []
    offer.get_by_role("button").first.click()
    shot(page, f"choose-{language}")
    assert problems(page) == []
    page.locator("dialog[open] .units button").nth(1).click()
    expect(page.locator("#redeem.result.ok .word")).to_have_text({"zh": "核销成功", "en": "Redeemed"}[language])
    expect(page.locator(".sums")).to_contain_text("200.00")
    shot(page, f"result-{language}")
    assert problems(page) == []
    page.locator("#receipt").click()
    expect(page.locator(".receipt")).to_contain_text("东公园")
    expect(page.locator(".receipt")).to_contain_text("/ 12")
    shot(page, f"receipt-{language}")
    assert problems(page) == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_day_ends_with_a_sheet_to_compare_and_to_print(
    sessions: Sessions, merchant: Served, reader: str, language: str
) -> None:
    page, _ = sessions.open_page("counter", language, path="/counter")
    insert(merchant, reader)
    offer = page.locator(".offer").filter(has_text={"zh": "公园年票", "en": "Park pass"}[language])
    offer.get_by_role("button").first.click()
    page.locator("dialog[open] .units button").first.click()
    expect(page.locator("#redeem.result.ok")).to_be_visible()
    page.locator("#day-sheet").click()
    expect(page.locator("h1")).to_contain_text({"zh": "日结单", "en": "End-of-day sheet"}[language])
    expect(page.locator("table").first).to_contain_text({"zh": "公园年票", "en": "Park pass"}[language])
    page.locator("#counted-1").fill("0.50")
    page.get_by_role("button", name={"zh": "核对", "en": "Compare"}[language]).click()
    expect(page.locator("table").nth(1).locator(".badge.warn").first).to_contain_text("-")
    shot(page, f"day-{language}")
    assert problems(page) == []
    page.emulate_media(media="print")
    expect(page.locator(".signatures")).to_be_visible()
    shot(page, f"day-print-{language}")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_lists_that_end_soon_and_are_not_renewed_are_named(
    sessions: Sessions, merchant: Served, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, day = datetime.now(UTC), timedelta(days=1)
    rows = [
        dates_of(ListKind.TRUST, Issue(5, now - 40 * day, now + 325 * day), now),
        dates_of(ListKind.HOTLIST, Issue(41, now - 6 * day, now + 24 * day), now, 7 * day),
        dates_of(ListKind.PROGRAMME, Issue(7, now - 80 * day, now + 10 * day), now),
    ]
    state = FetchState(True, now - 6 * day, ListFaultCode.OLDER, ListKind.PROGRAMME, now - 6 * day)
    monkeypatch.setattr(merchant.service.fetching, "dates", lambda p: rows)
    monkeypatch.setattr(merchant.service.fetching, "state", lambda p: state)
    page, _ = sessions.open_page("counter", language, path="/counter")
    expect(page.locator("#fetch-now")).to_be_visible()
    shot(page, f"lists-{language}")
    assert problems(page) == []


def test_a_cashier_signs_in_with_a_pin_and_another_takes_over_in_one_step(
    sessions: Sessions, merchant: Served, reader: str
) -> None:
    store = merchant.service.cashiers.store
    store.set_pin("王芳", Secret(b"4071"), by="root", manager=True)
    store.set_pin("李娜", Secret(b"9352"), by="root")
    try:
        page, watch = sessions.open_page("counter", "zh", path=f"/counter?reader={reader}")
        watch.expected |= {409}
        expect(page.locator("#counter-cashier")).to_contain_text("尚无收银员登录")
        shot(page, "cashier-none")
        for name, pin in (("王芳", "4071"), ("李娜", "9352")):
            page.locator("#cashier-change").click()
            page.select_option("#cashier-who", name)
            page.fill("#cashier-pin", pin)
            page.press("#cashier-pin", "Enter")
            expect(page.locator("#cashier-name")).to_have_text(name)
        shot(page, "cashier")
        assert problems(page) == []
        page.goto(f"/counter/cashiers?reader={reader}")
        expect(page.locator("table")).to_contain_text("王芳")
        assert page.locator("dialog#set-pin").count() == 0, "only the manager sets PINs"
        shot(page, "cashiers")
        assert problems(page) == []
        insert(merchant, reader)
        page.goto(f"/counter?reader={reader}")
        offer = page.locator(".offer").filter(has_text="公园年票")
        offer.get_by_role("button").first.click()
        page.locator("dialog[open] .units button").first.click()
        page.locator("#receipt").click()
        expect(page.locator(".receipt")).to_contain_text("李娜")
        counter = Principal("counter", frozenset({Role.COUNTER}))
        merchant.service.cashiers.sign_in(counter, reader, "王芳", Secret(b"4071"))
        page.goto(f"/counter/cashiers?reader={reader}")
        page.get_by_role("button", name="删除 李娜").click()
        shot(page, "cashiers-remove")
        page.fill("dialog[open] input[name=own]", "4071")
        page.press("dialog[open] input[name=own]", "Enter")
        expect(page.locator("table")).not_to_contain_text("李娜")
    finally:
        if len(store.all()) > 1:
            store.remove("李娜")
        store.remove("王芳")


def test_the_keyboard_suffices(sessions: Sessions, merchant: Served, reader: str) -> None:
    page, _ = sessions.open_page("counter", "zh", path="/counter")
    insert(merchant, reader)
    offer = page.locator(".offer").filter(has_text="公园年票").get_by_role("button").first
    expect(offer).to_be_visible()
    page.keyboard.press(offer.get_attribute("data-key") or "")
    expect(page.locator("dialog[open] .units button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#redeem.result.ok")).to_be_visible()
    expect(page.locator("#receipt")).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator(".offer").first).to_be_visible()


def test_a_scanner_suffices(sessions: Sessions, merchant: Served, reader: str) -> None:
    page, _ = sessions.open_page("counter", "en", path="/counter")
    insert(merchant, reader)
    expect(page.locator("[data-scan='0101']")).to_be_visible()
    scan(page, "*0101")
    expect(page.locator("dialog[open]")).to_be_visible()
    scan(page, "*3")
    expect(page.locator("#redeem.result.ok .sums")).to_contain_text("300.00")
    scan(page, "*PRINT")
    expect(page.locator(".receipt")).to_be_visible()


def test_a_scanner_prints_the_receipt_goes_back_and_finds_a_receipt_again(
    sessions: Sessions, merchant: Served, reader: str
) -> None:
    page, _ = sessions.open_page("counter", "en", path="/counter")
    insert(merchant, reader, OTHER)
    receipt = redeem_one(page, "Park pass")
    scan(page, "*PRINT")
    expect(page.locator(".receipt svg.code")).to_be_visible()
    expect(page.locator(".receipt")).not_to_contain_text("REPRINT (COPY)")
    page.evaluate("window.print = () => dispatchEvent(new Event('afterprint'))")
    scan(page, "*PRINT")
    expect(page.locator(".receipt")).to_contain_text("REPRINT (COPY)")
    scan(page, "*NEXT")
    page.wait_for_url("**/counter")
    scan(page, f"*{receipt}")
    expect(page.locator(".receipt")).to_contain_text(receipt)


def test_a_code_that_is_scanned_before_any_module_is_there_is_printed_and_counted(
    sessions: Sessions, merchant: Served, reader: str
) -> None:
    page, _ = sessions.open_page("counter", "en", path="/counter")
    insert(merchant, reader, OTHER)
    number = redeem_one(page, "Park pass").rpartition("-")[2]
    with painted(page, f"/counter/receipts/{number}", posts=False) as paint:
        page.evaluate("window.print = () => dispatchEvent(new Event('afterprint'))")
        scan(page, "*PRINT")
        expect(page.locator(".receipt")).not_to_contain_text("REPRINT (COPY)")
        paint.release()
        expect(page.locator(".receipt")).to_contain_text("REPRINT (COPY)")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_clock_that_was_set_back_is_taken_note_of_on_the_page(
    sessions: Sessions, merchant: Served, reader: str, language: str
) -> None:
    redemptions = merchant.service.redemptions
    journal = redemptions._need().journal
    journal.acknowledge(datetime.now(UTC) + timedelta(days=1), by="test", reason="the clock was ahead")
    page, _ = sessions.open_page("counter", language, path="/counter")
    insert(merchant, reader, OTHER)
    expect(page.locator("#offers-acknowledge")).to_be_visible()
    expect(page.locator("#queue-acknowledge")).to_be_visible()
    shot(page, f"clock-{language}")
    assert problems(page) == []
    page.click("#offers-acknowledge")
    page.locator("dialog#acknowledge textarea").fill("时钟已校准")
    page.locator("dialog#acknowledge button[type=submit]").click()
    expect(page.locator("#messages")).to_contain_text({"zh": "已确认", "en": "Taken note of"}[language])
    expect(page.locator(".offer").first).to_be_visible()
    expect(page.locator("#queue-acknowledge")).to_have_count(0)
    last = list(journal.rows())[-1]
    assert (last.kind, last.text("by"), last.text("reason")) == (RowKind.ACKNOWLEDGED, "counter", "时钟已校准")


def test_fingers_suffice(sessions: Sessions, merchant: Served, reader: str) -> None:
    """A touch screen: each target is large enough for a finger (WCAG 2.2, 2.5.8), and nothing needs a pointer."""
    page, _ = sessions.open_page("counter", "zh", path="/counter", has_touch=True)
    insert(merchant, reader, OTHER)
    offer = page.locator(".offer").filter(has_text="公园年票").get_by_role("button").first
    offer.tap()
    unit = page.locator("dialog[open] .units button").first
    for target in (unit, offer):
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    unit.tap()
    page.locator("#receipt").tap()
    expect(page.locator(".receipt")).to_contain_text("公园年票")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_redemption_is_taken_back_from_its_receipt_with_its_card_in_the_reader(
    sessions: Sessions, merchant: Served, reader: str, language: str
) -> None:
    merchant.service.registry.merchants.put(PARK, by="test")
    page, watch = sessions.open_page("counter", language, path="/counter")
    watch.expected |= {409}
    insert(merchant, reader, OTHER)
    receipt = redeem_one(page, {"zh": "公园年票", "en": "Park pass"}[language])
    page.locator("#receipt").click()
    merchant.service.readers.slot(reader).eject()
    page.locator("#reverse").click()
    shot(page, f"reverse-{language}")
    assert problems(page) == []
    page.locator("dialog[open] .units button").first.click()
    expect(page.locator("dialog[open]")).to_contain_text(
        {"zh": "请将办理这笔核销的卡片", "en": "Put the card"}[language]
    )
    shot(page, f"reverse-no-card-{language}")
    insert(merchant, reader, OTHER)
    assert eventually(lambda: offered(merchant, reader))
    page.locator("dialog[open] .units button").first.click()
    expect(page.locator("#messages")).to_contain_text({"zh": "次数已退回卡内", "en": "has its uses again"}[language])
    expect(page.locator(".receipt")).to_contain_text({"zh": "已撤销", "en": "TAKEN BACK"}[language])
    expect(page.locator("#reverse")).to_have_count(0)
    shot(page, f"reversed-{language}")
    assert problems(page) == []
    page.goto("/counter/day")
    expect(page.locator("table").nth(2)).to_contain_text(receipt)
    page.fill("#find-receipt", receipt)
    page.press("#find-receipt", "Enter")
    expect(page.locator(".receipt")).to_contain_text(receipt)


def test_a_benefit_with_one_unit_left_takes_one_click(sessions: Sessions, merchant: Served, reader: str) -> None:
    page, _ = sessions.open_page("counter", "zh", path="/counter")
    merchant.service.registry.merchants.put(PARK, by="test")
    insert(merchant, reader, OTHER)
    page.locator(".offer").filter(has_text="公园年票").get_by_role("button").first.click()
    dialog = page.locator("dialog[open]")
    more = dialog.locator("input[name=more]")
    more.fill(str(int(more.get_attribute("max") or 0) - 1))
    dialog.locator("input[name=more] ~ button").click()
    expect(page.locator("#redeem.result.ok .sums")).to_contain_text("1 / 12")
    page.locator("#another").click()
    last = page.locator(".offer").filter(has_text="公园年票").get_by_role("button").first
    expect(last).to_have_text("核销")
    last.click()
    expect(page.locator("#redeem.result.ok .sums")).to_contain_text("0 / 12")
    for record in merchant.service.redemptions.records_on(COUNTER)[-2:]:  # for the other tests of this card
        assert merchant.service.reversals.reverse(COUNTER, record.receipt, "test").credited


def test_what_is_refused_says_why_and_leaves_the_choice(sessions: Sessions, merchant: Served, reader: str) -> None:
    page, _ = sessions.open_page("counter", "en", path="/counter")
    insert(merchant, reader)
    offer = page.locator(".offer").filter(has_text="Check-up")
    offer.get_by_role("button").first.click()
    page.locator("dialog[open] input[name=list_price]").fill("99.90")
    page.locator("dialog[open] .units button").last.click()
    expect(page.locator("#redeem.result.ok .sums")).to_contain_text("319.68")
    page.locator("#another").click()
    used = page.locator(".offer.refused").filter(has_text="Check-up")
    expect(used).to_contain_text("possible from")


def scan(page: Page, code: str) -> None:
    page.keyboard.type(code)
    page.keyboard.press("Enter")
