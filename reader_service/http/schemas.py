"""Models and parameter types that several resources share, and the documentation of problem responses.

A response whose fields are those of a frozen value is that value. There is a model where they differ: where a value has
fields that are not published, or publishes them in another form. Personal data never stand in an address: search texts
and reasons come in a body.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from reader_service.access.settings import FILE_MB
from reader_service.http.errors import MEDIA_TYPE, TITLES
from terminal.visible import visible

_ONE_LINE: Final = r"^[^\x00-\x1f\x7f]*$"

BATCH_NUMBER: Final = r"^B[0-9]{8}-[0-9]{3,9}$"
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_ONE_LINE)]
"""A name on one line, without control characters."""
LeaseToken = Annotated[
    str, Header(min_length=1, max_length=200, description="The token of the caller's lease of this reader.")
]
BatchId = Annotated[str, Path(pattern=BATCH_NUMBER, examples=["B20261122-001"], description="The number of a batch.")]
CardNumber = Annotated[
    str,
    Path(
        pattern=r"^[0-9]{13,19}$", examples=["6212260000000000012"], description="The number of a member card (tag 5A)."
    ),
]
MemberId = Annotated[int, Path(ge=1, lt=2**62, examples=[17], description="The number of a member in this registry.")]
ReaderId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9._~-]{1,120}$", examples=["virtual-pcd-00-00"], description="The id of a reader.")
]


class RequestModel(BaseModel):
    """A request body. Unknown fields are an error, so that a misspelt field cannot be ignored silently."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ReasonRequest(RequestModel):
    """The reason for a change."""

    reason: str = Field(
        min_length=1,
        max_length=500,
        description="A few words, which are stored in the audit. They must not name persons or their numbers.",
        examples=["reported lost at the counter"],
    )


class ReaderRequest(RequestModel):
    """The reader that holds the card."""

    reader: str = Field(pattern=r"^[A-Za-z0-9._~-]{1,120}$", examples=["virtual-pcd-00-00"])


class ResponseModel(BaseModel):
    """A response that is made from a value's attributes."""

    model_config = ConfigDict(from_attributes=True)


class ExplainedResponse(ResponseModel):
    """A data element in words, with its parts in `children`. Empty fields are left out."""

    tag: str = ""
    name: str = ""
    value: str = ""
    text: str = ""
    fault: str = ""
    children: list[ExplainedResponse] = Field(default_factory=list)


_EXAMPLES: Final = {
    401: ("not-signed-in", "sign in first, or send a token that is in force"),
    403: ("forbidden", "this needs one of the roles registrar"),
    404: ("not-found", "there is no batch B20261122-009"),
    409: ("conflict", "batch B20261122-001 is approved; only a draft can be approved"),
    413: ("too-large", f"the file is larger than {FILE_MB} MB: remove pictures, or divide it"),
    422: ("invalid", "the request is out of form; see `fields`"),
    429: ("too-many", "other forms are being read; try again in a moment"),
    502: ("card-fault", "reading the member record (SFI 1, record 2): card answered 6A83 (record not found)"),
    503: ("unavailable", "the database cannot be reached just now; nothing was changed, try again"),
}
ALWAYS: Final = (401, 403, 422, 503)
"""The problems that every operation may answer with."""


def problems(*statuses: int, **examples: tuple[str, str]) -> dict[int | str, dict[str, Any]]:
    """Documentation of the problem responses of an operation. ``examples``: s409=("own-work", "sentence")."""
    return {status: _problem(status, *examples.get(f"s{status}", _EXAMPLES[status])) for status in statuses}


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


def file_response(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """Documentation of a response that is a file."""
    schema = {"type": "string"} if media_type.startswith("text/") else {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


PDF: Final = "application/pdf"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV: Final = "text/csv; charset=utf-8"


def download(content: bytes, filename: str, media_type: str) -> Response:
    """A response that a browser saves and never displays. RFC 6266; the name is encoded as in RFC 8187."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "_" for char in filename)
    quoted = "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "-_.~") else f"%{byte:02X}"
        for byte in visible(filename).encode()
    )
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted}"
    return Response(content, media_type=media_type, headers={"Content-Disposition": disposition})


def private_download(content: bytes, filename: str, media_type: str) -> Response:
    """A file with data in clear, which no cache keeps."""
    response = download(content, filename, media_type)
    response.headers["Cache-Control"] = "no-store"
    return response
