"""A returned roster is edited by its clerk: row by row, or by a corrected form whose differences are shown first."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from personalize.forms.declaration import needs_confirmation
from personalize.intake import check
from personalize.intake.single import RowCells
from personalize.roster_edits import corrected, edit_row, without_batch
from reader_service.errors import Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.issuing.rosters import form_translator
from reader_service.services.uploads import Uploads
from registry.batches.editing.differences import RowDifference
from registry.batches.editing.edits import CorrectedRoster, Corrections, RowEdit
from registry.batches.originals import Original
from registry.db.paging import Page

_LONGEST: Final = 200
_SEEN: Final = re.compile(r"[0-9a-f]{64}")


class EditingService:
    """Events: batch.changed (topic: batch id; data: {"state", "review"}) when a row is edited, or a form corrected."""

    def __init__(self, parts: ServiceParts, bus: EventBus, *, uploads: Uploads) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._bus = bus
        self._uploads = uploads

    def edit(
        self,
        p: Principal,
        batch_id: str,
        sheet_row: int | None,
        cells: RowCells,
        reason: str,
        *,
        last_edit: int | None = None,
    ) -> RowDifference:
        """Give a row these values, or add one (``sheet_row`` None). ``last_edit`` is the number of the newest edit that
        the caller has seen. Raises NotFound, Conflict for a batch that may not be edited or was edited since, Invalid.
        """
        p.need(Permission.ROSTERS_UPLOAD)
        why = needs_reason(reason)
        wrong = [name for name in cells.given if len(getattr(cells, name)) > _LONGEST]
        if wrong or not cells.given:
            wanted = f"a text of up to {_LONGEST} characters"
            raise Invalid("give the new values of the row", dict.fromkeys(wrong or ["name"], wanted))
        today = self._parts.now().date()
        with translate_registry_errors():
            done = edit_row(
                self._registry, batch_id, sheet_row, cells, by=p.name, reason=why, today=today, state=last_edit
            )
        self._changed(batch_id)
        return done

    def leave_out(
        self, p: Principal, batch_id: str, sheet_row: int, reason: str, *, last_edit: int | None = None
    ) -> RowDifference:
        """Take a row out of the roster. Raises what ``edit`` raises."""
        p.need(Permission.ROSTERS_UPLOAD)
        why = needs_reason(reason)
        with translate_registry_errors():
            done = self._registry.edits.leave_out(batch_id, sheet_row, by=p.name, reason=why, state=last_edit)
        self._changed(batch_id)
        return done

    def undo(self, p: Principal, batch_id: str, *, last_edit: int | None = None) -> tuple[RowDifference, ...]:
        """Take the newest edit back, a corrected form as a whole. Raises what ``edit`` raises, and Conflict where none
        is left."""
        p.need(Permission.ROSTERS_UPLOAD)
        with translate_registry_errors():
            done = self._registry.edits.undo(batch_id, by=p.name, state=last_edit)
        self._changed(batch_id)
        return done

    def undoable(self, p: Principal, batch_id: str) -> bool:
        """Whether an edit is left to undo."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.edits.undoable(batch_id)

    def corrections(
        self,
        p: Principal,
        batch_id: str,
        filename: str,
        stream: Iterable[bytes],
        *,
        unit: str | None = None,
        form: str | None = None,
    ) -> Corrections:
        """How a corrected form differs from the batch; nothing is stored. Raises what an upload raises, and Conflict
        for a form of another unit or without a difference."""
        p.need(Permission.ROSTERS_UPLOAD)
        with self._uploads.file(filename, stream) as path, translate_registry_errors():
            return self._registry.edits.corrections(batch_id, self._form(batch_id, path, unit, form))

    def correct(
        self,
        p: Principal,
        batch_id: str,
        filename: str,
        stream: Iterable[bytes],
        *,
        seen: str,
        reason: str,
        unit: str | None = None,
        form: str | None = None,
    ) -> Corrections:
        """Put the rows of the form in the place of those on record. ``seen`` is that of ``corrections`` for the same
        form. Raises what that raises, and Conflict where the differences are others by now."""
        p.need(Permission.ROSTERS_UPLOAD)
        why = needs_reason(reason)
        if not _SEEN.fullmatch(seen):
            raise Invalid("look at the differences first", {"seen": "what the differences gave, 64 hex digits"})
        with self._uploads.file(filename, stream) as path, translate_registry_errors():
            rows = self._form(batch_id, path, unit, form)
            done = self._registry.edits.correct(batch_id, rows, by=p.name, reason=why, seen=seen)
        self._changed(batch_id)
        return done

    def history(self, p: Principal, batch_id: str, cursor: str | None = None, limit: int = 50) -> Page[RowEdit]:
        """The edits of a batch, newest first, masked. Raises NotFound."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.edits.history(batch_id, cursor, limit)

    def last_edit(self, p: Principal, batch_id: str) -> int:
        """The number of the newest edit, 0 for none. Raises NotFound."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.edits.state(batch_id)

    def _form(self, batch_id: str, path: Path, unit: str | None, form: str | None) -> CorrectedRoster:
        report = check(
            path,
            known=without_batch(self._registry, batch_id),
            unit=unit,
            today=self._parts.now().date(),
            limits=self._uploads.limits,
            translate=form_translator(form),
        )
        original = Original(path.name, path.read_bytes(), form or "")
        return corrected(report, path.name, needs_confirmation=needs_confirmation(form), original=original)

    def _changed(self, batch_id: str) -> None:
        review = self._registry.reviews.standing([batch_id]).get(batch_id)
        self._bus.publish("batch.changed", batch_id, {"state": "draft", "review": review and review.step.value})
