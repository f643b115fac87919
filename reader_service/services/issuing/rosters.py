"""Rosters: upload and check of a form, review by a second person, approval (录入, 审核)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from personalize.forms.declaration import SHIPPED, needs_confirmation
from personalize.forms.translate import translator
from personalize.intake import (
    Language,
    Rejected,
    RosterReport,
    RowCode,
    RowFault,
    RowNote,
    RowOnRecord,
    RowState,
    check,
    explain,
)
from personalize.intake.check import Translate
from personalize.intake.files.content import digest
from personalize.rosters import as_imported, known_rows, numbered, to_import
from reader_service.errors import Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.uploads import Uploads, readable
from registry.batches.originals import Original
from registry.batches.reviews import ChangeKind, ReviewEvent, ReviewStep, RosterChange
from registry.db.audit_chain import AuditEntry
from registry.db.paging import Page
from registry.db.privacy import scrub
from registry.ranges import RangeUse
from registry.values import Batch, BatchState, RosterLine

FORM_NAMES: Final = SHIPPED
"""Declared forms that an upload may be read as."""
SHOWN = 100
"""Rejected rows that an upload tells at once."""


@dataclass(frozen=True, slots=True)
class RosterFinding:
    """The findings on one row of a form, in both languages; personal data are masked. ``codes`` names the faults of a
    rejected row and the corrections of an accepted one. ``verdict``: accepted, rejected, or for a person who has a card
    or is in a batch, unchanged or change."""

    sheet_row: int
    seq: int | None
    """The row's number in the form, where it is a number: anything else may be a person's."""
    accepted: bool
    codes: tuple[str, ...]
    reason_zh: str
    reason_en: str
    name_masked: str
    id_masked: str
    mobile_masked: str
    verdict: str


@dataclass(frozen=True, slots=True)
class UploadView:
    """The result of an upload. ``batch`` is None where no row was accepted and none asks for a change; nothing is
    stored then. ``earlier``: the closed batch of the same file, if there is one."""

    filename: str
    unit: str | None
    batch: Batch | None
    accepted: int
    rejected: int
    counts: dict[str, int]
    warnings: tuple[tuple[str, str], ...]
    """(Chinese, English)"""
    findings: tuple[RosterFinding, ...]
    """The first hundred of the rejected rows, and of those that are unchanged or ask for a change."""
    unchanged: int = 0
    changes: int = 0
    earlier: str | None = None


@dataclass(frozen=True, slots=True)
class Annotated:
    """A workbook to download."""

    filename: str
    content: bytes


class RosterService:
    """Events: batch.changed (topic: batch id, data: {"state", "review"}) when a batch is imported, submitted, returned,
    approved or discarded."""

    def __init__(self, parts: ServiceParts, bus: EventBus, *, uploads: Uploads | None = None) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._bus = bus
        self._uploads = uploads or Uploads()

    def upload(
        self, p: Principal, filename: str, stream: Iterable[bytes], *, unit: str | None = None, form: str | None = None
    ) -> UploadView:
        """Read a form and make a draft batch of it. ``unit``: where it differs from the one in the form's title;
        ``form``: one of FORM_NAMES, to read it as that declared form.

        Raises UnreadableForm, RequestTooLarge, TooMany, Invalid (the file's name, the form), Conflict (the form is a
        batch already, or another import took one of its members meanwhile), Unavailable.
        """
        p.need(Permission.ROSTERS_UPLOAD)
        translate = form_translator(form)
        with self._uploads.file(filename, stream) as path:
            earlier = self._batch_of_file(path)
            report = self._check(path, unit, translate)
            stored = (report.accepted or report.changes) and report.unit
            batch = self._import(p, path, report, form or "") if stored else None
        if batch is not None:
            self._changed(batch, None)
        return _upload_view(report, batch, earlier)

    def check(
        self, p: Principal, filename: str, stream: Iterable[bytes], *, unit: str | None = None, form: str | None = None
    ) -> Annotated:
        """The form with the findings beside its rows; nothing is stored.

        Raises what ``upload`` raises, except Conflict.
        """
        p.need(Permission.ROSTERS_UPLOAD)
        translate = form_translator(form)
        with self._uploads.file(filename, stream) as path:
            return self._annotate(self._check(path, unit, translate))

    def findings(
        self,
        p: Principal,
        batch_id: str,
        cursor: str | None = None,
        limit: int = 50,
        *,
        only: str | None = None,
        rejected_first: bool = False,
    ) -> Page[RosterFinding]:
        """The rows of a batch in sheet order; ``only``: "rejected", "noted" (accepted with a correction),
        "accepted", "unchanged" or "change"."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            page = self._registry.rosters.page(batch_id, cursor, limit, only=only, rejected_first=rejected_first)
        return Page(tuple(map(_finding, page.items)), page.next)

    def row_counts(self, p: Principal, batch_id: str) -> dict[str, int]:
        """How many rows each ``only`` of ``findings`` gives. Raises NotFound."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.rosters.row_counts(batch_id)

    def annotated(self, p: Principal, batch_id: str) -> Annotated:
        """The uploaded form with the findings beside its rows, for the unit to correct. It holds data in clear, so only
        clerks get it, and it is audited. Raises NotFound once the batch is discarded or closed."""
        p.need(Permission.ROSTERS_UPLOAD)
        with translate_registry_errors():
            original = self._registry.originals.of(batch_id)
            batch, lines = self._registry.batches.batch(batch_id), self._registry.rosters.rows(batch_id)
            edited = bool(self._registry.edits.history(batch_id, limit=1).items)
            self._registry.audit.note(AuditEntry(p.name, "roster.download", f"batch:{batch_id}"))
        with self._uploads.file(original.filename, [original.content]) as path:
            day = batch.imported_at.astimezone(self._parts.zone).date()
            translate = form_translator(original.form or None)
            again = check(path, unit=batch.unit, today=day, limits=self._uploads.limits, translate=translate)
            return self._annotate(as_imported(again, lines, edited=edited))

    def submit(self, p: Principal, batch_id: str) -> Batch:
        """Submit a draft for review. Raises Conflict for one already submitted or no longer a draft."""
        p.need(Permission.ROSTERS_UPLOAD)
        with translate_registry_errors():
            self._registry.reviews.submit(batch_id, by=p.name)
            return self._changed(self._registry.batches.batch(batch_id), ReviewStep.SUBMITTED)

    def reviews(self, p: Principal, batch_id: str) -> list[ReviewEvent]:
        """The review steps of a batch, oldest first."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.reviews.of(batch_id)

    def changes(
        self,
        p: Principal,
        batch_id: str,
        cursor: str | None = None,
        limit: int = 50,
        *,
        kinds: Collection[ChangeKind] = tuple(ChangeKind),
    ) -> Page[RosterChange]:
        """What approving the batch would change, row by row, masked; rows of these kinds."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.reviews.changes(batch_id, cursor, limit, kinds=kinds)

    def change_counts(self, p: Principal, batch_id: str) -> dict[ChangeKind, int]:
        """The number of rows per kind of change."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.reviews.change_counts(batch_id)

    def approve(self, p: Principal, batch_id: str) -> Batch:
        """Approve a draft. Raises OwnWork for the importer, Conflict where it was not submitted, has a row in doubt or
        lacks the unit's confirmation."""
        p.need(Permission.ROSTERS_APPROVE)
        with translate_registry_errors():
            approved = self._registry.batches.approve(
                batch_id,
                p.name,
                scheme=self._parts.scheme,
                member_prefix=self._parts.member_prefix,
                sent=True,
                ranges=self._parts.serial_ranges(),
            )
            return self._changed(approved, None)

    def imported_by_caller(self, p: Principal, batch_id: str) -> bool:
        """Whether the caller imported the batch, in person or by a token, and so may not approve it."""
        p.need(Permission.ROSTERS_VIEW)
        with translate_registry_errors():
            return self._registry.batches.imported_by_person(batch_id, p.name)

    def ranges(self, p: Principal, batch_id: str) -> Sequence[RangeUse]:
        """How full the ranges of numbers are that a draft draws on, and what it needs of them; none for another batch.
        Raises NotFound."""
        p.need(Permission.BATCHES_VIEW)
        with translate_registry_errors():
            draft = self._registry.batches.batch(batch_id).state is BatchState.DRAFT
            return self._parts.ranges(batch_id) if draft else ()

    def give_back(self, p: Principal, batch_id: str, reason: str) -> Batch:
        """Return a draft to the clerk. Raises Invalid without a reason, Conflict for one that was not submitted."""
        p.need(Permission.ROSTERS_APPROVE)
        why = needs_reason(reason)
        with translate_registry_errors():
            self._registry.reviews.give_back(batch_id, by=p.name, reason=why)
            return self._changed(self._registry.batches.batch(batch_id), ReviewStep.RETURNED)

    def discard(self, p: Principal, batch_id: str, reason: str) -> Batch:
        """Give up a draft, or an approved batch without cards: its rows are deleted, its file may be uploaded again.

        Raises Invalid, Conflict.
        """
        p.need(Permission.ROSTERS_UPLOAD)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._changed(self._registry.batches.discard(batch_id, p.name, reason=why), None)

    def _check(self, path: Path, unit: str | None, translate: Translate | None) -> RosterReport:
        with translate_registry_errors():
            return check(
                path,
                known=self._registry.rosters.known_members,
                unit=unit,
                today=self._today(),
                limits=self._uploads.limits,
                translate=translate,
            )

    def _batch_of_file(self, path: Path) -> str | None:
        """The closed batch of the same file. Raises Conflict where its batch is not closed: looked up before the rows
        are judged, all of which it would explain."""
        with translate_registry_errors():
            return self._registry.rosters.refuse_living_batch(digest(path.read_bytes()))

    def _today(self) -> date:
        return self._parts.now().date()

    def _import(self, p: Principal, path: Path, report: RosterReport, form: str) -> Batch:
        accepted, rejected = to_import(report)
        with translate_registry_errors():
            return self._registry.rosters.import_roster(
                report.unit or "",
                accepted,
                rejected,
                source=scrub(path.name),  # people name a form after a person, and after worse
                digest=report.digest,
                by=p.name,
                known=known_rows(report),
                original=Original(path.name, path.read_bytes(), form),
                needs_confirmation=needs_confirmation(form or None),
            )

    def _annotate(self, report: RosterReport) -> Annotated:
        from personalize.intake.annotate import annotate  # openpyxl takes long to load

        out = report.path.parent / "annotated" / f"{report.path.stem}-审核.xlsx"
        out.parent.mkdir()
        with readable():
            annotate(report, out, limits=self._uploads.limits)
        return Annotated(out.name, out.read_bytes())

    def _changed(self, batch: Batch, review: ReviewStep | None) -> Batch:
        self._bus.publish("batch.changed", batch.id, {"state": batch.state.value, "review": review and review.value})
        return batch


def form_translator(form: str | None) -> Translate | None:
    """What reads a form as a declared one, None for none. Raises Invalid for another name."""
    if form is not None and form not in FORM_NAMES:
        wanted = ", ".join(FORM_NAMES)
        raise Invalid(f"there is no form of this name; there are {wanted}", {"form": f"one of {wanted}"})
    return translator(form)


def _upload_view(report: RosterReport, batch: Batch | None, earlier: str | None) -> UploadView:
    shown = [(number, row) for number, row in numbered(report) if isinstance(row, Rejected | RowOnRecord)]
    shown.sort(key=lambda row: not isinstance(row[1], Rejected))
    return UploadView(
        filename=scrub(report.path.name),
        unit=report.unit,
        batch=batch,
        accepted=len(report.accepted),
        rejected=len(report.rejected),
        counts=dict(report.counts),
        warnings=report.warnings,
        findings=tuple(_fresh(number, row) for number, row in shown[:SHOWN]),
        unchanged=len(report.unchanged),
        changes=len(report.changes),
        earlier=earlier,
    )


def _fresh(number: int, row: Rejected | RowOnRecord) -> RosterFinding:
    verdict = "rejected" if isinstance(row, Rejected) else "change" if row.is_change else "unchanged"
    sentences = (row.sentence("zh"), row.sentence("en"))
    codes = tuple(map(str, row.codes))
    return RosterFinding(number, _number(row.seq), False, codes, *sentences, row.name_masked, "", "", verdict)


def _finding(line: RosterLine) -> RosterFinding:
    return RosterFinding(
        sheet_row=line.sheet_row,
        seq=_number(line.seq),
        accepted=line.accepted,
        codes=line.codes,
        reason_zh=scrub(line.message) or _sentences(line.codes, "zh"),
        reason_en=_sentences(line.codes, "en"),
        name_masked=line.name_masked,
        id_masked=line.id_masked,
        mobile_masked=line.mobile_masked,
        verdict=line.verdict,
    )


def _number(seq: int | str | None) -> int | None:
    return seq if isinstance(seq, int) and seq < 10**6 else None


_OTHER: Final = {("REPLACEMENT", "zh"): "补换卡", ("REPLACEMENT", "en"): "replacement of the member's card"}
_KNOWN: dict[str, RowCode] = {code.value: code for code in (*RowFault, *RowNote, *RowState)}


def _sentences(codes: Sequence[str], language: Language) -> str:
    """The codes as sentences; an unknown code stands for itself."""
    words = [
        explain(_KNOWN[code], language) if code in _KNOWN else _OTHER.get((code, language), code) for code in codes
    ]
    end, between = ("。", "；") if language == "zh" else (".", "; ")
    return between.join(words) + end if words else ""
