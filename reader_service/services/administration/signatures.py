"""Second signatures (四眼): what waits for a second person, for whom, and what the caller sent to one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.issuing.batches import SIGNATURE_LASTS, SIGNED
from registry.admin.audit import AuditFilter
from registry.admin.programmes import ProposalState
from registry.batches.reviews import ReviewEvent
from registry.db.paging import MOST
from registry.members.amendments import AmendmentState
from registry.programme.changes import ChangeState
from registry.programme.statement import StatementState
from registry.store import Registry
from registry.values import Batch, BatchState
from terminal.emv.data.masking import masked_pan
from terminal.names import same_name


class SignatureKind(StrEnum):
    """What a second person is needed for."""

    REVIEW = "review"  # a roster that was submitted
    CLOSING = "closing"  # a finished batch that one person signed
    CONSENT = "consent"  # a token that reads members
    CORRECTION = "correction"  # a roster that a reviewer returned to its clerk
    AMENDMENT = "amendment"  # a new name or mobile number of a member
    CHIP = "chip"  # a change of a card that two people order
    MERCHANT = "merchant"  # a change of a merchant that moves money
    STATEMENT = "statement"  # a statement of a merchant that one person signed
    DISPUTE = "dispute"  # a disputed redemption
    UNLISTING = "unlisting"  # a lost card that was found
    FINDING = "finding"  # a finding that holds, and that one person accepted
    PROGRAMME = "programme"  # a programme that was handed in to be published


PERMISSIONS: Final = {
    SignatureKind.REVIEW: Permission.ROSTERS_APPROVE,
    SignatureKind.CLOSING: Permission.BATCHES_CLOSE,
    SignatureKind.CONSENT: Permission.USERS,
    SignatureKind.CORRECTION: Permission.ROSTERS_UPLOAD,
    SignatureKind.AMENDMENT: Permission.ROSTERS_APPROVE,
    SignatureKind.CHIP: Permission.ROSTERS_APPROVE,
    SignatureKind.MERCHANT: Permission.MERCHANTS_APPROVE,
    SignatureKind.STATEMENT: Permission.SETTLEMENTS_SIGN,
    SignatureKind.DISPUTE: Permission.FINDINGS_CLOSE,
    SignatureKind.UNLISTING: Permission.CARDS_CHANGE,
    SignatureKind.FINDING: Permission.FINDINGS_CLOSE,
    SignatureKind.PROGRAMME: Permission.PROGRAMMES_APPROVE,
}
"""Who may give each."""


@dataclass(frozen=True, slots=True)
class WaitingSignature:
    """A signature that is missing. ``key`` is the batch or the number of what is signed, ``subject`` the unit, the
    merchant, the card number or the token's label; ``by`` asked for it ``at`` that time. ``own``: the caller asked, so
    that somebody else gives it."""

    kind: SignatureKind
    key: str
    subject: str
    by: str
    at: datetime
    own: bool


class SignatureService:
    """Without tokens: two people sign, and a token is none."""

    def __init__(self, parts: ServiceParts) -> None:
        self._parts = parts
        self._registry = parts.registry

    def own(self, p: Principal, actor: str) -> bool:
        """Whether the caller is the person behind an actor, so that somebody else decides or signs."""
        with translate_registry_errors():
            return same_name(self._registry.users.people([actor])[actor], p.name)

    def waiting(self, p: Principal) -> list[WaitingSignature]:
        """What waits for the caller, and what the caller waits for; the oldest first."""
        if p.token:
            return []
        with translate_registry_errors():
            return missing_signatures(self._registry, self._parts.clock(), p)


def missing_signatures(
    registry: Registry, now: datetime, p: Principal, *, unsent: bool = False
) -> list[WaitingSignature]:
    """What waits for this person, and what they wait for; the oldest first. ``unsent``: also drafts that nobody
    submitted, which the command line approves."""
    if not any(p.may(permission) for permission in PERMISSIONS.values()):
        return []
    signatures = _Signatures(registry, now).of(p, unsent=unsent)
    return sorted(signatures, key=lambda one: one.at)


class _Signatures:
    def __init__(self, registry: Registry, now: datetime) -> None:
        self._registry, self._now = registry, now

    def of(self, p: Principal, *, unsent: bool) -> list[WaitingSignature]:
        drafts = self._drafts(p) if unsent else []
        later = [*self._unlistings(p), *self._findings(p), *self._programmes(p)]
        return [
            *drafts,
            *self._reviews(p),
            *self._closings(p),
            *self._consents(p),
            *self._amendments(p),
            *self._chips(p),
            *self._merchants(p),
            *self._statements(p),
            *self._disputes(p),
            *later,
        ]

    def _programmes(self, p: Principal) -> list[WaitingSignature]:
        if not p.may(Permission.PROGRAMMES_APPROVE):
            return []
        waiting = self._registry.programme_editions.proposals(None, MOST, state=ProposalState.WAITING).items
        people = self._registry.users.people([one.by for one in waiting])
        kind = SignatureKind.PROGRAMME
        return [
            WaitingSignature(kind, str(one.number), one.programme, one.by, one.at, same_name(people[one.by], p.name))
            for one in waiting
        ]

    def _unlistings(self, p: Principal) -> list[WaitingSignature]:
        if not p.may(Permission.CARDS_CHANGE):
            return []
        back = self._registry.losses.page(None, MOST, returned=True).items
        people = self._registry.users.people([one.returned_by for one in back if one.returned_by])
        return [
            WaitingSignature(
                SignatureKind.UNLISTING,
                str(one.number),
                one.unit,
                one.returned_by,
                one.returned_at,
                same_name(people[one.returned_by], p.name),
            )
            for one in back
            if one.returned_by is not None and one.returned_at is not None
        ]

    def _findings(self, p: Principal) -> list[WaitingSignature]:
        if not p.may(Permission.FINDINGS_CLOSE):
            return []
        half = self._registry.findings.page(None, MOST, half=True).items
        people = self._registry.users.people([one.first_by for one in half if one.first_by])
        return [
            WaitingSignature(
                SignatureKind.FINDING,
                str(one.id),
                masked_pan(one.card_number) if one.card_number else str(one.id),
                one.first_by,
                one.first_at,
                same_name(people[one.first_by], p.name),
            )
            for one in half
            if one.first_by is not None and one.first_at is not None
        ]

    def _merchants(self, p: Principal) -> list[WaitingSignature]:
        if not (p.may(Permission.MERCHANTS_CHANGE) or p.may(Permission.MERCHANTS_APPROVE)):
            return []
        waiting = self._registry.merchant_changes.page(None, MOST, state=ChangeState.WAITING).items
        people = self._registry.users.people([one.by for one in waiting])
        return [
            WaitingSignature(SignatureKind.MERCHANT, str(one.number), one.name, one.by, one.at, own)
            for one in waiting
            if (own := same_name(people[one.by], p.name)) or p.may(Permission.MERCHANTS_APPROVE)
        ]

    def _statements(self, p: Principal) -> list[WaitingSignature]:
        if not p.may(Permission.SETTLEMENTS_SIGN):
            return []
        signed = self._registry.settlement.page(None, MOST, state=StatementState.SIGNED).items
        people = self._registry.users.people([str(one.signed_by) for one in signed])
        return [
            WaitingSignature(
                SignatureKind.STATEMENT,
                str(one.number),
                f"{one.name} {one.month}",
                one.signed_by,
                one.signed_at,
                same_name(people[one.signed_by], p.name),
            )
            for one in signed
            if one.signed_by is not None and one.signed_at is not None
        ]

    def _disputes(self, p: Principal) -> list[WaitingSignature]:
        if not p.may(Permission.FINDINGS_CLOSE):
            return []
        open_ones = self._registry.disputes.page(None, MOST).items
        people = self._registry.users.people([one.by for one in open_ones])
        return [
            WaitingSignature(
                SignatureKind.DISPUTE, str(one.number), one.merchant, one.by, one.at, same_name(people[one.by], p.name)
            )
            for one in open_ones
        ]

    def _amendments(self, p: Principal) -> list[WaitingSignature]:
        if not p.may(Permission.AMENDMENTS_VIEW):
            return []
        waiting = self._registry.amendments.page(None, MOST, state=AmendmentState.WAITING).items
        people = self._registry.users.people([one.by for one in waiting])
        return [
            WaitingSignature(SignatureKind.AMENDMENT, str(one.number), one.unit, one.by, one.at, own)
            for one in waiting
            if (own := same_name(people[one.by], p.name)) or p.may(Permission.ROSTERS_APPROVE)
        ]

    def _chips(self, p: Principal) -> list[WaitingSignature]:
        if not (p.may(Permission.CARDS_CHANGE) or p.may(Permission.ROSTERS_APPROVE)):
            return []
        waiting = self._registry.updates.proposed(MOST)
        people = self._registry.users.people([one.wanted_by for one in waiting])
        return [
            WaitingSignature(SignatureKind.CHIP, str(one.id), one.card_number, one.wanted_by, one.wanted_at, own)
            for one in waiting
            if (own := same_name(people[one.wanted_by], p.name)) or p.may(Permission.ROSTERS_APPROVE)
        ]

    def _drafts(self, p: Principal) -> list[WaitingSignature]:
        if not (p.may(Permission.ROSTERS_APPROVE) or p.may(Permission.ROSTERS_UPLOAD)):
            return []
        batches = self._registry.batches.page(None, MOST, state="draft").items
        people = self._registry.users.people([batch.imported_by for batch in batches])
        return [
            WaitingSignature(SignatureKind.REVIEW, batch.id, batch.unit, batch.imported_by, batch.imported_at, own)
            for batch in batches
            if (own := same_name(people[batch.imported_by], p.name)) or p.may(Permission.ROSTERS_APPROVE)
        ]

    def _reviews(self, p: Principal) -> list[WaitingSignature]:
        reviews, uploads = p.may(Permission.ROSTERS_APPROVE), p.may(Permission.ROSTERS_UPLOAD)
        batches: list[Batch] = []
        if reviews or uploads:
            batches += self._registry.batches.page(None, MOST, state="submitted").items
        if uploads:
            batches += self._registry.batches.page(None, MOST, state="returned").items
        ids = [batch.id for batch in batches]
        steps = {**self._registry.reviews.standing(ids[:MOST]), **self._registry.reviews.standing(ids[MOST:])}
        people = self._registry.users.people([batch.imported_by for batch in batches])
        return [
            one
            for batch in batches
            if batch.id in steps and (one := _review(p, batch, steps[batch.id], people[batch.imported_by])) is not None
        ]

    def _closings(self, p: Principal) -> list[WaitingSignature]:
        if not p.may(Permission.BATCHES_CLOSE):
            return []
        since = self._now - SIGNATURE_LASTS
        signed = self._registry.audit.page(None, MOST, where=AuditFilter(action=SIGNED, since=since)).items
        rows = {row.entry.subject.removeprefix("batch:"): row for row in reversed(signed)}  # the newest of each
        if not rows:
            return []
        done = {batch.id: batch for batch in self._registry.batches.page(None, MOST, state=BatchState.DONE).items}
        waiting = []
        for batch_id, row in rows.items():
            if (batch := done.get(batch_id)) is not None:
                own = same_name(row.entry.actor, p.name)
                values = (SignatureKind.CLOSING, batch_id, batch.unit, row.entry.actor, row.at, own)
                waiting.append(WaitingSignature(*values))
        return waiting

    def _consents(self, p: Principal) -> list[WaitingSignature]:
        if not p.may(Permission.USERS):
            return []
        return [
            WaitingSignature(
                SignatureKind.CONSENT,
                str(token.id),
                token.label,
                token.created_by,
                token.created_at,
                same_name(token.created_by, p.name),
            )
            for token in self._registry.tokens.page(None, MOST).items
            if token.waits and token.revoked_at is None and token.until > self._now
        ]


def _review(p: Principal, batch: Batch, step: ReviewEvent, person: str) -> WaitingSignature | None:
    """A submitted roster waits for anybody but its clerk, a returned one for its clerk alone."""
    own = same_name(person, p.name)
    submitted = step.step.value == "submitted"
    if not submitted:
        kind = SignatureKind.CORRECTION
        return WaitingSignature(kind, batch.id, batch.unit, step.by, step.at, False) if own else None
    if not own and not p.may(Permission.ROSTERS_APPROVE):
        return None
    return WaitingSignature(SignatureKind.REVIEW, batch.id, batch.unit, step.by, step.at, own)
