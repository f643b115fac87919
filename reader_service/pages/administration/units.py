"""Units page: all units with their levels; a unit is placed below another one, and that is undone."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import Form, Query, Request
from starlette.responses import Response

from reader_service.errors import Conflict, NotFound
from reader_service.http.errors import problem_of
from reader_service.http.resource import Svc
from reader_service.pages.shell import PageShell, Text, page_router, principal_of, sentence_of
from reader_service.principal import Permission

router = page_router()


@router.get("/progress/units")
def units(
    request: Request,
    shell: PageShell,
    service: Svc,
    text: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    placed: Annotated[str, Query(max_length=1000)] = "",
    before: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """``placed``: a unit that was placed just now, ``before`` the unit above it before; empty for none."""
    page = service.units.page(principal_of(request), cursor, text=text)
    return shell.page(request, "administration/units.html", page=page, text=text, placed=placed, before=before)


@router.get("/progress/units/place")
def form(request: Request, shell: PageShell, service: Svc, unit: str = "") -> Response:
    """The form of one unit, for the dialog."""
    who = principal_of(request)
    who.need(Permission.PLANS_SET)
    known = next((one for one in service.units.page(who, text=unit).items if one.unit == unit), None)
    above = known.above if known else ""
    return shell.part(
        request, "administration/units_place.html", unit=unit, above=above, new=False, reason="", error=""
    )


@router.post("/progress/units/place")
def place(
    request: Request,
    shell: PageShell,
    service: Svc,
    unit: Text = "",
    above: Text = "",
    reason: Text = "",
    new: Annotated[bool, Form()] = False,
) -> Response:
    """Place a unit. A refused place is shown beside the field, with what was typed."""
    try:
        done = service.units.place(principal_of(request), unit, above, reason, new=new)
    except (Conflict, NotFound) as e:
        if request.headers.get("HX-Request") and request.headers.get("HX-Target") != "place-form":
            raise  # an undo, which has no field to show it beside
        problem = problem_of(e)
        fields = {"unit": unit, "above": above, "new": new, "reason": reason}
        error = sentence_of(problem, shell.words(request)) if problem else ""
        return shell.part(request, "administration/units_place.html", status=422, **fields, error=error)
    back = urlencode({"placed": done.unit, "before": done.above_before}, quote_via=quote)
    message = "progress.done-placed" if done.above else "progress.done-placed-top"
    return shell.go(request, f"/progress/units?{back}", message, unit=done.unit_before, above=done.above)
