"""A programme in the browser: a fault found and mended, handed in, seen in words, published by a second person."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from membercard.demo.station import EVERYTHING
from tests.support.paths import ROOT
from tests.support.service.pages import Served, Sessions, opener

HEBEI = (ROOT / "programme" / "examples" / "hebei.yaml").read_text("utf-8")


def test_a_programme_is_handed_in_and_published_by_a_second_person(
    at: Served, sessions: Sessions, tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    clerk, _ = sessions.open_page("registrar", "en", path="/programme")
    clerk.get_by_role("link", name="Hand in", exact=True).click()
    clerk.wait_for_url("**/programme/check")
    file.write_text(f"{HEBEI}colour: red\n", "utf-8")
    clerk.set_input_files("#file", file)
    clerk.get_by_role("button", name="Check only").click()
    row = clerk.locator("#result tr", has_text="colour")
    expect(row).to_contain_text("no such field")
    expect(row).to_contain_text(str(HEBEI.count("\n") + 1))
    file.write_text(HEBEI, "utf-8")
    clerk.set_input_files("#file", file)
    clerk.get_by_role("button", name="Check only").click()
    expect(clerk.locator("#result")).to_contain_text("is sound")
    clerk.get_by_role("button", name="Hand in", exact=True).click()
    clerk.wait_for_url("**/programme/proposals/*")
    expect(clerk.locator("#messages")).to_contain_text("another person publishes it")
    expect(clerk.locator(opener("confirm"))).to_have_count(0)
    path = clerk.url.removeprefix(at.base)

    second, _ = sessions.open_page(EVERYTHING, "zh", path="/waiting")
    second.locator(f"a[href='{path}']").first.click()
    expect(second.locator("main")).to_contain_text("健康体检")
    second.click(opener("confirm"))
    second.click("dialog#confirm button[type=submit]")
    second.wait_for_url("**/programme/editions/*")
    expect(second.locator("#messages")).to_contain_text("已发布第")
    newest = at.service.registry.programme_editions.newest()
    assert newest is not None
    assert second.url.endswith(f"/{newest.version}")
    with second.expect_download() as download:
        second.get_by_role("link", name="签名文件").click()
    assert Path(download.value.path()).read_bytes() == newest.signed
