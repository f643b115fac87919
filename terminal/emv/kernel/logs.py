"""Transaction and load logs, and the e-cash counters. EMV 4.4 Book 3, Annex D; JR/T 0025.5 (load log, e-cash)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from terminal.apdu import Command, Sender, check
from terminal.emv.data.tags import (
    TAG_6F_FCI,
    TAG_9F4D_LOG_ENTRY,
    TAG_9F4F_LOG_FORMAT,
    TAG_9F6D_ECASH_RESET_THRESHOLD,
    TAG_9F77_ECASH_BALANCE_LIMIT,
    TAG_9F78_ECASH_TRANSACTION_LIMIT,
    TAG_9F79_ECASH_BALANCE,
    TAG_A5_FCI_PROPRIETARY,
    TAG_BF0C_FCI_DISCRETIONARY,
    TAG_DF4D_LOAD_LOG_ENTRY,
    TAG_DF4F_LOAD_LOG_FORMAT,
)
from terminal.emv.transaction.exchange import get_data
from terminal.errors import CardError, CardMalformed, CardRefused, MembercardError, TlvError, TransportError
from terminal.tlv import Dol, Tlvs

_END: Final = frozenset((0x6A83, 0x6A82, 0x6985))
"""Status words for the end of a log, or an empty one."""
LOAD_HEAD: Final = Dol.of((0xDF01, 1), (0xDF02, 1), (0xDF03, 6), (0xDF04, 6))
"""Fields that PBOC cards put before those of a load log record: P1 and P2 of the PUT DATA, balance before and after."""
_LOAD_NAMES: Final = {0xDF01: "P1", 0xDF02: "P2", 0xDF03: "balance before", 0xDF04: "balance after"}


class LogKind(Enum):
    """A log, by the tags of its entry (where it is) and its format (what a record holds)."""

    TRANSACTIONS = (TAG_9F4D_LOG_ENTRY, TAG_9F4F_LOG_FORMAT)
    LOADS = (TAG_DF4D_LOAD_LOG_ENTRY, TAG_DF4F_LOAD_LOG_FORMAT)

    def __init__(self, entry: int, form: int) -> None:
        self.entry = entry
        self.form = form


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record, the newest being number 1. ``values`` are the elements by tag; ``head`` names and values that come
    before them in a PBOC load log."""

    number: int
    values: Mapping[int, bytes]
    head: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Log:
    """A log with the file (SFI) it was read from.

    ``remarks`` name the records that could not be read, and why. ``fault`` ended the reading before the last record.
    """

    kind: LogKind
    sfi: int
    records: tuple[LogRecord, ...]
    remarks: tuple[str, ...] = ()
    fault: TransportError | None = None


@dataclass(frozen=True, slots=True)
class ElectronicCash:
    """The e-cash counters in fen, None for each that the card does not give: balance 9F79, balance limit 9F77, limit
    for one payment 9F78, reset threshold 9F6D."""

    balance: int | None
    balance_limit: int | None
    payment_limit: int | None
    reset_threshold: int | None


@dataclass(frozen=True, slots=True)
class History:
    """All that a card gives freely. ``logs`` are those that were read, None where the card keeps none; ``missing`` the
    reasons for the others; ``cash`` is None, and ``fault`` the reason, where the connection was lost before."""

    logs: Mapping[LogKind, Log | None]
    missing: Mapping[LogKind, str]
    cash: ElectronicCash | None
    fault: TransportError | None = None


def read_history(sender: Sender, fci: Tlvs) -> History:
    """Logs and e-cash counters of the selected application; what cannot be read takes nothing else with it.

    Raises TransportError where nothing was read before.
    """
    logs: dict[LogKind, Log | None] = {}
    missing: dict[LogKind, str] = {}
    try:
        for kind in LogKind:
            try:
                log = logs[kind] = read_log(sender, fci, kind)
            except CardError as fault:
                missing[kind] = str(fault)
            else:
                if log is not None and log.fault is not None:
                    return History(logs, missing, None, log.fault)
        return History(logs, missing, electronic_cash(sender))
    except TransportError as fault:
        if not any(logs.values()):
            raise
        return History(logs, missing, None, fault)


def read_log(sender: Sender, fci: Tlvs, kind: LogKind = LogKind.TRANSACTIONS) -> Log | None:
    """Read a log of the selected application; None when its FCI (template 6F) has no log entry.

    A record that is refused ends the log, one that breaks the format is left out, and a lost connection ends it: the
    records read are kept, with a remark. Where no record was read, raises CardRefused, CardMalformed or TransportError
    instead, and always for a log entry or format that is none. EMV 4.4 Book 3, D3 and D4.
    """
    operation = f"reading the log ({kind.name.lower()})"
    entry = fci.present(TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY, TAG_BF0C_FCI_DISCRETIONARY, kind.entry)
    if not entry:
        return None
    if len(entry) != 2 or not 11 <= entry[0] <= 30:
        raise CardMalformed(f"{operation}: the log entry {entry.hex().upper()} names no file from 11 to 30")
    form = _format(sender, kind, operation)
    records: list[LogRecord] = []
    faults: list[MembercardError] = []
    for number in range(1, entry[1] + 1):
        try:
            response = sender.send(Command(0x00, 0xB2, number, entry[0] << 3 | 0x04, ne=256))
            if response.sw in _END:
                break
            raw = check(response, f"{operation}, record {number}")
            records.append(_record(kind, form, number, raw, operation))
        except CardMalformed as fault:
            faults.append(fault)
        except (CardRefused, TransportError) as fault:
            faults.append(fault)
            break
    if faults and not records:
        raise faults[0]
    lost = next((fault for fault in faults if isinstance(fault, TransportError)), None)
    return Log(kind, entry[0], tuple(records), tuple(map(str, faults)), lost)


def electronic_cash(sender: Sender) -> ElectronicCash:
    """The e-cash counters that the selected application gives. JR/T 0025.5. Raises TransportError."""
    return ElectronicCash(
        balance=_amount(get_data(sender, TAG_9F79_ECASH_BALANCE)),
        balance_limit=_amount(get_data(sender, TAG_9F77_ECASH_BALANCE_LIMIT)),
        payment_limit=_amount(get_data(sender, TAG_9F78_ECASH_TRANSACTION_LIMIT)),
        reset_threshold=_amount(get_data(sender, TAG_9F6D_ECASH_RESET_THRESHOLD)),
    )


def _format(sender: Sender, kind: LogKind, operation: str) -> Dol:
    value = get_data(sender, kind.form)
    if value is None:
        raise CardMalformed(f"{operation}: the card gives no log format ({kind.form:04X}), or an empty one")
    try:
        form = Dol.parse(value)
    except TlvError as error:
        raise CardMalformed(f"{operation}: the log format: {error}") from error
    if not form.length:
        raise CardMalformed(f"{operation}: the log format is empty")
    return form


def _record(kind: LogKind, form: Dol, number: int, raw: bytes, operation: str) -> LogRecord:
    """A record is the values one after another, with no template around them. EMV 4.4 Book 3, D4."""
    head: dict[str, bytes] = {}
    if kind is LogKind.LOADS and len(raw) == LOAD_HEAD.length + form.length:
        head = {_LOAD_NAMES[tag]: value for tag, value in LOAD_HEAD.split(raw[: LOAD_HEAD.length]).items()}
        raw = raw[LOAD_HEAD.length :]
    try:
        return LogRecord(number, {int(tag): value for tag, value in form.split(raw).items()}, head)
    except TlvError as error:
        raise CardMalformed(f"{operation}, record {number}: {error}") from error


def _amount(value: bytes | None) -> int | None:
    digits = value.hex() if value is not None and len(value) == 6 else ""
    return int(digits) if digits.isdigit() else None
