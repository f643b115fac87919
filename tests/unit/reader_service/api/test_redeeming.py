"""A cash register redeems over HTTP: what the member can have, the redemption once, the receipt, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reader_service.principal import Role
from tests.support.service.accounts import problem
from tests.support.service.merchant_rig import MerchantRig, issued_cards, merchant_rig

WANTED = {"benefit": "park-pass", "product": "pass"}
ADDRESS = "/readers/counter/redemptions"


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
