"""Long lists over HTTP: ``?limit=&cursor=`` in, ``{"items": [...], "next": ...}`` out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from registry.db.paging import MOST, Page

T = TypeVar("T")
V = TypeVar("V")


class Items(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="The cursor of the following page; null on the last one.")


@dataclass(frozen=True, slots=True)
class Paging:
    limit: int
    cursor: str | None


async def _paging(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Items of this page at most.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="`next` of the page before; none for the first page.")
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


Paged = Annotated[Paging, Depends(_paging)]
"""What a list endpoint takes: ``paged.cursor, paged.limit`` go to the desk."""


def items(page: Page[V], item: Callable[[V], T]) -> Items[T]:
    """A page as it is answered; ``item`` makes the model of one."""
    return Items(items=[item(one) for one in page.items], next=page.next)
