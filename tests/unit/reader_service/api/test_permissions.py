"""Every endpoint of the API asked by every role, and by nobody. An endpoint that is not in the table fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from fastapi.routing import iter_route_contexts

from reader_service.http.write_guard import DISCLOSES
from reader_service.principal import Permission, Principal, Role
from tests.support.service.accounts import Client, problem
from tests.support.service.service_app import ServiceApp, service_app

P = Permission
ANYONE: Final = None
"""Whoever is signed in: one's own session."""
PUBLIC: Final = frozenset(
    {"POST /session", "GET /openapi.json", "GET /api/docs", "GET /health/live", "GET /health/ready", "GET /metrics"}
)
"""``GET /metrics`` for programs on this machine, as these tests are."""
TABLE: Final[dict[str, Permission | None]] = {
    "GET /session": ANYONE,
    "DELETE /session": ANYONE,
    "POST /session/password": ANYONE,
    "POST /session/language": ANYONE,
    "GET /session/all": ANYONE,
    "GET /waiting": ANYONE,
    "GET /waiting/counts": ANYONE,
    "DELETE /session/others": ANYONE,
    "GET /events/stream": ANYONE,
    "WEBSOCKET /events": ANYONE,
    "GET /readers": P.READERS_VIEW,
    "GET /readers/{reader_id}": P.READERS_VIEW,
    "PATCH /readers/{reader_id}": P.READERS_NAME,
    "DELETE /readers/{reader_id}": P.READERS_NAME,
    "POST /readers/{reader_id}/restart": P.READERS_LEASE,
    "POST /readers/{reader_id}/lease": P.READERS_LEASE,
    "PUT /readers/{reader_id}/lease": P.READERS_LEASE,
    "DELETE /readers/{reader_id}/lease": P.READERS_LEASE,
    "PUT /readers/{reader_id}/counter": P.VERIFY,
    "POST /verify": P.VERIFY,
    "GET /verify/lists": P.VERIFY,
    "GET /verify/lists/dates": P.VERIFY,
    "POST /verify/lists/fetch": P.VERIFY,
    "POST /read": P.VERIFY,
    "GET /lanes": P.LANES_VIEW,
    "POST /lanes": P.LANES_RUN,
    "POST /lanes/{reader_id}/pause": P.LANES_RUN,
    "POST /lanes/{reader_id}/resume": P.LANES_RUN,
    "POST /lanes/{reader_id}/stop": P.LANES_RUN,
    "GET /machines": P.LANES_VIEW,
    "POST /machines/{reader_id}/clear": P.LANES_RUN,
    "POST /rosters": P.ROSTERS_UPLOAD,
    "POST /rosters/check": P.ROSTERS_UPLOAD,
    "GET /rosters/{batch_id}/findings": P.ROSTERS_VIEW,
    "GET /rosters/{batch_id}/annotated": P.ROSTERS_UPLOAD,
    "GET /batches": P.BATCHES_VIEW,
    "GET /batches/stock": P.BATCHES_VIEW,
    "GET /batches/{batch_id}": P.BATCHES_VIEW,
    "GET /batches/{batch_id}/reviews": P.ROSTERS_VIEW,
    "GET /batches/{batch_id}/changes": P.ROSTERS_VIEW,
    "GET /batches/{batch_id}/ranges": P.BATCHES_VIEW,
    "POST /batches/{batch_id}/look": P.ROSTERS_APPROVE,
    "GET /batches/{batch_id}/review": P.ROSTERS_VIEW,
    "POST /batches/{batch_id}/rows/{sheet_row}/mark": P.ROSTERS_APPROVE,
    "POST /batches/{batch_id}/confirmation": P.ROSTERS_APPROVE,
    "GET /batches/{batch_id}/confirmation": P.ROSTERS_VIEW,
    "GET /batches/{batch_id}/confirmation.pdf": P.ROSTERS_APPROVE,
    "GET /batches/{batch_id}/confirmation.xlsx": P.ROSTERS_APPROVE,
    "POST /batches/{batch_id}/rows": P.ROSTERS_UPLOAD,
    "POST /batches/{batch_id}/rows/{sheet_row}": P.ROSTERS_UPLOAD,
    "POST /batches/{batch_id}/rows/{sheet_row}/leave-out": P.ROSTERS_UPLOAD,
    "GET /batches/{batch_id}/edits": P.ROSTERS_VIEW,
    "POST /batches/{batch_id}/edits/undo": P.ROSTERS_UPLOAD,
    "POST /batches/{batch_id}/corrections/check": P.ROSTERS_UPLOAD,
    "POST /batches/{batch_id}/corrections": P.ROSTERS_UPLOAD,
    "POST /batches/{batch_id}/submit": P.ROSTERS_UPLOAD,
    "POST /batches/{batch_id}/approve": P.ROSTERS_APPROVE,
    "POST /batches/{batch_id}/return": P.ROSTERS_APPROVE,
    "POST /batches/{batch_id}/discard": P.ROSTERS_UPLOAD,
    "POST /batches/{batch_id}/prepare": P.BATCHES_PREPARE,
    "GET /batches/{batch_id}/preparation": P.BATCHES_VIEW,
    "GET /batches/{batch_id}/report": P.BATCHES_VIEW,
    "GET /batches/{batch_id}/report.html": P.BATCHES_VIEW,
    "GET /batches/{batch_id}/rejects": P.BATCHES_VIEW,
    "GET /batches/{batch_id}/chips": P.BATCHES_VIEW,
    "POST /batches/{batch_id}/release": P.LANES_RUN,
    "POST /batches/{batch_id}/close": P.BATCHES_CLOSE,
    "GET /members": P.MEMBERS_FIND,
    "POST /members/search": P.MEMBERS_FIND,
    "GET /members/{member_id}": P.MEMBERS_FIND,
    "GET /members/{member_id}/cards": P.CARDS_VIEW,
    "GET /members/{member_id}/history": P.MEMBERS_FIND,
    "POST /members/{member_id}/unmask": P.MEMBERS_UNMASK,
    "POST /members/{member_id}/transfer": P.MEMBERS_CHANGE,
    "POST /members/{member_id}/withdraw": P.MEMBERS_CHANGE,
    "GET /cards": P.CARDS_VIEW,
    "GET /cards/{number}": P.CARDS_VIEW,
    "GET /cards/{number}/history": P.CARDS_VIEW,
    "POST /cards/{number}/pack": P.CARDS_CHANGE,
    "POST /cards/{number}/deliver": P.CARDS_CHANGE,
    "POST /cards/{number}/activate": P.CARDS_CHANGE,
    "POST /cards/{number}/suspend": P.CARDS_CHANGE,
    "POST /cards/{number}/unlock": P.CARDS_CHANGE,
    "POST /cards/{number}/loss": P.CARDS_CHANGE,
    "POST /cards/{number}/withdraw": P.CARDS_CHANGE,
    "POST /cards/{number}/replace": P.CARDS_CHANGE,
    "POST /losses": P.CARDS_CHANGE,
    "GET /losses": P.CARDS_VIEW,
    "GET /losses/bank-reports": P.CARDS_VIEW,
    "POST /losses/bank-reports": P.MEMBERS_UNMASK,
    "GET /losses/bank-reports/since": P.MEMBERS_UNMASK,
    "GET /losses/bank-reports/{number}/file": P.MEMBERS_UNMASK,
    "GET /losses/{number}": P.CARDS_VIEW,
    "POST /losses/{number}/order": P.CARDS_CHANGE,
    "POST /losses/{number}/consent": P.CARDS_CHANGE,
    "POST /losses/{number}/unlist": P.CARDS_CHANGE,
    "POST /losses/{number}/still-lost": P.CARDS_CHANGE,
    "POST /amendments": P.MEMBERS_CHANGE,
    "GET /amendments": P.AMENDMENTS_VIEW,
    "GET /amendments/{number}": P.AMENDMENTS_VIEW,
    "POST /amendments/{number}/look": P.ROSTERS_APPROVE,
    "POST /amendments/{number}/approve": P.ROSTERS_APPROVE,
    "POST /amendments/{number}/refuse": P.ROSTERS_APPROVE,
    "POST /amendments/{number}/cancel": P.MEMBERS_CHANGE,
    "GET /boxes": P.CARDS_VIEW,
    "POST /boxes": P.CARDS_CHANGE,
    "GET /boxes/places": P.CARDS_VIEW,
    "POST /boxes/find": P.CARDS_VIEW,
    "GET /boxes/{box_id}": P.CARDS_VIEW,
    "GET /boxes/{box_id}/cards": P.CARDS_VIEW,
    "POST /boxes/{box_id}/tick": P.CARDS_CHANGE,
    "POST /boxes/{box_id}/tick-inserted": P.CARDS_CHANGE,
    "POST /boxes/{box_id}/untick": P.CARDS_CHANGE,
    "POST /boxes/{box_id}/leave-out": P.CARDS_CHANGE,
    "POST /boxes/{box_id}/discard": P.CARDS_CHANGE,
    "POST /boxes/{box_id}/close": P.CARDS_CHANGE,
    "POST /boxes/{box_id}/hand-over": P.CARDS_CHANGE,
    "POST /boxes/{box_id}/receipt": P.CARDS_CHANGE,
    "POST /boxes/{box_id}/return": P.CARDS_CHANGE,
    "GET /boxes/{box_id}/list.pdf": P.MEMBERS_UNMASK,
    "GET /boxes/{box_id}/list.xlsx": P.MEMBERS_UNMASK,
    "GET /boxes/{box_id}/labels.pdf": P.MEMBERS_UNMASK,
    "GET /boxes/{box_id}/carriers.pdf": P.MEMBERS_UNMASK,
    "GET /moves": P.CARDS_VIEW,
    "POST /moves": P.CARDS_CHANGE,
    "POST /moves/return": P.CARDS_CHANGE,
    "GET /moves/{move_id}": P.CARDS_VIEW,
    "GET /moves/{move_id}/cards": P.CARDS_VIEW,
    "POST /moves/{move_id}/undo": P.CARDS_CHANGE,
    "GET /updates": P.CARDS_VIEW,
    "POST /updates": P.CARDS_CHANGE,
    "POST /updates/{number}/withdraw": P.CARDS_CHANGE,
    "POST /updates/consent": P.ROSTERS_APPROVE,
    "POST /updates/{number}/consent": P.ROSTERS_APPROVE,
    "POST /updates/{number}/refuse": P.ROSTERS_APPROVE,
    "POST /updates/pin": P.CARDS_ACTIVATE,
    "POST /updates/run": P.CARDS_ACTIVATE,
    "POST /updates/activate": P.CARDS_ACTIVATE,
    "GET /programme": P.PROGRAMMES_VIEW,
    "POST /programme/check": P.PROGRAMMES_VIEW,
    "GET /programme/editions": P.PROGRAMMES_VIEW,
    "GET /programme/editions/{version}": P.PROGRAMMES_VIEW,
    "GET /programme/editions/{version}/differences": P.PROGRAMMES_VIEW,
    "GET /programme/editions/{version}/programme.json": P.PROGRAMMES_VIEW,
    "GET /programme/proposals": P.PROGRAMMES_VIEW,
    "POST /programme/proposals": P.LISTS_PUBLISH,
    "GET /programme/proposals/{number}": P.PROGRAMMES_VIEW,
    "GET /programme/proposals/{number}/differences": P.PROGRAMMES_VIEW,
    "GET /programme/proposals/{number}/programme.yaml": P.PROGRAMMES_VIEW,
    "POST /programme/proposals/{number}/confirm": P.PROGRAMMES_APPROVE,
    "POST /programme/proposals/{number}/refuse": P.PROGRAMMES_APPROVE,
    "POST /programme/proposals/{number}/cancel": P.LISTS_PUBLISH,
    "GET /merchants": P.MERCHANTS_VIEW,
    "POST /merchants/import": P.MERCHANTS_CHANGE,
    "POST /merchants/outlets/{outlet}/close": P.MERCHANTS_CHANGE,
    "GET /merchants/{number}": P.MERCHANTS_VIEW,
    "PUT /merchants/{number}": P.MERCHANTS_CHANGE,
    "GET /merchant-changes": P.MERCHANTS_VIEW,
    "POST /merchant-changes/{change}/approve": P.MERCHANTS_APPROVE,
    "POST /merchant-changes/{change}/refuse": P.MERCHANTS_APPROVE,
    "POST /merchant-changes/{change}/cancel": P.MERCHANTS_CHANGE,
    "GET /settlements/payouts": P.REDEMPTIONS_VIEW,
    "POST /settlements/payouts": P.SETTLEMENTS_PREPARE,
    "GET /settlements/payouts/{payout}": P.REDEMPTIONS_VIEW,
    "GET /settlements/payouts/{payout}/payout.xlsx": P.SETTLEMENTS_PREPARE,
    "GET /settlements/payouts/{payout}/payout.csv": P.SETTLEMENTS_PREPARE,
    "POST /merchants/{number}/end": P.MERCHANTS_CHANGE,
    "POST /merchants/{number}/account": P.MERCHANTS_CHANGE,
    "GET /redemptions": P.REDEMPTIONS_VIEW,
    "GET /readers/{reader_id}/offers": P.REDEEM,
    "GET /readers/{reader_id}/cashier": P.REDEEM,
    "POST /readers/{reader_id}/cashier": P.REDEEM,
    "DELETE /readers/{reader_id}/cashier": P.REDEEM,
    "POST /readers/{reader_id}/redemptions": P.REDEEM,
    "POST /readers/{reader_id}/reversals": P.REDEEM,
    "GET /redemptions/open": P.REDEEM,
    "POST /redemptions/open/{number}/give-up": P.REDEEM,
    "POST /redemptions/acknowledge": P.REDEEM,
    "GET /redemptions/records/{number}": P.REDEEM,
    "GET /redemptions/records/{number}/receipt": P.REDEEM,
    "GET /redemptions/queue": P.REDEEM,
    "POST /redemptions/queue/upload": P.REDEEM,
    "POST /redemptions/grants": P.REDEMPTIONS_UPLOAD,
    "POST /redemptions/uploads": P.REDEMPTIONS_UPLOAD,
    "GET /redemptions/uploads/{journal}": P.REDEMPTIONS_UPLOAD,
    "GET /card-changes": P.REDEMPTIONS_UPLOAD,
    "POST /card-changes/challenge": P.REDEMPTIONS_UPLOAD,
    "POST /card-changes/script": P.REDEMPTIONS_UPLOAD,
    "POST /card-changes/outcome": P.REDEMPTIONS_UPLOAD,
    "GET /findings": P.REDEMPTIONS_VIEW,
    "GET /findings/{number}": P.REDEMPTIONS_VIEW,
    "POST /findings/{number}/close": P.FINDINGS_CLOSE,
    "POST /findings/book": P.FINDINGS_CLOSE,
    "POST /findings/{number}/book": P.FINDINGS_CLOSE,
    "GET /settlements": P.REDEMPTIONS_VIEW,
    "POST /settlements": P.SETTLEMENTS_PREPARE,
    "GET /settlements/rates/{number}": P.REDEMPTIONS_VIEW,
    "POST /settlements/rates/{number}": P.SETTLEMENTS_PREPARE,
    "GET /settlements/{number}": P.REDEMPTIONS_VIEW,
    "POST /settlements/{number}/sign": P.SETTLEMENTS_SIGN,
    "POST /settlements/{number}/discard": P.SETTLEMENTS_PREPARE,
    "GET /settlements/{number}/statement.pdf": P.REDEMPTIONS_VIEW,
    "GET /settlements/{number}/statement.xlsx": P.REDEMPTIONS_VIEW,
    "GET /disputes": P.REDEMPTIONS_VIEW,
    "POST /disputes": P.FINDINGS_CLOSE,
    "POST /disputes/{number}/decide": P.FINDINGS_CLOSE,
    "GET /rushes": P.PROGRAMMES_VIEW,
    "GET /rushes/findings": P.REDEMPTIONS_VIEW,
    "POST /rushes/uses": P.REDEMPTIONS_UPLOAD,
    "GET /rushes/tickets/{ticket}": P.MEMBERS_CHANGE,
    "POST /rushes/tickets/{ticket}/return": P.MEMBERS_CHANGE,
    "GET /rushes/{rush}": P.PROGRAMMES_VIEW,
    "GET /rushes/{rush}/claims": P.PROGRAMMES_VIEW,
    "POST /rushes/{rush}/claims": P.MEMBERS_CHANGE,
    "GET /queue": P.BATCHES_VIEW,
    "PUT /queue/{batch_id}": P.BATCHES_PREPARE,
    "POST /queue/{batch_id}/move": P.BATCHES_PREPARE,
    "GET /stock": P.BATCHES_VIEW,
    "POST /stock/deliveries": P.BATCHES_PREPARE,
    "POST /stock/spoilt": P.BATCHES_PREPARE,
    "POST /lists/hotlist": P.LISTS_PUBLISH,
    "GET /lists/hotlist": P.LISTS_FETCH,
    "GET /lists/hotlist/editions": P.LISTS_FETCH,
    "GET /lists/hotlist/editions/{version}": P.LISTS_FETCH,
    "GET /lists/hotlist/delta": P.LISTS_FETCH,
    "GET /lists/trust": P.LISTS_FETCH,
    "GET /lists/programme": P.LISTS_FETCH,
    "GET /lists/key": P.LISTS_FETCH,
    "GET /audit": P.AUDIT,
    "GET /audit/verify": P.AUDIT,
    "GET /statistics/units": P.STATISTICS,
    "GET /statistics/days": P.STATISTICS,
    "GET /statistics/rejects": P.STATISTICS,
    "GET /statistics/seconds": P.STATISTICS,
    "GET /statistics/lanes": P.STATISTICS,
    "GET /statistics/verdicts": P.STATISTICS,
    "GET /statistics/export.xlsx": P.STATISTICS,
    "GET /statistics/plans": P.STATISTICS,
    "PUT /statistics/plans": P.PLANS_SET,
    "POST /statistics/plans/import": P.PLANS_SET,
    "DELETE /statistics/plans": P.PLANS_SET,
    "GET /units": P.STATISTICS,
    "POST /units/place": P.PLANS_SET,
    "POST /developer/readers/{reader_id}/connect": P.APDU,
    "POST /developer/readers/{reader_id}/disconnect": P.APDU,
    "POST /developer/readers/{reader_id}/apdu": P.APDU,
    "GET /developer/readers/{reader_id}/history": P.APDU,
    "POST /developer/decode": P.DECODE,
    "PUT /developer/readers/{reader_id}/trace": P.APDU,
    "GET /developer/drawer": P.APDU,
    "POST /developer/readers/{reader_id}/insert": P.APDU,
    "POST /developer/readers/{reader_id}/eject": P.APDU,
    "POST /developer/readers/{reader_id}/tear": P.APDU,
    "GET /users": P.USERS,
    "POST /users": P.USERS,
    "GET /users/{name}": P.USERS,
    "PATCH /users/{name}": P.USERS,
    "POST /users/{name}/disable": P.USERS,
    "POST /users/{name}/enable": P.USERS,
    "POST /users/{name}/reset": P.USERS,
    "DELETE /users/{name}/sessions": P.USERS,
    "GET /tokens": P.USERS,
    "POST /tokens": P.USERS,
    "POST /tokens/{number}/consent": P.USERS,
    "POST /tokens/{number}/revoke": P.USERS,
}
GUARDED: Final = [place for place, permission in TABLE.items() if permission is not None]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceApp]:
    with service_app(tmp_path_factory.mktemp("permissions")) as rig:
        yield rig


@pytest.fixture(scope="module")
def document(rig: ServiceApp) -> dict[str, Any]:
    return rig.document()


@pytest.fixture(scope="module")
def clients(rig: ServiceApp) -> dict[Role, Client]:
    return {role: rig.signed_in(role.value) for role in Role}


def place_of(method: str, path: str) -> str:
    return f"{method} {path.removeprefix('/api/v1')}"


def api_places(rig: ServiceApp) -> set[str]:
    """Every endpoint that the application has outside its pages."""
    places = set()
    for route in iter_route_contexts(rig.app.routes):
        path = str(route.path)
        if not path.startswith(("/api", "/health", "/metrics")):
            continue
        methods = route.methods or {"WEBSOCKET"}
        places |= {place_of(method, path) for method in methods}
    return places


def test_every_endpoint_is_in_the_table_and_nothing_else(rig: ServiceApp) -> None:
    assert api_places(rig) == set(TABLE) | PUBLIC
    websockets = [route for route in iter_route_contexts(rig.app.routes) if not route.methods]
    assert {str(route.path) for route in websockets} - {"/static"} == {"/api/v1/events"}


def example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """A value that the schema's own examples are made of."""
    if "$ref" in schema:
        value: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            value = value[step]
        return example(value, document)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], document)
    kind = schema.get("type")
    if kind == "object":
        required = schema.get("required", ())
        return {name: example(one, document) for name, one in schema.get("properties", {}).items() if name in required}
    if kind == "array":
        return [example(schema["items"], document)]
    return {"string": "x", "integer": 1, "number": 1, "boolean": True}[str(kind)]


def ask(client: Client, place: str, document: dict[str, Any]) -> Any:
    """The request that the document gives as an example."""
    method, path = place.split(" ")
    path = f"/api/v1{path}"
    operation = document["paths"][path][method.lower()]
    query, headers = {}, {}
    for parameter in operation.get("parameters", ()):
        value = parameter["example"] if "example" in parameter else None
        if value is None:
            value = example(parameter["schema"] | {k: v for k, v in parameter.items() if k == "examples"}, document)
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(value))
        elif parameter["in"] == "query" and parameter.get("required"):
            query[parameter["name"]] = value
        elif parameter["in"] == "header" and parameter.get("required"):
            headers[parameter["name"]] = str(value)
    more: dict[str, Any] = {}
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "multipart/form-data":
            more["files"] = {"file": ("form.csv", b"no form at all")}
            more["data"] = {
                name: value for name, value in example(content["schema"], document).items() if name != "file"
            }
        else:
            given = content.get("example") or example(content["schema"], document)
            more["json"] = given
    return client.request(method, path, params=query, headers=headers, **more)


@pytest.mark.parametrize("place", GUARDED)
def test_each_role_gets_what_its_permissions_say(
    place: str, clients: dict[Role, Client], document: dict[str, Any]
) -> None:
    for role, client in clients.items():
        answer = ask(client, place, document)
        allowed = Principal(role.value, frozenset({role})).may(TABLE[place])  # type: ignore[arg-type]
        if allowed:
            own = '"own-work"' in answer.text  # of the person, not of the role
            assert own or answer.status_code not in (401, 403, 405), (role, answer.text)
            assert answer.status_code < 500, (role, answer.text)
        else:
            body = problem(answer)
            assert (body["status"], body["code"]) == (403, "forbidden"), (role, answer.text)
            assert body["params"]["permission"] == TABLE[place]


@pytest.mark.parametrize("place", sorted(set(TABLE) - {"WEBSOCKET /events"}))
def test_nobody_gets_anything(place: str, rig: ServiceApp) -> None:
    method, path = place.split(" ")
    answer = rig.stranger().request(method, "/api/v1" + re.sub(r"\{\w+\}", "1", path))
    assert (problem(answer)["status"], problem(answer)["code"]) == (401, "not-signed-in")


def test_what_is_shown_in_clear_is_audited_when_it_is_shown_again(document: dict[str, Any]) -> None:
    shown = {
        path
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method == "post" and "in clear" in f"{operation.get('summary')} {operation.get('description')}".lower()
    }
    assert len(shown) >= 3
    assert [path for path in sorted(shown) if not DISCLOSES.search(path)] == []


@pytest.mark.parametrize("role", list(Role))
def test_ones_own_session_is_everybodys(role: Role, rig: ServiceApp, document: dict[str, Any]) -> None:
    client = rig.signed_in(role.value)
    for place in ("GET /session", "GET /session/all", "POST /session/language", "DELETE /session/others"):
        assert ask(client, place, document).status_code == 200
    assert problem(ask(client, "POST /session/password", document))["code"] == "wrong-password"
    assert ask(client, "DELETE /session", document).status_code == 204
    assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("place", sorted(PUBLIC - {"POST /session"}))
def test_what_is_public_answers_everybody(place: str, rig: ServiceApp) -> None:
    path = place.split(" ")[1]
    answer = rig.stranger().get(f"/api/v1{path}" if path == "/openapi.json" else path)
    assert answer.status_code == 200


def test_figures_are_for_this_machine_and_whoever_may_read_them(rig: ServiceApp) -> None:
    for role in Role:
        may = Principal("x", frozenset({role})).may(Permission.METRICS)
        assert rig.signed_in(role.value).get("/metrics").status_code == (200 if may else 403)
    far = Client(rig.app, {}, "192.0.2.1")
    assert problem(far.get("/metrics"))["code"] == "not-signed-in"
    assert far.get("/health/live").status_code == 200


def test_no_label_of_a_figure_says_anything_about_a_person(rig: ServiceApp) -> None:
    client = rig.signed_in("registrar")
    client.post("/api/v1/members/search", json={"text": "130102197605153974"})
    client.get("/api/v1/cards/6212260000000000012")
    figures = rig.stranger().get("/metrics").text
    assert 'route="/api/v1/cards/{number}"' in figures
    assert "membercard_readers" in figures
    for private in ("130102197605153974", "6212260000000000012", "registrar"):
        assert private not in figures
