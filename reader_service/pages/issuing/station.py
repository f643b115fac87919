"""Station page: a tile for each lane, batches with their accounts, and the operator's actions."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Final, Literal

from anyio import to_thread
from fastapi import Form, Query, Request
from starlette.responses import Response

from personalize.line.checklist import CheckLine, refused
from reader_service.errors import Invalid, NotFound, Unavailable
from reader_service.events import GAP, Event
from reader_service.http.resource import Svc, still_in
from reader_service.pages.issuing.machine import CHECK_ICONS, SUPPLY_TONES
from reader_service.pages.issuing.tiles import STEPS, Tile
from reader_service.pages.live import stream
from reader_service.pages.shell import PageShell, Shell, Text, page_router, principal_of
from reader_service.principal import Permission, Principal
from reader_service.readers.values import Mode
from reader_service.services.issuing.batches import BatchView
from reader_service.services.issuing.lane_commands import LANE_COMMANDS, LaneCommand
from registry.batches.priority import BatchPriority
from registry.values import BatchState

OPEN: Final = (BatchState.APPROVED, BatchState.PREPARED, BatchState.RUNNING, BatchState.DONE)
MOST_BATCHES: Final = 30
ROWS: Final = 50
CARDS_PAUSE: Final = 0.15
"""Seconds at least between two messages: many lanes take many steps a second."""
COUNT: Final = 1.0
"""Seconds at least between two counts of the batches, which query the database."""
MANY: Final = 12
"""Number of tiles from which they are small."""


router = page_router()


@router.get("/station")
def station(request: Request, shell: PageShell) -> Response:
    who = principal_of(request)
    who.need(Permission.LANES_VIEW)
    shown_tiles = tiles(shell, who)
    views, unreachable = batches(shell, who)
    return shell.page(
        request,
        "issuing/station.html",
        tiles=shown_tiles,
        batches=views,
        unreachable=unreachable,
        blanks=blanks(shell, who),
        steps=STEPS,
        supply_tones=SUPPLY_TONES,
        many=len(shown_tiles) > MANY,
    )


@router.get("/station/live")
async def live(request: Request, shell: PageShell, service: Svc) -> Response:
    who = principal_of(request)
    who.need(Permission.LANES_VIEW)
    board = StationBoard(shell, who, request.state.language)
    return stream(service.bus, board, board.concerns, lambda: still_in(request), pause=CARDS_PAUSE)


@router.get("/station/batches/{batch_id}")
def batch(
    request: Request, shell: PageShell, service: Svc, batch_id: str, cursor: Annotated[str | None, Query()] = None
) -> Response:
    who = principal_of(request)
    return shell.page(
        request,
        "issuing/station_batch.html",
        view=service.batches.show(who, batch_id),
        place=next((one for one in service.queue.order(who) if one.batch_id == batch_id), None),
        priorities=tuple(BatchPriority),
        rejects=service.batches.rejects(who, batch_id, cursor, ROWS),
        bound=service.batches.bound(who, batch_id),
        doubled=service.batches.doubled(who, batch_id),
        stock=service.batches.stock(who),
        may_run=who.may(Permission.LANES_RUN),
    )


@router.get("/station/checklist")
def start_checklist(
    request: Request, shell: PageShell, service: Svc, batch: str = "", reader: Annotated[tuple[str, ...], Query()] = ()
) -> Response:
    """The checklist of the start dialog, for what is chosen in it; empty for a batch that is gone."""
    lines: tuple[CheckLine, ...] = ()
    with suppress(NotFound):
        lines = service.checklists.check(principal_of(request), batch, reader) if batch else ()
    return shell.part(
        request,
        "issuing/machine/checklist.html",
        lines=lines,
        refused=refused(lines) is not None,
        check_icons=CHECK_ICONS,
    )


@router.post("/station/start")
def start(
    request: Request, shell: PageShell, service: Svc, batch: Text = "", reader: Annotated[tuple[str, ...], Form()] = ()
) -> Response:
    who, t = principal_of(request), shell.words(request)
    if not batch or not reader:
        raise Invalid("choose a batch and at least one reader", {"reader": t("station.choose")}, rule="choose")
    service.checklists.refuse(who, batch, reader)
    started = service.lanes.start(who, batch, reader)
    return shell.notify(request, "/station", "station.done-started", n=len(started), batch=batch)


@router.post("/station/machines/{reader_id}/clear")
def clear(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    """The stream shows what is left of the fault."""
    view = service.machines.clear(principal_of(request), reader_id)
    if view.faults or view.clearing or not view.answers:
        return shell.done(request, "/station")
    return shell.notify(request, "/station", "machine.done-cleared", name=view.name)


def _add_command(command: LaneCommand) -> None:
    @router.post(f"/station/lanes/{{reader_id}}/{command.name}", name=command.name)
    def steer(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
        service.lanes.steer(principal_of(request), reader_id, command)
        return shell.done(request, "/station")


for _command in LANE_COMMANDS.values():
    _add_command(_command)


@router.post("/station/all/{what}")
def all_lanes(request: Request, shell: PageShell, service: Svc, what: Literal["pause", "resume", "stop"]) -> Response:
    who = principal_of(request)
    for lane in service.lanes.lanes(who):
        if lane.state != "ended":
            with suppress(NotFound):  # its reader was forgotten just now
                service.lanes.steer(who, lane.reader, LANE_COMMANDS[what])
    return shell.done(request, "/station")


@router.get("/station/readers/{reader_id}/name")
def name_form(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    """The form for a reader's name, for the dialog."""
    who = principal_of(request)
    who.need(Permission.READERS_NAME)
    return shell.part(request, "issuing/station_name.html", reader=service.readers.reader(who, reader_id))


@router.post("/station/readers/{reader_id}/name")
def name(request: Request, shell: PageShell, service: Svc, reader_id: str, name: Text = "") -> Response:
    named = service.readers.rename(principal_of(request), reader_id, name)
    return shell.notify(request, "/station", "station.done-named", name=named.name)


@router.post("/station/readers/{reader_id}/forget")
def forget(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    who = principal_of(request)
    name = service.readers.reader(who, reader_id).name
    service.readers.forget(who, reader_id)
    return shell.notify(request, "/station", "station.done-forgotten", name=name)


@router.post("/station/batches/{batch_id}/prepare")
def prepare(request: Request, shell: PageShell, service: Svc, batch_id: str) -> Response:
    started = service.batches.prepare(principal_of(request), batch_id)
    return shell.notify(request, "/station", "station.done-preparing", batch=batch_id, n=started.total)


@router.post("/station/batches/{batch_id}/place")
def place(
    request: Request, shell: PageShell, service: Svc, batch_id: str, priority: Text = "", due: Text = ""
) -> Response:
    """BatchPriority and due day of a batch; an empty day is that of its unit's plan."""
    fields = {}
    if priority not in list(BatchPriority):
        fields["priority"] = ", ".join(BatchPriority)
    try:
        day = date.fromisoformat(due) if due.strip() else None
    except ValueError:
        fields["due"] = "a day, such as 2026-12-01"
    if fields:
        raise Invalid("this is no place in the queue", fields)
    service.queue.place(principal_of(request), batch_id, BatchPriority(priority), day)
    return shell.go(request, f"/station/batches/{batch_id}", "station.done-place", batch=batch_id)


@router.post("/station/batches/{batch_id}/close")
def close(request: Request, shell: PageShell, service: Svc, batch_id: str) -> Response:
    view = service.batches.close_batch(principal_of(request), batch_id)
    closed = view.batch.state is BatchState.CLOSED
    return shell.go(request, "/station", "station.done-closed" if closed else "station.done-signed", batch=batch_id)


@router.post("/station/batches/{batch_id}/missing")
def missing(request: Request, shell: PageShell, service: Svc, batch_id: str, chip: Text, reason: Text = "") -> Response:
    service.batches.release_missing(principal_of(request), batch_id, chip, reason)
    return shell.go(request, f"/station/batches/{batch_id}", "station.done-missing", chip=chip)


@router.post("/station/batches/{batch_id}/{direction}")
def move(request: Request, shell: PageShell, service: Svc, batch_id: str, direction: Literal["up", "down"]) -> Response:
    service.queue.move(principal_of(request), batch_id, up=direction == "up")
    return shell.done(request, "/station")


def tiles(shell: Shell, who: Principal, fresh: frozenset[str] = frozenset()) -> list[Tile]:
    """Every reader outside counter mode, and lanes whose reader is gone. From memory, without waiting."""
    lanes = {lane.reader: lane for lane in shell.service.lanes.lanes(who)}
    readers = shell.service.readers.readers(who) if who.may(Permission.READERS_VIEW) else []
    machines = {machine.reader: machine for machine in shell.service.machines.machines(who)}
    current = [
        Tile(reader.id, reader.name, reader, lanes.pop(reader.id, None), reader.id in fresh, machines.get(reader.id))
        for reader in readers
        if reader.mode is not Mode.COUNTER or reader.id in lanes
    ]
    return current + [Tile(lane.reader, lane.name, None, lane, lane.reader in fresh) for lane in lanes.values()]


def batches(shell: Shell, who: Principal) -> tuple[list[BatchView], bool]:
    """The batches between approval and closing, and whether the database is unreachable. Waits for the database."""
    try:
        views = shell.service.batches.queue(who, MOST_BATCHES)
        return [view for view in views if view.batch.state in OPEN], False
    except Unavailable:
        return [], True


def blanks(shell: Shell, who: Principal) -> tuple[int, int] | None:
    """Blank chips left and needed, for whoever runs batches; None while the database is unreachable."""
    try:
        return shell.service.todos.blanks(who)
    except Unavailable:
        return None


@dataclass
class StationBoard:
    """Live parts of one viewer's page: tiles and start choices at once, batches at most once a second."""

    shell: Shell
    who: Principal
    language: str
    _sent: dict[str, str] = field(default_factory=dict)
    _sent_orders: str = ""
    _sent_choices: str = ""
    _batch_views: list[BatchView] = field(default_factory=list)
    _counted: bool = True
    _counted_at: float = 0.0

    @staticmethod
    def concerns(kind: str) -> bool:
        return kind.startswith(("lane.", "reader.", "card.", "batch.", "machine."))

    async def whole(self) -> str:
        return await to_thread.run_sync(self._whole)

    async def after(self, events: list[Event]) -> str:
        if not events and self._counted:
            return ""
        return await to_thread.run_sync(self._after, events)

    def _whole(self) -> str:
        shown_tiles = tiles(self.shell, self.who)
        self._sent = {tile.id: self._tile(tile) for tile in shown_tiles}
        self._sent_orders = self._orders(shown_tiles)
        tiles_html = self._html("issuing/station_tiles.html", tiles=shown_tiles, many=len(shown_tiles) > MANY)
        return self._sent_orders + tiles_html + self._batches() + self._changed_choices(shown_tiles)

    def _orders(self, shown_tiles: list[Tile]) -> str:
        return self._html("issuing/station_orders.html", tiles=shown_tiles, many=len(shown_tiles) > MANY)

    def _after(self, events: list[Event]) -> str:
        kinds = {event.kind for event in events}
        ended_readers = frozenset(event.topic for event in events if event.kind == "lane.card")
        shown_tiles = tiles(self.shell, self.who, ended_readers)
        if GAP in kinds or {tile.id for tile in shown_tiles} != set(self._sent):
            return self._whole()
        self._counted = self._counted and not kinds & {"lane.card", "batch.changed"}
        touched = {event.topic for event in events}
        html = "".join(self._changed(tile) for tile in shown_tiles if tile.id in touched)
        orders = self._orders(shown_tiles)
        if orders != self._sent_orders:
            self._sent_orders = orders
            html += orders
        due = not self._counted and time.monotonic() - self._counted_at >= COUNT
        return html + (self._batches() if due else "") + self._changed_choices(shown_tiles)

    def _changed(self, tile: Tile) -> str:
        html = self._tile(tile)
        if self._sent.get(tile.id) == html:
            return ""
        self._sent[tile.id] = html
        return html

    def _tile(self, tile: Tile) -> str:
        return self._html("issuing/station_tile.html", tile=tile)

    def _batches(self) -> str:
        self._counted, self._counted_at = True, time.monotonic()
        self._batch_views, unreachable = batches(self.shell, self.who)
        return self._html(
            "issuing/station_batches.html",
            batches=self._batch_views,
            unreachable=unreachable,
            blanks=blanks(self.shell, self.who),
        )

    def _changed_choices(self, shown_tiles: list[Tile]) -> str:
        """The start dialog's batches and readers, where they changed."""
        if not self.who.may(Permission.LANES_RUN):
            return ""
        html = self._html("issuing/station_choices.html", tiles=shown_tiles, batches=self._batch_views)
        if html == self._sent_choices:
            return ""
        self._sent_choices = html
        return html

    def _html(self, template: str, **values: object) -> str:
        return self.shell.html(
            self.language, template, principal=self.who, steps=STEPS, supply_tones=SUPPLY_TONES, **values
        )
