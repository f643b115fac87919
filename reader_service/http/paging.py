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
    next: str | None = Field(description="The cursor of the next page; null on the last page.")


@dataclass(frozen=True, slots=True)
class Paging:
    """The page that a request wants."""

    limit: int
    cursor: str | None


async def _paging(
    limit: Annotated[int, Query(ge=1, le=MOST, description="The most items on this page.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="`next` of the previous page; empty for the first page.")
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


Paged = Annotated[Paging, Depends(_paging)]
"""The paging parameters of a list endpoint."""


def items(page: Page[T]) -> Items[T]:
    """A page whose values are published as they are."""
    return Items(items=list(page.items), next=page.next)


def items_of(page: Page[V], model: Callable[[V], T]) -> Items[T]:
    """A page whose values are published in another form: ``model`` gives that of one value."""
    return Items(items=[model(value) for value in page.items], next=page.next)
