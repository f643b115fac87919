"""The application: API, pages and the door before both, for one service."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from reader_service.api import errors
from reader_service.service import Service

PREFIX = "/api/v1"


def api_routers() -> tuple[APIRouter, ...]:
    """The resources under ``/api/v1``, one module each."""
    return ()


def create_app(service: Service) -> FastAPI:
    """``service`` is started and closed by whoever made it."""
    app = FastAPI(title="membercard reader service", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = service
    errors.install(app)
    for router in api_routers():
        app.include_router(router, prefix=PREFIX)
    return app
