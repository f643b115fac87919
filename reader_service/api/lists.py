"""The signed lists over HTTP, for counters that fetch them by themselves. An ETag saves sending the same list twice
(RFC 9110, 13.1.2)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from fastapi import Header, Path, Query, Response
from pydantic import Field

from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, ResponseModel, problems
from reader_service.services.counter.lists import SignedList
from registry.members.hotlist import EditionLine

router = Resource(prefix="/lists", tags=["lists"], responses=problems(*ALWAYS))

IfNoneMatch = Annotated[str | None, Header(max_length=1000, description="The ETag of the list that the caller has.")]
Version = Annotated[int, Path(ge=1, lt=2**62, description="The number of a hotlist edition.")]
_SIGNED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The signed list `{list, signature}`; docs/api.md explains how to verify it.",
        "content": {"application/json": {"schema": {"type": "object"}}},
        "headers": {"ETag": {"schema": {"type": "string"}}, "List-Version": {"schema": {"type": "integer"}}},
    },
    304: {"description": "The caller has this list already."},
}


class HotCardResponse(ResponseModel):
    """A card that no counter may accept, with the reason and the day since when."""

    card_number: str
    sequence: int
    reason: str
    since: date


class DeltaResponse(ResponseModel):
    """The changes from edition `since` to edition `version`: drop the cards in `removed`, add those in `added`, set the
    times. The result is the signed list of `version`, so `signature` verifies it."""

    since: int
    version: int
    issued: str
    expires: str
    signature: str
    added: list[HotCardResponse]
    removed: list[tuple[str, int]]


class KeyResponse(ResponseModel):
    """The RSA public key that verifies the lists."""

    n: str = Field(description="The modulus in hex.")
    e: int = Field(description="The public exponent.")


@router.post(
    "/hotlist",
    status_code=201,
    summary="Publish the hotlist",
    description="Signs the current hotlist as a new edition. Role: registrar.",
)
def publish(service: Svc, caller: Caller) -> EditionLine:
    return service.lists.publish(caller)


@router.get(
    "/hotlist",
    summary="Get the newest hotlist",
    description="Gives the signed file as counters store it. Roles: counter, operator, registrar, auditor.",
    response_class=Response,
    responses={**_SIGNED, **problems(404, s404=("not-found", "no hotlist was published yet"))},
)
def newest(service: Svc, caller: Caller, if_none_match: IfNoneMatch = None) -> Response:
    return _signed(service.lists.hotlist(caller), if_none_match)


@router.get(
    "/hotlist/editions",
    summary="List hotlist editions",
    description="The newest edition comes first. Roles: counter, operator, registrar, auditor.",
)
def editions(service: Svc, caller: Caller, paged: Paged) -> Items[EditionLine]:
    return items(service.lists.page(caller, paged.cursor, paged.limit))


@router.get(
    "/hotlist/editions/{version}",
    summary="Get an edition of the hotlist",
    description="Gives the signed file as it was published. Roles: counter, operator, registrar, auditor.",
    response_class=Response,
    responses={**_SIGNED, **problems(404, s404=("not-found", "there is no edition 5 of the hotlist"))},
)
def edition(service: Svc, caller: Caller, version: Version, if_none_match: IfNoneMatch = None) -> Response:
    return _signed(service.lists.hotlist(caller, version), if_none_match)


@router.get(
    "/hotlist/delta",
    summary="Get the changes since an edition",
    description="Lets a counter that has an older edition fetch the changes alone. Roles: counter, operator, "
    "registrar, auditor.",
    responses=problems(404, s404=("not-found", "there is no edition 5 of the hotlist; fetch the whole list")),
)
def delta(
    service: Svc,
    caller: Caller,
    since: Annotated[int, Query(ge=1, lt=2**62, description="The edition that the caller has.")],
) -> DeltaResponse:
    return DeltaResponse.model_validate(service.lists.delta(caller, since))


@router.get(
    "/trust",
    summary="Get the trust list",
    description="Gives the signed list of the scheme keys that counters trust. Roles: counter, operator, registrar, "
    "auditor.",
    response_class=Response,
    responses=_SIGNED,
)
def trust(service: Svc, caller: Caller, if_none_match: IfNoneMatch = None) -> Response:
    return _signed(service.lists.trust(caller), if_none_match)


@router.get(
    "/programme",
    summary="Get the newest programme",
    description="Gives the signed edition of the programme that counters decide by. Roles: counter, operator, "
    "registrar, auditor.",
    response_class=Response,
    responses={**_SIGNED, **problems(404, s404=("not-found", "no programme was published yet"))},
)
def programme(service: Svc, caller: Caller, if_none_match: IfNoneMatch = None) -> Response:
    return _signed(service.lists.programme(caller), if_none_match)


@router.get(
    "/key",
    summary="Get the key that verifies the lists",
    description="Fetch it once over a trusted channel; the lists may then come over any channel. Roles: counter, "
    "operator, registrar, auditor.",
)
def key(service: Svc, caller: Caller) -> KeyResponse:
    return KeyResponse.model_validate(service.lists.key(caller))


def _signed(signed: SignedList, if_none_match: str | None) -> Response:
    headers = {"ETag": signed.etag, "List-Version": str(signed.version), "Cache-Control": "private, no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    if signed.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(signed.content, media_type="application/json", headers=headers)
