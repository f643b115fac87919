"""``Registry``: the system of record, opened at a database URL. It names the repositories and does nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import TracebackType

from registry.admin.audit import Audit
from registry.admin.idempotency import IdempotencyKeys
from registry.admin.login_failures import LoginFailures
from registry.admin.name_keys import refold_names
from registry.admin.plans import Plans
from registry.admin.programmes import ProgrammeEditions
from registry.admin.sessions import Sessions
from registry.admin.stations import Stations
from registry.admin.statistics import Statistics
from registry.admin.tokens import Tokens
from registry.admin.units import Units
from registry.admin.users import Users
from registry.aid.lists import AidLists
from registry.batches.batches import Batches
from registry.batches.confirmations import Confirmations
from registry.batches.digests import key_digests
from registry.batches.dossiers import Dossiers
from registry.batches.editing.edits import BatchEdits
from registry.batches.originals import Originals
from registry.batches.pans import Pans
from registry.batches.queue import BatchQueue
from registry.batches.reviews import Reviews
from registry.batches.rosters import Rosters
from registry.batches.row_reviews import RowReviews
from registry.batches.stock import Stock
from registry.claims.claims import Claims
from registry.claims.figures import ClaimStatistics
from registry.covers.covered import MemberCovers
from registry.covers.lists import CoverLists
from registry.db.context import RegistryContext
from registry.db.database import BUSY_SECONDS, Database
from registry.db.privacy import PersonalData
from registry.db.witness import Witness
from registry.ecards.codes import EcardCodes
from registry.ecards.devices import EcardDevices
from registry.errors import RegistryError
from registry.figures.figures import YearStatistics
from registry.handover.boxes import Boxes
from registry.handover.mailers import PinMailers
from registry.handover.moves import Moves
from registry.line.line import Line
from registry.line.machines import MachineCards
from registry.matters.matters import Matters
from registry.members.amendments import Amendments
from registry.members.bank_reports import BankReports
from registry.members.cards import Cards
from registry.members.hotlist import HotlistEditions
from registry.members.losses import Losses
from registry.members.members import Members
from registry.members.photos import Photos
from registry.members.rights import RightsRules
from registry.members.search import fill_indexes
from registry.members.updates import CardUpdates
from registry.members.verdicts import Verdicts
from registry.migrations import migrate
from registry.paying.batches import BankBatches
from registry.paying.instructions import Instructions
from registry.paying.returns import BankReturns
from registry.programme.booking import Booking
from registry.programme.changes import MerchantChanges
from registry.programme.disputes import Disputes
from registry.programme.findings import Findings
from registry.programme.grants import Grants
from registry.programme.merchants import Merchants
from registry.programme.payouts import Payouts
from registry.programme.rates import Rates
from registry.programme.redemptions import Redemptions
from registry.programme.settlement import Settlement
from registry.restore.restores import Restores
from registry.rush.claims import RushClaims
from registry.rush.rushes import Rushes
from registry.rush.uses import TicketUses
from terminal.keys.custody import KeyCustody

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Registry:
    """The system of record. Usable from many threads; each process opens its own.

    Every repository method is one transaction, and one that changes a record appends to the audit within it; ``by``
    names the actor. Long lists come in pages (``registry.db.paging``). Times are aware and in UTC.

    Every method may raise RegistryUnavailable; one that changes a record raises RegistryConflict where a rule forbids
    the change, and NotOnRecord for an identifier that is not on record.
    """

    def __init__(self, context: RegistryContext) -> None:
        self._context = context
        # from the roster to the dossiers
        self.rosters = Rosters(context)
        self.batches = Batches(context)
        self.reviews = Reviews(context)
        self.row_reviews = RowReviews(context)
        self.confirmations = Confirmations(context)
        self.edits = BatchEdits(context)
        self.queue = BatchQueue(context)
        self.originals = Originals(context)
        self.dossiers = Dossiers(context)
        self.pans = Pans(context)
        self.stock = Stock(context)
        # the personalization line
        self.line = Line(context)
        self.machine_cards = MachineCards(context)
        # members and their cards
        self.members = Members(context)
        self.photos = Photos(context)
        self.amendments = Amendments(context)
        self.cards = Cards(context)
        self.losses = Losses(context)
        self.bank_reports = BankReports(context)
        self.updates = CardUpdates(context)
        self.rights = RightsRules(context)
        self.hotlist = HotlistEditions(context)
        self.verdicts = Verdicts(context)
        # e-cards on telephones
        self.ecard_codes = EcardCodes(context)
        self.ecard_devices = EcardDevices(context)
        # the programme
        self.merchants = Merchants(context)
        self.merchant_changes = MerchantChanges(context)
        self.booking = Booking(context)
        self.grants = Grants(context)
        self.redemptions = Redemptions(context)
        self.findings = Findings(context)
        self.rates = Rates(context)
        self.settlement = Settlement(context)
        self.disputes = Disputes(context)
        self.payouts = Payouts(context)
        # tickets that members rush for
        self.rushes = Rushes(context)
        self.rush_claims = RushClaims(context)
        self.ticket_uses = TicketUses(context)
        # covers
        self.cover_lists = CoverLists(context)
        self.member_covers = MemberCovers(context)
        # claims
        self.claims = Claims(context)
        self.claim_statistics = ClaimStatistics(context)
        # grants that are paid
        self.aid_lists = AidLists(context)
        # payouts
        self.instructions = Instructions(context)
        self.bank_batches = BankBatches(context)
        self.bank_returns = BankReturns(context)
        self._name_work_around_them(context)

    def _name_work_around_them(self, context: RegistryContext) -> None:
        # matters of members
        self.matters = Matters(context)
        # packing and hand-over
        self.boxes = Boxes(context)
        self.moves = Moves(context)
        self.pin_mailers = PinMailers(context)
        # administration
        self.users = Users(context)
        self.sessions = Sessions(context)
        self.tokens = Tokens(context)
        self.login_failures = LoginFailures(context)
        self.idempotency_keys = IdempotencyKeys(context)
        self.audit = Audit(context)
        self.stations = Stations(context)
        self.units = Units(context)
        self.plans = Plans(context)
        self.programme_editions = ProgrammeEditions(context)
        self.statistics = Statistics(context)
        self.figures = YearStatistics(context)
        self.restores = Restores(context)

    @classmethod
    def open(
        cls,
        url: str,
        custody: KeyCustody,
        *,
        clock: Clock = utc_now,
        zone: tzinfo = UTC,
        busy_seconds: float | None = None,
        record: Path | None = None,
    ) -> Registry:
        """Open (and create or migrate) the registry at ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``. ``zone``
        gives the day in the ids of batches.

        ``record`` is a file beside the database that shows when an older backup takes its place (``registry.restore``):
        the registry then gives no numbers out, and no lane claims a chip, until it was checked.

        Raises RegistryUnavailable, RegistryUnfit (not a registry) or SchemaTooNew.
        """
        database = Database(url, busy_seconds=BUSY_SECONDS if busy_seconds is None else busy_seconds)
        try:
            migrate.to_head(database)
            database.make_private()
            personal = PersonalData(custody)
            fill_indexes(database, personal)
            key_digests(database, personal)
            refold_names(RegistryContext(database, personal, clock, zone))
        except BaseException:
            database.close()
            raise
        # The record is written from here on: what was written before the look would hide that a backup is older.
        witness = None if record is None else Witness(record, personal, database.name)
        registry = cls(RegistryContext(database, personal, clock, zone, witness))
        try:
            registry.restores.look()
        except BaseException:
            registry.close()
            raise
        return registry

    def close(self) -> None:
        """Close the database; the record beside it is written before. Raises nothing for a database that is away."""
        with suppress(RegistryError):
            self.restores.note()
        self._context.database.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
