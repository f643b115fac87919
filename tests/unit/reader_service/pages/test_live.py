"""The stream behind a live page: everything at first, then what changed, and a sign of life; verdicts and rejects."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import cast

import pytest

from personalize.line.outcome import Bin
from reader_service.events import Event, EventBus
from reader_service.pages import developer, live
from reader_service.pages.counter import counter
from reader_service.pages.issuing import station
from reader_service.pages.shell import Shell
from reader_service.principal import Principal, Role
from reader_service.readers.values import Mode, ReaderState, ReaderView
from terminal.member.outcome import VerdictCode
from terminal.member.presentation import NOT_HANDED_OVER, PRESENTATIONS, Advice
from tests.support.service.page_app import PageApp, batch_view, lane, page_app, reader, rejected, verdict

WHO = Principal("op", frozenset({Role.OPERATOR, Role.DEVELOPER}))
BAD = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageApp]:
    shared = page_app(tmp_path_factory.mktemp("pages"))
    with shared.server.registry:
        yield shared


@pytest.fixture
def app(shared_app: PageApp) -> PageApp:
    shared_app.fresh()
    return shared_app


class Page:
    """A page that shows the numbers of its events."""

    async def whole(self) -> str:
        return "<p id='all'></p>"

    async def after(self, events: list[Event]) -> str:
        return "".join(f"<p id='n{event.topic}'></p>" for event in events)


async def _yes() -> bool:
    return True


async def _no() -> bool:
    return False


async def _heard(
    bus: EventBus, count: int, then: Callable[[], object] = lambda: None, still: Callable[[], Awaitable[bool]] = _yes
) -> list[str]:
    """The first ``count`` messages; ``then`` happens after the first."""
    response = live.stream(bus, Page(), lambda kind: kind != "other", still, tick=0.01)
    heard: list[str] = []
    async with aclosing(cast("AsyncIterator[bytes]", response.body_iterator)) as messages:  # type: ignore[type-var]
        async for message in messages:
            heard.append(message.decode())
            if len(heard) == 1:
                then()
            if len(heard) == count:
                break
    return heard


def test_everything_comes_at_first_and_then_what_changed() -> None:
    bus = EventBus()

    def happen() -> None:
        bus.publish("other", "0", {})
        bus.publish("lane.state", "1", {})
        bus.publish("lane.state", "2", {})

    first, second = asyncio.run(_heard(bus, 2, happen))
    assert first == "event: parts\ndata: <p id='all'></p>\n\n"
    assert second == "event: parts\ndata: <p id='n1'></p><p id='n2'></p>\n\n"


def test_silence_has_a_beat_and_the_end_of_the_service_ends_it() -> None:
    bus = EventBus()
    assert asyncio.run(_heard(bus, 2))[1] == "event: beat\ndata: \n\n"
    assert len(asyncio.run(_heard(bus, 5, bus.close))) == 1


def test_who_is_signed_out_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SESSION_CHECK", 0.0)
    assert asyncio.run(_heard(EventBus(), 9, still=_no))[-1] == "event: leave\ndata: \n\n"


def test_no_text_begins_another_message() -> None:
    assert live.message("parts", "a\n\nevent: leave\r\rb") == (
        b"event: parts\ndata: a\ndata: \ndata: event: leave\ndata: \ndata: b\n\n"
    )


def _event(kind: str, topic: str, data: dict[str, object] | None = None) -> Event:
    return EventBus().publish(kind, topic, data or {})


def test_a_tile_comes_anew_only_when_it_changed_and_a_reject_is_announced_once(app: PageApp) -> None:
    app.readers.rows = [reader(f"Lane {n}", mode=Mode.LANE, state=ReaderState.LANE) for n in (1, 2)]
    app.lanes.rows = [lane("Lane 1"), lane("Lane 2")]
    app.batches.views = [batch_view()]
    board = station.StationBoard(Shell(app.server.service), WHO, "en")

    async def run() -> list[str]:
        answers = [await board.whole(), await board.after([_event("lane.state", "lane-1")])]
        app.lanes.rows[0] = lane("Lane 1", last=rejected(Bin.DATA))
        answers.append(await board.after([_event("lane.card", "lane-1"), _event("lane.state", "lane-1")]))
        answers.append(await board.after([_event("lane.state", "lane-1")]))
        answers.append(await board.after([]))
        app.readers.rows.append(reader("Lane 3"))
        answers.append(await board.after([_event("reader.added", "lane-3")]))
        return answers

    whole, same, reject, later, idle, more = asyncio.run(run())
    assert re.findall(r'id="(tiles|batches|orders)"', whole) == ["orders", "tiles", "batches"]
    assert same == ""
    assert 'data-alarm="bad" data-announce="Lane 1: Put in bin 3: the card gave no answer to READ RECORD"' in reject
    assert 'id="lane-lane-2"' not in reject
    assert "data-alarm" not in later
    assert idle == ""
    assert 'id="lane-lane-3"' in more


def test_where_there_are_many_lanes_what_is_to_do_stands_above_them(app: PageApp) -> None:
    app.lanes.rows = [lane(f"Lane {n}") for n in range(1, 31)] + [lane("Lane 31", last=rejected(Bin.FOREIGN))]
    html = asyncio.run(station.StationBoard(Shell(app.server.service), WHO, "en").whole())
    assert re.search(r'<ul id="orders".*?<a href="#lane-lane-31">.*?Lane 31: Put in bin 4', html, re.DOTALL)


def test_batches_are_counted_again_after_a_card_but_not_for_each(app: PageApp) -> None:
    app.readers.rows, app.lanes.rows = [reader("Lane 1")], [lane("Lane 1")]
    board = station.StationBoard(Shell(app.server.service), WHO, "en")

    async def run() -> tuple[str, str]:
        await board.whole()
        app.batches.views = [batch_view()]
        soon = await board.after([_event("lane.card", "lane-1")])
        await asyncio.sleep(station.COUNT)
        return soon, await board.after([])

    soon, later = asyncio.run(run())
    assert 'id="batches"' not in soon
    assert "B20261122-001" in later


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", list(VerdictCode))
def test_every_verdict_has_colour_sign_and_words(app: PageApp, code: VerdictCode, language: str) -> None:
    app.readers.rows = [reader("Counter", mode=Mode.COUNTER)]
    board = counter.CounterBoard(Shell(app.server.service), WHO, language, "counter")
    answers = verdict(code, name=BAD, unit=BAD)
    html = asyncio.run(board.after([_event("verdict", "counter", answers.to_json())]))
    tone = PRESENTATIONS[code].tone
    assert f'class="verdict {tone}"' in html
    assert f'data-verdict="{code}"' in html
    assert f"icons.svg#{tone.sign}" in html
    assert "<script>" not in html
    assert ("&lt;script&gt;" in html) is (answers.verdict.member is not None)


@pytest.mark.parametrize(
    ("language", "delivered", "word", "step"),
    [
        ("zh", None, "未激活", "请会员携本人身份证件到工会窗口激活此卡"),
        ("en", True, "Not activated", "The member activates it at a union window, with an ID"),
        ("zh", False, "未发放", "会员尚未领到此卡：请勿提供服务，留下卡片并联系工会"),
        ("en", False, "Not handed over", "Its member never got this card: do not serve, keep it, call the union"),
    ],
)
def test_a_card_that_is_not_activated_says_where_it_is_and_only_whoever_may_activates_it_here(
    app: PageApp, language: str, delivered: bool | None, word: str, step: str
) -> None:
    app.readers.rows = [reader("Counter", mode=Mode.COUNTER)]
    given = verdict(VerdictCode.NOT_ACTIVATED).to_json() | {"delivered": delivered}
    if delivered is False:
        given |= Advice(NOT_HANDED_OVER, False).to_json()
    form = 'action="/counter/counter/activate"'
    for roles, may in (({Role.COUNTER, Role.REGISTRAR}, True), ({Role.COUNTER}, False)):
        who = Principal("柜台", frozenset(roles))
        board = counter.CounterBoard(Shell(app.server.service), who, language, "counter")
        html = asyncio.run(board.after([_event("verdict", "counter", given)]))
        assert f'<p class="word">{word}</p>' in html
        assert (f'<p class="next">{step}</p>' in html) is not (form in html)
        assert ('class="verdict bad"' in html) is (delivered is False)
        assert (form in html) is (may and delivered is not False)


@pytest.mark.parametrize(
    ("language", "counts"),
    [
        ("zh", ["此页已激活 1 张卡", "此页已激活 2 张卡"]),
        ("en", ["One card activated on this page", "2 cards activated on this page"]),
    ],
)
def test_a_queue_of_members_is_counted_while_their_cards_are_activated(
    app: PageApp, language: str, counts: list[str]
) -> None:
    board = counter.CounterBoard(Shell(app.server.service), WHO, language, "counter")
    shown = []
    for updates in (["activation"], [], ["activation", "cover"]):
        given = verdict().to_json() | {"updates": updates}
        html = asyncio.run(board.after([_event("verdict", "counter", given)]))
        shown += re.findall(r"· ([^<]*(?:此页|this page)[^<]*)<", html)
    assert shown == counts


def test_a_verdict_shows_who_and_what_is_left_and_no_whole_number(app: PageApp) -> None:
    app.readers.rows = [reader("Counter", mode=Mode.COUNTER)]
    board = counter.CounterBoard(Shell(app.server.service), WHO, "zh", "counter")
    html = asyncio.run(board.after([_event("verdict", "counter", verdict().to_json())]))
    for text in (
        "有效",
        "欧阳建国",
        "身份证尾号 421X",
        "620000*********2131",
        "2031年11月30日",
        "2027年3月31日",
        "电影",
    ):
        assert text in html
    assert "6200000000000042131" not in html


@pytest.mark.parametrize(
    ("seen", "waits"),
    [
        ([], "nothing"),
        ([reader("Counter", mode=Mode.COUNTER)], "insert"),
        ([reader("Counter", mode=Mode.COUNTER, state=ReaderState.CARD)], "again"),
        ([reader("Counter", mode=Mode.COUNTER, state=ReaderState.LOST)], "nothing"),
        ([reader("Counter", mode=Mode.LANE, state=ReaderState.LANE)], "nothing"),
    ],
)
def test_a_counter_asks_for_a_card_only_where_one_is_judged(app: PageApp, seen: list[ReaderView], waits: str) -> None:
    """A card that is in when the page comes was judged before: it has to be put in once more."""
    app.readers.rows = seen
    html = asyncio.run(counter.CounterBoard(Shell(app.server.service), WHO, "zh", "counter").whole())
    assert re.findall(r'id="(?:counter-reader|verdict)"[^>]*data-waits="(\w+)"', html) == [waits, waits]


def test_a_counter_hears_its_own_reader_only_and_how_old_the_lists_get(app: PageApp) -> None:
    app.readers.rows = [reader("Counter", mode=Mode.COUNTER)]
    board = counter.CounterBoard(Shell(app.server.service), WHO, "en", "counter")

    async def run() -> list[str]:
        answers = [await board.whole()]
        answers.append(await board.after([_event("verdict", "elsewhere", verdict().to_json())]))
        answers.append(await board.after([_event("card.inserted", "counter")]))
        app.counter.age = None
        answers.append(await board.after([]))
        app.readers.rows = []
        answers.append(await board.after([_event("reader.removed", "counter")]))
        return answers

    whole, other, busy, older, gone = asyncio.run(run())
    assert "Insert a member card" in whole
    assert "Hotlist is 1 h 30 min old" in whole
    assert other == ""
    assert "Reading the card" in busy
    assert "No trust list" in older
    assert "not on this machine any more" in gone


def test_a_trace_shows_the_last_lines_of_its_reader(app: PageApp) -> None:
    app.readers.rows = [reader("Bench")]
    board = developer.DeveloperBoard(Shell(app.server.service), WHO, "en", "bench")
    lines = [_event("trace", "bench", {"line": f"line {n} {BAD}"}) for n in range(developer.TRACE_LINES + 5)]

    async def run() -> tuple[str, str]:
        return await board.whole(), await board.after([*lines, _event("trace", "other", {"line": "foreign"})])

    whole, traced = asyncio.run(run())
    assert "Bench" in whole
    assert traced.count("<li>") == developer.TRACE_LINES
    assert "line 4 " not in traced
    assert "foreign" not in traced
    assert "<script>" not in traced
