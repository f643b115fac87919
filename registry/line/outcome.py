"""How a chip ends: verified, or rejected for ever with its card hotlisted and the dossier to be made again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from registry.batches.lookup import stage_for_update
from registry.db.counters import allocate
from registry.db.tables import cards, chips, claims, dossiers, roster_rows
from registry.errors import CHIP_VERIFIED, NotOnRecord, RegistryConflict
from registry.line.claims import fence_lost
from registry.members.cards import CardChange, record_event
from registry.members.hotlist import hotlist_add
from registry.values import UNCODED, CardState, Claim, Coded


@dataclass(frozen=True, slots=True)
class ChipFault:
    """Why a chip is rejected: the reason in words and as a code, the step it failed in, its tray, the lane."""

    reason: str
    step: str
    bin: str
    lane: str
    coded: Coded = UNCODED

    def values(self) -> dict[str, str]:
        """Columns of the chip's row; without a lane the lane of the claim stays."""
        columns = {"reason": self.reason, "step": self.step, "bin": self.bin, "code": self.coded.code}
        columns["params"] = json.dumps(dict(self.coded.params), ensure_ascii=False, sort_keys=True)
        return columns | ({"lane": self.lane} if self.lane else {})


MISSING: Final = "missing"
"""Step, tray and code of a chip that was reported as lost."""


_HELD = (
    select(dossiers.c.state, dossiers.c.token, claims.c.station)
    .join(claims, claims.c.token == dossiers.c.token)
    .where(dossiers.c.id == bindparam("dossier"))
    .with_for_update(of=dossiers)
)
_DOSSIER_STATE = update(dossiers).where(dossiers.c.id == bindparam("dossier"))
_CHIP_VERIFIED = update(chips).where(chips.c.serial == bindparam("chip")).values(state="verified")
_CARD = insert(cards)
_SERVED = (
    update(roster_rows)
    .where(
        roster_rows.c.batch_id == bindparam("batch"),
        roster_rows.c.member_id == bindparam("member"),
        roster_rows.c.open,
    )
    .values(open=False)
)


def verified(conn: Connection, claim: Claim, result: dict[str, object], seconds: float, now: datetime) -> bool:
    """Record a verified card; returns False where it was recorded before. Raises FenceLost."""
    held = conn.execute(_HELD, {"dossier": claim.dossier_id}).one_or_none()
    if held is None or held.token != claim.token or held.state == "remade":
        raise fence_lost(claim)
    if held.state == "verified":
        return False  # a repeated call, whose first result was lost
    conn.execute(_DOSSIER_STATE, {"dossier": claim.dossier_id, "state": "verified"})
    conn.execute(_CHIP_VERIFIED, {"chip": claim.chip_serial, "ended_at": now})
    conn.execute(
        _CARD,
        {
            "card_number": claim.card_number,
            "sequence": claim.sequence,
            "member_id": claim.member_id,
            "dossier_id": claim.dossier_id,
            "chip_serial": claim.chip_serial,
            "state": "verified",
            "verified_at": now,
            "seconds": seconds,
            "result": json.dumps(result, ensure_ascii=False, sort_keys=True),
        },
    )
    change = CardChange(claim.lane, claim.station, "read back and proven", now)
    record_event(conn, claim.card_number, claim.sequence, CardState.VERIFIED, change)
    conn.execute(_SERVED, {"batch": claim.batch_id, "member": claim.member_id})
    return True


def reject(conn: Connection, claim: Claim, fault: ChipFault, now: datetime) -> bool:
    """Reject the chip of a claim; returns False where it was rejected before. Raises FenceLost."""
    held = conn.execute(_HELD, {"dossier": claim.dossier_id}).one_or_none()
    if held is None or held.token != claim.token or held.state == "verified":
        raise fence_lost(claim)
    if held.state == "remade":
        return False  # a repeated call
    _reject_bound(conn, claim.dossier_id, fault, now)
    return True


def reject_chip(
    conn: Connection, batch_id: str, chip_serial: str, fault: ChipFault, from_stock: bool, now: datetime
) -> str:
    """Reject a chip without a claim; returns its serial, generated for an empty one. Raises RegistryConflict."""
    stage_of = stage_for_update(conn, batch_id)
    if stage_of != "approved":
        sentence = f"batch {batch_id} is {stage_of}, so no chip is fed to it"
        raise RegistryConflict(sentence, reason="batch-not-approved", batch=batch_id)
    serial = chip_serial or f"UNREAD-{allocate(conn, 'unread', 1)[0]:06d}"
    known = _chip(conn, serial)
    if known is not None and known.state == "bound":
        conn.execute(_HELD, {"dossier": known.dossier_id})
        known = _chip(conn, serial)
    if known is None:
        conn.execute(
            insert(chips).values(
                serial=serial,
                batch_id=batch_id,
                state="rejected",
                from_stock=from_stock,
                fed_at=now,
                ended_at=now,
                **({"lane": fault.lane} | fault.values()),
            )
        )
    elif known.state == "bound":
        _reject_bound(conn, known.dossier_id, fault, now)
    elif known.state == "verified":
        sentence = f"chip {serial} carries a verified card; end the card instead of rejecting the chip"
        raise RegistryConflict(sentence, reason=CHIP_VERIFIED, chip=serial)
    return serial


def release_missing(conn: Connection, batch_id: str, chip_serial: str, by: str, reason: str, now: datetime) -> None:
    """Reject a bound chip that was reported as lost. Raises NotOnRecord, RegistryConflict while its lease runs."""
    known = _chip(conn, chip_serial)
    if known is None or known.batch_id != batch_id or known.dossier_id is None:
        sentence = f"no dossier of batch {batch_id} is bound to chip {chip_serial}"
        raise NotOnRecord(sentence, reason="chip", batch=batch_id, chip=chip_serial)
    held = conn.execute(_HELD, {"dossier": known.dossier_id}).one()
    if held.state != "claimed":
        sentence = f"chip {chip_serial} is {known.state}, not missing"
        raise RegistryConflict(sentence, reason="chip-not-missing", chip=chip_serial)
    lease_until = conn.execute(select(claims.c.lease_until).where(claims.c.token == held.token)).scalar_one()
    if lease_until > now:
        sentence = f"chip {chip_serial} is in a lane's hands until {lease_until:%H:%M:%S} UTC"
        seconds = ceil((lease_until - now).total_seconds())
        raise RegistryConflict(sentence, reason="chip-in-lane", chip=chip_serial, seconds=seconds)
    coded = Coded(MISSING, {"said": reason, "by": by})
    _reject_bound(conn, known.dossier_id, ChipFault(f"{reason} (reported by {by})", MISSING, MISSING, "", coded), now)


def _reject_bound(conn: Connection, dossier_id: int, fault: ChipFault, now: datetime) -> None:
    """The caller's transaction has locked the dossier's row."""
    conn.execute(_DOSSIER_STATE, {"dossier": dossier_id, "state": "remade"})
    ended = {"state": "rejected", "ended_at": now}
    conn.execute(update(chips).where(chips.c.dossier_id == dossier_id).values(**ended, **fault.values()))
    row = conn.execute(select(dossiers.c.card_number, dossiers.c.sequence).where(dossiers.c.id == dossier_id)).one()
    hotlist_add(conn, row.card_number, row.sequence, "rejected", now)


def _chip(conn: Connection, serial: str) -> Row[*tuple[Any, ...]] | None:
    chosen = select(chips.c.batch_id, chips.c.dossier_id, chips.c.state).where(chips.c.serial == serial)
    return conn.execute(chosen).one_or_none()
