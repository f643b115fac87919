"""The reader service: what HTTP, events and pages add to a card, how many lanes and listeners one process bears.

Run by itself (`python -m benchmarks.bench_service --listen 600`) it takes options, and any of the names below.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvloop

from benchmarks.chips_apart import SCHEME, chips_apart
from benchmarks.listeners import Listener, in_order, listen
from benchmarks.load import requests_a_second
from benchmarks.service_station import EMPTY, Served, served
from benchmarks.table import Row
from personalize.line.lanes import PersonalizationLine
from reader_service.events import KEPT
from reader_service.principal import Role
from terminal.apdu import open_reader
from tests.support import issuer
from tests.support.cards.card_bench import fast_directory
from tests.support.service.pages import chromium
from tests.support.service.process import PASSWORD, ApiClient, ServiceDirectory

VERIFICATIONS, READ_ROUNDS, INSERTIONS, SHOWN = 60, 11, 300, 60
LANES, CARDS_A_LANE, CHIP_PROCESSES = 32, 12, 4
LISTENERS, RATE, SECONDS = 1000, 100, 60.0


@dataclass(frozen=True)
class Rig:
    """A house with issued cards in its drawer, and a token for all that is measured."""

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
def rig(cards: int = 1, waiting: int = 0) -> Iterator[Rig]:
    """``cards`` are issued, and a batch of ``waiting`` is prepared with as many blanks."""
    with fast_directory() as directory:
        home = ServiceDirectory(directory, f"sqlite:///{directory / 'membercard.db'}", keys=max(40, cards + waiting))
        with home.registry() as registry:
            batch = issuer.prepared(registry, cards, directory)
            feeder = open_reader(f"sim:{home.blanks(cards, home.drawer)}")
            PersonalizationLine(issuer.job(registry, batch), remake=lambda: 0).run([feeder])
            if waiting:
                issuer.prepared(registry, waiting, directory, start=cards + 1)
                home.blanks(waiting)
        token = home.token(Role.OPERATOR, Role.COUNTER, Role.DEVELOPER)
        yield Rig(home, token, tuple(sorted((home.drawer / "issued").glob("*.card"))))


def run() -> list[Row]:
    return [*verification(), *reading(), *insertion(), *counter_page(), *lanes(), *listening(SECONDS)]


# --- a verification ---------------------------------------------------------------------------------------------------


def verification() -> Iterator[Row]:
    """POST /verify over a kept connection, and in between the same in that process without the service around it."""
    with rig() as made:
        for timing, what, target in (("?timing=real", "as slow as a real chip", 1.3), ("", "that takes no time", None)):
            slot = f"sim:slot/desk?{timing.removeprefix('?')}&card={made.cards[0]}".replace("?&", "?")
            with served(made.config, f"counter={slot}") as at, made.client(at) as client:
                (reader,) = client.get("/readers")
                body = {"reader": reader["id"]}
                over_http, inside = [], []
                for _ in range(VERIFICATIONS if not timing else VERIFICATIONS // 4):
                    began = time.perf_counter()
                    verdict = client.post("/verify", body)["verdict"]
                    over_http.append(time.perf_counter() - began)
                    code, seconds = at.ask("verify", f"sim:{made.cards[0]}{timing}")
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
    """Two processes with the same server, asked by turns: this service, and FastAPI with an endpoint without work."""
    with rig() as made, served(made.config, "sim:slot/desk") as ours, served(EMPTY) as empty:
        headers = {"Authorization": f"Bearer {made.token}"}
        for path in ("/api/v1/readers", "/api/v1/session"):
            rounds = []
            for _ in range(READ_ROUNDS):
                asked = requests_a_second(ours.address, path, headers, seconds=0.7)
                rounds.append((asked, requests_a_second(empty.address, "/api/v1/session", headers, seconds=0.7)))
            ratio = statistics.median(mine / other for mine, other in rounds)
            mine, other = (statistics.median(column) for column in zip(*rounds, strict=True))
            measured = f"{mine:,.0f} a second against {other:,.0f}"
            yield Row(f"GET {path} with a token against an empty endpoint", measured, ratio, "≥ 0.5", ratio >= 0.5)


# --- from the card to whoever looks -----------------------------------------------------------------------------------


def percentile(values: list[float], share: float) -> float:
    """The smallest value that this share of all does not exceed."""
    return sorted(values)[max(0, -(-len(values) * round(share * 100) // 100) - 1)]


def insertion() -> Iterator[Row]:
    """A card is put into a virtual slot; a WebSocket client in another process has the event."""
    with rig() as made, served(made.config, "sim:slot/desk") as at, made.client(at) as client:
        (reader,) = client.get("/readers")
        seconds = uvloop.run(_insertions(at, made, reader["id"]))
    late = percentile(seconds, 0.99) * 1000
    measured = f"p50 {statistics.median(seconds) * 1000:.1f} ms, p99 {late:.1f} ms of {len(seconds)}"
    yield Row("card in a virtual reader to event at a WebSocket client", measured, late, "p99 ≤ 50 ms", late <= 50)


async def _insertions(at: Served, made: Rig, reader: str) -> list[float]:
    arrived: asyncio.Queue[float] = asyncio.Queue()

    def heard(payload: bytes) -> None:
        if b'"card.inserted"' in payload:
            arrived.put_nowait(time.monotonic())

    listener = await listen(at.address, made.token, b"card.inserted", heard)
    seconds = []
    for _ in range(INSERTIONS):
        told = asyncio.create_task(asyncio.to_thread(at.ask, "insert", reader, str(made.cards[0])))
        async with asyncio.timeout(30):
            came = await arrived.get()
        began, _ = await told
        seconds.append(came - began)
        await asyncio.to_thread(at.ask, "eject", reader)
        await asyncio.sleep(0.005)
    listener.close()
    return seconds


_SEEN = """
window.seen = [];
document.addEventListener("part", ({ detail: { part } }) => {
  if (part.id === "verdict" && part.dataset.verdict)
    requestAnimationFrame(() => window.seen.push((performance.timeOrigin + performance.now()) / 1000));
});
"""
"""Notes when the browser paints a verdict."""


def counter_page() -> Iterator[Row]:
    """A card is put in; Chromium paints the verdict on the Counter page. The card's own time is off."""
    slot = "sim:slot/desk"
    with rig() as made, served(made.config, f"counter={slot}") as at, made.client(at) as client, chromium() as browser:
        (reader,) = client.get("/readers")
        name = made.home.person("counter", Role.COUNTER)
        signed = client.http.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        signed.raise_for_status()
        context = browser.new_context()
        context.add_cookies([{"name": n, "value": v, "url": at.url} for n, v in signed.cookies.items()])
        context.add_init_script(_SEEN)
        page = context.new_page()
        page.goto(f"{at.url}/counter?reader={reader['id']}")
        page.wait_for_timeout(1000)
        seconds = []
        for number in range(SHOWN):
            _, began = at.ask("insert", reader["id"], str(made.cards[0]))
            page.wait_for_function("count => window.seen.length > count", arg=number, timeout=10_000)
            seconds.append(page.evaluate("window.seen.at(-1)") - began)
            at.ask("eject", reader["id"])
            page.wait_for_timeout(100)
    late = percentile(seconds, 0.95) * 1000
    measured = f"p50 {statistics.median(seconds) * 1000:.0f} ms, p95 {late:.0f} ms of {len(seconds)}"
    yield Row("card in to verdict painted on the Counter page, Chromium", measured, late, "p95 ≤ 300 ms", late <= 300)


# --- lanes ------------------------------------------------------------------------------------------------------------


def lanes() -> Iterator[Row]:
    """As many cards a lane over one lane and over many; every exchange as slow as on a real chip (T=1, TA1=11). The
    chips compute in processes of their own, on the same machine."""
    seconds = {count: _lanes(count) for count in (1, LANES)}
    ratio = LANES * seconds[1] / seconds[LANES]
    cards = LANES * CARDS_A_LANE
    measured = f"{cards} cards in {seconds[LANES]:.1f} s against {CARDS_A_LANE} in {seconds[1]:.1f} s"
    yield Row(f"{LANES} lanes in one process against one lane, cards a second", measured, ratio, "≥ 30", ratio >= 30)


def _lanes(count: int) -> float:
    """Seconds from the start until the last card is verified."""
    cards = count * CARDS_A_LANE
    with rig(waiting=cards) as made, chips_apart(made.home.stock.parent, CHIP_PROCESSES) as places:
        urls = [f"{SCHEME}{places[n % len(places)]}:sim:{made.home.stock}?timing=real" for n in range(count)]
        with served(made.config, *urls) as at, made.client(at) as client:
            batch = client.get("/batches")["items"][0]["id"]
            readers = [reader["id"] for reader in client.get("/readers")]
            began = time.monotonic()
            client.post("/lanes", {"batch": batch, "readers": readers})
            # Not over HTTP, which would take of the time that is measured.
            while (verified := at.ask("verified", batch)) < cards:
                if time.monotonic() - began > 60:
                    raise RuntimeError(f"{verified} of {cards} cards after a minute")
                time.sleep(0.1)
            return time.monotonic() - began


# --- listeners --------------------------------------------------------------------------------------------------------


def listening(seconds: float) -> Iterator[Row]:
    """Everybody hears everything; the memory of the service at the end against that after a third of the time: the
    kept events have to be others once (100 s) before it can stand still."""
    with rig() as made, served(made.config, "sim:slot/desk") as at, made.client(at) as client:
        (reader,) = client.get("/readers")
        yield uvloop.run(_listening(at, made, reader["id"], seconds))


async def _listening(at: Served, made: Rig, reader: str, seconds: float) -> Row:
    payloads: list[bytes] = []
    mark = b'"count":'
    all_of_them: list[Listener] = [await listen(at.address, made.token, mark, payloads.append)]
    # The events that are kept for those who come back, each with the text that somebody heard.
    await asyncio.to_thread(at.ask, "publish", 10.0, KEPT / 10, reader)
    while len(all_of_them) < LISTENERS:
        some = min(50, LISTENERS - len(all_of_them))
        all_of_them += await asyncio.gather(*(listen(at.address, made.token, mark) for _ in range(some)))
    await asyncio.to_thread(at.ask, "publish", 2.0, RATE, reader)  # everything has happened once
    await asyncio.sleep(2)
    payloads.clear()
    before = sum(listener.count for listener in all_of_them)
    publishing = asyncio.create_task(asyncio.to_thread(at.ask, "publish", seconds, RATE, reader))
    await asyncio.sleep(seconds / 3)
    early, cpu = at.resident(), at.cpu()
    count = await publishing
    late, cpu = at.resident(), (at.cpu() - cpu) / (seconds * 2 / 3)
    await asyncio.sleep(2)
    missed = len(all_of_them) * count - (sum(listener.count for listener in all_of_them) - before)
    gone = sum(bool(listener.lost) for listener in all_of_them)
    whole = in_order(payloads, "count") == list(range(count))
    for listener in all_of_them:
        listener.close()
    measured = (
        f"{count} events in {seconds:.0f} s: {missed} of {len(all_of_them) * count:,} lost, {gone} listeners gone, "
        f"memory {early / 1e6:.0f} → {late / 1e6:.0f} MB, {cpu:.0%} of a core"
    )
    grown = late / early
    ok = missed == 0 and gone == 0 and whole and grown <= 1.05
    return Row(
        f"{LISTENERS:,} WebSocket clients, {RATE} events a second", measured, grown, "no loss, memory ≤ 1.05", ok
    )


MEASURES: dict[str, Callable[[float], Iterator[Row]]] = {
    "verify": lambda _: verification(),
    "read": lambda _: reading(),
    "insert": lambda _: insertion(),
    "counter": lambda _: counter_page(),
    "lanes": lambda _: lanes(),
    "listen": listening,
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
