"""The Registry page: what one searches by, suggestions of units, and filters that open what their badges say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from reader_service.principal import Role
from registry.values import CardState
from tests.support.registry.registrar import UNIT, approved, row
from tests.support.service.accounts import AccountsApp, Client, accounts_app
from tests.support.service.registry_rig import at, carded

COLLEGE = "石家庄铁道大学工会"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("registry"))
    with served.registry as registry:
        _, numbers = carded(registry, 3)
        at(registry, numbers[1], CardState.PACKED)
        registry.members.withdraw(3, by="王", reason="退休")
        approved(registry, [row(number, unit=COLLEGE, name=f"王{number}") for number in (4, 5)], "d2")
        served.person("clerk", Role.REGISTRAR)
        yield served


@pytest.fixture(scope="module")
def clerk(app: AccountsApp) -> Client:
    client = app.signed_in("clerk")
    client.cookies.set("membercard-language", "en")
    return client


def rows_of(page: str) -> int:
    return len(re.findall(r'<td[^>]*><a href="/registry/\d+"', page))


@pytest.mark.parametrize(
    ("text", "count"),
    [("王", 2), ("欧阳", 3), ("铁道", 2), ("石家庄市", 3), ("0001", 1), ("13903110002", 1), ("赵", 0)],
)
def test_members_are_searched_by_what_the_page_names(clerk: Client, text: str, count: int) -> None:
    answer = clerk.post("/registry", data={"text": text}, headers={"HX-Request": "true"})
    if count == 1:  # the member's own page
        assert answer.headers["HX-Redirect"].startswith("/registry/")
    else:
        assert rows_of(answer.text) == count


@pytest.mark.parametrize(
    ("query", "count", "badge"),
    [
        ("state=", 5, ""),
        ("state=no-card", 2, "No card yet"),
        ("state=left", 1, "Left the union"),
        ("state=packed", 1, "Packed"),
        ("state=withdrawn", 1, ""),
        ("state=nonsense", 5, ""),
        (f"unit={COLLEGE[2:5]}", 2, ""),
        (f"unit={UNIT[:3]}&state=packed", 1, ""),
        (f"unit={COLLEGE}&state=packed", 0, ""),
    ],
)
def test_a_filter_opens_the_rows_with_its_badge(clerk: Client, query: str, count: int, badge: str) -> None:
    page = clerk.get(f"/registry?{query}").text
    assert rows_of(page) == count
    assert page.count(f'<span class="text">{badge}') >= count or not badge


def test_units_are_suggested_by_a_part_of_their_name(clerk: Client, app: AccountsApp) -> None:
    def suggested(**data: str) -> list[str]:
        answer = clerk.post("/registry/units", data=data, headers={"HX-Request": "true"})
        return re.findall(r'<option value="([^"]*)">', answer.text)

    assert suggested(unit="铁道") == suggested(text="铁道") == [COLLEGE]
    assert suggested(unit="石家庄") == [UNIT, COLLEGE] or suggested(unit="石家庄") == [COLLEGE, UNIT]
    assert suggested(unit="铁") == suggested(text="0001") == suggested(unit="%%") == []
    app.person("reader", Role.OPERATOR)
    assert app.signed_in("reader").post("/registry/units", data={"unit": "铁道"}).status_code == 403
