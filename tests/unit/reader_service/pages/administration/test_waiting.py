"""The second signature on pages: a number in the navigation, a list on the start page, and a link to send."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reader_service.principal import Role
from registry.members.wanted import UpdateKind, UpdateState
from tests.support.registry.registrar import UNIT, rows
from tests.support.service.accounts import BASE, AccountsApp, Client, accounts_app
from tests.support.service.registry_rig import carded


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("waiting"))
    with served.registry as registry:
        served.person("clerk", Role.REGISTRAR)
        served.person("reviewer", Role.REVIEWER)
        batch = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by="clerk").id
        registry.reviews.submit(batch, by="clerk")
        yield served


def person(app: AccountsApp, name: str) -> Client:
    client = app.signed_in(name)
    client.cookies.set("membercard-language", "en")
    return client


def test_the_reviewer_sees_on_the_start_page_what_waits(app: AccountsApp) -> None:
    reviewer, batch = person(app, "reviewer"), app.registry.batches.all()[0].id
    start = reviewer.get(reviewer.get("/").headers["location"]).text
    assert 'aria-label="1 waiting for me">1</span>' in start
    section = start[start.index('id="waiting-title"') :]
    assert f'href="/intake/{batch}"' in section[: section.index("</section>")]
    assert "Review a roster" in section
    assert f'href="/intake/{batch}"' in reviewer.get("/waiting").text
    app.registry.batches.approve(batch, "reviewer")
    after = reviewer.get("/intake").text
    assert "waiting-title" not in after
    assert "Nothing waits for you" in reviewer.get("/waiting").text


def test_the_api_lists_the_same(app: AccountsApp) -> None:
    batch = app.registry.batches.all()[0].id
    for name, own in (("reviewer", False), ("clerk", True)):
        (one,) = app.signed_in(name).get("/api/v1/waiting").json()
        assert (one["kind"], one["key"], one["subject"], one["by"], one["own"]) == ("review", batch, UNIT, "clerk", own)
    assert app.bearing(app.token(Role.OPERATOR)).get("/api/v1/waiting").json() == []


def test_the_clerk_has_a_link_to_send_and_is_not_counted(app: AccountsApp) -> None:
    clerk, batch = person(app, "clerk"), app.registry.batches.all()[0].id
    for path in (f"/intake/{batch}", "/waiting"):
        page = clerk.get(path).text
        assert f'readonly value="{BASE}/intake/{batch}"' in page
        assert "waiting for me" not in page
    assert "waiting-title" not in clerk.get("/intake").text


def test_the_link_leads_to_its_page_after_signing_in(app: AccountsApp) -> None:
    batch = app.registry.batches.all()[0].id
    answer = app.client().get(f"/intake/{batch}")
    assert answer.headers["location"] == f"/login?next=/intake/{batch}"


def test_the_first_of_two_who_close_a_batch_gets_a_link_instead_of_the_button(app: AccountsApp) -> None:
    app.person("operator", Role.OPERATOR)
    batch, _ = carded(app.registry, 1, digest="d2", start=5)
    operator, reviewer = person(app, "operator"), person(app, "reviewer")
    path = f"/station/batches/{batch}"
    assert f'action="{path}/close"' in operator.get(path).text
    assert operator.post(f"{path}/close").status_code == 303
    page = operator.get(path).text
    assert f'action="{path}/close"' not in page
    assert f'readonly value="{BASE}{path}"' in page
    assert 'aria-label="2 waiting for me">2</span>' in reviewer.get("/waiting").text
    assert f'action="{path}/close"' in reviewer.get(path).text


def test_a_reviewer_consents_to_the_chosen_changes_of_cards_at_once(app: AccountsApp) -> None:
    registry = app.registry
    _, numbers = carded(registry, 3, digest="d2", start=5)
    registry.rights.put(True, by="chief", reason="resolution")
    rights = {UpdateKind.VALIDITY: b"\x36\x12\x31", UpdateKind.CATEGORY: b"\x01"}
    ordered = [one for number in numbers for one in registry.updates.want(number, rights, by="clerk", reason="renewed")]
    (own,) = registry.updates.want(numbers[0], {UpdateKind.COVER: b"\x36\x12\x31"}, by="reviewer", reason="x")
    clerk, reviewer = person(app, "clerk"), person(app, "reviewer")
    page = reviewer.get("/waiting").text
    assert [f'name="change" value="{one.id}"' in page for one in (*ordered, own)] == [True] * 6 + [False]
    assert "2036-12-31" in page
    assert "Retired" in page
    assert 'name="change"' not in clerk.get("/waiting").text
    chosen = {"change": [str(one.id) for one in ordered[:4]]}
    assert clerk.post("/waiting/consent", data=chosen).status_code == 403
    assert reviewer.post("/waiting/consent", data={}).status_code == 422
    assert reviewer.post("/waiting/consent", data=chosen).headers["location"] == "/waiting"
    now = [registry.updates.change(one.id).state for one in ordered]
    assert now == [UpdateState.PENDING] * 4 + [UpdateState.PROPOSED] * 2
    left = {"numbers": [one.id for one in ordered[4:]]}
    refused = app.signed_in("reviewer").post("/api/v1/updates/consent", json={"numbers": [own.id]})
    assert refused.json()["code"] == "own-work"
    answer = app.signed_in("reviewer").post("/api/v1/updates/consent", json=left).json()
    assert [one["consented_by"] for one in answer] == ["reviewer"] * 2
