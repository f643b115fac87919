"""Terminal risk management: protects the issuer and the system from fraud. EMV 4.4 Book 3, 10.6.

It runs for every transaction, whether or not the AIP asks for it: a card must not decide whether its number is looked
up in the exception file.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from terminal.apdu import Sender
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.data.elements.codecs import counted
from terminal.emv.data.elements.codes import price
from terminal.emv.data.tags import (
    TAG_5A_PAN,
    TAG_5F34_PAN_SEQUENCE,
    TAG_9F13_LAST_ONLINE_ATC,
    TAG_9F14_LOWER_OFFLINE_LIMIT,
    TAG_9F23_UPPER_OFFLINE_LIMIT,
    TAG_9F36_ATC,
)
from terminal.emv.selection.application import card_number
from terminal.emv.transaction.config import ApplicationSettings, RandomSelection, TerminalConfig, TerminalSettings
from terminal.emv.transaction.exchange import get_data
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import NO_TVR, KernelStage
from terminal.emv.transaction.transaction import Transaction

Recent = Callable[[str, int], int]
"""The amount that this terminal last approved for a card (number, sequence), 0 for none: the transaction log."""
_BOTH_LIMITS = TVR.LOWER_OFFLINE_LIMIT_EXCEEDED | TVR.UPPER_OFFLINE_LIMIT_EXCEEDED


def one_to_99() -> int:
    """A random number for transaction selection, from the system. EMV 4.4 Book 3, 10.6.2."""
    return secrets.randbelow(99) + 1


def manage(
    sender: Sender,
    state: TransactionState,
    config: TerminalConfig,
    application: ApplicationSettings,
    transaction: Transaction,
    *,
    draw: Callable[[], int] = one_to_99,
    recent: Recent | None = None,
) -> None:
    """Every check of 10.6, in order, setting TVR bits. ``draw`` gives 1 to 99. Raises what ``sender`` raises."""
    _exception_file(state, config)
    if transaction.force_online:
        text = "the merchant wants this transaction to go online"
        state.note(KernelStage.RISK, text, "EMV 4.4 Book 4, 6.5.3", tvr=TVR.MERCHANT_FORCED_ONLINE)
    _floor_limit(state, config.terminal, application, transaction, recent)
    if not config.terminal.offline_only:
        _random_selection(state, application, transaction, draw)
    _velocity(sender, state)
    text = "terminal risk management is complete"
    state.note(KernelStage.RISK, text, "EMV 4.4 Book 3, 10.6", tsi=TSI.TERMINAL_RISK_MANAGEMENT_PERFORMED)


def digits(state: TransactionState) -> str:
    """The digits of the card number, tag 5A; empty where it is out of form."""
    return card_number(state.card.get(TAG_5A_PAN, b"")) or ""


def sequence_number(state: TransactionState) -> int:
    """The PAN sequence number, tag 5F34; 0 where the card has none or it is malformed."""
    text = state.card.get(TAG_5F34_PAN_SEQUENCE, b"").hex()
    return int(text) if text.isdigit() else 0


def _exception_file(state: TransactionState, config: TerminalConfig) -> None:
    number, sequence = digits(state), sequence_number(state)
    exceptions = config.exceptions
    listed = bool(exceptions) and ((number, None) in exceptions or (number, sequence) in exceptions)
    text = "the card is on the exception file" if listed else "the card is not on the exception file"
    bits = TVR.ON_EXCEPTION_FILE if listed else NO_TVR
    state.note(KernelStage.RISK, text, "EMV 4.4 Book 4, 6.3.5", tvr=bits)


def _floor_limit(
    state: TransactionState,
    terminal: TerminalSettings,
    application: ApplicationSettings,
    transaction: Transaction,
    recent: Recent | None,
) -> None:
    before = recent(digits(state), sequence_number(state)) if recent is not None else 0
    total, limit = transaction.amount + before, application.floor_limit
    over = total >= limit
    currency, exponent = terminal.currency, terminal.currency_exponent
    paid = price(total, currency, exponent)
    if before:
        paid += f" ({price(before, currency, exponent)} of it paid before)"
    below = "not below" if over else "below"
    text = f"the amount of {paid} is {below} the floor limit of {price(limit, currency, exponent)}"
    state.note(KernelStage.RISK, text, "EMV 4.4 Book 3, 10.6.1", tvr=TVR.FLOOR_LIMIT_EXCEEDED if over else NO_TVR)


def chance(amount: int, floor_limit: int, selection: RandomSelection) -> int:
    """The percentage of transactions of this amount that go online. EMV 4.4 Book 3, 10.6.2.

    ``amount`` is below the floor limit. Below the threshold it is the target; above, it rises in a straight line.
    """
    if amount < selection.threshold:
        return selection.target
    rise = (selection.maximum - selection.target) * (amount - selection.threshold)
    return selection.target + rise // (floor_limit - selection.threshold)


def _random_selection(
    state: TransactionState, application: ApplicationSettings, transaction: Transaction, draw: Callable[[], int]
) -> None:
    source = "EMV 4.4 Book 3, 10.6.2"
    if transaction.amount >= application.floor_limit:
        state.note(KernelStage.RISK, "not below the floor limit: no random selection", source)
        return
    percent, drawn = chance(transaction.amount, application.floor_limit, application.random), draw()
    chosen = drawn <= percent
    verb = "is" if chosen else "is not"
    text = f"the transaction {verb} selected at random to go online: drew {drawn} against {percent} in a hundred"
    state.note(KernelStage.RISK, text, source, tvr=TVR.RANDOMLY_SELECTED if chosen else NO_TVR)


def _velocity(sender: Sender, state: TransactionState) -> None:
    """Velocity checking: consecutive offline transactions. Performed only where the card has both limits."""
    source = "EMV 4.4 Book 3, 10.6.3"
    lower, upper = state.card.get(TAG_9F14_LOWER_OFFLINE_LIMIT), state.card.get(TAG_9F23_UPPER_OFFLINE_LIMIT)
    if lower is None or upper is None:
        state.note(KernelStage.RISK, "the card sets no limits for offline transactions in a row", source)
        return
    atc, last = _counter(sender, state, TAG_9F36_ATC), _counter(sender, state, TAG_9F13_LAST_ONLINE_ATC)
    fresh = TVR.NEW_CARD if last == 0 else NO_TVR
    if fresh:
        state.note(KernelStage.RISK, "the card was never online: it is new", source, tvr=fresh)
    if atc is None or last is None or atc <= last:
        # A missing counter sets a bit of byte 1, too. EMV 4.4 Book 3, 7.5, table 35.
        missing = TVR.ICC_DATA_MISSING if atc is None or last is None else NO_TVR
        text = "the card's counters are missing or contradict each other: both limits count as exceeded"
        state.note(KernelStage.RISK, text, source, tvr=_BOTH_LIMITS | missing)
        return
    count, bits = atc - last, NO_TVR
    if count > int.from_bytes(lower, "big"):
        bits = TVR.LOWER_OFFLINE_LIMIT_EXCEEDED
        # The upper limit is compared only where the lower one is exceeded.
        if count > int.from_bytes(upper, "big"):
            bits = _BOTH_LIMITS
    limits = f"{int.from_bytes(lower, 'big')} and {int.from_bytes(upper, 'big')}"
    text = f"{counted(count, 'transaction')} since the last one online; the limits are {limits}"
    state.note(KernelStage.RISK, text, source, tvr=bits)


def _counter(sender: Sender, state: TransactionState, tag: int) -> int | None:
    value = get_data(sender, tag, state, KernelStage.RISK)
    return int.from_bytes(value, "big") if value is not None and len(value) == 2 else None
