"""The packing pages: from a batch to a signed list with a scanner and the keyboard, and many cards at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reader_service.principal import Role
from registry.handover.values import BoxStage
from registry.values import CardState
from tests.support.service.accounts import AccountsApp, Client, accounts_app
from tests.support.service.registry_rig import carded

HTMX = {"HX-Request": "true"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path)
    with served.registry:
        served.person("clerk", Role.REGISTRAR)
        served.person("reviewer", Role.REVIEWER)
        yield served


@pytest.fixture
def clerk(app: AccountsApp) -> Client:
    client = app.signed_in("clerk")
    client.cookies.set("membercard-language", "en")
    return client


def go(client: Client, path: str, **data: str) -> str:
    """The page that a form leads to."""
    answer = client.post(path, data=data, headers=HTMX)
    assert answer.status_code == 204, answer.text
    return answer.headers["HX-Redirect"]


def test_a_batch_is_boxed_ticked_off_closed_handed_over_and_signed_for(app: AccountsApp, clerk: Client) -> None:
    batch, numbers = carded(app.registry, 3)
    assert f'value="{batch}"' in clerk.get("/packing").text
    path = go(clerk, "/packing/boxes", batch=batch, capacity="100", together="0")
    assert re.fullmatch(r"/packing/X\d{8}-001", path)
    page = clerk.get(path).text
    assert page.count("Missing</span>") == 3
    assert "autofocus" in page
    assert f"{path}/close" in page
    refused = clerk.post(f"{path}/close", headers=HTMX)
    assert refused.status_code == 409
    assert "3 missing: ****0001-1, ****0002-1, ****0003-1." in refused.text, (
        "numbers as long as those of ID cards are masked"
    )
    for left, number in ((2, numbers[0]), (1, numbers[1])):
        part = clerk.post(f"{path}/tick", data={"scan": number}, headers=HTMX).text
        assert f"ticked off, {left} missing" in part
        assert 'data-tone="ok"' in part
    assert 'data-tone="warn"' in clerk.post(f"{path}/tick", data={"scan": numbers[1]}, headers=HTMX).text
    assert go(clerk, f"{path}/lines/3/tick") == path
    assert go(clerk, f"{path}/close") == path
    assert [app.registry.cards.card(number).state for number in numbers] == [CardState.PACKED] * 3
    assert go(clerk, f"{path}/hand-over", level="unit", recipient="周敏") == path
    today = f"{app.clock():%Y-%m-%d}"
    assert go(clerk, f"{path}/receipt", recipient="周敏", day=today, unsigned="2", signed="2") == path
    page = clerk.get(path).text
    assert (page.count("Signed for</span>"), page.count("Unsigned</span>")) == (3, 1), "two cards and the box"
    assert "1 cards signed for" not in page
    assert "2 cards signed for, 1 sent back" in page
    assert go(clerk, f"{path}/return", reason="on leave") == path
    assert app.registry.cards.card(numbers[1]).state is CardState.VERIFIED
    move = app.registry.moves.page().items[0]
    assert go(clerk, f"/packing/moves/{move.id}/undo", reason="wrong") == "/packing/cards"
    assert app.registry.cards.card(numbers[1]).state is CardState.PACKED


def test_a_foreign_card_is_refused_in_the_language_of_the_page(app: AccountsApp, clerk: Client) -> None:
    batch, _ = carded(app.registry, 1)
    path = go(clerk, "/packing/boxes", batch=batch, capacity="100", together="0")
    _, (foreign,) = carded(app.registry, 1, digest="d2", start=7)
    answer = clerk.post(f"{path}/tick", data={"scan": foreign}, headers=HTMX)
    assert answer.status_code == 409
    assert "does not belong into this box. Put it aside." in answer.text
    clerk.cookies.set("membercard-language", "zh")
    assert "请放在一边" in clerk.post(f"{path}/tick", data={"scan": foreign}, headers=HTMX).text
    empty = clerk.post(f"{path}/tick", data={"scan": " "}, headers=HTMX)
    assert (empty.status_code, "请扫描一张卡" in empty.text) == (422, True)


def test_a_scan_opens_the_box_of_a_card_and_keeps_numbers_out_of_addresses(app: AccountsApp, clerk: Client) -> None:
    batch, (number,) = carded(app.registry, 1)
    path = go(clerk, "/packing/boxes", batch=batch, capacity="100", together="0")
    assert go(clerk, "/packing/find", scan=number) == path
    assert go(clerk, "/packing/find", scan=path.removeprefix("/packing/")) == path
    assert number not in "".join(re.findall(r'(?:href|action|hx-post)="([^"]*)"', clerk.get(path).text))


def test_missing_cards_are_left_out_and_a_box_is_given_up(app: AccountsApp, clerk: Client) -> None:
    batch, numbers = carded(app.registry, 2)
    path = go(clerk, "/packing/boxes", batch=batch, capacity="100", together="0")
    clerk.post(f"{path}/tick", data={"scan": numbers[0]}, headers=HTMX)
    go(clerk, f"{path}/leave-out", reason="not printed")
    go(clerk, f"{path}/discard", reason="wrong size")
    assert app.registry.boxes.box(path.removeprefix("/packing/")).stage is BoxStage.DISCARDED
    assert "In stock" in clerk.get(f"/packing?batch={batch}").text


def test_many_cards_take_a_step_and_one_press_undoes_it(app: AccountsApp, clerk: Client) -> None:
    _, numbers = carded(app.registry, 3)
    assert go(clerk, "/packing/cards", step="pack", cards="\n".join(numbers), reason="by hand") == "/packing/cards"
    page = clerk.get("/packing/cards").text
    assert "3 cards done." in page
    (undo,) = re.findall(r'action="(/packing/moves/\d+/undo)"', page)
    go(clerk, undo, reason="wrong")
    assert [app.registry.cards.card(number).state for number in numbers] == [CardState.VERIFIED] * 3
    assert re.findall(r"/packing/moves/\d+/undo", clerk.get("/packing/cards").text) == []


@pytest.mark.parametrize("sheet", ["list.pdf", "labels.pdf", "carriers.pdf", "list.xlsx"])
def test_sheets_are_downloaded_and_never_cached(app: AccountsApp, clerk: Client, sheet: str) -> None:
    batch, _ = carded(app.registry, 1)
    path = go(clerk, "/packing/boxes", batch=batch, capacity="100", together="0")
    answer = clerk.get(f"{path}/{sheet}")
    assert answer.content[:4] == (b"PK\x03\x04" if sheet.endswith("xlsx") else b"%PDF")
    assert answer.headers["Cache-Control"] == "no-store"
    assert app.registry.audit.page(None, 1).items[0].entry.action == "box.sheet"


def test_packing_is_for_registrars(app: AccountsApp) -> None:
    reviewer = app.signed_in("reviewer")
    assert reviewer.get("/packing").status_code == 403
    assert 'href="/packing"' not in reviewer.get("/intake").text
