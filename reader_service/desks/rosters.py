"""Rosters: a form comes in, a clerk sees what is wrong with it, a second person lets it through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from reader_service.principal import Principal
from registry.paging import Page
from registry.values import Batch


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of a form: accepted or not, and why, in both languages. Masked."""

    sheet_row: int
    seq: int | str | None
    accepted: bool
    codes: tuple[str, ...]
    reason_zh: str
    reason_en: str
    name_masked: str
    id_masked: str
    mobile_masked: str


@dataclass(frozen=True, slots=True)
class UploadView:
    """What became of an upload. ``batch`` is None where nobody could be accepted; then ``findings`` say why, and
    ``annotated`` is the only copy of the form with its reasons."""

    filename: str
    unit: str | None
    batch: Batch | None
    accepted: int
    rejected: int
    counts: dict[str, int]
    warnings: tuple[tuple[str, str], ...]
    """(Chinese, English)"""
    findings: tuple[Finding, ...]
    """The first hundred of the rejected rows."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """A workbook to download."""

    filename: str
    content: bytes


class RosterDesk(Protocol):
    """Made as ``RosterDesk(parts, bus)``."""

    def upload(self, p: Principal, filename: str, stream: Iterable[bytes], *, unit: str | None = None) -> UploadView:
        """Read a form and make a draft batch of it. Raises Invalid, TooLarge, Conflict."""
        ...

    def findings(
        self, p: Principal, batch_id: str, cursor: str | None = None, limit: int = 50, *, only: str | None = None
    ) -> Page[Finding]:
        """The rows of a batch in sheet order; ``only``: "rejected", "noted" or "accepted"."""
        ...

    def annotated(self, p: Principal, batch_id: str) -> Annotated:
        """The form with the reasons beside its rows, from the sealed original. Audited: it is unmasked."""
        ...

    def submit(self, p: Principal, batch_id: str) -> Batch: ...

    def reviews(self, p: Principal, batch_id: str) -> list[Any]:
        """registry.reviews.ReviewEvent, oldest first."""
        ...

    def changes(self, p: Principal, batch_id: str) -> list[Any]:
        """registry.reviews.RosterChange: what the batch changes of known members, masked."""
        ...

    def approve(self, p: Principal, batch_id: str) -> Batch:
        """Raises Forbidden (``own-batch``) for the importer, Conflict where it was not sent for review."""
        ...

    def give_back(self, p: Principal, batch_id: str, reason: str) -> Batch: ...

    def discard(self, p: Principal, batch_id: str, reason: str) -> Batch: ...
