"""A station for tests over real PC/SC slots: a data directory with a prepared batch, readers, fed slots."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from personalize.line.job import Job
from personalize.line.lanes import LaneEvent, LaneResult, LineSettings, PersonalizationLine
from personalize.line.outcome import CardOutcome
from personalize.lists import own_trust
from personalize.preparation.batch import prepare_batch
from personalize.preparation.preparer import Preparer
from registry.store import Registry, utc_now
from registry.values import BatchAccounts
from simulators.card.config import CardConfig
from simulators.readers.feeder import CardFeeder
from simulators.readers.protocols import CardInSlot
from simulators.readers.stock import StockDirectory, blank, make_stock
from simulators.readers.vpcd import VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import Reader, open_reader
from terminal.errors import CardGone
from terminal.globalplatform import AuthenticationGuard
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support import issuer, profiles
from tests.support.cli import PASSPHRASE, Cli
from tests.support.pcsc.pcscd import Slot
from tests.support.waiting import PATIENCE

SETTLE = 1.0
"""Seconds without power after which a feeder changes the card; longer than any pause within a job."""


class PcscLine:
    """A data directory as `membercard` uses it, with one prepared batch, and the same registry from this process."""

    def __init__(self, root: Path, members: int) -> None:
        self.root = root
        self.cli = Cli(root / "data")
        self.cli.data.mkdir(parents=True)
        SoftwareKeystore.create(
            self.cli.data / "keystore",
            Secret(PASSPHRASE.encode()),
            simulation=True,
            contents=issuer.custody(),
            cost=issuer.FAST,
        )
        self.registry: Registry = issuer.registry(f"sqlite:///{self.cli.data / 'membercard.db'}")
        self.batch = issuer.batch(self.registry, members)
        self.prepare()
        self.stock = root / "stock"
        self.paths = list(make_stock(self.stock, members, CardConfig(blank())))
        self.events: list[LaneEvent] = []

    def prepare(self) -> None:
        preparer = Preparer(profiles.plain(), issuer.custody(), today=datetime.now(UTC).date())
        prepare_batch(self.registry, self.batch, preparer, issuer.pool(self.root / "pool"))

    @property
    def accounts(self) -> BatchAccounts:
        return self.registry.batches.accounts(self.batch)

    @property
    def outcomes(self) -> Counter[CardOutcome]:
        return Counter(event.report.outcome for event in self.events if event.report)

    def line(self, hear: Callable[[LaneEvent], None] = lambda event: None, **settings: float) -> PersonalizationLine:
        profile = profiles.plain()
        now = datetime.now(UTC)
        trust = own_trust(issuer.custody(), profile.trust, now - timedelta(days=1))
        job = Job(self.registry, issuer.custody(), profile, AuthenticationGuard(), trust, self.batch, "test", utc_now)

        def on_event(event: LaneEvent) -> None:
            self.events.append(event)
            hear(event)

        return PersonalizationLine(
            job, remake=self.prepare, settings=replace(LineSettings(idle=PATIENCE), **settings), on_event=on_event
        )

    def run(self, slots: list[Slot], hear: Callable[[LaneEvent], None] = lambda event: None) -> list[LaneResult]:
        with readers(slots) as opened:
            return self.line(hear).run(opened)

    def check_finished(self, members: int) -> None:
        """Every member has one card, every chip is one card, the counts balance, every card file is complete."""
        accounts = self.accounts
        assert (accounts.verified, accounts.members, accounts.chips_verified) == (members,) * 3
        assert (accounts.waiting, accounts.claimed, accounts.balanced) == (0, 0, True)
        cards = self.registry.cards.of_batch(self.batch)
        assert len({card.chip_serial for card in cards}) == len({card.card_number for card in cards}) == members


@contextlib.contextmanager
def readers(slots: list[Slot], options: str = "") -> Iterator[list[Reader]]:
    with contextlib.ExitStack() as stack:
        opened = [open_reader(f"pcsc:{slot.reader_name}{options}") for slot in slots]
        for reader in opened:
            stack.callback(reader.close)
        yield opened


@contextlib.contextmanager
def fed(
    slots: list[Slot], stock: Path, show: Callable[[VirtualCard], CardInSlot] = lambda chip: chip
) -> Iterator[list[VpcdSlot]]:
    """Slots that a thread feeds from a stock, as `membercard sim attach` does."""
    for slot in slots:
        slot.wait(present=False)
    virtual = [VpcdSlot(slot.host, slot.port) for slot in slots]
    feeders = [CardFeeder(slot, StockDirectory(stock), settle=SETTLE, wrap=show) for slot in virtual]
    ended = threading.Event()

    def feed() -> None:
        while not ended.wait(0.05):
            for feeder in feeders:
                feeder.tick()

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield virtual
    finally:
        ended.set()
        thread.join()
        for feeder in feeders:
            feeder.close()


@contextlib.contextmanager
def attached(cli: Cli, what: Path, *slots: Slot, settle: float = SETTLE) -> Iterator[subprocess.Popen[str]]:
    """`membercard sim attach` over these slots, until Ctrl-C."""
    for slot in slots:
        slot.wait(present=False)
    addresses = [word for slot in slots for word in ("--vpcd", f"{slot.host}:{slot.port}")]
    process = cli.start("sim", "attach", what, *addresses, "--settle", settle)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors


@dataclass
class Trap:
    """A card whose contacts break at given commands, before or after the chip executed them."""

    chip: CardInSlot
    breaks: list[int]
    late: bool
    count: int = 0
    broke: int = 0

    @property
    def atr(self) -> bytes:
        return self.chip.atr

    def power_on(self) -> bytes:
        return self.chip.power_on()

    def power_off(self) -> None:
        self.chip.power_off()

    def reset(self) -> bytes:
        return self.chip.reset()

    def exchange(self, apdu: bytes) -> bytes:
        self.count += 1
        torn = self.count in self.breaks
        self.broke += torn
        answer = b"" if torn and not self.late else self.chip.exchange(apdu)
        if torn:
            raise CardGone("pulled")
        return answer
