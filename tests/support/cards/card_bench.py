"""A bench for the line: a prepared batch, chips in memory, a slot where power, answers and chips fail on order."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from itertools import count
from pathlib import Path
from typing import Self

from personalize.line.job import Job
from personalize.line.lanes import LaneEvent, LaneResult, LineSettings, PersonalizationLine
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile
from registry.store import Registry
from registry.values import BatchAccounts
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.faults import Faults, InjectedFault
from simulators.readers.protocols import CardInSlot
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, LinkProtocol, Transport
from terminal.errors import NoCard
from tests.support import issuer, profiles

SCP02, SCP03 = (2, LinkProtocol.T0), (3, LinkProtocol.T1)
"""The two kinds of stock: secure channel protocol and transmission protocol."""

MEMBER_AID = "f04d454d4245520101"


@contextmanager
def fast_directory() -> Iterator[Path]:
    """A directory in memory where the system has one: the registry waits for the disk after every line it writes."""
    memory = Path("/dev/shm")  # noqa: S108  removed at the end
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


class Killed(BaseException):
    """What ends a process: nothing on the way up handles it."""


class Rack:
    """A terminal.apdu.Reader over chips in memory, one after another; ``bins`` tells where each went.

    ``wrap`` may put something between line and chip.
    """

    def __init__(
        self,
        chips: Iterable[VirtualCard],
        faults: Iterable[str] = (),
        wrap: Callable[[SimCard], Transport] = lambda card: card,
    ) -> None:
        self.chips = deque(chips)
        self.faults = Faults([InjectedFault.parse(text) for text in faults], sleep=lambda seconds: None)
        self.bins: dict[Disposition, list[VirtualCard]] = {disposition: [] for disposition in Disposition}
        self._wrap = wrap
        self._card: SimCard | None = None
        self.name, self.url = "rack", "rack:"

    def wait_for_card(self, timeout: float | None) -> bool:
        return bool(self.chips)

    def connect(self) -> Transport:
        if not self.chips:
            raise NoCard("no chip is left in the rack")
        chip = self.chips[0]
        self._card = SimCard(self.shown(chip), chip.config.protocol)
        return self._wrap(self._card)

    def shown(self, chip: VirtualCard) -> CardInSlot:
        return self.faults.on(chip, chip)

    def release(self, disposition: Disposition) -> None:
        self.close()
        if disposition is not Disposition.KEEP:
            self.bins[disposition].append(self.chips.popleft())

    def close(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None


class Bench:
    """A batch of ``members`` with its dossiers in a registry under ``directory``, and as many chips as a test likes."""

    def __init__(
        self,
        directory: Path,
        members: int,
        *,
        profile: Profile | None = None,
        make: Callable[[Profile | None], Preparer] = issuer.preparer,
    ) -> None:
        self.make = make
        self.directory, self.members, self.profile = directory, members, profile or profiles.plain()
        self.registry: Registry = issuer.registry(f"sqlite:///{directory / 'registry.db'}")
        self.batch = issuer.prepared(self.registry, members, directory, profile=self.profile, make=make)
        self._serials = count(0x1000)

    @contextmanager
    def copied(self) -> Iterator[Self]:
        """The same batch in a registry of its own; nothing may have been run on this one."""
        with fast_directory() as directory:
            clone = self._copy(directory)
            yield clone
            clone.registry.close()

    def _copy(self, directory: Path) -> Self:
        self.registry.close()  # so that all of it is in the one file
        shutil.copyfile(self.directory / "registry.db", directory / "registry.db")
        clone = copy(self)
        clone.directory, clone._serials = directory, count(0x1000)
        clone.registry = issuer.registry(f"sqlite:///{directory / 'registry.db'}")
        return clone

    def chip(self, kind: tuple[int, LinkProtocol] = SCP03, **changes: object) -> VirtualCard:
        scp, protocol = kind
        return VirtualCard.create(None, CardConfig(ProductionData(next(self._serials)), protocol, scp, **changes))  # type: ignore[arg-type]

    def job(self, registry: Registry | None = None, **changes: object) -> Job:
        """A job with a memory of its own, as a new process has."""
        return issuer.job(registry or self.registry, self.batch, self.profile, **changes)

    def line(
        self,
        *,
        job: Job | None = None,
        on_event: Callable[[LaneEvent], None] = lambda event: None,
        remake: Callable[[], object] | None = None,
        **settings: object,
    ) -> PersonalizationLine:
        return PersonalizationLine(
            job or self.job(),
            remake=remake or self.remake,
            settings=LineSettings(**settings),  # type: ignore[arg-type]
            on_event=on_event,
        )

    def remake(self) -> int:
        """Make the missing dossiers."""
        return issuer.prepare(self.registry, self.batch, self.directory, self.profile, self.make)

    def run(self, rack: Rack, **options: object) -> LaneResult:
        """One lane over this rack until it ends."""
        (result,) = self.line(**options).run([rack])  # type: ignore[arg-type]
        return result

    @property
    def accounts(self) -> BatchAccounts:
        return self.registry.batches.accounts(self.batch)

    def finish(self, kind: tuple[int, LinkProtocol] = SCP03) -> None:
        """Make every card that is still missing, on fresh chips without faults."""
        missing = self.accounts.members - self.accounts.verified
        result = self.run(Rack(self.chip(kind) for _ in range(missing + 1)))
        assert not result.fault, result.message

    def check_all_issued(self) -> None:
        """Every member has one verified card on one chip; nothing is lost, nothing twice; the journal agrees."""
        accounts = self.accounts
        assert accounts.balanced
        assert (accounts.verified, accounts.claimed, accounts.waiting, accounts.to_prepare) == (self.members, 0, 0, 0)
        assert accounts.dossiers == self.members + accounts.remade
        cards = self.registry.cards.of_batch(self.batch)
        rejects = self.registry.line.rejects(self.batch)
        for what in (
            [card.card_number for card in cards],
            [card.member_id for card in cards],
            [card.chip_serial for card in cards] + [reject.chip_serial for reject in rejects],
        ):
            assert len(what) == len(set(what))
        hotlist = {(entry.card_number, entry.sequence) for entry in self.registry.hotlist.entries()}
        assert hotlist == {(r.card_number, r.sequence) for r in rejects if r.card_number}
        assert not hotlist & {(card.card_number, card.sequence) for card in cards}
        self._check_journal()

    def _check_journal(self) -> None:
        chip_of = {card.dossier_id: card.chip_serial for card in self.registry.cards.of_batch(self.batch)}
        owner: dict[int, str] = {}
        for entry in self.registry.line.journal_of(self.batch):
            assert owner.setdefault(entry.dossier_id, entry.chip_serial) == entry.chip_serial
        assert len(set(owner.values())) == len(owner)
        assert chip_of.items() <= owner.items()


def card_on(chip: VirtualCard) -> tuple[str, int]:
    """Card number and sequence that the chip itself holds, read without any of the line's code. member-card layout."""
    chip.power_on()
    try:
        select = chip.exchange(bytes.fromhex("00A4040009" + MEMBER_AID + "00"))
        if select[-2] == 0x61:
            chip.exchange(bytes((0x00, 0xC0, 0x00, 0x00, select[-1])))
        options = bytes.fromhex("80A8000008830601560011223300")
        if chip.config.protocol is LinkProtocol.T0:
            options = options[:-1]
        chip.exchange(options)
        record = chip.exchange(bytes.fromhex("00B2010C00"))
        if record[-2] == 0x6C:
            record = chip.exchange(bytes.fromhex("00B2010C") + record[-1:])
    finally:
        chip.power_off()
    at, sequence = record.index(b"\x5a\x0a") + 2, record.index(b"\x5f\x34\x01") + 3
    return record[at : at + 10].hex().rstrip("f"), record[sequence]
