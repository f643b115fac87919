"""The programme over HTTP: what is published, what each edition changes, and files that two people publish."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import File, Path, Query, UploadFile
from pydantic import Field
from starlette.responses import Response

from programme.editions import EDITION_DAYS
from programme.publishing import ProgrammeChanges
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, ReasonRequest, RequestModel, download, file_response, problems
from reader_service.services.programme.programmes import (
    MOST_DAYS,
    CheckedProgramme,
    EditionInWords,
)
from reader_service.services.uploads import pieces
from registry.admin.programmes import ProgrammeEditionLine, ProgrammeProposal, ProposalState

router = Resource(prefix="/programme", tags=["programme"], responses=problems(*ALWAYS))

YAML: Final = "application/yaml"
JSON: Final = "application/json"
Version = Annotated[int, Path(ge=1, lt=2**62, examples=[1796000000], description="The version of an edition.")]
ProposalNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[3], description="The number of a proposal.")]
ProgrammeUpload = Annotated[UploadFile, File(description="A programme file (YAML, UTF-8), up to 1,000,000 bytes.")]
_NO_EDITION = ("not-found", "there is no edition 1796000000 of the programme")
_NO_PROPOSAL = ("not-found", "there is no proposal 3 of a programme")
_OVER = ("conflict", "proposal 3 is published and does not wait any more")


class ConfirmRequest(RequestModel):
    """The edition that the changes were looked at against."""

    against: int | None = Field(
        None,
        ge=0,
        lt=2**62,
        description="The newest edition when the changes were looked at, 0 for none; 409 where it is another by now.",
        examples=[1796000000],
    )


@router.get(
    "",
    summary="Get the published programme",
    description="The newest edition with its rules in words, in both languages. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=("not-found", "no programme was published yet")),
)
def published(service: Svc, caller: Caller) -> EditionInWords:
    return service.programmes.published(caller)


@router.post(
    "/check",
    summary="Check a programme file",
    description="Finds what is wrong, with line and field, or says in words what the file would change; nothing is "
    "stored. Roles: registrar, reviewer, auditor.",
)
def check(service: Svc, caller: Caller, file: ProgrammeUpload) -> CheckedProgramme:
    return service.programmes.check(caller, file.filename or "", pieces(file.file.read))


@router.get(
    "/editions",
    summary="List editions of the programme",
    description="The newest comes first. Roles: registrar, reviewer, auditor.",
)
def editions(service: Svc, caller: Caller, paged: Paged) -> Items[ProgrammeEditionLine]:
    return items(service.programmes.editions(caller, paged.cursor, paged.limit))


@router.get(
    "/editions/{version}",
    summary="Get an edition of the programme",
    description="With its rules in words. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_EDITION),
)
def edition(service: Svc, caller: Caller, version: Version) -> EditionInWords:
    return service.programmes.edition(caller, version)


@router.get(
    "/editions/{version}/differences",
    summary="Compare two editions of the programme",
    description="What the edition changes in words: benefits added, changed and ended, each with the sentences it has "
    "lost and gained. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_EDITION),
)
def compare(
    service: Svc,
    caller: Caller,
    version: Version,
    against: Annotated[
        int | None, Query(ge=1, lt=2**62, description="The version of the other edition; the one before, if none.")
    ] = None,
) -> ProgrammeChanges:
    return service.programmes.compare(caller, version, against)


@router.get(
    "/editions/{version}/programme.json",
    summary="Download an edition of the programme",
    description="The signed file as counters read it. Roles: registrar, reviewer, auditor.",
    response_class=Response,
    responses={**file_response(JSON, "The signed edition."), **problems(404, s404=_NO_EDITION)},
)
def signed(service: Svc, caller: Caller, version: Version) -> Response:
    return download(service.programmes.signed(caller, version), f"programme-{version}.json", JSON)


@router.get(
    "/proposals",
    summary="List proposals of a programme",
    description="What was handed in to be published, newest first. Roles: registrar, reviewer, auditor.",
)
def proposals(
    service: Svc,
    caller: Caller,
    paged: Paged,
    state: Annotated[ProposalState | None, Query(description="Only those in this state.")] = None,
) -> Items[ProgrammeProposal]:
    return items(service.programmes.proposals(caller, paged.cursor, paged.limit, state=state))


@router.post(
    "/proposals",
    summary="Hand in a programme",
    description="A sound file waits as `proposal` for a second person; of one with `findings` nothing is stored. "
    "Role: registrar.",
    responses=problems(409, s409=("conflict", "proposal 3 of the same programme waits already")),
)
def propose(
    service: Svc,
    caller: Caller,
    file: ProgrammeUpload,
    days: Annotated[
        int, Query(ge=1, le=MOST_DAYS, description="For how many days counters may use the edition.")
    ] = EDITION_DAYS,
) -> CheckedProgramme:
    return service.programmes.propose(caller, file.filename or "", pieces(file.file.read), days)


@router.get(
    "/proposals/{number}",
    summary="Get a proposal of a programme",
    description="Who handed it in, and what was decided. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_PROPOSAL),
)
def proposal(service: Svc, caller: Caller, number: ProposalNumber) -> ProgrammeProposal:
    return service.programmes.proposal(caller, number)


@router.get(
    "/proposals/{number}/differences",
    summary="Get what a proposal changes",
    description="Against the newest edition; once published, against the one before it. Roles: registrar, reviewer, "
    "auditor.",
    responses=problems(404, s404=_NO_PROPOSAL),
)
def proposed_changes(service: Svc, caller: Caller, number: ProposalNumber) -> ProgrammeChanges:
    return service.programmes.proposed_changes(caller, number)


@router.get(
    "/proposals/{number}/programme.yaml",
    summary="Download the file of a proposal",
    description="As it was handed in. Roles: registrar, reviewer, auditor.",
    response_class=Response,
    responses={**file_response(YAML, "The programme file."), **problems(404, s404=_NO_PROPOSAL)},
)
def content(service: Svc, caller: Caller, number: ProposalNumber) -> Response:
    name, text = service.programmes.content(caller, number)
    return download(text, name, YAML)


@router.post(
    "/proposals/{number}/confirm",
    summary="Publish a proposal",
    description="Signs it as a new edition for counters. Roles: registrar, reviewer, in person, and not the one who "
    "handed it in.",
    responses=problems(404, 409, s404=_NO_PROPOSAL, s409=_OVER),
)
def confirm(service: Svc, caller: Caller, number: ProposalNumber, looked: ConfirmRequest) -> ProgrammeEditionLine:
    return service.programmes.confirm(caller, number, against=looked.against)


@router.post(
    "/proposals/{number}/refuse",
    summary="Refuse a proposal",
    description="Nothing is published. Roles: registrar, reviewer, in person, and not the one who handed it in.",
    responses=problems(404, 409, s404=_NO_PROPOSAL, s409=_OVER),
)
def refuse(service: Svc, caller: Caller, number: ProposalNumber, why: ReasonRequest) -> ProgrammeProposal:
    return service.programmes.refuse(caller, number, why.reason)


@router.post(
    "/proposals/{number}/cancel",
    summary="Take a proposal back",
    description="It does not wait any more. Role: registrar.",
    responses=problems(404, 409, s404=_NO_PROPOSAL, s409=_OVER),
)
def cancel(service: Svc, caller: Caller, number: ProposalNumber, why: ReasonRequest) -> ProgrammeProposal:
    return service.programmes.cancel(caller, number, why.reason)
