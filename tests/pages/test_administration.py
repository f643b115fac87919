"""Registry, progress, audit, users and intake as people use them; what goes wrong is said in their language."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from membercard.demo.people import people, person, write_form
from registry.values import CardState
from tests.support.service.pages import Served, Sessions, opener

_DROP = """([drop, name, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  document.querySelector(drop).dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
}"""
SECOND = person(102)
"""Somebody of the demo's second batch, whose card is good."""


def ask(page: Page, dialog: str, why: str) -> None:
    page.click(opener(dialog))
    page.fill(f"dialog#{dialog} textarea", why)
    page.click(f"dialog#{dialog} button[type=submit]")


def settled(page: Page) -> None:
    # Not wait_for_function: it evaluates text where it has to wait, which the policy of our pages refuses.
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def expect_message(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.locator("#messages")).to_contain_text(text)


# --- intake ----------------------------------------------------------------------------------------------------------


def drop(page: Page, path: Path) -> None:
    page.evaluate(_DROP, ["#drop", path.name, base64.b64encode(path.read_bytes()).decode()])


def test_a_form_that_is_dropped_is_checked_in_english(sessions: Sessions, at: Served, tmp_path: Path) -> None:
    page, _ = sessions.open_page("registrar", "en", path="/intake")
    drop(page, write_form(tmp_path / "drop.xlsx", "拖放测试工会", people(2, 901)))
    page.wait_for_url(re.compile(r"/intake/B"))
    expect_message(page, "2 rows accepted, 0 rejected")
    expect(page.locator("section[aria-labelledby=changes-title] tbody tr")).to_have_count(2)
    ask(page, "discard", "only a test of dropping")
    page.wait_for_url("**/intake")
    expect_message(page, "was discarded")


def test_a_form_without_a_sound_row_makes_no_batch_and_comes_back_annotated(
    sessions: Sessions, at: Served, tmp_path: Path
) -> None:
    before = len(at.service.registry.batches.all())
    page, _ = sessions.open_page("registrar", "en", path="/intake")
    page.set_input_files("#form", write_form(tmp_path / "known.xlsx", "省邮政公司工会", [SECOND]))
    page.click("#upload button[type=submit]")
    expect(page.locator("#result")).to_contain_text("nobody is new and nothing changed (1 rows unchanged, 0 rejected)")
    expect(page.locator("#result tbody tr")).to_contain_text("Unchanged")
    with page.expect_download() as download:
        page.click("#copy")
    download.value.save_as(tmp_path / "copy.xlsx")
    assert load_workbook(tmp_path / "copy.xlsx").active.max_column > 6
    assert len(at.service.registry.batches.all()) == before


@pytest.mark.parametrize(("language", "word"), [("zh", "无法读取"), ("en", "cannot be read")])
def test_what_is_no_form_is_refused_in_the_readers_language(
    sessions: Sessions, tmp_path: Path, language: str, word: str
) -> None:
    page, watch = sessions.open_page("registrar", language, path="/intake")
    watch.expected |= {400, 413, 415, 422}
    (tmp_path / "bomb.xlsx").write_bytes(b"PK\x03\x04 this is no workbook")
    page.set_input_files("#form", tmp_path / "bomb.xlsx")
    page.click("#upload button[type=submit]")
    expect(page.locator("#result .notice.bad")).to_contain_text(word)
    expect(page.locator("#sending")).to_be_hidden()
    (tmp_path / "endless.xlsx").write_bytes(bytes(16 * 1024 * 1024))
    page.set_input_files("#form", tmp_path / "endless.xlsx")
    page.click("#upload button[type=submit]")
    expect(page.locator("#result .notice.bad")).to_contain_text("15 MB" if language == "zh" else "larger than 15 MB")


def test_the_importer_may_not_approve(sessions: Sessions, at: Served, tmp_path: Path) -> None:
    page, _ = sessions.open_page("demo", path="/intake")
    page.set_input_files("#form", write_form(tmp_path / "own.xlsx", "自审测试工会", people(1, 951)))
    page.click("#upload button[type=submit]")
    page.get_by_role("button", name="送审").click()
    expect(page.locator("main .notice.warn")).to_contain_text("另一人审核")
    expect(page.get_by_role("button", name="审核通过")).to_be_disabled()
    ask(page, "discard", "测试结束")
    page.wait_for_url("**/intake")


# --- second signatures ------------------------------------------------------------------------------------------------


def test_the_clerk_copies_a_link_that_the_reviewer_opens_from_the_start_page_too(
    sessions: Sessions, at: Served
) -> None:
    clerk, _ = sessions.open_page("registrar", path=f"/intake/{at.station.draft}")
    link = f"{at.base}/intake/{at.station.draft}"
    expect(clerk.locator("#send-link")).to_have_value(link)
    clerk.click("[data-copy=send-link]")
    expect(clerk.locator("[data-copy=send-link]")).to_have_text("已复制")
    reviewer, _ = sessions.open_page("reviewer")
    reviewer.wait_for_url("**/intake")
    expect(reviewer.locator(".places .waits .count")).to_be_visible()
    waiting = reviewer.locator("section[aria-labelledby=waiting-title] tr", has_text=at.station.draft)
    waiting.get_by_role("link", name="打开").click()
    reviewer.wait_for_url(link)


# --- registry --------------------------------------------------------------------------------------------------------


def test_search_by_each_number_and_by_name_leaves_none_of_it_in_the_address(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("registrar", path="/registry")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    member = at.service.registry.members.find(SECOND.id_number).items[0]
    for text in (SECOND.id_number, str(member.member_number), str(member.card_number), SECOND.name):
        page.goto("/registry")
        page.fill("#text", text)
        page.press("#text", "Enter")
        page.wait_for_url(f"**/registry/{member.member_id}")
    assert not [url for url in addresses if SECOND.id_number in url or str(member.card_number) in url]
    assert SECOND.id_number not in page.content()
    assert SECOND.mobile not in page.content()
    page.goto("/registry")
    page.fill("#text", "没有此人")
    page.press("#text", "Enter")
    expect(page.locator("#matches")).to_contain_text("没有找到")


def test_a_unit_is_suggested_while_its_name_is_typed_and_chosen_by_keyboard(sessions: Sessions) -> None:
    page, _ = sessions.open_page("registrar", path="/registry")
    page.locator("#unit").press_sequentially("铁道大学")
    first = page.locator("#unit-units option").first
    first.wait_for(state="attached")
    unit = first.get_attribute("value") or ""
    assert "铁道大学" in unit
    page.fill("#unit", unit[1:5])
    page.press("#unit", "Enter")
    page.wait_for_url("**/registry?unit=*")
    units = page.locator("#matches tbody tr td:nth-child(5)").all_inner_texts()
    assert units
    assert all(unit[1:5] in one for one in units)


def test_full_data_are_shown_for_a_reason_and_recorded_in_the_audit(sessions: Sessions, at: Served) -> None:
    member = at.service.registry.members.find(SECOND.id_number).items[0]
    page, _ = sessions.open_page("registrar", path=f"/registry/{member.member_id}")
    ask(page, "unmask", "本人到场核对资料")
    shown = page.locator("#unmasked")
    expect(shown).to_contain_text(SECOND.id_number)
    expect(shown).to_contain_text(SECOND.mobile)
    expect(page.locator("dialog#unmask")).to_be_hidden()
    newest = at.service.registry.audit.page(limit=1).items[0].entry
    assert (newest.actor, newest.action, newest.reason) == ("registrar", "member.unmask", "本人到场核对资料")
    page.reload()
    assert SECOND.id_number not in page.content()


def test_a_card_is_locked_unlocked_lost_and_replaced(sessions: Sessions, at: Served) -> None:
    someone = at.service.registry.members.find(person(103).id_number).items[0]
    number = str(someone.card_number)
    card = at.service.registry.cards.card(number)
    page, _ = sessions.open_page("registrar", "en", path=f"/registry/{someone.member_id}")
    for step, words, state in (
        ("suspend", "is locked", CardState.SUSPENDED),
        ("unlock", "is unlocked", CardState.ACTIVE),
    ):
        ask(page, f"{step}-{card.dossier_id}", f"reason for {step}")
        expect_message(page, words)
        assert at.service.registry.cards.card(number).state is state
    page.click(f"a[href='/registry/{someone.member_id}/loss']")
    page.fill("textarea[name=reason]", "reason for loss")
    page.uncheck("input[name=replace]")
    page.click("form#loss button[type=submit]")
    expect_message(page, "is recorded, and a new hotlist is published")
    assert at.service.registry.cards.card(number).state is CardState.LOST
    page.goto(f"/registry/{someone.member_id}")
    ask(page, f"replace-{card.dossier_id}", "reason for replace")
    expect_message(page, "Replacement batch")
    assert at.service.registry.cards.card(number).state is CardState.REPLACED
    history = page.locator("section[aria-labelledby=history-title] tbody tr")
    for row, reason in zip(range(2), ("reason for replace", "reason for loss"), strict=True):
        expect(history.nth(row)).to_contain_text(reason)
    page.goto("/registry?state=replaced")
    expect(page.locator("main tbody")).to_contain_text(number)


def test_a_member_moves_to_another_unit_and_leaves(sessions: Sessions, at: Served) -> None:
    someone = at.service.registry.members.find(person(104).id_number).items[0]
    page, _ = sessions.open_page("registrar", path=f"/registry/{someone.member_id}")
    page.click(opener("transfer"))
    page.fill("dialog#transfer input[name=unit]", "省地质局工会")
    page.fill("dialog#transfer textarea", "工作调动")
    page.click("dialog#transfer button[type=submit]")
    expect_message(page, "省地质局工会")
    ask(page, "withdraw", "退休")
    expect_message(page, "已注销")
    assert at.service.registry.members.member(someone.member_id).withdrawn_at is not None
    assert page.locator(opener("transfer")).count() == 0


# --- progress --------------------------------------------------------------------------------------------------------


def test_plots_are_drawn_each_with_its_table_and_all_of_it_is_exported(
    sessions: Sessions, at: Served, tmp_path: Path
) -> None:
    page, _ = sessions.open_page("auditor", path="/progress?days=30")
    page.wait_for_selector("#plots[data-drawn='6']")
    for name in ("units", "days", "seconds", "lanes", "rejects", "verdicts"):
        inked = page.evaluate(
            "(id) => { const c = document.getElementById(id);"
            " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v) }",
            f"plot-{name}",
        )
        assert inked, name
        assert page.locator(f"section[aria-labelledby={name}-title] tbody tr").count() > 0
    late = page.locator("section[aria-labelledby=units-title] tbody tr", has_text="逾期")
    expect(late).to_contain_text("省邮政公司工会")
    with page.expect_download() as download:
        page.get_by_role("link", name="导出 xlsx").click()
    download.value.save_as(tmp_path / "figures.xlsx")
    assert len(load_workbook(tmp_path / "figures.xlsx").sheetnames) >= 5


def test_a_schedule_is_imported(sessions: Sessions, at: Served, tmp_path: Path) -> None:
    sheet = tmp_path / "plan.csv"
    sheet.write_text("单位,组别,计划数,完成日期\n省测试工会,第四组,25,2027-01-31\n", encoding="utf-8")
    page, _ = sessions.open_page("registrar", path="/progress")
    page.set_input_files("input[name=form]", sheet)
    page.locator("form[action='/progress/plans'] button").click()
    expect_message(page, "计划已导入")
    expect(page.locator("section[aria-labelledby=units-title]")).to_contain_text("省测试工会")
    at.service.registry.plans.remove("省测试工会", by="tests")


def test_a_unit_is_put_below_another_and_the_page_undoes_it(sessions: Sessions, at: Served) -> None:
    def above() -> str:
        return at.service.registry.units.page(text="省地质局工会").items[-1].above

    page, watch = sessions.open_page("registrar", path="/progress")
    watch.expected.add(422)
    page.get_by_role("link", name="单位层级").click()
    page.get_by_label("设置省地质局工会的上级单位").click()
    page.fill("#place-above", "省直机关工会联合会")
    page.fill("#place-reason", "来文")
    page.press("#place-above", "Enter")
    expect(page.locator("#place-above-error")).to_contain_text("系统中没有省直机关工会联合会")
    page.get_by_label("系统中还没有这个上级单位").check()
    page.press("#place-above", "Enter")
    expect_message(page, "省地质局工会已设为省直机关工会联合会的下级单位")
    assert above() == "省直机关工会联合会"
    page.get_by_role("button", name="撤销").click()
    expect_message(page, "省地质局工会已改为没有上级的单位")
    assert above() == ""


def test_one_units_plan_is_mended_removed_and_added_by_keyboard(sessions: Sessions, at: Served) -> None:
    plans = at.service.registry.plans
    before = next(plan for plan in plans.all() if plan.unit == "省地质局工会")
    page, watch = sessions.open_page("registrar", path="/progress")
    watch.expected.add(422)

    def save(planned: str) -> None:
        page.fill("#plan-planned", planned)
        page.press("#plan-planned", "Enter")

    page.focus("[aria-label='修改省地质局工会的计划']")
    page.keyboard.press("Enter")
    expect(page.locator("#plan-group")).to_be_focused()
    assert page.get_attribute("#plan-unit", "readonly") is not None
    save("99999999999")
    expect(page.locator("#plan-planned-error")).to_contain_text("大于 0")
    expect(page.locator("#plan-planned")).to_be_focused()
    save("17")
    expect_message(page, "省地质局工会的计划已保存：17 张")
    assert replace(before, planned=17) in plans.all()
    page.wait_for_load_state()
    page.click("[aria-label='修改省地质局工会的计划']")
    page.get_by_role("button", name="删除计划").click()
    expect_message(page, "已删除省地质局工会的计划（17 张）")
    assert before.unit not in {plan.unit for plan in plans.all()}
    page.wait_for_load_state()
    page.keyboard.press("n")
    expect(page.locator("#plan-unit")).to_be_focused()
    for field, value in (("unit", before.unit), ("group", before.group), ("due", before.due.isoformat())):
        page.fill(f"#plan-{field}", value)
    save(str(before.planned))
    expect_message(page, f"计划已保存：{before.planned} 张")
    assert before in plans.all()


# --- audit -----------------------------------------------------------------------------------------------------------


def test_the_audit_is_filtered_and_its_chain_verified_against_what_was_noted(sessions: Sessions) -> None:
    page, _ = sessions.open_page("auditor", "en", path="/audit")
    page.select_option("select[name=action]", "user.")
    with page.expect_navigation():
        page.get_by_role("button", name="Filter").click()
    rows = page.locator("main tbody tr")
    expect(rows.nth(7)).to_be_visible()
    expect(page.locator("main tbody a[href='/audit?subject=user:reviewer']").first).to_be_visible()
    page.goto("/audit")
    page.click(opener("verify"))
    page.click("dialog#verify button[type=submit]")
    expect(page.locator("#report .notice.ok")).to_contain_text("The chain is whole")
    number, noted = page.locator("#report dd").all_inner_texts()
    page.click(opener("verify"))
    page.fill("dialog#verify input[name=number]", number)
    page.fill("dialog#verify input[name=noted]", "0" * 64)
    page.click("dialog#verify button[type=submit]")
    expect(page.locator("#report .notice.bad")).to_contain_text("The chain is broken")
    page.click(opener("verify"))
    page.fill("dialog#verify input[name=number]", number)
    page.fill("dialog#verify input[name=noted]", noted)
    page.click("dialog#verify button[type=submit]")
    expect(page.locator("#report .notice.ok")).to_be_visible()


# --- users -----------------------------------------------------------------------------------------------------------


def test_a_user_is_added_signs_in_is_given_roles_reset_and_disabled(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("administrator", path="/users")
    page.click(opener("add"))
    page.fill("dialog#add input[name=name]", "qian.duo")
    page.fill("dialog#add input[name=display]", "钱多")
    page.check("dialog#add input[value=counter]")
    page.click("dialog#add button[type=submit]")
    password = page.inner_text("#once code")
    assert re.fullmatch(r"[a-z0-9]{4}(-[a-z0-9]{4}){3}", password)
    expect(page.locator("#people")).to_contain_text("钱多")
    expect(page.locator("dialog#add")).to_be_hidden()
    at.service.accounts.sign_in("qian.duo", password, "tests")
    page.click("#people a:text-is('qian.duo')")
    page.wait_for_url("**/users/qian.duo")
    expect(page.locator("section[aria-labelledby=sessions-title] tbody tr")).to_have_count(1)
    page.click(opener("roles"))
    page.check("dialog#roles input[value=operator]")
    page.fill("dialog#roles textarea", "兼任制卡")
    page.click("dialog#roles button[type=submit]")
    expect_message(page, "角色已更改")
    assert at.service.registry.users.user("qian.duo").roles == {"counter", "operator"}
    ask(page, "reset", "忘记密码")
    second = page.inner_text("#once code")
    assert second != password
    page.reload()
    assert second not in page.content()
    ask(page, "disable", "离职")
    expect_message(page, "已停用")
    assert at.service.registry.users.user("qian.duo").disabled


def test_a_token_is_shown_once_and_revoked(sessions: Sessions, at: Served) -> None:
    page, _ = sessions.open_page("administrator", "en", path="/users")
    page.click(opener("make-token"))
    assert page.locator("dialog#make-token input[value=reviewer]").count() == 0
    page.fill("dialog#make-token input[name=label]", "till 7")
    page.check("dialog#make-token input[value=counter]")
    page.click("dialog#make-token button[type=submit]")
    secret = page.inner_text("#once code")
    assert secret.startswith("mc_")
    page.reload()
    assert secret not in page.content()
    token = at.service.registry.tokens.page().items[0]
    ask(page, f"revoke-{token.id}", "the till was sold")
    expect_message(page, "was revoked")
    assert at.service.registry.tokens.page().items[0].revoked_at is not None


def test_an_administrator_does_not_disable_themselves(sessions: Sessions) -> None:
    page, _ = sessions.open_page("administrator", path="/users/administrator")
    assert page.locator(opener("disable")).count() == 0
    assert page.locator(opener("roles")).count() == 0


def test_pages_of_others_are_refused_in_words(sessions: Sessions) -> None:
    for name, path in (("counter", "/registry"), ("registrar", "/users"), ("operator", "/audit")):
        page, watch = sessions.open_page(name, path=None)
        watch.expected.add(403)
        page.goto(path)
        expect(page.locator("main .notice.bad")).to_contain_text("您的角色")
        assert page.locator(f"nav.places a[href='{path}']").count() == 0


# --- station ---------------------------------------------------------------------------------------------------------


def test_an_operator_gives_a_reader_its_name(sessions: Sessions) -> None:
    page, watch = sessions.open_page("operator", "zh", path="/station")
    tile = page.locator("article.tile", has=page.get_by_role("heading", name="Lane 4", exact=True))
    known = str(tile.get_attribute("id"))

    def call_it(name: str) -> None:
        with page.expect_response("**/name"):
            page.click(f"#{known}-rename")
        settled(page)
        page.fill("dialog#name input[name=name]", name)
        page.press("dialog#name input[name=name]", "Enter")

    for name in ("靠窗", "Lane 4"):  # the last is what the other tests know it by
        call_it(name)
        expect(page.locator(f"#{known} h2")).to_have_text(name)
        expect_message(page, f"读卡器现名 {name}")
        expect(page.locator("dialog#name")).to_be_hidden()
    watch.expected.add(409)
    call_it("Lane 1")
    expect_message(page, "本站点另有读卡器名为 Lane 1")
