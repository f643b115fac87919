"""Batches, members, cards, lists, audit and figures over HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from personalize.lists import public_key
from reader_service.principal import Role
from registry.admin.audit import AuditFilter
from registry.ranges import RangeKind, RangeUse
from registry.values import CardState
from terminal.member.hotlist import Hotlist, patched
from tests.support.issuer import custody
from tests.support.registry.registrar import LEASE, UNIT, approved, chip, claimed, ready, row, rows
from tests.support.service.accounts import Client, problem
from tests.support.service.registry_app import RegistryApp, registry_app
from tests.support.service.registry_rig import at, carded
from tests.support.waiting import eventually

V1 = "/api/v1"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RegistryApp]:
    rig = registry_app(tmp_path)
    yield rig
    rig.accounts.registry.close()


def listed(client: Client, path: str, **params: Any) -> list[dict[str, Any]]:
    """All items of a list, two at a time."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get(f"{V1}{path}", params={**params, **cursor, "limit": 2}).json()
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def test_a_batch_is_prepared_reported_and_closed_by_two(rig: RegistryApp) -> None:
    operator, reviewer = rig.person("op", Role.OPERATOR), rig.person("rev", Role.REVIEWER)
    batch_id = approved(rig.accounts.registry, rows(2))
    begun = operator.post(f"{V1}/batches/{batch_id}/prepare")
    assert (begun.status_code, begun.json()["total"]) == (202, 2)
    preparation = f"{V1}/batches/{batch_id}/preparation"
    assert eventually(lambda: operator.get(preparation).json()["state"] != "running")
    body = operator.get(preparation).json()
    assert (body["state"], body["made"]) == ("done", 2)
    view = operator.get(f"{V1}/batches/{batch_id}").json()
    assert (view["batch"]["state"], view["accounts"]["waiting"], view["signed_by"]) == ("prepared", 2, None)
    assert problem(operator.post(f"{V1}/batches/{batch_id}/close"))["code"] == "conflict"

    done, _ = carded(rig.accounts.registry, 1, digest="d2", start=3)
    assert operator.post(f"{V1}/batches/{done}/close").json()["signed_by"] == "op"
    assert problem(operator.post(f"{V1}/batches/{done}/close"))["code"] == "own-work"
    assert reviewer.post(f"{V1}/batches/{done}/close").json()["batch"]["closed_by"] == ["op", "rev"]
    report = reviewer.get(f"{V1}/batches/{done}/report").json()
    assert (report["verdicts"], report["lanes"][0]["cards"]) == ([["ACTIVE", 1]], 1)
    page = reviewer.get(f"{V1}/batches/{done}/report.html")
    assert page.headers["content-disposition"].startswith(f'attachment; filename="{done}-report.html"')
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert [batch["id"] for batch in listed(operator, "/batches")] == [done, batch_id]
    assert listed(operator, "/batches", stage="closed", unit=UNIT)[0]["review"] is None
    assert operator.get(f"{V1}/batches/stock").json()["received"] == 1


def test_chips_that_were_refused_or_are_missing(rig: RegistryApp) -> None:
    operator, registry = rig.client_as(Role.OPERATOR), rig.accounts.registry
    batch_id = ready(registry, custody(), 4)
    for number in (1, 2, 3):
        registry.line.reject(claimed(registry, batch_id, number), "no answer", "select", "B")
    claimed(registry, batch_id, 4)
    assert [one["bin"] for one in listed(operator, f"/batches/{batch_id}/rejects")] == ["B"] * 3
    (bound,) = listed(operator, f"/batches/{batch_id}/chips")
    lost = {"chip_serial": bound["chip_serial"], "reason": "fell"}
    assert problem(operator.post(f"{V1}/batches/{batch_id}/release", json=lost))["code"] == "conflict"
    rig.accounts.clock.forward(timedelta(seconds=LEASE.total_seconds() + 1))
    assert operator.post(f"{V1}/batches/{batch_id}/release", json=lost).status_code == 200
    assert [one["chip_serial"] for one in listed(operator, f"/batches/{batch_id}/rejects")][-1] == chip(4)


def test_members_are_searched_by_body_and_never_by_address(rig: RegistryApp) -> None:
    clerk = rig.client_as(Role.REGISTRAR)
    _, numbers = carded(rig.accounts.registry, 3)
    first = row(1)
    for text in (numbers[0], "130000000001", first.person.id_number, first.person.name):
        (member,) = clerk.post(f"{V1}/members/search", json={"text": text}).json()["items"]
        assert (member["member_id"], member["card_number"], member["id_masked"][-4:]) == (1, numbers[0], "0001")
    assert len(listed(clerk, "/members", unit=UNIT)) == 3
    assert clerk.get(f"{V1}/members/1").json()["name_masked"] == "欧****"
    seen = clerk.post(f"{V1}/members/1/unmask", json={"reason": "a call back"}).json()
    assert seen == {
        "id_number": first.person.id_number,
        "name": first.person.name,
        "gender": first.person.gender,
        "mobile": first.person.mobile,
    }
    moved = clerk.post(f"{V1}/members/1/transfer", json={"unit": "另一个单位", "reason": "moved"}).json()
    assert moved["unit"] == "另一个单位"
    assert clerk.post(f"{V1}/members/1/withdraw", json={"reason": "left"}).json()["card_state"] == "withdrawn"
    assert {event["event"] for event in clerk.get(f"{V1}/members/1/history").json()} >= {"transferred", "withdrawn"}
    assert [card["card_number"] for card in clerk.get(f"{V1}/members/1/cards").json()] == [numbers[0]]
    for path in ("/members/1/unmask", "/members/1/withdraw"):
        body = problem(clerk.post(f"{V1}{path}", json={}))
        assert body["fields"].keys() == {"reason"}
    assert problem(clerk.post(f"{V1}/members/2/unmask", json={"reason": " "}))["fields"].keys() == {"reason"}
    extra = {"reason": "why", "force": True}
    assert problem(clerk.post(f"{V1}/members/2/withdraw", json=extra))["fields"].keys() == {"force"}
    assert problem(clerk.get(f"{V1}/members/999"))["code"] == "not-found"


def test_a_cards_life(rig: RegistryApp) -> None:
    clerk = rig.client_as(Role.REGISTRAR)
    _, (number, other) = carded(rig.accounts.registry, 2)
    card = f"{V1}/cards/{number}"
    assert clerk.get(card).json()["allowed"] == ["pack", "loss", "withdraw", "replace"]
    for step in ("pack", "deliver", "activate", "suspend", "unlock", "loss"):
        assert clerk.post(f"{card}/{step}", json={"reason": f"to {step}"}).status_code == 200
    assert clerk.get(card).json()["state"] == "lost"
    assert [event["reason"] for event in clerk.get(f"{card}/history").json()][-1] == "to loss"
    body = problem(clerk.post(f"{card}/unlock", json={"reason": "found"}))
    assert (body["status"], body["params"]) == (409, {"reason": "card-state", "card": f"****{number[-4:]}"})
    draft = clerk.post(f"{card}/replace", json={"reason": "lost on a bus", "because": "lost"})
    assert (draft.status_code, draft.json()["state"]) == (201, "draft")
    assert [one["card_number"] for one in listed(clerk, "/cards", state="replaced")] == [number]
    assert clerk.post(f"{V1}/cards/{other}/withdraw", json={"reason": "left"}).json()["state"] == "withdrawn"
    assert problem(clerk.get(f"{V1}/cards/6212260000000009999"))["code"] == "not-found"
    assert problem(clerk.get(f"{V1}/cards/130102197605153974X"))["code"] == "invalid"


def test_counters_fetch_a_list_once_and_then_the_difference(rig: RegistryApp) -> None:
    clerk, till = rig.client_as(Role.REGISTRAR), rig.client_as(Role.COUNTER)
    assert problem(till.get(f"{V1}/lists/hotlist"))["code"] == "not-found"
    _, numbers = carded(rig.accounts.registry, 3)
    at(rig.accounts.registry, numbers[0], CardState.LOST)
    old = clerk.post(f"{V1}/lists/hotlist")
    assert (old.status_code, old.json()["entries"]) == (201, 1)
    first = till.get(f"{V1}/lists/hotlist")
    key = public_key(custody().info(custody().latest("list-signer")))
    assert len(Hotlist.load(first.content, key, at=rig.accounts.clock())) == 1
    for tag in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        same = till.get(f"{V1}/lists/hotlist", headers={"If-None-Match": tag})
        assert (same.status_code, same.content) == (304, b"")
    at(rig.accounts.registry, numbers[1], CardState.LOST)
    new = clerk.post(f"{V1}/lists/hotlist").json()["version"]
    delta = till.get(f"{V1}/lists/hotlist/delta", params={"since": old.json()["version"]}).json()
    whole = till.get(f"{V1}/lists/hotlist", headers={"If-None-Match": first.headers["etag"]})
    assert (whole.status_code, patched(first.content, delta)) == (200, whole.content)
    assert till.get(f"{V1}/lists/hotlist/editions/{old.json()['version']}").content == first.content
    assert [edition["version"] for edition in listed(till, "/lists/hotlist/editions")] == [new, old.json()["version"]]
    assert till.get(f"{V1}/lists/key").json()["n"] == f"{key.n:x}"
    trust = till.get(f"{V1}/lists/trust")
    assert till.get(f"{V1}/lists/trust", headers={"If-None-Match": trust.headers["etag"]}).status_code == 304
    assert problem(till.post(f"{V1}/lists/hotlist"))["code"] == "forbidden"
    assert problem(till.get(f"{V1}/lists/hotlist/delta", params={"since": 1}))["code"] == "not-found"


def test_the_audit_over_http(rig: RegistryApp) -> None:
    auditor = rig.client_as(Role.AUDITOR)
    batch_id, _ = carded(rig.accounts.registry, 1)
    entries = listed(auditor, "/audit", action="batch.", subject=f"batch:{batch_id}")
    assert [one["action"] for one in entries] == ["batch.prepare", "batch.approve"]
    assert listed(auditor, "/audit", until="2026-11-01T00:00:00Z") == []
    chain = auditor.get(f"{V1}/audit/verify").json()
    assert (chain["whole"], chain["rows"]) == (True, chain["last_number"])
    noted = {"number": chain["last_number"], "hash": "0" * 64}
    assert auditor.get(f"{V1}/audit/verify", params=noted).json()["breaks"][0]["kind"] == "other"
    assert problem(auditor.get(f"{V1}/audit/verify", params={"number": 1}))["fields"].keys() == {"hash"}
    assert problem(auditor.get(f"{V1}/audit", params={"since": "2026-11-01T00:00:00"}))["code"] == "invalid"
    assert problem(auditor.get(f"{V1}/audit", params={"actor": "a\0b"}))["code"] == "invalid"


def test_figures_and_the_schedule(rig: RegistryApp) -> None:
    clerk, auditor = rig.client_as(Role.REGISTRAR), rig.client_as(Role.AUDITOR)
    _, (handed_over, _) = carded(rig.accounts.registry, 2)
    at(rig.accounts.registry, handed_over, CardState.PACKED, CardState.DELIVERED)
    plan = {"unit": UNIT, "group": "第一批", "planned": 3, "due": "2026-11-01"}
    assert clerk.request("PUT", f"{V1}/statistics/plans", json={"plans": [plan]}).json() == [plan]
    sheet = "单位,组别,计划数,完成日期\n后来的单位,第二批,5,2026-12-31\n".encode()
    assert len(clerk.post(f"{V1}/statistics/plans/import", files={"file": ("p.csv", sheet)}).json()) == 2
    bad = "单位,组别,计划数,完成日期\n甲,,五,2026-12-31\n".encode()
    body = problem(clerk.post(f"{V1}/statistics/plans/import", files={"file": ("p.csv", bad)}))
    assert body["fields"].keys() == {"row 2"}
    assert clerk.delete(f"{V1}/statistics/plans", params={"unit": "后来的单位"}).status_code == 204
    assert auditor.get(f"{V1}/statistics/plans").json() == [plan]
    (unit,) = auditor.get(f"{V1}/statistics/units").json()
    assert (unit["planned"], unit["verified"], unit["issued"], unit["late"]) == (3, 2, 1, True)
    assert [(day["count"], day["issued"]) for day in auditor.get(f"{V1}/statistics/days").json()] == [(2, 1)]
    assert auditor.get(f"{V1}/statistics/seconds").json()["p50"] == 1.5
    assert auditor.get(f"{V1}/statistics/lanes").json()[0]["verified"] == 2
    assert auditor.get(f"{V1}/statistics/rejects").json() == []
    assert auditor.get(f"{V1}/statistics/verdicts", params={"station": "x"}).json() == []
    book = auditor.get(f"{V1}/statistics/export.xlsx")
    assert load_workbook(io.BytesIO(book.content))["进度 progress"]["A2"].value == UNIT
    wrong = {"since": "2026-12-01T00:00:00Z", "until": "2026-11-01T00:00:00Z"}
    assert problem(auditor.get(f"{V1}/statistics/days", params=wrong))["fields"].keys() == {"until"}
    assert problem(auditor.request("PUT", f"{V1}/statistics/plans", json={"plans": [plan]}))["code"] == "forbidden"


def test_a_unit_is_put_below_another_and_back(rig: RegistryApp) -> None:
    clerk, auditor = rig.client_as(Role.REGISTRAR), rig.client_as(Role.AUDITOR)
    carded(rig.accounts.registry, 2)
    wanted = {"unit": UNIT, "above": "河北省总工会", "reason": "letter"}
    assert problem(clerk.post(f"{V1}/units/place", json=wanted))["code"] == "not-found"
    placed = clerk.post(f"{V1}/units/place", json={**wanted, "new": True}).json()
    whole = f"河北省总工会 / {UNIT}"
    assert placed == {"unit": whole, "above": "河北省总工会", "unit_before": UNIT, "above_before": ""}
    (unit,) = auditor.get(f"{V1}/units", params={"text": UNIT}).json()["items"]
    assert (unit["unit"], unit["above"], unit["known_as"], unit["registered"]) == (whole, "河北省总工会", UNIT, 2)
    assert len(auditor.get(f"{V1}/units").json()["items"]) == 2
    circle = {"unit": "河北省总工会", "above": UNIT, "reason": "letter"}
    assert problem(clerk.post(f"{V1}/units/place", json=circle))["code"] == "conflict"
    assert problem(auditor.post(f"{V1}/units/place", json=wanted))["code"] == "forbidden"
    assert clerk.post(f"{V1}/units/place", json={"unit": UNIT, "reason": "undo"}).json()["unit"] == UNIT


def test_a_range_that_is_nearly_full_is_in_the_api_and_on_the_review_page(rig: RegistryApp) -> None:
    full = RangeUse(RangeKind.CARD, "91561300", 1000, 850, 2)
    rosters = rig.accounts.service.rosters
    rosters._parts = replace(rosters._parts, ranges=lambda batch_id: [full])
    store, reviewer = rig.accounts.registry, rig.person("rev", Role.REVIEWER)
    batch = store.rosters.import_roster(UNIT, rows(2), [], source="f", digest="d", by="张").id
    store.reviews.submit(batch, by="张")
    (answer,) = reviewer.get(f"{V1}/batches/{batch}/ranges").json()
    assert (answer["kind"], answer["capacity"], answer["used"], answer["needed"]) == ("card", 1000, 850, 2)
    assert (answer["percent"], answer["nearly_full"], answer["exceeded"]) == (85, True, False)
    page = reviewer.get(f"/intake/{batch}").text
    assert page.count("卡号段 91561300：计入本批次后已用 85%，此前剩余 150 个，本批次需要 2 个") == 2, "page and dialog"
    store.batches.approve(batch, "李")
    assert reviewer.get(f"{V1}/batches/{batch}/ranges").json() == []
    assert "卡号段" not in reviewer.get(f"/intake/{batch}").text


def test_member_data_that_are_shown_again_are_audited_again(rig: RegistryApp) -> None:
    carded(rig.accounts.registry, 1)
    clerk = rig.client_as(Role.REGISTRAR)
    key, body = {"Idempotency-Key": "0d9b1c1e-0000-4000-8000-000000000001"}, {"reason": "a call back"}
    first, again = (clerk.post(f"{V1}/members/1/unmask", json=body, headers=key) for _ in range(2))
    assert (first.json(), again.headers["idempotency-replayed"]) == (again.json(), "true")
    rows = rig.accounts.registry.audit.page(
        None, 9, where=AuditFilter(action="member.unmask", subject="member:1")
    ).items
    assert [(row.entry.actor, row.entry.facts.get("replayed", False)) for row in rows] == [
        ("registrar (token 1)", True),
        ("registrar (token 1)", False),
    ]
    assert rows[0].entry.origin == "127.0.0.1"


def test_a_one_time_password_that_is_shown_again_is_audited(rig: RegistryApp) -> None:
    admin = rig.person("chief", Role.ADMINISTRATOR)
    key = {"Idempotency-Key": "0d9b1c1e-0000-4000-8000-000000000002"}
    new = {"name": "wang", "roles": ["counter"]}
    first, again = (admin.post(f"{V1}/users", json=new, headers=key) for _ in range(2))
    assert first.json() == again.json()
    last = rig.accounts.registry.audit.page(None, 1).items[0].entry
    assert (last.actor, last.action, last.facts["what"]) == ("chief", "access.replayed", f"POST {V1}/users")
