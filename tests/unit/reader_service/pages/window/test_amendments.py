"""The pages of an amendment: requested on the member's page, seen in full and decided by a second person."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reader_service.principal import Role
from registry.values import BatchState
from tests.support.service.accounts import AccountsApp, Client, accounts_app, problem
from tests.support.service.registry_rig import carded

NAME, MOBILE = "司马相如", "13977778888"
FORM = {"name": NAME, "mobile": "139-7777-8888", "reason": "户口本为证"}


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("amendments"))
    with served.registry:
        served.person("clerk", Role.REGISTRAR)
        served.person("both", Role.REGISTRAR, Role.REVIEWER)
        served.person("reviewer", Role.REVIEWER)
        served.person("operator", Role.OPERATOR)
        carded(served.registry, 1)
        yield served


def enter(app: AccountsApp, name: str) -> Client:
    client = app.signed_in(name)
    client.cookies.set("membercard-language", "en")
    return client


def test_a_reviewer_sees_it_waiting_looks_at_it_and_approves(app: AccountsApp) -> None:
    clerk, reviewer = enter(app, "clerk"), enter(app, "reviewer")
    path = clerk.post("/registry/1/amend", data={**FORM, "new_card": "on"}).headers["location"]
    assert path == "/amendments/1"
    page = clerk.get(path).text
    assert "<del>欧****</del> → <ins>司***</ins>" in page
    assert NAME not in page
    assert f"{path}/approve" not in page
    assert f'href="{path}"' in reviewer.get("/waiting").text
    assert f"{path}/approve" in reviewer.get(path).text
    shown = reviewer.post(f"{path}/look").text
    assert NAME in shown
    assert MOBILE in shown
    assert app.registry.audit.page(None, 1).items[0].entry.action == "amendment.look"
    assert reviewer.post(f"{path}/approve").status_code == 303
    done = app.registry.amendments.amendment(1)
    assert (done.batch_state, app.registry.members.member(1).name_masked) == (BatchState.APPROVED, "司***")
    assert "Nothing waits for you" in reviewer.get("/waiting").text
    assert done.batch in reviewer.get(path).text  # type: ignore[operator]


def test_one_person_does_not_decide_on_their_own_request(app: AccountsApp) -> None:
    both = enter(app, "both")
    path = both.post("/registry/1/amend", data=FORM).headers["location"]
    assert f"{path}/approve" not in both.get(path).text
    assert problem(both.post("/api/v1/amendments/1/approve"))["code"] == "own-work"
    assert both.post(f"{path}/cancel", data={"reason": "mistyped"}).status_code == 303
    assert 'href="/amendments/1"' in both.get("/amendments?only=cancelled").text
    assert 'href="/amendments/1"' not in both.get("/amendments?only=waiting").text


def test_a_refusal_needs_a_reason_and_changes_nothing(app: AccountsApp) -> None:
    path = enter(app, "clerk").post("/registry/1/amend", data=FORM).headers["location"]
    reviewer = enter(app, "reviewer")
    assert reviewer.post(f"{path}/refuse", data={"reason": " "}).status_code == 422
    assert reviewer.post(f"{path}/refuse", data={"reason": "没有证明"}).status_code == 303
    assert app.registry.members.member(1).name_masked == "欧****"
    assert enter(app, "operator").get(path).status_code == 403


@pytest.mark.parametrize(
    "wrong", [{"name": "", "mobile": ""}, {"name": "1234"}, {"mobile": "12"}, {"name": "司马相如", "mobile": "12"}]
)
def test_a_name_or_number_that_no_form_could_have_is_refused(app: AccountsApp, wrong: dict[str, str]) -> None:
    answer = enter(app, "clerk").post("/registry/1/amend", data={"name": "", "mobile": "", "reason": "x", **wrong})
    assert answer.status_code == 422
    assert app.registry.amendments.page().items == ()
