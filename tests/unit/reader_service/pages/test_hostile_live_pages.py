"""One hostile text as reader, unit, person, reason and card data on Station, Counter and Developer, as pages and as
their live parts: it is shown as text, and the page has the elements and attributes that it has with a plain text."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from html.parser import HTMLParser
from typing import Final, cast

import pytest

from personalize.line.outcome import Bin, CardOutcome
from reader_service.events import Event, EventBus
from reader_service.pages import live
from reader_service.pages.counter.counter import CounterBoard
from reader_service.pages.developer import DeveloperBoard
from reader_service.pages.issuing.station import StationBoard
from reader_service.pages.shell import Shell
from reader_service.principal import Principal, Role
from reader_service.readers.values import LeaseView, Mode, ReaderState
from reader_service.services.counter.reading import ApplicationView, CardApplicationKind, CardContents
from registry.line.doubled import DoubledChip
from registry.values import BoundChip, Reject
from terminal.emv.data.explain import Explained
from tests.support.service.accounts import Client
from tests.support.service.page_app import (
    AT,
    PageApp,
    Reading,
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
SEEN: Final = (
    "<script>alert(1)</script>\" onclick=\"alert(2)' x='<img src=x onerror=alert(3)>--> {{7*7}} {% x %} $x_1^2$ %s {0}"
)
HOSTILE: Final = f"{SEEN} \x1b[31m\u202e\u2066\x00\r\n\r\nevent: leave\ndata: gone\u2028\x85=1+1"
"""Markup, attributes, templates, layout and formats; then what turns text, moves a cursor, or ends a message."""
RAW: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]")


class Structure(HTMLParser):
    """Elements with the names of their attributes, and all text that a person may see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.texts += [value for _, value in attrs if value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", (data,)))


def fill(app: PageApp, text: str) -> None:
    """Everything that people, readers and cards say is its name and this text."""
    app.fresh()
    lease = LeaseView("op" + text, AT)
    app.readers.rows = [
        replace(reader("x"), id="one", name="name" + text, device="device" + text, url="sim:url" + text),
        replace(reader("x"), id="two", name="lost" + text, state=ReaderState.LOST, detail="detail" + text),
        replace(reader("x"), id="counter", name="counter" + text, mode=Mode.COUNTER),
        replace(reader("x"), id="held", name="held" + text, lease=lease),
        replace(reader("x"), id="lane", name="lane" + text, mode=Mode.LANE, state=ReaderState.LANE),
    ]
    card = replace(last(CardOutcome.REJECTED, Bin.DATA, "reason" + text))
    app.lanes.rows = [
        lane("x", reader="lane", name="running" + text, last=card, started_by="op" + text),
        lane("x", reader="gone", name="ended" + text, state="ended", message="message" + text, fault=True),
    ]
    view = batch_view(unit="unit" + text)
    people = {"source": "source" + text, "imported_by": "importer" + text, "approved_by": "approver" + text}
    app.batches.views = [replace(view, batch=replace(view.batch, **people))]  # type: ignore[arg-type]
    app.batches.rows = (Reject(AT, CHIP, "why" + text, "step" + text, "3 data", "at" + text, None, None, "", {}),)
    app.batches.chips = [BoundChip(1, "6200000000000042131", 1, CHIP, "bound" + text, AT, True)]
    app.batches.twins = [DoubledChip(CHIP, "verified", "6200000000000042131", 1, AT, "twin" + text)]
    objects = (Explained(None, "element" + text, "value" + text),)
    app.developer.past = [exchange(1, meaning="meaning" + text, said=objects, fault="fault" + text)]

    class CardWithText(Reading):
        def read(self, p: Principal, reader_id: str, *, lease: str = "") -> CardContents:
            bank = ApplicationView(
                CardApplicationKind.PAYMENT, "A000000333010101", "label" + text, objects, "no" + text
            )
            return CardContents(reader_id, "3B8F8001", "T=1", 0.25, (bank,))

    app.server.service.reading = CardWithText()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageApp]:
    shared = page_app(tmp_path_factory.mktemp("hostile"))
    with shared.server.registry:
        yield shared


@pytest.fixture(scope="module")
def client(app: PageApp) -> Client:
    roles = (Role.OPERATOR, Role.REVIEWER, Role.COUNTER, Role.DEVELOPER)
    return app.server.signed_in(app.server.person("chef", *roles))


def event(kind: str, topic: str, data: dict[str, object] | None = None) -> Event:
    return Event(1, "epoch", AT, kind, topic, data or {})


def shown(app: PageApp, render: Callable[[str], str]) -> list[str]:
    """The texts of what is rendered, which has the elements of the same with a plain text."""
    fill(app, "plain")
    plain = Structure(render("plain"))
    fill(app, HOSTILE)
    html = render(HOSTILE)
    hostile = Structure(html)
    assert hostile.elements == plain.elements
    assert RAW.search(html) is None
    return hostile.texts


def names_of(texts: list[str]) -> set[str]:
    """The names before the hostile text, wherever it is shown in full."""
    return {match for text in texts for match in re.findall(r"(\w+)" + re.escape(SEEN), text)}


PAGES = {
    "/station": {"name", "lost", "lane", "ended", "unit"},
    "/station/batches/B20261122-001": {"unit", "why", "bound", "importer"},
    "/station/readers/one/name": {"name"},
    "/counter?reader=counter": {"counter"},
    "/developer?reader=one": {"name"},
}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_it(app: PageApp, client: Client, path: str, language: str) -> None:
    client.cookies.set("membercard-language", language)

    def render(_: str) -> str:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:300])
        return re.sub(r'name="request" value="[^"]*"|nonce="[^"]*"', "", answer.text)

    assert PAGES[path] <= names_of(shown(app, render))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_live_parts_show_it(app: PageApp, language: str) -> None:
    shell = Shell(app.server.service)

    def station(text: str) -> str:
        board = StationBoard(shell, WHO, language)
        events = [event("lane.card", "lane"), event("lane.state", "lane"), event("reader.lost", "two")]

        async def run() -> str:
            whole = await board.whole()
            app.lanes.rows[0] = replace(app.lanes.rows[0], step="encode", number="004213", bad=2)
            return whole + await board.after(events)

        return asyncio.run(run())

    def counter(text: str) -> str:
        board = CounterBoard(shell, WHO, language, "counter")
        given = verdict(name="person" + text, unit="place" + text)
        given = replace(given, verdict=replace(given.verdict, check="check" + text))

        async def run() -> str:
            return await board.whole() + await board.after([event("verdict", "counter", given.to_json())])

        return asyncio.run(run())

    def developer(text: str) -> str:
        board = DeveloperBoard(shell, WHO, language, "one")

        async def run() -> str:
            return await board.whole() + await board.after([event("trace", "one", {"line": "line" + text})])

        return asyncio.run(run())

    assert {"name", "lost", "lane", "ended"} <= names_of(shown(app, station))
    assert {"person", "place"} <= names_of(shown(app, counter))
    assert {"name", "line"} <= names_of(shown(app, developer))


def test_what_a_card_says_is_shown_on_the_developer_s_page(app: PageApp, client: Client) -> None:
    client.cookies.set("membercard-language", "en")

    def render(_: str) -> str:
        answer = client.post("/developer/one/take")
        assert answer.status_code < 400, answer.text[:300]
        page = client.get("/developer?reader=one").text
        read = client.post("/developer/one/read")
        assert read.status_code == 200, read.text[:300]
        return page + read.text

    assert {"meaning", "element", "value", "fault", "label", "no"} <= names_of(shown(app, render))


async def _yes() -> bool:
    return True


async def _messages(bus: EventBus, page: live.Page, happen: Callable[[], object]) -> str:
    """The stream until the sign of life that follows what happens."""
    response = live.stream(bus, page, lambda kind: True, cast("Callable[[], Awaitable[bool]]", _yes), tick=0.01)
    heard: list[str] = []
    async with aclosing(cast("AsyncIterator[bytes]", response.body_iterator)) as messages:  # type: ignore[type-var]
        async for message in messages:
            heard.append(message.decode())
            if len(heard) == 1:
                happen()
            elif message.startswith(b"event: beat"):
                break
    return "".join(heard)


def test_no_text_begins_or_ends_a_message_of_a_live_stream(app: PageApp) -> None:
    fill(app, HOSTILE)
    board = DeveloperBoard(Shell(app.server.service), WHO, "en", "one")
    bus = EventBus()
    text = asyncio.run(_messages(bus, board, lambda: bus.publish("trace", "one", {"line": HOSTILE})))
    events = re.findall(r"(?m)^event: (\w+)$", text)
    assert events == ["parts", "parts", "beat"]
    assert all(line.startswith(("event: ", "data: ")) for line in text.split("\n") if line)


def test_no_text_begins_or_ends_an_event_of_the_api() -> None:
    bus = EventBus()
    published = bus.publish("card.inserted", "one", {"name": HOSTILE})
    assert len(published.json.splitlines()) == 1
    assert json.loads(published.json)["data"]["name"] == HOSTILE
    assert RAW.search(published.json) is None
