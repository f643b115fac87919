"""Values of grants: kinds as lists are taken in, rows, findings, lists and budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class AidState(StrEnum):
    """The states of a list."""

    DRAFTED = "drafted"
    APPROVED = "approved"
    DISCARDED = "discarded"


class AidRule(StrEnum):
    """Why a row is not taken."""

    NUMBER = "number"
    """It names no member."""
    MEMBER = "member"
    """There is no such member."""
    NAME = "name"
    """The name is another's."""
    LEFT = "left"
    """The member has left the union, or died."""
    CATEGORY = "category"
    CHOICE = "choice"
    AMOUNT = "amount"
    MOST = "most"
    TWICE = "twice"
    """The member stands in this list twice."""
    ONCE = "once"
    """The member had this grant before."""


@dataclass(frozen=True, slots=True)
class AidTerms:
    """A kind of grant as the programme has it, for lists of a year. ``table`` has amounts in fen by code and by name;
    ``budget`` is that of the year, in fen."""

    kind: str
    year: int
    amount: int | None
    table: Mapping[str, tuple[str, int]]
    most: int | None
    once: Literal["lifetime", "year"] | None
    budget: int | None
    categories: tuple[int, ...] | None
    purpose: str
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AidRequest:
    """A row of a list as it is in the sheet. ``member`` is a card number, member number or identity number; ``amount``
    in fen, -1 where it is no amount."""

    row: int
    member: str = field(repr=False)
    name: str = field(default="", repr=False)
    choice: str = ""
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class AidFinding:
    """A row that is not taken, and why."""

    row: int
    rule: AidRule


@dataclass(frozen=True, slots=True)
class AidList:
    """A list. ``amount`` in fen is the sum of its ``rows``; ``rejected`` were not taken."""

    id: int
    kind: str
    year: int
    source: str
    at: datetime
    by: str
    rules: Mapping[str, Any]
    purpose: str
    state: AidState
    rows: int
    amount: int
    rejected: int
    approved_at: datetime | None
    approved_by: str | None
    discarded_at: datetime | None
    discarded_by: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class AidRow:
    """A row of a list that was taken, with a masked name."""

    row: int
    member_id: int
    name_masked: str
    unit: str
    choice: str
    amount: int


@dataclass(frozen=True, slots=True)
class AidBudget:
    """What may be granted of a kind in a year, and what was, in fen."""

    kind: str
    year: int
    amount: int
    spent: int
