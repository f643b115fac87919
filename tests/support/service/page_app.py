"""Services whose results a test sets, behind the real sign-in: for pages, which only present what services give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from personalize.line.checklist import CheckLine
from personalize.line.outcome import Bin, CardOutcome
from personalize.machines.protocols import MachinePlace, Supply
from reader_service.errors import Conflict, Invalid, NotFound, Unavailable
from reader_service.events import EventBus
from reader_service.principal import Permission, Principal
from reader_service.readers import leases
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Lease, LeaseView, Mode, ReaderState, ReaderView
from reader_service.services.counter.counter import CounterService, ListsAge, VerdictView
from reader_service.services.counter.fetched_lists import ListDates
from reader_service.services.counter.fetching import FetchState, ListFetchService
from reader_service.services.counter.reading import ApplicationView, CardApplicationKind, CardContents, ReadingService
from reader_service.services.developer import CardFileView, DeveloperService, ExchangeView
from reader_service.services.issuing.batches import BatchService, BatchView
from reader_service.services.issuing.checklists import ChecklistService
from reader_service.services.issuing.lane_commands import LaneCommand
from reader_service.services.issuing.lane_status import LaneStatus, LastCard
from reader_service.services.issuing.lanes import LaneService
from reader_service.services.issuing.machine_status import MachineView
from reader_service.services.issuing.machines import MachineService
from registry.db.paging import Page
from registry.line.doubled import DoubledChip
from registry.values import Batch, BatchAccounts, BatchKind, BatchState, BoundChip, Reject, StockAccounts
from terminal.emv.data.explain import Explained
from terminal.member.lists import HotlistState
from terminal.member.outcome import EntitlementLeft, MemberFacts, Proof, Verdict, VerdictCode
from terminal.member.values import Category, MaskedIdentity, Period, Sex
from tests.support.service.accounts import AccountsApp, Client, accounts_app

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
NO_BLANKS = StockAccounts(0, 0, 0, 0, 0, 0, 0, True)
AGES = ListsAge(7, True, 41, 5400, True, HotlistState.CURRENT, False, True)


def reader(called: str, **other: Any) -> ReaderView:
    """A free reader, but for the given values."""
    slug = called.lower().replace(" ", "-")
    plain = ReaderView(
        slug, f"sim:{slug}", f"Virtual {slug}", called, ReaderState.EMPTY, Mode.FREE, "", None, AT, drawer=True
    )
    return replace(plain, **other)


def lane(called: str, **other: Any) -> LaneStatus:
    """A lane that waits for its next card."""
    plain = LaneStatus(
        reader=called.lower().replace(" ", "-"),
        name=called,
        batch="B20261122-001",
        state="waiting",
        step="",
        number="",
        ok=34,
        bad=1,
        last=None,
        message="",
        fault=False,
        rate=412.0,
        seconds_left=1260.0,
        started_at=AT,
        started_by="op",
    )
    return replace(plain, **other)


def machine(called: str, **other: Any) -> MachineView:
    """A card printer that is ready."""
    plain = MachineView(
        reader=called.lower().replace(" ", "-"),
        name=f"evolis:{called}",
        feeds=True,
        prints=True,
        answers=True,
        clearing=False,
        place=MachinePlace.NONE,
        feeder=Supply.ENOUGH,
        reject_full=False,
        cover_open=False,
        ribbon=Supply.LOW,
        ribbon_kind="ymcko",
        cleaning_due=False,
        counters={"cards": 1204, "rejected": 3},
        model="Primacy 2",
        firmware="2306",
        at=AT,
    )
    return replace(plain, **other)


def last(outcome: CardOutcome = CardOutcome.VERIFIED, bin: str = "", reason: str = "") -> LastCard:
    return LastCard(outcome, "004213", bin, reason, 3.14, AT)


def rejected(bin: Bin = Bin.CONTACT, reason: str = "the card gave no answer to READ RECORD") -> LastCard:
    return last(CardOutcome.REJECTED, bin, reason)


def batch_view(state: BatchState = BatchState.RUNNING, unit: str = "广州市第一机械厂工会", **other: Any) -> BatchView:
    accounts = BatchAccounts(
        members=100,
        to_prepare=100 if state is BatchState.APPROVED else 0,
        dossiers=102,
        waiting=57,
        claimed=3,
        missing=0,
        verified=40,
        remade=2,
        chips_fed=45,
        chips_verified=40,
        chips_rejected=2,
        chips_in_reader=3,
        cards=40,
        balanced=True,
    )
    batch = Batch(
        id="B20261122-001",
        kind=BatchKind.ROSTER,
        unit=unit,
        state=state,
        source="roster.xlsx",
        digest="00" * 32,
        imported_by="clerk",
        imported_at=AT,
        approved_by="reviewer",
        approved_at=AT,
        closed_by=None,
        closed_at=None,
        accepted=100,
        rejected=2,
        to_prepare=0,
        dossiers=102,
        verified=40,
    )
    shown = replace(accounts, **{name: value for name, value in other.items() if name in BatchAccounts.__slots__})
    return BatchView(batch, shown, None, None, other.get("signed_by"))


def verdict(
    code: VerdictCode = VerdictCode.ACTIVE,
    name: str = "欧阳建国",
    unit: str = "广州市第一机械厂工会委员会",
    at: str = "counter",
) -> VerdictView:
    """As the counter service gives it; a card that proves nothing has no member."""
    proven = code not in (
        VerdictCode.NOT_GENUINE,
        VerdictCode.UNKNOWN_ISSUER,
        VerdictCode.NOT_A_MEMBER_CARD,
        VerdictCode.CARD_FAULT,
    )
    member = MemberFacts(
        card_number="6200000000000042131",
        sequence=1,
        name=name,
        identity=MaskedIdentity("421X", "8001"),
        valid_through=date(2031, 11, 30),
        expires=date(2031, 11, 30),
        effective=date(2026, 11, 1),
        member_number="440100000042",
        sex=Sex(1),
        unit_name=unit,
        unit_code="U0001",
        category=Category.IN_POST,
        scheme="440100",
        cover_ends=date(2027, 3, 31),
        entitlements=(),
    )
    left = (
        EntitlementLeft("0101", 9, 12, Period.YEAR),
        EntitlementLeft("0201", 4, 4, Period.YEAR),
        EntitlementLeft("0301", 0, 52, Period.YEAR),
    )
    given = Verdict(
        code=code,
        sentence="The card is genuine and the membership is valid.",
        check=None if code is VerdictCode.ACTIVE else "hotlist",
        proof=Proof.OFFLINE_DYNAMIC if proven else Proof.NONE,
        at=AT,
        member=member if proven else None,
        entitlements=left if proven else (),
        trust_version=7,
        hotlist_version=41,
        hotlist_age=timedelta(minutes=90),
        hotlist_state=HotlistState.CURRENT,
    )
    return VerdictView(at, at, 0.214, given, AGES)


def exchange(number: int = 1, **other: Any) -> ExchangeView:
    objects = (Explained(None, "File control information", "", children=(Explained(None, "Label", "UNION MEMBER"),)),)
    plain = ExchangeView(
        number, "00A404000AF04D454D424552010100", "6F0A840AF04D454D", "9000", "success", "SELECT", 12.34, "", objects
    )
    return replace(plain, **other)


@dataclass
class Readers(ReaderManager):
    rows: list[ReaderView] = field(default_factory=list)

    def readers(self, p: Principal) -> list[ReaderView]:
        p.need(Permission.READERS_VIEW)
        return list(self.rows)

    def reader(self, p: Principal, reader_id: str) -> ReaderView:
        return next(one for one in self.readers(p) if one.id == reader_id)

    def rename(self, p: Principal, reader_id: str, name: str) -> ReaderView:
        p.need(Permission.READERS_NAME)
        match = self.reader(p, reader_id)
        if any(one.name == name for one in self.rows if one is not match):
            sentence = f"another reader of this station is called {name}"
            raise Conflict(sentence, reason="reader-name-taken", name=name)
        self.rows[self.rows.index(match)] = replace(match, name=name)
        return self.reader(p, reader_id)

    def forget(self, p: Principal, reader_id: str) -> None:
        p.need(Permission.READERS_NAME)
        match = self.reader(p, reader_id)
        if match.state is not ReaderState.LOST:
            raise Conflict(f"reader {reader_id} is there; unplug it first", reason="there", reader=reader_id)
        self.rows.remove(match)


@dataclass
class Leases(leases.Leases):
    readers: Readers
    taken: list[tuple[str, str]] = field(default_factory=list)

    def take(self, p: Principal, reader_id: str, seconds: float = 60) -> Lease:
        p.need(Permission.READERS_LEASE)
        self.taken.append((p.name, reader_id))
        until = AT + timedelta(seconds=seconds)
        at = next(place for place, one in enumerate(self.readers.rows) if one.id == reader_id)
        self.readers.rows[at] = replace(self.readers.rows[at], lease=LeaseView(p.name, until))
        return Lease(reader_id, "token", p.name, until)

    def give_back(self, p: Principal, reader_id: str, token: str) -> None:
        self.taken.remove((p.name, reader_id))

    def free_all(self, name: str, token: str = "") -> int:
        return 0


@dataclass
class Lanes(LaneService):
    rows: list[LaneStatus] = field(default_factory=list)
    done: list[tuple[str, ...]] = field(default_factory=list)

    def lanes(self, p: Principal) -> list[LaneStatus]:
        p.need(Permission.LANES_VIEW)
        return list(self.rows)

    def start(self, p: Principal, batch_id: str, reader_ids: Sequence[str]) -> list[LaneStatus]:
        p.need(Permission.LANES_RUN)
        self.done.append(("start", batch_id, *reader_ids))
        return [lane(one) for one in reader_ids]

    def steer(self, p: Principal, reader_id: str, command: LaneCommand) -> LaneStatus:
        p.need(Permission.LANES_RUN)
        match = next((one for one in self.rows if one.reader == reader_id), None)
        if match is None:
            raise NotFound(f"no lane runs on reader {reader_id}")
        self.done.append((command.name, reader_id))
        return match


@dataclass
class Machines(MachineService):
    rows: list[MachineView] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)

    def machines(self, p: Principal) -> list[MachineView]:
        p.need(Permission.LANES_VIEW)
        return list(self.rows)

    def clear(self, p: Principal, reader_id: str) -> MachineView:
        p.need(Permission.LANES_RUN)
        self.done.append(("clear", reader_id))
        at = next(at for at, one in enumerate(self.rows) if one.reader == reader_id)
        self.rows[at] = replace(self.rows[at], faults=())
        return self.rows[at]


@dataclass
class Checklists(ChecklistService):
    rows: tuple[CheckLine, ...] = ()

    def check(self, p: Principal, batch_id: str, reader_ids: Sequence[str]) -> tuple[CheckLine, ...]:
        p.need(Permission.LANES_RUN)
        return self.rows


@dataclass
class Batches(BatchService):
    views: list[BatchView] = field(default_factory=list)
    away: bool = False
    rows: tuple[Reject, ...] = ()
    chips: list[BoundChip] = field(default_factory=list)
    twins: list[DoubledChip] = field(default_factory=list)
    blanks: StockAccounts = NO_BLANKS
    done: list[tuple[str, ...]] = field(default_factory=list)

    def page(self, p: Principal, cursor: str | None = None, limit: int = 50, **where: Any) -> Page[Batch]:
        p.need(Permission.BATCHES_VIEW)
        if self.away:
            raise Unavailable("the database cannot be reached")
        return Page(tuple(view.batch for view in self.views), None)

    def queue(self, p: Principal, limit: int) -> list[BatchView]:
        self.page(p)
        return self.views

    def show(self, p: Principal, batch_id: str) -> BatchView:
        return next(view for view in self.views if view.batch.id == batch_id)

    def rejects(self, p: Principal, batch_id: str, cursor: str | None = None, limit: int = 50) -> Page[Reject]:
        return Page(self.rows, None)

    def bound(self, p: Principal, batch_id: str) -> list[BoundChip]:
        return self.chips

    def doubled(self, p: Principal, batch_id: str) -> list[DoubledChip]:
        return self.twins

    def stock(self, p: Principal) -> StockAccounts:
        p.need(Permission.BATCHES_VIEW)
        return self.blanks

    def release_missing(self, p: Principal, batch_id: str, chip_serial: str, reason: str) -> Batch:
        self.done.append((batch_id, chip_serial, reason))
        return self.views[0].batch


@dataclass
class Counter(CounterService):
    age: ListsAge | None = AGES
    done: list[tuple[str, bool]] = field(default_factory=list)

    def lists_age(self, p: Principal) -> ListsAge:
        p.need(Permission.VERIFY)
        if self.age is None:
            raise Unavailable("there are no lists at all")
        return self.age

    def watch(self, p: Principal, reader_id: str, on: bool) -> None:
        p.need(Permission.VERIFY)
        self.done.append((reader_id, on))


@dataclass
class Fetching(ListFetchService):
    last: FetchState = field(default_factory=lambda: FetchState(enabled=False))
    rows: list[ListDates] = field(default_factory=list)
    requests: int = 0

    def state(self, p: Principal) -> FetchState:
        p.need(Permission.VERIFY)
        return self.last

    def dates(self, p: Principal) -> list[ListDates]:
        p.need(Permission.VERIFY)
        return self.rows

    def fetch(self, p: Principal) -> FetchState:
        p.need(Permission.VERIFY)
        self.requests += 1
        return self.last


@dataclass
class Developer(DeveloperService):
    past: list[ExchangeView] = field(default_factory=list)
    cards: list[CardFileView] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    done: list[tuple[str, ...]] = field(default_factory=list)

    def history(self, p: Principal, reader_id: str, lease: str) -> list[ExchangeView]:
        return self.past

    def virtual_cards(self, p: Principal) -> list[CardFileView]:
        p.need(Permission.APDU)
        return self.cards

    def transmit(self, p: Principal, reader_id: str, lease: str, apdus: Sequence[bytes]) -> list[ExchangeView]:
        p.need(Permission.APDU)
        self.sent.extend(apdus)
        return [exchange(number, command=apdu.hex().upper()) for number, apdu in enumerate(apdus, 1)]

    def decode(self, p: Principal, data: bytes, *, tag: int | None = None) -> tuple[Explained, ...]:
        p.need(Permission.DECODE)
        if data == b"\xff":
            raise Invalid("this is no TLV")
        return (Explained(None, "Something", data.hex().upper()),)

    def connect(self, p: Principal, reader_id: str, lease: str, *, reset: bool = False) -> str:
        return "3B8F8001"

    def tear(self, p: Principal, reader_id: str) -> ReaderView:
        self.done.append(("tear", reader_id))
        return reader(reader_id)


class Reading(ReadingService):
    def __init__(self) -> None:
        """Without parts: it reads the same card every time."""

    def read(self, p: Principal, reader_id: str, *, lease: str = "") -> CardContents:
        p.need(Permission.VERIFY)
        objects = (Explained(None, "Something", "in words"),)
        member = ApplicationView(CardApplicationKind.MEMBER, "F04D454D4245520101", "", objects)
        bank = ApplicationView(
            CardApplicationKind.PAYMENT, "A000000333010101", "UNIONPAY DEBIT", (), "the card said no"
        )
        return CardContents(reader_id, "3B8F8001", "T=1", 0.25, (member, bank))


@dataclass
class PageApp:
    """``server`` signs users in; the services are plain values that a test fills."""

    server: AccountsApp
    bus: EventBus
    readers: Readers = field(init=False)
    lanes: Lanes = field(init=False)
    machines: Machines = field(init=False)
    checklists: Checklists = field(init=False)
    batches: Batches = field(init=False)
    counter: Counter = field(init=False)
    fetching: Fetching = field(init=False)
    developer: Developer = field(init=False)
    people: dict[str, Client] = field(default_factory=dict)
    """Those who signed in, with their cookies."""

    def fresh(self) -> None:
        """The services as at the start; users and sessions stay."""
        service = self.server.service
        service.readers = self.readers = Readers()
        service.leases = Leases(self.readers)
        service.lanes = self.lanes = Lanes()
        service.machines = self.machines = Machines()
        service.checklists = self.checklists = Checklists()
        service.batches = self.batches = Batches()
        service.counter = self.counter = Counter()
        service.fetching = self.fetching = Fetching()
        service.developer = self.developer = Developer()
        service.reading = Reading()


def page_app(directory: Path) -> PageApp:
    server = accounts_app(directory)
    shared = PageApp(server, server.service.bus)
    shared.fresh()
    return shared
