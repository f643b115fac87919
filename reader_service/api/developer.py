"""The developer's desk over HTTP: bytes to a card and back, what they mean, and the drawer of virtual cards."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

from reader_service.api.readers import ReaderResponse
from reader_service.http.deps import Caller, Svc
from reader_service.http.resource import Resource
from reader_service.http.schemas import (
    ALWAYS,
    ExplainedResponse,
    LeaseToken,
    ReaderId,
    RequestModel,
    ResponseModel,
    problems,
)
from reader_service.services.developer import ExchangeView
from terminal.emv.data.explain import Explained

router = Resource(prefix="/developer", tags=["developer"], responses=problems(*ALWAYS))

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9A-Fa-f]{2})+$", max_length=131_074)]
_OUT = ("reader-out", "there is no card in reader virtual-pcd-00-00")


class PowerRequest(RequestModel):
    """Whether a card that has power is reset, or loses its power first."""

    reset: bool = False


class AtrResponse(ResponseModel):
    """The answer to reset, hex."""

    atr: str = Field(examples=["3B6500002063CBA720"])


class CommandsRequest(RequestModel):
    """APDUs, one after the other as they are."""

    apdus: list[Hex] = Field(min_length=1, max_length=100, examples=[["00A4040009F04D454D424552010100"]])


class ExchangeResponse(ResponseModel):
    """A command and its answer, hex. `fault` says that no answer came; `said` explains both, personal data masked."""

    number: int
    command: str
    response: str
    sw: str
    sw_text: str
    meaning: str
    milliseconds: float
    fault: str
    said: list[ExplainedResponse]


class DecodeRequest(RequestModel):
    """Data objects, or with `tag` the value of one element."""

    data: Hex = Field(examples=["9F3602000A"])
    tag: str | None = Field(None, pattern=r"^[0-9A-Fa-f]{2,6}$", examples=["9F36"])


class TraceRequest(RequestModel):
    """On or off."""

    on: bool


class CardFileRequest(RequestModel):
    """A virtual card of the drawer, as it is listed there."""

    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,240}$", examples=["000001.card"])


class CardFileResponse(ResponseModel):
    """A virtual card that may be put into a slot."""

    name: str
    size: int


@router.post(
    "/readers/{reader_id}/connect",
    summary="Power the card",
    description="It stays powered until `disconnect` or the end of the lease. Role: developer.",
    responses=problems(404, 409, s409=_OUT),
)
def connect(
    service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken, power: PowerRequest
) -> AtrResponse:
    return AtrResponse(atr=service.developer.connect(caller, reader_id, lease_token, reset=power.reset))


@router.post(
    "/readers/{reader_id}/disconnect",
    status_code=204,
    summary="Take the card's power away",
    description="Role: developer.",
    responses=problems(404, 409, s409=_OUT),
)
def disconnect(service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken) -> None:
    service.developer.disconnect(caller, reader_id, lease_token)


@router.post(
    "/readers/{reader_id}/apdu",
    summary="Send commands to the card",
    description="As they are, without follow-ups; the card is powered first where need be. Stops at the first that "
    "gets no answer. Role: developer.",
    responses=problems(404, 409, s409=_OUT),
    response_model=list[ExchangeResponse],
)
def transmit(
    service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken, commands: CommandsRequest
) -> Response:
    apdus = [bytes.fromhex(apdu) for apdu in commands.apdus]
    return JSONResponse(list(map(_exchange, service.developer.transmit(caller, reader_id, lease_token, apdus))))


@router.get(
    "/readers/{reader_id}/history",
    summary="What was said under this lease",
    description="The last 500 exchanges, oldest first. Role: developer.",
    responses=problems(404, 409, s409=("lease-lost", "this lease is not yours any more")),
    response_model=list[ExchangeResponse],
)
def history(service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken) -> Response:
    return JSONResponse(list(map(_exchange, service.developer.history(caller, reader_id, lease_token))))


@router.post(
    "/decode",
    summary="Data objects in words",
    description="BER-TLV (EMV 4.4 Book 3, Annex B), personal data masked. Role: developer.",
    response_model=list[ExplainedResponse],
)
def decode(service: Svc, caller: Caller, given: DecodeRequest) -> Response:
    tag = None if given.tag is None else int(given.tag, 16)
    found = service.developer.decode(caller, bytes.fromhex(given.data), tag=tag)
    return JSONResponse(_explained(found))


@router.put(
    "/readers/{reader_id}/trace",
    status_code=204,
    summary="Live trace on or off",
    description="On: what goes over the wire there is told as events `trace`, redacted. Role: developer.",
    responses=problems(404),
)
def trace(service: Svc, caller: Caller, reader_id: ReaderId, switch: TraceRequest) -> None:
    service.developer.trace(caller, reader_id, switch.on)


@router.get(
    "/drawer",
    summary="The virtual cards at hand",
    description="Empty where nothing is simulated. Role: developer.",
)
def drawer(service: Svc, caller: Caller) -> list[CardFileResponse]:
    return [CardFileResponse.model_validate(card) for card in service.developer.drawer(caller)]


@router.post(
    "/readers/{reader_id}/insert",
    summary="Put a virtual card into a slot",
    description="Role: developer.",
    response_model=ReaderResponse,
    responses=problems(404, 409, s409=("conflict", "a card lies in this slot")),
)
def insert(service: Svc, caller: Caller, reader_id: ReaderId, card: CardFileRequest) -> Response:
    return JSONResponse(service.developer.insert(caller, reader_id, card.name).to_json())


@router.post(
    "/readers/{reader_id}/eject",
    summary="Take the virtual card out in good order",
    description="Role: developer.",
    response_model=ReaderResponse,
    responses=problems(404, 409, s409=("conflict", "no card lies in this slot")),
)
def eject(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.developer.eject(caller, reader_id).to_json())


@router.post(
    "/readers/{reader_id}/tear",
    summary="Pull the virtual card out in the middle of what it does",
    description="Role: developer.",
    response_model=ReaderResponse,
    responses=problems(404, 409, s409=("conflict", "no card lies in this slot")),
)
def tear(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.developer.tear(caller, reader_id).to_json())


def _explained(found: tuple[Explained, ...]) -> list[dict[str, Any]]:
    return [one.to_json() for one in found]


def _exchange(exchange: ExchangeView) -> dict[str, Any]:
    plain = {name: getattr(exchange, name) for name in exchange.__slots__ if name != "said"}
    return plain | {"said": _explained(exchange.said)}
