"""Claims as they are read: views without a word of health, and details for who decides."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select

from registry.claims.values import (
    ClaimDecision,
    ClaimDetail,
    ClaimFacts,
    ClaimParty,
    ClaimStage,
    ClaimStep,
    FiledClaim,
    Heir,
)
from registry.db.privacy import PersonalData
from registry.db.tables import claim_documents, claim_steps, claims_filed, members, units
from registry.errors import NotOnRecord

_C: Final = claims_filed.c
_D: Final = claim_documents.c
_SEALED: Final = ("words", "choice", "loss", "heir", "heir_id", "relation", "account")
_NEAR: Final = timedelta(days=30)


def claim_views() -> Select[Any]:
    chosen = select(claims_filed, members.c.name_masked, units.c.name.label("unit"))
    return chosen.join(members, members.c.id == _C.member_id).join(units, units.c.id == members.c.unit_id)


def claim_view(conn: Connection, number: int, row: Row[Any] | None = None) -> FiledClaim:
    """Raises NotOnRecord."""
    known = conn.execute(claim_views().where(_C.id == number)).one_or_none() if row is None else row
    if known is None:
        raise no_claim(number)
    return FiledClaim(
        number=known.id,
        member_id=known.member_id,
        name_masked=known.name_masked,
        unit=known.unit,
        kind=None if known.medical else known.kind,
        event_on=date.fromisoformat(known.event_on),
        filed_on=date.fromisoformat(known.filed_on),
        at=known.at,
        by=known.by,
        claimant=ClaimParty(known.claimant),
        stage=ClaimStage(known.stage),
        awaited=awaited_level(known.levels, known.passed) if known.stage == ClaimStage.FILED else None,
        amount=None if known.medical else known.amount,
        missing=missing_documents(conn, known.id),
        ended_at=known.ended_at,
    )


def claim_detail(conn: Connection, personal: PersonalData, row: Row[Any]) -> ClaimDetail:
    """A claim of a row of ``claims_filed`` in full."""
    fields = personal.open_fields(row.seal_key, bytes(row.sealed), sealed_place(row.id), _SEALED)
    facts = ClaimFacts(date.fromisoformat(row.event_on), fields["words"], fields["choice"], fields["loss"])
    heir = None
    if row.claimant == ClaimParty.HEIR:
        heir = Heir(fields["heir"], fields["heir_id"], fields["relation"], fields["account"])
    listed = conn.execute(select(claim_documents).where(_D.claim_id == row.id).order_by(_D.document))
    steps = conn.execute(
        select(claim_steps).where(claim_steps.c.claim_id == row.id).order_by(claim_steps.c.number)
    ).all()
    day = facts.event_on
    near = _C.event_on.between((day - _NEAR).isoformat(), (day + _NEAR).isoformat())
    similar = select(_C.id).where(_C.member_id == row.member_id, near, _C.id != row.id).order_by(_C.id)
    return ClaimDetail(
        view=claim_view(conn, row.id),
        kind=row.kind,
        amount=row.amount,
        rules=json.loads(row.rules),
        facts=facts,
        heir=heir,
        documents={one.document: one.ticked_at for one in listed},
        steps=tuple(
            ClaimStep(one.number, one.at, one.by, one.level, ClaimDecision(one.decision), one.reason) for one in steps
        ),
        similar=tuple(conn.execute(similar).scalars()),
    )


def claim_on_record(conn: Connection, number: int, *, lock: bool = False) -> Row[Any]:
    """Raises NotOnRecord."""
    chosen = select(claims_filed).where(_C.id == number)
    row = conn.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise no_claim(number)
    return row


def missing_documents(conn: Connection, number: int) -> tuple[str, ...]:
    chosen = select(_D.document).where(_D.claim_id == number, _D.ticked_at.is_(None)).order_by(_D.document)
    return tuple(conn.execute(chosen).scalars())


def awaited_level(levels: str, passed: int) -> str | None:
    """The level that decides next; None where all have approved."""
    listed = levels.split(",")
    return listed[passed] if passed < len(listed) else None


def heirs_account(personal: PersonalData, row: Row[Any]) -> tuple[str, str]:
    """Account and name of the heir who is paid."""
    fields = personal.open_fields(row.seal_key, bytes(row.sealed), sealed_place(row.id), _SEALED)
    return str(fields["account"]), str(fields["heir"])


def sealed_place(number: int) -> str:
    return f"claims_filed.sealed/{number}"


def no_claim(number: int) -> NotOnRecord:
    return NotOnRecord(f"there is no claim {number}", reason="claim", number=number)
