"""The review page: rows in clear for a second person, marks, and annex 3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook

from reader_service.principal import Role
from registry.values import BatchState
from tests.support import forms
from tests.support.service.accounts import AccountsApp, Client, accounts_app, problem

ID, NAME, MOBILE = forms.id_number(serial=1), "孙波磊", "18801434135"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("reviewing"))
    with served.registry:
        served.person("clerk", Role.REGISTRAR)
        served.person("both", Role.REGISTRAR, Role.REVIEWER)
        served.person("reviewer", Role.REVIEWER)
        served.person("auditor", Role.AUDITOR)
        yield served


def enter(app: AccountsApp, name: str) -> Client:
    client = app.signed_in(name)
    client.cookies.set("membercard-language", "en")
    return client


@pytest.fixture
def batch(app: AccountsApp, tmp_path: Path) -> str:
    """A draft of two people and a rejected row, in the form of Hebei, sent for review."""
    content = forms.xlsx(tmp_path / "f.xlsx", forms.form(forms.person(1), forms.person(2), forms.person(3, phone="")))
    clerk = enter(app, "clerk")
    where = clerk.post("/intake", data={"form_name": "hebei"}, files={"form": ("f.xlsx", content.read_bytes())})
    assert clerk.post(f"{where.headers['location']}/submit").status_code == 303
    return where.headers["location"].removeprefix("/intake/")


def test_rows_are_shown_in_clear_only_after_the_look_was_audited(app: AccountsApp, batch: str) -> None:
    reviewer = enter(app, "reviewer")
    page = reviewer.get(f"/intake/{batch}/review").text
    assert NAME not in page
    assert ID not in page
    assert "0 rows right, 0 in doubt, 3 open, of 3." in page
    refused = reviewer.post(f"/intake/{batch}/rows", headers=HTMX)
    assert refused.status_code == 422
    assert NAME not in refused.text
    shown = reviewer.post(f"/intake/{batch}/rows", data={"reason": "annex 5"}, headers=HTMX)
    assert shown.headers["Cache-Control"] == "no-store"
    assert f'<span class="no-print">{NAME}</span><span class="printed">孙**</span>' in shown.text
    assert f'<span class="no-print">{ID}</span>' in shown.text
    entry = app.registry.audit.page(None, 1).items[0].entry
    assert (entry.actor, entry.action, entry.reason) == ("reviewer", "batch.look", "annex 5")
    assert entry.facts == {"count": 3, "row_from": 4, "row_to": 6}
    printed = reviewer.post(f"/intake/{batch}/rows", data={"reason": "annex 5", "printed": "on"}, headers=HTMX).text
    assert NAME in printed
    assert "no-print" not in printed.split("<table")[1]


def test_who_handed_it_in_and_who_only_reads_get_no_data_in_clear(app: AccountsApp, tmp_path: Path) -> None:
    both = enter(app, "both")
    content = forms.xlsx(tmp_path / "own.xlsx", forms.form(forms.person(5))).read_bytes()
    own = both.post("/intake", files={"form": ("own.xlsx", content)}).headers["location"]
    both.post(f"{own}/submit")
    assert f"{own}/rows" not in both.get(f"{own}/review").text
    for client in (both, enter(app, "clerk"), enter(app, "auditor")):
        answer = client.post(f"{own}/rows", data={"reason": "x"}, headers=HTMX)
        assert answer.status_code == 403
        assert NAME not in answer.text


def test_a_doubt_stands_with_its_note_until_it_is_settled(app: AccountsApp, batch: str) -> None:
    reviewer, path = enter(app, "reviewer"), f"/intake/{batch}"
    done = reviewer.post(f"{path}/rows/4", data={"mark": "right", "note": ""}, headers=HTMX).text
    assert 'hx-swap-oob="true"' in done
    assert "1 rows right, 0 in doubt, 2 open, of 3." in done
    assert reviewer.post(f"{path}/rows/5", data={"mark": "doubt", "note": ""}, headers=HTMX).status_code == 409
    assert reviewer.post(f"{path}/rows/5", data={"mark": "x"}, headers=HTMX).status_code == 422
    assert reviewer.post(f"{path}/rows/5", data={"mark": "doubt", "note": "another birthday"}).status_code == 303
    assert "another birthday" in reviewer.get(f"{path}/review").text
    shown = reviewer.post(f"{path}/rows", data={"reason": "annex 5"}, headers=HTMX).text
    assert 'id="review-6"' in shown
    assert 'id="review-5"' not in shown
    members = {"members": "3", "copies": "3", "contact": "Li Na", "phone": "0311-85000000", "seal": "on"}
    assert reviewer.post(f"{path}/confirm", data=members).status_code == 303
    assert reviewer.post(f"{path}/approve", headers=HTMX).status_code == 409
    reviewer.post(f"{path}/return", data={"reason": "row 5"})
    assert "another birthday" in enter(app, "clerk").get(path).text


def test_annex_3_is_entered_compared_and_printed(app: AccountsApp, batch: str) -> None:
    reviewer, path = enter(app, "reviewer"), f"/intake/{batch}"
    assert "annex 3" in reviewer.post(f"{path}/approve", headers=HTMX).text
    paper = {"members": "3", "copies": "2", "contact": "李娜", "phone": "0311-85000000", "seal": "on"}
    refused = reviewer.post(f"{path}/confirm", data=paper, headers=HTMX)
    assert refused.status_code == 409
    assert "3 members and 2 ID copies" in refused.text
    assert reviewer.post(f"{path}/confirm", data=paper | {"phone": "none"}, headers=HTMX).status_code == 422
    for number in ("many", "000000000003" + "9" * 5000):
        assert reviewer.post(f"{path}/confirm", data=paper | {"members": number}, headers=HTMX).status_code == 422
    assert reviewer.post(f"{path}/confirm", data=paper | {"explanation": "one copy follows"}).status_code == 303
    page = reviewer.get(f"{path}/review").text
    assert "one copy follows" in page
    assert "李娜" not in page
    book = reviewer.get(f"{path}/annex-3.xlsx")
    assert book.headers["Cache-Control"] == "no-store"
    cells = [[cell.value for cell in row] for row in load_workbook(io.BytesIO(book.content)).active.iter_rows()]
    assert ["身份证复印件 ID copies (annex 5)", 2, 3, -1] in cells
    assert ["联系人 Contact", "李娜"] in [row[:2] for row in cells]
    assert reviewer.get(f"{path}/annex-3.pdf").content.startswith(b"%PDF-")
    assert app.registry.audit.page(None, 1).items[0].entry.action == "batch.cover"
    assert reviewer.post(f"{path}/approve").status_code == 303
    assert app.registry.batches.batch(batch).state is BatchState.APPROVED


def test_the_api_shows_marks_and_confirms(app: AccountsApp, batch: str) -> None:
    reviewer, path = app.signed_in("reviewer"), f"/api/v1/batches/{batch}"

    shown = reviewer.post(f"{path}/look", json={"reason": "annex 5", "limit": 1})
    assert shown.headers["Cache-Control"] == "no-store"
    (row,) = shown.json()["rows"]
    assert (row["copy_number"], row["name"], row["id_number"], row["mobile"]) == ("1", NAME, ID, MOBILE)
    assert shown.json()["next"] == 4
    marked = reviewer.post(f"{path}/rows/5/mark", json={"mark": "doubt", "note": "unclear"}).json()
    assert (marked["in_doubt"], marked["resume_after"], marked["doubts"][0]["note"]) == (1, 3, "unclear")
    assert reviewer.post(f"{path}/rows/5/mark", json={"mark": None}).json()["open"] == 3
    assert reviewer.get(f"{path}/review").json()["rows"] == 3
    assert reviewer.get(f"{path}/confirmation").json() is None
    paper = {"members": 3, "copies": 3, "contact": "李娜", "phone": "0311-85000000", "seal": True}
    assert reviewer.post(f"{path}/confirmation", json=paper).json()["contact_masked"] == "李*"
    assert reviewer.get(f"{path}/confirmation").json()["current"] is True
    assert reviewer.get(f"{path}/confirmation.pdf").status_code == 200
    auditor = app.signed_in("auditor")
    assert problem(auditor.post(f"{path}/look", json={"reason": "x"}))["code"] == "forbidden"
