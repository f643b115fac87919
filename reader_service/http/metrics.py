"""Metrics for Prometheus: requests by route, listeners, readers. No label holds personal data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from reader_service.access.addresses import is_loopback
from reader_service.errors import NotSignedIn
from reader_service.http.resource import Svc, origin_of, principal_of
from reader_service.principal import Permission, Principal, Role
from reader_service.services.counter.fetched_lists import ListDates
from reader_service.services.counter.fetching import FetchState
from reader_service.services.redeeming.values import RedemptionQueue
from reader_service.tls import TlsFiles

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SELF: Final = Principal("the service itself", frozenset({Role.OPERATOR}))


class Measures:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("membercard_requests", "Requests answered.", labels, registry=self.registry)
        self._seconds = Histogram(
            "membercard_request_seconds",
            "From a request's headers to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.listeners = Gauge("membercard_event_listeners", "Listeners to events.", registry=self.registry)
        self.dropped = Counter(
            "membercard_event_listeners_dropped", "Listeners let go because they fell behind.", registry=self.registry
        )
        self._expiry = Gauge(
            "membercard_tls_expiry_seconds",
            "Seconds until the first certificate of each kind expires; negative afterwards.",
            ("kind",),
            registry=self.registry,
        )
        self._readers = Gauge("membercard_readers", "Readers by state.", ("state",), registry=self.registry)
        self._queue = Gauge(
            "membercard_redemption_queue",
            "A counter's journal: rows that wait for the office, open requests, damaged places.",
            ("what",),
            registry=self.registry,
        )
        self._queue_seconds = Gauge(
            "membercard_redemption_queue_seconds", "Age of the oldest row that waits.", registry=self.registry
        )
        self._upload_fault = Gauge(
            "membercard_redemption_upload_fault",
            "1 where the last upload of a counter failed, by fault.",
            ("fault",),
            registry=self.registry,
        )
        self._lists = Gauge(
            "membercard_list_seconds_left",
            "Seconds until a counter may rely on a list no more; negative afterwards.",
            ("list",),
            registry=self.registry,
        )
        self._fetch_fault = Gauge(
            "membercard_list_fetch_fault",
            "1 where the last fetch of a counter's lists failed, by fault.",
            ("fault",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)  # memory, processor time, open files
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._times: dict[str, Histogram] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. The labelled metrics are cached, as every request is counted."""
        counted = self._counts.get((method, route, status))
        if counted is None:
            counted = self._counts[method, route, status] = self._requests.labels(method, route, str(status))
        counted.inc()
        timed = self._times.get(route)
        if timed is None:
            timed = self._times[route] = self._seconds.labels(route)
        timed.observe(seconds)

    def readers(self, states: list[str]) -> None:
        """Set the number of readers in each state."""
        self._readers.clear()
        for state in states:
            self._readers.labels(state).inc()

    def redemptions(self, queue: RedemptionQueue, now: datetime) -> None:
        """Set what waits at a counter."""
        for what in ("waiting", "open", "damaged"):
            self._queue.labels(what).set(getattr(queue, what))
        since = queue.waiting_since
        self._queue_seconds.set(max(0.0, (now - since).total_seconds()) if since else 0.0)
        self._upload_fault.clear()
        if queue.fault is not None:
            self._upload_fault.labels(queue.fault.value).set(1)

    def lists(self, dates: Iterable[ListDates], fetch: FetchState, now: datetime) -> None:
        """Set how long a counter may rely on its lists, and why no newer one came."""
        self._lists.clear()
        for one in dates:
            if one.ends is not None:
                self._lists.labels(one.kind.value).set((one.ends - now).total_seconds())
        self._fetch_fault.clear()
        if fetch.fault is not None:
            self._fetch_fault.labels(fetch.fault.value).set(1)

    def certificates(self, seconds_left: Mapping[str, float]) -> None:
        """Set the time that each kind of certificate has left."""
        for kind, seconds in seconds_left.items():
            self._expiry.labels(kind).set(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)


router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request, service: Svc) -> Response:
    """For callers with the permission ``metrics``, and for programs on this machine."""
    principal = principal_of(request)
    if principal is not None:
        principal.need(Permission.METRICS)
    elif not is_loopback(origin_of(request)):
        raise NotSignedIn("sign in first, or send a token that is in force")
    measures: Measures = request.app.state.measures
    measures.readers([reader.state.value for reader in service.readers.readers(_SELF)])
    if service.redemptions.enabled:
        measures.redemptions(service.redemptions.queue_now(), service.parts.clock())
    fetch = service.fetching.state(_SELF)
    if fetch.enabled:
        measures.lists(service.fetching.dates(_SELF), fetch, service.parts.clock())
    tls: TlsFiles | None = getattr(request.app.state, "tls", None)
    if tls is not None:
        measures.certificates(tls.seconds_left())
    return Response(measures.text(), media_type=CONTENT_TYPE_LATEST)
