"""Developer page: APDU console with explanations, live trace, and virtual cards for virtual slots."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Final

from anyio import to_thread
from fastapi import Query, Request
from starlette.responses import Response

from reader_service.errors import Invalid
from reader_service.events import GAP, Event
from reader_service.http.resource import Svc, still_in
from reader_service.pages.live import stream
from reader_service.pages.shell import PageShell, Shell, Text, page_router, principal_of
from reader_service.pages.words import Words
from reader_service.principal import Permission, Principal
from reader_service.readers.leases import holder
from reader_service.readers.values import ReaderView
from reader_service.services.developer import ExchangeView

LEASE_SECONDS: Final = 600
"""Seconds that a developer's lease lasts after the last command."""
TRACE_LINES: Final = 200
"""Lines of the trace on the page."""
TRACE_PAUSE: Final = 0.2
MOST_COMMANDS: Final = 100
PRESETS: Final = (
    ("member", "00A404000AF04D454D424552010100"),
    ("pse", "00A404000E315041592E5359532E444446303100"),
    ("domain", "00A4040008A00000015100000000"),
    ("gpo", "80A8000008830601560000000000"),
    ("record", "00B2010C00"),
    ("counter", "80CA9F3600"),
)
"""Common commands; docs/card-layout.md."""


router = page_router()


@router.get("/developer")
def developer(request: Request, shell: PageShell, service: Svc, reader: Annotated[str, Query()] = "") -> Response:
    who = principal_of(request)
    who.need(Permission.APDU)
    readers = service.readers.readers(who)
    chosen = next((one for one in readers if one.id == reader), None)
    taken = chosen is not None and chosen.lease is not None and chosen.lease.holder == holder(who)
    history: list[ExchangeView] = []
    if chosen and taken:
        history = service.developer.history(who, chosen.id, lease(shell, who, chosen.id))
    return shell.page(
        request,
        "developer/developer.html",
        readers=readers,
        chosen=chosen,
        taken=taken,
        history=history,
        presets=PRESETS,
        cards=service.developer.virtual_cards(who),
        lines=(),
    )


@router.get("/developer/live")
async def live(request: Request, shell: PageShell, service: Svc, reader: Annotated[str, Query()] = "") -> Response:
    who = principal_of(request)
    who.need(Permission.APDU)
    board = DeveloperBoard(shell, who, request.state.language, reader)
    return stream(service.bus, board, board.concerns, lambda: still_in(request), pause=TRACE_PAUSE)


@router.post("/developer/decode")
def decode(request: Request, shell: PageShell, service: Svc, data: Text = "") -> Response:
    who = principal_of(request)
    objects = service.developer.decode(who, read_hex(data, shell.words(request), "data"))
    return shell.part(request, "developer/developer_decoded.html", objects=objects)


@router.post("/developer/{reader_id}/take")
def take(request: Request, shell: PageShell, reader_id: str) -> Response:
    who = principal_of(request)
    who.need(Permission.APDU)
    lease(shell, who, reader_id)
    return shell.go(request, f"/developer?reader={reader_id}")


@router.post("/developer/{reader_id}/release")
def release(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    who = principal_of(request)
    service.leases.give_back(who, reader_id, lease(shell, who, reader_id))
    return shell.go(request, f"/developer?reader={reader_id}")


@router.post("/developer/{reader_id}/reset")
def reset(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    who = principal_of(request)
    atr = service.developer.connect(who, reader_id, lease(shell, who, reader_id), reset=True)
    return shell.part(request, "developer/developer_reset.html", atr=atr)


@router.post("/developer/{reader_id}/off")
def off(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    who = principal_of(request)
    service.developer.disconnect(who, reader_id, lease(shell, who, reader_id))
    return shell.notify(request, f"/developer?reader={reader_id}", "developer.done-off")


@router.post("/developer/{reader_id}/read")
def read(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    who = principal_of(request)
    contents = service.reading.read(who, reader_id, lease=lease(shell, who, reader_id))
    return shell.part(request, "developer/developer_contents.html", contents=contents)


@router.post("/developer/{reader_id}/send")
def send(request: Request, shell: PageShell, service: Svc, reader_id: str, apdu: Text = "") -> Response:
    who, t = principal_of(request), shell.words(request)
    commands = [read_hex(line, t, "apdu") for line in apdu.splitlines() if line.strip()]
    if not commands or len(commands) > MOST_COMMANDS:
        raise Invalid("no command, or too many", {"apdu": t("developer.no-command", most=MOST_COMMANDS)})
    done = service.developer.transmit(who, reader_id, lease(shell, who, reader_id), commands)
    return shell.part(request, "developer/developer_exchanges.html", history=done)


@router.post("/developer/{reader_id}/trace")
def trace(request: Request, shell: PageShell, service: Svc, reader_id: str, on: Text = "") -> Response:
    service.developer.trace(principal_of(request), reader_id, on == "yes")
    return shell.done(request, f"/developer?reader={reader_id}")


@router.post("/developer/{reader_id}/insert")
def insert(request: Request, shell: PageShell, service: Svc, reader_id: str, card: Text = "") -> Response:
    service.developer.insert(principal_of(request), reader_id, card)
    return shell.notify(request, f"/developer?reader={reader_id}", "developer.done-inserted")


@router.post("/developer/{reader_id}/eject")
def eject(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    service.developer.eject(principal_of(request), reader_id)
    return shell.notify(request, f"/developer?reader={reader_id}", "developer.done-ejected")


@router.post("/developer/{reader_id}/tear")
def tear(request: Request, shell: PageShell, service: Svc, reader_id: str) -> Response:
    service.developer.tear(principal_of(request), reader_id)
    return shell.notify(request, f"/developer?reader={reader_id}", "developer.done-torn", kind="warn")


def lease(shell: Shell, who: Principal, reader_id: str) -> str:
    """The token of the caller's lease: taken where the reader is free, extended where the caller has it already.

    Raises NotFound, LeaseHeld.
    """
    return shell.service.leases.take(who, reader_id, LEASE_SECONDS).token


def read_hex(text: str, t: Words, name: str) -> bytes:
    """Bytes from hex, with spaces or colons as pasted from elsewhere. Raises Invalid."""
    plain = re.sub(r"[\s:]", "", text)
    if not plain or len(plain) % 2 or not re.fullmatch(r"[0-9A-Fa-f]+", plain):
        raise Invalid("this is no hex", {name: t("developer.no-hex")})
    return bytes.fromhex(plain)


@dataclass
class DeveloperBoard:
    """Live parts of one developer's page: the readers, and the trace of the chosen one."""

    shell: Shell
    who: Principal
    language: str
    reader_id: str
    _lines: deque[str] = field(default_factory=lambda: deque(maxlen=TRACE_LINES))

    @staticmethod
    def concerns(kind: str) -> bool:
        return kind in ("trace", GAP) or kind.startswith(("reader.", "card."))

    async def whole(self) -> str:
        return await to_thread.run_sync(self._readers)

    async def after(self, events: list[Event]) -> str:
        html = ""
        lines = [str(one.data["line"]) for one in events if one.kind == "trace" and one.topic == self.reader_id]
        if lines:
            self._lines.extend(lines)
            html = self._html("developer/developer_trace.html", lines=tuple(self._lines))
        if any(event.kind != "trace" for event in events):
            html += await to_thread.run_sync(self._readers)
        return html

    def _readers(self) -> str:
        readers: list[ReaderView] = self.shell.service.readers.readers(self.who)
        chosen = next((one for one in readers if one.id == self.reader_id), None)
        return self._html("developer/developer_readers.html", readers=readers, chosen=chosen)

    def _html(self, template: str, **values: object) -> str:
        return self.shell.html(self.language, template, principal=self.who, **values)
