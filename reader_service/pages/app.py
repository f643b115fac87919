"""The routers of all pages, and the files they load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from reader_service.http.errors import Page
from reader_service.pages import developer, session
from reader_service.pages.administration import audit, units, users, waiting
from reader_service.pages.counter import cashiers, counter, day, redeeming
from reader_service.pages.issuing import editing, intake, packing, progress, reviewing, station, stock
from reader_service.pages.programme import findings, merchants, programmes, settlements
from reader_service.pages.shell import STATIC, Shell
from reader_service.pages.window import amendments, losses, registry, window

if TYPE_CHECKING:
    from reader_service.service import ReaderService

ROUTERS: Final[tuple[APIRouter, ...]] = (
    session.router,
    stock.router,
    station.router,
    cashiers.router,
    day.router,
    redeeming.router,
    counter.router,
    reviewing.router,
    editing.router,
    intake.router,
    losses.router,
    window.router,
    amendments.router,
    registry.router,
    packing.router,
    programmes.router,
    merchants.router,
    findings.router,
    settlements.router,
    progress.router,
    units.router,
    developer.router,
    audit.router,
    users.router,
    waiting.router,
)
"""The pages under ``/``, one module each. Static files are mounted beside them (``static_files``)."""


def refusals(service: ReaderService) -> Page:
    """Presents a refusal as a page, for ``reader_service.http.errors.install``."""
    return Shell(service).refused


class _Files(StaticFiles):
    """Files that a browser caches and revalidates each time, so that an update is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def static_files() -> StaticFiles:
    """The application mounted at /static."""
    return _Files(directory=STATIC)
