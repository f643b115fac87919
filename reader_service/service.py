"""The service: its use-cases over one registry, its readers and its events, created, started and closed in order."""

from __future__ import annotations

from contextlib import ExitStack

from reader_service.access.accounts import AccountService
from reader_service.access.settings import AccessSettings
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.readers.manager import ReaderManager
from reader_service.services.administration.audit import AuditService
from reader_service.services.administration.signatures import SignatureService
from reader_service.services.administration.units import UnitService
from reader_service.services.administration.users import UserService
from reader_service.services.counter.counter import CounterService
from reader_service.services.counter.distant import DistantChangeService
from reader_service.services.counter.fetching import ListFetchService
from reader_service.services.counter.insertion import InsertionUpdates
from reader_service.services.counter.lists import ListService
from reader_service.services.counter.reading import ReadingService
from reader_service.services.counter.reversals import ReversalService
from reader_service.services.developer import DeveloperService
from reader_service.services.issuing.batches import BatchService
from reader_service.services.issuing.boxes import BoxService
from reader_service.services.issuing.checklists import ChecklistService
from reader_service.services.issuing.editing import EditingService
from reader_service.services.issuing.lanes import LaneService
from reader_service.services.issuing.machines import MachineService
from reader_service.services.issuing.moves import MoveService
from reader_service.services.issuing.reviewing import ReviewingService
from reader_service.services.issuing.rosters import RosterService
from reader_service.services.programme.booking import BookingService
from reader_service.services.programme.merchants import MerchantService
from reader_service.services.programme.programmes import ProgrammeService
from reader_service.services.programme.rushes import RushService
from reader_service.services.programme.settlement import SettlementService
from reader_service.services.redeeming.cashiers import CashierService
from reader_service.services.redeeming.receipts import ReceiptService
from reader_service.services.redeeming.redemptions import RedemptionService
from reader_service.services.statistics.statistics import StatisticsService
from reader_service.services.uploads import Uploads
from reader_service.services.window.amendments import AmendmentService
from reader_service.services.window.cards import CardService
from reader_service.services.window.losses import LossService
from reader_service.services.window.members import MemberService
from reader_service.services.window.updates import UpdateService
from reader_service.services.workload.stock import QueueService, StockService
from reader_service.services.workload.todos import TodoService


class ReaderService:
    """Everything that pages and API present. The registry belongs to the caller and stays open when the
    service closes. ``accounts`` replaces the sign-in with its usual clock and cost of passwords."""

    def __init__(
        self, parts: ServiceParts, config: AccessSettings | None = None, *, accounts: AccountService | None = None
    ) -> None:
        self.parts = parts
        self.config = config or AccessSettings()
        self.registry = parts.registry
        self.bus = EventBus(clock=parts.clock)
        self.readers = ReaderManager(parts, self.bus)
        self.leases = self.readers.leases
        self.developer = DeveloperService(parts, self.bus, self.readers)
        self.cashiers = CashierService(parts, self.bus)
        insertions = InsertionUpdates(parts)
        self.redemptions = RedemptionService(
            parts, self.bus, self.readers, cashiers=self.cashiers, booked=insertions.expect
        )
        self.receipts = ReceiptService(parts, self.redemptions)
        traces, redemptions = self.developer.traces, self.redemptions
        self.counter = CounterService(
            parts, self.bus, self.readers, traces=traces, redemptions=redemptions, insertions=insertions
        )
        self.distant = DistantChangeService(parts, self.counter.lists_now)
        self.reversals = ReversalService(self.bus, self.readers, self.counter, self.redemptions, insertions)
        self.reading = ReadingService(parts, self.readers)
        self.lanes = LaneService(parts, self.bus, self.readers)
        self.machines = MachineService(parts, self.bus, self.readers, self.lanes)
        self.checklists = ChecklistService(parts, self.readers, self.machines)
        refresh = self.counter.refresh
        self.fetching = ListFetchService(parts, self.bus, lists=self.counter.lists_now, on_new=refresh)
        uploads = Uploads()
        self.rosters = RosterService(parts, self.bus, uploads=uploads)
        self.editing = EditingService(parts, self.bus, uploads=uploads)
        self.reviewing = ReviewingService(parts, self.bus)
        self.batches = BatchService(parts, self.bus)
        self.members = MemberService(parts, self.bus, on_hotlist=refresh)
        self.cards = CardService(parts, self.bus, on_hotlist=refresh)
        self.boxes = BoxService(parts, self.readers)
        self.moves = MoveService(parts, on_hotlist=refresh)
        self.lists = ListService(parts, self.bus, on_hotlist=refresh)
        self.audit = AuditService(parts, self.bus)
        self.statistics = StatisticsService(parts, self.bus)
        self.signatures = SignatureService(parts)
        self.units = UnitService(parts)
        self.merchants = MerchantService(parts)
        self.programmes = ProgrammeService(parts)
        self.booking = BookingService(parts)
        self.settlement = SettlementService(parts)
        self.rushes = RushService(parts)
        self.stock = StockService(parts)
        self.queue = QueueService(parts, self.bus)
        self.todos = TodoService(parts)
        self.accounts = accounts or AccountService(parts.registry, self.config, leases=self.leases)
        self.users = UserService(parts.registry, self.accounts)
        self.updates = UpdateService(
            parts, self.readers, self.counter, insertions, prove_token=self.accounts.prove_token
        )
        self.amendments = AmendmentService(parts, self.bus, on_hotlist=refresh)
        self.losses = LossService(parts, self.bus, self.lists, self.accounts, on_hotlist=refresh)
        self.readers.on_added = self.counter.reader_added
        self.readers.on_forgotten = self._forgotten
        self._started = ExitStack()

    def start(self) -> None:
        """Open the journal and the readers, and start to watch. Raises ReaderNotFound for a reader URL that names no
        reader, JournalError (busy: another service redeems with this journal)."""
        with ExitStack() as undo:
            undo.callback(self.redemptions.close)
            self.redemptions.open()
            undo.callback(self.bus.close)
            undo.callback(self.readers.close)
            self.readers.start()
            undo.callback(self.counter.close)
            self.counter.start()
            undo.callback(self.fetching.close)
            self.fetching.start()
            undo.callback(self.batches.close)
            undo.callback(self.lanes.close)
            undo.callback(self.machines.close)
            self.machines.start()
            self._started = undo.pop_all()

    def _forgotten(self, reader_id: str) -> None:
        self.lanes.forget(reader_id)
        self.developer.forget(reader_id)

    def close(self) -> None:
        """Finish the card in each lane, write the verdicts, release the readers and end the listeners. Safe to call
        twice."""
        self._started.close()
