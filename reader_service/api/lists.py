"""The signed lists over HTTP, for counters that fetch them by themselves: with ETag, so that the same is not sent twice
(RFC 9110, 13.1.2)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import Header, Path, Query, Response
from pydantic import Field

from reader_service.http.deps import Caller, Svc
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, ResponseModel, problems
from reader_service.services.lists import SignedList

router = Resource(prefix="/lists", tags=["lists"], responses=problems(*ALWAYS))

IfNoneMatch = Annotated[str | None, Header(max_length=1000, description="The ETag of the list that is at hand.")]
Version = Annotated[int, Path(ge=1, lt=2**62, description="An edition of the hotlist.")]
_SIGNED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The signed list: `{list, signature}`; docs/api.md says how it is checked.",
        "content": {"application/json": {"schema": {"type": "object"}}},
        "headers": {"ETag": {"schema": {"type": "string"}}, "List-Version": {"schema": {"type": "integer"}}},
    },
    304: {"description": "The list at hand is this one."},
}


class EditionResponse(ResponseModel):
    """An edition of the hotlist."""

    version: int
    at: datetime
    by: str
    entries: int


class HotCardResponse(ResponseModel):
    """A card that no counter may accept."""

    card_number: str
    sequence: int
    reason: str
    since: date


class DeltaResponse(ResponseModel):
    """What to do to the file of edition `since` to have that of `version`: take off `removed`, put on `added`, set its
    times. The outcome is the signed list itself, so `signature` proves it."""

    since: int
    version: int
    issued: str
    expires: str
    signature: str
    added: list[HotCardResponse]
    removed: list[tuple[str, int]]


class KeyResponse(ResponseModel):
    """The RSA key that lists are checked with."""

    n: str = Field(description="Modulus, hex.")
    e: int


@router.post(
    "/hotlist",
    status_code=201,
    summary="Publish the hotlist",
    description="Signs the hotlist as it is now as a new edition. Role: registrar.",
)
def publish(service: Svc, caller: Caller) -> EditionResponse:
    return EditionResponse.model_validate(service.lists.publish(caller))


@router.get(
    "/hotlist",
    summary="The newest hotlist, signed",
    description="Roles: counter, operator, registrar, auditor.",
    response_class=Response,
    responses={**_SIGNED, **problems(404, s404=("not-found", "no hotlist was published yet"))},
)
def newest(service: Svc, caller: Caller, if_none_match: IfNoneMatch = None) -> Response:
    return _signed(service.lists.hotlist(caller), if_none_match)


@router.get(
    "/hotlist/editions",
    summary="Editions of the hotlist, newest first",
    description="Roles: counter, operator, registrar, auditor.",
)
def editions(service: Svc, caller: Caller, paged: Paged) -> Items[EditionResponse]:
    return items(service.lists.page(caller, paged.cursor, paged.limit), EditionResponse.model_validate)


@router.get(
    "/hotlist/editions/{version}",
    summary="One edition of the hotlist, signed",
    description="Roles: counter, operator, registrar, auditor.",
    response_class=Response,
    responses={**_SIGNED, **problems(404, s404=("not-found", "there is no edition 5 of the hotlist"))},
)
def edition(service: Svc, caller: Caller, version: Version, if_none_match: IfNoneMatch = None) -> Response:
    return _signed(service.lists.hotlist(caller, version), if_none_match)


@router.get(
    "/hotlist/delta",
    summary="What changed since an edition",
    description="For a counter that has an old edition. Roles: counter, operator, registrar, auditor.",
    responses=problems(404, s404=("not-found", "there is no edition 5 of the hotlist; fetch the whole list")),
)
def delta(
    service: Svc, caller: Caller, since: Annotated[int, Query(ge=1, lt=2**62, description="The edition at hand.")]
) -> DeltaResponse:
    return DeltaResponse.model_validate(service.lists.delta(caller, since))


@router.get(
    "/trust",
    summary="The scheme keys to believe, signed",
    description="Roles: counter, operator, registrar, auditor.",
    response_class=Response,
    responses=_SIGNED,
)
def trust(service: Svc, caller: Caller, if_none_match: IfNoneMatch = None) -> Response:
    return _signed(service.lists.trust(caller), if_none_match)


@router.get(
    "/key",
    summary="The key to check the lists with",
    description="Take it once over a way that you trust; afterwards the lists may come over any. "
    "Roles: counter, operator, registrar, auditor.",
)
def key(service: Svc, caller: Caller) -> KeyResponse:
    return KeyResponse.model_validate(service.lists.key(caller))


def _signed(found: SignedList, at_hand: str | None) -> Response:
    headers = {"ETag": found.etag, "List-Version": str(found.version), "Cache-Control": "private, no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in (at_hand or "").split(",")]
    if found.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type="application/json", headers=headers)
