"""What each role has to do, counted by page, for the navigation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal, permissions_of
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.administration.signatures import SignatureKind, WaitingSignature
from registry.values import BatchState

_PLACES: Final = {
    SignatureKind.REVIEW: "intake",
    SignatureKind.CORRECTION: "intake",
    SignatureKind.CLOSING: "station",
    SignatureKind.CONSENT: "users",
    SignatureKind.AMENDMENT: "registry",
    SignatureKind.CHIP: "registry",
    SignatureKind.MERCHANT: "merchants",
    SignatureKind.STATEMENT: "settlements",
    SignatureKind.DISPUTE: "settlements",
    SignatureKind.UNLISTING: "registry",
    SignatureKind.FINDING: "settlements",
    SignatureKind.PROGRAMME: "programme",
}
_BY_STATE: Final = frozenset((Permission.ROSTERS_UPLOAD, Permission.BATCHES_PREPARE))
_TO_WORK_ON: Final = (BatchState.APPROVED, BatchState.PREPARED, BatchState.RUNNING, BatchState.DONE)


class TodoService:
    """Counts what waits for the caller: signatures of a second person, drafts to submit, batches to work on,
    findings of booking, drafts of statements to sign."""

    def __init__(self, parts: ServiceParts) -> None:
        self._registry = parts.registry

    def blanks(self, p: Principal) -> tuple[int, int] | None:
        """Blank chips left and needed; None for whoever does not run batches."""
        if not p.may(Permission.BATCHES_PREPARE):
            return None
        with translate_registry_errors():
            return self._registry.stock.shortage()

    def of(self, p: Principal, waiting: Sequence[WaitingSignature]) -> dict[str, int]:
        """Numbers by page; pages without any are left out. ``waiting``: the caller's missing signatures, of which those
        count that others ask the caller for."""
        mine = [
            one for one in waiting if not one.own and one.kind is not SignatureKind.FINDING
        ]  # counted as open below
        counts = Counter(_PLACES[one.kind] for one in mine)
        with translate_registry_errors():
            states = self._registry.batches.state_counts() if _BY_STATE & permissions_of(p.roles) else {}
            if p.may(Permission.ROSTERS_UPLOAD):
                counts["intake"] += states.get("draft", 0)
            if p.may(Permission.BATCHES_PREPARE):  # a batch to close is among those to work on
                counts["station"] = sum(states.get(state.value, 0) for state in _TO_WORK_ON)
            if p.may(Permission.MEMBERS_UNMASK):
                counts["registry"] += self._registry.bank_reports.new()
            if p.may(Permission.FINDINGS_CLOSE):
                counts["settlements"] += self._registry.findings.open_count()
            if p.may(Permission.SETTLEMENTS_SIGN):
                counts["settlements"] += self._registry.settlement.drafts()
        return {place: count for place, count in counts.items() if count}
