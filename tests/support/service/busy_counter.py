"""A busy counter whose service is killed, and what is true afterwards: redemptions on chips = journal = booked."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import httpx

from personalize.line.lanes import PersonalizationLine
from personalize.lists import own_trust
from personalize.preparation.batch import prepare_batch
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile, load_profile
from reader_service.principal import Role
from reader_service.redemptions.journal import FOLDER, RedemptionJournal
from registry.programme.redemptions import RedemptionView
from registry.store import utc_now
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import Disposition, open_reader, stack
from terminal.member.journal_rows import COUNTED
from terminal.member.verdict import verify
from tests.support import issuer, profiles
from tests.support.cli import Cli
from tests.support.registry.redeemed import PARK
from tests.support.service.merchant import PROGRAMME
from tests.support.service.process import ApiClient, ServiceDirectory, ServiceProcess, running_service
from tests.support.waiting import PATIENCE, eventually

LIMIT = 240
"""Uses of a card in its period: more than any card is asked for."""
TERMINAL = "T0000001"
CLASS = "0101"


class CardSlot(Protocol):
    """The slot in front of the clerk. ``options`` are those of the service for it."""

    options: tuple[str, ...]

    def insert(self, client: ApiClient, reader: str, card: Path) -> None: ...
    def eject(self, client: ApiClient, reader: str) -> None: ...
    def restarted(self) -> None:
        """The service was killed."""
        ...


class VirtualSlot:
    """A slot inside the service, which a developer's token fills."""

    options = ("--no-pcsc", "--counter", "sim:slot/till")

    def insert(self, client: ApiClient, reader: str, card: Path) -> None:
        client.post(f"/developer/readers/{reader}/insert", {"name": card.name})

    def eject(self, client: ApiClient, reader: str) -> None:
        client.post(f"/developer/readers/{reader}/eject")

    def restarted(self) -> None:
        """The slot was in the process: it is empty."""


@dataclass
class BusyCounter:
    """A merchant's counter in the office's own installation. ``shown`` are the rows of redemptions that the clerk was
    told of."""

    home: ServiceDirectory
    token: str
    cards: list[Path]
    slot: CardSlot
    dice: random.Random
    shown: set[int] = field(default_factory=set)
    insertion: str = ""

    def killed_at_work(self, seconds: float) -> None:
        """One run of the service, which is killed within so many seconds of work."""
        with self._running() as (running, client, reader):
            over = threading.Event()
            clerk = threading.Thread(target=self._work, args=(client, reader, over))
            clerk.start()
            time.sleep(self.dice.uniform(0, seconds))
            running.kill()
            over.set()
            clerk.join(PATIENCE)
            assert not clerk.is_alive()
        self.slot.restarted()

    def settled(self) -> None:
        """The last run: each card comes once more, and everything is uploaded."""
        with self._running() as (running, client, reader):
            for card in self.cards:
                self._visit(client, reader, card, redeem=False)
            assert client.get("/redemptions/open") == []
            assert eventually(lambda: client.get("/redemptions/queue")["waiting"] == 0)
            assert client.get("/redemptions/queue")["fault"] is None
            assert running.stop() == 0

    def accounts(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """Redemptions by card number: counted on the chips, kept in the journal, booked by the office."""
        with RedemptionJournal.open(self.home.directory / FOLDER, utc_now()) as journal:
            counted = [row for row in journal.rows() if row.kind in COUNTED]
            assert journal.open_intents == ()
        with_counter = [(row.text("card"), row.amount("counter")) for row in counted]
        assert len(set(with_counter)) == len(with_counter)
        assert self.shown <= {row.number for row in counted}
        on_chips = Counter(dict(used(card, self.home) for card in self.cards))
        with self.home.registry() as registry:
            booked: list[RedemptionView] = []
            cursor = None
            while True:
                page = registry.redemptions.page(cursor, 500)
                booked += page.items
                cursor = page.next
                if cursor is None:
                    break
            findings = {finding.kind for finding in registry.findings.page(limit=500).items}
        assert Counter(one.atc for one in booked) == Counter(counter for _, counter in with_counter)
        assert findings <= {"journal-cut"}
        in_journal = Counter(card for card, _ in with_counter)
        return +on_chips, in_journal, Counter(one.card_number for one in booked)

    @contextmanager
    def _running(self) -> Iterator[tuple[ServiceProcess, ApiClient, str]]:
        """The service, a client of it, and the id of the counter's reader."""
        with running_service(self.home, *self.slot.options) as running, running.client(self.token) as client:
            assert eventually(lambda: self._reader(client)), (client.get("/readers"), running.text())
            yield running, client, self._reader(client)

    @staticmethod
    def _reader(client: ApiClient) -> str:
        return next((str(one["id"]) for one in client.get("/readers") if one["mode"] == "counter"), "")

    def _work(self, client: ApiClient, reader: str, over: threading.Event) -> None:
        with suppress(httpx.HTTPError):
            while not over.is_set():
                self._visit(client, reader, self.dice.choice(self.cards), redeem=True)

    def _visit(self, client: ApiClient, reader: str, card: Path, *, redeem: bool) -> None:
        """A member comes with a card. Raises httpx.HTTPError where the service dies."""
        self.slot.insert(client, reader, card)
        offers = self._offers(client, reader)
        recovered = offers["recovered"]
        if recovered is not None and recovered["proven"]:
            self.shown.add(recovered["number"])
        if redeem:
            wanted = {"insertion": offers["insertion"], "benefit": "park-pass", "product": "pass"}
            answer = client.send("POST", f"/readers/{reader}/redemptions", wanted)
            assert answer.status_code == 200, answer.text
            redemption = answer.json()["redemption"]
            assert redemption["outcome"] == "DONE", redemption
            self.shown.add(redemption["number"])
        self.slot.eject(client, reader)
        assert eventually(lambda: client.get(f"/readers/{reader}")["state"] == "empty")

    def _offers(self, client: ApiClient, reader: str) -> dict[str, Any]:
        """What the card of this insertion is offered, when it is verified."""
        answers: list[dict[str, Any]] = []

        def verified() -> bool:
            answer = client.http.get(f"/api/v1/readers/{reader}/offers")
            if answer.status_code == 200 and answer.json()["insertion"] != self.insertion:
                answers.append(answer.json())
            return bool(answers)

        assert eventually(verified, 0.02)
        assert (answers[0]["fault"], answers[0]["accepted"]) == ("", True), answers[0]
        self.insertion = answers[0]["insertion"]
        return answers[0]


def busy_counter(directory: Path, cards: int, slot: CardSlot, seed: int) -> BusyCounter:
    """One with so many issued cards, the merchant on record, and a programme edition."""
    directory.mkdir(parents=True, exist_ok=True)
    profile = directory / "profile.yaml"
    profile.write_text(profiles.text().replace("limit: 12,", f"limit: {LIMIT},"), encoding="utf-8")
    settings: dict[str, object] = {
        "profile": str(profile),
        "merchant": PARK.number,
        "merchant_terminal": TERMINAL,
        "merchant_kinds": ["park"],
    }
    home = ServiceDirectory(directory, f"sqlite:///{directory / 'membercard.db'}", settings=settings)
    _issue(home, load_profile(profile), cards)
    contract = replace(PARK, contract_from=date(2020, 1, 1), contract_until=date(2039, 12, 31))
    with home.registry() as registry:
        registry.merchants.put(contract, by="tests")
    programme = directory / "programme.yaml"
    programme.write_text(PROGRAMME.replace("count: 12,", f"count: {LIMIT},"), encoding="utf-8")
    cli = Cli(directory, passphrase=None, bare=True)
    cli.publish_programme(programme, directory, config=home.config("station"))
    token = home.token(Role.COUNTER, Role.DEVELOPER)  # makes a user; from then on commands ask for passwords
    return BusyCounter(home, token, sorted(home.slot_cards.glob("*.card")), slot, random.Random(seed))


def used(card: Path, home: ServiceDirectory) -> tuple[str, int]:
    """The number of a card, and how often its chip has counted."""
    profile = load_profile(home.directory / "profile.yaml")
    reader = open_reader(f"sim:{card}")
    transport = reader.connect()
    try:
        trust = own_trust(issuer.custody(), profile.trust, utc_now())
        verdict = verify(stack(transport), trust=trust, hotlist=None, at=utc_now())
    finally:
        transport.close()
        reader.release(Disposition.KEEP)
        reader.close()
    assert verdict.member is not None
    (counted,) = (one.used for one in verdict.member.entitlements if one.benefit_class == CLASS)
    return verdict.member.card_number, counted


def _issue(home: ServiceDirectory, profile: Profile, count: int) -> None:
    """Issue cards, as of today, and lay them into the drawer."""
    with home.registry() as registry:
        registry.stock.receive(count, "delivery 1", "op")
        batch = issuer.batch(registry, count)
        keys = issuer.pool(home.directory / "keypool", profile)
        prepare_batch(registry, batch, Preparer(profile, issuer.custody(), today=date.today()), keys)
        list(make_stock(home.stock, count, CardConfig(blank())))
        job = replace(issuer.job(registry, batch, profile), now=utc_now)
        (result, *_) = PersonalizationLine(job, remake=lambda: None).run([open_reader(f"sim:{home.stock}")])
        assert not result.fault
    home.slot_cards.mkdir(exist_ok=True)
    for card in sorted((home.stock / "issued").glob("*.card")):
        shutil.copy(card, home.slot_cards)
