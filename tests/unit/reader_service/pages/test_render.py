"""Pages as somebody's browser gets them: each in both languages, by role, and with everything foreign escaped."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from personalize.line.outcome import Bin, CardOutcome
from reader_service.pages.shell import own_path
from reader_service.principal import Role
from reader_service.readers.values import LeaseView, Mode, ReaderState
from reader_service.services.counter.fetched_lists import ListDates, ListFaultCode, ListKind, ListState
from reader_service.services.counter.fetching import FetchState
from registry.line.doubled import DoubledChip
from registry.values import BatchState, BoundChip, Reject
from terminal.member.lists import HotlistState
from tests.support.service.accounts import BASE, PASSWORD, Client
from tests.support.service.page_app import (
    AGES,
    AT,
    PageApp,
    batch_view,
    exchange,
    lane,
    last,
    page_app,
    reader,
    rejected,
)

BAD = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageApp]:
    shared = page_app(tmp_path_factory.mktemp("pages"))
    with shared.server.registry:
        yield shared


@pytest.fixture
def app(shared_app: PageApp) -> PageApp:
    shared_app.fresh()
    return shared_app


def enter(app: PageApp, *roles: Role, language: str = "en") -> Client:
    name = "-".join(["person", *roles])
    if name not in app.people:
        app.people[name] = app.server.signed_in(app.server.person(name, *roles))
    known = app.people[name]
    client = app.server.client(**dict(known.headers))
    client.cookies.update(known.cookies)
    client.cookies.set("membercard-language", language)
    return client


def at(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def busy(app: PageApp, text: str = "plain") -> None:
    """Something on every page, with ``text`` wherever other people's words come in."""
    app.readers.rows = [
        reader("Lane 1", name=text, mode=Mode.LANE, state=ReaderState.LANE),
        reader("Lane 2", detail=text, state=ReaderState.LOST),
        reader("Counter", mode=Mode.COUNTER),
        reader("Bench", device=text, state=ReaderState.CARD, atr="3B00", lease=LeaseView(text, AT)),
    ]
    app.lanes.rows = [
        lane("Lane 1", last=rejected(reason=text), message=text),
        lane("Lane 9", name=text, state="ended", fault=True, message=text, last=last()),
    ]
    app.batches.views = [batch_view(unit=text)]
    app.batches.rows = (Reject(AT, "4790", text, text, Bin.KEYS, text, None, None),)
    app.batches.chips = [BoundChip(7, "6200000000000042131", 1, "4790", text, AT, True)]
    app.batches.twins = [DoubledChip("4790", "bound", "6200000000000042131", 1, AT, text)]
    app.developer.past = [exchange(response="", sw="", sw_text="", meaning=text, fault=text)]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "path", ["/station", "/station/batches/B20261122-001", "/counter", "/developer?reader=bench", "/password", "/login"]
)
def test_every_page_in_both_languages(app: PageApp, path: str, language: str) -> None:
    busy(app)
    client = enter(app, Role.OPERATOR, Role.DEVELOPER, language=language)
    if path == "/login":
        client = app.server.client()
        client.cookies.set("membercard-language", language)
    text = at(client.get(path))
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}"' in text
    assert ("会员卡服务站" if language == "zh" else "Member Card Station") in text
    assert re.search(r"<h1>[^<]+</h1>", text)


@pytest.mark.parametrize("path", ["/station", "/station/batches/B20261122-001", "/counter", "/developer?reader=bench"])
def test_what_others_wrote_is_never_taken_for_html(app: PageApp, path: str) -> None:
    busy(app, BAD)
    text = at(enter(app, Role.OPERATOR, Role.DEVELOPER).get(path))
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_pages_state_what_a_browser_may_load_and_are_not_cached(app: PageApp) -> None:
    answer = enter(app, Role.OPERATOR).get("/station")
    assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    # With "no-referrer" browsers send forms with "Origin: null", and every form would be refused.
    assert answer.headers["referrer-policy"] == "same-origin"


def test_files_are_revalidated_each_time(app: PageApp) -> None:
    answer = app.server.client().get("/static/app.css")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["etag"]


def test_navigation_names_what_ones_roles_open(app: PageApp) -> None:
    def places(*roles: Role) -> list[str]:
        return re.findall(r'<a href="/(\w+)" data-key', at(enter(app, *roles).get("/password")))

    assert places(Role.OPERATOR) == ["station", "counter", "progress"]
    assert places(Role.ADMINISTRATOR) == ["audit", "users"]
    assert places(Role.DEVELOPER) == ["counter", "developer"]


@pytest.mark.parametrize(
    ("role", "path"), [(Role.ADMINISTRATOR, "/audit"), (Role.COUNTER, "/counter"), (Role.REVIEWER, "/intake")]
)
def test_the_first_page_is_one_that_ones_roles_open(app: PageApp, role: Role, path: str) -> None:
    answer = enter(app, role).get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, path)


def test_nobody_is_sent_to_sign_in_and_comes_back(app: PageApp) -> None:
    answer = app.server.client().get("/counter")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/counter")
    response = app.server.client(**{"HX-Request": "true"}).post("/station/start")
    assert (response.status_code, response.headers["HX-Redirect"]) == (204, "/login?next=/")


@pytest.mark.parametrize(
    ("sender", "back"),
    [
        ("/users/operator?tab=1", "/users/operator%3Ftab%3D1"),
        ("/registry?text=11010119900307777X", "/"),
        ("//elsewhere.example/station", "/"),
        ("//[/station", "/"),
    ],
)
def test_a_form_of_an_ended_session_leads_back_to_the_page_that_sent_it(app: PageApp, sender: str, back: str) -> None:
    referer = f"http:{sender}" if sender.startswith("//") else f"{BASE}{sender}"
    answer = app.server.client(Referer=referer).post("/users/operator/reset")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={back}")


def test_a_live_page_whose_session_ended_while_it_was_not_connected_is_sent_to_sign_in(app: PageApp) -> None:
    response = app.server.client(accept="text/event-stream").get("/counter/blanks/live")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert response.text == "event: leave\ndata: \n\n"


@pytest.mark.parametrize("path", ["/station", "/station/live", "/counter", "/developer"])
def test_a_page_that_is_not_for_ones_role_says_so(app: PageApp, path: str) -> None:
    answer = enter(app, Role.ADMINISTRATOR).get(path)
    assert answer.status_code == 403
    assert "Your roles do not allow this." in answer.text


def test_what_is_missing_and_what_is_refused_is_a_page_in_ones_language(app: PageApp) -> None:
    client = enter(app, Role.OPERATOR, language="zh")
    lost = client.post("/station/lanes/none/pause")
    assert lost.status_code == 404
    assert "记录中没有找到。" in lost.text
    part = client.request("POST", "/station/lanes/none/pause", headers={"HX-Request": "true"})
    assert part.headers["HX-Retarget"] == "#messages"
    assert "<html" not in part.text
    assert "记录中没有找到。" in part.text


@pytest.mark.parametrize(
    ("language", "title", "sentence"),
    [("zh", "没有这个页面", "地址有误"), ("en", "There is no such page", "no page at this address")],
)
def test_an_address_without_a_page_has_one_that_says_so(app: PageApp, language: str, title: str, sentence: str) -> None:
    for client in (enter(app, Role.OPERATOR, language=language), app.server.client()):
        client.cookies.set("membercard-language", language)
        answer = client.get("/statoin")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert f"<h1>{title}</h1>" in answer.text
        assert sentence in answer.text
        assert 'href="/"' in answer.text


@pytest.mark.parametrize("number", ["130102197605153974", "13812345678"])
def test_no_page_repeats_a_persons_number_from_the_address(app: PageApp, number: str) -> None:
    client = enter(app, Role.REGISTRAR)
    for path in (f"/{number}", f"/registry/members/{number}/nothing", f"/registry?what={number}", f"/station/{number}"):
        assert number not in client.get(path).text
    stranger = app.server.client().get(f"/registry/{number}")
    assert number not in stranger.text + str(stranger.headers)


def test_what_may_go_well_a_little_later_is_offered_again(app: PageApp) -> None:
    app.batches.away = True
    away = enter(app, Role.OPERATOR).get("/intake?stage=draft")
    assert away.status_code == 503
    assert re.search(r'href="/intake\?stage=draft" data-key="r"', away.text)
    assert 'data-key="r"' not in enter(app, Role.ADMINISTRATOR).get("/counter").text


def test_another_language_leaves_one_where_one_is(app: PageApp) -> None:
    app.readers.rows = [reader("Counter", mode=Mode.COUNTER)]
    text = at(enter(app, Role.COUNTER).get("/counter?reader=counter"))
    assert text.count('name="back" value="/counter?reader=counter"') == 2
    answer = app.server.client().get("/counter?reader=counter&x=1")
    assert answer.headers["location"] == "/login?next=/counter%3Freader%3Dcounter%26x%3D1"


def test_a_form_without_the_sessions_secret_changes_nothing(app: PageApp) -> None:
    busy(app)
    client = enter(app, Role.OPERATOR)
    del client.headers["X-CSRF-Token"]
    answer = client.post("/station/lanes/lane-1/stop")
    assert answer.status_code == 403
    assert app.lanes.done == []
    assert "out of date" in answer.text
    assert client.post("/station/lanes/lane-1/stop", headers={"HX-Request": "true"}).headers["Problem"] == "csrf"


def test_a_message_is_shown_once(app: PageApp) -> None:
    busy(app)
    client = enter(app, Role.OPERATOR)
    answer = client.post("/station/batches/B20261122-001/missing", data={"chip": BAD, "reason": "fell behind the desk"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/station/batches/B20261122-001")
    assert app.batches.done == [("B20261122-001", BAD, "fell behind the desk")]
    flash = at(client.get("/station"))
    assert "&lt;script&gt;alert(1)" in flash
    assert "will be made again" in flash
    assert "will be made again" not in at(client.get("/station"))


@pytest.mark.parametrize(
    "flash",
    [
        {"message": "station.done-closed", "kind": "ok", "values": {}},
        {"message": "../x", "kind": "ok", "values": {}},
        {"message": "station.done-closed", "kind": "ok"},
        ["station.done-closed"],
        7,
    ],
)
def test_a_forged_message_is_none(app: PageApp, flash: object) -> None:
    client = enter(app, Role.OPERATOR)
    client.cookies.set("flash", base64.urlsafe_b64encode(json.dumps(flash).encode()).decode())
    assert 'class="notice ok"' not in at(client.get("/station"))
    client.cookies.set("flash", "no base64!")
    assert at(client.get("/station"))


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "", "x"]
)
def test_only_paths_of_this_site_are_gone_to(path: str) -> None:
    assert own_path(path) == "/"
    assert own_path("/station?x=1") == "/station?x=1"


def test_language_and_theme_stay_with_the_browser(app: PageApp) -> None:
    client = enter(app, Role.OPERATOR)
    assert client.post("/language", data={"language": "zh", "back": "/station"}).headers["location"] == "/station"
    assert client.post("/theme", data={"theme": "dark", "back": "//evil"}).headers["location"] == "/"
    text = at(client.get("/station"))
    assert '<html lang="zh-CN" data-theme="dark">' in text
    client.post("/theme", data={"theme": '"><x'})
    assert 'data-theme="dark"' in client.get("/station").text


def test_signing_in_and_out(app: PageApp) -> None:
    app.server.person("wang.fang", Role.OPERATOR)
    client = app.server.client(**{"Accept-Language": "en"})
    wrong = client.post("/login", data={"name": BAD, "password": "x", "next": "/counter"})
    assert wrong.status_code == 401
    assert "User name or password is wrong." in wrong.text
    assert "<script>alert" not in wrong.text
    right = client.post("/login", data={"name": "wang.fang", "password": PASSWORD, "next": "/counter"})
    assert (right.status_code, right.headers["location"]) == (303, "/counter")
    assert "httponly" in right.headers["set-cookie"].lower()
    page = at(client.get("/counter"))
    secret = re.search(r'name="csrf" value="([^"]+)"', page)
    assert secret is not None
    assert client.get("/login").headers["location"] == "/"
    out = client.post("/logout", data={"csrf": secret[1]})
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    assert client.get("/counter").headers["location"] == "/login?next=/counter"


def test_a_password_that_somebody_else_knows_is_changed_first(app: PageApp) -> None:
    app.server.person("newcomer", Role.OPERATOR, must_change=True)
    client = app.server.client()
    client.cookies.set("membercard-language", "en")
    assert client.post("/login", data={"name": "newcomer", "password": PASSWORD}).headers["location"] == "/password"
    assert client.get("/station").headers["location"] == "/password"
    page = at(client.get("/password"))
    assert "somebody else knows this one" in page
    secret = re.search(r'name="csrf" value="([^"]+)"', page)
    assert secret is not None

    def change(old: str, new: str, again: str) -> httpx.Response:
        data = {"csrf": secret[1], "old": old, "password": new, "again": again}
        return client.post("/password", data=data)

    assert "not the same" in change(PASSWORD, "one long sentence", "another long one").text
    assert "current password is wrong" in change("wrong", "one long sentence", "one long sentence").text
    assert "It is too short." in change(PASSWORD, "short", "short").text
    assert change(PASSWORD, "one long sentence", "one long sentence").headers["location"] == "/"
    assert "Password changed" in at(client.get("/station"))


def test_a_reject_says_which_bin_and_why_in_words(app: PageApp) -> None:
    app.readers.rows = [reader("Lane 1", mode=Mode.LANE, state=ReaderState.LANE)]
    app.lanes.rows = [lane("Lane 1", last=rejected(Bin.KEYS))]
    text = at(enter(app, Role.OPERATOR, language="zh").get("/station"))
    assert "放入 2 号废卡盒" in text
    assert "密钥不符" in text
    assert "alarm-bad" in text
    app.lanes.rows = [lane("Lane 1", state="working", step="store", last=rejected(Bin.KEYS))]
    text = at(enter(app, Role.OPERATOR, Role.COUNTER).get("/station"))
    assert "alarm-bad" not in text
    assert "Write data" in text


@pytest.mark.parametrize("outcome", list(CardOutcome))
def test_every_outcome_and_state_of_a_lane_has_words(app: PageApp, outcome: CardOutcome) -> None:
    states = ["waiting", "working", "paused", "stopping", "ended"]
    app.readers.rows = [reader(f"Lane {n}", state=one) for n, one in enumerate(ReaderState)]
    app.lanes.rows = [lane(f"Lane {n}", state=state, last=last(outcome)) for n, state in enumerate(states)]
    app.batches.views = [batch_view(state) for state in BatchState]
    for language in ("zh", "en"):
        client = enter(app, Role.OPERATOR, *([Role.AUDITOR] if language == "en" else []), language=language)
        assert at(client.get("/station")).count("<article id=") == len(ReaderState)


def test_starting_lanes(app: PageApp) -> None:
    app.readers.rows = [reader("Lane 1"), reader("Lane 2"), reader("Lane 3", state=ReaderState.HUNG)]
    app.batches.views = [batch_view(BatchState.PREPARED)]
    client = enter(app, Role.OPERATOR)
    page = at(client.get("/station"))
    assert re.findall(r'value="(lane-\d)"( checked)?', page) == [("lane-1", " checked"), ("lane-2", " checked")]
    assert re.findall(r'data-only="([^"]*)"', page) == ["", "lane-1", "lane-2"]
    client.headers["HX-Request"] = "true"
    answer = client.post("/station/start", data={"batch": "B20261122-001", "reader": ["lane-1", "lane-2"]})
    assert "runs on 2 readers" in answer.text
    assert app.lanes.done == [("start", "B20261122-001", "lane-1", "lane-2")]
    nothing = client.post("/station/start", data={"batch": "B20261122-001"})
    assert nothing.status_code == 422
    assert "at least one reader" in nothing.text


def test_lanes_are_paused_resumed_and_stopped_one_or_all(app: PageApp) -> None:
    app.lanes.rows = [lane("Lane 1"), lane("Lane 2", state="ended")]
    client = enter(app, Role.OPERATOR)
    client.headers["HX-Request"] = "true"
    for path in ("lanes/lane-1/pause", "lanes/lane-1/resume", "lanes/lane-1/stop", "all/pause", "all/stop"):
        assert client.post(f"/station/{path}").status_code == 204
    assert client.post("/station/all/nothing").status_code == 422
    assert app.lanes.done == [(what, "lane-1") for what in ("pause", "resume", "stop", "pause", "stop")]


def test_a_form_that_the_browser_sent_by_itself_leads_to_a_page(app: PageApp) -> None:
    """Before htmx is there: an answer without a page would stop the scripts that are still on their way."""
    app.readers.rows, app.lanes.rows = [reader("Bench")], [lane("Lane 1")]
    client = enter(app, Role.OPERATOR, Role.DEVELOPER)
    for path, page in (
        ("/station/all/pause", "/station"),
        ("/station/lanes/lane-1/stop", "/station"),
        ("/developer/bench/tear", "/developer?reader=bench"),
    ):
        answer = client.post(path)
        assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert "torn out" in at(client.get("/developer?reader=bench"))
    whole = at(client.post("/developer/bench/read"))
    assert "UNIONPAY DEBIT" in whole
    assert "<title>Developer" in whole


def test_the_station_goes_on_while_the_database_is_away(app: PageApp) -> None:
    busy(app)
    app.batches.away = True
    assert "database cannot be reached" in at(enter(app, Role.OPERATOR).get("/station"))


def test_the_counter_says_which_lists_it_has(app: PageApp) -> None:
    app.readers.rows = [reader("Counter", mode=Mode.COUNTER)]
    client = enter(app, Role.COUNTER)
    assert "Hotlist is 1 h 30 min old" in at(client.get("/counter"))
    app.counter.age = replace(
        AGES, hotlist_seconds=-9000, hotlist_current=False, hotlist_state=HotlistState.NOT_YET_VALID
    )
    page = at(client.get("/counter"))
    assert "The hotlist is not in force yet: check the clock" in page
    assert "Hotlist is" not in page
    app.counter.age = None
    assert "No trust list: nothing can be verified" in at(client.get("/counter"))
    client.post("/counter/counter/watch", data={"on": "yes"})
    assert app.counter.done == [("counter", True)]


def test_the_counter_warns_before_a_list_ends_and_says_why_no_newer_one_came(app: PageApp) -> None:
    app.readers.rows = [reader("Counter", mode=Mode.COUNTER)]
    client = enter(app, Role.COUNTER)
    plain = at(client.get("/counter"))
    assert "fetch-now" not in plain
    app.fetching.rows = [
        ListDates(ListKind.TRUST, ListState.CURRENT, 5, AT, AT + timedelta(days=90), 3 * 86_400),
        ListDates(ListKind.HOTLIST, ListState.ENDING, 41, AT, AT + timedelta(days=1), 5 * 86_400),
        ListDates(ListKind.PROGRAMME, ListState.ENDING, 7, AT, AT + timedelta(days=4), 86 * 86_400),
    ]
    app.fetching.last = FetchState(True, AT, ListFaultCode.OLDER, ListKind.PROGRAMME, AT)
    page = at(client.get("/counter"))
    assert "Hotlist ends at 2026-11-23 09:00: update it soon" in page
    assert "Programme ends at 2026-11-26 09:00: update it soon" in page
    assert "Trust list: 3 days old · Programme: 86 days old" in page
    assert "Programme: The office has an older one than this counter has used" in page
    assert "last update 2026-11-22 09:00" in page
    client.post("/counter/lists/fetch")
    assert app.fetching.requests == 1
    app.fetching.rows = [ListDates(ListKind.PROGRAMME, ListState.MISSING)]
    app.fetching.last = FetchState(True, None, ListFaultCode.AWAY, None, AT)
    page = at(client.get("/counter"))
    assert "No programme is in force: nothing can be redeemed" in page
    assert "The office cannot be reached; this counter goes on with the lists that it has" in page
    assert "never updated yet" in page


def test_the_console_sends_what_was_typed(app: PageApp) -> None:
    app.readers.rows = [reader("Bench")]
    client = enter(app, Role.DEVELOPER)
    assert client.post("/developer/bench/take").headers["location"] == "/developer?reader=bench"
    part = at(client.post("/developer/bench/send", data={"apdu": "00 A4:04 00 00\n\n80ca9f3600"}))
    assert app.developer.sent == [bytes.fromhex("00A4040000"), bytes.fromhex("80CA9F3600")]
    assert part.count('<li class="exchange">') == 2
    for wrong in ("zz", "00A", "", "\n"):
        assert client.post("/developer/bench/send", data={"apdu": wrong}).status_code == 422
    assert "3B8F8001" in at(client.post("/developer/bench/reset"))
    assert "Something: 9F36" in at(client.post("/developer/decode", data={"data": "9F36"}))
    contents = at(client.post("/developer/bench/read"))
    assert all(text in contents for text in ("Member application", "UNIONPAY DEBIT", "1 data element<", "said no"))
    assert "torn out" in at(client.post("/developer/bench/tear", headers={"HX-Request": "true"}))
    assert app.developer.done == [("tear", "bench")]
