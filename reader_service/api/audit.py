"""The audit over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, Field

from reader_service.errors import Invalid
from reader_service.http.deps import Caller, Svc
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, Line, ResponseModel, problems
from registry.admin.audit import AuditFilter
from registry.db.audit_chain import AuditRow

router = Resource(prefix="/audit", tags=["audit"], responses=problems(*ALWAYS))


class AuditRowResponse(ResponseModel):
    """A deed as it stands in the chain. `hash` covers it and the row before."""

    number: int
    at: datetime
    actor: str
    action: str = Field(examples=["batch.approve"])
    subject: str = Field(examples=["batch:B20261122-001"])
    reason: str
    origin: str
    facts: dict[str, Any]
    hash: str


class ChainBreakResponse(ResponseModel):
    """Where the chain does not hold. `kind`: changed, moved, forged, missing, unlinked, cut or other."""

    number: int
    kind: str
    sentence: str


class ChainReportResponse(ResponseModel):
    """The whole chain, looked through. Note `last_number` and `last_hash` elsewhere: given again later, they show
    whether rows were cut off since."""

    whole: bool
    rows: int
    last_number: int
    last_hash: str
    breaks: list[ChainBreakResponse]
    further: int = Field(description="Rows that do not hold beside those named.")


@router.get("", summary="The audit, newest first", description="Roles: auditor, administrator.")
def list_rows(
    service: Svc,
    caller: Caller,
    paged: Paged,
    actor: Annotated[Line | None, Query(description="Who did it.")] = None,
    action: Annotated[
        Line | None,
        Query(description="A whole action, or with a dot at its end all that begin so.", examples=["member."]),
    ] = None,
    subject: Annotated[
        Line | None, Query(description="What it was done to.", examples=["card:6212260000000000012-1"])
    ] = None,
    since: Annotated[AwareDatetime | None, Query(description="Not before.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before.")] = None,
) -> Items[AuditRowResponse]:
    where = AuditFilter(actor=actor, action=action, subject=subject, since=since, until=until)
    return items(service.audit.page(caller, paged.cursor, paged.limit, where=where), _row)


@router.get(
    "/verify",
    summary="Prove the chain",
    description="Looks through every row. With the number and hash that an earlier answer ended with, it also shows "
    "whether rows were cut off since. Roles: auditor, administrator.",
)
def verify(
    service: Svc,
    caller: Caller,
    number: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    hash: Annotated[str | None, Query(pattern=r"^[0-9a-fA-F]{64}$")] = None,
) -> ChainReportResponse:
    if (number is None) != (hash is None):
        raise Invalid("number and hash go together", {"number" if number is None else "hash": "is missing"})
    noted = None if number is None or hash is None else (number, hash)
    return ChainReportResponse.model_validate(service.audit.verify(caller, noted))


def _row(row: AuditRow) -> AuditRowResponse:
    deed = row.deed
    return AuditRowResponse(
        number=row.number,
        at=row.at,
        actor=deed.actor,
        action=deed.action,
        subject=deed.subject,
        reason=deed.reason,
        origin=deed.origin,
        facts=dict(deed.facts),
        hash=row.hash,
    )
