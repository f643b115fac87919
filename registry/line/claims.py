"""Claims of lanes: a chip and a dossier bound for ever, held by one lane at a time under a growing fencing token.

Every transaction of the line locks the dossier first and then the chip, so that no two wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Connection, Row, bindparam, func, insert, select, text, update

from registry.batches.lookup import members_without_dossier
from registry.db.counters import PENDING, restored
from registry.db.privacy import parse_ref
from registry.db.tables import UtcTime, batches, chips, claims, counters, dossier_secrets, dossiers
from registry.errors import FenceLost, RegistryConflict, no_batch
from registry.values import ChipKnown, Claim, NothingLeft
from terminal.keys.custody import Sealed


@dataclass(frozen=True, slots=True)
class LanePlace:
    """A lane of a station."""

    lane: str
    station: str


_RESTORED = select(counters.c.value).where(counters.c.name == PENDING).scalar_subquery()
_BATCH = select(batches.c.stage, batches.c.started_at, _RESTORED.label("restored")).where(
    batches.c.id == bindparam("batch")
)
_CHIP = (
    select(chips.c.batch_id, chips.c.dossier_id, chips.c.state, chips.c.reason, chips.c.code, chips.c.doubled_at)
    .add_columns(dossiers.c.card_number)
    .join(dossiers, dossiers.c.id == chips.c.dossier_id, isouter=True)
    .where(chips.c.serial == bindparam("serial"))
)
_NEXT = (
    select(dossiers.c.id)
    .where(dossiers.c.batch_id == bindparam("batch"), dossiers.c.state == "waiting")
    .order_by(dossiers.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_LOCK = select(dossiers.c.state).where(dossiers.c.id == bindparam("dossier")).with_for_update()
_START = update(batches).where(batches.c.id == bindparam("batch"), batches.c.started_at.is_(None))
_NEW_CLAIM = insert(claims).returning(claims.c.token)
_TAKE = update(dossiers).where(dossiers.c.id == bindparam("dossier"))
# No two chips have one serial, but two readers may report the same chip: then the second one is bound already.
_BIND = text(
    "INSERT INTO chips (serial, batch_id, dossier_id, state, from_stock, fed_at, lane) "
    "VALUES (:serial, :batch, :dossier, 'bound', :from_stock, :now, :lane) ON CONFLICT (serial) DO NOTHING"
).bindparams(bindparam("now", type_=UtcTime()), bindparam("from_stock", type_=Boolean()))
_DOSSIER = (
    select(dossiers, dossier_secrets.c.sealed, dossier_secrets.c.seal_key, dossier_secrets.c.context)
    .join(dossier_secrets)
    .where(dossiers.c.id == bindparam("dossier"))
)
HELD = (
    dossiers.c.id == bindparam("dossier"),
    dossiers.c.token == bindparam("held"),
    dossiers.c.state == "claimed",
)


def claim_dossier(
    conn: Connection, batch_id: str, place: LanePlace, chip_serial: str, now: datetime, lease: timedelta
) -> Claim | NothingLeft | ChipKnown:
    """Claim the dossier of a returning chip, or the next waiting one; none for a serial that two chips have. Raises
    RegistryConflict, NotOnRecord."""
    if not chip_serial:
        raise RegistryConflict("a chip without a serial gets no dossier; reject it", reason="chip-without-serial")
    batch = conn.execute(_BATCH, {"batch": batch_id}).one_or_none()
    if batch is None:
        raise no_batch(batch_id)
    if batch.restored:
        raise restored()
    known = conn.execute(_CHIP, {"serial": chip_serial}).one_or_none()
    if known is not None:
        return _known_chip(conn, batch_id, place, chip_serial, known, now, lease)
    if batch.stage != "approved":
        sentence = f"batch {batch_id} is {batch.stage}, so no card of it is made"
        raise RegistryConflict(sentence, reason="batch-not-approved", batch=batch_id)
    dossier_id = conn.execute(_NEXT, {"batch": batch_id}).scalar()
    if dossier_id is None:
        return _nothing_left(conn, batch_id)
    if batch.started_at is None:
        conn.execute(_START, {"batch": batch_id, "started_at": now})
    bound = conn.execute(
        _BIND,
        {
            "serial": chip_serial,
            "batch": batch_id,
            "dossier": dossier_id,
            "from_stock": True,
            "now": now,
            "lane": place.lane,
        },
    )
    if bound.rowcount == 0:
        known = conn.execute(_CHIP, {"serial": chip_serial}).one()
        return _known_chip(conn, batch_id, place, chip_serial, known, now, lease)
    return _hand_over(conn, dossier_id, place, chip_serial, now, lease, returning=False)


def fence_lost(claim: Claim) -> FenceLost:
    return FenceLost(
        f"card {claim.card_number}: claim {claim.token} of lane {claim.lane} is no longer valid; "
        f"treat chip {claim.chip_serial} as a returning chip"
    )


def _known_chip(
    conn: Connection,
    batch_id: str,
    place: LanePlace,
    serial: str,
    known: Row[*tuple[Any, ...]],
    now: datetime,
    lease: timedelta,
) -> Claim | ChipKnown:
    if known.state == "bound" and known.batch_id == batch_id:
        conn.execute(_LOCK, {"dossier": known.dossier_id})
        known = conn.execute(_CHIP, {"serial": serial}).one()  # read again under the lock
    if known.state == "rejected":
        return ChipKnown("rejected", known.reason, known.code)
    if known.doubled_at is not None:
        return ChipKnown("doubled", known.card_number)
    if known.state == "verified":
        return ChipKnown("verified", known.card_number)
    if known.batch_id != batch_id:
        return ChipKnown("other batch", known.batch_id)
    return _hand_over(conn, known.dossier_id, place, serial, now, lease, returning=True)


def _hand_over(
    conn: Connection,
    dossier_id: int,
    place: LanePlace,
    serial: str,
    now: datetime,
    lease: timedelta,
    *,
    returning: bool,
) -> Claim:
    """A new claim of a dossier whose row this transaction has locked; from its commit on older tokens are invalid."""
    until = now + lease
    token: int = conn.execute(
        _NEW_CLAIM,
        {
            "dossier_id": dossier_id,
            "lane": place.lane,
            "station": place.station,
            "claimed_at": now,
            "lease_until": until,
        },
    ).scalar_one()
    conn.execute(_TAKE, {"dossier": dossier_id, "state": "claimed", "token": token})
    row = conn.execute(_DOSSIER, {"dossier": dossier_id}).one()
    return Claim(
        batch_id=row.batch_id,
        dossier_id=dossier_id,
        member_id=row.member_id,
        card_number=row.card_number,
        sequence=row.sequence,
        sealed=Sealed(parse_ref(row.seal_key), row.sealed, row.context),
        profile_name=row.profile_name,
        profile_digest=row.profile_digest,
        chip_serial=serial,
        lane=place.lane,
        station=place.station,
        token=token,
        lease_until=until,
        returning=returning,
    )


def _nothing_left(conn: Connection, batch_id: str) -> NothingLeft:
    claimed = select(func.count()).where(dossiers.c.batch_id == batch_id, dossiers.c.state == "claimed")
    missing = select(func.count()).select_from(members_without_dossier(batch_id).subquery())
    return NothingLeft(conn.execute(claimed).scalar_one(), conn.execute(missing).scalar_one())
