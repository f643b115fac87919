"""Accounts of a batch, which balance at every moment, and its closing, for which they must."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Select, and_, delete, func, not_, or_, select, update

from registry.batches.lookup import members_without_dossier, stage_for_update
from registry.db.actors import refuse_same_person
from registry.db.tables import (
    LIVING,
    batches,
    cards,
    chips,
    claims,
    dossier_secrets,
    dossiers,
    pin_mailers,
    roster_rows,
)
from registry.errors import RegistryConflict
from registry.values import BatchAccounts

_LETTER_OF_CARD: Final = and_(
    pin_mailers.c.card_number == cards.c.card_number, pin_mailers.c.sequence == cards.c.sequence
)


def accounts(conn: Connection, batch_id: str, now: datetime) -> BatchAccounts:
    """Both equations and their cross-checks, counted from the rows in one view of the database."""
    of_dossiers = count_by_state(conn, select(dossiers.c.state, func.count()).where(dossiers.c.batch_id == batch_id))
    of_chips = count_by_state(conn, select(chips.c.state, func.count()).where(chips.c.batch_id == batch_id))
    of_batch = dossiers.c.batch_id == batch_id
    count = select(func.count())
    all_dossiers: int = conn.execute(count.where(of_batch)).scalar_one()
    all_chips: int = conn.execute(count.where(chips.c.batch_id == batch_id)).scalar_one()
    members: int = conn.execute(
        count.where(roster_rows.c.batch_id == batch_id, roster_rows.c.verdict == "accepted")
    ).scalar_one()
    issued: int = conn.execute(count.select_from(cards).join(dossiers).where(of_batch)).scalar_one()
    missing: int = conn.execute(
        count.select_from(dossiers)
        .join(claims, claims.c.token == dossiers.c.token)
        .where(of_batch, dossiers.c.state == "claimed", claims.c.lease_until <= now)
    ).scalar_one()
    to_prepare: int = conn.execute(count.select_from(members_without_dossier(batch_id).subquery())).scalar_one()
    waiting, claimed, verified, remade = (of_dossiers[s] for s in ("waiting", "claimed", "verified", "remade"))
    in_reader, chips_verified, chips_rejected = (of_chips[s] for s in ("bound", "verified", "rejected"))
    balanced = (
        all_dossiers == waiting + claimed + verified + remade
        and all_chips == chips_verified + chips_rejected + in_reader
        and claimed == in_reader
        and verified == chips_verified == issued
        and remade <= chips_rejected
        and members == waiting + claimed + verified + to_prepare
        and _contradictions(conn, batch_id) == 0
    )
    return BatchAccounts(
        members=members,
        to_prepare=to_prepare,
        dossiers=all_dossiers,
        waiting=waiting,
        claimed=claimed,
        missing=missing,
        verified=verified,
        remade=remade,
        chips_fed=all_chips,
        chips_verified=chips_verified,
        chips_rejected=chips_rejected,
        chips_in_reader=in_reader,
        cards=issued,
        balanced=balanced,
    )


def close_batch(conn: Connection, batch_id: str, by: str, second: str, now: datetime) -> None:
    """Sign a finished batch and delete its dossier secrets. Raises NotOnRecord, RegistryConflict."""
    stage = stage_for_update(conn, batch_id)
    if stage != "approved":
        sentence = f"batch {batch_id} is {stage}; only a finished batch can be closed"
        raise RegistryConflict(sentence, reason="batch-not-finished", batch=batch_id)
    sentence = f"closing batch {batch_id} takes two different people"
    refuse_same_person(conn, by, second, sentence, batch=batch_id)
    counted = accounts(conn, batch_id, now)
    unfinished = counted.members - counted.verified
    if unfinished:
        raise RegistryConflict(
            f"batch {batch_id} cannot be closed: of {counted.members} members, {counted.waiting} wait, "
            f"{counted.claimed} are in a reader or missing and {counted.to_prepare} have no dossier",
            reason="batch-unfinished",
            batch=batch_id,
            waiting=counted.waiting,
            claimed=counted.claimed,
            to_prepare=counted.to_prepare,
        )
    if not counted.balanced:
        sentence = f"batch {batch_id} cannot be closed: its accounts do not balance"
        raise RegistryConflict(sentence, reason="batch-unbalanced", batch=batch_id)
    _refuse_open_letters(conn, batch_id)
    of_batch = select(dossiers.c.id).where(dossiers.c.batch_id == batch_id)
    conn.execute(delete(dossier_secrets).where(dossier_secrets.c.dossier_id.in_(of_batch)))
    conn.execute(
        update(batches)
        .where(batches.c.id == batch_id)
        .values(stage="closed", closed_by=by, closed_second=second, closed_at=now)
    )


def _refuse_open_letters(conn: Connection, batch_id: str) -> None:
    """Raises RegistryConflict where the PIN letters of a batch were begun and are not finished: its secrets are
    destroyed when it closes. A card has its letters where another card of the same profile had them."""
    of_batch = select(pin_mailers, dossiers.c.profile_digest).join(cards, _LETTER_OF_CARD)
    of_batch = of_batch.join(dossiers, dossiers.c.id == cards.c.dossier_id).where(dossiers.c.batch_id == batch_id)
    rows = conn.execute(of_batch).all()
    unknown = sum(row.printed_at is None and row.spoilt_at is None for row in rows)
    if unknown:
        sentence = f"batch {batch_id} has {unknown} PIN letters of which nobody knows whether they were printed"
        raise RegistryConflict(sentence, reason="mailers-unknown", batch=batch_id, letters=unknown)
    kinds = {(row.profile_digest, row.kind) for row in rows}
    living = select(func.count()).select_from(cards).join(dossiers, dossiers.c.id == cards.c.dossier_id)
    living = living.where(dossiers.c.batch_id == batch_id, cards.c.state.in_(LIVING))
    due = 0
    for digest, kind in sorted(kinds):
        had = select(pin_mailers.c.id).where(_LETTER_OF_CARD, pin_mailers.c.kind == kind).exists()
        due += conn.execute(living.where(dossiers.c.profile_digest == digest, ~had)).scalar_one()
    if due:
        sentence = f"batch {batch_id} lacks {due} PIN letters, and closing it destroys their PINs: print them first"
        raise RegistryConflict(sentence, reason="mailers-due", batch=batch_id, letters=due)


def count_by_state(conn: Connection, counted: Select[str, int]) -> dict[str, int]:
    grouped = counted.group_by(counted.selected_columns[0])
    counts = dict.fromkeys(("waiting", "claimed", "verified", "remade", "bound", "rejected"), 0)
    counts.update({state: number for state, number in conn.execute(grouped)})
    return counts


def _contradictions(conn: Connection, batch_id: str) -> int:
    """Number of dossiers and chips of the batch whose states contradict each other."""
    agree = or_(
        and_(dossiers.c.state == "waiting", chips.c.serial.is_(None)),
        and_(dossiers.c.state == "claimed", chips.c.state == "bound"),
        and_(dossiers.c.state == "verified", chips.c.state == "verified"),
        and_(dossiers.c.state == "remade", chips.c.state == "rejected"),
    )
    joined = dossiers.join(chips, chips.c.dossier_id == dossiers.c.id, isouter=True)
    chosen = select(func.count()).select_from(joined).where(dossiers.c.batch_id == batch_id)
    return conn.execute(chosen.where(or_(not_(agree), chips.c.batch_id != dossiers.c.batch_id))).scalar_one()
