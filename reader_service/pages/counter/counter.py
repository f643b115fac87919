"""Counter page: the verdict on a card, legible from two metres, also while network and database are down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import Query, Request
from starlette.responses import Response

from reader_service.errors import Unavailable
from reader_service.events import Event
from reader_service.http.resource import Svc, still_in
from reader_service.pages.counter import cashiers, redeeming
from reader_service.pages.live import stream
from reader_service.pages.shell import PageShell, Shell, Text, page_router, principal_of
from reader_service.principal import Permission, Principal
from reader_service.readers.values import Mode, ReaderState, ReaderView
from reader_service.services.counter.counter import ListsAge
from reader_service.services.window.updates import SHOWN
from registry.members.wanted import UpdateKind
from terminal.member.presentation import NOT_HANDED_OVER, Tone, presentation

DAYS: Final = ("valid_through", "card_expires", "cover_ends", "valid_from")


router = page_router()


@router.get("/counter")
def counter(request: Request, shell: PageShell, service: Svc, reader: Annotated[str, Query()] = "") -> Response:
    who = principal_of(request)
    who.need(Permission.VERIFY)
    readers = service.readers.readers(who)
    chosen = choose(readers, reader)
    now: dict[str, Any] = {"chosen": chosen, "reader": chosen, "waits": waits(chosen), **list_values(shell, who)}
    now |= redeeming.current(shell, who, chosen.id) if chosen else {}
    now |= {"reader_id": chosen.id if chosen else "", "queue": redeeming.queue(shell, who)}
    now |= cashiers.present(shell, who, chosen.id if chosen else "")
    return shell.page(request, "counter/counter.html", readers=readers, **now)


@router.get("/counter/{reader_id}/live")
async def live(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    who = principal_of(request)
    who.need(Permission.VERIFY)
    board = CounterBoard(shell, who, request.state.language, reader_id)
    return stream(service.bus, board, board.concerns, lambda: still_in(request))


@router.post("/counter/lists/fetch")
def fetch(request: Request, shell: PageShell, service: Svc) -> Response:
    service.fetching.fetch(principal_of(request))
    return shell.done(request, "/counter")


@router.post("/counter/{reader_id}/watch")
def watch(request: Request, shell: PageShell, service: Svc, reader_id: str, on: Text = "") -> Response:
    service.counter.watch(principal_of(request), reader_id, on == "yes")
    return shell.go(request, f"/counter?reader={reader_id}")


@router.post("/counter/{reader_id}/activate")
def activate(
    request: Request, shell: PageShell, service: Svc, reader_id: str, shown: Text = "", compared: Text = ""
) -> Response:
    """Activate the card whose verdict is on the page; the page shows the next verdict by its stream."""
    identified = shell.words(request)(f"window.shown-{shown}") if shown in SHOWN else ""
    service.updates.activate(principal_of(request), reader_id, identified, compared=compared)
    return shell.done(request, f"/counter?reader={reader_id}")


def choose(readers: list[ReaderView], wanted: str) -> ReaderView | None:
    """The reader with the wanted id, else the first in counter mode, else the only one."""
    for reader in readers:
        if reader.id == wanted:
            return reader
    counters = [reader for reader in readers if reader.mode is Mode.COUNTER]
    return counters[0] if counters else readers[0] if len(readers) == 1 else None


def waits(reader: ReaderView | None) -> str:
    """What the page asks for while it has no verdict: ``insert`` a card; ``again``, where the card in the reader was
    verified before this page was open; ``nothing``, where no card can be verified."""
    if reader is None or reader.mode is not Mode.COUNTER or reader.state in (ReaderState.LOST, ReaderState.HUNG):
        return "nothing"
    return "insert" if reader.state is ReaderState.EMPTY else "again"


def lists(shell: Shell, who: Principal) -> ListsAge | None:
    """None where there are no lists, so that nothing can be verified."""
    try:
        return shell.service.counter.lists_age(who)
    except Unavailable:
        return None


def list_values(shell: Shell, who: Principal) -> dict[str, Any]:
    """What the template needs of the lists: what verdicts are based on, the dates of each, and the last fetch."""
    fetching = shell.service.fetching
    return {"lists": lists(shell, who), "dates": fetching.dates(who), "fetch": fetching.state(who)}


def verdict_values(event_data: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs of a verdict event (Verdict.to_json): dates parsed, tone and sign added."""
    member = event_data["member"]
    if member is not None:
        days = {name: date.fromisoformat(member[name]) if member[name] else None for name in DAYS}
        member = {**member, **days}
    row, words = presentation(event_data["verdict"]), event_data["verdict"].lower()
    if event_data["delivered"] is False:
        row, words = NOT_HANDED_OVER, "not_handed_over"
    tone = row.tone if row else Tone.IDLE
    return {**event_data, "member": member, "tone": tone, "sign": tone.sign, "words": words}


@dataclass
class CounterBoard:
    """Live part of one counter's page. A verdict is rendered from its event alone, without database or network."""

    shell: Shell
    who: Principal
    language: str
    reader_id: str
    _lists: str = field(default="")
    _result: bool = field(default=False)
    _activated: int = field(default=0)
    """Cards activated at this reader since the page was opened."""

    @staticmethod
    def concerns(kind: str) -> bool:
        return kind in ("verdict", "hotlist.published", "lists.fetched", "gap") or kind.startswith(
            ("reader.", "card.", "redemption.", "cashier.")
        )

    async def whole(self) -> str:
        waiting = self._html("counter/counter_waiting.html", waits=waits(self._reader()))
        offers = self._html("counter/counter_redeem.html", **redeeming.current(self.shell, self.who, self.reader_id))
        return self._reader_state() + self._cashier() + waiting + offers + self._queue() + await self._ages()

    async def after(self, events: list[Event]) -> str:
        own = [event for event in events if event.topic == self.reader_id]
        html = ""
        for event in own:
            if event.kind == "verdict":
                html = self._verdict(event.data)
            elif event.kind == "card.inserted":
                html = self._html("counter/counter_busy.html")
            elif event.kind == "cashier.changed":
                html += self._cashier()
        redemption = self._redemption(own)
        if any(event.kind == "redemption.queue" for event in events):
            redemption += self._queue()
        if own:
            return html + redemption + self._reader_state()
        if redemption:
            return redemption
        # No verdict is awaited now, so there is time to read the age of the lists.
        return await self._ages()

    def _verdict(self, data: Mapping[str, Any]) -> str:
        self._activated += UpdateKind.ACTIVATION.value in data["updates"]
        values: dict[str, Any] = {"v": verdict_values(data), "activated": self._activated, "shown": SHOWN}
        may = self.shell.service.updates.may_activate(self.who)
        return self._html("counter/counter_verdict.html", may_activate=may, **values)

    def _redemption(self, events: list[Event]) -> str:
        """What the last event about a redemption shows. A card that is put in clears it, and one that is taken out
        clears what could be chosen; a result stays."""
        html = ""
        for event in events:
            if event.kind == "card.inserted" or (event.kind == "card.removed" and not self._result):
                html = self._html("counter/counter_redeem.html", **redeeming.card_values(None))
            elif event.kind == "redemption.offers" and self.who.may(Permission.REDEEM):
                html = self._html("counter/counter_redeem.html", **redeeming.card_values(event.data))
            elif event.kind == "redemption.refused" and self.who.may(Permission.REDEEM):
                html = self._html("counter/counter_redeem.html", **redeeming.refused_values(event.data, self.language))
            elif event.kind == "redemption.result" and self.who.may(Permission.REDEEM):
                values = redeeming.result_values(event.data, self.language)
                html = self._html("counter/counter_redeem.html", **values) + self._queue()
            self._result = event.kind == "redemption.result" or (self._result and not html)
        return html

    def _cashier(self) -> str:
        return self._html("counter/counter_cashier.html", **cashiers.present(self.shell, self.who, self.reader_id))

    def _queue(self) -> str:
        return self._html("counter/counter_queue.html", queue=redeeming.queue(self.shell, self.who))

    async def _ages(self) -> str:
        """The age of the lists, where its text changed."""
        values = await to_thread.run_sync(list_values, self.shell, self.who)
        html = self._html("counter/counter_lists.html", **values)
        if html == self._lists:
            return ""
        self._lists = html
        return html

    def _reader_state(self) -> str:
        reader = self._reader()
        return self._html("counter/counter_reader.html", reader=reader, waits=waits(reader))

    def _reader(self) -> ReaderView | None:
        return next((one for one in self.shell.service.readers.readers(self.who) if one.id == self.reader_id), None)

    def _html(self, template: str, **values: object) -> str:
        return self.shell.html(self.language, template, principal=self.who, reader_id=self.reader_id, **values)
