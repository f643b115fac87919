"""Reading payment applications without a payment: each is selected, initiated and read.

Initiating an application increments its transaction counter (9F36). EMV 4.4 Book 1, 12; Book 3, 6.5.7, 10.1 and 10.2.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from terminal.apdu import Sender
from terminal.emv.data.tags import (
    TAG_9F06_TERMINAL_AID,
    TAG_9F7A_ECASH_INDICATOR,
    TAG_9F13_LAST_ONLINE_ATC,
    TAG_9F17_PIN_TRY_COUNTER,
    TAG_9F36_ATC,
    TAG_9F77_ECASH_BALANCE_LIMIT,
    TAG_9F78_ECASH_TRANSACTION_LIMIT,
    TAG_9F79_ECASH_BALANCE,
)
from terminal.emv.selection.application import initiate, read_application
from terminal.emv.selection.selection import Candidate, Selected, Supported, build_candidates, choose
from terminal.emv.transaction.config import TerminalConfig
from terminal.emv.transaction.exchange import get_data
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.state import Stop, TransactionState
from terminal.emv.transaction.transaction import Transaction, TransactionKind
from terminal.errors import CardError, CodecError

COUNTERS: Final = (
    TAG_9F36_ATC,
    TAG_9F13_LAST_ONLINE_ATC,
    TAG_9F17_PIN_TRY_COUNTER,
    TAG_9F79_ECASH_BALANCE,
    TAG_9F77_ECASH_BALANCE_LIMIT,
    TAG_9F78_ECASH_TRANSACTION_LIMIT,
)
"""Read with GET DATA: transaction counter, last online one, PIN tries left; PBOC's e-cash balance and limits."""
MOST_APPLICATIONS: Final = 16
"""More than any card has; a card that lists hundreds must not block a counter."""


@dataclass(frozen=True, slots=True)
class PaymentReading:
    """One application as it was read. ``data`` are its primitive data elements by tag, the PAN among them: to be masked
    where they are shown. ``fault`` is the reason why reading ended early, empty for a complete reading."""

    aid: bytes
    label: str
    data: Mapping[int, bytes] = field(repr=False)
    fault: str = ""


def read_applications(
    sender: Sender, config: TerminalConfig, at: datetime, *, random: Callable[[int], bytes] = secrets.token_bytes
) -> tuple[PaymentReading, ...]:
    """The payment applications that card and terminal have in common, in the order of their priority; empty for none.

    ``at`` is local time, for cards that ask for it. A fault of the card becomes the ``fault`` of its application.
    Raises TransportError.
    """
    known = [Supported(entry.aid_bytes, entry.partial) for entry in config.applications]
    try:
        candidates = build_candidates(TransactionState({}), sender, known, pse=config.terminal.pse)
    except Stop as stop:
        if stop.result is Result.TRY_ANOTHER_INTERFACE:
            return ()
        return (PaymentReading(b"", "", {}, stop.reason),)
    return tuple([_read(sender, config, one, at, random) for one in candidates[:MOST_APPLICATIONS]])


def _read(
    sender: Sender, config: TerminalConfig, candidate: Candidate, at: datetime, random: Callable[[int], bytes]
) -> PaymentReading:
    inquiry = Transaction(0, at, kind=TransactionKind.INQUIRY)
    state = TransactionState({**config.prepared.data, **inquiry.data(random(4))})
    try:
        # Reading needs no confirmation by the cardholder.
        selected, _ = choose(state, sender, [replace(candidate, confirm=False)], None)
    except Stop as stop:
        return PaymentReading(candidate.name, candidate.label, {}, stop.reason)
    fault = ""
    try:
        _prepare(state, config, selected)
        opened = initiate(state, sender, selected)
        if opened is None:
            fault = "the application is not to be used now (conditions not satisfied)"
        else:
            read_application(state, sender, opened)
    except Stop as stop:
        fault = stop.reason
    except (CardError, CodecError) as error:
        fault = f"the card's data are in error: {error}"
    counters = {tag: value for tag in COUNTERS if (value := get_data(sender, tag)) is not None}
    return PaymentReading(selected.name, selected.label, state.card | counters, fault)


def _prepare(state: TransactionState, config: TerminalConfig, selected: Selected) -> None:
    _, data = config.prepared.application(selected.supported.aid)
    state.terminal |= data
    state.terminal |= {TAG_9F06_TERMINAL_AID: selected.name, TAG_9F7A_ECASH_INDICATOR: b"\x00"}
