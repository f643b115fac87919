"""The stock of blank chips: deliveries booked, and where the chips went."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, not_, select

from registry.batches.accounts import count_by_state
from registry.db.context import RegistryContext
from registry.db.tables import chips, stock_receipts
from registry.errors import RegistryConflict
from registry.values import StockAccounts


class Stock:
    """Repository of the stock of blank chips."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def receive(self, count: int, supplier_batch: str, by: str) -> StockAccounts:
        """Book ``count`` blank chips that a supplier delivered. Raises RegistryConflict for a count below 1."""
        if count < 1:
            raise RegistryConflict(f"{count} chips cannot be received", reason="stock-count", count=count)
        receipt = {"count": count, "supplier_batch": supplier_batch, "by": by, "at": self._context.clock()}
        with self._context.write() as conn:
            conn.execute(insert(stock_receipts).values(receipt))
            self._context.audit(conn, by, "stock.receive", f"delivery:{supplier_batch}", count=count)
            return _accounts(conn)

    def accounts(self) -> StockAccounts:
        """Chips received, fed and left, counted in one view of the database."""
        with self._context.read() as conn:
            return _accounts(conn)


def _accounts(conn: Connection) -> StockAccounts:
    received: int = conn.execute(select(func.coalesce(func.sum(stock_receipts.c.count), 0))).scalar_one()
    ours = count_by_state(conn, select(chips.c.state, func.count()).where(chips.c.from_stock))
    fed: int = conn.execute(select(func.count()).where(chips.c.from_stock)).scalar_one()
    foreign: int = conn.execute(select(func.count()).where(not_(chips.c.from_stock))).scalar_one()
    verified, rejected, in_reader = (ours[state] for state in ("verified", "rejected", "bound"))
    left = received - fed
    balanced = left >= 0 and received == verified + rejected + in_reader + left
    return StockAccounts(received, fed, verified, rejected, in_reader, foreign, left, balanced)
