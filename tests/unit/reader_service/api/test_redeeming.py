"""A cash register redeems over HTTP: what the member can have, the redemption once, the receipt, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reader_service.principal import Principal, Role
from terminal.secret import Secret
from tests.support.service.accounts import problem
from tests.support.service.merchant_rig import MerchantRig, issued_cards, merchant_rig

WANTED = {"benefit": "park-pass", "product": "pass"}
ADDRESS = "/readers/counter/redemptions"

ADMINISTRATOR = Principal("root", frozenset({Role.ADMINISTRATOR}))


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    return issued_cards(tmp_path_factory.mktemp("issued"))


@pytest.fixture
def rig(tmp_path: Path, issued: tuple[str, list[Path]]) -> Iterator[MerchantRig]:
    with merchant_rig(tmp_path, issued) as running:
        yield running


def test_from_the_offers_to_the_receipt(rig: MerchantRig) -> None:
    register = rig.client(Role.COUNTER)
    assert problem(register.get("/readers/counter/offers"))["status"] == 404
    rig.insert()
    offers = register.get("/readers/counter/offers").json()
    (offer,) = (one for one in offers["offers"] if one["benefit"] == "park-pass")
    assert (offer["price"], offer["left"], offer["possible"]) == (10_000, 12, True)
    wanted = WANTED | {"insertion": offers["insertion"], "quantity": 2}
    answer = register.post(ADDRESS, json=wanted, headers={"Idempotency-Key": "sale-17"})
    redemption = answer.json()["redemption"]
    assert (redemption["outcome"], redemption["used"], redemption["amount"]) == ("DONE", 2, 20_000)
    assert "******" in redemption["card"]
    again = register.post(ADDRESS, json=wanted, headers={"Idempotency-Key": "sale-17"})
    assert again.json() == answer.json()
    other = problem(register.post(ADDRESS, json=wanted, headers={"Idempotency-Key": "sale-18"}))
    assert (other["status"], other["params"]["reason"]) == (409, "insertion-over")
    number = redemption["number"]
    assert register.get(f"/redemptions/records/{number}").json() == redemption
    receipt = register.get(f"/redemptions/records/{number}/receipt", params={"lang": "en"})
    assert receipt.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Park pass" in receipt.text
    assert "公园年票" in register.get(f"/redemptions/records/{number}/receipt").text
    assert problem(register.get("/redemptions/records/999"))["status"] == 404
    assert register.get("/redemptions/open").json() == []
    assert register.get("/redemptions/queue").json()["waiting"] == 3


def test_a_refusal_of_the_programme_is_an_outcome_and_the_insertion_goes_on(rig: MerchantRig) -> None:
    register, card = rig.client(Role.COUNTER), rig.insert()
    wanted: dict[str, Any] = WANTED | {"insertion": card.insertion}
    many = register.post(ADDRESS, json=wanted | {"quantity": 13}).json()
    assert (many["redemption"], many["refused"]["code"]) == (None, "too-many")
    assert set(many["refused"]["sentence"]) == {"zh", "en"}
    unknown = problem(register.post(ADDRESS, json=wanted | {"benefit": "theatre"}))
    assert (unknown["status"], unknown["code"]) == (404, "not-found")
    assert register.post(ADDRESS, json=wanted).json()["redemption"]["outcome"] == "DONE"


@pytest.mark.parametrize(
    "wrong",
    [{"insertion": "x"}, {"quantity": 0}, {"list_price": -1}, {"pin": "12"}, {"pin": "12ab"}, {"colour": "red"}],
)
def test_a_request_out_of_form_asks_nothing_of_the_card(rig: MerchantRig, wrong: dict[str, Any]) -> None:
    register, card = rig.client(Role.COUNTER), rig.insert()
    refused = problem(register.post(ADDRESS, json=WANTED | {"insertion": card.insertion} | wrong))
    assert (refused["status"], refused["code"]) == (422, "invalid")
    assert rig.service.redemptions.queue_now().waiting == 1


def test_who_may_redeem(rig: MerchantRig) -> None:
    card = rig.insert()
    operator = rig.client(Role.OPERATOR)
    assert problem(operator.get("/readers/counter/offers"))["code"] == "forbidden"
    assert problem(operator.post(ADDRESS, json=WANTED | {"insertion": card.insertion}))["code"] == "forbidden"


def test_a_cash_register_signs_a_cashier_in_and_out(rig: MerchantRig, caplog: pytest.LogCaptureFixture) -> None:
    register, place = rig.client(Role.COUNTER), "/readers/counter/cashier"
    assert register.get(place).json() == {"cashier": None, "manager": False, "required": False}
    for name, pin in (("王芳", b"407193"), ("李娜", b"935268")):
        rig.service.cashiers.set_pin(ADMINISTRATOR, "", name, Secret(pin), manager=name == "王芳")
    assert register.get(place).json()["required"] is True
    card = rig.insert()
    wanted: dict[str, Any] = WANTED | {"insertion": card.insertion}
    assert problem(register.post(ADDRESS, json=wanted))["params"]["reason"] == "no-cashier"
    wrong = problem(register.post(place, json={"name": "王芳", "pin": "935268"}))
    assert (wrong["status"], wrong["params"]["reason"]) == (409, "cashier-pin")
    signed_in = register.post(place, json={"name": "李娜", "pin": "935268"})
    assert signed_in.json() == {"cashier": "李娜", "manager": False, "required": True}
    assert register.post(place, json={"name": "王芳", "pin": "407193"}).json()["manager"] is True
    assert register.get(place).json()["cashier"] == "王芳"
    assert register.post(ADDRESS, json=wanted).json()["redemption"]["cashier"] == "王芳"
    assert [register.delete(place).status_code for _ in range(2)] == [204, 204]
    assert register.get(place).json()["cashier"] is None
    assert "407193" not in caplog.text
    assert problem(rig.client(Role.OPERATOR).post(place, json={"name": "王芳", "pin": "407193"}))["code"] == "forbidden"


def test_wrong_pins_over_http_have_to_wait_as_on_the_page(rig: MerchantRig) -> None:
    register, place = rig.client(Role.COUNTER), "/readers/counter/cashier"
    rig.service.cashiers.set_pin(ADMINISTRATOR, "", "王芳", Secret(b"407193"), manager=True)
    answers = [register.post(place, json={"name": "王芳", "pin": "000000"}) for _ in range(6)]
    assert [one.status_code for one in answers][:4] == [409] * 4
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert register.post(place, json={"name": "王芳", "pin": "407193"}).status_code == 429, "also with the right one"
    out_of_form = register.post(place, json={"name": "王芳", "pin": 407193})
    assert "407193" not in out_of_form.text
