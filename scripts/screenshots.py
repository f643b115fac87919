"""Pictures of every page for README and docs, from a demo station with lanes at work.

Run it with: .venv/bin/python -m scripts.screenshots [NAME ...]
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from membercard.demo.station import EVERYTHING, demo_station
from personalize.line.lanes import LaneState
from reader_service.principal import Principal, Role
from reader_service.services.issuing.lane_commands import LANE_COMMANDS
from terminal.errors import NoCard
from tests.support.service.pages import SIZE, Served, Sessions, chromium, opener, served

FOLDER = Path(__file__).parents[1] / "docs" / "images"
COLOURS = 128
LANGUAGES = (("zh", "light"), ("en", "dark"))


def main(names: list[str]) -> None:
    with demo_station() as station, served(station) as at, chromium() as browser:
        sessions = Sessions(browser, at)
        for name, show in PAGES.items():
            for language, scheme in LANGUAGES if not names or name in names else ():
                page, _ = sessions.open_page(EVERYTHING, language, color_scheme=scheme, viewport=SIZE)
                show(page, at)
                page.wait_for_timeout(400)
                save(page.screenshot(), FOLDER / picture(name, language))
                with suppress(NoCard):
                    at.service.readers.slot("counter").eject()
                if faults := sessions.close_all():
                    raise SystemExit(f"{name}: {faults}")


def picture(name: str, language: str) -> str:
    """The file of a page's picture; a name may have a folder before it."""
    return f"{name}-{language}.png" if "/" in name else f"page-{name}-{language}.png"


def save(content: bytes, path: Path) -> None:
    """Write a picture with few colours: pages have no more, and its size is a third."""
    few = Image.open(io.BytesIO(content)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def station(page: Page, at: Served) -> None:
    """Four lanes on a batch. The first blank is not of this stock: its lane pauses and shows what to do with it."""
    at.service.leases.free_all(EVERYTHING)
    page.set_viewport_size({"width": SIZE["width"], "height": 880})  # lanes whole, below what waits
    page.goto("/station")
    if not page.locator(".tile .order").count():
        operator, lanes = Principal(EVERYTHING, frozenset(Role)), at.service.lanes
        readers = [one.id for one in at.service.readers.readers(operator) if one.id.startswith("stock")]
        waiting = {lane.reader for lane in lanes.start(operator, at.station.prepared, readers)}
        while waiting:  # each lane works on one chip, then pauses
            for lane in lanes.lanes(operator):
                if lane.reader in waiting and lane.state == LaneState.WORKING:
                    lanes.steer(operator, lane.reader, LANE_COMMANDS["pause"])
                    waiting.remove(lane.reader)
            page.wait_for_timeout(20)
        page.locator(".tile .order").wait_for(timeout=30_000)
        for tile in page.locator(".tile:not(:has(.order))").all():
            tile.get_by_role("button").first.click()
        page.locator(".tile .last .good").nth(2).wait_for(timeout=30_000)
        page.wait_for_timeout(2500)  # the batches are counted once a second


def counter(page: Page, at: Served) -> None:
    put_in(at, "1-good.card", page, "/counter?reader=counter", "ACTIVE")


def counter_lost(page: Page, at: Served) -> None:
    put_in(at, "2-lost.card", page, "/counter?reader=counter", "LOST")


def offers(page: Page, at: Served) -> None:
    """What the member of the good card can have. The card stays in the slot: its offers leave with it."""
    page.set_viewport_size({"width": SIZE["width"], "height": 1040})  # verdict and offers whole
    page.goto("/counter?reader=counter")
    page.wait_for_selector("#verdict")
    at.service.readers.slot("counter").insert(at.station.slot_cards / "1-good.card")
    expect(page.locator(".offer").first).to_be_visible(timeout=20_000)


def redemption(page: Page, at: Served) -> None:
    """Two film tickets, redeemed on the good card."""
    offers(page, at)
    page.locator(".offer", has_text=re.compile("电影票|Film tickets")).get_by_role("button").first.click()
    page.locator("dialog[open] input[name=list_price]").fill("45.00")
    page.locator("dialog[open] input[name=event]").fill(
        "小城之春" if page.locator("html[lang^=zh]").count() else "Spring"
    )
    page.locator("dialog[open] .units button").nth(1).click()
    expect(page.locator("#redeem.result.ok .word")).to_be_visible(timeout=20_000)
    page.set_viewport_size({"width": SIZE["width"], "height": 610})


def put_in(at: Served, card: str, page: Page, path: str, verdict: str) -> None:
    slot = at.service.readers.slot("counter")
    page.goto(path)
    page.wait_for_selector("#verdict")
    slot.insert(at.station.slot_cards / card)
    try:
        expect(page.locator("#verdict")).to_have_attribute("data-verdict", verdict, timeout=20_000)
    finally:
        slot.eject()


def intake(page: Page, at: Served) -> None:
    page.goto("/intake")


def review(page: Page, at: Served) -> None:
    page.goto(f"/intake/{at.station.draft}")


def registry(page: Page, at: Served) -> None:
    page.goto("/registry/4")


def progress(page: Page, at: Served) -> None:
    page.goto("/progress")
    page.wait_for_selector("#plots[data-drawn='6']")


def developer(page: Page, at: Served) -> None:
    """A dialogue with a blank chip: its identity and its data."""
    page.goto("/developer?reader=stock-4")
    if page.locator("button[hx-post$='/take']").count():
        page.locator("button[hx-post$='/take']").click()
        page.locator("#apdu").wait_for()
        for number, apdu in enumerate(("00A40400", "80CA9F7F00", "80CA00E000"), 1):
            page.fill("#apdu", apdu)
            page.locator("form#send button[type=submit]").click()
            expect(page.locator("#history > li")).to_have_count(number)


def audit(page: Page, at: Served) -> None:
    page.goto("/audit")
    page.click(opener("verify"))
    page.click("dialog#verify button[type=submit]")
    page.wait_for_selector("#report .notice")


def users(page: Page, at: Served) -> None:
    page.goto("/users")


PAGES: dict[str, Callable[[Page, Served], None]] = {
    "counter": counter,
    "counter-lost": counter_lost,
    "redeeming/offers": offers,
    "redeeming/redemption": redemption,
    "intake": intake,
    "review": review,
    "registry": registry,
    "progress": progress,
    "developer": developer,
    "audit": audit,
    "users": users,
    "station": station,
}


if __name__ == "__main__":
    main(sys.argv[1:])
