"""One hostile text as unit, member, lane, reason, file, user and token, through every output of the service."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Final

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from openpyxl import load_workbook

from reader_service.principal import Role
from registry.admin.plans import UnitPlan
from tests.support import issuer
from tests.support.registry.registrar import claimed, prepare, row
from tests.support.service.accounts import AccountsApp, Client, accounts_app

SEEN: Final = "=cmd|'/C calc'!A0 $x_1^{2}$ {{7*7}} %s {0} \"q\",;<script>alert(1)</script>"
"""Formulas of sheets and of layout, templates, quotes, separators and a script; nothing that an edge refuses."""
UNSEEN: Final = "\x1b[31m\u202e\r\n+1"
"""A terminal's colour, a mark that turns text, and another line, where free text is taken."""
NAME: Final = "=1+1 {{7*7}} $x$ %s"
STREAMS: Final = re.compile("stream|/live|/events|/counter|/developer|/station$|reader_id")
"""Without an end, or of readers, which this service has none of."""
RAW: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\x9b\u202e]")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    app = accounts_app(tmp_path_factory.mktemp("hostile"))
    with app.registry as registry:
        rows = [row(number, name=NAME, unit=SEEN) for number in (1, 2, 3)]
        batch = registry.rosters.import_roster(SEEN, rows, [], source=SEEN, digest="d", by="clerk").id
        registry.reviews.submit(batch, by="clerk")
        registry.reviews.give_back(batch, by="reviewer", reason=SEEN + UNSEEN)
        registry.reviews.submit(batch, by="clerk")
        registry.batches.approve(batch, "reviewer")
        prepare(registry, issuer.custody(), batch)
        registry.line.verified(claimed(registry, batch, 1, SEEN), {"verdict": "ACTIVE"}, 1.5)
        registry.line.reject(claimed(registry, batch, 2, "+lane $y$"), SEEN + UNSEEN, "step $z$", "3 data")
        registry.stock.receive(9, SEEN, "op")
        registry.plans.put([UnitPlan(SEEN, "@group", 3, date(2026, 12, 1))], by="clerk")
        registry.members.withdraw(1, by="clerk", reason=SEEN + UNSEEN)
        draft = registry.rosters.import_roster(
            SEEN, [row(4, name=NAME, unit=SEEN)], [], source=SEEN, digest="e", by="x"
        )
        registry.reviews.submit(draft.id, by="x")
        app.person("chief", *Role)
        app.registry.users.add("li.na", SEEN[:60], "", ["counter"], by="chief")
        app.token(Role.COUNTER, label=SEEN[:60])
        yield app


def addresses(app: AccountsApp) -> list[str]:
    """Every address that is read, for the first batch, member, card, user and token."""
    batch = app.registry.batches.all()[0].id
    card = app.registry.cards.of_batch(batch)[0].card_number
    values = {"batch_id": batch, "member_id": "1", "number": card, "name": "li.na", "version": "1"}
    paths = []
    for route in iter_route_contexts(app.app.routes):
        if "GET" in (route.methods or ()) and not STREAMS.search(route.path):
            path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: values.get(match[1], "1"), route.path)
            paths.append(path)
    return paths


def check(answer: httpx.Response, address: str) -> bool:
    """Whether the answer shows the hostile text; it does nothing in it."""
    kind = answer.headers.get("content-type", "")
    if "sheet" in kind:
        book = load_workbook(io.BytesIO(answer.content))
        cells = [cell for sheet in book.worksheets for line in sheet.iter_rows() for cell in line if cell.value]
        assert {cell.data_type for cell in cells} <= {"s", "n", "d"}, address
        begins = [cell for cell in cells if str(cell.value).startswith(("=", "+", "-", "@"))]
        assert all(cell.quotePrefix for cell in begins), address
        assert not [cell for cell in cells if RAW.search(str(cell.value))], address
        return bool(begins)
    if "json" in kind:
        return SEEN in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"')
    if "csv" in kind:
        cells = [cell for line in csv.reader(io.StringIO(answer.text)) for cell in line]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))], address
        return "{{7*7}}" in answer.text
    if "html" in kind:
        assert "<script>al" not in answer.text, address
        assert not RAW.search(answer.text.replace("\r\n", "\n")), address
        return "{{7*7}}" in answer.text and "&lt;script&gt;al" in answer.text
    return False


@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_text_is_shown_and_does_nothing(app: AccountsApp, language: str) -> None:
    client: Client = app.signed_in("chief")
    client.cookies.set("membercard-language", language)
    showing, refused = set(), {}
    for address in addresses(app):
        answer = client.get(address)
        assert answer.status_code < 500 or answer.status_code == 503, (address, answer.text[:300])
        if answer.status_code == 200:
            if check(answer, address):
                showing.add(address)
        else:
            refused[address] = answer.status_code
    batch = app.registry.batches.all()[0].id
    wanted = {"/intake", f"/intake/{batch}", "/registry", "/progress", "/progress/units", "/users", "/waiting"}
    wanted |= {f"/station/batches/{batch}", f"/api/v1/batches/{batch}", f"/api/v1/batches/{batch}/report.html"}
    wanted |= {"/api/v1/units", "/api/v1/members", "/api/v1/waiting", "/api/v1/statistics/export.xlsx"}
    assert wanted <= showing, (wanted - showing, refused)
