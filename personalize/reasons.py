"""Why a chip was rejected or is to be presented again, and why a lane waits or ended: codes that every language
translates.

The English sentence beside a code is for logs and for programs; ``params`` fill in translated texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from personalize.errors import (
    ChipUnfit,
    DesignError,
    DossierError,
    FaceRefused,
    KeyPoolError,
    LineStopped,
    PersonalizeError,
    StationFault,
)
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


class RejectCode(StrEnum):
    """Every code of the line. ``ChipUnfit`` (personalize.errors) gets its code where it is raised."""

    # The link to the chip.
    MUTE = "mute"
    """No answer to reset."""
    TAKEN_OUT = "taken-out"
    NO_ANSWER = "no-answer"
    """No response in time."""
    READER_FAULT = "reader-fault"
    READER_BUSY = "reader-busy"
    READER_MISSING = "reader-missing"
    LINK = "link"

    # Its keys.
    KEYS_REFUSED = "keys-refused"
    KEYS_SPARED = "keys-spared"
    """Authentication failed before, and the last tries are not used up."""
    NOT_GENUINE = "not-genuine"

    # The chip, its responses and its data.
    LOCKED = "locked"
    NOT_OURS = "not-ours"
    WRONG_STOCK = "wrong-stock"
    KEY_VERSION_TAKEN = "key-version-taken"
    """Another key set of the chip has the number of the final keys."""
    STOCK_KEYS_TWICE = "stock-keys-twice"
    """The stock keys open several key sets, of which one is replaced."""
    KEY_DATA_UNSET = "key-data-unset"
    """The final keys would be derived from a chip number that was never set: all such chips would share them."""
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

    # Its body.
    HALF_PRINTED = "half-printed"
    """A print was begun on the card, and nobody knows that it was completed."""
    NO_ENCODER = "no-stripe-encoder"
    """Cards of the batch have a stripe, and the machine of the lane writes none."""
    NO_PRINTER = "no-face-printer"
    NO_DESIGN = "no-face-design"
    """Cards of the batch have a face, and this station cannot draw it."""
    FACE = "face"
    """The design cannot draw a card: a character without a glyph, a text that does not fit, no photo."""
    NO_REJECT_BIN = "no-reject-bin"

    # The registry.
    VERIFIED_BEFORE = "made-before"
    REJECTED_BEFORE = "rejected-before"
    OTHER_BATCH = "other-batch"
    TWINS = "twins"
    """Another chip seems to have the serial of this one."""
    DOUBLED = "doubled"
    """It is proven and on record that two chips have this serial."""
    NO_IDENTITY = "no-identity"
    """Nothing that the chip gives tells it from others."""
    TAKEN_OVER = "taken-over"
    MISSING = "missing"
    """The chip was reported as lost: ``registry.line.outcome.MISSING``."""

    # The machine of a lane: the codes of ``personalize.machines.faults``.
    MACHINE_JAM = "machine-jam"
    MACHINE_FEEDER_EMPTY = "machine-feeder-empty"
    MACHINE_FEEDER_FULL = "machine-feeder-full"
    MACHINE_FEED = "machine-feed"
    MACHINE_EXIT = "machine-exit"
    MACHINE_REJECT_FULL = "machine-reject-full"
    MACHINE_MOVED_BY_HAND = "machine-moved-by-hand"
    MACHINE_CARD_LEFT = "machine-card-left"
    MACHINE_CARD_SIZE = "machine-card-size"
    MACHINE_COVER = "machine-cover"
    MACHINE_RIBBON = "machine-ribbon"
    MACHINE_CLEANING = "machine-cleaning"
    MACHINE_STRIPE_WRITE = "machine-stripe-write"
    MACHINE_STRIPE_READ = "machine-stripe-read"
    MACHINE_STRIPE_DIFFERS = "machine-stripe-differs"
    MACHINE_SENSOR = "machine-sensor"
    MACHINE_MOTOR = "machine-motor"
    MACHINE_CONTACTS = "machine-contacts"
    MACHINE_COUNTER = "machine-counter"
    MACHINE_NOT_INITIALIZED = "machine-not-initialized"
    MACHINE_LACKS = "machine-lacks"
    MACHINE_COMMAND = "machine-command"
    MACHINE_LINK = "machine-link"
    MACHINE_NO_ANSWER = "machine-no-answer"
    MACHINE_POWER = "machine-power"

    # What a person does in the middle of a card (personalize.machines.protocols).
    SWIPE_TO_WRITE = "swipe-to-write"
    SWIPE_TO_READ = "swipe-to-read"
    SWIPE_AGAIN = "swipe-again"
    TO_PRINTER = "to-printer"

    # A lane.
    STOPPED = "stopped"
    BATCH_DONE = "batch-done"
    NOTHING_LEFT = "nothing-left"
    NOT_PREPARED = "not-prepared"
    NO_BLANKS = "no-blanks"
    NO_CARD = "no-card"
    TOO_MANY = "too-many"
    DATES = "dates"
    """The dates of card data, or of the trust list, do not agree with the clock."""
    TRUST = "trust"
    """The read-back's trust list does not have the issuer of the cards."""
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
    """The service ended while dossiers were being prepared."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence, with code and parameters for other languages. False when there is no reason to give."""

    sentence: str = ""
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.sentence)


NOTHING: Final = Reason()

_REASONS: Final[tuple[tuple[type[BaseException], RejectCode], ...]] = (
    (NoCard, RejectCode.MUTE),
    (CardGone, RejectCode.TAKEN_OUT),
    (DeadlineExceeded, RejectCode.NO_ANSWER),
    (ReaderFault, RejectCode.READER_FAULT),
    (ReaderBusy, RejectCode.READER_BUSY),
    (ReaderNotFound, RejectCode.READER_MISSING),
    (TransportError, RejectCode.LINK),
    (AuthenticationRefused, RejectCode.KEYS_REFUSED),
    (AuthenticationGuarded, RejectCode.KEYS_SPARED),
    (NotGenuine, RejectCode.NOT_GENUINE),
    (CardRefused, RejectCode.REFUSED),
    (CardMalformed, RejectCode.MALFORMED),
    (CardError, RejectCode.MALFORMED),
    (SecureChannelError, RejectCode.CHANNEL),
    (IntegrityError, RejectCode.CHANNEL),
    (CodecError, RejectCode.GARBLED),
    (FenceLost, RejectCode.TAKEN_OVER),
    (RegistryUnavailable, RejectCode.RECORD_AWAY),
    (RegistryError, RejectCode.RECORD),
    (CustodyError, RejectCode.CUSTODY),
    (DossierError, RejectCode.DOSSIER),
    (KeyPoolError, RejectCode.KEY_POOL),
    (FaceRefused, RejectCode.FACE),
    (DesignError, RejectCode.FACE),
    (PersonalizeError, RejectCode.PREPARATION),
    (OSError, RejectCode.MACHINE),
)
"""The first matching row counts."""


def reason_for(fault: BaseException) -> Reason:
    """The reason that a fault gives."""
    if isinstance(fault, ChipUnfit | LineStopped | StationFault):
        return Reason(str(fault), fault.code, fault.params)
    code = next((code for kind, code in _REASONS if isinstance(fault, kind)), RejectCode.INTERNAL)
    params: dict[str, str] = {}
    if isinstance(fault, CardRefused):
        params = {"sw": f"{fault.sw:04X}"}
    elif isinstance(fault, RegistryConflict):
        params = {name: str(value) for name, value in fault.params.items()} | {"reason": fault.reason}
    return Reason(str(fault), code, params)
