"""A returned roster is edited in the browser: a row at once, a corrected form once its differences were seen."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.support import forms
from tests.support.forms import UNIT, person
from tests.support.service.pages import Served, Sessions


def test_a_corrected_form_is_accepted_after_its_differences(at: Served, sessions: Sessions, tmp_path: Path) -> None:
    registry = at.service.registry
    page, _ = sessions.open_page("registrar", "en", path="/intake")
    people = [person(201), person(202, name="李娜")]
    page.locator("#form").set_input_files(forms.xlsx(tmp_path / "first.xlsx", forms.form(*people)))
    page.get_by_role("button", name="Upload and check").click()
    page.wait_for_url("**/intake/B*")
    batch = page.url.rsplit("/", 1)[1].split("?")[0]
    page.get_by_role("link", name="Edit rows").click()
    page.wait_for_url("**/edit")
    row = registry.rosters.rows(batch)[0].sheet_row
    page.locator("#row").fill(str(row))
    page.locator("#mobile").fill("13700000001")
    page.locator("form[action$='/edit'] #reason").fill("as returned")
    page.get_by_role("button", name="Store").click()
    expect(page.locator("table")).to_contain_text("mobile number")
    longer = forms.xlsx(tmp_path / "second.xlsx", forms.form(*people, person(203, name="司马")))
    page.locator("#form").set_input_files(longer)
    page.get_by_role("button", name="Show differences").click()
    expect(page.locator("#corrections")).to_contain_text("1 rows added, 0 left out, 1 changed, 1 as before.")
    page.locator("#corrections-reason").fill("corrected form")
    page.get_by_role("button", name="Accept the differences").click()
    page.wait_for_url(f"**/intake/{batch}")
    assert registry.batches.batch(batch).accepted == 3
    assert registry.batches.batch(batch).unit == UNIT
    registry.batches.discard(batch, "registrar", reason="test")
