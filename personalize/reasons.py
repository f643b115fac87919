"""Why a chip was refused or is to come again, and why a lane waits or ended: codes, from which every language is made.

The English sentence beside a code is for logs and programs' details; ``params`` are what a translated text may name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from personalize.errors import ChipUnfit, DossierError, KeyPoolError, LineStopped, PersonalizeError
from registry.errors import FenceLost, RegistryConflict, RegistryError, RegistryUnavailable
from terminal.errors import (
    AuthenticationGuarded,
    AuthenticationRefused,
    CardError,
    CardGone,
    CardMalformed,
    CardRefused,
    CodecError,
    CustodyError,
    DeadlineExceeded,
    IntegrityError,
    NoCard,
    NotGenuine,
    ReaderBusy,
    ReaderFault,
    ReaderNotFound,
    SecureChannelError,
    TransportError,
)


class Reason(StrEnum):
    """Every code that the line gives. Those of ``ChipUnfit`` are given where it is raised (personalize.errors)."""

    # Of the way to the chip.
    MUTE = "mute"
    """No answer to reset."""
    TAKEN_OUT = "taken-out"
    NO_ANSWER = "no-answer"
    """Not in time."""
    READER_FAULT = "reader-fault"
    READER_BUSY = "reader-busy"
    READER_MISSING = "reader-missing"
    LINK = "link"

    # Of its keys.
    KEYS_REFUSED = "keys-refused"
    KEYS_SPARED = "keys-spared"
    """They failed before, and the last tries are not spent."""
    NOT_GENUINE = "not-genuine"

    # Of what it is, does and holds.
    LOCKED = "locked"
    NOT_OURS = "not-ours"
    WRONG_STOCK = "wrong-stock"
    READ_BACK = "read-back"
    READ_BACK_VERDICT = "read-back-verdict"
    READ_BACK_CHIP = "read-back-chip"
    READ_BACK_KEYS = "read-back-keys"
    READ_BACK_OPEN = "read-back-open"
    READ_BACK_PAYMENT = "read-back-payment"
    REFUSED = "refused"
    MALFORMED = "malformed"
    CHANNEL = "channel"
    GARBLED = "garbled"

    # Of what is on record.
    MADE_BEFORE = "made-before"
    REJECTED_BEFORE = "rejected-before"
    OTHER_BATCH = "other-batch"
    TWINS = "twins"
    TAKEN_OVER = "taken-over"
    MISSING = "missing"
    """Somebody said that the chip is lost: ``registry.outcome.MISSING``."""

    # Of a lane.
    STOPPED = "stopped"
    BATCH_DONE = "batch-done"
    NOTHING_LEFT = "nothing-left"
    NOT_PREPARED = "not-prepared"
    NO_BLANKS = "no-blanks"
    NO_CARD = "no-card"
    TOO_MANY = "too-many"
    RECORD_AWAY = "record-away"
    RECORD = "record"
    CUSTODY = "custody"
    DOSSIER = "dossier"
    KEY_POOL = "key-pool"
    PREPARATION = "preparation"
    MACHINE = "machine"
    READER_HUNG = "reader-hung"
    READER_LOST = "reader-lost"
    READER_CLOSED = "reader-closed"
    INTERNAL = "internal"
    SERVICE_ENDED = "service-ended"
    """While dossiers were being made."""


@dataclass(frozen=True, slots=True)
class Why:
    """A sentence, and what other languages make theirs of. False where nothing is to be said."""

    sentence: str = ""
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.sentence)


NOTHING: Final = Why()

_REASONS: Final[tuple[tuple[type[BaseException], Reason], ...]] = (
    (NoCard, Reason.MUTE),
    (CardGone, Reason.TAKEN_OUT),
    (DeadlineExceeded, Reason.NO_ANSWER),
    (ReaderFault, Reason.READER_FAULT),
    (ReaderBusy, Reason.READER_BUSY),
    (ReaderNotFound, Reason.READER_MISSING),
    (TransportError, Reason.LINK),
    (AuthenticationRefused, Reason.KEYS_REFUSED),
    (AuthenticationGuarded, Reason.KEYS_SPARED),
    (NotGenuine, Reason.NOT_GENUINE),
    (CardRefused, Reason.REFUSED),
    (CardMalformed, Reason.MALFORMED),
    (CardError, Reason.MALFORMED),
    (SecureChannelError, Reason.CHANNEL),
    (IntegrityError, Reason.CHANNEL),
    (CodecError, Reason.GARBLED),
    (FenceLost, Reason.TAKEN_OVER),
    (RegistryUnavailable, Reason.RECORD_AWAY),
    (RegistryError, Reason.RECORD),
    (CustodyError, Reason.CUSTODY),
    (DossierError, Reason.DOSSIER),
    (KeyPoolError, Reason.KEY_POOL),
    (LineStopped, Reason.TOO_MANY),
    (PersonalizeError, Reason.PREPARATION),
    (OSError, Reason.MACHINE),
)
"""The first that fits."""


def why(fault: BaseException) -> Why:
    """What is said of a fault."""
    if isinstance(fault, ChipUnfit):
        return Why(str(fault), fault.code, fault.params)
    code = next((code for kind, code in _REASONS if isinstance(fault, kind)), Reason.INTERNAL)
    params: dict[str, str] = {}
    if isinstance(fault, CardRefused):
        params = {"sw": f"{fault.sw:04X}"}
    elif isinstance(fault, RegistryConflict):
        params = {name: str(value) for name, value in fault.params.items()} | {"reason": fault.reason}
    return Why(str(fault), code, params)
