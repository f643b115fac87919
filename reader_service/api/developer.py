"""Developer tools over HTTP: APDUs to a card, their explanation, and the virtual cards of a simulation."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    ExplainedResponse,
    LeaseToken,
    ReaderId,
    RequestModel,
    ResponseModel,
    problems,
)
from reader_service.readers.values import ReaderView
from reader_service.services.developer import CardFileView, ExchangeView
from terminal.emv.data.explain import Explained

router = Resource(prefix="/developer", tags=["developer"], responses=problems(*ALWAYS))

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9A-Fa-f]{2})+$", max_length=131_074)]
_OUT = ("reader-out", "there is no card in reader virtual-pcd-00-00")


class PowerRequest(RequestModel):
    """How the card is powered."""

    reset: bool = Field(False, description="Reset a powered card (warm reset) instead of powering it down first.")


class AtrResponse(ResponseModel):
    """The answer to reset (ATR) in hex."""

    atr: str = Field(examples=["3B6500002063CBA720"])


class CommandsRequest(RequestModel):
    """Command APDUs in hex, in the order in which they are sent."""

    apdus: list[Hex] = Field(min_length=1, max_length=100, examples=[["00A4040009F04D454D424552010100"]])


class ExchangeResponse(ResponseModel):
    """A command and its response in hex. `fault` says why no response came. `said` explains both; personal data are
    masked."""

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
    """BER-TLV data objects, or with `tag` the value of one data element."""

    data: Hex = Field(examples=["9F3602000A"])
    tag: str | None = Field(None, pattern=r"^[0-9A-Fa-f]{2,6}$", examples=["9F36"])


class TraceRequest(RequestModel):
    """Live trace on or off."""

    on: bool = Field(description="Whether exchanges are published as events.")


class CardFileRequest(RequestModel):
    """The name of a virtual card, as the list of virtual cards gives it."""

    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,240}$", examples=["000001.card"])


@router.post(
    "/readers/{reader_id}/connect",
    summary="Power the card",
    description="The card stays powered until `disconnect` or the end of the lease. Role: developer.",
    responses=problems(404, 409, s409=_OUT),
)
def connect(
    service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken, power: PowerRequest
) -> AtrResponse:
    return AtrResponse(atr=service.developer.connect(caller, reader_id, lease_token, reset=power.reset))


@router.post(
    "/readers/{reader_id}/disconnect",
    status_code=204,
    summary="Power the card down",
    description="Does nothing where the card has no power. Role: developer.",
    responses=problems(404, 409, s409=_OUT),
)
def disconnect(service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken) -> None:
    service.developer.disconnect(caller, reader_id, lease_token)


@router.post(
    "/readers/{reader_id}/apdu",
    summary="Send commands to the card",
    description="Sends the bytes as they are, without GET RESPONSE or retries; powers the card first where necessary. "
    "Stops at the first command without a response. Role: developer.",
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
    summary="List the exchanges of this lease",
    description="Gives the last 500 exchanges, the oldest first. Role: developer.",
    responses=problems(404, 409, s409=("lease-lost", "this lease is not yours any more")),
    response_model=list[ExchangeResponse],
)
def history(service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken) -> Response:
    return JSONResponse(list(map(_exchange, service.developer.history(caller, reader_id, lease_token))))


@router.post(
    "/decode",
    summary="Explain data objects",
    description="Decodes BER-TLV (EMV 4.4 Book 3, Annex B); personal data are masked. Role: developer.",
    response_model=list[ExplainedResponse],
)
def decode(service: Svc, caller: Caller, given: DecodeRequest) -> Response:
    tag = None if given.tag is None else int(given.tag, 16)
    objects = service.developer.decode(caller, bytes.fromhex(given.data), tag=tag)
    return JSONResponse(_explained(objects))


@router.put(
    "/readers/{reader_id}/trace",
    status_code=204,
    summary="Set the live trace of a reader",
    description="With the trace on, each exchange at the reader is published as a redacted event `trace`. Role: "
    "developer.",
    responses=problems(404),
)
def trace(service: Svc, caller: Caller, reader_id: ReaderId, switch: TraceRequest) -> None:
    service.developer.trace(caller, reader_id, switch.on)


@router.get(
    "/drawer",
    name="drawer",
    summary="List the virtual cards",
    description="The list is empty where nothing is simulated. Role: developer.",
)
def virtual_cards(service: Svc, caller: Caller) -> list[CardFileView]:
    return service.developer.virtual_cards(caller)


@router.post(
    "/readers/{reader_id}/insert",
    summary="Insert a virtual card",
    description="The reader must be a virtual slot without a card. Role: developer.",
    response_model=ReaderView,
    responses=problems(404, 409, s409=("conflict", "a card lies in this slot")),
)
def insert(service: Svc, caller: Caller, reader_id: ReaderId, card: CardFileRequest) -> Response:
    return JSONResponse(service.developer.insert(caller, reader_id, card.name).to_json())


@router.post(
    "/readers/{reader_id}/eject",
    summary="Eject the virtual card",
    description="The command in progress is finished first. Role: developer.",
    response_model=ReaderView,
    responses=problems(404, 409, s409=("conflict", "no card lies in this slot")),
)
def eject(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.developer.eject(caller, reader_id).to_json())


@router.post(
    "/readers/{reader_id}/tear",
    summary="Tear the virtual card out",
    description="The command in progress is cut off, as by a card pulled out of a real reader. Role: developer.",
    response_model=ReaderView,
    responses=problems(404, 409, s409=("conflict", "no card lies in this slot")),
)
def tear(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.developer.tear(caller, reader_id).to_json())


def _explained(objects: tuple[Explained, ...]) -> list[dict[str, Any]]:
    return [explained.to_json() for explained in objects]


def _exchange(exchange: ExchangeView) -> dict[str, Any]:
    plain = {name: getattr(exchange, name) for name in exchange.__slots__ if name != "said"}
    return plain | {"said": _explained(exchange.said)}
