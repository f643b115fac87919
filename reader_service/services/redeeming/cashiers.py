"""Who is at a counter: a cashier signs in at a reader with a PIN, and stands in the redemptions from then on.

A counter without cashiers on record names the user who is signed in to the service, as before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reader_service.access.cashiers import FILE, Cashier, CashierStore
from reader_service.errors import Conflict, Forbidden
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from terminal.secret import Secret

IDLE_SECONDS: Final = 30 * 60
"""Time without a redemption after which a cashier signs in again."""


@dataclass(slots=True)
class _Present:
    """A cashier at a reader; ``until`` by the clock of ``tick``."""

    cashier: Cashier
    until: float


class CashierService:
    """The use-cases. Each raises Unavailable where the counter's file cannot be read.

    Event (topic: reader id): cashier.changed (data: ``name``, empty where nobody is signed in).
    """

    def __init__(self, parts: ServiceParts, bus: EventBus, *, tick: Callable[[], float] = time.monotonic) -> None:
        self.store = CashierStore(parts.data_dir / FILE, clock=parts.clock)
        self._bus, self._tick = bus, tick
        self._lock = threading.Lock()
        self._present: dict[str, _Present] = {}

    @property
    def enabled(self) -> bool:
        """Whether cashiers sign in at this counter."""
        return bool(self.store.all())

    def at(self, reader_id: str) -> Cashier | None:
        """The cashier at a reader; None where nobody is signed in, or not any more."""
        with self._lock:
            present = self._present.get(reader_id)
            if present is None or present.until <= self._tick():
                self._present.pop(reader_id, None)
                return None
            return present.cashier

    def present(self, p: Principal, reader_id: str) -> Cashier | None:
        """REDEEM. As ``at``."""
        p.need(Permission.REDEEM)
        return self.at(reader_id)

    def name_for(self, p: Principal, reader_id: str) -> str:
        """The name for a redemption at a reader: of the cashier, whose time begins anew. Raises Conflict
        (``no-cashier``) where one has to sign in first."""
        cashier = self.at(reader_id)
        if cashier is None:
            if self.enabled:
                raise Conflict("a cashier signs in with a PIN first", reason="no-cashier")
            return p.name
        with self._lock:
            if reader_id in self._present:
                self._present[reader_id].until = self._tick() + IDLE_SECONDS
        return cashier.name

    def cashiers(self, p: Principal) -> tuple[Cashier, ...]:
        """REDEEM or USERS. The cashiers of this counter."""
        if not p.may(Permission.USERS):
            p.need(Permission.REDEEM)
        return self.store.all()

    def sign_in(self, p: Principal, reader_id: str, name: str, pin: Secret) -> Cashier:
        """REDEEM. Sign a cashier in at a reader, in place of whoever was there. Raises Conflict (``cashier-pin``),
        TooMany."""
        p.need(Permission.REDEEM)
        cashier = self.store.check(name, pin)
        with self._lock:
            self._present[reader_id] = _Present(cashier, self._tick() + IDLE_SECONDS)
        self._bus.publish("cashier.changed", reader_id, {"name": cashier.name})
        return cashier

    def sign_out(self, p: Principal, reader_id: str) -> None:
        """REDEEM. Nobody is at the reader any more."""
        p.need(Permission.REDEEM)
        with self._lock:
            self._present.pop(reader_id, None)
        self._bus.publish("cashier.changed", reader_id, {"name": ""})

    def may_manage(self, p: Principal, reader_id: str) -> bool:
        """Whether the caller may set PINs: an administrator, or at a counter its manager, signed in at the reader."""
        cashier = self.at(reader_id)
        return p.may(Permission.USERS) or (p.may(Permission.REDEEM) and cashier is not None and cashier.manager)

    def set_pin(
        self,
        p: Principal,
        reader_id: str,
        name: str,
        pin: Secret,
        *,
        manager: bool | None = None,
        own: Secret | None = None,
    ) -> Cashier:
        """Set the PIN of a cashier, new or on record; ``manager`` None leaves that right as it is. A manager proves who
        it is with the ``own`` PIN. Raises Forbidden, Invalid, Conflict for a wrong PIN and for the last manager,
        TooMany."""
        by = self._manager(p, reader_id, own)
        cashier = self.store.set_pin(name, pin, by=by, manager=manager)
        self._end(cashier.name, but=cashier.name if by == cashier.name else "")
        return cashier

    def change_own(self, p: Principal, reader_id: str, old: Secret, new: Secret) -> Cashier:
        """REDEEM. Change the PIN of the cashier at the reader, who proves the old one. Raises Conflict, TooMany,
        Invalid."""
        name = self.name_for(p, reader_id)
        p.need(Permission.REDEEM)
        self.store.check(name, old)
        return self.store.set_pin(name, new, by=name)

    def remove(self, p: Principal, reader_id: str, name: str, *, own: Secret | None = None) -> None:
        """Remove a cashier; a manager proves who it is with the ``own`` PIN. Raises Forbidden, NotFound, Conflict for a
        wrong PIN and for the last manager, TooMany."""
        self._manager(p, reader_id, own)
        self.store.remove(name)
        self._end(name)

    def _manager(self, p: Principal, reader_id: str, own: Secret | None) -> str:
        """Who sets PINs. That a manager is signed in at a reader says nothing about who asks: every till of a counter
        may name that reader. Raises Forbidden, Conflict, TooMany."""
        if not self.may_manage(p, reader_id):
            raise Forbidden("this needs an administrator, or the counter's manager signed in", rule="cashiers")
        cashier = self.at(reader_id)
        if p.may(Permission.USERS) or cashier is None:
            return p.name
        return self.store.check(cashier.name, own or Secret(b"")).name

    def _end(self, name: str, but: str = "") -> None:
        """Sign a cashier out at every reader, as the PIN or the rights have changed."""
        with self._lock:
            ended = [one for one, present in self._present.items() if present.cashier.name == name != but]
            for reader_id in ended:
                del self._present[reader_id]
        for reader_id in ended:
            self._bus.publish("cashier.changed", reader_id, {"name": ""})
