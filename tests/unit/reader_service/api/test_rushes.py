"""Rushes over HTTP: claimed at a window, returned to who waits, signed for a counter, and reported by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reader_service.principal import Role
from reader_service.services.programme.list_signer import ListSigner
from terminal.crypto.rsa import RsaPublic
from terminal.member.ticket import Ticket
from tests.support.registry.registrar import carded
from tests.support.registry.rushes import Crowd
from tests.support.service.accounts import Client, problem
from tests.support.service.registry_app import registry_app

RUSHES = "/api/v1/rushes"


@dataclass
class Rushing:
    """An open rush of one ticket with a waiting list of one, and three members."""

    crowd: Crowd
    address: str
    registrar: Client
    counter: Client
    auditor: Client
    list_key: RsaPublic

    def claim(self, member: int, key: str = "") -> dict[str, Any]:
        body = {"lot": "lot-1", "card_number": self.crowd.cards[member], "key": key or f"window-key-{member}"}
        answer = self.registrar.post(f"{self.address}/claims", json=body)
        assert answer.status_code == 200, answer.text
        read: dict[str, Any] = answer.json()
        return read


@pytest.fixture
def rushing(tmp_path: Path) -> Iterator[Rushing]:
    rig = registry_app(tmp_path)
    accounts = rig.accounts
    with accounts.registry as registry:
        custody: Any = accounts.service.parts.custody
        cards = [card.card_number for card in carded(registry, custody, 3)]
        crowd = Crowd(registry, cards, accounts.clock)
        number = crowd.announced(units=(1,), longest=1).number
        clients = [rig.client_as(role) for role in (Role.REGISTRAR, Role.COUNTER, Role.AUDITOR)]
        yield Rushing(crowd, f"{RUSHES}/{number}", *clients, list_key=ListSigner(custody).key())


def test_a_claim_is_answered_with_a_ticket_a_place_or_the_reason(rushing: Rushing) -> None:
    first, again, second, third = (rushing.claim(member) for member in (0, 0, 1, 2))
    assert [one["claim"] and one["claim"]["state"] for one in (first, again, second)] == [
        "granted",
        "granted",
        "waiting",
    ]
    assert first["claim"]["number"] == again["claim"]["number"]
    assert (third["claim"], third["refused"]["code"]) == (None, "waiting-full")
    (lot,) = rushing.auditor.get(rushing.address).json()["lots"]
    assert (lot["taken"], lot["waiting"]) == (1, 1)
    assert [one["code"] for one in rushing.auditor.get(RUSHES).json()["items"]] == ["fair"]


def test_a_returned_ticket_goes_to_who_waits_and_lists_have_no_card_number(rushing: Rushing) -> None:
    rushing.claim(0)
    rushing.claim(1)
    listed = rushing.auditor.get(f"{rushing.address}/claims", params={"state": "waiting"}).json()["items"]
    assert [(one["position"], one["card_tail"]) for one in listed] == [(1, rushing.crowd.cards[1][-4:])]
    assert rushing.registrar.post(f"{RUSHES}/tickets/1/return").json()["state"] == "returned"
    answer = rushing.auditor.get(f"{rushing.address}/claims")
    assert [one["state"] for one in answer.json()["items"]] == ["returned", "granted"]
    assert all(card not in answer.text for card in rushing.crowd.cards)
    gone = problem(rushing.registrar.get(f"{RUSHES}/tickets/1"))
    assert (gone["status"], gone["params"]["reason"]) == (409, "no-ticket")


def test_a_code_is_signed_and_uses_at_two_counters_are_a_finding(rushing: Rushing) -> None:
    rushing.claim(0)
    signed = rushing.registrar.get(f"{RUSHES}/tickets/1").json()
    ticket = Ticket.read(signed["code"], rushing.list_key)
    tail = rushing.crowd.cards[0][-4:]
    assert ticket == Ticket(1, "lot-1", signed["number"], date(2026, 11, 22), date(2026, 12, 31), tail)
    uses = {"uses": [{"number": 1, "at": "2026-11-22T10:00:00+00:00"}, {"number": 9, "at": "2026-11-22T10:00:00Z"}]}
    reported = [
        rushing.counter.post(f"{RUSHES}/uses", json=uses | {"counter": name}).json()
        for name in ("east", "east", "west")
    ]
    assert [(one["added"], one["known"], one["unknown"]) for one in reported] == [(1, 0, [9]), (0, 1, [9]), (1, 0, [9])]
    (finding,) = rushing.auditor.get(f"{RUSHES}/findings").json()["items"]
    assert (finding["number"], finding["kind"], finding["counters"]) == (1, "twice", ["east", "west"])
