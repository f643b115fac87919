"""The counter of a merchant that redeems benefits, by the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from membercard import settings
from membercard.errors import SettingsError
from membercard.wiring.programme_edition import PROGRAMME, counter_edition
from terminal.errors import CodecError, MembercardError

if TYPE_CHECKING:
    from membercard.wiring.http_receiver import HttpReceiver
    from programme.editions import ProgrammeEdition
    from reader_service.parts import CounterPlace
    from reader_service.redemptions.asking import IssuerLine
    from reader_service.redemptions.counter import CounterRedemptions
    from reader_service.redemptions.intents import UploadBatch
    from reader_service.redemptions.issued import IssuedReceipts
    from reader_service.redemptions.printer import ReceiptPrinter
    from reader_service.redemptions.receiver import UploadReceipt, UploadReceiver
    from registry.programme.grants import GrantRefused, GrantRequest, OnlineGrant


def counter_place() -> CounterPlace | None:
    """The merchant's counter that the settings name; None where they name no merchant. Raises SettingsError where a
    part of it is missing."""
    from reader_service.parts import CounterPlace  # slow to import, and not needed by most commands

    current = settings.load()
    if not current.merchant:
        return None
    if not current.merchant_terminal or not current.merchant_kinds:
        raise SettingsError(
            "a merchant's counter needs the settings merchant_terminal (8 letters and digits) and merchant_kinds too"
        )
    receiver = distant_receiver()
    return CounterPlace(
        merchant=current.merchant,
        terminal=current.merchant_terminal,
        name=current.merchant_name or current.merchant,
        kinds=current.merchant_kinds,
        edition=StoredEdition(),
        receiver=receiver,
        printer=_printer(current.receipt_printer),
        issuer_clock=_unknown if receiver is None else receiver.issuer_time.now,
    )


def _unknown() -> datetime | None:
    """The clock of an office in the same installation is the counter's own."""
    return None


def distant_receiver() -> HttpReceiver | None:
    """The office that the settings name; None where it is this installation. Raises SettingsError."""
    from membercard.wiring.http_receiver import HttpReceiver

    current = settings.load()
    if not current.upload_url:
        return None
    if current.upload_token_file is None:
        raise SettingsError("upload_url needs the setting upload_token_file too: the token of this counter's outlet")
    return HttpReceiver(current.upload_url, current.upload_token_file)


@contextmanager
def receiver_of_counter() -> Iterator[UploadReceiver]:
    """Where this counter's rows go: the office of the settings, or this installation's registry. Raises SettingsError,
    CustodyError, RegistryError."""
    from reader_service.services.redeeming.registry_receiver import RegistryReceiver

    place, distant = _place(), distant_receiver()
    if distant is not None:
        yield distant
        return
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        yield RegistryReceiver(registry, keystore, place.merchant, place.terminal, settings.load().zone)


def _printer(address: str) -> ReceiptPrinter | None:
    """The printer of the settings. Raises SettingsError."""
    from reader_service.redemptions.printer import ReceiptPrinter

    try:
        return ReceiptPrinter.of(address) if address else None
    except CodecError as fault:
        raise SettingsError(f"the setting receipt_printer: {fault}") from fault


class StoredEdition:
    """The programme edition of this counter, read again when its file changes. It keeps the settings active at its
    creation: readers have threads of their own."""

    def __init__(self) -> None:
        self._settings = settings.load()
        self._seen: tuple[int, int, int] | None = None
        self._edition: ProgrammeEdition | None = None

    def __call__(self) -> ProgrammeEdition:
        """Raises as ``counter_edition``."""
        try:
            state = (self._settings.data_dir / PROGRAMME).stat()
            mark = (state.st_ino, state.st_mtime_ns, state.st_size)
        except OSError:
            mark = None
        if self._edition is None or mark is None or mark != self._seen:
            self._edition, self._seen = None, None
            self._edition, self._seen = counter_edition(self._settings), mark
        return self._edition


@contextmanager
def counter_redemptions(issuer: IssuerLine | None = None) -> Iterator[CounterRedemptions]:
    """The redemptions of this counter over its open journal. ``issuer``: the line to the office, instead of that of
    the settings. Raises SettingsError without a merchant, JournalError."""
    # Slow to import, and not needed by most commands.
    from reader_service.redemptions.asking import IssuerLine
    from reader_service.redemptions.counter import CounterRedemptions
    from reader_service.redemptions.journal import FOLDER, RedemptionJournal

    current, place = settings.load(), _place()
    with ExitStack() as stack:
        journal = stack.enter_context(RedemptionJournal.open(current.data_dir / FOLDER, current.now()))
        line = issuer or IssuerLine(IssuerOfCommand(stack), lambda: True)
        yield CounterRedemptions(journal, place, current.zone, line)


class IssuerOfCommand:
    """The office as ``receiver_of_counter`` opens it, once something is asked of it: most redemptions need none."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._receiver: UploadReceiver | None = None

    def through(self, journal: str) -> int:
        return self._opened().through(journal)

    def take(self, batch: UploadBatch) -> UploadReceipt:
        return self._opened().take(batch)

    def ask(self, wanted: GrantRequest) -> OnlineGrant | GrantRefused:
        return self._opened().ask(wanted)

    def _opened(self) -> UploadReceiver:
        """Raises ReceiverAway where it cannot be opened."""
        from reader_service.redemptions.receiver import ReceiverAway

        if self._receiver is None:
            try:
                self._receiver = self._stack.enter_context(receiver_of_counter())
            except MembercardError as fault:
                raise ReceiverAway(str(fault)) from fault
        return self._receiver


def issued_receipts() -> IssuedReceipts:
    """The receipts of this counter that were issued; only for who has its journal open."""
    from reader_service.redemptions.issued import IssuedReceipts
    from reader_service.redemptions.journal import FOLDER

    return IssuedReceipts(settings.load().data_dir / FOLDER)


def _place() -> CounterPlace:
    """Raises SettingsError without a merchant."""
    place = counter_place()
    if place is None:
        raise SettingsError(
            "nothing is redeemed here: the settings name no merchant (merchant, merchant_terminal, merchant_kinds)"
        )
    return place
