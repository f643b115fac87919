"""Liveness and readiness of the service, for monitors and load balancers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import anyio
from anyio import to_thread
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from registry.store import Registry
from terminal.errors import MembercardError
from terminal.keys import KeyCustody

_CACHE_SECONDS: Final = 2.0


class HealthResponse(BaseModel):
    """The readiness of the service. `parts` gives `ok` or `away` for each part that it depends on."""

    ready: bool
    parts: dict[str, str]


class PcscWatch(Protocol):
    """The watch of the PC/SC service, as far as readiness depends on it."""

    @property
    def pcsc_away(self) -> bool: ...


class Checks:
    """Checks each part at most every two seconds and one check at a time, however many requests come: a database that
    does not answer blocks one thread, not one per request. ``watched`` is None where no PC/SC service is used."""

    def __init__(
        self,
        registry: Registry,
        custody: KeyCustody,
        watched: PcscWatch | None,
        *,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ticks = ticks
        self._turn = anyio.Lock()
        self._last: tuple[float, HealthResponse] | None = None
        self._watched = watched
        self._checks: dict[str, Callable[[], object]] = {
            "database": lambda: registry.users.page(None, 1),
            "custody": lambda: custody.seal(custody.latest("seal"), b"ready", "ready"),
        }

    async def health(self) -> HealthResponse:
        async with self._turn:
            now = self._ticks()
            if self._last is None or now - self._last[0] > _CACHE_SECONDS:
                health = await to_thread.run_sync(self._look)
                self._last = self._ticks(), health
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


router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Check liveness", description="Answers as long as the process runs.")
async def live() -> dict[str, bool]:
    return {"live": True}


@router.get(
    "/ready",
    summary="Check readiness",
    description="Answers 503 while a part is away that most work needs; counters may still verify cards.",
    responses={503: {"model": HealthResponse}},
)
async def ready(request: Request) -> Response:
    checks: Checks = request.app.state.checks
    health = await checks.health()
    return JSONResponse(health.model_dump(), 200 if health.ready else 503)
