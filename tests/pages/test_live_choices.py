"""What somebody chose or wrote stays theirs, whatever a live update or a late answer brings."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from playwright.sync_api import Page, Route, expect

from membercard.demo.station import EVERYTHING
from reader_service.principal import Principal, Role
from tests.support.service.pages import Served, Sessions, opener

PATCH = "(html) => import('/static/live.js').then(({ patch }) => patch(html))"
SILENCE = "retry: 60000\n\n"
ALL = Principal(EVERYTHING, frozenset(Role))
READERS = ("one", "two", "three")


def choices(batches: Iterable[str] = ("B1", "B2"), readers: Iterable[str] = READERS) -> str:
    """The part of the start dialog as the service sends it: the first batch and every reader are preset."""
    radios = "".join(
        f'<label class="choice"><input type="radio" name="batch" value="{batch}" required{" checked" * (at == 0)}>'
        f"<span>{batch}</span></label>"
        for at, batch in enumerate(batches)
    )
    boxes = "".join(
        f'<label class="choice"><input type="checkbox" name="reader" value="{reader}" checked><span>{reader}</span>'
        "</label>"
        for reader in readers
    )
    return (
        f'<div id="start-choices"><fieldset id="start-batches">{radios}</fieldset>'
        f'<fieldset id="start-readers"><div class="choice-grid">{boxes}</div></fieldset>'
        '<button type="submit" id="begin" autofocus>-</button></div>'
    )


def chosen(page: Page) -> list[str]:
    return [
        str(box.get_attribute("value")) for box in page.locator("#start-choices input:checked:not([type=hidden])").all()
    ]


@pytest.fixture
def page(sessions: Sessions) -> Page:
    """The station page with a silent stream: what arrives is sent by the test."""
    page, _ = sessions.open_page(EVERYTHING, path=None)
    page.route("**/station/live", lambda route: route.fulfill(content_type="text/event-stream", body=SILENCE))
    page.goto("/station")
    page.evaluate(PATCH, choices())
    page.locator(opener("start")).first.click()
    return page


def test_an_untick_does_not_move_to_another_reader_when_one_goes(page: Page) -> None:
    page.uncheck("#start-choices input[value=two]")
    page.evaluate(PATCH, choices(readers=("two", "three")))
    assert chosen(page) == ["B1", "three"]


def test_a_reader_that_comes_back_is_ticked_as_it_was(page: Page) -> None:
    page.uncheck("#start-choices input[value=two]")
    page.evaluate(PATCH, choices(readers=("one",)))
    page.evaluate(PATCH, choices())
    assert chosen(page) == ["B1", "one", "three"]


def test_a_reader_that_arrives_in_an_open_dialog_is_offered_and_not_ticked(page: Page) -> None:
    page.evaluate(PATCH, choices(readers=("zero", *READERS)))
    expect(page.locator("#start-choices input[value=zero]")).to_be_visible()
    assert chosen(page) == ["B1", *READERS]


def test_a_chosen_batch_stays_chosen_when_another_arrives_before_it(page: Page) -> None:
    page.check("#start-choices input[value=B2]")
    page.evaluate(PATCH, choices(batches=("B0", "B1", "B2")))
    assert chosen(page) == ["B2", *READERS]


def test_the_batch_that_an_open_dialog_shows_as_chosen_stays_chosen(page: Page) -> None:
    page.evaluate(PATCH, choices(batches=("B0", "B1", "B2")))
    assert chosen(page) == ["B1", *READERS]


def test_no_other_batch_is_chosen_in_place_of_one_that_goes(page: Page) -> None:
    page.check("#start-choices input[value=B2]")
    page.evaluate(PATCH, choices(batches=("B0", "B1")))
    assert chosen(page) == [*READERS]
    assert page.locator("#start-choices input[name=batch]").first.evaluate("(one) => one.form.checkValidity()") is False


def test_a_dialog_that_is_opened_again_begins_with_the_first_batch_and_every_reader(page: Page) -> None:
    page.check("#start-choices input[value=B2]")
    page.uncheck("#start-choices input[value=two]")
    page.keyboard.press("Escape")
    page.evaluate(PATCH, choices(batches=("B0", "B1")))
    page.locator(f"header ~ main > .heading {opener('start')}").click()
    assert chosen(page) == ["B0", *READERS]


def test_a_batch_that_was_chosen_stays_so_while_its_dialog_is_closed(page: Page) -> None:
    page.check("#start-choices input[value=B2]")
    page.keyboard.press("Escape")
    page.evaluate(PATCH, choices(batches=("B0", "B1", "B2")))
    assert chosen(page) == ["B2", *READERS]


def test_a_command_that_is_begun_while_the_last_is_answered_stays(sessions: Sessions, at: Served) -> None:
    reader = at.service.readers.readers(ALL)[-1].id
    page, _ = sessions.open_page(EVERYTHING, path=f"/developer?reader={reader}")
    page.click(f"button[formaction='/developer/{reader}/take']")
    page.locator("#apdu").wait_for()
    page.wait_for_load_state()
    held: list[Route] = []
    page.route("**/send", lambda route: held.append(route))
    try:
        page.fill("#apdu", "00A4040000")
        page.press("#apdu", "Control+Enter")
        expect(page.locator("#send button[type=submit]")).to_be_disabled()
        page.fill("#apdu", "80CA9F36")
        held.pop().fulfill(content_type="text/html", body="<li id='answered'>9000</li>")
        expect(page.locator("#answered")).to_be_visible()
        expect(page.locator("#apdu")).to_have_value("80CA9F36")
        page.fill("#apdu", "")
        page.press("#apdu", "ArrowUp")
        expect(page.locator("#apdu")).to_have_value("00A4040000")
    finally:
        page.click(f"button[formaction='/developer/{reader}/release']")
        expect(page.locator(f"button[formaction='/developer/{reader}/take']")).to_be_visible()


def test_what_is_written_while_a_refusal_is_under_way_stays(sessions: Sessions) -> None:
    page, watch = sessions.open_page("registrar", path="/progress")
    watch.expected.add(422)
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    page.route("**/progress/plan", hold)
    page.click("[aria-label='修改省地质局工会的计划']")
    page.fill("#plan-planned", "99999999999")
    page.press("#plan-planned", "Enter")
    expect(page.locator("#plan-form .htmx-request")).to_have_count(1)
    page.fill("#plan-group", "第九组")
    held.pop().continue_()
    expect(page.locator("#plan-planned-error")).to_contain_text("大于 0")
    expect(page.locator("#plan-group")).to_have_value("第九组")
    expect(page.locator("#plan-planned")).to_have_value("99999999999")


def test_a_late_answer_leads_to_another_page_only_once_no_dialog_is_open(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("administrator", path=None)
    page.clock.install()
    page.goto("/users/operator")
    held: list[Route] = []
    page.route("**/users/operator/disable", lambda route: held.append(route))
    page.click(opener("disable"))
    page.fill("dialog#disable textarea", "休假")
    page.click("dialog#disable button[type=submit]")
    expect(page.locator("dialog#disable button[type=submit]")).to_be_disabled()
    page.keyboard.press("Escape")
    page.click(opener("reset"))
    page.fill("dialog#reset textarea", "忘记密码")
    with page.expect_response("**/users/operator/disable"):
        held.pop().fulfill(status=204, headers={"HX-Redirect": "/users"})
    page.clock.run_for(1500)  # it looks every second
    expect(page.locator("dialog#reset textarea")).to_have_value("忘记密码")
    page.keyboard.press("Escape")
    page.wait_for_url("**/users")
