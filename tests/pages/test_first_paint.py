"""What can be pressed works from the first paint on, while htmx and every module are still on their way; and nothing
that arrives later closes a dialog or changes what somebody is writing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from membercard.demo.people import people, write_form
from membercard.demo.station import EVERYTHING
from reader_service.pages.issuing.station import StationBoard
from reader_service.pages.live import LivePage
from reader_service.pages.shell import Shell
from reader_service.principal import Principal, Role
from tests.support.service.pages import Served, Sessions, opener
from tests.support.thorough import repeats

ALL = Principal(EVERYTHING, frozenset(Role))
PAGES = (
    "/station",
    "/station/batches/{done}",
    "/counter?reader=counter",
    "/intake",
    "/intake/{draft}",
    "/registry",
    "/registry/1",
    "/programme",
    "/programme/check",
    "/progress",
    "/developer?reader={reader}",
    "/audit",
    "/users",
    "/users/operator",
    "/password",
)
PATCH = "(html) => import('/static/live.js').then(({ patch }) => patch(html))"


@dataclass
class Paint:
    """A page whose scripts are held back, but for the one in its head."""

    page: Page
    held: list[Route] = field(default_factory=list)
    posted: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    """Path and fields of each form that was sent; none of them reaches the service."""

    def hold(self, route: Route) -> None:
        self.held.append(route)

    def take(self, route: Route, request: Request) -> None:
        if request.method != "POST":
            route.fallback()
            return
        self.posted.append((urlsplit(request.url).path, parse_qs(request.post_data or "", keep_blank_values=True)))
        route.fulfill(status=204)

    def sent(self, count: int) -> None:
        """Wait until so many forms were sent."""
        for _ in range(400):
            if len(self.posted) >= count:
                break
            self.page.wait_for_timeout(25)
        assert len(self.posted) == count

    def release(self) -> None:
        """The scripts arrive."""
        self.page.unroute("**/static/**/*.js", self.hold)
        for route in self.held:
            route.continue_()
        self.page.wait_for_load_state()


@contextmanager
def painted(page: Page, path: str, *, posts: bool = True) -> Iterator[Paint]:
    """``page`` at ``path`` before its scripts; with ``posts`` forms are taken instead of sent."""
    paint = Paint(page)
    page.route("**/static/**/*.js", paint.hold)
    for classic in ("page.js", "counter/scan.js"):
        page.route(f"**/static/{classic}", lambda route: route.continue_())
    if posts:
        page.route("**/*", paint.take)
    page.goto(path, wait_until="commit")
    page.locator("#keys").wait_for(state="attached")
    yield paint
    page.unroute_all()


def fill(place: Locator) -> None:
    """Something in every required field of a form."""
    for one in place.locator(":is(input, textarea)[required]:visible").all():
        kind = one.get_attribute("type") or "text"
        if kind in ("radio", "checkbox"):
            one.check()
        elif kind == "file":
            one.set_input_files({"name": "form.xlsx", "mimeType": "", "buffer": b"PK"})
        elif one.is_editable():
            one.fill({"number": "1", "date": "2027-01-31"}.get(kind, "00A4"))


def sends(paint: Paint, button: Locator) -> None:
    """The button sends its form, with the session's secret."""
    form_action, action = button.evaluate("(one) => [one.getAttribute('formaction'), one.form.getAttribute('action')]")
    multipart = button.evaluate("(one) => one.form.enctype") == "multipart/form-data"
    before = len(paint.posted)
    button.click()
    paint.sent(before + 1)
    path, fields = paint.posted[-1]
    assert path == (form_action or action)
    assert multipart or fields["csrf"][0]


def station_batch(at: Served) -> str:
    return next(batch.id for batch in at.service.registry.batches.all() if batch.state.value == "done")


def address(at: Served, path: str) -> str:
    reader = at.service.readers.readers(ALL)[-1].id
    return path.format(done=station_batch(at), draft=at.station.draft, reader=reader)


@pytest.mark.parametrize("path", PAGES[:: repeats(2, 1)])
def test_every_button_works_before_any_module_is_there(sessions: Sessions, at: Served, path: str) -> None:
    """Each button sends its form or opens its dialog, whose buttons do as well, or is marked as one that waits."""
    page, _ = sessions.open_page(EVERYTHING, path=None)
    with painted(page, address(at, path)) as paint:
        tried: set[str] = set()
        for button in page.locator("button:visible:enabled:not([data-module])").all():
            dialog = button.get_attribute("commandfor")
            if dialog:
                opens(paint, button, page.locator(f"dialog#{dialog}"), again=dialog in tried)
                tried.add(dialog)
            elif button.evaluate("(one) => one.form.method") == "post":
                fill(button.locator("xpath=ancestor::form"))
                sends(paint, button)
            else:
                assert button.get_attribute("type") == "submit"  # a filter: its address says what was chosen
        for summary in page.locator("summary:visible").all():
            details = summary.locator("xpath=..")
            was = details.evaluate("(one) => one.open")
            summary.click()
            assert details.evaluate("(one) => one.open") != was


@pytest.mark.parametrize("path", ["/station", "/counter?reader=counter"])
def test_a_button_that_needs_a_module_waits_for_it(sessions: Sessions, path: str) -> None:
    page, _ = sessions.open_page(EVERYTHING, path=None)
    with painted(page, path) as paint:
        assert page.locator("[data-module]").all_inner_texts() == ["声音提示"]
        page.click("[data-module]")
        paint.release()
        expect(page.locator("#sound")).to_have_attribute("aria-pressed", "false")
        page.click("[data-module]")
        expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")


def opens(paint: Paint, button: Locator, dialog: Locator, *, again: bool) -> None:
    """The button opens the dialog, the dialog's own send and close; ``again``: those were tried already."""
    button.click()
    expect(dialog).to_be_visible()
    if dialog.locator("[autofocus]:visible:enabled").count():
        expect(dialog.locator("[autofocus]:visible:enabled").first).to_be_focused()
    if again:
        paint.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        return
    for send in dialog.locator("button[type=submit]:enabled").all():
        fill(dialog)
        sends(paint, send)
    for close in range(dialog.locator("[command=close]").count()):
        if not dialog.is_visible():
            button.click()
        dialog.locator("[command=close]").nth(close).click()
        expect(dialog).to_be_hidden()


@pytest.mark.parametrize(
    ("path", "press", "field"),
    [
        ("/station", "article.tile [hx-get]", "#reader-name"),
        ("/progress", "[aria-label='修改省地质局工会的计划']", "#plan-group"),
    ],
)
def test_a_dialog_that_is_fetched_is_open_at_once_and_filled_later(
    sessions: Sessions, path: str, press: str, field: str
) -> None:
    page, _ = sessions.open_page(EVERYTHING, path=None)
    with painted(page, path) as paint:
        page.locator(press).first.click()
        expect(page.locator("dialog[open]")).to_contain_text("正在加载")
        paint.release()
        expect(page.locator(field)).to_be_focused()


def test_keys_and_menus_work_before_any_module(sessions: Sessions) -> None:
    page, _ = sessions.open_page(EVERYTHING, path=None)
    with painted(page, "/station") as paint:
        page.keyboard.press("?")
        expect(page.locator("#keys-list dd").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog#keys")).to_be_hidden()
        page.keyboard.press("s")
        expect(page.locator("dialog#stop-all")).to_be_visible()
        assert paint.posted == []
        page.keyboard.press("Enter")
        paint.sent(1)
        page.keyboard.press("Escape")
        page.click("details.menu summary")
        page.click("h1")
        assert page.locator("details.menu[open]").count() == 0
        page.keyboard.press("g")
        page.keyboard.press("a")
        page.wait_for_url("**/audit", wait_until="commit")
    assert [path for path, _ in paint.posted] == ["/station/all/stop"]


def test_a_choice_on_the_counter_and_a_file_for_intake_count_before_any_module(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, path=None)
    with painted(page, "/counter?reader=counter"):
        reader = str(page.locator("#reader option").first.get_attribute("value"))
        page.select_option("#reader", reader)
        page.wait_for_url(f"**/counter?reader={reader}", wait_until="commit")
    with painted(page, "/intake") as paint:
        page.set_input_files("#form", {"name": "early.xlsx", "mimeType": "", "buffer": b"PK"})
        paint.release()
        expect(page.locator("#chosen")).to_have_text("early.xlsx")


def test_a_form_is_registered_without_any_module(sessions: Sessions, at: Served, tmp_path: Path) -> None:
    """The browser's own forms lead all the way: uploaded, sent for review, returned with a reason, and discarded."""
    form = write_form(tmp_path / "early.xlsx", "首屏测试工会", people(2, 931))
    page, _ = sessions.open_page("registrar", path=None)
    with painted(page, "/intake", posts=False):
        page.set_input_files("#form", form)
        page.click("#upload button[type=submit]")
        page.locator("#messages .notice.ok").wait_for()
        batch = page.url.rpartition("/")[2]
        page.get_by_role("button", name="送审").click()
        expect(page.locator(".badge").first).to_contain_text("待审核")
    reviewer, _ = sessions.open_page("reviewer", path=None)
    with painted(reviewer, f"/intake/{batch}", posts=False):
        reviewer.click(opener("return"))
        reviewer.keyboard.type("请核对单位名称")
        reviewer.click("dialog#return button[type=submit]")
        expect(reviewer.locator("#messages")).to_contain_text("已退回")
    with painted(page, f"/intake/{batch}", posts=False):
        page.click(opener("discard"))
        page.keyboard.type("测试结束")
        page.click("dialog#discard button[type=submit]")
        page.wait_for_url("**/intake", wait_until="commit")


def test_a_secret_that_is_shown_once_has_a_page_of_its_own_without_htmx(sessions: Sessions) -> None:
    page, _ = sessions.open_page("administrator", "en", path=None)
    with painted(page, "/users", posts=False):
        page.click(opener("make-token"))
        page.keyboard.type("till 8")
        page.check("dialog#make-token input[value=counter]")
        page.click("dialog#make-token button[type=submit]")
        expect(page.locator("main code")).to_contain_text("mc_")
        expect(page.locator("header.top")).to_be_visible()


def test_htmx_repeats_a_form_of_the_browser_and_gets_the_same_secret(sessions: Sessions) -> None:
    page, _ = sessions.open_page("administrator", "en", path="/users")
    page.click(opener("make-token"))
    page.fill("dialog#make-token input[name=label]", "till (10)")
    page.check("dialog#make-token input[value=counter]")
    sent_by_the_browser = """form => fetch(form.action, {method: "post", body: new URLSearchParams(new FormData(form))})
        .then(answer => answer.text()).then(html => html.match(/mc_[^<]+/)[0])"""
    secret = page.locator("dialog#make-token form").evaluate(sent_by_the_browser)
    page.click("dialog#make-token button[type=submit]")
    expect(page.locator("main code")).to_have_text(secret)
    expect(page.locator("header.top")).to_have_count(1)
    page.goto(f"{page.url}")
    expect(page.locator("tr", has_text="till (10)")).to_have_count(1)


def test_data_in_full_on_a_page_of_their_own_leave_the_screen_after_a_minute(sessions: Sessions) -> None:
    page, _ = sessions.open_page("registrar", path=None)
    page.clock.install()
    with painted(page, "/registry/1", posts=False):
        page.click(opener("unmask"))
        page.keyboard.type("本人到场核对资料")
        page.click("dialog#unmask button[type=submit]")
        page.locator("[data-remove-after]").wait_for()
        page.unroute_all()
        page.reload()
        page.wait_for_load_state()
    expect(page.locator("[data-remove-after]")).to_be_visible()
    page.clock.fast_forward(61_000)
    expect(page.locator("[data-remove-after]")).to_have_count(0)


# --- what arrives later ----------------------------------------------------------------------------------------------


def whole(board: LivePage) -> str:
    """What the stream of a page begins with; made in a thread, for the browser's driver has the loop of this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, board.whole()).result()


def test_a_live_message_leaves_an_open_dialog_and_its_text_unchanged(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, path="/station")
    html = whole(StationBoard(Shell(at.service), ALL, "zh")).replace("Lane 4", "Lane 4b")
    tile = page.locator("article.tile", has=page.get_by_role("heading", name="Lane 4", exact=True))
    tile.locator("[hx-get]").click()
    page.fill("#reader-name", "靠窗的")
    page.evaluate(PATCH, html)
    expect(page.get_by_role("heading", name="Lane 4b", exact=True, include_hidden=True)).to_have_count(1)
    expect(page.locator("dialog#name")).to_be_visible()
    expect(page.locator("#reader-name")).to_have_value("靠窗的")
    expect(page.locator("#reader-name")).to_be_focused()


def test_a_live_message_changes_what_may_be_started_and_no_choice_of_the_user(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, path="/station")
    page.locator(opener("start")).first.click()
    page.locator("#start-choices input[name=reader]").first.uncheck()
    page.focus("#begin")
    html = whole(StationBoard(Shell(at.service), ALL, "zh"))
    page.evaluate(PATCH, html.replace("Lane 4", "Lane 4b"))
    expect(page.locator("#start-choices")).to_contain_text("Lane 4b")
    readers = page.locator("#start-choices input[name=reader]").all()
    assert [reader.is_checked() for reader in readers] == [False, True, True, True]
    expect(page.locator("#begin")).to_be_focused()
    page.locator("dialog#start .choices").last.evaluate("(choices) => choices.remove()")
    page.evaluate(PATCH, html)
    expect(page.locator("#start-choices input[name=reader]")).to_have_count(4)
    page.keyboard.press("Escape")
    only = page.locator("article.tile [data-only]").nth(1)
    only.click()
    ticked = page.locator("#start-choices input[name=reader]:checked")
    assert [box.get_attribute("value") for box in ticked.all()] == [only.get_attribute("data-only")]


def test_a_press_counts_though_a_live_message_comes_before_the_button_is_let_go(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, path="/station")
    html = whole(StationBoard(Shell(at.service), ALL, "zh"))
    page.locator("article.tile [data-only]").first.hover()
    page.mouse.down()
    page.evaluate(PATCH, html.replace("Lane 1", "Lane 1b"))
    page.mouse.up()
    expect(page.locator("dialog#start")).to_be_visible()


def test_a_late_answer_closes_no_dialog_that_was_opened_meanwhile(sessions: Sessions) -> None:
    page, watch = sessions.open_page("administrator", path="/users")
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    page.route("**/users", hold)
    page.click(opener("make-token"))
    page.fill("dialog#make-token input[name=label]", "till 9")
    page.check("dialog#make-token input[value=counter]")
    page.click("dialog#make-token button[type=submit]")
    expect(page.locator("dialog#make-token")).to_be_hidden()
    page.click(opener("add"))
    page.fill("dialog#add input[name=name]", "late.answer")
    page.check("dialog#add input[value=counter]")
    page.click("dialog#add button[type=submit]")
    expect(page.locator("dialog#add button[type=submit]")).to_be_disabled()
    page.keyboard.press("Escape")
    page.locator("tr", has_text="till 9").get_by_role("button").click()
    revoke = page.locator("dialog[open]")
    revoke.locator("textarea").fill("收银台已撤")
    held.pop().continue_()
    expect(page.locator("#people")).to_contain_text("late.answer")
    expect(revoke.locator("textarea")).to_have_value("收银台已撤")
    expect(revoke.locator("textarea")).to_be_focused()
    revoke.locator("button[type=submit]").click()
    expect(page.locator("#messages")).to_contain_text("till 9")
    # The same dialog, opened again while its answer is under way.
    watch.expected.add(409)
    page.click(opener("add"))
    page.fill("dialog#add input[name=name]", "late.answer")
    page.check("dialog#add input[value=counter]")
    page.click("dialog#add button[type=submit]")
    page.keyboard.press("Escape")
    page.click(opener("add"))
    page.fill("dialog#add input[name=name]", "another.one")
    held.pop().continue_()
    expect(page.locator("#messages .notice.bad")).to_have_count(1)
    expect(page.locator("dialog#add input[name=name]")).to_have_value("another.one")
    expect(page.locator("dialog#add")).to_be_visible()
