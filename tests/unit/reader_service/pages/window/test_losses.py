"""The pages of a loss: from the member to the slip, with a second person's token, and the files for the bank."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from reader_service.principal import Role
from registry.values import BatchState
from tests.support import issuer
from tests.support.registry import registrar
from tests.support.registry.registrar import rows
from tests.support.service.accounts import AccountsApp, Client, accounts_app
from tests.support.service.registry_rig import carded

ACCOUNT = "6210971300000000016"
FORM = {"reason": "丢了钱包", "channel": "window", "replace": "on", "collect_at": "窗口 3", "collect_on": "2026-12-01"}


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("losses"))
    with served.registry:
        served.person("clerk", Role.REGISTRAR)
        served.person("reviewer", Role.REVIEWER)
        yield served


@pytest.fixture
def number(app: AccountsApp) -> str:
    return carded(app.registry, 1)[1][0]


def clerk_of(app: AccountsApp, language: str = "en") -> Client:
    client = app.signed_in("clerk")
    client.cookies.set("membercard-language", language)
    return client


def report(clerk: Client, number: str, **more: str) -> str:
    answer = clerk.post("/registry/1/loss", data={**FORM, "card": number, **more})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_one_form_lists_the_card_orders_the_next_and_leads_to_the_slip(app: AccountsApp, number: str) -> None:
    clerk = clerk_of(app)
    assert 'href="/registry/1/loss"' in clerk.get("/registry/1").text
    assert number in clerk.get("/registry/1/loss").text
    slip = clerk.get(report(clerk, number)).text
    for shown in ("Loss 1 is recorded", f"{number}-1", "窗口 3", "2026-12-01", "欧****", "data-print"):
        assert shown in slip
    assert [entry.reason for entry in app.registry.hotlist.entries()] == ["lost"]
    assert app.registry.hotlist.newest() is not None
    assert "No card to report" in clerk.get("/registry/1/loss").text
    assert 'href="/registry/losses/1"' in clerk.get("/registry/losses").text


def test_a_second_person_consents_with_a_token_on_this_page(app: AccountsApp, number: str) -> None:
    clerk = clerk_of(app)
    path = report(clerk, number)
    batch = app.registry.losses.loss(1).batch or ""
    assert f"/intake/{batch}" in clerk.get(path).text
    wrong = clerk.post(f"{path}/consent", data={"token": "nonsense"})
    assert (wrong.status_code, "location" in wrong.headers) == (422, False)
    secret = app.token(Role.REVIEWER)
    answer = clerk.post(f"{path}/consent", data={"token": secret})
    assert answer.status_code == 303
    assert app.registry.batches.batch(batch).state is BatchState.APPROVED
    assert "consent-title" not in clerk.get(path).text
    assert secret not in clerk.get(path).text


def test_a_reviewer_sees_the_replacement_among_what_waits_and_approves_it_there(app: AccountsApp, number: str) -> None:
    report(clerk_of(app), number)
    batch = app.registry.losses.loss(1).batch
    reviewer = app.signed_in("reviewer")
    assert f'href="/intake/{batch}"' in reviewer.get("/waiting").text
    assert reviewer.post(f"/intake/{batch}/approve").status_code == 303
    assert reviewer.get("/registry/losses").status_code == 403


def test_a_card_that_turned_up_is_unlisted_on_its_page_and_too_late_is_refused(app: AccountsApp, number: str) -> None:
    clerk = clerk_of(app)
    path = report(clerk, number)
    assert clerk.post(f"{path}/unlist", data={"reason": "找到了"}).status_code == 303
    page = clerk.get(path).text
    for shown in ("Another person unlists the card", "Found, waits for a second person", "Still lost"):
        assert shown in page
    assert clerk.post(f"{path}/unlist", data={"reason": "again"}).status_code == 403
    app.person("wang", Role.REGISTRAR)
    second = app.signed_in("wang")
    second.cookies.set("membercard-language", "en")
    assert "Unlist a card that was found" in second.get("/waiting").text
    assert second.post(f"{path}/unlist", data={"reason": "看过"}).status_code == 303
    page = second.get(path).text
    assert "The card is unlisted" in page
    assert "Found again" in page
    path = report(clerk, number)
    batch = app.registry.losses.loss(2).batch or ""
    app.registry.batches.approve(batch, "reviewer", sent=True)
    registrar.prepare(app.registry, issuer.custody(), batch)
    registrar.claimed(app.registry, batch, 2)
    refused = clerk.post(f"{path}/unlist", data={"reason": "找到了"})
    assert refused.status_code == 409
    assert "is made or being made, so the old card stays on the hotlist" in refused.text
    chinese = clerk_of(app, "zh").post(f"{path}/unlist", data={"reason": "找到了"}).text
    assert "的补换卡已经或正在制作，旧卡不能解挂。" in chinese


def test_a_call_needs_right_answers_which_no_page_repeats(app: AccountsApp, number: str) -> None:
    clerk = clerk_of(app)
    call = {"channel": "hotline", "caller": "relative", "caller_name": "王小明", "telephone": "13800001111"}
    data = {**FORM, "card": number, **call, "name": "欧阳001", "id_end": "9999", "mobile_end": "0001"}
    refused = clerk.post("/registry/1/loss", data=data)
    assert (refused.status_code, "2 right answers, and 3 are needed" in refused.text) == (409, True)
    path = report(clerk, number, **call, name="欧阳001", id_end="0001", mobile_end="0001")
    page = clerk.get(path).text
    assert "A relative 王**" in page
    assert not re.search("王小明|13800001111", page)


def test_losses_of_cards_with_an_account_are_reported_to_the_bank(app: AccountsApp) -> None:
    batch = registrar.approved(app.registry, rows(1))
    registrar.prepare(app.registry, issuer.custody(), batch, pans=[ACCOUNT])
    number = app.registry.line.verified(registrar.claimed(app.registry, batch, 1), {}, 1.0).card_number
    clerk = clerk_of(app)
    report(clerk, number)
    assert "Make a report (1 new)" in clerk.get("/registry/losses").text
    assert clerk.post("/registry/losses/bank").status_code == 303
    page = clerk.get("/registry/losses").text
    assert "Make a report (0 new)" in page
    assert ACCOUNT not in page
    assert ACCOUNT in clerk.get("/registry/losses/bank/1?kind=csv").text
    assert clerk.get("/registry/losses/bank/1").headers["content-disposition"].startswith("attachment")
    assert ACCOUNT in clerk.get("/registry/losses/since?since=2026-11-22&kind=csv").text
    assert clerk.get("/registry/losses/since?since=soon").status_code == 422
    assert clerk.post("/registry/losses/bank").status_code == 409


def test_without_a_replacement_it_is_ordered_afterwards(app: AccountsApp, number: str) -> None:
    clerk = clerk_of(app)
    path = report(clerk, number, replace="", collect_on="")
    assert app.registry.losses.loss(1).batch is None
    order = {"reason": "补卡", "collect_at": "窗口 3", "collect_on": "2026-12-01"}
    assert clerk.post(f"{path}/order", data=order).status_code == 303
    assert app.registry.losses.loss(1).collect_at == "窗口 3"
    assert clerk.post(f"{path}/order", data={**order, "collect_on": "x"}).status_code == 422
