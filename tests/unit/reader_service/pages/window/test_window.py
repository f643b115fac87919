"""The window's page: a card is activated with its member present, and what is ordered is listed and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from personalize.updates import UpdateReport
from reader_service.principal import Role
from reader_service.services.counter.counter import VerdictView
from reader_service.services.window.updates import UpdateService
from registry.members.wanted import UpdateKind, UpdateState
from terminal.member.outcome import VerdictCode
from tests.support.service.accounts import AccountsApp, Client, accounts_app
from tests.support.service.page_app import verdict
from tests.support.service.registry_rig import carded


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("window"))
    with served.registry:
        served.person("clerk", Role.REGISTRAR)
        served.person("reviewer", Role.REVIEWER)
        yield served


def signed_in(app: AccountsApp, person: str, language: str = "en") -> Client:
    client = app.signed_in(person)
    client.cookies.set("membercard-language", language)
    return client


def test_the_registry_leads_to_the_window_and_it_says_what_it_lacks(app: AccountsApp) -> None:
    clerk = signed_in(app, "clerk")
    assert 'href="/registry/window"' in clerk.get("/registry").text
    assert "No reader is in counter mode" in clerk.get("/registry/window").text
    assert "没有处于柜台模式的读卡器" in signed_in(app, "clerk", "zh").get("/registry/window").text
    assert signed_in(app, "reviewer").get("/registry/window").status_code == 403


def test_an_ordered_change_is_listed_and_taken_back(app: AccountsApp) -> None:
    number = carded(app.registry, 1)[1][0]
    (ordered,) = app.registry.updates.want(number, {UpdateKind.COVER: b"\x28\x06\x30"}, by="clerk", reason="renewed")
    clerk = signed_in(app, "clerk")
    page = clerk.get("/registry/window").text
    assert number in page
    assert "Waits for the card" in page
    answer = clerk.post(f"/registry/window/changes/{ordered.id}/withdraw", data={"reason": "wrong card"})
    assert answer.status_code == 303, answer.text
    shown = clerk.get("/registry/window").text
    assert f"Change {ordered.id} is taken back." in shown
    (change,) = app.registry.updates.of_card(number, 1)
    assert change.state is UpdateState.WITHDRAWN


def test_the_page_says_what_is_on_the_card_now_and_the_verdict(
    app: AccountsApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = carded(app.registry, 1)[1][0]
    ordered = app.registry.updates.want(number, {UpdateKind.COVER: b"\x28\x06\x30"}, by="clerk", reason="renewed")
    calls: list[tuple[str, str]] = []

    def activate(_service: object, _who: object, reader: str, shown: str) -> VerdictView:
        calls.append((reader, shown))
        return replace(verdict(VerdictCode.ACTIVE), updates=UpdateReport(ordered))

    monkeypatch.setattr(UpdateService, "activate", activate)
    clerk = signed_in(app, "clerk", "zh")
    form = {"reader": "counter", "shown": "passport", "note": "到场"}
    answer = clerk.post("/registry/window/activate", data=form)
    assert (answer.status_code, calls) == (303, [("counter", "护照、到场")])
    assert "卡内已更新：保障截止日。验卡结论：有效。" in clerk.get("/registry/window").text


def test_a_reader_that_is_not_there_is_a_refusal(app: AccountsApp) -> None:
    clerk = signed_in(app, "clerk")
    answer = clerk.post("/registry/window/activate", data={"reader": "nowhere", "shown": "id-card"})
    assert answer.status_code == 404
    assert clerk.post("/registry/window/activate", data={"reader": "nowhere", "shown": "?"}).status_code == 422


def test_what_lifts_a_block_waits_on_the_page_of_a_second_person(app: AccountsApp) -> None:
    number = carded(app.registry, 1)[1][0]
    clerk, reviewer = signed_in(app, "clerk"), signed_in(app, "reviewer")
    form = {"card": number, "what": "last-date", "last_date": "2026-01-01", "reason": "wrong clock"}
    assert clerk.post("/registry/window/order", data=form).status_code == 303
    (ordered,) = app.registry.updates.proposed(10)
    assert "Waits for a second person" in clerk.get("/registry/window").text
    assert clerk.post(f"/changes/{ordered.id}/consent", data={}).status_code == 403
    assert f"/changes/{ordered.id}" in reviewer.get("/waiting").text
    page = reviewer.get(f"/changes/{ordered.id}").text
    assert number in page
    assert "2026-01-01" in page
    assert reviewer.post(f"/changes/{ordered.id}/consent", data={}).status_code == 303
    assert app.registry.updates.change(ordered.id).state is UpdateState.PENDING
    assert reviewer.get(f"/changes/{ordered.id}").status_code == 200
