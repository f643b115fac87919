"""`kill -9` of `membercard perso run` at random moments, again and again: nothing is lost, nothing made twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.store import Registry
from registry.values import BatchAccounts
from simulators.card.config import CardConfig
from simulators.card.content import CardLifeCycle
from simulators.readers.stock import BINS, blank, make_stock
from simulators.virtual_card import VirtualCard
from terminal.keys import SoftwareKeystore
from terminal.keys.keyfile import CHEAP_COST
from terminal.secret import Secret
from tests.support import issuer
from tests.support.cards.card_bench import SCP02, SCP03, card_on, fast_directory
from tests.support.cli import Cli, zygote_for
from tests.support.paths import ROOT
from tests.support.thorough import repeats
from tests.support.zygote import Streams

KILLS = repeats(8, 100)
MOST_KILLS = 5 * KILLS
STEPS = {"authenticate", "store", "read back"}
"""Steps in which a kill has to hit: where so many kills left one out, there are more, up to so many."""
CARDS = 20
LANES = 4
SPARE = 2
"""Blanks in stock beyond those a batch needs."""
PASSPHRASE = "as many kills as lives"


def _size(path: Path) -> int:
    """Bytes of a file; none where it is gone, as another process may take it away at any moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@dataclass
class KillRig:
    """An issuer on disk, as its commands see it, and what this test knows to be true of it."""

    directory: Path
    cli: Cli
    chips: int = 0
    cards: int = 0
    runs: int = 0
    kills: int = 0
    starts: float = 0.0
    warms_up: float = 0.0
    works: float = 0.0
    killed_in: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[str, int]] = field(default_factory=set)
    whole: set[tuple[int, int, int]] = field(default_factory=set)
    """States of chips' files in which the chip's memory is whole: inode, size and time of the last change."""

    def __post_init__(self) -> None:
        self.environment = self.cli.env({"MEMBERCARD_STATION": "line"})
        self.zygote = zygote_for(self.environment)

    @property
    def stock(self) -> Path:
        return self.directory / "stock"

    @property
    def output(self) -> Path:
        return self.directory / "output.txt"

    def registry(self) -> Registry:
        return issuer.registry(f"sqlite:///{self.directory / 'membercard.db'}")

    def next_batch(self) -> str:
        """A prepared batch and the blanks for it; SCP02 and SCP03 by turns."""
        scp, protocol = (SCP02, SCP03)[self.cards // CARDS % 2]
        count = CARDS + (0 if self.chips else SPARE)
        list(make_stock(self.stock, count, CardConfig(blank(), protocol, scp)))
        self.chips += count
        with self.registry() as registry:
            registry.stock.receive(count, f"delivery {self.chips}", "clerk")
            batch = issuer.prepared(registry, CARDS, self.directory, start=1 + self.cards)
        self.cards += CARDS
        return batch

    def start(self, batch: str) -> int:
        readers = [word for _ in range(LANES) for word in ("--reader", f"sim:{self.stock}")]
        self.runs += 1
        streams = Streams(str(self.output), str(self.output))
        return self.zygote.start(["perso", "run", batch, *readers], streams, ROOT, self.environment)

    def run(self, batch: str) -> int:
        """To its own end; the exit code."""
        return self.zygote.status(self.start(batch))

    def run_and_kill(self, batch: str, after: float) -> bool:
        """Kill it so many seconds after its first entry in the registry, or before that if ``after`` is negative;
        whether the kill hit the process while it ran."""
        pid = self.start(batch)
        if after < 0:
            time.sleep(self.starts + after)
        else:
            self._until_at_work(pid)
            time.sleep(after)
        os.kill(pid, signal.SIGKILL)  # until its parent waits for it, its number is nobody else's
        hit = self.zygote.status(pid) == -signal.SIGKILL
        self.kills += hit
        return hit

    def _until_at_work(self, pid: int) -> None:
        """Whoever closes the registry last takes its log away, so there is one from the first entry of this process."""
        log, process = self.directory / "membercard.db-wal", Path(f"/proc/{pid}/stat")
        while not _size(log):
            if process.read_text().rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.0005)

    def measure(self, batch: str) -> None:
        """How long a process takes to its first entry, from there to its first proven card, and to the end."""
        began = datetime.now(UTC)
        status = self.run(batch)
        assert status == 0, self.output.read_text()
        with self.registry() as registry:
            first = registry.line.journal_of(batch)[0].at
            proven = [card.verified_at for card in registry.cards.of_batch(batch)]
        self.starts = (first - began).total_seconds()
        self.warms_up = (min(proven) - first).total_seconds()
        self.works = (max(proven) - first).total_seconds()

    def works_for(self, cards: int) -> float:
        """How long a process needs for so many cards, once it has made its first entry."""
        return self.warms_up + (self.works - self.warms_up) * cards / CARDS

    # --- what must hold -----------------------------------------------------------------------------------------------

    def check_after_a_kill(self, batch: str) -> BatchAccounts:
        """Whatever just died: the accounts balance, no number twice, every chip's memory is whole."""
        with self.registry() as registry:
            accounts = registry.batches.accounts(batch)
            cards = registry.cards.of_batch(batch)
            stock = registry.stock.accounts()
            journal = registry.line.journal_of(batch)
            self.killed_in[journal[-1].step if journal else "before the first"] += 1
        assert accounts.balanced, accounts
        assert accounts.dossiers == accounts.waiting + accounts.claimed + accounts.verified + accounts.remade
        assert accounts.chips_fed == accounts.chips_verified + accounts.chips_rejected + accounts.chips_in_reader
        assert stock.balanced, stock
        assert stock.received == stock.verified + stock.rejected + stock.in_reader + stock.left == self.chips
        verified = {(card.card_number, card.sequence) for card in cards}
        assert len(verified) == len(cards) == len({card.chip_serial for card in cards}) == accounts.verified
        assert self.seen <= verified, "a verified card is verified for ever"
        self.seen = verified
        chips = self.files()
        assert len({path.name for path in chips}) == self.chips
        for path in chips:
            state = path.stat()
            if (stamp := (state.st_ino, state.st_size, state.st_mtime_ns)) not in self.whole:
                VirtualCard.open(path)
                self.whole.add(stamp)
        return accounts

    def check_done(self, batch: str) -> None:
        """Every member has one card, it is on the chip the registry names, and that chip lies in the good bin."""
        with self.registry() as registry:
            cards = registry.cards.of_batch(batch)
            rejects = registry.line.rejects(batch)
            owner: dict[int, set[str]] = {}
            for entry in registry.line.journal_of(batch):
                owner.setdefault(entry.dossier_id, set()).add(entry.chip_serial)
        assert not rejects, "a kill alone costs no chip"
        assert len({card.member_id for card in cards}) == len(cards) == CARDS
        for card in cards:
            assert owner[card.dossier_id] == {card.chip_serial}
            chip = VirtualCard.open(self.stock / "issued" / f"chip-{card.chip_serial}.card")
            assert chip.state is CardLifeCycle.SECURED
            assert card_on(chip) == (card.card_number, card.sequence)
        self.seen = set()

    def check_stock(self) -> None:
        """On disk as on paper: received = issued + rejected + left, and nothing lies about half done."""
        with self.registry() as registry:
            stock = registry.stock.accounts()
        bins = {name: len(list((self.stock / name).glob("*.card"))) for name in BINS.values()}
        blanks = list(self.stock.glob("*.card"))
        assert (stock.verified, stock.rejected, stock.left) == (bins["issued"], bins["rejects"], len(blanks))
        assert (stock.in_reader, stock.foreign, bins["aside"]) == (0, 0, 0)
        assert stock.received == self.chips == self.cards + SPARE
        assert all(VirtualCard.open(path).state is CardLifeCycle.OP_READY for path in blanks)
        assert not list((self.stock / ".begun").iterdir())

    def files(self) -> list[Path]:
        """Every chip's file, wherever it lies; a chip being moved lies in two places under one name."""
        return [path for path in self.stock.rglob("*.card") if path.parent.name != ".begun"]


@pytest.fixture
def rig() -> Iterator[KillRig]:
    with fast_directory() as directory:
        SoftwareKeystore.create(
            directory / "keystore", Secret(PASSPHRASE.encode()), simulation=True, contents=issuer.custody(),
            cost=CHEAP_COST,
        )  # fmt: skip
        issuer.pool(directory / "keypool").fill(4)
        yield KillRig(directory, Cli(directory, PASSPHRASE))


def enough(rig: KillRig) -> bool:
    """Whether there were so many kills, and one in each step that takes long."""
    return rig.kills >= (KILLS if rig.killed_in.keys() >= STEPS else MOST_KILLS)


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing_and_double_nothing(
    rig: KillRig, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("MEMBERCARD_KILL_SEED") or time.time_ns() % 1_000_000)
    draw = random.Random(seed)
    batch = rig.next_batch()
    rig.measure(batch)
    rig.check_done(batch)
    batches = 1
    began = time.monotonic()
    while not enough(rig):
        batch, verified, idle_runs = rig.next_batch(), 0, 0
        batches += 1
        while verified < CARDS:
            moment = draw.uniform(-0.05 * rig.starts, rig.works_for(CARDS - verified))
            hit = not (ended := enough(rig)) and rig.run_and_kill(batch, moment)
            if ended:
                rig.run(batch)
            accounts = rig.check_after_a_kill(batch)
            idle_runs = 0 if hit or accounts.verified > verified else idle_runs + 1
            assert idle_runs < 3, f"seed {seed}: runs that end by themselves make no card\n{rig.output.read_text()}"
            verified = accounts.verified
        rig.run(batch)  # what was recorded but not put away before the last kill
        rig.check_done(batch)
    rig.check_stock()
    assert STEPS <= rig.killed_in.keys()
    with capsys.disabled():
        print(  # noqa: T201
            f"\nkill -9: seed {seed}, {rig.kills} kills in {rig.runs} runs of {batches} batches of {CARDS}, "
            f"{LANES} lanes, {time.monotonic() - began:.0f} s; a process reaches its first card after "
            f"{rig.starts:.2f} s and then needs {rig.works:.2f} s for a batch; the last entry before a kill: "
            + ", ".join(f"{step} {times}" for step, times in rig.killed_in.most_common())
        )


@pytest.mark.slow
def test_two_stations_share_a_batch_and_one_is_killed(rig: KillRig) -> None:
    draw = random.Random(7)
    rig.measure(rig.next_batch())
    for _ in range(repeats(2, 12)):
        batch = rig.next_batch()
        dies, lives = rig.start(batch), rig.start(batch)
        time.sleep(rig.starts + draw.uniform(0, rig.works))
        os.kill(dies, signal.SIGKILL)
        rig.zygote.status(dies)
        assert rig.zygote.status(lives) in (0, 1)
        rig.seen = set()
        rig.check_after_a_kill(batch)
        assert rig.run(batch) == 0, rig.output.read_text()
        rig.check_done(batch)
    rig.check_stock()
