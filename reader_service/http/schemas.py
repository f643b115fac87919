"""How requests and answers are written: models that take nothing unasked, and the problems that an endpoint may answer.

Personal data never stand in an address: what is searched for and why comes in a body.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from reader_service.http.errors import MEDIA_TYPE, TITLES

_ONE_LINE: Final = r"^[^\x00-\x1f\x7f]*$"

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_ONE_LINE)]
"""A name on one line: nothing that a terminal, a log or a database takes for more than text."""
LeaseToken = Annotated[
    str, Header(min_length=1, max_length=200, description="The token that the lease of this reader came with.")
]
BatchId = Annotated[str, Path(pattern=r"^B[0-9]{8}-[0-9]{3,9}$", examples=["B20261122-001"], description="A batch.")]
CardNumber = Annotated[
    str, Path(pattern=r"^[0-9]{13,19}$", examples=["6212260000000000012"], description="A member card's number (5A).")
]
MemberId = Annotated[int, Path(ge=1, lt=2**62, examples=[17], description="A member's number on this record.")]
ReaderId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9._~-]{1,120}$", examples=["virtual-pcd-00-00"], description="A reader's own id.")
]


class RequestModel(BaseModel):
    """A request's body: a field that is not known is refused, so that nobody believes it was heard."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ReasonRequest(RequestModel):
    """A change that needs its reason."""

    reason: str = Field(
        min_length=1,
        max_length=500,
        description="Why, in a few words; kept in the audit. Names and numbers of persons do not belong in it.",
        examples=["reported lost at the counter"],
    )


class ReaderRequest(RequestModel):
    """Where the card lies."""

    reader: str = Field(pattern=r"^[A-Za-z0-9._~-]{1,120}$", examples=["virtual-pcd-00-00"])


class ResponseModel(BaseModel):
    """An answer, made of a value of the desks."""

    model_config = ConfigDict(from_attributes=True)


class ExplainedResponse(ResponseModel):
    """A value in words; empty fields are left out."""

    tag: str = ""
    name: str = ""
    value: str = ""
    text: str = ""
    fault: str = ""
    children: list[ExplainedResponse] = Field(default_factory=list)


_SAID: Final = {
    401: ("not-signed-in", "sign in first, or send a token that is in force"),
    403: ("forbidden", "this needs one of the roles registrar"),
    404: ("not-found", "there is no batch B20261122-009"),
    409: ("conflict", "batch B20261122-001 is approved; only a draft can be given up"),
    413: ("too-large", "the file is larger than 15 MB: remove pictures, or divide it"),
    422: ("invalid", "the request is out of form; see `fields`"),
    429: ("too-many", "other forms are being read; try again in a moment"),
    502: ("card-fault", "reading the member record (SFI 1, record 2): card answered 6A83 (record not found)"),
    503: ("unavailable", "the database cannot be reached just now; nothing was changed, try again"),
}
ALWAYS: Final = (401, 403, 422, 503)
"""What every endpoint may answer."""


def problems(*statuses: int, **examples: tuple[str, str]) -> dict[int | str, dict[str, Any]]:
    """The problem answers of an endpoint, for its documentation. ``examples``: s409=("own-work", "sentence")."""
    return {status: _problem(status, *examples.get(f"s{status}", _SAID[status])) for status in statuses}


def _problem(status: int, code: str, sentence: str) -> dict[str, Any]:
    example = {
        "type": f"/problems/{code}",
        "title": TITLES[status],
        "status": status,
        "detail": sentence,
        "code": code,
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": TITLES[status], "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}


def answers(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """The documentation of an answer that is a file."""
    schema = {"type": "string"} if media_type.startswith("text/") else {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def download(content: bytes, filename: str, media_type: str) -> Response:
    """A file to save, never to show: it opens in no origin. RFC 6266, with the name as RFC 8187 writes it."""
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_.") else "_" for sign in filename)
    quoted = "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "-_.~") else f"%{byte:02X}"
        for byte in filename.encode()
    )
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted}"
    return Response(content, media_type=media_type, headers={"Content-Disposition": named})
