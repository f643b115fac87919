"""The parts that a service is built from. The command line wires them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from personalize.line.job import Job
from programme.programme import Programme
from registry.ranges import RangeUse, SerialRange
from registry.store import Registry
from terminal.apdu import Reader
from terminal.emv.data.dictionary import Dictionary
from terminal.emv.transaction.config import TerminalConfig, shipped_config
from terminal.keys import KeyCustody
from terminal.member.elements import MEMBER_AID, dictionary
from terminal.member.lists import CounterLists
from terminal.member.signed import Issue

if TYPE_CHECKING:
    from reader_service.redemptions.receiver import UploadReceiver
    from reader_service.services.counter.changes import ScriptIssuer
    from reader_service.services.counter.fetched_lists import ListSource


class LineParts(Protocol):
    """Preparation and running of batches as the station is set up: profile, pools of chip keys, trust for the
    read-back."""

    def prepare(self, batch_id: str, tick: Callable[[int], None], *, by: str) -> int:
        """Prepare every missing dossier and give their number. ``tick`` gets the number of new dossiers every few of
        them; ``by`` goes into the audit."""
        ...

    def job(self, batch_id: str) -> Job:
        """The values that all cards of a run over this batch share."""
        ...

    def remake(self, batch_id: str) -> object:
        """Prepare the dossiers of rejected chips again."""
        ...

    def pools_filled(self, lanes: int) -> AbstractContextManager[object]:
        """Keep the pools of chip keys filled while lanes run."""
        ...


class ProgrammeInForce(Protocol):
    """A programme with the issue of the edition that a counter has."""

    @property
    def programme(self) -> Programme: ...
    @property
    def issue(self) -> Issue: ...


class SlipPrinter(Protocol):
    """A receipt printer of a counter."""

    def send(self, content: bytes) -> None:
        """Print a slip. Raises PrinterNotReady."""
        ...


@dataclass(frozen=True)
class CounterPlace:
    """The counter of a merchant that redeems benefits.

    ``merchant`` is the merchant identifier (9F16), ``terminal`` the terminal identification (9F1C), ``name`` stands on
    receipts, ``kinds`` are the kinds of merchant of the programme. ``edition`` reads the programme edition in use.
    ``receiver`` takes the rows of the journal; None: the registry of the same installation.
    ``printer`` prints receipts; None where a browser or nothing does.
    ``issuer_clock`` gives the office's time, as far as it has said it.
    """

    merchant: str
    terminal: str
    name: str
    kinds: tuple[str, ...]
    edition: Callable[[], ProgrammeInForce]
    receiver: UploadReceiver | None = None
    printer: SlipPrinter | None = None
    issuer_clock: Callable[[], datetime | None] = lambda: None


@dataclass(frozen=True)
class ServiceParts:
    """Everything that the service works with. ``lists`` reads the signed lists; it works without a database where a
    signed copy is stored."""

    registry: Registry
    custody: KeyCustody
    line: LineParts
    lists: Callable[[], CounterLists]
    open_reader: Callable[[str], Reader]
    station: str
    data_dir: Path
    reader_urls: tuple[str, ...] = ()
    """Readers to open at the start beside those the PC/SC service shows: virtual ones, mostly."""
    pcsc: bool = True
    """Whether to watch the PC/SC service for readers that come and go."""
    counters: Mapping[str, str] = field(default_factory=dict)
    """Readers that verify each card put in, by URL; the value is the name shown."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    zone: tzinfo = UTC
    """The time zone of calendar days and of what people read."""
    lease: timedelta = timedelta(seconds=60)
    counters_activate: bool = False
    """Whether a counter may activate cards, as a window does."""
    place: CounterPlace | None = None
    """The merchant's counter that redeems here; None where nothing is redeemed."""
    list_source: ListSource | None = None
    """Where the lists are fetched from; None where this installation makes them, or nobody fetches them."""
    script_issuer: ScriptIssuer | None = None
    """Who writes the scripts for cards here; None: this installation, by its own registry and keys."""
    card_folder: Path | None = None
    """Where the virtual cards lie that developers put into slots; None where nothing is simulated."""
    dictionary: Dictionary = field(default_factory=dictionary)
    """What data elements are called and mean."""
    terminal: TerminalConfig = field(default_factory=shipped_config)
    """As what payment applications are read."""
    scheme: str = "130000"
    """Administrative division of the issuing federation, six digits: of the profile in use."""
    member_prefix: str = ""
    """Prefix of member numbers, of the profile in use; empty for the default of the scheme."""
    ranges: Callable[[str], Sequence[RangeUse]] = lambda batch_id: ()
    """How full the ranges of numbers are that a draft draws on, by batch."""
    member_aid: bytes = MEMBER_AID
    """AID of the member application, of the profile in use."""
    serial_ranges: Callable[[], Sequence[SerialRange]] = tuple
    """These ranges, of the profile in use."""

    def now(self) -> datetime:
        """The present time in ``zone``."""
        return self.clock().astimezone(self.zone)
