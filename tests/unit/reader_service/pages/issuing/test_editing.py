"""The edit page: rows of a returned roster are changed, and a corrected form shows its differences first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reader_service.principal import Role
from tests.support import forms
from tests.support.service.accounts import AccountsApp, Client, accounts_app

HTMX = {"HX-Request": "true"}
ID, NAME = forms.id_number(serial=1), "孙波磊"


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("editing"))
    with served.registry:
        served.person("clerk", Role.REGISTRAR)
        served.person("reviewer", Role.REVIEWER)
        yield served


def enter(app: AccountsApp, name: str, language: str = "en") -> Client:
    client = app.signed_in(name)
    client.cookies.set("membercard-language", language)
    return client


def content(tmp_path: Path, *people: list[object]) -> bytes:
    return forms.xlsx(tmp_path / "f.xlsx", forms.form(*people)).read_bytes()


def test_a_clerk_edits_rows_and_accepts_a_corrected_form(app: AccountsApp, tmp_path: Path) -> None:
    clerk, reviewer = enter(app, "clerk"), enter(app, "reviewer")
    file = content(tmp_path, forms.person(1), forms.person(2))
    where = clerk.post("/intake", files={"form": ("f.xlsx", file)}).headers["location"]
    batch = where.removeprefix("/intake/")
    assert f'href="{where}/edit"' in clerk.get(where).text
    assert f'href="{where}/edit"' not in reviewer.get(where).text
    first = app.registry.rosters.rows(batch)[0].sheet_row
    edited = clerk.post(f"{where}/edit", data={"row": str(first), "mobile": "13700000001", "reason": "as returned"})
    assert edited.status_code == 303
    unseen = {"row": str(first), "mobile": "13700000002", "reason": "x", "last_edit": "0"}
    assert clerk.post(f"{where}/edit", data=unseen).status_code == 409
    page = clerk.get(f"{where}/edit").text
    assert f'name="last_edit" value="{app.registry.edits.state(batch)}"' in page
    assert "Changed" in page
    assert "mobile number" in page
    assert "*" * 7 + "0001" in page
    assert ID not in page
    assert NAME not in page
    for number in ("x", "0", "000000000001" + "9" * 5000):
        wrong = {"row": number, "name": "李", "reason": "y"}
        assert clerk.post(f"{where}/edit", data=wrong).status_code == 422
    assert reviewer.post(f"{where}/edit", data={"row": str(first), "name": "李", "reason": "y"}).status_code == 403
    added = clerk.post(f"{where}/edit", data={"name": "司马", "reason": "forgotten"})
    assert added.status_code == 303
    last = app.registry.rosters.rows(batch)[-1].sheet_row
    assert clerk.post(f"{where}/leave-out", data={"row": str(last), "reason": "twice"}).status_code == 303
    assert "Undo the last edit" in clerk.get(f"{where}/edit").text
    assert reviewer.post(f"{where}/undo-edit").status_code == 403
    for left in (3, 2):
        assert clerk.post(f"{where}/undo-edit").headers["location"] == f"{where}/edit"
        assert len(app.registry.rosters.rows(batch)) == left

    longer = {"form": ("g.xlsx", content(tmp_path, forms.person(1), forms.person(2), forms.person(3, name="李娜")))}
    part = clerk.post(f"{where}/corrections", files=longer, headers=HTMX).text
    assert "1 rows added, 0 left out, 1 changed, 1 as before." in part
    seen = re.search('name="seen" value="([0-9a-f]{64})"', part)
    assert seen is not None
    values = {"seen": seen[1], "reason": "corrected form"}
    assert clerk.post(f"{where}/correct", files=longer, data=values).headers["location"] == where
    assert app.registry.batches.batch(batch).accepted == 3
    clerk.post(f"{where}/submit")
    assert "is edited as a draft" in clerk.get(f"{where}/edit").text
    assert "修改记录" in enter(app, "reviewer", "zh").get(f"{where}/edit").text
