"""Whether the service lives, and whether it can work: for whoever watches over it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import anyio
from anyio import to_thread
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from reader_service.service import ReaderService
from terminal.errors import MembercardError

_KEPT_SECONDS: Final = 2.0


class HealthResponse(BaseModel):
    """``parts`` says ``ok`` or ``away`` of each part that the service works with."""

    ready: bool
    parts: dict[str, str]


class Checks:
    """Looks at each part, at most every two seconds and once at a time, however often it is asked: a database that does
    not answer keeps one thread waiting, and not one for everybody who wants to know."""

    def __init__(self, service: ReaderService, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._turn = anyio.Lock()
        self._last: tuple[float, HealthResponse] | None = None
        custody = service.parts.custody
        self._watched = service.readers if service.parts.pcsc else None
        self._checks: dict[str, Callable[[], object]] = {
            "database": lambda: service.registry.users.page(None, 1),
            "custody": lambda: custody.seal(custody.latest("seal"), b"ready", "ready"),
        }

    async def health(self) -> HealthResponse:
        async with self._turn:
            now = self._ticks()
            if self._last is None or now - self._last[0] > _KEPT_SECONDS:
                found = await to_thread.run_sync(self._look)
                self._last = self._ticks(), found
            return self._last[1]

    def _look(self) -> HealthResponse:
        parts = {name: _state(check) for name, check in self._checks.items()}
        if self._watched is not None:
            parts["pcscd"] = "away" if self._watched.pcsc_away else "ok"
        return HealthResponse(ready=all(state == "ok" for state in parts.values()), parts=parts)


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except MembercardError:
        return "away"
    return "ok"


def router(service: ReaderService) -> APIRouter:
    made = APIRouter(prefix="/health", tags=["health"])
    checks = Checks(service)

    @made.get("/live")
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @made.get("/ready", responses={503: {"model": HealthResponse}})
    async def ready() -> Response:
        """503 while a part is away that most work needs; a counter may work all the same."""
        found = await checks.health()
        return JSONResponse(found.model_dump(), 200 if found.ready else 503)

    return made
