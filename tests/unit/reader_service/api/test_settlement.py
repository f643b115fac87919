"""Settlement over HTTP: from a booked redemption to a closed statement and its files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from reader_service.principal import Role
from reader_service.services.programme.booking import prove_with
from registry.programme.rates import Rate
from tests.support.registry.redeemed import Till, chips_of, give_rate, masters, park, two_cards
from tests.support.service.accounts import Client, problem
from tests.support.service.registry_app import registry_app

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
PAST = date(2026, 9, 20)


@dataclass
class Settling:
    """A registry in which the park has redeemed 5.00 and 3.00 yuan in September 2026."""

    registrar: Client
    reviewer: Client
    counter: Client


@pytest.fixture
def settling(tmp_path: Path) -> Iterator[Settling]:
    rig = registry_app(tmp_path)
    keys = masters()
    with rig.accounts.registry as registry:
        custody: Any = rig.accounts.service.parts.custody
        (chip, _) = chips_of(keys, two_cards(registry, custody))
        east, _ = park(registry)
        give_rate(registry, Rate("0101", date(2026, 1, 1), 100))
        till = Till()
        till.redeemed(chip.redeem(amount=500, day=PAST), chip.redeem(amount=300, day=PAST))
        registry.booking.book(east, till.upload(), prove_with(keys), by="till")
        people = [rig.person(role.value, role) for role in (Role.REGISTRAR, Role.REVIEWER, Role.COUNTER)]
        yield Settling(*people)


def drawn_up(settling: Settling, **more: str) -> dict[str, Any]:
    answer = settling.registrar.post("/api/v1/settlements", json={"merchant": "PARK-EAST", "month": "2026-09", **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_two_people_close_a_statement_and_its_files_have_its_sums(settling: Settling) -> None:
    sheet = drawn_up(settling)
    statement = sheet["statement"]
    assert (statement["state"], statement["amount"], statement["due"]) == ("draft", 800, 200)
    address = f"/api/v1/settlements/{statement['number']}"
    signed = {"digest": statement["digest"]}
    assert settling.registrar.post(f"{address}/sign", json=signed).json()["state"] == "signed"
    assert problem(settling.registrar.post(f"{address}/sign", json=signed))["code"] == "own-work"
    assert settling.reviewer.post(f"{address}/sign", json=signed).json()["state"] == "closed"
    again = problem(settling.registrar.post(f"{address}/discard", json={"reason": "wrong"}))
    assert (again["status"], again["params"]["reason"]) == (409, "settlement-finished")
    assert settling.reviewer.get(f"{address}/statement.pdf").content[:5] == b"%PDF-"
    book = openpyxl.load_workbook(io.BytesIO(settling.reviewer.get(f"{address}/statement.xlsx").content))
    sums = book[book.sheetnames[0]]
    assert [cell.value for cell in sums[sums.max_row]][2:7] == [2, 2, 8, 0, 2]
    listed = settling.reviewer.get("/api/v1/settlements", params={"month": "2026-09", "state": "closed"}).json()
    assert [one["number"] for one in listed["items"]] == [statement["number"]]


def test_a_reviewer_disputes_and_another_person_decides(settling: Settling) -> None:
    (_, first) = settling.reviewer.get("/api/v1/redemptions").json()["items"]
    raised = settling.reviewer.post(
        "/api/v1/disputes", json={"redemption": first["id"], "reason": "nobody came"}
    ).json()
    assert drawn_up(settling)["statement"]["left_out"] == {
        "held": 0,
        "held_amount": 0,
        "disputed": 1,
        "disputed_amount": 500,
    }
    wanted = {"decision": "accepted", "reason": "somebody came"}
    refused = problem(settling.reviewer.post(f"/api/v1/disputes/{raised['number']}/decide", json=wanted))
    assert refused["code"] == "own-work"
    assert [one["number"] for one in settling.registrar.get("/api/v1/disputes").json()["items"]] == [raised["number"]]


def test_rates_are_recorded_with_a_reason(settling: Settling) -> None:
    new = {"benefit_class": "0102", "valid_from": "2026-01-01", "share": -150, "reason": "contract 7"}
    change = settling.registrar.post("/api/v1/settlements/rates/PARK-EAST", json=new).json()
    assert (change["kind"], change["state"], change["facts"]["share"]) == ("rate", "waiting", -150)
    listed = "/api/v1/settlements/rates/PARK-EAST"
    assert len(settling.registrar.get(listed).json()["items"]) == 1
    assert settling.reviewer.post(f"/api/v1/merchant-changes/{change['number']}/approve").status_code == 200
    answer = settling.registrar.get(listed).json()
    assert [(one["rate"]["benefit_class"], one["rate"]["share"]) for one in answer["items"]] == [
        ("0101", 0),
        ("0102", -150),
    ]
    assert problem(settling.counter.get("/api/v1/settlements"))["code"] == "forbidden"
    wrong = settling.registrar.post("/api/v1/settlements", json={"merchant": "PARK-EAST", "month": "2026-13"})
    assert problem(wrong)["status"] == 422


def test_a_payout_list_has_each_signed_statement_once(settling: Settling) -> None:
    wanted = {"month": "2026-09"}
    nothing = problem(settling.registrar.post("/api/v1/settlements/payouts", json=wanted))
    assert (nothing["status"], nothing["params"]["reason"]) == (409, "payout-nothing")
    statement = drawn_up(settling)["statement"]
    for person in (settling.registrar, settling.reviewer):
        person.post(f"/api/v1/settlements/{statement['number']}/sign", json={"digest": statement["digest"]})
    drawn = settling.registrar.post("/api/v1/settlements/payouts", json=wanted).json()
    number = drawn["payout"]["number"]
    assert (drawn["payout"]["rows"], drawn["payout"]["pay"], drawn["payout"]["collect"]) == (1, 200, 0)
    assert drawn["rows"][0]["account"] == "************1234"
    again = problem(settling.registrar.post("/api/v1/settlements/payouts", json=wanted))
    assert again["params"]["reason"] == "payout-nothing"
    assert problem(settling.reviewer.get(f"/api/v1/settlements/payouts/{number}/payout.csv"))["code"] == "forbidden"
    csv = settling.registrar.get(f"/api/v1/settlements/payouts/{number}/payout.csv")
    assert csv.headers["cache-control"] == "no-store"
    assert "PARK-EAST,东城公园,6222000000001234,1,1,2.00,," in csv.content.decode("utf-8-sig")
    book = openpyxl.load_workbook(
        io.BytesIO(settling.registrar.get(f"/api/v1/settlements/payouts/{number}/payout.xlsx").content)
    )
    rows = list(book[book.sheetnames[0]].iter_rows(values_only=True))
    assert rows[-1][6:8] == (2, 0)
    assert rows[-2][1:4] == ("PARK-EAST", "东城公园", "6222000000001234")
    shown = settling.reviewer.get(f"/api/v1/settlements/payouts/{number}").json()
    assert shown["rows"] == drawn["rows"]
    assert [one["number"] for one in settling.reviewer.get("/api/v1/settlements/payouts").json()["items"]] == [number]
