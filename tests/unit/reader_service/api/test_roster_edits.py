"""Edits of a returned roster over HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook

from reader_service.principal import Role
from tests.support import forms
from tests.support.forms import person
from tests.support.service.accounts import problem
from tests.support.service.registry_app import RegistryApp, registry_app

V1 = "/api/v1"
ROSTERS, BATCHES = f"{V1}/rosters", f"{V1}/batches"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RegistryApp]:
    rig = registry_app(tmp_path)
    yield rig
    rig.accounts.registry.close()


def form(tmp_path: Path, *people: list[object]) -> bytes:
    return forms.xlsx(tmp_path / "made.xlsx", forms.form(*people)).read_bytes()


def test_the_annotated_copy_shows_no_result_of_what_the_form_no_longer_says(rig: RegistryApp, tmp_path: Path) -> None:
    clerk = rig.person("clerk", Role.REGISTRAR)
    content = form(tmp_path, person(1), person(2), person(3, phone=""))
    batch = clerk.post(ROSTERS, files={"file": ("f.xlsx", content)}).json()["batch"]["id"]
    first, _, third = (one["sheet_row"] for one in clerk.get(f"{ROSTERS}/{batch}/findings").json()["items"])
    clerk.post(f"{BATCHES}/{batch}/rows/{first}/leave-out", json={"reason": "left the union"})
    number, name, gender, _, unit = person(3)[1:]
    values = {"id_number": number, "name": name, "gender": gender, "unit": unit, "mobile": "13700000003"}
    assert clerk.post(f"{BATCHES}/{batch}/rows/{third}", json={**values, "reason": "x"}).json()["fields"] == ["verdict"]
    sheet = load_workbook(io.BytesIO(clerk.get(f"{ROSTERS}/{batch}/annotated").content)).worksheets[0]
    assert [sheet.cell(row, 7).value for row in (first, first + 1, third)] == [None, "通过", None]


def test_a_returned_roster_is_edited_and_corrected(rig: RegistryApp, tmp_path: Path) -> None:
    clerk, reviewer = rig.person("clerk", Role.REGISTRAR), rig.person("reviewer", Role.REVIEWER)
    other = rig.person("other", Role.REGISTRAR, Role.REVIEWER)
    content = form(tmp_path, person(1), person(2))
    batch = clerk.post(ROSTERS, files={"file": ("f.xlsx", content)}).json()["batch"]["id"]
    rows = f"{BATCHES}/{batch}/rows"
    clerk.post(f"{BATCHES}/{batch}/submit")
    first = clerk.get(f"{ROSTERS}/{batch}/findings").json()["items"][0]["sheet_row"]
    change = {"mobile": "13700000001", "reason": "as returned"}
    refused = problem(clerk.post(f"{rows}/{first}", json=change))
    assert refused["code"] == "conflict"
    assert "with the reviewers" in refused["detail"]
    reviewer.post(f"{BATCHES}/{batch}/return", json={"reason": "wrong number"})
    assert problem(reviewer.post(f"{rows}/{first}", json=change))["code"] == "forbidden"

    edited = clerk.post(f"{rows}/{first}", json=change).json()
    assert (edited["change"], edited["fields"]) == ("changed", ["mobile"])
    assert edited["after"]["mobile_masked"] == "*" * 7 + "0001"
    assert problem(clerk.post(f"{rows}/{first}", json={"reason": "x"}))["code"] == "invalid"
    unseen: dict[str, object] = {"mobile": "13700000002", "reason": "x", "last_edit": 0}
    assert "edited meanwhile" in problem(clerk.post(f"{rows}/{first}", json=unseen))["detail"]
    del unseen["mobile"]
    assert "edited meanwhile" in problem(clerk.post(f"{rows}/{first}/leave-out", json=unseen))["detail"]
    added = clerk.post(rows, json={"name": "司马", "reason": "forgotten"})
    assert (added.status_code, added.json()["after"]["verdict"]) == (201, "rejected")
    gone = clerk.post(f"{rows}/{added.json()['after']['sheet_row']}/leave-out", json={"reason": "twice"})
    assert gone.json()["change"] == "left-out"
    undone = clerk.post(f"{BATCHES}/{batch}/edits/undo", json={}).json()
    assert [(one["change"], one["after"]["name_masked"]) for one in undone] == [("added", "司*")]
    unseen = {"last_edit": 0}
    assert "edited meanwhile" in problem(clerk.post(f"{BATCHES}/{batch}/edits/undo", json=unseen))["detail"]
    assert [one["change"] for one in clerk.post(f"{BATCHES}/{batch}/edits/undo", json={}).json()] == ["left-out"]

    longer = {"file": ("g.xlsx", form(tmp_path, person(1), person(3, name="李娜", phone="13900000003")))}
    corrections = f"{BATCHES}/{batch}/corrections"
    shown = other.post(f"{corrections}/check", files=longer).json()
    assert shown["counts"] == {"added": 1, "left-out": 1, "changed": 1}
    why = {"reason": "corrected form"}
    stale = other.post(corrections, files=longer, data={"seen": "0" * 64, **why})
    assert "others than those shown" in problem(stale)["detail"]
    assert other.post(corrections, files=longer, data={"seen": shown["seen"], **why}).status_code == 200
    history = reviewer.get(f"{BATCHES}/{batch}/edits").json()["items"]
    assert [(one["by"], one["corrected"]) for one in history] == [("other", True)] * 3 + [("clerk", False)] * 5
    assert person(1)[2] not in str(history)
    assert clerk.get(f"{ROSTERS}/{batch}/annotated").status_code == 200
    clerk.post(f"{BATCHES}/{batch}/submit")
    assert problem(other.post(f"{BATCHES}/{batch}/approve"))["code"] == "own-work"
    assert reviewer.post(f"{BATCHES}/{batch}/approve").json()["approved_by"] == "reviewer"
