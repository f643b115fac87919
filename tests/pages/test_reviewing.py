"""The review of a roster in the browser: by keyboard, masked on paper, and gone with the page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.registry.registrar import UNIT, row
from tests.support.service.pages import Served, Sessions


def test_rows_are_marked_by_keyboard_masked_on_paper_and_gone_with_the_page(at: Served, sessions: Sessions) -> None:
    registry = at.service.registry
    people = [row(number) for number in range(9101, 9104)]
    batch = registry.rosters.import_roster(UNIT, people, [], source="f.xlsx", digest="review", by="registrar").id
    registry.reviews.submit(batch, by="registrar")
    page, _ = sessions.open_page("reviewer", "en", path=f"/intake/{batch}")
    page.keyboard.press("v")
    page.wait_for_url("**/review")
    page.evaluate("htmx.config.defaultSettleDelay = 5000")  # keys work before what was swapped in has settled
    page.get_by_label("Reason").fill("compared with annex 5")
    page.get_by_label("Reason").press("Enter")
    current = page.locator("#clear tr[aria-current]")
    expect(current).to_have_id(f"review-{people[0].sheet_row}")
    name = page.get_by_text(people[0].person.id_number, exact=True)
    expect(name).to_be_visible()
    page.keyboard.press("n")
    expect(current).to_have_id(f"review-{people[1].sheet_row}")
    page.keyboard.press("d")
    page.keyboard.type("another birthday")
    page.keyboard.press("Enter")
    expect(current).to_have_id(f"review-{people[2].sheet_row}")
    expect(page.locator("#review-progress")).to_contain_text("1 rows right, 1 in doubt, 1 open, of 3.")
    assert [(one.sheet_row, one.note) for one in registry.row_reviews.doubts(batch)] == [
        (people[1].sheet_row, "another birthday")
    ]
    page.emulate_media(media="print")
    expect(name).to_be_hidden()
    expect(page.get_by_text(people[0].person.id_masked, exact=True)).to_be_visible()
    page.emulate_media(media="screen")
    page.get_by_role("link", name="To the batch").click()
    page.wait_for_url(f"**/{batch}")
    page.go_back()
    expect(page.locator("#clear")).to_be_empty()
    registry.batches.discard(batch, "registrar", reason="test")
