"""From a form to issued chips in a demo: the steps of a batch, each by the person who does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from membercard.demo.clock import DemoClock
from membercard.demo.people import FormRow, write_form
from membercard.demo.setup import make_stock
from membercard.wiring.line import open_payment_pool, open_pool, payment_authorities
from membercard.wiring.profile import profile_in_use
from personalize.intake import check
from personalize.line.job import Job
from personalize.line.lanes import PersonalizationLine
from personalize.line.rejects import dead_chip
from personalize.lists import own_trust
from personalize.payment.proof import TransactionProof
from personalize.preparation.batch import prepare_batch
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile
from personalize.ranges import approve
from personalize.rosters import to_import
from registry.batches.originals import Original
from registry.store import Registry
from registry.values import Card
from terminal.apdu import open_reader
from terminal.errors import NoCard
from terminal.globalplatform import AuthenticationGuard
from terminal.keys import MemoryCustody

FORMS: Final = "forms"
STOCK: Final = "stock"
LANES: Final = 2
OPERATOR: Final = "operator"


class DemoIssuing:
    """The work on batches: ``by`` imports and hands in, ``second`` approves. ``home`` has the folders ``forms`` and
    ``stock``."""

    def __init__(
        self,
        home: Path,
        registry: Registry,
        custody: MemoryCustody,
        clock: DemoClock,
        *,
        by: str,
        second: str,
        profile: Profile | None = None,
    ) -> None:
        """Cards are of the profile in use, or of another one."""
        self._home, self._registry, self._custody, self._clock = home, registry, custody, clock
        self._by, self._second = by, second
        self._profile = profile or profile_in_use()
        self._pool = open_pool(custody, self._profile)
        self._payment_pool = open_payment_pool(custody, self._profile, self._pool)
        for name in (FORMS, STOCK):
            (home / name).mkdir(exist_ok=True)

    def import_form(
        self, unit: str, rows: Sequence[FormRow], write: Callable[[Path, str, Sequence[FormRow]], Path] = write_form
    ) -> str:
        """Write a unit's form and import it: the batch."""
        path = write(self._home / FORMS / f"{unit}.xlsx", unit, rows)
        report = check(path, known=self._registry.rosters.known_members, today=self._clock.local().date())
        accepted, rejected = to_import(report)
        original = Original(path.name, path.read_bytes())
        batch = self._registry.rosters.import_roster(
            unit, accepted, rejected, source=path.name, digest=report.digest, by=self._by, original=original
        )
        return batch.id

    def approve(self, batch_id: str) -> str:
        """Hand a batch in; the second person approves it."""
        self._registry.reviews.submit(batch_id, by=self._by)
        approve(self._registry, self._profile, batch_id, self._second)
        return batch_id

    def prepare(self, batch_id: str) -> None:
        """Make a dossier for every card of the batch that has none."""
        cards = self._registry.batches.batch(batch_id).to_prepare
        self._pool.fill(2 * cards if self._payment_pool is self._pool else cards)
        preparer = Preparer(self._profile, self._custody, today=self._clock.local().date())
        prepare_batch(self._registry, batch_id, preparer, self._pool, payment_pool=self._payment_pool, by=OPERATOR)

    def receive(self, count: int) -> None:
        """Book a delivery of blank chips."""
        self._registry.stock.receive(count, f"W{self._clock.local():%y%m%d}", OPERATOR)

    def add_blanks(self, count: int) -> None:
        """Make blank chips and book them."""
        make_stock(self._home / STOCK, count, "--scp", "03")
        self.receive(count)

    def issue(self, batch_id: str, *, dead: int = 0) -> str:
        """Approve, prepare and run a batch; ``dead`` of its chips give no answer to reset."""
        return self.run(self.approve(batch_id), dead=dead)

    def run(self, batch_id: str, *, dead: int = 0) -> str:
        """The same with a batch that is approved."""
        self.prepare(batch_id)
        trust = own_trust(self._custody, self._profile.trust, self._clock() - timedelta(days=1))
        known = payment_authorities(self._custody, self._profile)
        payment = self._profile.payment
        proof = TransactionProof(payment, self._custody, known) if payment else None
        job = Job(
            self._registry,
            self._custody,
            self._profile,
            AuthenticationGuard(),
            trust,
            batch_id,
            "demo",
            now=self._clock.local,
            payment_proof=proof,
        )
        for _ in range(dead):
            dead_chip(job, f"lane {LANES}", NoCard("the card gives no answer to reset"))
        readers = [open_reader(f"sim:{self._home / STOCK}") for _ in range(LANES)]
        try:
            PersonalizationLine(job, remake=lambda: self.prepare(batch_id)).run(readers)
        finally:
            for reader in readers:
                reader.close()
        return batch_id

    def chip(self, card: Card) -> Path:
        """The file of an issued chip."""
        return self._home / STOCK / "issued" / f"chip-{card.chip_serial}.card"
