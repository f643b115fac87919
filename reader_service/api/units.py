"""Units over HTTP: listed, and placed below other units."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, Line, ReasonRequest, problems
from registry.admin.units import PlacedUnit, UnitView

router = Resource(prefix="/units", tags=["statistics"], responses=problems(*ALWAYS))


class PlaceRequest(ReasonRequest):
    """A unit and the unit that it is put below, by their whole names."""

    unit: Line = Field(examples=["石家庄铁道大学工会"])
    above: str = Field(
        "",
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        examples=["河北省教育工会"],
        description="The unit above it; empty for the highest level.",
    )
    new: bool = Field(False, description="Record the unit above where it is not on record.")


@router.get(
    "",
    summary="List units",
    description="Sorted by whole name; departments are included. Roles: operator, reviewer, registrar, auditor.",
)
def units(
    service: Svc,
    caller: Caller,
    paged: Paged,
    text: Annotated[Line | None, Query(description="Only units with this text in their name.")] = None,
) -> Items[UnitView]:
    return items(service.units.page(caller, paged.cursor, paged.limit, text=text or ""))


@router.post(
    "/place",
    summary="Put a unit below another",
    description="The plan of a unit counts the members of the units below it. Code, members, plan and cards of the "
    "unit stay, and forms may still name it as before. Putting it below `above_before` again undoes this. "
    "Role: registrar.",
    responses=problems(404, 409, s404=("not-found", "there is no unit 河北省教育工会 on record")),
)
def place(service: Svc, caller: Caller, wanted: PlaceRequest) -> PlacedUnit:
    return service.units.place(caller, wanted.unit, wanted.above, wanted.reason, new=wanted.new)
