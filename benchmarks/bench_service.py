"""The reader service: the time that HTTP, events and pages add, and the lanes and listeners of one process.

Run alone (`python -m benchmarks.bench_service --listen 600`) it takes options and any of the names below.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvloop

from benchmarks.serving.chip_processes import SCHEME, chip_processes
from benchmarks.serving.listeners import Listener, in_order, listen
from benchmarks.serving.load import requests_a_second
from benchmarks.serving.service_process import EMPTY, Served, served
from benchmarks.table import Row
from personalize.line.lanes import PersonalizationLine
from reader_service.events import RING_SIZE
from reader_service.principal import Role
from terminal.apdu import open_reader
from tests.support import issuer
from tests.support.cards.card_bench import fast_directory
from tests.support.service.pages import chromium
from tests.support.service.process import PASSWORD, ApiClient, ServiceDirectory

VERIFICATIONS, READ_ROUNDS, INSERTIONS, SHOWN = 60, 11, 300, 60
LANES, CARDS_A_LANE, CHIP_PROCESSES = 32, 12, 4
LISTENERS, RATE, SECONDS = 1000, 100, 60.0
CROWD, CROWD_PATHS = 500, ("/api/v1/readers", "/api/v1/batches", "/api/v1/session")


@dataclass(frozen=True)
class MeasuredService:
    """A data directory with issued cards, and a token for every request that is measured."""

    home: ServiceDirectory
    token: str
    cards: tuple[Path, ...]

    @property
    def config(self) -> str:
        return str(self.home.config("station"))

    @contextmanager
    def client(self, at: Served) -> Iterator[ApiClient]:
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=at.url, timeout=60, headers=headers) as http:
            yield ApiClient(http)


@contextmanager
def measured_service(cards: int = 1, waiting: int = 0) -> Iterator[MeasuredService]:
    """``cards`` issued cards, and a prepared batch of ``waiting`` cards with as many blanks."""
    with fast_directory() as directory:
        home = ServiceDirectory(directory, f"sqlite:///{directory / 'membercard.db'}", keys=max(40, cards + waiting))
        with home.registry() as registry:
            batch = issuer.prepared(registry, cards, directory)
            feeder = open_reader(f"sim:{home.blanks(cards, home.slot_cards)}")
            PersonalizationLine(issuer.job(registry, batch), remake=lambda: 0).run([feeder])
            if waiting:
                issuer.prepared(registry, waiting, directory, start=cards + 1)
                home.blanks(waiting)
        token = home.token(Role.OPERATOR, Role.COUNTER, Role.DEVELOPER)
        yield MeasuredService(home, token, tuple(sorted((home.slot_cards / "issued").glob("*.card"))))


def run(listen: float = SECONDS) -> list[Row]:
    """``listen``: how long listeners listen, in seconds."""
    return [*verification(), *reading(), *insertion(), *counter_page(), *lanes(), *listening(listen), *crowd()]


# --- a verification ---------------------------------------------------------------------------------------------------


def verification() -> Iterator[Row]:
    """POST /verify over a keep-alive connection, in turns with the same work in that process without the service."""
    with measured_service() as setup:
        for timing, what, target in (("?timing=real", "as slow as a real chip", 1.3), ("", "that takes no time", None)):
            slot = f"sim:slot/counter?{timing.removeprefix('?')}&card={setup.cards[0]}".replace("?&", "?")
            with served(setup.config, f"counter={slot}") as at, setup.client(at) as client:
                (reader,) = client.get("/readers")
                body = {"reader": reader["id"]}
                over_http, inside = [], []
                for _ in range(VERIFICATIONS if not timing else VERIFICATIONS // 4):
                    began = time.perf_counter()
                    verdict = client.post("/verify", body)["verdict"]
                    over_http.append(time.perf_counter() - began)
                    code, seconds = at.call("verify", f"sim:{setup.cards[0]}{timing}")
                    inside.append(seconds)
                    if (verdict, code) != ("ACTIVE", "ACTIVE"):
                        raise RuntimeError(f"the card is {verdict} over HTTP and {code} inside")
            ours, bare = statistics.median(over_http), statistics.median(inside)
            ratio = statistics.median(a / b for a, b in zip(over_http, inside, strict=True))
            measured = f"{ours * 1000:.1f} ms against {bare * 1000:.1f} ms"
            what = f"POST /verify against the same in process, card {what}"
            yield Row(what, measured, ratio, f"≤ {target}" if target else "reported", not target or ratio <= target)


# --- requests ---------------------------------------------------------------------------------------------------------


def reading() -> Iterator[Row]:
    """Two processes with the same server, measured in turns: this service, and FastAPI with an empty endpoint."""
    with measured_service() as setup, served(setup.config, "sim:slot/counter") as ours, served(EMPTY) as empty:
        headers = {"Authorization": f"Bearer {setup.token}"}
        for path in ("/api/v1/readers", "/api/v1/session"):
            rounds = []
            for _ in range(READ_ROUNDS):
                ours_rate = requests_a_second(ours.address, path, headers, seconds=0.7)
                rounds.append((ours_rate, requests_a_second(empty.address, "/api/v1/session", headers, seconds=0.7)))
            ratio = statistics.median(mine / other for mine, other in rounds)
            mine, other = (statistics.median(column) for column in zip(*rounds, strict=True))
            measured = f"{mine:,.0f} a second against {other:,.0f}"
            yield Row(f"GET {path} with a token against an empty endpoint", measured, ratio, "≥ 0.5", ratio >= 0.5)


# --- from the card to its viewers -------------------------------------------------------------------------------------


def percentile(values: list[float], share: float) -> float:
    """The percentile ``share`` (0 to 1) of the values."""
    return sorted(values)[max(0, -(-len(values) * round(share * 100) // 100) - 1)]


def insertion() -> Iterator[Row]:
    """From a card inserted into a virtual slot to its event at a WebSocket client in another process."""
    with measured_service() as setup, served(setup.config, "sim:slot/counter") as at, setup.client(at) as client:
        (reader,) = client.get("/readers")
        seconds = uvloop.run(_insertions(at, setup, reader["id"]))
    late = percentile(seconds, 0.99) * 1000
    measured = f"p50 {statistics.median(seconds) * 1000:.1f} ms, p99 {late:.1f} ms of {len(seconds)}"
    yield Row("card in a virtual reader to event at a WebSocket client", measured, late, "p99 ≤ 50 ms", late <= 50)


async def _insertions(at: Served, setup: MeasuredService, reader: str) -> list[float]:
    arrived: asyncio.Queue[float] = asyncio.Queue()

    def on_message(payload: bytes) -> None:
        if b'"card.inserted"' in payload:
            arrived.put_nowait(time.monotonic())

    listener = await listen(at.address, setup.token, b"card.inserted", on_message)
    seconds = []
    for _ in range(INSERTIONS):
        inserting = asyncio.create_task(asyncio.to_thread(at.call, "insert", reader, str(setup.cards[0])))
        async with asyncio.timeout(30):
            came = await arrived.get()
        began, _ = await inserting
        seconds.append(came - began)
        await asyncio.to_thread(at.call, "eject", reader)
        await asyncio.sleep(0.005)
    listener.close()
    return seconds


_RECORD_VERDICTS = """
window.seen = [];
document.addEventListener("part", ({ detail: { part } }) => {
  if (part.id === "verdict" && part.dataset.verdict)
    requestAnimationFrame(() => window.seen.push((performance.timeOrigin + performance.now()) / 1000));
});
"""
"""Records when the browser paints a verdict."""


def counter_page() -> Iterator[Row]:
    """From an inserted card to the verdict that Chromium paints on the Counter page. The card itself takes no time."""
    slot = "sim:slot/counter"
    with (
        measured_service() as setup,
        served(setup.config, f"counter={slot}") as at,
        setup.client(at) as client,
        chromium() as browser,
    ):
        (reader,) = client.get("/readers")
        name = setup.home.person("counter", Role.COUNTER)
        signed = client.http.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        signed.raise_for_status()
        context = browser.new_context()
        context.add_cookies([{"name": n, "value": v, "url": at.url} for n, v in signed.cookies.items()])
        context.add_init_script(_RECORD_VERDICTS)
        page = context.new_page()
        page.goto(f"{at.url}/counter?reader={reader['id']}")
        page.wait_for_timeout(1000)
        seconds = []
        for number in range(SHOWN):
            _, began = at.call("insert", reader["id"], str(setup.cards[0]))
            page.wait_for_function("count => window.seen.length > count", arg=number, timeout=10_000)
            seconds.append(page.evaluate("window.seen.at(-1)") - began)
            at.call("eject", reader["id"])
            page.wait_for_timeout(100)
    late = percentile(seconds, 0.95) * 1000
    measured = f"p50 {statistics.median(seconds) * 1000:.0f} ms, p95 {late:.0f} ms of {len(seconds)}"
    yield Row("card in to verdict painted on the Counter page, Chromium", measured, late, "p95 ≤ 300 ms", late <= 300)


# --- lanes ------------------------------------------------------------------------------------------------------------


def lanes() -> Iterator[Row]:
    """The same number of cards a lane over one lane and over many; exchanges as slow as on a real chip (T=1, TA1=11).

    The chips compute in processes of their own, on the same machine.
    """
    seconds = {count: _lanes(count) for count in (1, LANES)}
    ratio = LANES * seconds[1] / seconds[LANES]
    cards = LANES * CARDS_A_LANE
    measured = f"{cards} cards in {seconds[LANES]:.1f} s against {CARDS_A_LANE} in {seconds[1]:.1f} s"
    yield Row(f"{LANES} lanes in one process against one lane, cards a second", measured, ratio, "≥ 30", ratio >= 30)


def _lanes(count: int) -> float:
    """Seconds from the start until the last card is verified."""
    cards = count * CARDS_A_LANE
    with measured_service(waiting=cards) as setup, chip_processes(setup.home.stock.parent, CHIP_PROCESSES) as sockets:
        urls = [f"{SCHEME}{sockets[n % len(sockets)]}:sim:{setup.home.stock}?timing=real" for n in range(count)]
        with served(setup.config, *urls) as at, setup.client(at) as client:
            batch = client.get("/batches")["items"][0]["id"]
            readers = [reader["id"] for reader in client.get("/readers")]
            began = time.monotonic()
            client.post("/lanes", {"batch": batch, "readers": readers})
            # Not over HTTP, which would use part of the measured time.
            while (verified := at.call("verified", batch)) < cards:
                if time.monotonic() - began > 60:
                    raise RuntimeError(f"{verified} of {cards} cards after a minute")
                time.sleep(0.1)
            return time.monotonic() - began


# --- listeners --------------------------------------------------------------------------------------------------------


def listening(seconds: float) -> Iterator[Row]:
    """Every listener receives every event; the memory of the service at the end against that after a third of the time.

    The stored events are replaced once (100 s) before the memory can be constant.
    """
    with measured_service() as setup, served(setup.config, "sim:slot/counter") as at, setup.client(at) as client:
        (reader,) = client.get("/readers")
        yield uvloop.run(_listening(at, setup, reader["id"], seconds))


async def _listening(at: Served, setup: MeasuredService, reader: str, seconds: float) -> Row:
    payloads: list[bytes] = []
    mark = b'"count":'
    listeners: list[Listener] = [await listen(at.address, setup.token, mark, payloads.append)]
    # Fill the store of events for reconnecting clients, each with its encoded text.
    await asyncio.to_thread(at.call, "publish", 10.0, RING_SIZE / 10, reader)
    while len(listeners) < LISTENERS:
        some = min(50, LISTENERS - len(listeners))
        listeners += await asyncio.gather(*(listen(at.address, setup.token, mark) for _ in range(some)))
    await asyncio.to_thread(at.call, "publish", 2.0, RATE, reader)  # every kind of work has been done once
    await asyncio.sleep(2)
    payloads.clear()
    before = sum(listener.count for listener in listeners)
    publishing = asyncio.create_task(asyncio.to_thread(at.call, "publish", seconds, RATE, reader))
    await asyncio.sleep(seconds / 3)
    early, cpu = at.resident(), at.cpu()
    count = await publishing
    late, cpu = at.resident(), (at.cpu() - cpu) / (seconds * 2 / 3)
    await asyncio.sleep(2)
    missed = len(listeners) * count - (sum(listener.count for listener in listeners) - before)
    lost_listeners = sum(bool(listener.lost) for listener in listeners)
    complete = in_order(payloads, "count") == list(range(count))
    for listener in listeners:
        listener.close()
    measured = (
        f"{count} events in {seconds:.0f} s: {missed} of {len(listeners) * count:,} lost, "
        f"{lost_listeners} listeners disconnected, "
        f"memory {early / 1e6:.0f} → {late / 1e6:.0f} MB, {cpu:.0%} of a core"
    )
    growth = late / early
    ok = missed == 0 and lost_listeners == 0 and complete and growth <= 1.05
    return Row(
        f"{LISTENERS:,} WebSocket clients, {RATE} events a second", measured, growth, "no loss, memory ≤ 1.05", ok
    )


# --- memory -----------------------------------------------------------------------------------------------------------


def crowd() -> Iterator[Row]:
    """The memory of the service a minute after a crowd has left, against that before it came.

    Before, one client has made each request and the stored events have been replaced once.
    """
    with measured_service() as setup, served(setup.config, "sim:slot/counter") as at, setup.client(at) as client:
        (reader,) = client.get("/readers")
        headers = {"Authorization": f"Bearer {setup.token}"}
        uvloop.run(_crowd(at, setup, reader["id"], 1, RING_SIZE / 10))
        for path in CROWD_PATHS:
            requests_a_second(at.address, path, headers, seconds=0.5, connections=1)
        before = at.resident()
        listening = threading.Thread(target=uvloop.run, args=(_crowd(at, setup, reader["id"], CROWD, RATE),))
        listening.start()
        for _ in range(3):
            for path in CROWD_PATHS:
                requests_a_second(at.address, path, headers, seconds=5, connections=64)
        listening.join()
        most = at.resident()
        time.sleep(65)  # until the service has given back what it can
        after = at.resident()
    measured = f"{before / 1e6:.0f} MB, with the crowd {most / 1e6:.0f} MB, a minute later {after / 1e6:.0f} MB"
    what = f"memory after a crowd of {CROWD} listeners and 64 clients against before it"
    yield Row(what, measured, after / before, "≤ 1.3", after / before <= 1.3)


async def _crowd(at: Served, setup: MeasuredService, reader: str, size: int, rate: float) -> None:
    listeners = [await listen(at.address, setup.token, b'"count":') for _ in range(size)]
    await asyncio.to_thread(at.call, "publish", 10.0 if size == 1 else 40.0, rate, reader)
    for listener in listeners:
        listener.close()


MEASURES: dict[str, Callable[[float], Iterator[Row]]] = {
    "verify": lambda _: verification(),
    "read": lambda _: reading(),
    "insert": lambda _: insertion(),
    "counter": lambda _: counter_page(),
    "lanes": lambda _: lanes(),
    "listen": listening,
    "crowd": lambda _: crowd(),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_service", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(MEASURES)}; all if none is named")
    parser.add_argument("--listen", type=float, default=SECONDS, metavar="SECONDS", help="how long listeners listen")
    wanted = parser.parse_args()
    for name in wanted.names or MEASURES:
        for row in MEASURES[name](wanted.listen):
            print(row, flush=True)


if __name__ == "__main__":
    main()
