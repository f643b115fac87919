"""Which payments a terminal offers to take from e-cash. JR/T 0025.13."""

from __future__ import annotations

from datetime import datetime

import pytest

from terminal.emv.risk import ecash
from terminal.emv.transaction.config import ApplicationSettings
from terminal.emv.transaction.transaction import Transaction, TransactionKind

AT = datetime(2026, 11, 22, 12)


def entry(limit: int) -> ApplicationSettings:
    codes = dict.fromkeys(("tac_default", "tac_denial", "tac_online"), "0000000000")
    return ApplicationSettings.model_validate({"aid": "A000000333", "version": "0030", "e_cash_limit": limit, **codes})


@pytest.mark.parametrize(
    ("limit", "transaction", "offered"),
    [
        (1_000, Transaction(1_000, AT), True),
        (1_000, Transaction(1_001, AT), False),
        (1_000, Transaction(1_000, AT, force_online=True), False),
        (1_000, Transaction(1_000, AT, kind=TransactionKind.CASH), False),
        (1_000, Transaction(1_000, AT, 500, kind=TransactionKind.CASHBACK), False),
        (1_000, Transaction(1_000, AT, kind=TransactionKind.REFUND), False),
        (1_000, Transaction(0, AT), False),
        (0, Transaction(0, AT), False),
        (0, Transaction(1, AT), False),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_a_purchase_within_the_limit_is_offered(limit: int, transaction: Transaction, offered: bool) -> None:
    assert ecash.offer(entry(limit), transaction) == bytes((offered,))
