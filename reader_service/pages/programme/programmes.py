"""Programme pages: editions and what each changes, files handed in, and the page of the second person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Query, Request, UploadFile
from starlette.responses import Response

from programme.editions import EDITION_DAYS
from programme.publishing import ProgrammeChanges
from reader_service.errors import Conflict, Invalid, NotFound
from reader_service.http.errors import problem_of
from reader_service.http.resource import Svc
from reader_service.http.schemas import download
from reader_service.pages.shell import Cursor, PageShell, Shell, Text, page_router, principal_of, sentence_of
from reader_service.principal import Permission
from reader_service.services.programme.programmes import MOST_DAYS, EditionInWords
from reader_service.services.uploads import pieces
from registry.admin.programmes import ProposalState

ROWS: Final = 50
_YAML: Final = "application/yaml"
_JSON: Final = "application/json"


router = page_router()


@router.get("/programme")
def programme(request: Request, shell: PageShell, service: Svc, cursor: Cursor = None) -> Response:
    """What is published, the editions, and what waits."""
    who = principal_of(request)
    page = service.programmes.editions(who, cursor, ROWS)
    shown: EditionInWords | None = None
    unreadable = ""
    try:
        shown = service.programmes.published(who)
    except NotFound:
        pass
    except Conflict as fault:
        unreadable = _sentence(shell, request, fault)
    waits = service.programmes.proposals(who, None, ROWS, state=ProposalState.WAITING).items
    values: dict[str, Any] = {"page": page, "shown": shown, "unreadable": unreadable, "waits": waits}
    may = {"may_propose": who.may(Permission.LISTS_PUBLISH)}
    return shell.page(request, "programme/editions/overview.html", first=cursor is None, **values, **may)


@router.get("/programme/check")
def upload(request: Request, shell: PageShell) -> Response:
    who = principal_of(request)
    who.need(Permission.PROGRAMMES_VIEW)
    values: dict[str, Any] = {"days": EDITION_DAYS, "most_days": MOST_DAYS}
    return shell.page(
        request, "programme/editions/upload.html", may_propose=who.may(Permission.LISTS_PUBLISH), **values
    )


@router.post("/programme/check")
def check(
    request: Request,
    shell: PageShell,
    service: Svc,
    file: UploadFile,
    days: Text = str(EDITION_DAYS),
    only: Text = "",
) -> Response:
    """Hand a file in, or only check it."""
    who = principal_of(request)
    named, content = file.filename or "", pieces(file.file.read)
    if only or not who.may(Permission.LISTS_PUBLISH):
        done = service.programmes.check(who, named, content)
    else:
        done = service.programmes.propose(who, named, content, _days(days))
    if done.proposal is not None:
        return shell.go(request, f"/programme/proposals/{done.proposal.number}", "programme.done-propose")
    return shell.part(request, "programme/editions/checked.html", done=done, changes=done.changes)


@router.get("/programme/editions/{version}")
def edition(
    request: Request,
    shell: PageShell,
    service: Svc,
    version: int,
    against: Annotated[str, Query(max_length=20, pattern="^[0-9]*$")] = "",
) -> Response:
    who = principal_of(request)
    shown = service.programmes.edition(who, version)
    others = [one for one in service.programmes.editions(who, None, ROWS).items if one.version != version]
    changes, fault = _changes(
        shell, request, lambda: service.programmes.compare(who, version, int(against) if against else None)
    )
    values: dict[str, Any] = {"changes": changes, "fault": fault, "others": others, "against": against}
    return shell.page(request, "programme/editions/edition.html", shown=shown, edition=shown.edition, **values)


@router.get("/programme/editions/{version}/programme.json")
def signed(request: Request, service: Svc, version: int) -> Response:
    return download(service.programmes.signed(principal_of(request), version), f"programme-{version}.json", _JSON)


@router.get("/programme/proposals")
def proposals(request: Request, shell: PageShell, service: Svc, only: str = "", cursor: Cursor = None) -> Response:
    state = ProposalState(only) if only in set(ProposalState) else None
    page = service.programmes.proposals(principal_of(request), cursor, ROWS, state=state)
    values: dict[str, Any] = {"page": page, "only": only if state else "", "states": tuple(ProposalState)}
    return shell.page(request, "programme/editions/proposals.html", **values)


@router.get("/programme/proposals/{number}")
def proposal(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    """The second person's page: what a proposal changes, and the decision."""
    who = principal_of(request)
    shown = service.programmes.proposal(who, number)
    changes, fault = _changes(shell, request, lambda: service.programmes.proposed_changes(who, number))
    waits = shown.state is ProposalState.WAITING
    own = service.signatures.own(who, shown.by)
    may = waits and not own and who.may(Permission.PROGRAMMES_APPROVE)
    return shell.page(
        request,
        "programme/editions/proposal.html",
        proposal=shown,
        changes=changes,
        fault=fault,
        waits=waits,
        own=own,
        may_confirm=may and not fault,
        may_refuse=may,
        may_cancel=waits and who.may(Permission.LISTS_PUBLISH),
    )


@router.get("/programme/proposals/{number}/programme.yaml")
def content(request: Request, service: Svc, number: int) -> Response:
    name, text = service.programmes.content(principal_of(request), number)
    return download(text, name, _YAML)


@router.post("/programme/proposals/{number}/confirm")
def confirm(request: Request, shell: PageShell, service: Svc, number: int, against: Text = "") -> Response:
    known = int(against) if against.isascii() and against.isdigit() and len(against) < 20 else None
    done = service.programmes.confirm(principal_of(request), number, against=known)
    return shell.go(request, f"/programme/editions/{done.version}", "programme.done-confirm", version=done.version)


@router.post("/programme/proposals/{number}/refuse")
def refuse(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.programmes.refuse(principal_of(request), number, reason)
    return shell.go(request, f"/programme/proposals/{number}", "programme.done-refuse")


@router.post("/programme/proposals/{number}/cancel")
def cancel(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    service.programmes.cancel(principal_of(request), number, reason)
    return shell.go(request, f"/programme/proposals/{number}", "programme.done-cancel")


def _changes(
    shell: Shell, request: Request, compare: Callable[[], ProgrammeChanges]
) -> tuple[ProgrammeChanges | None, str]:
    """What is different, or the sentence that says why nobody can tell: a file of another version of this program."""
    try:
        return compare(), ""
    except Conflict as fault:
        return None, _sentence(shell, request, fault)


def _sentence(shell: Shell, request: Request, fault: Conflict) -> str:
    problem = problem_of(fault)
    return str(fault) if problem is None else sentence_of(problem, shell.words(request))


def _days(text: str) -> int:
    """Raises Invalid."""
    try:
        return int(text)
    except ValueError:
        raise Invalid("write the days as a whole number", {"days": "a whole number"}) from None
