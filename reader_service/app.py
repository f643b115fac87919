"""The ASGI application of one service: API, pages and the middleware before both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

import anyio
from anyio import to_thread
from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from reader_service import process
from reader_service.api import (
    audit,
    batches,
    cards,
    developer,
    events,
    lanes,
    lists,
    members,
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
from reader_service.http import document, errors, health, metrics
from reader_service.http.middleware import RequestMiddleware
from reader_service.http.resource import PREFIX
from reader_service.http.stream_limits import ConnectionLimit
from reader_service.http.write_guard import WriteGuard
from reader_service.pages import app as pages
from reader_service.service import ReaderService
from registry.errors import RegistryError

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

ROUTERS: Final[tuple[APIRouter, ...]] = (
    session.router,
    readers.router,
    verify.router,
    reading.router,
    lanes.router,
    rosters.router,
    batches.router,
    members.router,
    cards.router,
    lists.router,
    audit.router,
    statistics.router,
    units.router,
    developer.router,
    users.router,
    users.tokens_router,
    waiting.router,
)
"""The resources under ``/api/v1``, one module each."""


def create_app(service: ReaderService) -> FastAPI:
    """The application of a service that the caller starts and closes."""
    settings = service.accounts.settings
    measures = metrics.Measures()
    connections = ConnectionLimit(settings.listeners, measures.listeners.set)
    app = FastAPI(
        title="membercard reader service",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        lifespan=_housekeeping(service),
    )
    app.state.service = service
    app.state.accounts = service.accounts
    app.state.connections = connections
    for router in (*ROUTERS, events.router(service.bus, settings, measures, connections)):
        app.include_router(router, prefix=PREFIX)
    app.include_router(health.router(service))
    app.include_router(metrics.router(measures))
    document.install(app, PREFIX)
    page = pages.refusals(service)
    errors.install(app, page)
    app.include_router(pages.router(service))
    app.mount("/static", pages.static_files())
    store, replayed = service.registry.idempotency_keys, service.accounts.replayed
    app.add_middleware(WriteGuard, settings=settings, store=store, replayed=replayed, page=page)
    app.add_middleware(RequestMiddleware, accounts=service.accounts, measures=measures, page=page)
    return app


def _housekeeping(service: ReaderService) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_sweep, service)
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


async def _release_memory() -> None:
    """Give back what a crowd has left."""
    while True:
        await anyio.sleep(_RELEASE_SECONDS)
        await to_thread.run_sync(process.release_memory)
