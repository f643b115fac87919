"""Merchants over HTTP: recorded, imported from a sheet, and changes that a second person approves."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import File, Path, Query, UploadFile
from pydantic import Field

from reader_service.access.settings import FILE_MB
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, Line, ReasonRequest, RequestModel, problems
from reader_service.services.programme.merchants import MerchantImport
from reader_service.services.uploads import pieces
from registry.programme.changes import ChangeState, MerchantChange
from registry.programme.merchants import MerchantView, NewMerchant, NewOutlet

router = Resource(prefix="/merchants", tags=["programme"], responses=problems(*ALWAYS))
changes_router = Resource(prefix="/merchant-changes", tags=["programme"], responses=problems(*ALWAYS))

BENEFIT: Final = r"^([0-9]{4}|[a-z0-9-]*[a-z][a-z0-9-]*)$"
"""The class of a benefit that cards count, or the code of one that the union counts online."""
MerchantNumber = Annotated[
    str,
    Path(
        pattern=r"^[0-9A-Za-z]([0-9A-Za-z ._-]{0,13}[0-9A-Za-z])?$",
        examples=["PARK-EAST"],
        description="The merchant identifier (tag 9F16).",
    ),
]
OutletNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[3], description="The number of an outlet.")]
ChangeNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[4], description="The number of a change.")]
_NO_CHANGE = ("not-found", "there is no change 4 of a merchant")
_DECIDED = ("conflict", "change 4 was decided already")
_NO_MERCHANT = ("not-found", "there is no merchant PARK-EAST")
_TAKEN = ("conflict", "terminal T0000001 belongs to another outlet; one that moves gets a new identification")


class OutletRequest(RequestModel):
    """An outlet with its terminals (tag 9F1C)."""

    name: Line = Field(examples=["east gate"])
    address: str = Field("", max_length=100)
    terminals: list[Annotated[str, Field(pattern=r"^[0-9A-Za-z]{8}$")]] = Field(
        default_factory=list, max_length=200, examples=[["T0000001"]]
    )


class MerchantRequest(RequestModel):
    """A merchant. Outlets and terminals are added to those on record; an empty account leaves the one on record."""

    name: Line = Field(examples=["东城公园"])
    name_en: str = Field("", max_length=100, examples=["East Park"])
    contract_from: date = Field(examples=["2026-01-01"])
    contract_until: date = Field(examples=["2027-12-31"])
    benefits: list[Annotated[str, Field(pattern=BENEFIT, max_length=40)]] = Field(
        min_length=1, max_length=200, examples=[["0101"]]
    )
    account: str = Field("", max_length=34)
    outlets: list[OutletRequest] = Field(default_factory=list, max_length=500)
    reason: str = Field("", max_length=500, description="Why, for the second person.")


@router.get(
    "",
    summary="List merchants",
    description="Sorted by merchant identifier, with outlets and terminals. Roles: registrar, reviewer, auditor.",
)
def merchants(
    service: Svc,
    caller: Caller,
    paged: Paged,
    text: Annotated[Line | None, Query(description="Only merchants with this text in number or name.")] = None,
) -> Items[MerchantView]:
    return items(service.merchants.page(caller, paged.cursor, paged.limit, text=text or ""))


@router.post(
    "/import",
    summary="Import merchants from a sheet",
    description="Takes an .xlsx, .xls or .csv file with one row for each outlet and the columns 商户号, 商户名称, "
    "合同起始日, 合同终止日, 权益类别; optional are 英文名称, 账号, 网点名称, 网点地址, 终端号. Stores all rows, or "
    "none where one has a finding. Role: registrar.",
    responses=problems(409, 413, 429, s409=_TAKEN),
)
def import_merchants(
    service: Svc,
    caller: Caller,
    file: Annotated[UploadFile, File(description=f"The merchants, up to {FILE_MB} MB.")],
    check: Annotated[bool, Query(description="Only find what is wrong; nothing is stored.")] = False,
) -> MerchantImport:
    return service.merchants.import_sheet(caller, file.filename or "", pieces(file.file.read), check=check)


@router.post(
    "/outlets/{outlet}/close",
    summary="Request that an outlet closes",
    description="Once a second person approves, its terminals are retired; its counters still upload what they have. "
    "Role: registrar.",
    responses=problems(404, 409, s404=("not-found", "there is no outlet 3"), s409=("conflict", "outlet 3 is closed")),
)
def close_outlet(service: Svc, caller: Caller, outlet: OutletNumber, why: ReasonRequest) -> MerchantChange:
    return service.merchants.close_outlet(caller, outlet, why.reason)


@router.get(
    "/{number}",
    summary="Get a merchant",
    description="The account shows its last four characters. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_MERCHANT),
)
def merchant(service: Svc, caller: Caller, number: MerchantNumber) -> MerchantView:
    return service.merchants.merchant(caller, number)


@router.put(
    "/{number}",
    summary="Record or change a merchant",
    description="Another account, contract or benefits, and that a merchant that has ended goes on, wait for a second "
    "person (`waiting`); the rest changes at once. Role: registrar.",
    responses=problems(409, s409=_TAKEN),
)
def put_merchant(service: Svc, caller: Caller, number: MerchantNumber, wanted: MerchantRequest) -> MerchantView:
    outlets = tuple(NewOutlet(one.name, one.address, tuple(one.terminals)) for one in wanted.outlets)
    new = NewMerchant(
        number,
        wanted.name,
        wanted.contract_from,
        wanted.contract_until,
        tuple(wanted.benefits),
        outlets,
        wanted.name_en,
        wanted.account,
    )
    return service.merchants.put(caller, new, wanted.reason)


@router.post(
    "/{number}/end",
    summary="Request that a merchant ends",
    description="Its contract ends on the day on which a second person approves; what its counters upload of earlier "
    "days is booked. Role: registrar.",
    responses=problems(404, 409, s404=_NO_MERCHANT, s409=("conflict", "merchant PARK-EAST has ended already")),
)
def end_merchant(service: Svc, caller: Caller, number: MerchantNumber, why: ReasonRequest) -> MerchantChange:
    return service.merchants.end(caller, number, why.reason)


@router.post(
    "/{number}/account",
    summary="Show the account of a merchant",
    description="Gives the account in clear; each look is audited. Role: registrar.",
    responses=problems(404, s404=_NO_MERCHANT),
)
def account(service: Svc, caller: Caller, number: MerchantNumber, why: ReasonRequest) -> dict[str, str]:
    return {"account": service.merchants.account(caller, number, why.reason)}


@changes_router.get(
    "",
    summary="List changes of merchants that move money",
    description="The newest first: account, contract, end, closed outlets and rates, each requested by one person and "
    "in force once another approves. Roles: registrar, reviewer, auditor.",
)
def changes(
    service: Svc,
    caller: Caller,
    paged: Paged,
    state: Annotated[ChangeState | None, Query(description="Only those in this state.")] = None,
    merchant: Annotated[Line | None, Query(description="Only those of this merchant.")] = None,
) -> Items[MerchantChange]:
    return items(service.merchants.changes(caller, paged.cursor, paged.limit, state=state, merchant=merchant))


@changes_router.post(
    "/{change}/approve",
    summary="Approve a change of a merchant",
    description="It is in force then. Role: reviewer, in person, and not the one who requested it.",
    responses=problems(404, 409, s404=_NO_CHANGE, s409=_DECIDED),
)
def approve(service: Svc, caller: Caller, change: ChangeNumber) -> MerchantChange:
    return service.merchants.approve(caller, change)


@changes_router.post(
    "/{change}/refuse",
    summary="Refuse a change of a merchant",
    description="Nothing of the merchant changes. Role: reviewer, in person, and not the one who requested it.",
    responses=problems(404, 409, s404=_NO_CHANGE, s409=_DECIDED),
)
def refuse(service: Svc, caller: Caller, change: ChangeNumber, why: ReasonRequest) -> MerchantChange:
    return service.merchants.refuse(caller, change, why.reason)


@changes_router.post(
    "/{change}/cancel",
    summary="Give up a change of a merchant that waits",
    description="Nothing of the merchant changes. Role: registrar.",
    responses=problems(404, 409, s404=_NO_CHANGE, s409=_DECIDED),
)
def cancel(service: Svc, caller: Caller, change: ChangeNumber, why: ReasonRequest) -> MerchantChange:
    return service.merchants.cancel(caller, change, why.reason)
