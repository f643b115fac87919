"""The Station page: readers that are gone for good, and what is said of rejects, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from personalize.line.checklist import CheckedThing, CheckLine, CheckState
from personalize.line.outcome import Bin, CardOutcome
from personalize.machines.faults import MachineFaultCode
from personalize.machines.protocols import SWIPE_AGAIN
from personalize.reasons import RejectCode
from reader_service.pages.issuing.machine import PICTURES
from reader_service.pages.shell import STATIC
from reader_service.pages.words import LANGUAGES, words
from reader_service.principal import Role
from reader_service.readers.values import ReaderState
from registry.values import Reject, StockAccounts
from tests.support.service.accounts import Client
from tests.support.service.page_app import AT, PageApp, batch_view, lane, last, machine, page_app, reader, rejected


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageApp]:
    shared = page_app(tmp_path_factory.mktemp("pages"))
    with shared.server.registry:
        yield shared


@pytest.fixture
def app(shared_app: PageApp) -> PageApp:
    shared_app.fresh()
    return shared_app


def operator(app: PageApp, language: str = "zh") -> Client:
    if "operator" not in app.people:
        app.people["operator"] = app.server.signed_in(app.server.person("operator", Role.OPERATOR))
    known = app.people["operator"]
    client = app.server.client(**dict(known.headers))
    client.cookies.update(known.cookies)
    client.cookies.set("membercard-language", language)
    return client


@pytest.mark.parametrize(
    ("language", "message", "remaining"),
    [("zh", "已移除读卡器 Lane 2", "读卡器还接着"), ("en", "Reader Lane 2 is removed", "still plugged in")],
)
def test_a_reader_that_is_gone_is_taken_off_the_board(
    app: PageApp, language: str, message: str, remaining: str
) -> None:
    app.readers.rows = [reader("Lane 1"), reader("Lane 2", state=ReaderState.LOST, detail="it was unplugged")]
    client = operator(app, language)
    page = client.get("/station").text
    assert 'hx-post="/station/readers/lane-2/forget"' in page
    assert "/station/readers/lane-1/forget" not in page
    answer = client.request("POST", "/station/readers/lane-2/forget", headers={"HX-Request": "true"})
    assert (answer.status_code, message in answer.text) == (200, True), answer.text
    assert [one.id for one in app.readers.rows] == ["lane-1"]
    refused = client.request("POST", "/station/readers/lane-1/forget", headers={"HX-Request": "true"})
    assert (refused.status_code, remaining in refused.text) == (409, True), refused.text


@pytest.mark.parametrize(
    ("language", "message", "taken"),
    [("zh", "读卡器现名 左边 <1>", "本站点另有读卡器"), ("en", "The reader is called 左边 <1> now", "another reader")],
)
def test_an_operator_names_a_reader(app: PageApp, language: str, message: str, taken: str) -> None:
    app.readers.rows = [reader("Lane 1", device="ACS ACR122U 00 00"), reader("Lane 2")]
    client = operator(app, language)
    assert 'hx-get="/station/readers/lane-1/name"' in client.get("/station").text
    form = client.get("/station/readers/lane-1/name").text
    assert 'value="Lane 1"' in form
    assert "ACS ACR122U 00 00" in form
    htmx = {"HX-Request": "true"}
    named = client.request("POST", "/station/readers/lane-1/name", data={"name": "左边 <1>"}, headers=htmx)
    assert (named.status_code, message.replace("<", "&lt;").replace(">", "&gt;") in named.text) == (200, True), (
        named.text
    )
    assert app.readers.rows[0].name == "左边 <1>"
    again = client.request("POST", "/station/readers/lane-2/name", data={"name": "左边 <1>"}, headers=htmx)
    assert (again.status_code, app.readers.rows[1].name) == (409, "Lane 2")
    assert taken in again.text.casefold()


# What each reason may name; a text that asks for more would never be shown.
PARAMS = {
    "keys-refused": {"sw"},
    "locked": {"state"},
    "wrong-stock": {"package"},
    "key-version-taken": {"version"},
    "stock-keys-twice": {"named"},
    "read-back": {"field"},
    "read-back-verdict": {"field", "verdict"},
    "refused": {"sw"},
    "made-before": {"number"},
    "rejected-before": {"was"},
    "other-batch": {"batch"},
    "doubled": {"number"},
    "missing": {"said", "by"},
    "not-prepared": {"members"},
    "no-card": {"seconds"},
    "dates": {"dated", "now"},
    **{code: {"machine"} for code in ("no-stripe-encoder", "no-face-printer", "no-face-design", "no-reject-bin")},
    **{code.value: {"machine"} for code in MachineFaultCode},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_that_the_line_can_give_has_a_text(language: str) -> None:
    t = words(language)
    codes = {key.removeprefix("reason.").removesuffix(".with") for key in t.keys() if key.startswith("reason.")}
    assert codes == set(RejectCode)
    for code in RejectCode:
        assert not re.search(r"\{", t.reason(code, {}, "")), "a text for all cases of a code names none of them"
        particular = t.reason(code, {name: "X-7" for name in PARAMS.get(code, set())}, "")
        assert ("X-7" in particular) is (f"reason.{code}.with" in t), code


def test_a_value_that_is_a_code_itself_is_translated_too() -> None:
    assert words("zh").reason("rejected-before", {"was": "mute"}, "") == "此芯片此前已作废：卡片无应答"
    assert "Expired" in words("en").reason("read-back-verdict", {"field": "verdict", "verdict": "EXPIRED"}, "")
    assert words("zh").reason("of-tomorrow", {}, "a sentence") == "a sentence"
    assert words("zh").reason("", {}, "a sentence") == "a sentence"
    ended = {"reason": "batch-not-finished", "batch": "B20261122-001"}
    assert "B20261122-001" in words("zh").reason("record", ended, "")
    assert words("zh").reason("record", {"reason": "of-tomorrow"}, "") == "登记库拒绝了这一步"


@pytest.mark.parametrize(
    ("language", "order", "why"),
    [
        ("zh", "放入 2 号废卡盒", "芯片不接受空白卡密钥（状态字 6300）"),
        ("en", "Put in bin 2", "refuses the keys of the blanks (status 6300)"),
    ],
)
def test_a_reject_says_which_bin_and_why_in_the_reader_s_language(
    app: PageApp, language: str, order: str, why: str
) -> None:
    refused = replace(
        last(CardOutcome.REJECTED, Bin.KEYS, "authenticating: 6300"), code="keys-refused", params={"sw": "6300"}
    )
    app.readers.rows = [reader("Lane 1")]
    app.lanes.rows = [lane("Lane 1", last=refused)]
    app.batches.views = [batch_view()]
    app.batches.rows = (
        Reject(
            AT,
            "4790",
            "authenticating: 6300",
            "authenticate",
            Bin.KEYS,
            "1",
            None,
            None,
            "keys-refused",
            {"sw": "6300"},
        ),
        Reject(AT, "4791", "words of an old record", "store", Bin.DATA, "1", None, None),
    )
    client = operator(app, language)
    page = client.get("/station").text
    assert order in page
    assert why in page
    assert "authenticating: 6300" not in page
    table = client.get("/station/batches/B20261122-001").text
    assert why in table
    assert ' lang="en">words of an old record</td>' in table


@pytest.mark.parametrize(
    ("language", "message"), [("zh", "数据库暂时无法连接"), ("en", "The database cannot be reached")]
)
def test_why_a_lane_waits_is_in_the_viewers_language(app: PageApp, language: str, message: str) -> None:
    app.lanes.rows = [lane("Lane 1", message="the registry is away", code="record-away")]
    app.readers.rows = [reader("Lane 1"), reader("Lane 2", state=ReaderState.HUNG, detail="the driver hangs")]
    page = operator(app, language).get("/station").text
    assert message in page
    assert "the registry is away" not in page
    assert "the driver hangs" not in page


@pytest.mark.parametrize(
    ("language", "message"), [("zh", "请再刷一次卡，匀速"), ("en", "Swipe the card again, evenly")]
)
def test_what_a_person_does_in_the_middle_of_a_card_is_shown(app: PageApp, language: str, message: str) -> None:
    app.lanes.rows = [lane("Lane 1", state="working", step="stripe", message=SWIPE_AGAIN, code="swipe-again")]
    app.readers.rows = [reader("Lane 1")]
    assert message in operator(app, language).get("/station").text


@pytest.mark.parametrize(
    ("language", "left", "short", "unbooked"),
    [
        ("zh", ">剩余空白卡</th>", "本批待制 57 张，账面只剩 9 张空白卡", "有 3 张空白卡没有入库记录"),
        ("en", ">Blanks left</th>", "57 cards of this batch wait and 9 blanks", "3 blanks are in no delivery"),
    ],
)
def test_a_batch_shows_the_stock_of_blanks_and_warns_where_it_does_not_suffice(
    app: PageApp, language: str, left: str, short: str, unbooked: str
) -> None:
    app.batches.views = [batch_view()]
    client = operator(app, language)
    path = "/station/batches/B20261122-001"
    assert left not in client.get(path).text, "no blanks were ever booked or fed"
    app.batches.blanks = StockAccounts(100, 45, 40, 2, 3, 0, 55, True)
    page = client.get(path).text
    assert f'{left}<td class="number">55</td>' in page
    assert short not in page
    app.batches.blanks = StockAccounts(54, 45, 40, 2, 3, 0, 9, True)
    assert short in client.get(path).text
    app.batches.blanks = StockAccounts(42, 45, 40, 2, 3, 0, -3, False)
    assert unbooked in client.get(path).text


@pytest.mark.parametrize(
    ("language", "sentence", "button"),
    [("zh", "卡片卡住", "清除故障"), ("en", "A card is jammed", "Clear the fault")],
)
def test_a_jam_shows_what_to_do_with_a_picture_and_is_cleared(
    app: PageApp, language: str, sentence: str, button: str
) -> None:
    app.readers.rows = [reader("Lane 1")]
    app.machines.rows = [machine("Lane 1", faults=("machine-jam",))]
    client = operator(app, language)
    page = client.get("/station").text
    assert "/static/icons/machines.svg#jam" in page
    assert sentence in page
    assert button in page
    answer = client.request("POST", "/station/machines/lane-1/clear", headers={"HX-Request": "true"})
    assert (answer.status_code, "evolis:Lane 1" in answer.text) == (200, True)
    assert app.machines.done == [("clear", "lane-1")]
    assert "machines.svg" not in client.get("/station").text


def test_the_supplies_of_a_machine_are_on_its_tile_and_it_feeds_by_itself(app: PageApp) -> None:
    app.readers.rows, app.lanes.rows = [reader("Lane 1")], [lane("Lane 1")]
    app.machines.rows = [machine("Lane 1", cover_open=None)]
    page = operator(app, "en").get("/station").text
    assert re.findall(r"<dt>(Feeder|Reject bin|Ribbon|Cover|Cleaning|Cards moved)</dt>", page) == [
        *("Feeder", "Reject bin", "Ribbon", "Cleaning", "Cards moved")
    ]
    assert "YMCKO" in page
    assert "The machine feeds the next card" in page
    assert "Insert a blank card" not in page
    app.machines.rows = [machine("Lane 1", answers=False, faults=("machine-no-answer",))]
    page = operator(app, "en").get("/station").text
    assert "The machine does not answer" in page
    assert "<dt>Ribbon</dt>" not in page


def test_what_a_lane_waits_for_at_its_machine_is_shown_once_and_not_while_it_works(app: PageApp) -> None:
    app.readers.rows = [reader("Lane 1")]
    app.machines.rows = [machine("Lane 1", faults=("machine-feeder-empty",))]
    app.lanes.rows = [lane("Lane 1", code="machine-cover", message="machine 1: cover; close the cover")]
    page = operator(app, "en").get("/station").text
    assert page.count("The cover is open: close it") == 1
    assert "machines.svg#cover" in page
    app.lanes.rows = [lane("Lane 1", state="working", step="store")]
    assert "machines.svg" not in operator(app, "en").get("/station").text


def test_a_machine_puts_its_rejects_away_by_itself(app: PageApp) -> None:
    app.readers.rows, app.machines.rows = [reader("Lane 1")], [machine("Lane 1")]
    app.lanes.rows = [lane("Lane 1", last=rejected())]
    page = operator(app, "en").get("/station").text
    assert "Put in bin" not in page
    assert "the card gave no answer to READ RECORD" in page


@pytest.mark.parametrize("code", MachineFaultCode)
def test_every_fault_of_a_machine_has_its_picture(code: MachineFaultCode) -> None:
    sprite = (STATIC / "icons/machines.svg").read_text()
    assert f'<symbol id="{PICTURES[code]}"' in sprite


@pytest.mark.parametrize(
    ("language", "sentence", "notice"),
    [
        ("zh", "待制 9 张，账上空白卡剩 2 张", "处理好后才能开始"),
        ("en", "9 cards wait and 2 blanks", "do not start before"),
    ],
)
def test_the_start_dialog_shows_the_checklist_and_refuses_what_a_lane_would(
    app: PageApp, language: str, sentence: str, notice: str
) -> None:
    app.readers.rows, app.batches.views = [reader("Lane 1")], [batch_view()]
    short = CheckLine(CheckedThing.BLANKS, CheckState.LOOK, "blanks-short", "", {"wanted": "9", "left": "2"})
    wrong = CheckLine(CheckedThing.CLOCK, CheckState.REFUSED, "dates", "the clock is wrong")
    app.checklists.rows = (short,)
    client = operator(app, language)
    chosen = "batch=B20261122-001&reader=lane-1"
    page = client.get(f"/station/checklist?{chosen}", headers={"HX-Request": "true"}).text
    assert sentence in page
    assert notice not in page
    start = {"batch": "B20261122-001", "reader": "lane-1"}
    htmx = {"HX-Request": "true"}
    assert client.request("POST", "/station/start", data=start, headers=htmx).status_code == 200
    app.checklists.rows = (short, wrong)
    assert notice in client.get(f"/station/checklist?{chosen}", headers=htmx).text
    answer = client.request("POST", "/station/start", data=start, headers=htmx)
    assert (answer.status_code, "B20261122-001" in answer.text) == (409, True)
    assert app.lanes.done == [("start", "B20261122-001", "lane-1")]


@pytest.mark.parametrize(("left", "form"), [(1260.0, r"\d\d:\d\d"), (90000.0, r"\d{4}-\d\d-\d\d \d\d:\d\d")])
def test_a_lane_says_when_its_batch_is_done(app: PageApp, left: float, form: str) -> None:
    app.readers.rows, app.lanes.rows = [reader("Lane 1")], [lane("Lane 1", seconds_left=left)]
    page = operator(app, "en").get("/station").text
    assert re.search(rf'<dt>Ends at</dt><dd class="number">{form}</dd>', page)
    app.lanes.rows = [lane("Lane 1", seconds_left=None)]
    assert "Ends at" not in operator(app, "en").get("/station").text
