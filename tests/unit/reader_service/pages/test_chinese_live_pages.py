"""Chinese pages that change while they are open: Station, Counter and Developer in every state, first as a page and
then as their live parts, searched for Latin words that nobody typed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from personalize.line.outcome import Bin, CardOutcome
from personalize.reasons import RejectCode
from reader_service.events import Event
from reader_service.pages.counter.counter import CounterBoard
from reader_service.pages.developer import DeveloperBoard
from reader_service.pages.issuing.station import StationBoard
from reader_service.pages.issuing.tiles import STEPS
from reader_service.pages.shell import Shell
from reader_service.principal import Principal, Role
from reader_service.readers.values import LeaseView, Mode, ReaderState, ReaderView
from reader_service.services.issuing.preparations import Preparation
from registry.line.doubled import DoubledChip
from registry.line.machines import PRINT, STRIPE
from registry.values import BatchState, BoundChip, Reject, StockAccounts
from terminal.member.lists import HotlistState
from terminal.member.outcome import Proof, VerdictCode
from terminal.member.values import Category
from tests.support.service.accounts import Client
from tests.support.service.latin import latin
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
    verdict,
)

WHO = Principal("op", frozenset({Role.OPERATOR, Role.COUNTER, Role.DEVELOPER}))
CHIP = "60010000000000000001"
DETAILS = dict.fromkeys((ReaderState.LOST, ReaderState.HUNG, ReaderState.MUTE), "the sentence of the log")
"""What a reader says of a state, in English."""


def slot(number: int, **other: object) -> ReaderView:
    """A reader with a name and a device as people and makers give them."""
    return replace(reader(f"{number} 号机"), id=f"r-{number}", device="读卡器", **other)  # type: ignore[arg-type]


def coded(code: RejectCode) -> dict[str, object]:
    return {"code": code, "params": {"sw": "6300", "by": "op (command line)", "said": "退货", "was": "mute"}}


def fill(app: PageApp) -> None:
    """Every state of readers and lanes, every outcome and reason of a card, and every state of a batch."""
    readers = [slot(n, state=state, detail=DETAILS.get(state, "")) for n, state in enumerate(ReaderState)]
    lease = LeaseView("op (token 1)", AT)
    readers += [slot(20, lease=lease), slot(21, mode=Mode.COUNTER, atr="3B8F8001"), slot(22, lease=lease)]
    states = ("waiting", "working", "paused", "stopping", "ended")
    lanes = [lane(f"{n} 号机", reader=f"s-{n}", state=state) for n, state in enumerate(states)]
    lanes += [
        lane(f"{n} 号机", reader=f"t-{n}", state="working", step=step, number="004213") for n, step in enumerate(STEPS)
    ]
    for n, outcome in enumerate(CardOutcome):
        card = replace(last(outcome, Bin.KEYS if outcome is CardOutcome.REJECTED else ""), reason="as the log has it")
        lanes.append(lane(f"{n} 号机", reader=f"u-{n}", last=replace(card, code=RejectCode.MUTE)))
    for n, code in enumerate(RejectCode):
        ended = {"state": "ended", "message": "as the log has it", "fault": True, **coded(code)}
        card = last(CardOutcome.REJECTED, tuple(Bin)[n % len(Bin)], "as the log has it")
        lanes.append(lane(f"{n} 号机", reader=f"v-{n}", **ended))
        lanes.append(lane(f"{n} 号机", reader=f"w-{n}", last=replace(card, **coded(code))))  # type: ignore[arg-type]
    app.readers.rows, app.lanes.rows = readers, lanes
    views = [batch_view(state, balanced=state is not BatchState.DONE) for state in BatchState]
    people = {"imported_by": "li.na (token 1)", "approved_by": "wang.fang (unproven)"}
    views = [replace(view, batch=replace(view.batch, **people)) for view in views]
    for n, state in enumerate(("running", "failed")):
        preparation = Preparation("B20261122-001", state, 3, 9, "op", AT, code=RejectCode.KEY_POOL)  # type: ignore[arg-type]
        views[n] = replace(views[n], preparation=replace(preparation, fault="as the log has it"))
    app.batches.views = views
    app.batches.rows = tuple(
        Reject(AT, CHIP, "as the log has it", step, tray, "lane 2", None, None, RejectCode.MUTE, {})
        for step, tray in zip((*STEPS, STRIPE, PRINT), (*Bin, *Bin), strict=True)
    )
    chip = BoundChip(1, "6200000000000042131", 1, CHIP, "lane 2", AT, True)
    app.batches.chips = [chip, replace(chip, missing=False)]
    app.batches.twins = [DoubledChip(CHIP, "verified", "6200000000000042131", 1, AT, "东站, lane 2")]
    app.batches.blanks = StockAccounts(42, 45, 40, 2, 3, 0, -3, False)
    app.developer.past = [exchange(1), exchange(2, fault="the card left the reader")]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageApp]:
    shared = page_app(tmp_path_factory.mktemp("live"))
    with shared.server.registry:
        fill(shared)
        yield shared


@pytest.fixture(scope="module")
def client(app: PageApp) -> Client:
    roles = (Role.OPERATOR, Role.REVIEWER, Role.COUNTER, Role.DEVELOPER)
    client = app.server.signed_in(app.server.person("chef", *roles))
    client.cookies.set("membercard-language", "zh")
    return client


def event(kind: str, topic: str, data: dict[str, object] | None = None) -> Event:
    return Event(1, "epoch", AT, kind, topic, data or {})


def test_no_page_of_the_line_shows_a_word_of_english_or_a_raw_code(app: PageApp, client: Client) -> None:
    odd = {}
    for path in ("/station", "/station/batches/B20261122-001", "/station/readers/r-1/name", "/counter?reader=r-21"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        if texts := latin(answer.text):
            odd[path] = texts
    assert odd == {}
    board = StationBoard(Shell(app.server.service), WHO, "zh")
    assert latin(asyncio.run(board.whole())) == []


def test_a_batch_names_lanes_without_a_reader_s_name_in_words(client: Client) -> None:
    page = client.get("/station/batches/B20261122-001").text
    assert page.count(">2 号通道</td>") == 12


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("state", list(ReaderState))
def test_a_counter_shows_no_word_of_english_whatever_its_reader_does(
    app: PageApp, state: ReaderState, mode: Mode
) -> None:
    before = app.readers.rows
    app.readers.rows = [slot(1, state=state, mode=mode, detail=DETAILS.get(state, ""))]
    try:
        html = asyncio.run(CounterBoard(Shell(app.server.service), WHO, "zh", "r-1").whole())
    finally:
        app.readers.rows = before
    assert latin(html) == []


@pytest.mark.parametrize("code", list(VerdictCode))
def test_no_verdict_shows_a_word_of_english(app: PageApp, code: VerdictCode) -> None:
    board = CounterBoard(Shell(app.server.service), WHO, "zh", "r-21")
    for check, proof, category in zip(
        ("hotlist", "signed dynamic application data: hash", None, "clock", "effective date"),
        (*Proof, Proof.NONE),
        (*Category, None)[:5],
        strict=True,
    ):
        shown = verdict(code)
        member = shown.verdict.member and replace(shown.verdict.member, category=category, cover_ends=None)
        given = replace(shown.verdict, check=check, proof=proof, member=member)
        html = asyncio.run(board.after([event("verdict", "r-21", replace(shown, verdict=given).to_json())]))
        assert latin(html) == [], (check, proof)


@pytest.mark.parametrize("state", list(HotlistState))
def test_no_age_of_a_list_is_in_english(app: PageApp, state: HotlistState) -> None:
    for seconds in (None, 0, 60, 7200, int(timedelta(days=9).total_seconds())):
        current = state is HotlistState.CURRENT
        app.counter.age = replace(
            AGES,
            hotlist_state=state,
            hotlist_current=current,
            hotlist_seconds=None if state is HotlistState.MISSING else seconds or 0,
            clock_behind=not current,
            live=current,
        )
        assert latin(asyncio.run(CounterBoard(Shell(app.server.service), WHO, "zh", "r-21").whole())) == []
    app.counter.age = AGES


def test_the_developer_s_page_is_chinese_but_for_what_the_standards_name(app: PageApp, client: Client) -> None:
    client.post("/developer/r-22/take")
    names = ("APDU", "PSE", "SFI", "Ctrl", "Enter", "ms")
    for path in ("/developer?reader=r-22", "/developer?reader=r-20", "/developer"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        texts = latin(answer.text, english=True)
        assert [text for text in texts if not any(name in text for name in names)] == [], path
    html = asyncio.run(DeveloperBoard(Shell(app.server.service), WHO, "zh", "r-1").whole())
    assert latin(html, english=True) == []
