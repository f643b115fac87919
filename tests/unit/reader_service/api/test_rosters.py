"""A form over HTTP, from the upload to the approval, and whatever may be wrong with it."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook

from reader_service.principal import Role
from tests.support import forms
from tests.support.forms import UNIT, person
from tests.support.service.accounts import KeyedClient, problem
from tests.support.service.registry_app import RegistryApp, registry_app

GOOD, BAD = [person(1), person(2)], person(3, phone="")
V1 = "/api/v1"
ROSTERS, BATCHES = f"{V1}/rosters", f"{V1}/batches"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RegistryApp]:
    rig = registry_app(tmp_path)
    yield rig
    rig.accounts.registry.close()


def form(tmp_path: Path, *people: list[object]) -> bytes:
    return forms.xlsx(tmp_path / "made.xlsx", forms.form(*people)).read_bytes()


def test_the_way_of_a_form(rig: RegistryApp, tmp_path: Path) -> None:
    clerk, reviewer = rig.person("clerk", Role.REGISTRAR), rig.person("reviewer", Role.REVIEWER)
    answer = clerk.post(ROSTERS, files={"file": ("登记表.xlsx", form(tmp_path, *GOOD, BAD))})
    body = answer.json()
    assert answer.status_code == 201, answer.text
    assert (body["unit"], body["accepted"], body["rejected"]) == (UNIT, 2, 1)
    batch_id = body["batch"]["id"]
    assert answer.headers["location"] == f"{BATCHES}/{batch_id}"

    page = reviewer.get(f"{ROSTERS}/{batch_id}/findings", params={"limit": 2}).json()
    rest = reviewer.get(f"{ROSTERS}/{batch_id}/findings", params={"limit": 2, "cursor": page["next"]}).json()
    assert [row["accepted"] for row in page["items"] + rest["items"]] == [True, True, False]
    assert rest["items"][0]["reason_zh"] == "没有填写手机号码。"

    sheet = clerk.get(f"{ROSTERS}/{batch_id}/annotated")
    assert sheet.headers["content-disposition"].startswith('attachment; filename="___-__.xlsx"; filename*=UTF-8')
    assert load_workbook(io.BytesIO(sheet.content)).worksheets[0].cell(6, 7).value == "退回"
    assert problem(reviewer.get(f"{ROSTERS}/{batch_id}/annotated"))["code"] == "forbidden"

    assert clerk.post(f"{BATCHES}/{batch_id}/submit").json()["state"] == "draft"
    changes = reviewer.get(f"{BATCHES}/{batch_id}/changes", params={"kind": "new"}).json()["items"]
    assert [change["name_after"] for change in changes] == ["孙**", "孙**"]
    assert reviewer.get(f"{BATCHES}/{batch_id}/changes", params={"kind": "back"}).json() == {"items": [], "next": None}
    back = reviewer.post(f"{BATCHES}/{batch_id}/return", json={"reason": "one of them left"})
    assert back.json()["state"] == "draft"
    assert problem(reviewer.post(f"{BATCHES}/{batch_id}/approve"))["code"] == "conflict"
    clerk.post(f"{BATCHES}/{batch_id}/submit")
    assert problem(clerk.post(f"{BATCHES}/{batch_id}/approve"))["code"] == "forbidden"
    assert reviewer.post(f"{BATCHES}/{batch_id}/approve").json()["approved_by"] == "reviewer"
    steps = [review["step"] for review in reviewer.get(f"{BATCHES}/{batch_id}/reviews").json()]
    assert steps == ["submitted", "returned", "submitted"]
    assert clerk.post(f"{BATCHES}/{batch_id}/discard", json={"reason": "why"}).json()["state"] == "discarded"
    assert problem(clerk.post(f"{BATCHES}/{batch_id}/discard", json={"reason": "why"}))["code"] == "conflict"


def test_who_imported_does_not_approve(rig: RegistryApp, tmp_path: Path) -> None:
    both = rig.person("both", Role.REGISTRAR, Role.REVIEWER)
    batch_id = both.post(ROSTERS, files={"file": ("f.xlsx", form(tmp_path, *GOOD))}).json()["batch"]["id"]
    both.post(f"{BATCHES}/{batch_id}/submit")
    refused = both.post(f"{BATCHES}/{batch_id}/approve")
    assert (refused.status_code, problem(refused)["code"]) == (403, "own-work")


def test_the_issuer_of_a_token_does_not_approve_what_it_imported(rig: RegistryApp, tmp_path: Path) -> None:
    chief, other = rig.person("chief", Role.ADMINISTRATOR, Role.REVIEWER), rig.person("other", Role.ADMINISTRATOR)
    second = rig.person("second", Role.REVIEWER)
    until = (rig.accounts.clock() + timedelta(days=9)).isoformat()
    issued = chief.post(f"{V1}/tokens", json={"label": "scan", "roles": ["registrar"], "until": until}).json()
    assert issued["token"]["waits_for_consent"]
    scanner = KeyedClient(rig.accounts.app, issued["secret"])
    upload = {"file": ("f.xlsx", form(tmp_path, *GOOD))}
    assert scanner.post(ROSTERS, files=upload).status_code == 401
    consent = f"{V1}/tokens/{issued['token']['id']}/consent"
    assert problem(chief.post(consent))["code"] == "own-work"
    assert other.post(consent).json()["consented_by"] == "other"
    batch_id = scanner.post(ROSTERS, files=upload).json()["batch"]["id"]
    scanner.post(f"{BATCHES}/{batch_id}/submit")
    refused = chief.post(f"{BATCHES}/{batch_id}/approve")
    assert (refused.status_code, problem(refused)["code"]) == (403, "own-work")
    assert 'data-key="a" disabled' in chief.get(f"/intake/{batch_id}").text
    assert 'data-key="a" disabled' not in second.get(f"/intake/{batch_id}").text
    assert second.post(f"{BATCHES}/{batch_id}/approve").json()["approved_by"] == "second"


def test_a_form_of_which_nobody_passes(rig: RegistryApp, tmp_path: Path) -> None:
    clerk = rig.client_as(Role.REGISTRAR)
    content = form(tmp_path, BAD)
    answer = clerk.post(ROSTERS, files={"file": ("f.xlsx", content)}, data={"unit": "另一个单位"})
    assert (answer.status_code, answer.json()["batch"], answer.json()["unit"]) == (200, None, "另一个单位")
    copy = clerk.post(f"{ROSTERS}/check", files={"file": ("f.xlsx", content)})
    assert load_workbook(io.BytesIO(copy.content)).worksheets[0].cell(4, 7).value == "退回"


def bomb(tmp_path: Path) -> bytes:
    whole = io.BytesIO(form(tmp_path, *GOOD))
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b"\0" * (65 << 20))
    return whole.getvalue()


def with_macros(tmp_path: Path) -> bytes:
    whole = io.BytesIO(form(tmp_path, *GOOD))
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\0")
    return whole.getvalue()


def test_bad_uploads_are_answered_and_nothing_is_stored(rig: RegistryApp, tmp_path: Path) -> None:
    clerk = rig.client_as(Role.REGISTRAR)
    good = form(tmp_path, *GOOD)
    bad = [
        ("f.xlsx", bomb(tmp_path), 413, "too-large"),
        ("f.csv", b"x" * (15 * 2**20 + 1), 413, "too-large"),
        ("f.csv", b"x" * (17 * 2**20), 413, "too-large"),
        ("f.xlsm", with_macros(tmp_path), 422, "unreadable-form"),
        ("f.exe", b"MZ", 422, "unreadable-form"),
        ("f.xlsx", good[:-100], 422, "unreadable-form"),
        ("../../etc/f.xlsx", good, 422, "invalid"),
        ("forms\\f.xlsx", good, 422, "invalid"),
    ]
    for name, content, status, code in bad:
        answer = clerk.post(ROSTERS, files={"file": (name, content)})
        assert (answer.status_code, problem(answer)["code"]) == (status, code), name
    body = problem(clerk.post(ROSTERS, files={"file": ("f.xlsm", with_macros(tmp_path))}))
    assert body["params"]["chinese"].startswith("工作簿含有宏")
    assert problem(clerk.post(ROSTERS, data={"unit": "x"}))["fields"].keys() == {"file"}
    assert rig.accounts.registry.batches.all() == []


def test_an_upload_is_done_once_by_its_key(rig: RegistryApp, tmp_path: Path) -> None:
    clerk = rig.client_as(Role.REGISTRAR)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    content = form(tmp_path, *GOOD)
    first = clerk.post(ROSTERS, files={"file": ("f.xlsx", content)}, headers=key)
    again = clerk.post(ROSTERS, files={"file": ("f.xlsx", content)}, headers=key)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, first.json(), "true")
    other = clerk.post(ROSTERS, files={"file": ("f.xlsx", content + b"\n")}, headers=key)
    assert problem(other)["code"] == "idempotency-key-reused"
    assert len(rig.accounts.registry.batches.all()) == 1
