"""A session that ends while somebody enters something costs nobody their text: the page stays and says so, and goes on
after a new sign-in; and nobody else sees or sends that text."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from membercard.demo.people import people, write_form
from membercard.demo.station import EVERYTHING
from reader_service.pages import live
from reader_service.principal import Principal, Role
from tests.support.service.pages import Served, Sessions, opener
from tests.support.thorough import repeats

ADMINISTRATOR = Principal("administrator", frozenset({Role.ADMINISTRATOR}))
ENDED = {"zh": "登录已失效", "en": "Your session has ended"}
RESUMED = {"zh": "已重新登录", "en": "You are signed in again"}


def sign_in(page: Page, at: Served, name: str) -> None:
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", at.station.passwords[name].reveal().decode())
    page.press("input[name=password]", "Enter")
    page.locator("body[data-user]").wait_for()
    page.wait_for_load_state()


def end_session(page: Page) -> None:
    """The session ends as it does by time: the page knows nothing of it."""
    page.wait_for_load_state()
    page.context.clear_cookies(name="membercard")


def stored(page: Page) -> str:
    """What the pages stored in this tab; htmx notes the address by itself."""
    entries = page.evaluate("({ ...sessionStorage })")
    entries.pop("htmx-current-path-for-history", None)
    return str(entries)


@pytest.mark.parametrize("language", ["zh", "en"][: repeats(1, 2)])
def test_a_dialog_stays_with_its_text_and_goes_on_after_signing_in_in_another_tab(
    sessions: Sessions, at: Served, language: str
) -> None:
    page, watch = sessions.open_page("administrator", language, path="/users/operator")
    watch.expected |= {401, 403}
    page.click(opener("roles"))
    page.fill("dialog#roles textarea", "兼任复核")
    end_session(page)
    page.click("dialog#roles button[type=submit]")
    expect(page.locator("dialog#roles #ended")).to_contain_text(ENDED[language])
    expect(page.locator("dialog#roles textarea")).to_have_value("兼任复核")
    with page.context.expect_page() as tab:
        page.click("#ended a[target=_blank]")
    sign_in(watch.over(tab.value), at, "administrator")
    expect(page.locator("dialog#roles #resumed")).to_contain_text(RESUMED[language])
    expect(page.locator("#ended")).to_be_hidden()
    page.click("dialog#roles button[type=submit]")
    expect(page.locator("#messages .notice.ok")).to_be_visible()
    newest = at.service.registry.audit.page(limit=1).items[0].entry
    assert (newest.actor, newest.action, newest.reason) == ("administrator", "user.change", "兼任复核")


def test_a_dialogs_text_comes_back_after_signing_in_in_the_same_tab(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("registrar", "en", path="/registry/1")
    page.click(opener("transfer"))
    page.fill("dialog#transfer input[name=unit]", "省地质局工会")
    page.fill("dialog#transfer textarea", "as in B20261122-001, moved")
    end_session(page)
    page.click("dialog#transfer button[type=submit]")
    page.click("#ended [data-here]")
    sign_in(page, at, "registrar")
    assert page.url.endswith("/registry/1")
    expect(page.locator("dialog#transfer")).to_be_visible()
    expect(page.locator("dialog#transfer #restored")).to_contain_text("what you had entered")
    expect(page.locator("dialog#transfer input[name=unit]")).to_have_value("省地质局工会")
    expect(page.locator("dialog#transfer textarea")).to_have_value("as in B20261122-001, moved")
    assert stored(page) == "{}"


def test_a_dialog_that_is_fetched_comes_back_with_its_text(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("registrar", path="/progress")
    page.wait_for_load_state()
    page.click("[aria-label='修改省地质局工会的计划']")
    page.fill("#plan-group", "第九组")
    end_session(page)
    page.press("#plan-group", "Enter")
    page.click("#ended [data-here]")
    sign_in(page, at, "registrar")
    expect(page.locator("#plan-group")).to_have_value("第九组")
    expect(page.locator("#plan-unit")).to_have_value("省地质局工会")


def test_the_text_comes_back_though_no_module_of_the_sign_in_page_had_run(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("registrar", path="/registry/1")
    page.click(opener("transfer"))
    page.fill("dialog#transfer input[name=unit]", "省地质局工会")
    page.fill("dialog#transfer textarea", "fast fingers")
    end_session(page)
    page.click("dialog#transfer button[type=submit]")
    expect(page.locator("#ended [data-here]")).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/static/app.js", hold)
    page.click("#ended [data-here]", no_wait_after=True)
    page.locator("input[name=password]").wait_for()
    page.unroute("**/static/app.js", hold)
    sign_in(page, at, "registrar")
    assert held
    expect(page.locator("dialog#transfer textarea")).to_have_value("fast fingers")


def test_another_user_neither_sees_nor_sends_what_was_entered(sessions: Sessions, at: Served) -> None:
    page, watch = sessions.open_page("administrator", path="/users/operator")
    watch.expected |= {401, 403}
    page.click(opener("reset"))
    page.fill("dialog#reset textarea", "忘记密码")
    end_session(page)
    page.click("dialog#reset button[type=submit]")
    with page.context.expect_page() as tab:
        page.click("#ended a[target=_blank]")
    sign_in(watch.over(tab.value), at, "auditor")
    expect(page.locator("dialog#reset #other-user")).to_contain_text("另一位用户")
    before = at.service.registry.users.user("operator").password_at
    page.click("dialog#reset button[type=submit]")
    expect(page.locator("dialog#reset button[type=submit]")).to_be_enabled()
    assert at.service.registry.users.user("operator").password_at == before
    tab.value.close()
    page.context.clear_cookies(name="membercard")
    page.goto("/login?next=/users/operator")
    sign_in(page, at, "auditor")
    assert "忘记密码" not in stored(page)
    page.context.clear_cookies(name="membercard")
    page.goto("/login?next=/users/operator")
    sign_in(page, at, "administrator")
    assert page.locator("dialog[open]").count() == 0
    assert page.locator("dialog#reset textarea").input_value() == ""


def test_signing_out_and_leaving_on_purpose_leave_nothing_behind(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("administrator", path="/users/operator")
    for leave in ("nav.places a[href='/audit']", "form[action='/logout'] button"):
        page.goto("/users/operator")
        page.wait_for_load_state()
        page.click(opener("disable"))
        page.fill("dialog#disable textarea", "离职")
        page.keyboard.press("Escape")
        if "logout" in leave:
            page.click("details.menu summary")
        page.click(leave)
        page.wait_for_url("**/login" if "logout" in leave else "**/audit")
        page.wait_for_load_state()
        assert "离职" not in stored(page)


def test_numbers_of_persons_passwords_and_private_fields_are_never_stored(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page(EVERYTHING, path="/registry/1")
    page.click(opener("withdraw"))
    for number in (
        "110101 19900307 7774",
        "13800138000",
        "１１０１０１１９９００３０７７７７４",
        "H12345678",
        "6222-0212-3456-7890",
    ):
        page.fill("dialog#withdraw textarea", f"退休 {number}")
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
        assert "退休" not in stored(page), number
    page.fill("dialog#withdraw textarea", "退休")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert "退休" in stored(page)
    for path, field in (("/registry", "#text"), ("/developer", "#data"), ("/password", "#old")):
        page.goto(path)
        page.wait_for_load_state()
        page.fill(field, "secret")
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
        assert stored(page) == "{}"


def test_a_page_with_nothing_to_lose_goes_to_the_sign_in_page_and_comes_back(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("operator", path="/station")
    end_session(page)
    # The live part may have noticed before the button is pressed, and left for the sign-in page by itself.
    page.click("button[formaction='/station/all/pause'], input[name=password]")
    page.wait_for_url("**/login?next=/station")
    sign_in(page, at, "operator")
    assert page.url.endswith("/station")


def test_a_form_that_was_chosen_for_upload_is_sent_after_a_new_sign_in(
    sessions: Sessions, at: Served, tmp_path: Path
) -> None:
    page, watch = sessions.open_page("registrar", path="/intake")
    watch.expected |= {401, 403}
    page.set_input_files("#form", write_form(tmp_path / "again.xlsx", "重登测试工会", people(2, 971)))
    end_session(page)
    page.click("#upload button[type=submit]")
    expect(page.locator("#ended")).to_be_visible()
    expect(page.locator("#ended [data-here]")).to_be_hidden()  # a file would be lost
    expect(page.locator("#chosen")).to_have_text("again.xlsx")
    with page.context.expect_page() as tab:
        page.click("#ended a[target=_blank]")
    sign_in(watch.over(tab.value), at, "registrar")
    expect(page.locator("#resumed")).to_be_visible()
    page.click("#upload button[type=submit]")
    page.wait_for_url("**/intake/B*")
    page.click(opener("discard"))
    page.fill("dialog#discard textarea", "测试结束")
    page.click("dialog#discard button[type=submit]")
    page.wait_for_url("**/intake")


def test_a_page_of_an_earlier_session_sends_with_the_present_one(sessions: Sessions, at: Served) -> None:
    page, watch = sessions.open_page("registrar", path="/progress")
    watch.expected |= {403}
    page.wait_for_load_state()
    page.evaluate(
        "for (const one of document.querySelectorAll('[name=csrf]')) one.value = 'x'.repeat(43);"
        "document.body.setAttribute('hx-headers', JSON.stringify({ 'X-CSRF-Token': 'x'.repeat(43) }))"
    )
    page.click("[aria-label='修改省地质局工会的计划']")
    page.press("#plan-planned", "Enter")
    expect(page.locator("#messages .notice.ok")).to_be_visible()


def test_a_live_page_with_an_open_dialog_is_not_left_when_its_session_ends(
    sessions: Sessions, at: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SESSION_CHECK", 0.0)  # at each tick
    page, _ = sessions.open_page("operator", path="/station")
    page.wait_for_load_state()
    page.locator(opener("start")).first.click()
    page.uncheck("#start-choices input[name=reader] >> nth=0")
    at.service.users.end_sessions(ADMINISTRATOR, "operator")
    expect(page.locator("dialog#start #ended")).to_be_visible()
    expect(page.locator("#connection")).to_be_hidden()
    assert not page.locator("#start-choices input[name=reader]").first.is_checked()
    with page.context.expect_page() as tab:
        page.click("#ended a[target=_blank]")
    sign_in(tab.value, at, "operator")
    expect(page.locator("dialog#start #resumed")).to_be_visible()
    tab.value.close()
    assert not page.locator("#start-choices input[name=reader]").first.is_checked()
