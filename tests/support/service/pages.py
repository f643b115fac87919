"""The seeded station served in this process, and a browser that notices what no page may do: speak to anybody else,
break its own policy, or throw errors."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from membercard import settings
from membercard.demo.setup import CONFIG
from membercard.demo.station import DemoStation
from membercard.wiring.service import station_parts
from reader_service.app import create_app
from reader_service.service import ReaderService
from tests.support.waiting import PATIENCE, eventually

expect.set_options(timeout=1000 * PATIENCE)

CHROMIUM = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
"""The first of these that is there. The shell draws no window around a page, which costs as much as the page."""
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-site-isolation-trials",  # all pages are of one site: no process is kept ready for another
)
UNANSWERED = ("htmx:afterRequest", "htmx:sendError", "htmx:sendAbort")
"""What htmx writes of a request that ended with its page. The browser itself writes of one that failed otherwise."""
_CUT = "net::ERR_"
_LISTENS = """{ const Source = EventSource; window.EventSource = class extends Source {
  constructor(...given) {
    super(...given);
    this.addEventListener("open", () => document.documentElement.setAttribute("data-listens", ""));
  }
} }"""
"""Marks a page once its stream of events is accepted."""
SIZE = {"width": 1280, "height": 800}
TABLET = {"width": 1024, "height": 768}
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1920, "height": 1080}
PAGES = (
    "station",
    "counter",
    "intake",
    "registry",
    "packing",
    "programme",
    "merchants",
    "settlements",
    "progress",
    "developer",
    "audit",
    "users",
)


@dataclass(frozen=True)
class Served:
    """A running service. ``base`` is its address without a slash at the end."""

    base: str
    station: DemoStation
    service: ReaderService


def paths(at: Served) -> dict[str, str]:
    """The address of each page of the navigation, and of one page of each kind below it."""
    deep = {
        "waiting": "/waiting",
        "batch": f"/intake/{at.station.draft}",
        "review": f"/intake/{at.station.draft}/review",
        "edit": f"/intake/{at.station.draft}/edit",
        "member": "/registry/1",
        "cards": "/registry?state=lost",
        "person": "/users/operator",
    }
    return {name: f"/{name}" for name in PAGES} | {"audit": "/audit?action=user."} | deep


def all_paths(at: Served) -> dict[str, str]:
    """As ``paths``, with a reader chosen, and with the pages that everybody has."""
    more = {
        "counter": "/counter?reader=counter",
        "developer": "/developer?reader=stock-4",
        "station batch": f"/station/batches/{at.station.prepared}",
        "units": "/progress/units",
        "programme edition": f"/programme/editions/{edition(at)}",
        "programme check": "/programme/check",
        "programme proposals": "/programme/proposals",
        "programme proposal": "/programme/proposals/1",
        "merchant changes": "/merchants/changes",
        "merchant import": "/merchants/import",
        "findings": "/settlements/findings",
        "redemptions": "/settlements/redemptions",
        "disputes": "/settlements/disputes",
        "payouts": "/settlements/payouts",
        "waiting": "/waiting",
        "password": "/password",
    }
    return paths(at) | more


def edition(at: Served) -> int:
    """The newest edition of the programme."""
    newest = at.service.registry.programme_editions.newest()
    if newest is None:
        raise LookupError("the station has no programme")
    return newest.version


@contextmanager
def served(station: DemoStation, **changes: Any) -> Iterator[Served]:
    """The station's service on a port of its own, until the block ends. ``changes`` are fields of ServiceParts."""
    settings.activate(station.home / CONFIG)
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        parts = station_parts(
            registry, keystore, readers=station.lanes, counters={station.counter: "Counter"}, pcsc=False
        )
        service = ReaderService(replace(parts, **changes))
        service.start()
        try:
            with _listening(service) as base:
                yield Served(base, station, service)
        finally:
            service.close()


@contextmanager
def _listening(service: ReaderService) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(service), log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    if not eventually(lambda: server.started or not thread.is_alive()) or not thread.is_alive():
        raise RuntimeError("the service did not begin to listen")
    try:
        yield f"http://localhost:{listener.getsockname()[1]}"
    finally:
        service.bus.close()
        server.should_exit = True
        thread.join(PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser, with all that calls home turned off."""
    program = next((one for one in CHROMIUM if Path(one).exists()), CHROMIUM[-1])
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def opener(dialog: str) -> str:
    """The selector of the buttons that open a dialog."""
    return f"[command='show-modal'][commandfor='{dialog}']"


@dataclass
class Watch:
    """What a page did that it must not do."""

    host: str
    faults: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)
    """Status codes that the test provokes; the browser tells the console of each of them."""
    cut: bool = False
    """Whether the test cuts connections."""

    def over(self, page: Page) -> Page:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        expected = any(f" {code} " in message.text for code in self.expected) or (self.cut and _CUT in message.text)
        if message.type in ("error", "warning") and not expected and not message.text.startswith(UNANSWERED):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and parts.netloc != self.host:
            self.faults.append(f"asked somebody else: {parts.scheme}://{parts.netloc}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"{response.status}: {response.request.method} {urlsplit(response.url).path}")


@dataclass
class Sessions:
    """Users at the browser: each signs in once in each language, and their pages are watched."""

    browser: Browser
    at: Served
    _states: dict[tuple[str, str], Any] = field(default_factory=dict)
    _open: list[tuple[BrowserContext, Watch]] = field(default_factory=list)
    _read: dict[tuple[str, str, str], tuple[Page, Watch]] = field(default_factory=dict)

    def read_page(self, name: str, language: str = "zh", *, path: str, color_scheme: str = "light") -> Page:
        """As ``open_page``, for tests that change nothing which outlasts the page: the next of them has the same
        browser context, which takes half the time."""
        key = (name, language, color_scheme)
        if key not in self._read:
            self._read[key] = self.open_page(name, language, path=None, color_scheme=color_scheme)
            self._open.pop()
        page, _ = self._read[key]
        page.emulate_media(media="null", color_scheme="dark" if color_scheme == "dark" else "light")
        page.set_viewport_size(SIZE)
        page.goto(path)
        return page

    def open_page(
        self, name: str, language: str = "zh", *, path: str | None = "/", **options: Any
    ) -> tuple[Page, Watch]:
        """A page of this user, open at ``path``, if any. ``options`` are the browser context's."""
        options.setdefault("viewport", SIZE)
        options.setdefault("locale", "zh-CN" if language == "zh" else "en-GB")
        if (name, language) not in self._states:
            self._states[name, language] = self._sign_in(name, language)
        context = self.browser.new_context(
            base_url=self.at.base, storage_state=self._states[name, language], accept_downloads=True, **options
        )
        watch = Watch(urlsplit(self.at.base).netloc)
        self._open.append((context, watch))
        page = watch.over(context.new_page())
        page.set_default_timeout(1000 * PATIENCE)
        page.add_init_script(_LISTENS)
        if path is not None:
            page.goto(path)
            if page.locator("#counter-reader").count():
                # A verdict from before a page listens is not shown: it may be that of another card.
                page.wait_for_selector("html[data-listens]", state="attached")
        return page, watch

    def close_all(self) -> list[str]:
        """Close all pages; gives what they did that they must not do."""
        watches = [watch for _, watch in (*self._open, *self._read.values())]
        faults = [fault for watch in watches for fault in watch.faults]
        for _, watch in self._read.values():
            watch.faults.clear()
        for context, _ in self._open:
            context.close()
        self._open.clear()
        return faults

    def end(self) -> None:
        """Close also the pages that ``read_page`` keeps."""
        for page, _ in self._read.values():
            page.context.close()
        self._read.clear()

    def _sign_in(self, name: str, language: str) -> Any:
        """As the sign-in page does it, and the button for the other language."""
        password = self.at.station.passwords[name].reveal().decode()
        with self.browser.new_context(base_url=self.at.base) as context:
            asks = {"headers": {"Origin": self.at.base}, "fail_on_status_code": True}
            me = context.request.post("/api/v1/session", data={"name": name, "password": password}, **asks).json()
            context.request.post(
                "/language", form={"csrf": me["csrf"], "language": language, "back": "/password"}, **asks
            )
            return context.storage_state()
