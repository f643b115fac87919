"""The ASGI application of one service: API, pages and the middleware before both."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import cache
from typing import Any, Final

import anyio
from anyio import to_thread
from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.routing import BaseRoute

from reader_service import process
from reader_service.api import (
    audit,
    batches,
    boxes,
    cards,
    developer,
    events,
    lanes,
    lists,
    machines,
    members,
    moves,
    readers,
    reading,
    rosters,
    session,
    statistics,
    units,
    users,
    verify,
    waiting,
)
from reader_service.api.intake import editing, reviewing
from reader_service.api.programme import (
    cashiers,
    distant,
    merchants,
    programmes,
    redeeming,
    redemptions,
    rushes,
    settlement,
)
from reader_service.api.window import amendments, losses, updates
from reader_service.api.workload import queue, stock
from reader_service.http import document, errors, health, metrics
from reader_service.http.middleware import RequestMiddleware
from reader_service.http.resource import PREFIX
from reader_service.http.stream_limits import ConnectionLimit
from reader_service.http.write_guard import WriteGuard
from reader_service.pages import app as pages
from reader_service.service import ReaderService
from registry.errors import RegistryError
from terminal.errors import MembercardError

_log = logging.getLogger(__name__)
_TITLE: Final = "membercard reader service"
_NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI would send texts of exceptions and refused fields to whomever the environment names; they may be personal."""
_SWEEP_SECONDS: Final = 600.0
_RELEASE_SECONDS: Final = 60.0

_RESOURCES: Final[tuple[APIRouter, ...]] = (
    session.router,
    readers.router,
    verify.router,
    reading.router,
    lanes.router,
    machines.router,
    rosters.router,
    batches.router,
    reviewing.router,
    editing.router,
    queue.router,
    stock.router,
    members.router,
    cards.router,
    losses.router,
    amendments.router,
    boxes.router,
    moves.router,
    updates.router,
    programmes.router,
    merchants.router,
    merchants.changes_router,
    redemptions.router,
    redeeming.router,
    cashiers.router,
    redeeming.records_router,
    redemptions.findings_router,
    distant.router,
    settlement.router,
    settlement.disputes_router,
    rushes.router,
    lists.router,
    audit.router,
    statistics.router,
    units.router,
    developer.router,
    users.router,
    users.tokens_router,
    waiting.router,
    events.router,
)
"""The resources under ``/api/v1``, one module each."""


def _build_routes() -> list[BaseRoute]:
    root = APIRouter()
    for resource in _RESOURCES:
        root.include_router(resource, prefix=PREFIX)
    for router in (health.router, metrics.router, document.router, *pages.ROUTERS):
        root.include_router(router)
    root.mount("/static", pages.static_files())
    return root.routes


_ROUTES: Final = tuple(_build_routes())
"""All routes. They belong to no service: an endpoint finds its own by the application that a request came to."""


@cache
def api_document() -> dict[str, Any]:
    """The OpenAPI document of the API, the same for every service. Not to be changed."""
    return document.build(_TITLE, _ROUTES)


def create_app(service: ReaderService) -> FastAPI:
    """The application of a service that the caller starts and closes."""
    parts, accounts = service.parts, service.accounts
    measures = metrics.Measures()
    app = FastAPI(
        title=_TITLE,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        routes=[*_ROUTES],
        telemetry=_NO_TELEMETRY,
        lifespan=_housekeeping(service),
    )
    app.openapi = api_document  # type: ignore[method-assign]
    app.state.service = service
    app.state.measures = measures
    app.state.connections = ConnectionLimit(accounts.settings.listeners, measures.listeners.set)
    app.state.audience = events.Audience(service.bus, measures)
    app.state.checks = health.Checks(parts.registry, parts.custody, service.readers if parts.pcsc else None)
    page = pages.refusals(service)
    errors.install(app, page)
    store, replayed = service.registry.idempotency_keys, accounts.replayed
    app.add_middleware(WriteGuard, settings=accounts.settings, store=store, replayed=replayed, page=page)
    app.add_middleware(RequestMiddleware, accounts=accounts, measures=measures, page=page)
    return app


def _housekeeping(service: ReaderService) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_sweep, service)
            tasks.start_soon(_renew, service)
            tasks.start_soon(_book_again, service)
            tasks.start_soon(_release_memory)
            yield
            tasks.cancel_scope.cancel()

    return lifespan


async def _sweep(service: ReaderService) -> None:
    """Delete what has expired from the registry: sessions, stored responses and failed logins."""
    registry = service.registry
    while True:
        with suppress(RegistryError):  # away: the next round does it
            await to_thread.run_sync(registry.sessions.sweep)
            await to_thread.run_sync(registry.idempotency_keys.sweep)
            await to_thread.run_sync(registry.login_failures.sweep, service.accounts.throttle.longest_memory)
        await anyio.sleep(_SWEEP_SECONDS)


async def _renew(service: ReaderService) -> None:
    """Have a fresh hotlist for the counters that fetch it."""
    while True:
        await anyio.sleep(_SWEEP_SECONDS)
        try:
            await to_thread.run_sync(service.lists.renew)
        except MembercardError as fault:  # away, or a restore is not checked: the next round does it
            _log.warning("the hotlist is not published again: %s", fault)


async def _book_again(service: ReaderService) -> None:
    """Book what came before its card was on record."""
    while True:
        await anyio.sleep(_SWEEP_SECONDS)
        try:
            await to_thread.run_sync(service.booking.renew)
        except MembercardError as fault:  # away, or without the key: the next round does it
            _log.warning("redemptions of cards that are on record now are not booked: %s", fault)


async def _release_memory() -> None:
    """Give back what a crowd has left."""
    while True:
        await anyio.sleep(_RELEASE_SECONDS)
        await to_thread.run_sync(process.release_memory)
