"""A resource of the API: a router that looks only at what is under its own path, so that a hundred endpoints cost no
more than a few."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope

PREFIX: Final = "/api/v1"


class Resource(APIRouter):
    """Made with its ``prefix``; included by ``create_app`` under ``PREFIX``."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not scope["path"].startswith(PREFIX + self.prefix):
            return Match.NONE, {}
        return super().matches(scope)
