"""Packing in the browser: a scanner that types faster than the service answers loses no card; no mouse is needed."""

from __future__ import annotations

from playwright.sync_api import expect

from membercard.demo.station import EVERYTHING
from registry.handover.values import CardPlace
from tests.support.registry.registrar import approved, claimed, prepare, row
from tests.support.service.pages import Served, Sessions


def test_cards_scanned_without_a_pause_are_all_ticked_off_and_the_box_is_closed_by_keyboard(
    at: Served, sessions: Sessions
) -> None:
    registry = at.service.registry
    batch = approved(registry, [row(number, unit="装箱单位") for number in range(9001, 9009)], "packing")
    prepare(registry, at.service.parts.custody, batch)
    for number in range(9001, 9009):
        registry.line.verified(claimed(registry, batch, number), {}, 1.0)
    page, watch = sessions.open_page(EVERYTHING, "en", path="/packing")
    page.select_option("#create-batch", batch)
    page.get_by_label("Cards of a box, at most").fill("500")
    page.get_by_label("Units that share a box have").fill("500")
    page.get_by_role("button", name="Create boxes").click()
    page.wait_for_url("**/packing/X*")
    box = page.url.rsplit("/", 1)[1]
    cards = registry.boxes.cards(box)
    expect(page.locator("#scan-field")).to_be_focused()
    for card in cards:
        page.keyboard.type(f"{card.card_number}-{card.sequence}")
        page.keyboard.press("Enter")
    expect(page.locator("#box-live .badge.ok", has_text="Ticked off")).to_have_count(len(cards))
    expect(page.locator("#scan-field")).to_be_focused()
    watch.expected.add(404)
    page.keyboard.type("6212269999999999999")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("Put it aside")
    page.get_by_role("button", name="Close the box").press("Enter")
    expect(page.locator("main")).to_contain_text("Box closed")
    assert registry.boxes.places(batch)[CardPlace.PACKED] == len(cards)
    with page.expect_download() as download:
        page.get_by_role("link", name="Delivery list (PDF)").press("Enter")
    assert download.value.suggested_filename == f"{box}-发放表.pdf"
    page.get_by_role("button", name="Undo: Box closed").press("Enter")
    expect(page.locator("#scan-field")).to_be_visible()
    registry.boxes.discard(box, "test", "test")
