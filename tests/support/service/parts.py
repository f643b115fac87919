"""The parts of a service under test: the issuer of the tests, a registry, no PC/SC, and a bus that remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from personalize.lists import current_hotlist, own_trust
from personalize.profiles.profile import default_profile
from reader_service.events import Event, EventBus
from reader_service.parts import LineParts, ServiceParts
from registry.store import Registry
from terminal.apdu import open_reader
from terminal.member.lists import CounterLists
from tests.support import issuer


class Heard(EventBus):
    """A bus that remembers everything."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def publish(self, kind: str, topic: str, data: object) -> Event:
        event = super().publish(kind, topic, data)  # type: ignore[arg-type]
        self.events.append(event)
        return event

    def of(self, kind: str, topic: str | None = None) -> list[Event]:
        return [event for event in list(self.events) if event.kind == kind and topic in (None, event.topic)]


def service_parts(
    registry: Registry, line: LineParts, directory: Path, clock: Callable[[], datetime], **changes: Any
) -> ServiceParts:
    """The parts of station ``test``; ``changes`` are fields of ServiceParts."""
    profile = default_profile()

    def lists() -> CounterLists:
        now = clock()
        return CounterLists(own_trust(issuer.custody(), profile.trust, now), current_hotlist(registry, now))

    plain = ServiceParts(
        registry=registry,
        custody=issuer.custody(),
        line=line,
        lists=lists,
        open_reader=open_reader,
        station="test",
        data_dir=directory,
        pcsc=False,
        clock=clock,
    )
    return replace(plain, **changes)
