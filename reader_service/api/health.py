"""Whether the service lives, and whether it can work: for whoever watches over it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from reader_service.service import Service
from terminal.errors import MembercardError

_KEPT_SECONDS: Final = 2.0


class Health(BaseModel):
    """``parts`` says ``ok`` or ``away`` of each part that the service works with."""

    ready: bool
    parts: dict[str, str]


class Checks:
    """Looks at each part, at most every two seconds however often it is asked."""

    def __init__(self, service: Service, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._lock = threading.Lock()
        self._last: tuple[float, Health] | None = None
        custody = service.parts.custody
        self._watched = service.readers if service.parts.pcsc else None
        self._checks: dict[str, Callable[[], object]] = {
            "database": lambda: service.registry.people.page(None, 1),
            "custody": lambda: custody.seal(custody.latest("seal"), b"ready", "ready"),
        }

    def health(self) -> Health:
        with self._lock:
            now = self._ticks()
            if self._last is None or now - self._last[0] > _KEPT_SECONDS:
                parts = {name: _state(check) for name, check in self._checks.items()}
                if self._watched is not None:
                    parts["pcscd"] = "away" if self._watched.pcsc_away else "ok"
                self._last = now, Health(ready=all(state == "ok" for state in parts.values()), parts=parts)
            return self._last[1]


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except MembercardError:
        return "away"
    return "ok"


def router(service: Service) -> APIRouter:
    made = APIRouter(prefix="/health", tags=["health"])
    checks = Checks(service)

    @made.get("/live")
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @made.get("/ready", responses={503: {"model": Health}})
    def ready() -> Response:
        """503 while a part is away that most work needs; a counter may work all the same."""
        found = checks.health()
        return JSONResponse(found.model_dump(), 200 if found.ready else 503)

    return made
