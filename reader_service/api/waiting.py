"""Missing signatures over HTTP: what waits for the caller, and what the caller waits for."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, ResponseModel, problems
from reader_service.services.administration.signatures import SignatureKind

router = Resource(prefix="/waiting", tags=["session"], responses=problems(*ALWAYS))


class WaitingSignatureResponse(ResponseModel):
    """A signature that is missing. `by` requested it; `own`: the caller did, so that somebody else gives it."""

    kind: SignatureKind
    key: str = Field(description="The batch, or the number of the token or amendment.", examples=["B20261122-001"])
    subject: str = Field(description="The unit, or the label of the token.")
    by: str
    at: datetime
    own: bool


@router.get(
    "",
    summary="List what waits for a second person",
    description="The oldest comes first: rosters to review or to correct, batches to close, tokens to consent to, "
    "amendments to decide, as the caller's roles allow, and what the caller requested. A token is no second person: "
    "its list is empty.",
)
def waiting(service: Svc, caller: Caller) -> list[WaitingSignatureResponse]:
    return [WaitingSignatureResponse.model_validate(one) for one in service.signatures.waiting(caller)]


@router.get(
    "/counts",
    name="todo_counts",
    summary="Count what the caller has to do",
    description="Numbers by page of the navigation, such as `intake` and `station`; pages without any are left out. A "
    "token has nothing to do: its numbers are empty.",
)
def counts(service: Svc, caller: Caller) -> dict[str, int]:
    return {} if caller.token else service.todos.of(caller, service.signatures.waiting(caller))
