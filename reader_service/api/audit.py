"""The audit over HTTP: its entries, and the proof that none was changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, Field

from reader_service.errors import Invalid
from reader_service.http.paging import Items, Paged, items_of
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, Line, ResponseModel, problems
from registry.admin.audit import AuditFilter
from registry.db.audit_chain import AuditRow, ChainBreak

router = Resource(prefix="/audit", tags=["audit"], responses=problems(*ALWAYS))


class AuditRowResponse(ResponseModel):
    """An audit entry in the hash chain. `hash` covers the entry and the hash of the entry before it."""

    number: int
    at: datetime
    actor: str
    action: str = Field(examples=["batch.approve"])
    subject: str = Field(examples=["batch:B20261122-001"])
    reason: str
    origin: str
    facts: dict[str, Any]
    hash: str


class ChainReportResponse(ResponseModel):
    """The result of checking the whole chain. Store `last_number` and `last_hash` elsewhere: passed to a later check,
    they show whether entries were removed from the end."""

    whole: bool
    rows: int
    last_number: int
    last_hash: str
    breaks: list[ChainBreak]
    further: int = Field(description="Number of faulty entries that `breaks` does not list.")


@router.get(
    "",
    summary="List audit entries",
    description="The newest entry comes first. Roles: auditor, administrator.",
)
def list_rows(
    service: Svc,
    caller: Caller,
    paged: Paged,
    actor: Annotated[Line | None, Query(description="Only entries of this user or token.")] = None,
    action: Annotated[
        Line | None,
        Query(
            description="Only this action; with a dot at the end, every action that starts with it.",
            examples=["member."],
        ),
    ] = None,
    subject: Annotated[
        Line | None, Query(description="Only entries about this subject.", examples=["card:6212260000000000012-1"])
    ] = None,
    since: Annotated[AwareDatetime | None, Query(description="Only entries at or after this time.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only entries before this time.")] = None,
) -> Items[AuditRowResponse]:
    where = AuditFilter(actor=actor, action=action, subject=subject, since=since, until=until)
    return items_of(service.audit.page(caller, paged.cursor, paged.limit, where=where), _row)


@router.get(
    "/verify",
    summary="Verify the audit chain",
    description="Checks every entry. Given the number and hash at which an earlier check ended, it also finds entries "
    "that were removed from the end since. Roles: auditor, administrator.",
)
def verify(
    service: Svc,
    caller: Caller,
    number: Annotated[int | None, Query(ge=0, lt=2**62, description="`last_number` of an earlier check.")] = None,
    hash: Annotated[
        str | None, Query(pattern=r"^[0-9a-fA-F]{64}$", description="`last_hash` of the same check.")
    ] = None,
) -> ChainReportResponse:
    if (number is None) != (hash is None):
        raise Invalid("number and hash go together", {"number" if number is None else "hash": "is missing"})
    noted = None if number is None or hash is None else (number, hash)
    return ChainReportResponse.model_validate(service.audit.verify(caller, noted))


def _row(row: AuditRow) -> AuditRowResponse:
    entry = row.entry
    return AuditRowResponse(
        number=row.number,
        at=row.at,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        reason=entry.reason,
        origin=entry.origin,
        facts=dict(entry.facts),
        hash=row.hash,
    )
