"""Forms that the browser sends before htmx is there, and htmx again: taken once, answered as the sender needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reader_service.principal import Role
from registry.admin.audit import AuditFilter
from tests.support.service.accounts import AccountsApp, accounts_app

NEW_TOKEN = {"idempotency_key": "a-token", "label": "till 4", "days": "90", "roles": "counter"}
NEW_USER = {"idempotency_key": "a-user", "name": "wang", "display": "", "language": "zh", "roles": "counter"}
RESET = {"idempotency_key": "a-reset", "reason": "forgotten"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path)
    with rig.registry:
        rig.person("admin", Role.ADMINISTRATOR)
        rig.person("li.na", Role.OPERATOR)
        yield rig


def test_a_form_is_the_same_whether_the_browser_or_htmx_wrote_it(rig: AccountsApp) -> None:
    client, path = rig.signed_in("admin"), "/users/li.na/disable"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    browser = "idempotency_key=form-3&reason=%E5%8D%A1%28%21%29+two%0D%0Alines&empty="
    htmx = "idempotency_key=form-3&reason=%E5%8D%A1(!)%20two%0Alines&empty="
    for body in (browser, htmx, browser):
        assert client.post(path, content=body, headers=kind).status_code == 303
    for other in (htmx.replace("two", "2"), htmx.replace("&empty=", ""), htmx + "&empty=", htmx.replace("%E5", "%E6")):
        assert client.post(path, content=other, headers=kind).status_code == 422
    assert len(rig.registry.audit.page(None, 9, where=AuditFilter(action="user.disable")).items) == 1


@pytest.mark.parametrize(
    ("path", "form", "action"),
    [
        ("/tokens", NEW_TOKEN, "token.make"),
        ("/users", NEW_USER, "user.add"),
        ("/users/li.na/reset", RESET, "user.password"),
    ],
    ids=["token", "user", "reset"],
)
def test_a_form_that_shows_a_secret_is_taken_once_from_browser_and_htmx(
    rig: AccountsApp, path: str, form: dict[str, Any], action: str
) -> None:
    """Pressed before htmx is there, and again through htmx: the same secret, and both are in the audit."""
    client = rig.signed_in("admin")
    before = len(rig.registry.audit.page(None, 99, where=AuditFilter(action=action)).items)
    first, again = client.post(path, data=form), client.post(path, data=form, headers=HTMX)
    assert (first.status_code, again.status_code) == (200, 200)
    secret = re.compile(r"<code>([^<]+)</code>")
    assert secret.findall(first.text) == secret.findall(again.text) != []
    assert again.headers["HX-Retarget"] == "body", "a whole page was stored"
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "no-store"
    rows = rig.registry.audit.page(None, 99, where=AuditFilter(action=action)).items
    assert len(rows) == before + 1
    assert rig.registry.audit.page(None, 1).items[0].entry.action == "access.replayed"


def test_every_form_with_an_effect_has_a_key_of_its_own(rig: AccountsApp) -> None:
    client = rig.signed_in("admin")
    pages = client.get("/users").text + client.get("/users/li.na").text
    forms = re.findall(r'<form[^>]* action="/(?:tokens|users)[^"]*".*?</form>', pages, re.DOTALL)
    keys = re.findall(r'name="idempotency_key" value="([^"]+)"', "".join(forms))
    assert len(forms) == len(keys) == len(set(keys)) > 2


def test_a_stored_answer_leads_as_the_sender_needs_it(rig: AccountsApp) -> None:
    client, path = rig.signed_in("admin"), "/users/li.na/roles"
    for key, one, two in (("a", {}, HTMX), ("b", HTMX, {})):
        form = {"idempotency_key": key, "reason": "moved", "roles": "counter"}
        first, again = client.post(path, data=form, headers=one), client.post(path, data=form, headers=two)
        native, htmx = (first, again) if two else (again, first)
        assert (native.status_code, native.headers["location"]) == (303, "/users/li.na")
        assert (htmx.status_code, htmx.headers["HX-Redirect"]) == (204, "/users/li.na")
        assert "location" not in htmx.headers
