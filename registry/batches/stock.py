"""The stock of blank chips: deliveries booked, chips spoilt before they were fed, and where the others went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, not_, select

from registry.batches.accounts import count_by_state
from registry.db.context import RegistryContext, reason_given
from registry.db.counters import allocate
from registry.db.tables import batches, chips, dossiers, roster_rows, stock_receipts, stock_spoilt
from registry.errors import RegistryConflict
from registry.values import StockAccounts


@dataclass(frozen=True, slots=True)
class Delivery:
    """The chips of one batch of a supplier, in one or several deliveries. ``fed`` and ``left`` count chips as used in
    the order of delivery, first in, first out: a chip does not say which batch it is of. ``rejected`` are those of the
    fed ones that became rejects, counted alike; ``spoilt`` were written off before they were fed."""

    supplier_batch: str
    first_at: datetime
    received: int
    spoilt: int
    fed: int
    rejected: int
    left: int


@dataclass(frozen=True, slots=True)
class StockEvent:
    """A booking: chips received (``count`` above 0) or spoilt (below 0; above 0 where a mistake was taken back)."""

    at: datetime
    by: str
    supplier_batch: str
    count: int
    spoilt: bool
    reason: str


@dataclass(frozen=True, slots=True)
class StockView:
    """The stock with its deliveries, oldest first, and the bookings, newest first. ``needed``: cards that the approved
    batches still have to get. ``short`` chips are missing for them."""

    accounts: StockAccounts
    deliveries: tuple[Delivery, ...]
    events: tuple[StockEvent, ...]
    needed: int

    @property
    def short(self) -> int:
        return max(0, self.needed - max(0, self.accounts.left))


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

    def spoil(self, count: int, supplier_batch: str, by: str, *, reason: str) -> StockAccounts:
        """Write off blank chips of a delivery that cannot be used; a count below 0 takes earlier ones back.

        Raises RegistryConflict for no chips, more than are left, or more taken back than were written off.
        """
        reason = reason_given(reason)
        if not count:
            raise RegistryConflict("0 chips cannot be written off", reason="stock-count", count=count)
        with self._context.write() as conn:
            allocate(conn, "stock/spoilt", 1)  # one after the other, so that each sees what is left
            delivery = next((one for one in _deliveries(conn) if one.supplier_batch == supplier_batch), None)
            if delivery is None or not -delivery.spoilt <= count <= delivery.left:
                left, spoilt = (0, 0) if delivery is None else (delivery.left, delivery.spoilt)
                raise RegistryConflict(
                    f"{count} chips cannot be written off: of {supplier_batch} {left} are left, {spoilt} written off",
                    reason="stock-spoilt",
                    count=count,
                    supplier_batch=supplier_batch,
                    left=left,
                    spoilt=spoilt,
                )
            row = {"count": count, "supplier_batch": supplier_batch, "reason": reason, "by": by}
            conn.execute(insert(stock_spoilt).values(**row, at=self._context.clock()))
            self._context.audit(conn, by, "stock.spoil", f"delivery:{supplier_batch}", reason, count=count)
            return _accounts(conn)

    def accounts(self) -> StockAccounts:
        """Chips received, fed and left, counted in one view of the database."""
        with self._context.read() as conn:
            return _accounts(conn)

    def view(self, events: int = 100) -> StockView:
        """The whole stock, with its newest bookings, in one view of the database."""
        with self._context.read() as conn:
            booked = [
                StockEvent(row.at, row.by, row.supplier_batch, row._mapping["count"], False, "")
                for row in conn.execute(select(stock_receipts).order_by(stock_receipts.c.id.desc()).limit(events))
            ]
            booked += [
                StockEvent(row.at, row.by, row.supplier_batch, -row._mapping["count"], True, row.reason)
                for row in conn.execute(select(stock_spoilt).order_by(stock_spoilt.c.id.desc()).limit(events))
            ]
            newest = sorted(booked, key=lambda event: event.at, reverse=True)[:events]
            return StockView(_accounts(conn), tuple(_deliveries(conn)), tuple(newest), _needed(conn))

    def shortage(self) -> tuple[int, int]:
        """Blank chips left, and cards that the approved batches still have to get."""
        with self._context.read() as conn:
            return _accounts(conn).left, _needed(conn)


def _accounts(conn: Connection) -> StockAccounts:
    received: int = conn.execute(select(func.coalesce(func.sum(stock_receipts.c.count), 0))).scalar_one()
    spoilt: int = conn.execute(select(func.coalesce(func.sum(stock_spoilt.c.count), 0))).scalar_one()
    ours = count_by_state(conn, select(chips.c.state, func.count()).where(chips.c.from_stock))
    fed: int = conn.execute(select(func.count()).where(chips.c.from_stock)).scalar_one()
    foreign: int = conn.execute(select(func.count()).where(not_(chips.c.from_stock))).scalar_one()
    verified, rejected, in_reader = (ours[state] for state in ("verified", "rejected", "bound"))
    left = received - fed - spoilt
    balanced = left >= 0 and received == verified + rejected + in_reader + spoilt + left
    return StockAccounts(received, fed, verified, rejected, in_reader, foreign, left, balanced, spoilt)


def _deliveries(conn: Connection) -> list[Delivery]:
    """By batch of the supplier, the oldest first; fed chips are taken from the oldest that has some left."""
    received = conn.execute(
        select(stock_receipts.c.supplier_batch, func.min(stock_receipts.c.at), func.sum(stock_receipts.c.count))
        .group_by(stock_receipts.c.supplier_batch)
        .order_by(func.min(stock_receipts.c.id))
    ).all()
    written_off = select(stock_spoilt.c.supplier_batch, func.sum(stock_spoilt.c.count))
    spoilt = {name: count for name, count in conn.execute(written_off.group_by(stock_spoilt.c.supplier_batch))}
    states = select(chips.c.state).where(chips.c.from_stock).order_by(chips.c.fed_at, chips.c.serial)
    fed = list(conn.execute(states).scalars())
    deliveries, start = [], 0
    for name, first_at, count in received:
        usable = int(count) - int(spoilt.get(name, 0))
        mine = fed[start : start + max(0, usable)]
        start += len(mine)
        rejected = sum(state == "rejected" for state in mine)
        deliveries.append(
            Delivery(name, first_at, int(count), int(spoilt.get(name, 0)), len(mine), rejected, usable - len(mine))
        )
    return deliveries


def _needed(conn: Connection) -> int:
    """Members of approved batches without a verified card."""
    rows = select(func.count()).select_from(roster_rows).join(batches, batches.c.id == roster_rows.c.batch_id)
    wanted = conn.execute(rows.where(batches.c.stage == "approved", roster_rows.c.verdict == "accepted")).scalar_one()
    own = select(func.count()).select_from(dossiers).join(batches, batches.c.id == dossiers.c.batch_id)
    ready = conn.execute(own.where(batches.c.stage == "approved", dossiers.c.state == "verified")).scalar_one()
    return int(wanted - ready)
