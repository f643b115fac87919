"""Electronic cash of PBOC: offer of a payment from the balance on the card. JR/T 0025.13.

The terminal offers (9F7A); where its balance suffices, the card answers with other processing options, whose records
hold 9F74. ``terminal.emv.kernel.logs.electronic_cash`` reads the balance (9F79).
"""

from __future__ import annotations

from typing import Final

from terminal.emv.data.tags import TAG_9F7A_ECASH_INDICATOR, TAG_9F74_ECASH_AUTHORIZATION_CODE
from terminal.emv.transaction.config import ApplicationSettings
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage
from terminal.emv.transaction.transaction import Transaction, TransactionKind

_SOURCE: Final = "JR/T 0025.13"


def offer(application: ApplicationSettings, transaction: Transaction) -> bytes:
    """9F7A: 01 for a purchase of no more than the limit. Cash, refunds and what the merchant forces online are
    paid by debit."""
    fits = 0 < transaction.amount <= application.e_cash_limit
    return bytes((fits and transaction.kind is TransactionKind.PURCHASE and not transaction.force_online,))


def note(state: TransactionState) -> None:
    """Note whether the card took the offer; nothing where there was none."""
    if state.terminal.get(TAG_9F7A_ECASH_INDICATOR) == b"\x01":
        taken = TAG_9F74_ECASH_AUTHORIZATION_CODE in state.card
        text = "the card pays from its e-cash balance" if taken else "the card does not pay from e-cash: debit"
        state.note(KernelStage.READING, text, _SOURCE)
