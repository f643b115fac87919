"""Merchants, uploads and findings over HTTP: from a counter's journal to the decision of a person."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import Workbook

from programme.editions import ProgrammeEdition
from reader_service.api.events import MAY_HEAR
from reader_service.principal import Permission, Principal, Role
from reader_service.redemptions.journal import IntentResult, RedemptionJournal
from reader_service.services.programme.booking import prove_with
from registry.admin.programmes import PublishedProgramme
from terminal.crypto.rsa import RsaPublic
from terminal.member.journal_rows import RowKind
from tests.support.programmes import programme_file
from tests.support.registry.redeemed import AT, CountingChip, chips_of, masters, two_cards
from tests.support.registry.registrar import claimed, ready
from tests.support.service.accounts import Client, problem
from tests.support.service.registry_app import RegistryApp, registry_app

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
PARK = {
    "name": "东城公园",
    "contract_from": "2026-01-01",
    "contract_until": "2027-12-31",
    "benefits": ["0101", "benefit"],
    "account": "6222000000001234",
    "outlets": [{"name": "east gate", "terminals": ["T0000001"]}, {"name": "west gate", "terminals": ["T0000003"]}],
}


@dataclass
class Programme:
    """A registry with two cards and a park of two outlets; ``east`` and ``west`` are counters with tokens."""

    rig: RegistryApp
    registrar: Client
    reviewer: Client
    east: Client
    west: Client
    chips: list[CountingChip]
    outlets: list[int]


def approve_all(registrar: Client, reviewer: Client) -> None:
    """What waits of merchants is approved by the second person."""
    for one in registrar.get("/api/v1/merchant-changes", params={"state": "waiting"}).json()["items"]:
        done = reviewer.post(f"/api/v1/merchant-changes/{one['number']}/approve")
        assert done.json()["state"] == "approved", done.text


def issued(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])


@pytest.fixture
def park(tmp_path: Path) -> Iterator[Programme]:
    rig = registry_app(tmp_path)
    custody: Any = rig.accounts.service.parts.custody
    with rig.accounts.registry as registry:
        chips = list(chips_of(custody, two_cards(registry, custody)))
        people = [rig.person(role.value, role) for role in (Role.REGISTRAR, Role.REVIEWER, Role.ADMINISTRATOR)]
        answer = people[0].request("PUT", "/api/v1/merchants/PARK-EAST", json=PARK)
        assert answer.status_code == 200, answer.text
        approve_all(people[0], people[1])
        outlets = [outlet["id"] for outlet in answer.json()["outlets"]]
        until = (rig.accounts.clock() + timedelta(days=30)).isoformat()
        counters = []
        for outlet in outlets:
            wanted = {"label": f"till {outlet}", "roles": ["counter"], "until": until, "outlet": outlet}
            counters.append(issued(people[2].post("/api/v1/tokens", json=wanted)))
        east, west = (rig.accounts.bearing(secret) for secret in counters)
        yield Programme(rig, people[0], people[1], east, west, chips, outlets)


def send(client: Client, body: dict[str, Any]) -> httpx.Response:
    key = f"{body['journal']}-{body['rows'][0]['n']}-{body['rows'][-1]['n']}"
    return client.post("/api/v1/redemptions/uploads", json=body, headers={"Idempotency-Key": key})


def redeem(journal: RedemptionJournal, chip: CountingChip, **given: Any) -> None:
    intent = journal.begin(chip.card_number, chip.sequence, b"request", AT)
    evidence = chip.redeem(**given)
    journal.finish(intent, IntentResult(RowKind.REDEEMED, evidence.counter, evidence.encode()), AT)


ELSEWHERE = [
    ("GET", "/readers", {}),
    ("POST", "/readers/x/lease", {}),
    ("POST", "/verify", {"reader": "x"}),
    ("GET", "/redemptions/open", {}),
    ("POST", "/redemptions/open/1/give-up", {"reason": "x"}),
    ("POST", "/redemptions/acknowledge", {"reason": "x"}),
    ("GET", "/redemptions/records/1", {}),
    ("GET", "/redemptions", {}),
]
"""What a person with the role counter may at the office's own counter, and what nobody with it may."""


@pytest.mark.parametrize(
    ("method", "path", "body"), ELSEWHERE, ids=[f"{method} {path}" for method, path, _ in ELSEWHERE]
)
def test_a_token_of_an_outlet_is_for_no_reader_and_no_other_journal(
    park: Programme, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = park.east.request(method, f"/api/v1{path}", json=body, headers={"Idempotency-Key": "k"})
    assert (problem(answer)["status"], problem(answer)["params"]["rule"]) == (403, "outlet-token")


def test_a_token_of_an_outlet_hears_of_no_verdict() -> None:
    counter = Principal("till (token 1)", frozenset({Role.COUNTER}), "till", outlet=3)
    assert {one for one in Permission if counter.may(one)} == {Permission.REDEMPTIONS_UPLOAD, Permission.LISTS_FETCH}
    assert not any(
        counter.may(permission) for permission in MAY_HEAR.values() if permission is not Permission.LISTS_FETCH
    )


def test_an_account_that_is_shown_again_is_audited_again(park: Programme) -> None:
    address, key = "/api/v1/merchants/PARK-EAST/account", {"Idempotency-Key": "payout"}
    first, again = (park.registrar.post(address, json={"reason": "payout"}, headers=key) for _ in range(2))
    assert first.json() == again.json() == {"account": "6222000000001234"}
    last = park.rig.accounts.registry.audit.page(None, 1).items[0].entry
    assert (last.action, last.facts["what"]) == ("access.replayed", f"POST {address}")


def test_a_journal_is_uploaded_in_order_and_booked(park: Programme, tmp_path: Path) -> None:
    with RedemptionJournal.open(tmp_path / "redemptions", AT) as journal:
        for _ in range(3):
            redeem(journal, park.chips[0])
        address = f"/api/v1/redemptions/uploads/{journal.name}"
        assert park.east.get(address).json() == {"through": 0}
        booked = 0
        while (batch := journal.batch(3)) is not None:
            answer = send(park.east, batch.to_json())
            assert answer.status_code == 200, answer.text
            booked += answer.json()["booked"]
            assert answer.json()["through"] == batch.through
            journal.uploaded(batch.through, AT)
        assert booked == 3
        assert journal.waiting == 0
        assert park.east.get(address).json()["through"] >= 7
    items = park.registrar.get("/api/v1/redemptions", params={"merchant": "PARK-EAST"}).json()["items"]
    assert [(one["atc"], one["amount"], one["held"]) for one in items] == [
        (3, 500, False),
        (2, 500, False),
        (1, 500, False),
    ]
    assert park.registrar.get("/api/v1/redemptions", params={"last": "2026-11-21"}).json()["items"] == []
    assert park.registrar.get("/api/v1/findings").json()["items"] == []


def test_an_upload_that_was_cut_or_repeated_loses_and_doubles_nothing(park: Programme, tmp_path: Path) -> None:
    with RedemptionJournal.open(tmp_path / "redemptions", AT) as journal:
        redeem(journal, park.chips[0])
        batch = journal.batch()
        assert batch is not None
        body = batch.to_json()
    headers = {"Idempotency-Key": "k" * 20, "Content-Type": "application/json"}
    cut = park.east.post("/api/v1/redemptions/uploads", content=b'{"journal": "01', headers=headers)
    assert cut.status_code in (400, 422)
    assert send(park.east, body).json()["booked"] == 1
    again = park.east.post("/api/v1/redemptions/uploads", json=body, headers={"Idempotency-Key": "another" * 3})
    assert (again.json()["booked"], again.json()["known"]) == (0, 1)
    assert len(park.registrar.get("/api/v1/redemptions").json()["items"]) == 1


COUNTED_ONLINE = """
counted: office
limits: [{count: 1, per: month}]
products: {seat: {name: {zh: 座位, en: seat}, price: {fixed: 10}}}
"""


def publish(park: Programme) -> None:
    """An edition with a benefit that the office counts, in force since yesterday."""
    editions, programme = park.rig.accounts.registry.programme_editions, programme_file(COUNTED_ONLINE).programme
    since = park.rig.accounts.clock() - timedelta(days=1)

    def signed(version: int, _issued: datetime) -> bytes:
        key = RsaPublic(1 << 1023 | 1, 65537)
        return ProgrammeEdition.of(programme, version, since, 90).write(key, lambda _: bytes(128))

    published = PublishedProgramme("own", "110000", programme.digest, timedelta(days=90))
    editions.publish(editions.propose(published, "", "own.yaml", by="wang").number, signed, by="li")


def test_a_benefit_that_the_issuer_counts_is_granted_once_and_refused_with_both_sentences(park: Programme) -> None:
    publish(park)
    body = {
        "journal": "0" * 32, "intent": 2, "card_number": park.chips[0].card_number, "sequence": 1,
        "merchant": "PARK-EAST", "terminal": "T0000001", "benefit": "benefit", "product": "seat",
        "quantity": 1, "price": 1000, "edition": 1,
    }  # fmt: skip

    def ask(client: Client, key: str, **values: Any) -> httpx.Response:
        return client.post("/api/v1/redemptions/grants", json=body | values, headers={"Idempotency-Key": key * 20})

    first, again = (ask(park.east, key).json() for key in "ab")
    assert (first["granted"]["price"], first["granted"]["left"], first["refused"]) == (1000, 0, None)
    assert again["granted"] == first["granted"] | {"known": True}
    over = ask(park.east, "c", intent=3).json()
    assert (over["granted"], over["refused"]["code"]) == (None, "limit-reached")
    assert "每月每人限 1 次" in over["refused"]["zh"]
    other = problem(ask(park.west, "d", intent=4))
    assert (other["status"], other["params"]["reason"]) == (409, "journal-outlet")
    changed = problem(ask(park.east, "e", quantity=2))
    assert (changed["status"], changed["params"]["reason"]) == (409, "grant-request")


def test_a_token_of_another_outlet_is_refused(park: Programme, tmp_path: Path) -> None:
    with RedemptionJournal.open(tmp_path / "redemptions", AT) as journal:
        redeem(journal, park.chips[0])
        batch = journal.batch()
        assert batch is not None
        assert send(park.east, batch.to_json()).status_code == 200
        refused = problem(send(park.west, batch.to_json()))
        assert (refused["status"], refused["params"]["reason"]) == (409, "journal-outlet")
        seen = problem(park.west.get(f"/api/v1/redemptions/uploads/{journal.name}"))
        assert seen["params"]["reason"] == "journal-outlet"


def test_a_caller_without_an_outlet_is_refused(park: Programme) -> None:
    person = park.rig.person("counter", Role.COUNTER)
    refused = problem(person.get("/api/v1/redemptions/uploads/" + "0" * 32))
    assert (refused["status"], refused["params"]["reason"]) == (409, "outlet-missing")


def test_rows_out_of_form_are_named(park: Programme) -> None:
    rows = [{"n": 1, "at": "2026-11-30T04:00:00.000+00:00", "kind": "opened"}, {"n": 2}]
    refused = problem(send(park.east, {"journal": "0" * 32, "previous": "00" * 32, "rows": [*rows[:1], {"n": 2}]}))
    assert (refused["status"], refused["code"]) == (422, "invalid")
    assert refused["fields"] == {"rows.1": "this is not a row of a redemption journal"}
    apart = [rows[0], {**rows[0], "n": 3}]
    refused = problem(send(park.east, {"journal": "0" * 32, "previous": "00" * 32, "rows": apart}))
    assert (refused["status"], refused["params"]["reason"]) == (409, "upload-rows")


def test_a_token_of_an_outlet_has_the_role_counter_and_no_other(park: Programme) -> None:
    administrator = park.rig.accounts.signed_in("administrator")
    until = (park.rig.accounts.clock() + timedelta(days=30)).isoformat()
    wanted = {"label": "till", "roles": ["counter", "operator"], "until": until, "outlet": park.outlets[0]}
    assert problem(administrator.post("/api/v1/tokens", json=wanted))["code"] == "invalid"
    wanted = {**wanted, "roles": ["counter"], "outlet": 99}
    assert problem(administrator.post("/api/v1/tokens", json=wanted))["params"]["reason"] == "outlet"
    closed = f"/api/v1/merchants/outlets/{park.outlets[0]}/close"
    assert park.registrar.post(closed, json={"reason": "rebuilt"}).json()["kind"] == "outlet-close"
    approve_all(park.registrar, park.reviewer)
    assert park.registrar.get("/api/v1/merchants/PARK-EAST").json()["outlets"][0]["terminals"] == []
    assert problem(park.registrar.post(closed, json={"reason": "again"}))["params"]["reason"] == "outlet-closed"
    wanted = {**wanted, "outlet": park.outlets[0]}
    assert problem(administrator.post("/api/v1/tokens", json=wanted))["params"]["reason"] == "outlet-closed"
    listed = administrator.get("/api/v1/tokens").json()["items"]
    assert sorted(one["outlet"] for one in listed) == sorted(park.outlets)


def test_a_finding_is_decided_by_a_person_with_a_reason(park: Programme, tmp_path: Path) -> None:
    with RedemptionJournal.open(tmp_path / "redemptions", AT) as journal:
        redeem(journal, park.chips[0], terminal="X9999999")
        batch = journal.batch()
        assert batch is not None
        assert send(park.east, batch.to_json()).json()["findings"] == {"unknown-terminal": 1}
    (finding,) = park.reviewer.get("/api/v1/findings", params={"kind": "unknown-terminal"}).json()["items"]
    assert (finding["holds"], finding["facts"]) == (True, {"terminal": "X9999999"})
    assert park.registrar.get("/api/v1/redemptions").json()["items"][0]["held"] is True
    address = f"/api/v1/findings/{finding['id']}/close"
    wanted = {"decision": "accepted", "reason": "a terminal on loan"}
    assert problem(park.registrar.post(address, json=wanted))["code"] == "forbidden"
    first = park.reviewer.post(address, json=wanted).json()
    assert (first["first_by"], first["closed_by"]) == ("reviewer", None)
    assert problem(park.reviewer.post(address, json=wanted))["code"] == "own-work"
    assert park.registrar.get("/api/v1/redemptions").json()["items"][0]["held"] is True
    second = park.rig.person("wang", Role.REVIEWER)
    assert second.post(address, json=wanted).json()["closed_by"] == "wang"
    assert problem(park.reviewer.post(address, json=wanted))["params"]["reason"] == "finding-closed"
    assert park.reviewer.get(f"/api/v1/findings/{finding['id']}").json()["decision"] == "accepted"
    assert park.registrar.get("/api/v1/redemptions").json()["items"][0]["held"] is False
    assert len(park.reviewer.get("/api/v1/findings", params={"closed": "true"}).json()["items"]) == 1


def test_a_redemption_is_booked_again_once_its_card_is_on_record(park: Programme, tmp_path: Path) -> None:
    custody: Any = park.rig.accounts.service.parts.custody
    registry, booking = park.rig.accounts.registry, park.rig.accounts.service.booking
    new = CountingChip(custody, f"621226{43:012d}")
    with RedemptionJournal.open(tmp_path / "redemptions", AT) as journal:
        redeem(journal, new)
        redeem(journal, park.chips[0], terminal="X9999999")
        batch = journal.batch()
        assert batch is not None
        assert send(park.east, batch.to_json()).json()["findings"] == {"unknown-card": 1, "unknown-terminal": 1}
    unknown, other = (one["id"] for one in park.reviewer.get("/api/v1/findings").json()["items"])
    address = f"/api/v1/findings/{unknown}/book"
    assert problem(park.registrar.post(address))["code"] == "forbidden"
    refused = problem(park.reviewer.post(f"/api/v1/findings/{other}/book"))
    assert (refused["status"], refused["params"]["reason"]) == (409, "finding-not-again")
    assert problem(park.reviewer.post("/api/v1/findings/99/book"))["status"] == 404
    assert park.reviewer.post(address).json() == {"finding": unknown, "booked": False, "findings": {}}
    assert (park.reviewer.post("/api/v1/findings/book").json(), booking.renew()) == ([], ())
    registry.cards.allocate_serials("621226", 6)
    assert registry.line.verified(claimed(registry, ready(registry, custody, 1, "d3", 3), 3), {}, 1.0)
    assert park.reviewer.post(address).json() == {"finding": unknown, "booked": True, "findings": {}}
    assert problem(park.reviewer.post(address))["params"]["reason"] == "finding-closed"
    assert park.registrar.get("/api/v1/redemptions").json()["items"][0]["card_number"] == new.card_number


def test_the_service_books_by_itself_what_waited_for_its_card(park: Programme, tmp_path: Path) -> None:
    custody: Any = park.rig.accounts.service.parts.custody
    registry, booking = park.rig.accounts.registry, park.rig.accounts.service.booking
    with RedemptionJournal.open(tmp_path / "redemptions", AT) as journal:
        redeem(journal, CountingChip(custody, f"621226{43:012d}"))
        batch = journal.batch()
        assert batch is not None
        send(park.east, batch.to_json())
    registry.cards.allocate_serials("621226", 6)
    assert registry.line.verified(claimed(registry, ready(registry, custody, 1, "d3", 3), 3), {}, 1.0)
    assert [one.booked for one in booking.renew()] == [True]
    assert booking.renew() == ()
    (closed,) = park.reviewer.get("/api/v1/findings", params={"closed": "true"}).json()["items"]
    assert (closed["decision"], closed["closed_by"], closed["reason"]) == ("resolved", "registry", "booked")


def test_a_card_of_an_older_master_is_proven_too() -> None:
    custody = masters()
    chip = CountingChip(custody, "6212260000009999996")
    older = chip.redeem()
    custody.rotate("imk-ac", by="test")
    prove = prove_with(custody)
    assert prove(older)
    assert not prove(replace(older, cryptogram=bytes(8)))


HEADER = ("商户号", "商户名称", "合同起始日", "合同终止日", "权益类别", "账号", "网点名称", "终端号")
GYM = ("GYM", "健身馆", "2026-01-01", "2026-12-31", "0201、0202", "6222 0000 0000 9999", "hall", "G0000001 G0000002")


def sheet(*rows: tuple[str, ...]) -> tuple[str, bytes]:
    book, file = Workbook(), io.BytesIO()
    page = book.active
    assert page is not None
    for row in (("商户名单",), HEADER, *rows):
        page.append(row)
    book.save(file)
    return "merchants.xlsx", file.getvalue()


def sent_sheet(park: Programme, *rows: tuple[str, ...], check: bool = False) -> httpx.Response:
    params = {"check": "true"} if check else {}
    return park.registrar.post("/api/v1/merchants/import", files={"file": sheet(*rows)}, params=params)


def test_merchants_come_from_a_sheet(park: Programme) -> None:
    second = (*GYM[:6], "pool", "G0000003")
    answer = sent_sheet(park, GYM, second, check=True).json()
    assert answer == {"stored": False, "merchants": 1, "outlets": 2, "findings": [], "waiting": 0}
    stored = sent_sheet(park, GYM, second).json()
    assert (stored["stored"], stored["waiting"]) == (True, 1)
    approve_all(park.registrar, park.reviewer)
    gym = park.registrar.get("/api/v1/merchants/GYM").json()
    assert (gym["name"], gym["benefits"], gym["account"]) == ("健身馆", ["0201", "0202"], "************9999")
    assert [(one["name"], one["terminals"]) for one in gym["outlets"]] == [
        ("hall", ["G0000001", "G0000002"]),
        ("pool", ["G0000003"]),
    ]
    listed = park.registrar.get("/api/v1/merchants", params={"text": "健身"}).json()["items"]
    assert [one["number"] for one in listed] == ["GYM"]


def test_a_sheet_with_a_finding_stores_nothing_and_names_each_row(park: Programme) -> None:
    rows = (
        GYM,
        ("公园", *GYM[1:]),
        ("A", "a", "some day", *GYM[3:]),
        (*GYM[:1], "another name", *GYM[2:6], "pool", "G0000003"),
        ("B", "b", *GYM[2:6], "b", "G0000001"),
        ("C", "c", "2026-01-01", "2025-01-01", "1", "12", "", "T1"),
    )
    answer = sent_sheet(park, *rows).json()
    assert answer["stored"] is False
    assert [(one["row"], one["rule"]) for one in answer["findings"]] == [
        (4, "merchant-number"),
        (4, "terminal-number"),
        (5, "contract-day"),
        (6, "merchant-differs"),
        (7, "terminal-number"),
        (8, "merchant-contract"),
        (8, "merchant-benefit"),
        (8, "merchant-account"),
        (8, "outlet-name"),
        (8, "terminal-number"),
    ]
    assert answer["findings"][2]["reason_zh"] == "日期须写作 2026-12-31 的形式"
    assert answer["findings"][2]["reason_en"] == "a day is written as 2026-12-31"
    assert [one["number"] for one in park.registrar.get("/api/v1/merchants").json()["items"]] == ["PARK-EAST"]


def test_a_sheet_of_something_else_and_a_terminal_of_another_are_refused(park: Programme) -> None:
    refused = park.registrar.post("/api/v1/merchants/import", files={"file": ("a.csv", "姓名,电话\n王,1\n".encode())})
    assert problem(refused)["fields"] == {"file": "wanted: 商户号, 商户名称, 合同起始日, 合同终止日, 权益类别"}
    taken = problem(sent_sheet(park, (*GYM[:7], "T0000003")))
    assert (taken["status"], taken["params"]["reason"]) == (409, "terminal-taken")


def test_a_merchant_ends_and_its_account_is_seen_with_a_reason(park: Programme) -> None:
    shown = park.registrar.post("/api/v1/merchants/PARK-EAST/account", json={"reason": "payout of November"})
    assert shown.json() == {"account": "6222000000001234"}
    change = park.registrar.post("/api/v1/merchants/PARK-EAST/end", json={"reason": "moved away"}).json()
    approval = f"/api/v1/merchant-changes/{change['number']}/approve"
    assert problem(park.registrar.post(approval))["code"] == "forbidden"
    assert park.registrar.get("/api/v1/merchants/PARK-EAST").json()["ended_at"] is None
    assert park.reviewer.post(approval).json()["decided_by"] == "reviewer"
    assert problem(park.reviewer.post(approval))["params"]["reason"] == "change-over"
    ended = park.registrar.get("/api/v1/merchants/PARK-EAST").json()
    assert ended["ended_at"] is not None
    assert ended["account"] == "************1234"
    assert problem(park.registrar.get("/api/v1/merchants/NOBODY"))["params"]["reason"] == "merchant"
    assert problem(park.east.get("/api/v1/merchants"))["code"] == "forbidden"
