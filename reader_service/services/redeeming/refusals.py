"""Refusals of a redemption as the service gives them: each fault below becomes a Conflict with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from personalize.errors import NoChineseFont
from programme.errors import NotInProgramme
from reader_service.errors import Conflict, NotFound
from reader_service.redemptions import errors
from reader_service.redemptions.printer import PrinterNotReady
from terminal.errors import MembercardError, NotRedeemable
from terminal.member.signed import ListOutdated

_REASONS: Final[tuple[tuple[type[MembercardError], str], ...]] = (
    (errors.JournalFull, "journal-full"),
    (errors.JournalDamaged, "journal-damaged"),
    (errors.ClockSetBack, "journal-clock"),
    (errors.ClockAhead, "clock-ahead"),
    (errors.ClockWrong, "clock-office"),
    (errors.JournalBusy, "journal-busy"),
    (errors.RedemptionPending, "redemption-pending"),
    (errors.RowMisplaced, "journal-row"),
    (errors.EditionMissing, "edition-missing"),
    (errors.JournalError, "journal-unavailable"),
    (NotRedeemable, "not-redeemable"),
    (ListOutdated, "edition-not-in-force"),
)
REASONS: Final = frozenset((*(reason for _, reason in _REASONS), *errors.ReversalFault))


@contextmanager
def translate_redemption_faults() -> Iterator[None]:
    """Raises Conflict with a reason, NotFound for a benefit that the programme does not have. No sentence is
    personal."""
    try:
        yield
    except errors.ReversalRefused as refused:
        raise Conflict(str(refused), reason=refused.fault.value) from refused
    except NotInProgramme as fault:
        raise NotFound(str(fault)) from fault
    except MembercardError as fault:
        for kind, reason in _REASONS:
            if isinstance(fault, kind):
                raise Conflict(str(fault), reason=reason) from fault
        raise


@contextmanager
def printed() -> Iterator[None]:
    """Raises Conflict where this machine has no font for a PDF file, or the printer is not ready."""
    try:
        yield
    except PrinterNotReady as fault:
        raise Conflict(str(fault), reason="printer") from fault
    except NoChineseFont as fault:
        raise Conflict(str(fault), reason="font-missing") from fault
